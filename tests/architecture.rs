//! The structure of the source, checked by reading the source files: which part may import which,
//! and which crate is used where.
//!
//! Must hold: imports go one way, model ← rules ← input, api, ledger, output ← engine ← passes ←
//! commands ← main. `MAY_IMPORT` lists the allowed imports of each part. A stage never imports
//! `config` or `cli`: it has a small `Options`, which `config` builds. There is one exception:
//! `output` imports `input`, since a result row is the input's row, with its layout and its cells,
//! and more columns.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each part of the program, with the parts that it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("rules", &["model"]),
    ("clock", &["model"]),
    ("panics", &[]),
    ("fs", &["model"]),
    ("tls", &["model", "fs"]),
    ("input", &["model", "rules", "fs", "panics"]),
    ("api", &["model", "rules", "fs", "tls"]),
    ("ledger", &["model", "rules", "fs", "tls"]),
    ("output", &["model", "rules", "panics", "fs", "input"]),
    ("engine", &["clock", "model", "rules", "api", "ledger"]),
    ("passes", &["model", "rules", "input", "ledger", "output", "engine"]),
    ("sandbox", &["fs"]),
    ("signals", &["model"]),
    ("error", &["model", "rules", "api", "input", "ledger", "output", "passes", "sandbox"]),
    ("term", &["clock", "model", "rules", "output", "engine", "error"]),
    ("cli", &["model", "rules", "input", "sandbox"]),
    (
        "config",
        &[
            "model", "rules", "fs", "input", "api", "ledger", "output", "engine", "error", "term",
            "cli",
        ],
    ),
    (
        "commands",
        &[
            "clock", "model", "rules", "panics", "fs", "input", "api", "ledger", "output",
            "engine", "passes", "sandbox", "signals", "error", "term", "cli", "config",
        ],
    ),
];

/// Crates, each with the only places where the code may name it.
const CRATE_USED_ONLY_IN: &[(&str, &[&str])] = &[
    ("rustls", &["src/tls.rs", "src/api/http/"]),
    ("rusqlite", &["src/ledger/sqlite/"]),
    ("tokio_postgres", &["src/ledger/postgres/"]),
    (
        "rustix",
        &[
            "src/fs/trusted.rs",
            "src/commands/run/open_files.rs",
            "src/config/operator.rs",
            "src/ledger/postgres/ledger.rs",
            "src/term",
        ],
    ),
    ("rust_xlsxwriter", &["src/output/workbook"]),
    ("governor", &["src/engine/gate.rs"]),
    ("indicatif", &["src/term"]),
    ("reqwest", &["src/api/http"]),
    ("hyper", &["src/api/http/", "src/sandbox"]),
    ("quick_xml", &["src/input/sheet/"]),
    ("zip", &["src/input/sheet/"]),
    ("whoami", &["src/config/operator.rs"]),
    ("encoding_rs", &["src/input/stream.rs", "src/input/sheet/xml.rs", "src/api/text.rs"]),
];

/// Words that must not occur in the pure core, `src/rules`.
const IMPURE: &[&str] = &[
    "Instant",
    "SystemTime",
    "clock::",
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::thread",
    "tokio",
    "tracing",
    "rand::",
    "getrandom",
    "async ",
    ".await",
    "println!",
    "eprintln!",
];

/// Expressions that can panic.
const PANICS: &[&str] =
    &[".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!(", "dbg!("];

/// A source file, as it is and as code without its tests and comments.
struct Source {
    path: String,
    whole: String,
    code: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let whole = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let code = code_of(&path, &whole);
                found.push(Source { path, whole, code });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty());
    found
}

/// Returns the code without comments and tests. Tests are either a file (or folder) or the last
/// part of a file.
fn code_of(path: &str, whole: &str) -> String {
    if is_test(path) {
        return String::new();
    }
    let code = whole.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(without_comment).collect::<Vec<_>>().join("\n")
}

/// Returns a line without its comment. The `//` of an address such as `https://` begins no comment.
fn without_comment(line: &str) -> &str {
    let mut slashes = line.match_indices("//").map(|(at, _)| at);
    slashes.find(|at| !line[..*at].ends_with(':')).map_or(line, |at| &line[..at])
}

fn is_test(path: &str) -> bool {
    let marks = ["/tests.rs", "/tests/", "/testing.rs", "/testing/"];
    path.starts_with("tests/") || marks.iter().any(|mark| path.contains(mark))
}

