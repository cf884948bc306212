//! The places of the results, the partial results, the summary and the page about the run.
//!
//! Must hold: the input is never overwritten. A partial result never replaces a finished one.
//! Answers of the sandbox are never written under the default name of a live output.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::InputFrom;
use super::place::Written;
use super::values::{flag_error, usage_error};
use crate::cli::RunArgs;
use crate::error::Error;
use crate::fs::paths::{beside, folder_of, same_file};
use crate::fs::trusted;
use crate::input::{Layout, Source};
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_path;
use crate::output::{Dialect, Format, endings, stem};

/// Place of the results as the user asked for it, before the kind of the input is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedOutput {
    place: WantedPlace,
    dialect: Dialect,
    summary: Option<PathBuf>,
    page: Option<PathBuf>,
    overwrite: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum WantedPlace {
    Stdout,
    /// A file that the user named, and the form that its name asks for.
    Named(PathBuf, Format),
    /// A file beside the input, since the user named none. The kind of the input decides its form.
    Beside {
        input: PathBuf,
        is_sandbox: bool,
    },
}

/// Place and form of the results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    results: Results,
    format: Format,
    summary: Option<PathBuf>,
    page: Option<PathBuf>,
    /// True if a file that ceknik did not write may be overwritten.
    overwrite: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Results {
    Stdout,
    /// A file that the user named.
    Named(PathBuf),
    /// A file beside the input, since the user named none. Live answers and answers of the sandbox
    /// have different names.
    Beside {
        live: PathBuf,
        sandbox: PathBuf,
        is_sandbox: bool,
    },
}

impl WantedOutput {
    /// Converts the flags.
    ///
    /// # Errors
    /// Exit code 2: the input is standard input and no output is named, or the summary is named
    /// `-`. Exit code 11: the name of the output asks for no form that can be written.
    pub(super) fn new(args: &RunArgs, input: &InputFrom) -> Result<Self, Error> {
        let dialect = if args.excel { Dialect::Spreadsheet } else { Dialect::Exact };
        let place = match (&args.output, input) {
            (Some(path), _) if path.to_str() == Some("-") => WantedPlace::Stdout,
            (Some(path), _) => WantedPlace::Named(path.clone(), form_of_output(path, dialect)?),
            (None, InputFrom::Stdin) => {
                return Err(usage_error(
                    "an input from standard input needs an output: -o FILE, or -o - for standard output".to_owned(),
                ));
            }
            (None, InputFrom::File(path)) => {
                WantedPlace::Beside { input: path.clone(), is_sandbox: args.vendor.address.sandbox }
            }
        };
        if args.summary.as_deref() == Some(Path::new("-")) {
            return Err(flag_error("--summary", "`-` is not a file: give the name of a file"));
        }
        if args.report.as_deref() == Some(Path::new("-")) {
            return Err(flag_error("--report", "`-` is not a file: give the name of a file"));
        }
        let (summary, page) = (args.summary.clone(), args.report.clone());
        Ok(Self { place, dialect, summary, page, overwrite: args.overwrite })
    }

    /// Returns the folder that the results go to; `None` for standard output.
    pub fn folder(&self) -> Option<PathBuf> {
        match &self.place {
            WantedPlace::Stdout => None,
            WantedPlace::Named(path, _) | WantedPlace::Beside { input: path, .. } => {
                Some(folder_of(path).to_owned())
            }
        }
    }

    /// Checks whether a CSV is for a spreadsheet.
    pub fn is_for_spreadsheet(&self) -> bool {
        self.dialect == Dialect::Spreadsheet
    }

    /// Returns the destination for an input. If the user named no output, the results of a workbook
    /// go to a workbook, and those of any other input to a CSV. Standard output always gets a CSV.
    pub fn of(&self, is_workbook: bool) -> Destination {
        let dialect = self.dialect;
        let (results, format) = match &self.place {
            WantedPlace::Stdout => (Results::Stdout, Format::csv(dialect)),
            WantedPlace::Named(path, format) => (Results::Named(path.clone()), *format),
            WantedPlace::Beside { input, is_sandbox } => {
                let format = if is_workbook { Format::Workbook } else { Format::csv(dialect) };
                let ending = if is_workbook { "xlsx" } else { "csv" };
                let named = |kind| input.with_file_name(format!("{}.{kind}.{ending}", stem(input)));
                let (live, sandbox, is_sandbox) =
                    (named("verified"), named("sandbox"), *is_sandbox);
                (Results::Beside { live, sandbox, is_sandbox }, format)
            }
        };
        let (summary, page) = (self.summary.clone(), self.page.clone());
        Destination { results, format, summary, page, overwrite: self.overwrite }
    }
}

