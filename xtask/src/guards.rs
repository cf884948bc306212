//! Guards: pieces of code without which a promise would be broken, each with a test that fails without it.
//!
//! Each file of `tests/guards/` names a guard and its test, and says which lines of code are replaced to remove the
//! guard. Must hold: the lines are looked for in all of `src/`, by their text alone, and occur exactly once. Comments,
//! indentation and the file they are in do not matter, so that a guard survives when code moves. Never: changes the
//! working tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::{TaskError, cargo, root};

/// A guard, as its file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Guard {
    /// The promise that the guard keeps.
    guard: String,
    /// The test that fails without the guard: `lib` or a file of `tests/`, and the name of the test.
    test: String,
    /// The changes that remove the guard.
    edit: Vec<Edit>,
}

/// One replacement of lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    /// The lines as they are.
    code: String,
    /// The lines that take their place.
    instead: String,
}

/// The text of a source file.
struct Source {
    path: PathBuf,
    text: String,
}

/// Checks that each guard is found in the code.
///
/// # Errors
/// A guard whose file cannot be read, or whose lines do not occur exactly once.
pub(crate) fn find_all(names: &[String]) -> Result<(), TaskError> {
    let guards = read_guards(names)?;
    let mut missing = Vec::new();
    for (name, guard) in &guards {
        let mut sources = read_sources(&root().join("src"))?;
        let found = remove(guard, &mut sources);
        missing.extend(found.err().map(|error| format!("tests/guards/{name}.toml: {error}")));
    }
    if !missing.is_empty() {
        return Err(missing.join("\n").into());
    }
    println!("{} guards are found in the code", guards.len());
    Ok(())
}

/// Removes each guard in turn in a copy of the last commit, and checks that its test fails without it. First each test
/// has to pass on the unchanged copy.
///
/// # Errors
/// A guard that cannot be removed, code that does not compile without it, or a test that does not fail.
pub(crate) fn remove_each(names: &[String]) -> Result<(), TaskError> {
    let guards = read_guards(names)?;
    let copy = Copy::new()?;
    copy.refresh()?;
    for (_, guard) in &guards {
        if copy.test(&guard.test)? != Verdict::Green {
            return Err(format!("the test {} fails with its guard in place", guard.test).into());
        }
    }
    let mut failed = Vec::new();
    for (name, guard) in &guards {
        copy.refresh()?;
        let mut sources = read_sources(&copy.tree.join("src"))?;
        let verdict = match remove(guard, &mut sources) {
            Err(error) => format!("NO: {error}"),
            Ok(()) => {
                for source in &sources {
                    fs::write(&source.path, &source.text)?;
                }
                match copy.test(&guard.test)? {
                    Verdict::Red => "yes".to_owned(),
                    Verdict::Green => "NO: the test passes without it".to_owned(),
                    Verdict::NotCompiled => "NO: the code does not compile without it".to_owned(),
                }
            }
        };
        println!("{name:<32} {}: does its test fail without it? {verdict}", guard.guard);
        if verdict != "yes" {
            failed.push(name.as_str());
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("guards that no test misses: {}", failed.join(", ")).into()),
    }
}

