//! The manual pages: one for the program and one for each command, made from the definition of the
//! command line.
//!
//! Never: writes a file.

use std::io;

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use super::help::command;
use super::notes::{Notes, notes_of};

/// A manual page.
#[derive(Debug)]
pub struct ManualPage {
    /// The command of the page, such as `ledger init`; empty for the program.
    pub command: String,
    /// Name of the file, such as `ceknik-run.1`.
    pub file_name: String,
    /// Text of the page, in roff.
    pub text: String,
}

/// Returns all manual pages, by name. The first one is that of the program.
///
/// # Errors
/// Never in practice, because the pages are written to memory.
pub fn manual_pages() -> io::Result<Vec<ManualPage>> {
    let mut program = command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add_pages(&program, "", &mut pages)?;
    pages.sort_by(|one, other| one.command.cmp(&other.command));
    let names: Vec<String> = pages.iter().map(|page| page.file_name.clone()).collect();
    for page in &mut pages {
        page.text += &see_also(&names, &page.file_name);
    }
    Ok(pages)
}

fn add_pages(command: &Command, path: &str, pages: &mut Vec<ManualPage>) -> io::Result<()> {
    let man = Man::new(with_short_usage(command.clone()));
    let notes = notes_of(path);
    let file_name = man.get_filename();
    let mut text = title(&file_name);
    text += &section(|to| man.render_name_section(to))?;
    text += &section(|to| man.render_synopsis_section(to))?;
    text += &section(|to| man.render_description_section(to))?;
    text += &more_of_description(&notes);
    text += &section(|to| man.render_options_section(to))?;
    if command.has_subcommands() {
        text += &section(|to| man.render_subcommands_section(to))?;
    }
    text += &exit_status(&notes);
    text += &environment(command);
    text += &files(command);
    text += &examples(&notes);
    pages.push(ManualPage { command: path.to_owned(), file_name, text });
    for sub in command.get_subcommands() {
        add_pages(sub, format!("{path} {}", sub.get_name()).trim_start(), pages)?;
    }
    Ok(())
}

/// Formats the beginning of a page: how apostrophes are shown, and its title. The title has no date,
/// so that the pages of a version are always the same.
fn title(file_name: &str) -> String {
    let name = file_name.trim_end_matches(".1").replace('-', "\\-");
    let version = env!("CARGO_PKG_VERSION");
    let title = format!(".TH {name} 1 \"\" \"ceknik {version}\" \"ceknik manual\"\n");
    APOSTROPHES.concat() + &title
}

/// Lines that each text of the library begins with.
const APOSTROPHES: [&str; 2] = [".ie \\n(.g .ds Aq \\(aq\n", ".el .ds Aq '\n"];

/// Returns a section that the library writes, without the lines that belong to the beginning of a
/// page.
fn section(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut text = Vec::new();
    write(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(APOSTROPHES.iter().fold(text, |text, line| text.replace(line, "")))
}

/// Replaces the list of all flags in the synopsis by `[OPTIONS]`.
fn with_short_usage(mut command: Command) -> Command {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    command.override_usage(usage)
}

/// Formats a section of terms with their meanings. Without terms there is no section.
fn section_of_terms(title: &str, terms: impl IntoIterator<Item = (String, String)>) -> String {
    let mut section = Roff::new();
    for (term, meaning) in terms {
        section.control("TP", []).text([bold(term)]).text([roman(meaning)]);
    }
    if section == Roff::new() { String::new() } else { heading(title) + &section.to_roff() }
}

fn heading(title: &str) -> String {
    Roff::new().control("SH", [title]).to_roff()
}

fn more_of_description(notes: &Notes) -> String {
    let mut section = Roff::new();
    for remark in &notes.remarks {
        section.control("PP", []).text([roman(remark)]);
    }
    if let Some(table) = notes.table {
        section.control("PP", []).control("nf", []);
        for line in table.lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []);
    }
    section.to_roff()
}

fn exit_status(notes: &Notes) -> String {
    let codes = notes.exit_codes.iter();
    let terms = codes.map(|(code, meaning)| (code.number().to_string(), (*meaning).to_owned()));
    section_of_terms("EXIT STATUS", terms)
}

