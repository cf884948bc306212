//! The places of the files that are written.
//!
//! Must hold: a file that this program did not write is replaced only if the user says so.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::fs::AtomicFile;
use crate::fs::paths::same_file;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_path;
use crate::output::{may_replace_output, may_replace_page, may_replace_summary};

/// Kind of a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The results.
    Output,
    /// The results of a run that is not finished.
    PartialOutput,
    /// The summary.
    Summary,
    /// The page of `--report`.
    Page,
    /// The list of `status --doubts`.
    List,
}

impl Written {
    /// Returns the name for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::PartialOutput => "partial output",
            Self::Summary => "summary",
            Self::Page => "report",
            Self::List => "list",
        }
    }

    const fn hint(self, is_run: bool) -> &'static str {
        match self {
            Self::Summary => "name another file with --summary FILE",
            Self::Page if is_run => "name another file with --report FILE",
            Self::Page | Self::Output | Self::PartialOutput | Self::List => {
                "name another file with -o FILE"
            }
        }
    }

    /// Checks whether a file of this kind may be put in this place without a question.
    fn may_replace(self, path: &Path) -> bool {
        match self {
            Self::Output | Self::PartialOutput => may_replace_output(path),
            Self::Summary => may_replace_summary(path),
            Self::Page => may_replace_page(path),
            Self::List => !path.exists(),
        }
    }

    /// Checks that a file of this kind is none of these files, each with its name for messages.
    ///
    /// # Errors
    /// Exit code 2: it would overwrite one of them.
    pub fn check_no_overwrite(
        self,
        path: &Path,
        others: impl IntoIterator<Item = (&'static str, PathBuf)>,
    ) -> Result<(), Error> {
        let found = others.into_iter().find(|(_, other)| same_file(path, other));
        let Some((other, _)) = found else { return Ok(()) };
        let what = format!("the {} {} would overwrite the {other}", self.name(), mask_path(path));
        Err(Error::new(ExitCode::Usage, what, self.hint(false)))
    }

    /// Checks that a file of this kind can be put in this place. `overwrite` is true if any file may
    /// be replaced, and `is_run` for the files of `ceknik run`.
    ///
    /// # Errors
    /// Exit code 11: the place is a folder or not a regular file, cannot be written to, is being
    /// written by another process, or has a file that may not be replaced.
    pub fn check_place(self, path: &Path, overwrite: bool, is_run: bool) -> Result<(), Error> {
        let (name, hint) = (self.name(), self.hint(is_run));
        let refuse =
            |what: &str| Err(Error::config(format!("the {name} {} {what}", mask_path(path)), hint));
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return refuse("is a folder");
        }
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return refuse("is not a regular file");
        }
        if let Err(error) = AtomicFile::check(path) {
            return Err(Error::config(format!("the {name} cannot be written: {error}"), hint));
        }
        if !overwrite && !self.may_replace(path) {
            let what = match self {
                // It may be an earlier list, to which somebody has added the vendor's answers.
                Self::List => "exists already",
                _ => "exists already, and ceknik did not write it",
            };
            let hint = format!("{hint}, or replace this one with --overwrite");
            return Err(Error::config(format!("the {name} {} {what}", mask_path(path)), hint));
        }
        Ok(())
    }
}