/// Reads the guards of these names, or all guards, in the order of their names.
fn read_guards(names: &[String]) -> Result<Vec<(String, Guard)>, TaskError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("tests/guards"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let guard = toml::from_str(&fs::read_to_string(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        found.push((name, guard));
    }
    if let Some(missing) = names.iter().find(|name| found.iter().all(|(found, _)| found != *name)) {
        return Err(format!("there is no guard {missing:?} in tests/guards/").into());
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// Reads all Rust files of a folder and of the folders in it.
fn read_sources(folder: &Path) -> Result<Vec<Source>, TaskError> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources.extend(read_sources(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push(Source { text: fs::read_to_string(&path)?, path });
        }
    }
    Ok(sources)
}

/// Makes the replacements of a guard. Each must find its lines exactly once.
fn remove(guard: &Guard, sources: &mut [Source]) -> Result<(), String> {
    for Edit { code, instead } in &guard.edit {
        let places = sources.iter().enumerate().flat_map(|(at, source)| {
            find(&source.text, code).into_iter().map(move |(from, to)| (at, from, to))
        });
        let places: Vec<_> = places.collect();
        let [(at, from, to)] = places[..] else {
            let places = places.len();
            return Err(format!("these lines occur {places} times in src/:\n{code}"));
        };
        let lines: Vec<&str> = sources[at].text.lines().collect();
        let (before, behind) = (&lines[..from], &lines[to..]);
        let changed = before.iter().copied().chain(instead.lines()).chain(behind.iter().copied());
        sources[at].text = changed.collect::<Vec<_>>().join("\n") + "\n";
    }
    Ok(())
}

/// Code without what a formatter may change: comments, white space, and commas before a closing
/// bracket.
struct Plain {
    characters: Vec<char>,
    /// Line of each character, from 0.
    lines: Vec<usize>,
}

impl Plain {
    fn of(text: &str) -> Self {
        let mut plain = Self { characters: Vec::new(), lines: Vec::new() };
        let code = |line: &&str| !line.trim_start().starts_with("//");
        for (number, line) in text.lines().enumerate().filter(|(_, line)| code(line)) {
            for character in line.chars().filter(|character| !character.is_whitespace()) {
                if matches!(character, ')' | ']' | '}') && plain.characters.last() == Some(&',') {
                    plain.characters.pop();
                    plain.lines.pop();
                }
                plain.characters.push(character);
                plain.lines.push(number);
            }
        }
        plain
    }
}

/// Finds code in a text, if it fills whole lines: the index of the first line, and of the line
/// behind the last one.
fn find(text: &str, code: &str) -> Vec<(usize, usize)> {
    let (text, code) = (Plain::of(text), Plain::of(code).characters);
    let Some(last) = code.len().checked_sub(1) else { return Vec::new() };
    let windows = text.characters.windows(code.len()).enumerate();
    let equal = windows.filter(|(_, window)| *window == code);
    let places = equal.map(|(at, _)| (at, at + last)).filter(|(from, to)| {
        let begins =
            from.checked_sub(1).is_none_or(|before| text.lines[before] < text.lines[*from]);
        let ends = text.lines.get(to + 1).is_none_or(|behind| *behind > text.lines[*to]);
        begins && ends
    });
    places.map(|(from, to)| (text.lines[from], text.lines[to] + 1)).collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Green,
    Red,
    NotCompiled,
}

/// A copy of the last commit, with a target folder of its own.
struct Copy {
    target: PathBuf,
    tree: PathBuf,
}

impl Copy {
    fn new() -> Result<Self, TaskError> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root().join("target"), PathBuf::from)
            .join("guards");
        fs::create_dir_all(&target)?;
        Ok(Self { tree: target.join("tree"), target })
    }

    /// Copies the last commit anew. All files get a new time, else cargo could use what it built from an earlier copy.
    fn refresh(&self) -> Result<(), TaskError> {
        let _ = fs::remove_dir_all(&self.tree);
        fs::create_dir_all(&self.tree)?;
        let mut archive = Command::new("git")
            .args(["archive", "HEAD"])
            .current_dir(root())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = archive.stdout.take().ok_or("git archive has no output")?;
        let unpacked =
            Command::new("tar").args(["-xm", "-C"]).arg(&self.tree).stdin(input).status()?;
        match archive.wait()?.success() && unpacked.success() {
            true => Ok(()),
            false => Err("the last commit cannot be copied".into()),
        }
    }

    /// Builds and runs one test.
    fn test(&self, test: &str) -> Result<Verdict, TaskError> {
        let (file, name) = test.split_once(' ').ok_or("a test is a file and a name")?;
        let file = match file {
            "lib" => vec!["--lib"],
            file => vec!["--test", file],
        };
        let command = |more: &[&str]| {
            let mut command = cargo(&["test", "--quiet", "--locked"]);
            command.args(&file).args(more).current_dir(&self.tree);
            command.env("CARGO_TARGET_DIR", &self.target).stdin(Stdio::null());
            command.output()
        };
        let built = command(&["--no-run"])?;
        if !built.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&built.stderr));
            return Ok(Verdict::NotCompiled);
        }
        let ran = command(&["--", "--exact", name])?;
        let text = String::from_utf8_lossy(&ran.stdout);
        match ran.status.success() {
            true if text.contains("test result: ok. 1 passed") => Ok(Verdict::Green),
            true => Err(format!("there is no test {test}").into()),
            false => Ok(Verdict::Red),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of the code that a guard no longer fits is noticed at once, and not at night.
    #[test]
    fn each_guard_is_found_in_the_code() {
        find_all(&[]).unwrap();
    }

    #[test]
    fn lines_are_found_by_their_code_alone() {
        let text = "fn a() {\n    // why\n    one();\n\n    /// doc\n    two();\n}\none();\n";
        assert_eq!(find(text, "one();\ntwo();"), [(2, 6)]);
        assert_eq!(find(text, "one();"), [(2, 3), (7, 8)]);
        assert_eq!(find(text, "three();"), []);
        assert_eq!(find("call(a, b);\n", "call(\n    a,\n    b,\n);"), [(0, 1)], "formatted anew");
        assert_eq!(find("x; one();\n", "one();"), [], "not the whole line");
    }
}