impl Destination {
    /// Returns the form in which the results are written.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Returns the folder that the results go to; `None` for standard output.
    pub fn folder(&self) -> Option<PathBuf> {
        self.finished(false).map(|path| folder_of(path).to_owned())
    }

    /// Returns the texts of a run that may contain the name of a customer: those of its files.
    pub fn labels(&self, input: &Source) -> Arc<[String]> {
        let output = [self.finished(false), self.summary.as_deref()];
        let paths = output.into_iter().flatten().chain(input.path());
        paths.map(|path| path.display().to_string()).collect()
    }

    /// Returns the path of the finished output; `None` for standard output. `from_sandbox` is true
    /// if answers of the sandbox are among the results. Such results never get the default name of
    /// a live output, whatever address they came from.
    pub fn finished(&self, from_sandbox: bool) -> Option<&Path> {
        match &self.results {
            Results::Stdout => None,
            Results::Named(path) => Some(path),
            Results::Beside { live, sandbox, is_sandbox } => {
                Some(if from_sandbox || *is_sandbox { sandbox } else { live })
            }
        }
    }

    /// Checks whether the finished output of a run is in its place. A file whose summary is that of
    /// another run is not the one.
    pub fn has_output_of(&self, run: u64) -> bool {
        let is_there = self.finished(false).is_some_and(Path::exists);
        let summary = self.summary(false).and_then(|path| trusted::read(&path).ok());
        let summary =
            summary.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let summarized = summary.and_then(|summary| summary.get("run")?.as_u64());
        is_there && summarized.is_none_or(|summarized| summarized == run)
    }

    /// Returns the path of the output of a run that stopped early; `None` for standard output.
    pub fn partial(&self, from_sandbox: bool) -> Option<PathBuf> {
        self.finished(from_sandbox)
            .map(|path| path.with_file_name(format!("{}.partial{}", stem(path), endings(path))))
    }

    /// Returns the path of the summary; `None` if the results go to standard output and no summary
    /// is named.
    pub fn summary(&self, from_sandbox: bool) -> Option<PathBuf> {
        let unnamed = || Some(beside(self.finished(from_sandbox)?, ".summary.json"));
        self.summary.clone().or_else(unnamed)
    }

    /// Returns the path of the page about the run (`--report`), if one is wanted.
    pub fn page(&self) -> Option<&Path> {
        self.page.as_deref()
    }

    /// Checks that no file that is read would be overwritten. Each path in `read` comes with a
    /// description for messages. The partial output is checked too, because it is replaced and
    /// removed without a question.
    ///
    /// # Errors
    /// Exit code 2: a file that is written would overwrite one that is read, or another one that is
    /// written.
    pub fn check_no_overwrite(&self, read: &[(&str, PathBuf)]) -> Result<(), Error> {
        let written = self.written();
        for (kind, path) in &written {
            if let Some((what, _)) = read.iter().find(|(_, other)| same_file(path, other)) {
                return Err(overwrite_error(*kind, path, what));
            }
        }
        let is_result = |kind| matches!(kind, Written::Output | Written::PartialOutput);
        let (results, beside): (Vec<_>, Vec<_>) =
            written.iter().partition(|(kind, _)| is_result(*kind));
        for (kind, path) in &beside {
            let others = results.iter().chain(&beside).filter(|(other, _)| other != kind);
            if let Some((other, _)) = others.into_iter().find(|(_, other)| same_file(path, other)) {
                return Err(overwrite_error(*kind, path, other.name()));
            }
        }
        Ok(())
    }

    /// Checks before the first call that the columns of a file, together with ours, fit into the
    /// output.
    ///
    /// # Errors
    /// Exit code 2: the columns do not fit into a sheet of a workbook.
    pub fn check_fits(&self, layout: &Layout) -> Result<(), Error> {
        match self.format.columns_too_many(layout) {
            0 => Ok(()),
            surplus => Err(Error::new(
                ExitCode::Usage,
                format!(
                    "a sheet can have {} columns; those of the input and of ceknik together are {surplus} too many",
                    Format::MOST_COLUMNS
                ),
                "write a CSV: -o FILE.csv",
            )),
        }
    }