/// Returns the part of the program that a file belongs to: `engine` for `src/engine/gate.rs`.
fn part(path: &str) -> &str {
    let inner = path.strip_prefix("src/").unwrap();
    inner.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Returns the parts of the program that the code names after `crate::`.
fn imported_parts(code: &str) -> BTreeSet<&str> {
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
        .collect()
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for Source { path, code, .. } in sources("src") {
        let part = part(&path);
        if ["main", "lib"].contains(&part) {
            continue;
        }
        let Some((_, may)) = MAY_IMPORT.iter().find(|(name, _)| *name == part) else {
            panic!("{path} belongs to a part that the rule does not know");
        };
        let others = imported_parts(&code).into_iter().filter(|other| *other != part);
        wrong.extend(
            others.filter(|o| !may.contains(o)).map(|other| format!("{path} knows {other}")),
        );
        if code.contains("crate::{") || code.contains("super::super::super") {
            wrong.push(format!("{path} hides what it knows"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rule_itself_has_no_circle() {
    let mut low: BTreeSet<&str> = BTreeSet::new();
    while low.len() < MAY_IMPORT.len() {
        let next = MAY_IMPORT
            .iter()
            .find(|(part, may)| !low.contains(part) && may.iter().all(|other| low.contains(other)));
        let Some((part, _)) = next else { panic!("a circle above {low:?}") };
        low.insert(part);
    }
}

#[test]
fn each_crate_is_named_only_in_its_place() {
    let mut wrong = Vec::new();
    for Source { path, code, .. } in sources("src") {
        for (word, places) in CRATE_USED_ONLY_IN {
            let here = places.iter().any(|place| path.starts_with(place));
            let spoken = code.contains(&format!("{word}::")) && !here;
            wrong.extend(spoken.then(|| format!("{path} speaks of {word}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Tests are checked too: a test that needs something from a ledger must need it from every kind of
/// ledger.
#[test]
fn each_kind_of_ledger_is_named_only_in_its_folder() {
    let rooms = [
        ("rusqlite", "src/ledger/sqlite/"),
        ("SqliteLedger", "src/ledger"),
        ("tokio_postgres", "src/ledger/postgres/"),
        ("PgLedger", "src/ledger"),
    ];
    let mut wrong = Vec::new();
    for Source { path, whole, .. } in sources("src") {
        let named =
            rooms.iter().filter(|(name, room)| whole.contains(name) && !path.starts_with(room));
        wrong.extend(named.map(|(name, _)| format!("{path} names {name}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_plan_imports_nothing_that_makes_calls() {
    let plan = ["src/commands/plan.rs", "src/commands/stages.rs", "src/config/plan.rs"];
    let strangers = ["api", "engine", "sandbox"];
    let mut met = 0;
    for Source { path, code, .. } in sources("src") {
        if plan.contains(&path.as_str()) {
            met += 1;
            let parts = imported_parts(&code);
            assert!(strangers.iter().all(|part| !parts.contains(part)), "{path} imports {parts:?}");
            assert!(!code.contains("credentials"), "{path} speaks of credentials");
        }
    }
    assert_eq!(met, plan.len());
}

#[test]
fn the_rules_are_pure() {
    let mut wrong = Vec::new();
    for Source { path, code, .. } in sources("src/rules") {
        let spoken = IMPURE.iter().filter(|word| code.contains(**word));
        wrong.extend(spoken.map(|word| format!("{path}: {word}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_panics_on_purpose() {
    let mut wrong = Vec::new();
    for Source { path, code, .. } in sources("src") {
        for (number, line) in (1..).zip(code.lines()) {
            if PANICS.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns each function's number of lines, without comments and blank lines, and its first line.
/// The code is formatted, so a function ends at the first closing brace with the same indentation
/// as its first line.
fn functions(code: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = code.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_function = line.split_whitespace().take(4).any(|word| word == "fn");
        // A declaration has no body, and a body on one line has no closing line.
        let opens = lines[at..].iter().find(|line| line.ends_with(['{', ';', '}']));
        if is_function && opens.is_some_and(|line| line.ends_with('{')) {
            let end = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
            let length = lines[at..].iter().position(|line| *line == end).unwrap_or_default();
            found.push((length + 1, line.trim()));
        }
    }
    found
}

#[test]
fn functions_are_short() {
    let sources = sources("src");
    let mut lengths: Vec<(usize, &str, &str)> = Vec::new();
    for Source { path, code, .. } in &sources {
        lengths.extend(
            functions(code).into_iter().map(|(length, line)| (length, path.as_str(), line)),
        );
    }
    lengths.sort_unstable();
    let count = lengths.len();
    let (median, most_of) = (lengths[count / 2].0, lengths[count * 9 / 10].0);
    println!("{count} functions: median {median} lines, 90 % up to {most_of}; the longest:");
    for (length, path, line) in lengths.iter().rev().take(5) {
        println!("  {length} lines: {path}: {line}");
    }
    let mut files: Vec<_> =
        sources.iter().map(|file| (file.whole.lines().count(), &file.path)).collect();
    files.sort_unstable();
    println!(
        "{} files: median {} lines; the longest: {:?}",
        files.len(),
        files[files.len() / 2].0,
        files.last()
    );
    assert!(count > 500, "{count} functions: they are not found");
    assert!(median <= 12 && most_of <= 45, "median {median}, 90 % up to {most_of}");
    assert!(lengths.last().is_some_and(|(length, ..)| *length <= 70));
}

#[test]
fn files_say_what_they_are_for_and_are_short() {
    let mut wrong = Vec::new();
    for Source { path, whole, .. } in sources("src").iter().chain(&sources("tests")) {
        let most = match path.as_str() {
            "src/main.rs" => 70,
            _ if is_test(path) => 600,
            _ => 500,
        };
        let lines = whole.lines().count();
        if !whole.starts_with("//! ") {
            wrong.push(format!("{path} does not say what it is for"));
        }
        if lines > most {
            wrong.push(format!("{path} has {lines} lines, more than {most}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A comment names its subject first. Lines that begin with a question word or with "The same" make
/// the reader guess.
#[test]
fn documentation_begins_with_its_subject() {
    let words = ["What", "Whether", "How", "Whose", "Who", "Of", "The same"];
    let (mut all, mut found) = (0, Vec::new());
    for Source { path, whole, .. } in sources("src") {
        for (number, line) in (1..).zip(whole.lines()) {
            let line = line.trim_start();
            let text = ["/// ", "//! "].iter().find_map(|mark| line.strip_prefix(mark));
            let Some(text) = text else { continue };
            all += 1;
            let rest = words.iter().find_map(|word| text.strip_prefix(word));
            if rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)) {
                found.push(format!("{path}:{number}: {text}"));
            }
        }
    }
    println!("{} of {all} lines of documentation", found.len());
    assert!(all > 2000, "{all} lines: they are not found");
    assert!(found.len() * 100 < all * 4, "{found:#?}");
}
