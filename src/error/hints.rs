//! Advice for the user on each error of the input and of the ledger: the flags, commands and steps
//! that help.
//!
//! Must hold: each error has its own advice, chosen by its type and never by its text. Flags are
//! named here and not in the stages, which do not know the command line.

use std::io;

use crate::input::error::{PackedError, Problem, SheetError, Unsupported};
use crate::ledger::LedgerError;
use crate::rules::columns::ColumnError;

/// Advice on an input without any row.
const EXPORT_AGAIN: &str = "The export may have been interrupted. Export the file again";
/// Advice on a text that may have been split into cells by a wrong separator.
const WRONG_SEPARATOR: &str = "The separator may be wrong. Give the right one with --delimiter";

/// Returns advice on a problem of the input, if there is any.
pub(crate) fn of_input(problem: &Problem) -> Option<String> {
    let hint = match problem {
        Problem::Missing => "Check the path. To read standard input, give - as the file",
        Problem::NotAFile(_) => "give a file, or give - to read a stream from standard input",
        Problem::Io(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "check the permissions of the file and of its folder"
        }
        Problem::Spool(..) => {
            "Make room on the disk. `plan` writes this file to the folder in TMPDIR, `run` to the folder of its output"
        }
        Problem::Io(..) => return None,
        Problem::Empty => EXPORT_AGAIN,
        Problem::Unsupported(form) => of_unsupported(*form),
        Problem::Nul => {
            "Save the file as \"CSV UTF-8\". If it is UTF-16 text, add --encoding utf-16le"
        }
        Problem::Packed(PackedError::Damaged) => "copy or download the file again",
        Problem::Packed(PackedError::Bomb) => {
            "if it is a customer file, unpack it first: gunzip FILE"
        }
        Problem::Sheet(error) => of_sheet(error),
        Problem::NoSheets => "leave --sheet out (also CEKNIK_SHEET, and sheet in ceknik.toml)",
        Problem::TooLong(_) | Problem::OpenQuote => {
            "look for a quotation mark (\") in this row that is not closed, and remove it or double it"
        }
        Problem::TooWide(_) => WRONG_SEPARATOR,
        Problem::Columns(error) => {
            let flags = typed_flags(error);
            let part = if flags.is_empty() { "" } else { ": " };
            return Some(format!("{}{part}{flags}", of_columns(error)));
        }
        Problem::HeaderBelow(line) => {
            return Some(format!("remove the lines above line {line}"));
        }
        Problem::Changed => "run the command again, and do not change the file while it runs",
    };
    Some(hint.to_owned())
}

/// Returns advice on how to convert a file to a form that can be read.
const fn of_unsupported(form: Unsupported) -> &'static str {
    match form {
        Unsupported::Zip => "unpack it, and give the file that is in it",
        Unsupported::Xls => {
            "open it in Excel (with its password), and save it as an Excel workbook (.xlsx) without a password, or as \"CSV UTF-8\""
        }
        Unsupported::Xlsb | Unsupported::Ods => {
            "save it as an Excel workbook (.xlsx) or as \"CSV UTF-8\""
        }
        Unsupported::Html => {
            "open it in a spreadsheet program, and save it as an Excel workbook (.xlsx)"
        }
        Unsupported::Pdf => "ask for the table as a CSV file or an Excel workbook",
        Unsupported::PackedTwice => "unpack it first: gunzip FILE",
    }
}

