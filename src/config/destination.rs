//! Where results, partial results and the summary go.
//!
//! Must hold: the input is never overwritten, a partial result never lands on a finished one,
//! and answers of the stand-in vendor never land under a live output's default name.

use std::fs;
use std::path::{Path, PathBuf};

use super::InputFrom;
use super::values::{usage, wrong};
use crate::cli::RunArgs;
use crate::error::{Error, exit};
use crate::input::Layout;
use crate::model::subject::mask_path;
use crate::output::{AtomicFile, Dialect, Format, stem};
use crate::paths::{beside, folder_of, same_file};

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    results: Results,
    format: Format,
    summary: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Results {
    Stdout,
    /// Named by the user.
    Named(PathBuf),
    /// Not named: beside the input, under a name that tells live answers from others.
    Beside {
        live: PathBuf,
        sandbox: PathBuf,
        is_sandbox: bool,
    },
}

impl Destination {
    /// What the flags mean.
    ///
    /// # Errors
    /// Standard input without an output; a form that is not written.
    pub(super) fn new(args: &RunArgs, input: &InputFrom) -> Result<Self, Error> {
        let results = match (&args.output, input) {
            (Some(path), _) if path.to_str() == Some("-") => Results::Stdout,
            (Some(path), _) => Results::Named(path.clone()),
            (None, InputFrom::Stdin) => {
                return Err(usage("standard input needs an output: -o FILE, or -o -".to_owned()));
            }
            (None, InputFrom::File(path)) => {
                let stem = stem(path);
                Results::Beside {
                    live: path.with_file_name(format!("{stem}.verified.csv")),
                    sandbox: path.with_file_name(format!("{stem}.sandbox.csv")),
                    is_sandbox: args.vendor.sandbox,
                }
            }
        };
        let format = format(&results, args.excel)?;
        if args.summary.as_deref() == Some(Path::new("-")) {
            return Err(wrong("--summary", "`-` is no file: name one"));
        }
        Ok(Self { results, format, summary: args.summary.clone() })
    }

    /// In which form the results are written.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The folder that the results go to; `None` where that is standard output.
    pub fn folder(&self) -> Option<PathBuf> {
        self.finished(false).map(|path| folder_of(path).to_owned())
    }

    /// The finished output; `None` is standard output. Answers of the stand-in are never put
    /// under a live default name, whatever address they came from.
    pub fn finished(&self, from_sandbox: bool) -> Option<&Path> {
        match &self.results {
            Results::Stdout => None,
            Results::Named(path) => Some(path),
            Results::Beside { live, sandbox, is_sandbox } => {
                Some(if from_sandbox || *is_sandbox { sandbox } else { live })
            }
        }
    }

    /// The output of a run that stopped early.
    pub fn partial(&self, from_sandbox: bool) -> Option<PathBuf> {
        self.finished(from_sandbox).map(|path| {
            path.with_file_name(format!("{}.partial.{}", stem(path), self.format.ending()))
        })
    }

    /// The summary's path; `None` where results go to standard output and no summary is named.
    pub fn summary(&self, from_sandbox: bool) -> Option<PathBuf> {
        let unnamed = || Some(beside(self.finished(from_sandbox)?, ".summary.json"));
        self.summary.clone().or_else(unnamed)
    }

    /// Refuses to write over a file that is read: each of `read` comes with what it is. The partial
    /// output counts too, since it is replaced and removed without a question.
    ///
    /// # Errors
    /// Exit code 2 for a clash.
    pub fn check_apart(&self, read: &[(&str, PathBuf)]) -> Result<(), Error> {
        let written = self.written();
        for (role, path) in &written {
            if let Some((what, _)) = read.iter().find(|(_, other)| same_file(path, other)) {
                let path = mask_path(path);
                return Err(clash(format!("the {role} {path} would overwrite the {what}")));
            }
        }
        let (summaries, results): (Vec<_>, Vec<_>) =
            written.iter().partition(|(role, _)| *role == SUMMARY);
        for (_, summary) in summaries {
            if let Some((role, _)) = results.iter().find(|(_, path)| same_file(path, summary)) {
                let path = mask_path(summary);
                return Err(clash(format!("the summary {path} would overwrite the {role}")));
            }
        }
        Ok(())
    }

