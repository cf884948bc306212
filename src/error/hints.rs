//! Advice for the user on each error of the input and of the ledger: the flags, commands and steps
//! that help.
//!
//! Must hold: each error has its own advice, chosen by its type and never by its text. Flags are
//! named here and not in the stages, which do not know the command line.

use std::io;

use crate::input::error::{PackedError, Problem, SheetError, Unsupported};
use crate::ledger::LedgerError;
use crate::rules::columns::ColumnError;

/// Returns advice on a problem of the input, if there is any.
pub(crate) fn of_input(problem: &Problem) -> Option<String> {
    let hint = match problem {
        Problem::Missing => "check the path; - reads standard input",
        Problem::NotAFile(_) => "name a file, or use - to read a stream from standard input",
        Problem::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "check the permissions"
        }
        Problem::Spool(..) => {
            "make room for it; `plan` keeps it in the folder that TMPDIR names, `run` beside its output"
        }
        Problem::Io(..) => return None,
        Problem::Empty => "was the export interrupted?",
        Problem::Unsupported(form) => of_unsupported(*form),
        Problem::Nul => {
            "save the file as \"CSV UTF-8\"; if it is UTF-16 text, say so: --encoding utf-16le"
        }
        Problem::Packed(PackedError::Damaged) => "get the file again, and unpack it",
        Problem::Packed(PackedError::Bomb) => {
            "if it is one all the same, unpack it first: gunzip FILE"
        }
        Problem::Sheet(error) => of_sheet(error),
        Problem::NoSheets => "leave --sheet out (also CEKNIK_SHEET, and sheet in ceknik.toml)",
        Problem::TooLong(_) | Problem::OpenQuote => {
            "look for a lone quotation mark (\") in this record and remove or double it"
        }
        Problem::TooWide(_) => "is the separator right? Give it with --delimiter",
        Problem::Columns(error) => {
            let flags = typed_flags(error);
            let part = if flags.is_empty() { "" } else { ": " };
            return Some(format!("{}{part}{flags}", of_columns(error)));
        }
        Problem::HeaderBelow(line) => {
            return Some(format!("remove the lines above line {line}"));
        }
        Problem::Changed => "start again, and leave the file alone meanwhile",
    };
    Some(hint.to_owned())
}

/// Returns advice on how to convert a file to a form that can be read.
const fn of_unsupported(form: Unsupported) -> &'static str {
    match form {
        Unsupported::Zip => "unpack it, and give the file that is in it",
        Unsupported::Xls => {
            "open it (with its password), and save it as an Excel workbook (.xlsx) without one, or as \"CSV UTF-8\""
        }
        Unsupported::Xlsb | Unsupported::Ods => {
            "save it as an Excel workbook (.xlsx) or as \"CSV UTF-8\""
        }
        Unsupported::Html => {
            "open it in a spreadsheet program, and save it as an Excel workbook (.xlsx)"
        }
        Unsupported::Pdf => "get the table as a CSV file or an Excel workbook",
        Unsupported::PackedTwice => "unpack it first: gunzip FILE",
    }
}

/// Returns advice on a workbook that cannot be read.
const fn of_sheet(error: &SheetError) -> &'static str {
    match error {
        SheetError::Damaged(_) | SheetError::NoWorksheet => {
            "open it in a spreadsheet program and save it again, as .xlsx or as \"CSV UTF-8\""
        }
        SheetError::TooLarge(_) => "save the sheet alone as \"CSV UTF-8\", and give that file",
        SheetError::Empty => "was the export interrupted?",
        SheetError::NoSuchSheet(..) | SheetError::Several { .. } => {
            "name the sheet: --sheet NAME, or its number from 1"
        }
    }
}