/// Returns advice on a workbook that cannot be read.
const fn of_sheet(error: &SheetError) -> &'static str {
    match error {
        SheetError::Damaged(_) | SheetError::NoWorksheet => {
            "open it in a spreadsheet program and save it again, as .xlsx or as \"CSV UTF-8\""
        }
        SheetError::TooLarge(_) => {
            "save only the sheet with the customers as \"CSV UTF-8\", and give that file"
        }
        SheetError::Empty => EXPORT_AGAIN,
        SheetError::NoSuchSheet(..) | SheetError::Several { .. } => {
            "name the sheet: --sheet NAME, or its number (the first visible sheet is 1)"
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
            "If the first row is a customer, add --no-header. Choose a column by its letter, its number or its header"
        }
        ColumnError::NotFound { .. }
        | ColumnError::NoSuchHeader { .. }
        | ColumnError::Ambiguous { .. } => {
            "choose a column by its letter, its number or its header"
        }
        ColumnError::NoSuchIndex { .. } => WRONG_SEPARATOR,
        ColumnError::NotNiks { .. } => "name the column that holds the NIKs, this one or another",
        ColumnError::SameColumn { .. } => "give --id-column and --name-column different columns",
        ColumnError::FirstRowIsData { .. } => {
            "if the file has no header row, add --no-header and name both columns"
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
            "Bring the ledger back from its newest backup, with its .key and .witness. Warning: calls \
             that are not in the backup may have been charged, and you may pay for them again"
        }
        LedgerError::NoFolder => "name a ledger with --ledger FILE",
        LedgerError::UnderWay { .. } => {
            "Wait until the other worker ends, or add --lock-wait 10m. A worker that was killed counts as \
             running for up to 15 seconds"
        }
        LedgerError::NothingToJoin(_) => {
            "Begin the run on another machine, with the same flags and without --join. To wait for it, add --lock-wait 10m"
        }
        LedgerError::Locked(..) => "wait until the other command ends, or add --lock-wait 10m",
        LedgerError::Origin { ledger, .. } if ledger.is_shared() => {
            "Each vendor address needs its own ledger. Name another schema in the address of the ledger"
        }
        LedgerError::Origin { .. } => {
            "Each vendor address needs its own ledger. Leave --ledger out, or name another file"
        }
        LedgerError::Key { .. } => {
            "Bring the key file back from a backup. Without it, ceknik cannot recognize the stored \
             answers. With a new key, you would pay for all of them again"
        }
        LedgerError::Version { ledger, .. } if ledger.is_shared() => {
            "Upgrade an older ledger with `ceknik ledger init` while no worker is running. A newer \
             ledger needs a newer ceknik"
        }
        LedgerError::Version { .. } => {
            "use the version of ceknik that wrote this ledger, or name another file with --ledger"
        }
        LedgerError::Lost { ledger, .. } if ledger.is_shared() => {
            "The database was set back, to a backup or to a standby that was behind. Bring the newer state back. If \
             there is none, move the .witness and .late files beside the key away to continue. Warning: the lost \
             calls may have been charged already, and you will pay for them again"
        }
        LedgerError::Lost { .. } => {
            "Bring the ledger back from its newest backup, with its -wal, .key and .witness. If you have \
             no backup, move the .witness away to continue (for a new ledger, the ledger and its .key too). \
             Warning: the lost calls may have been charged already, and you will pay for them again"
        }
        LedgerError::Moved(_) => {
            "Bring the folder back, with all files in it, before you run anything again. Otherwise you \
             pay a second time for the answers in it"
        }
        LedgerError::Missing(ledger) if ledger.is_shared() => {
            "Make the ledger once with `ceknik ledger init` and the same --ledger. `run` does not make it: with a \
             mistyped database you would pay for everything again"
        }
        LedgerError::Unreachable { .. } => {
            "Check the address, the network and the server. Nothing that was recorded is lost"
        }
        LedgerError::Refused { .. } => {
            "Read the message of the server above. Set the password in CEKNIK_LEDGER_PASSWORD. Name your own certificate \
             authority with --ledger-ca-cert. docs/fleet.md lists the rights that a run needs"
        }
        LedgerError::Missing(_) => {
            "The first `ceknik run` makes the ledger. For the ledger of the sandbox, add --sandbox. For another one, add \
             --ledger FILE"
        }
        LedgerError::File { .. } => {
            "check the file and its folder: the kind of the file, its owner, and the free space"
        }
        LedgerError::Storage { .. } | LedgerError::WriterGone => {
            "Check the free space and the health of the disk. Nothing that was recorded is lost"
        }
    }
}
