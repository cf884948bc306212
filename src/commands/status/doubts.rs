//! `ceknik status --doubts`: the calls whose charge is not known, as a file from which a person asks
//! the vendor.
//!
//! Must hold: each call that is counted as possible is in the list, or is told to be of another file.
//! NIK and name come from the user's own file, and go nowhere but to the list.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::DoubtsArgs;
use crate::commands::stages::{ReadAsNoted, read_as_noted, source_of};
use crate::config::{InputFrom, Written, form_of_output};
use crate::error::Error;
use crate::fs::AtomicFile;
use crate::fs::paths::folder_of;
use crate::input::ReadOptions;
use crate::ledger::{self, LedgerError, Location, PossibleCharge, Preview, RunQuery};
use crate::model::attempt::PairKey;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_path;
use crate::model::texts::{Text, Texts};
use crate::model::zone::Zone;
use crate::output::{Dialect, Format, Table, TableColumn, count, in_words};
use crate::passes::{FoundSubject, Input, PassError, subjects_of};
use crate::rules::echo::{is_concealed, reveal_all};
use crate::term::Screen;

/// Columns of the list.
const COLUMNS: [TableColumn; 11] = [
    column("no", "No.", 6.0),
    column("run", "Run", 6.0),
    column("row", "Row in the file", 10.0),
    TableColumn { is_id: true, ..column("nik", "NIK", 19.0) },
    column("name", "Name", 28.0),
    column("sent_at", "Sent at", 27.0),
    column("what", "What happened", 60.0),
    column("http", "HTTP", 7.0),
    column("order_no", "Order number", 28.0),
    column("request_id", "Request id", 38.0),
    column("handle_time", "Time at the vendor", 20.0),
];

const fn column(name: &'static str, title: &'static str, width: f64) -> TableColumn {
    TableColumn { name, title, width, is_id: false }
}

/// Writes the list. Returns the exit code.
///
/// # Errors
/// Exit code 10: the input cannot be used. Exit code 11: there is no ledger, or the list cannot be
/// put in its place. Exit code 18: the ledger cannot be read, or the list cannot be written.
pub(super) fn write(
    args: &DoubtsArgs,
    location: &Location,
    zone: &Zone,
) -> Result<ExitCode, Error> {
    let destination = Destination::of(args, location)?;
    let preview = ledger::preview(location)?;
    let possible = preview.read(|facts| {
        let mut possible = Vec::new();
        facts.visit_possible(&mut |charge| possible.push(charge))?;
        Ok::<_, LedgerError>((possible, facts.unsettled()?))
    })?;
    let (possible, unsettled) = possible.ok_or_else(|| LedgerError::Missing(location.name()))?;
    let wanted: HashSet<PairKey> = possible.iter().map(|charge| charge.pair).collect();
    let subjects = match &args.input {
        Some(path) => Some(find_subjects(path, &preview, &wanted, &destination.folder())?),
        None => None,
    };
    let all = possible.len();
    let rows = rows_of(possible, subjects.as_ref(), zone);
    let (listed, others) = (rows.len() as u64, (all - rows.len()) as u64);
    let table = Table { sheet: "Ask the vendor", columns: &COLUMNS, rows };
    destination.write(&table).map_err(PassError::from)?;
    let screen = Screen::default();
    if let Destination::File(path, _) = &destination {
        screen.note(&format!("{} written to {}", count(listed, "call"), mask_path(path)));
    }
    if others > 0 {
        let others = count(others, "more call");
        screen.note(&format!("{others} with an unknown charge: the rows are not in this file"));
    }
    if unsettled > 0 {
        let calls = count(unsettled, "call");
        screen.note(&format!(
            "{calls} without an answer: under way, or in doubt when the file is run again; not in the list yet"
        ));
    }
    if args.input.is_none() && listed > 0 {
        screen.note("the list has no NIKs and no names: to add them, give the customer file with --input FILE");
    }
    Ok(ExitCode::Complete)
}

/// Place and form of the list.
enum Destination {
    Stdout(Format),
    File(PathBuf, Format),
}