/// Formats the environment variables of a command: those of its flags, and those that programs of
/// this kind read.
fn environment(command: &Command) -> String {
    let of_flag = |flag: &Arg| {
        let meaning = format!("The default of --{}.", flag.get_long()?);
        Some((flag.get_env()?.to_string_lossy().into_owned(), meaning))
    };
    let flags = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let mut terms: Vec<(String, String)> = flags.filter_map(of_flag).collect();
    let more: &[(&str, &str)] = match command.get_name() {
        "run" => &ENVIRONMENT_OF_RUN,
        _ if takes_ledger(command) => &ENVIRONMENT_OF_LEDGER,
        _ => &[],
    };
    terms.extend(more.iter().map(|(name, meaning)| ((*name).to_owned(), (*meaning).to_owned())));
    section_of_terms("ENVIRONMENT", terms)
}

fn takes_ledger(command: &Command) -> bool {
    command.get_arguments().any(|flag| flag.get_id() == "ledger")
}

const ENVIRONMENT_OF_LEDGER: [(&str, &str); 2] = [
    (
        "CEKNIK_LEDGER_PASSWORD",
        "The password of a shared ledger. CEKNIK_LEDGER_PASSWORD_FILE names a file with it instead.",
    ),
    ("XDG_STATE_HOME", "The folder for the ledger folder ceknik, instead of ~/.local/state."),
];

const ENVIRONMENT_OF_RUN: [(&str, &str); 6] = [
    ("CEKNIK_API_ID", "The id of your account. CEKNIK_API_ID_FILE names a file with it instead."),
    (
        "CEKNIK_API_SECRET",
        "The secret of your account. CEKNIK_API_SECRET_FILE names a file with it instead.",
    ),
    ENVIRONMENT_OF_LEDGER[0],
    ENVIRONMENT_OF_LEDGER[1],
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy to the vendor, and the hosts that are reached without it.",
    ),
    ("NO_COLOR", "If it is set, no colours are used."),
];

/// Formats the files that a command uses.
fn files(command: &Command) -> String {
    let ledger = takes_ledger(command).then_some(FILES_OF_LEDGER).into_iter().flatten();
    let own = match command.get_name() {
        "run" => &FILES_OF_RUN[..],
        _ => &[],
    };
    let terms = ledger.chain(own.iter().copied());
    let terms = terms.map(|(name, meaning)| (name.to_owned(), meaning.to_owned()));
    section_of_terms("FILES", terms)
}

const FILES_OF_LEDGER: [(&str, &str); 3] = [
    (
        "ceknik.toml",
        "Settings, in the current folder: the long flags of run and plan without their dashes, such as rate-max = 25.",
    ),
    (
        "~/.local/state/ceknik/ADDRESS.ledger",
        "The ledger of a vendor address: every call and every answer.",
    ),
    (
        "ADDRESS.ledger.key, ADDRESS.ledger.witness",
        "The ledger's secret key, and a record of how much the ledger holds. Keep them with the ledger.",
    ),
];

const FILES_OF_RUN: [(&str, &str); 3] = [
    ("FILE.verified.csv, FILE.verified.xlsx", "The output."),
    (
        "FILE.verified.partial.csv, FILE.verified.partial.xlsx",
        "The output of a run that stopped before its end.",
    ),
    ("OUTPUT.summary.json", "The summary of the run."),
];

fn examples(notes: &Notes) -> String {
    let mut section = Roff::new();
    for example in notes.examples {
        section.control("PP", []).text([roman(example.about)]);
        section.control("PP", []).control("RS", ["4"]).text([bold(example.line)]);
        section.control("RE", []);
    }
    if notes.examples.is_empty() {
        return String::new();
    }
    heading("EXAMPLES") + &section.to_roff()
}

/// Formats the list of the other pages.
fn see_also(names: &[String], own: &str) -> String {
    let mut list = Vec::new();
    for name in names.iter().filter(|name| *name != own) {
        let Some((name, section)) = name.rsplit_once('.') else { continue };
        if !list.is_empty() {
            list.push(roman(", "));
        }
        list.extend([italic(name), roman(format!("({section})"))]);
    }
    heading("SEE ALSO") + &Roff::new().text(list).to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_with_the_usual_sections() {
        let pages = manual_pages().unwrap();
        assert_eq!(pages[0].file_name, "ceknik.1");
        let page_of = |command: &str| pages.iter().find(|page| page.command == command).unwrap();
        assert_eq!(page_of("ledger init").file_name, "ceknik-ledger-init.1");
        let run = &page_of("run").text;
        let sections: Vec<&str> =
            run.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "INPUT",
            "MONEY",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "\"SEE ALSO\"",
        ] {
            assert!(sections.contains(&section), "{section} is not in {sections:?}");
        }
        for text in ["CEKNIK_RATE_MAX", "CEKNIK_API_SECRET", "ceknik run\\fR [OPTIONS] <INPUT>"] {
            assert!(run.contains(text), "{text} is not in {run}");
        }
    }
}