    /// Finds out before the first call whether a file's columns fit into the output.
    ///
    /// # Errors
    /// Exit code 2: they do not.
    pub fn check_fits(&self, layout: &Layout) -> Result<(), Error> {
        match self.format.columns_too_many(layout) {
            0 => Ok(()),
            surplus => Err(Error::new(
                exit::USAGE,
                format!(
                    "a sheet has {} columns at most; the input's and ours are {surplus} too many",
                    Format::MOST_COLUMNS
                ),
                "write a CSV: -o FILE.csv",
            )),
        }
    }

    /// Finds out before the first call whether the output and the summary can be put in their places at the end, also
    /// beside runs on other ledgers.
    ///
    /// # Errors
    /// Exit code 11 for a place that cannot be written to.
    pub fn check_writable(&self) -> Result<(), Error> {
        for (role, path) in self.written() {
            let hint = if role == SUMMARY {
                "name another with --summary FILE"
            } else {
                "name another with -o FILE"
            };
            let refuse = |what: &str| {
                Err(Error::config(format!("the {role} {} {what}", mask_path(&path)), hint))
            };
            if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
                return refuse("is a folder");
            }
            if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
                return refuse("is not a regular file");
            }
            if let Err(error) = AtomicFile::check(&path) {
                return Err(Error::config(format!("the {role} cannot be written: {error}"), hint));
            }
        }
        Ok(())
    }

    /// Every path that a run may write to, with what it is.
    fn written(&self) -> Vec<(&'static str, PathBuf)> {
        let of = |sandbox| {
            [
                ("output", self.finished(sandbox).map(Path::to_owned)),
                ("partial output", self.partial(sandbox)),
                (SUMMARY, self.summary(sandbox)),
            ]
        };
        let all = [of(false), of(true)].into_iter().flatten();
        all.filter_map(|(role, path)| path.map(|path| (role, path))).collect()
    }
}

const SUMMARY: &str = "summary";

fn clash(what: String) -> Error {
    Error::new(exit::USAGE, what, "name another with -o FILE or --summary FILE")
}

/// The form that the results' name and the flag ask for.
fn format(results: &Results, excel: bool) -> Result<Format, Error> {
    let dialect = if excel { Dialect::Spreadsheet } else { Dialect::Exact };
    let path = match results {
        Results::Named(path) | Results::Beside { live: path, .. } => path,
        Results::Stdout => return Ok(Format::Csv { dialect, packed: false }),
    };
    Format::of(path, dialect).map_err(|ending| {
        Error::new(
            exit::USAGE,
            format!("the output {}: .{ending} cannot be written", mask_path(path)),
            "name it .xlsx for a workbook, or .csv (with --excel for a spreadsheet) or .csv.gz",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_the_input() {
        let format = Format::Csv { dialect: Dialect::Exact, packed: false };
        let results = |is_sandbox| Results::Beside {
            live: "d/a.verified.csv".into(),
            sandbox: "d/a.sandbox.csv".into(),
            is_sandbox,
        };
        for (is_sandbox, from_sandbox, finished, partial) in [
            (false, false, "d/a.verified.csv", "d/a.verified.partial.csv"),
            (false, true, "d/a.sandbox.csv", "d/a.sandbox.partial.csv"),
            (true, false, "d/a.sandbox.csv", "d/a.sandbox.partial.csv"),
        ] {
            let destination = Destination { results: results(is_sandbox), format, summary: None };
            assert_eq!(destination.finished(from_sandbox), Some(Path::new(finished)));
            assert_eq!(destination.partial(from_sandbox), Some(partial.into()));
            let summary = format!("{finished}.summary.json");
            assert_eq!(destination.summary(from_sandbox), Some(summary.into()));
        }
        let stdout = Destination { results: Results::Stdout, format, summary: None };
        assert_eq!((stdout.finished(true), stdout.summary(true)), (None, None));
    }
}