/// Returns advice on columns that could not be chosen, without the flags that
/// [`ColumnError::flags`] proposes.
pub(crate) fn of_columns(error: &ColumnError) -> &'static str {
    match error {
        ColumnError::NotFound { seen, .. } | ColumnError::Ambiguous { seen, .. }
            if seen.may_be_data() =>
        {
            "choose a column by its letter, its number or its header; if the first row is a customer's, add --no-header"
        }
        ColumnError::NotFound { .. }
        | ColumnError::NoSuchHeader { .. }
        | ColumnError::Ambiguous { .. } => {
            "choose a column by its letter, its number or its header"
        }
        ColumnError::NoSuchIndex { .. } => "is the separator right? Give it with --delimiter",
        ColumnError::NotNiks { .. } => "choose another column, or insist on this one",
        ColumnError::SameColumn { .. } => "give --id-column and --name-column different columns",
        ColumnError::FirstRowIsData { .. } => {
            "if the file has no headers, say so, and which columns to take"
        }
    }
}

/// Returns the flags that [`ColumnError::flags`] proposes, as a user types them.
pub(crate) fn typed_flags(error: &ColumnError) -> String {
    let typed = error.flags().into_iter().map(|(flag, value)| match value {
        Some(value) => format!("{flag} {value}"),
        None => flag.to_owned(),
    });
    typed.collect::<Vec<_>>().join(" ")
}

/// Returns advice on an error of the ledger.
pub(crate) const fn of_ledger(error: &LedgerError) -> &'static str {
    match error {
        LedgerError::Storage { is_damaged: true, .. } => {
            "bring the ledger back from its newest backup, with its .key and .witness; what that \
             does not hold may have been charged, and would be bought again: ceknik will say so"
        }
        LedgerError::NoFolder => "name a ledger with --ledger FILE",
        LedgerError::UnderWay { .. } => {
            "wait for it to end, or give --lock-wait 10m to wait here; a worker that was killed counts as \
             living for up to 15 seconds"
        }
        LedgerError::NothingToJoin(_) => {
            "begin the run on another machine, with the same flags and without --join; or wait longer: --lock-wait 10m"
        }
        LedgerError::Locked(..) => "wait for it to end, or give --lock-wait 10m to wait here",
        LedgerError::Origin { ledger, .. } if ledger.is_shared() => {
            "each vendor address has a ledger of its own: name another schema in the address"
        }
        LedgerError::Origin { .. } => {
            "each vendor address has a ledger of its own: leave --ledger out, or name another file"
        }
        LedgerError::Key { .. } => {
            "bring the key file back from a backup; without it the stored answers cannot be told \
             apart, and a new key would buy all of them again"
        }
        LedgerError::Version { ledger, .. } if ledger.is_shared() => {
            "an older ledger is upgraded by `ceknik ledger init` while no worker lives; a newer one \
             needs a newer ceknik"
        }
        LedgerError::Version { .. } => {
            "use the version of ceknik that wrote it, or name another file"
        }
        LedgerError::Lost { ledger, .. } if ledger.is_shared() => {
            "the database was set back, to a backup or to a standby that was behind: bring the newer state back. If \
             there is none: move the .witness and .late files beside the key away, and know that calls whose facts \
             are gone may have been charged, and are made again"
        }
        LedgerError::Lost { .. } => {
            "bring the ledger back from its newest backup, with its -wal, .key and .witness. If \
             there is none: move the .witness away (to begin anew, the ledger and its .key too), \
             and know that calls whose facts are gone may have been charged, and are made again"
        }
        LedgerError::Moved(_) => {
            "bring its folder back, with all files in it, before anything is run again: what it \
             holds would be bought a second time"
        }
        LedgerError::Missing(ledger) if ledger.is_shared() => {
            "make it once with `ceknik ledger init` and the same --ledger; `run` makes none, because a mistyped \
             database would buy everything again"
        }
        LedgerError::Unreachable { .. } => {
            "look at the address, the network and the server; nothing that was recorded is lost"
        }
        LedgerError::Refused { .. } => {
            "look at what the server says above; the password is CEKNIK_LEDGER_PASSWORD, a certificate authority of your \
             own --ledger-ca-cert; docs/fleet.md has the rights that a run needs"
        }
        LedgerError::Missing(_) => {
            "the first `ceknik run` makes it; name another with --ledger FILE"
        }
        LedgerError::File { .. } => {
            "look at the file and its folder: what it is, whose, and the free space"
        }
        LedgerError::Storage { .. } | LedgerError::WriterGone => {
            "look at the disk's free space and health; nothing that was recorded is lost"
        }
    }
}