impl Destination {
    /// Returns the place that the user names.
    ///
    /// # Errors
    /// Exit code 2: the list would overwrite the input. Exit code 11: the name has no ending of a
    /// form, or a file is there already.
    fn of(args: &DoubtsArgs, location: &Location) -> Result<Self, Error> {
        let dialect = if args.excel { Dialect::Spreadsheet } else { Dialect::Exact };
        let path = match &args.output {
            Some(path) if path.to_str() != Some("-") => path,
            _ => return Ok(Self::Stdout(Format::csv(dialect))),
        };
        let format = form_of_output(path, dialect)?;
        let input = args.input.clone().map(|input| ("input", input));
        Written::List.check_no_overwrite(path, input.into_iter().chain(location.files()))?;
        Written::List.check_place(path, args.overwrite, false)?;
        Ok(Self::File(path.clone(), format))
    }

    /// Returns the folder in which rows of a workbook are put aside.
    fn folder(&self) -> PathBuf {
        match self {
            Self::Stdout(_) => std::env::temp_dir(),
            Self::File(path, _) => folder_of(path).to_owned(),
        }
    }

    fn write(&self, table: &Table<'_>) -> io::Result<()> {
        match self {
            Self::Stdout(format) => table.write(io::stdout(), *format).map(drop),
            Self::File(path, format) => table.write(AtomicFile::beside(path)?, *format)?.put(path),
        }
    }
}

/// Finds the rows of these pairs in the customer file. The file is read as the latest run of it has
/// read it, if one has noted that.
fn find_subjects(
    path: &Path,
    preview: &impl Preview,
    wanted: &HashSet<PairKey>,
    folder: &Path,
) -> Result<HashMap<PairKey, FoundSubject>, Error> {
    let from = InputFrom::named(path);
    let source = source_of(&from, folder)?.with_sha256()?;
    let query = RunQuery::Input(source.sha256());
    let record = preview.read(|facts| facts.find_record(&query))?.flatten();
    let ReadAsNoted { source, layout, reading, .. } =
        read_as_noted(source, record.as_ref(), &ReadOptions::default(), folder)?;
    let input = Input::new(source, layout, reading, preview.hasher());
    Ok(subjects_of(&input, wanted, &|| false)?)
}

/// Makes the rows of the list. With a customer file, only the calls of its pairs are listed.
fn rows_of(
    possible: Vec<PossibleCharge>,
    subjects: Option<&HashMap<PairKey, FoundSubject>>,
    zone: &Zone,
) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for charge in possible {
        let found = subjects.map(|subjects| subjects.get(&charge.pair));
        let subject = match found {
            Some(None) => continue,
            Some(Some(subject)) => Some(subject),
            None => None,
        };
        let no = rows.len() + 1;
        rows.push(row_of(no, charge, subject, zone));
    }
    rows
}

fn row_of(
    no: usize,
    charge: PossibleCharge,
    found: Option<&FoundSubject>,
    zone: &Zone,
) -> Vec<String> {
    let PossibleCharge { run, record, sent_at, class, http, mut texts, .. } = charge;
    if let Some(FoundSubject { subject, .. }) = found
        && is_concealed(&texts)
    {
        reveal_all(&mut texts, subject);
    }
    let text = |texts: &Texts, text| texts.get(text).unwrap_or_default().to_owned();
    vec![
        no.to_string(),
        run.0.to_string(),
        // Without the file only the number of the customer is known, which counts from below the header.
        found.map_or_else(|| format!("customer {record}"), |found| found.row.to_string()),
        found.map(|found| found.subject.nik.as_str().to_owned()).unwrap_or_default(),
        found.map(|found| found.subject.name.as_str().to_owned()).unwrap_or_default(),
        zone.show(sent_at, "%F %T %:z"),
        format!("{} ({})", in_words(class), class.name()),
        http.map(|http| http.to_string()).unwrap_or_default(),
        text(&texts, Text::OrderNo),
        text(&texts, Text::RequestId),
        text(&texts, Text::HandleTime),
    ]
}