    /// Checks before the first call that the output and the summary can be put in their places at
    /// the end. A run on another ledger that is writing one of these files is noticed too.
    ///
    /// # Errors
    /// Exit code 11: a place is a folder or not a regular file, cannot be written to, is being
    /// written by another run, or has a file that ceknik did not write and that may not be
    /// overwritten.
    pub fn check_writable(&self) -> Result<(), Error> {
        let mut written = self.written().into_iter();
        written.try_for_each(|(kind, path)| kind.check_place(&path, self.overwrite, true))
    }

    /// Returns every path that a run may write to, each with its kind.
    fn written(&self) -> Vec<(Written, PathBuf)> {
        let of = |sandbox| {
            [
                (Written::Output, self.finished(sandbox).map(Path::to_owned)),
                (Written::PartialOutput, self.partial(sandbox)),
                (Written::Summary, self.summary(sandbox)),
                (Written::Page, self.page.clone()),
            ]
        };
        let all = [of(false), of(true)].into_iter().flatten();
        all.filter_map(|(kind, path)| path.map(|path| (kind, path))).collect()
    }
}

fn overwrite_error(kind: Written, path: &Path, other: &str) -> Error {
    let what = format!("the {} {} would overwrite the {other}", kind.name(), mask_path(path));
    let hint = match kind {
        Written::Page => "name another file with --report FILE",
        _ => "name another file with -o FILE or --summary FILE",
    };
    Error::new(ExitCode::Usage, what, hint)
}

/// Returns the form that the name of an output asks for.
///
/// # Errors
/// Exit code 11: the name has no ending, the ending of no form, or is that of a folder.
pub fn form_of_output(path: &Path, dialect: Dialect) -> Result<Format, Error> {
    Format::of(path, dialect).map_err(|ending| {
        let what = match ending.as_str() {
            _ if path.as_os_str().as_encoded_bytes().ends_with(b"/") => " is a folder".to_owned(),
            "" => " has no ending, so its form is not known".to_owned(),
            ending => format!(": ceknik cannot write .{ending} files"),
        };
        Error::config(
            format!("the output {}{what}", mask_path(path)),
            "End the name in .xlsx for a workbook, or in .csv, .tsv or .txt (packed: .csv.gz). For standard output, give -",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_the_input() {
        let wanted = |is_sandbox| WantedOutput {
            place: WantedPlace::Beside { input: "d/a.csv.gz".into(), is_sandbox },
            dialect: Dialect::Exact,
            summary: None,
            page: None,
            overwrite: false,
        };
        for (is_sandbox, from_sandbox, is_workbook, finished, partial) in [
            (false, false, false, "d/a.verified.csv", "d/a.verified.partial.csv"),
            (false, true, false, "d/a.sandbox.csv", "d/a.sandbox.partial.csv"),
            (true, false, false, "d/a.sandbox.csv", "d/a.sandbox.partial.csv"),
            // The results of a workbook are a workbook.
            (false, false, true, "d/a.verified.xlsx", "d/a.verified.partial.xlsx"),
            (true, false, true, "d/a.sandbox.xlsx", "d/a.sandbox.partial.xlsx"),
        ] {
            let destination = wanted(is_sandbox).of(is_workbook);
            assert_eq!(destination.finished(from_sandbox), Some(Path::new(finished)));
            assert_eq!(destination.partial(from_sandbox), Some(partial.into()));
            let summary = format!("{finished}.summary.json");
            assert_eq!(destination.summary(from_sandbox), Some(summary.into()));
        }
        let stdout = WantedOutput { place: WantedPlace::Stdout, ..wanted(false) }.of(true);
        assert_eq!((stdout.finished(true), stdout.summary(true)), (None, None));
        assert_eq!(stdout.format(), Format::csv(Dialect::Exact));
    }

    #[test]
    fn a_partial_output_keeps_its_endings() {
        for (named, partial) in [
            ("d/hasil.xlsx", "d/hasil.partial.xlsx"),
            ("d/hasil.TSV.GZ", "d/hasil.partial.TSV.GZ"),
            ("d/a.b.txt", "d/a.b.partial.txt"),
        ] {
            let format = form_of_output(Path::new(named), Dialect::Exact).unwrap();
            let place = WantedPlace::Named(named.into(), format);
            let wanted = WantedOutput {
                place,
                dialect: Dialect::Exact,
                summary: None,
                page: None,
                overwrite: false,
            };
            assert_eq!(wanted.of(true).partial(false), Some(partial.into()));
        }
    }
}
