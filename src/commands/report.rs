//! `ceknik report`: makes a page about a run, or about all runs since a time, from the ledger.
//!
//! Must hold: a page is a pure function of the facts of the ledger, of the flags and, with `--input`,
//! of the file. So the page that `run --report` writes is the one that this command makes.
//!
//! Never: takes the lock, or calls the vendor.

mod gather;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use self::gather::{PageOptions, gather, gather_history, record_of};
use super::stages::{ReadAsNoted, read_as_noted, source_of};
use crate::cli::{ReportArgs, Since};
use crate::clock;
use crate::config::{InputFrom, Origins, Written, price_of_flags, which_ledger, zone};
use crate::error::Error;
use crate::fs::AtomicFile;
use crate::fs::paths::folder_of;
use crate::input::ReadOptions;
use crate::ledger::{self, Facts, Location, Preview, RunId, RunRecord, ShowLedger};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::finding::Finding;
use crate::model::mask::mask_path;
use crate::model::zone::Zone;
use crate::output::page::{PageError, page_of_history, page_of_run};
use crate::passes::{Input, survey};
use crate::rules::pair_key::SANDBOX;
use crate::signals::Interrupts;
use crate::term::Screen;

/// Time between two looks for a signal while a page is made.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Makes a page. Returns the exit code.
///
/// # Errors
/// Exit code 2: a flag cannot be used. Exit code 10: the ledger has no such run, or the input is not
/// its file. Exit code 11: there is no ledger, or the page has no place. Exit code 18: the ledger
/// cannot be read, or the page cannot be written.
pub fn report(args: &ReportArgs, origins: &Origins) -> Result<ExitCode, Error> {
    let location = which_ledger(&args.which, args.key.key_file.clone(), origins)?;
    let price = price_of_flags(args.price.as_deref(), &args.currency)?;
    let (zone, day_starts) = (zone(&args.zone)?, args.day_starts.minutes());
    let mut ledger = ledger::open_to_show(&location)?;
    ledger.read_one_moment()?;
    // A page of the sandbox never takes the default name of a live page.
    let sandbox = if ledger.origin()? == SANDBOX { "sandbox-" } else { "" };
    let page = match args.since {
        Some(since) => {
            let place = place_of(args, &location, &format!("ceknik-{sandbox}history.html"))?;
            let since = time_of(since, &zone)?;
            let options = PageOptions { zone, day_starts, price, findings: None };
            let facts = gather_history(&mut ledger, since, options)?;
            (page_of_history(&facts).map_err(internal)?, place, "history".to_owned())
        }
        None => {
            let record = record_of(&ledger, args.run.map(RunId))?;
            let name = format!("run {}", record.id.0);
            let place =
                place_of(args, &location, &format!("ceknik-{sandbox}run-{}.html", record.id.0))?;
            let findings = match &args.input {
                Some(input) => Some(findings_of(input, &location, &record)?),
                None => None,
            };
            let options = PageOptions { zone, day_starts, price, findings };
            (page(&mut ledger, &record, options)?, place, name)
        }
    };
    let (page, place, name) = page;
    match &place {
        Some(place) => {
            write_page(&page, place)?;
            Screen::default().note(&format!("report     {name}: {}", mask_path(place)));
        }
        None => drop(super::print(page.as_bytes())?),
    }
    // What is left of a damaged ledger is shown, and the error follows.
    ledger.check_nothing_lost()?;
    Ok(ExitCode::Complete)
}

/// Returns the place of the page; `None` for standard output.
fn place_of(
    args: &ReportArgs,
    location: &Location,
    default: &str,
) -> Result<Option<PathBuf>, Error> {
    let place = args.output.clone().unwrap_or_else(|| default.into());
    if place.to_str() == Some("-") {
        return Ok(None);
    }
    check_place(&place, args, location)?;
    Ok(Some(place))
}

/// Returns the time since which runs are shown.
fn time_of(since: Since, zone: &Zone) -> Result<WallMs, Error> {
    let day = match since {
        // Days are whole, so that the page is the same all day.
        Since::Span(span) => zone.day_of(clock::now().before(span)),
        Since::Day(day) => day,
    };
    let begin = day.to_zoned(zone.time_zone().clone()).map_err(|_| {
        Error::new(ExitCode::Usage, "--since: this day does not exist", "give another day")
    })?;
    Ok(WallMs(begin.timestamp().as_millisecond()))
}

fn internal(error: PageError) -> Error {
    Error::plain(ExitCode::Internal, error.to_string())
}

/// The page about a run that a start of `ceknik run` has just ended.
pub(super) struct PageOfRun {
    pub(super) location: Location,
    pub(super) run: RunId,
    pub(super) zone: Zone,
    pub(super) day_starts: u16,
    pub(super) findings: Vec<Finding>,
    pub(super) place: PathBuf,
}

impl PageOfRun {
    /// Writes the page, unless a signal comes meanwhile: a large ledger takes its time.
    ///
    /// # Errors
    /// Exit code 18: the ledger cannot be read, or the page was not written.
    pub(super) fn write(self, interrupts: &Interrupts) -> Result<(), Error> {
        let heard = interrupts.count();
        let (tell, told) = mpsc::channel();
        // The process ends without this thread, if nobody waits for it any more.
        let making = thread::Builder::new().name("report".to_owned());
        making
            .spawn(move || tell.send(self.make()))
            .map_err(|error| not_written(&error.to_string()))?;
        loop {
            match told.recv_timeout(LOOK_EVERY) {
                Ok(made) => return made,
                Err(RecvTimeoutError::Timeout) if interrupts.count() == heard => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Error::plain(
                        ExitCode::Storage,
                        "a signal came, so ceknik did not wait for the report",
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(not_written("its thread ended")),
            }
        }
    }

    fn make(self) -> Result<(), Error> {
        let Self { location, run, zone, day_starts, findings, place } = self;
        let mut ledger = ledger::open_to_show(&location)?;
        ledger.read_one_moment()?;
        let record = record_of(&ledger, Some(run))?;
        let options = PageOptions { zone, day_starts, price: None, findings: Some(findings) };
        write_page(&page(&mut ledger, &record, options)?, &place)?;
        Ok(ledger.check_nothing_lost()?)
    }
}

fn not_written(why: &str) -> Error {
    Error::plain(ExitCode::Storage, format!("the report was not written: {why}"))
}

fn page(
    ledger: &mut (impl ShowLedger + Facts),
    record: &RunRecord,
    options: PageOptions,
) -> Result<String, Error> {
    let facts = gather(ledger, record, options)?;
    page_of_run(&facts).map_err(internal)
}

fn check_place(place: &Path, args: &ReportArgs, location: &Location) -> Result<(), Error> {
    let input = args.input.clone().map(|input| ("input", input));
    Written::Page.check_no_overwrite(place, input.into_iter().chain(location.files()))?;
    Written::Page.check_place(place, args.overwrite, false)
}

fn write_page(page: &str, place: &Path) -> Result<(), Error> {
    let write = || {
        let mut file = AtomicFile::beside(place)?;
        file.write_all(page.as_bytes())?;
        file.put(place)
    };
    write().map_err(|error: io::Error| {
        let what = format!("the report {} cannot be written: {error}", mask_path(place));
        Error::plain(ExitCode::Storage, what)
    })
}

/// Surveys the customer file of a run again, as the run read it, and returns its findings.
///
/// # Errors
/// Exit code 10: the file has other bytes than that of the run, or the run has not recorded them.
fn findings_of(
    path: &Path,
    location: &Location,
    record: &RunRecord,
) -> Result<Vec<Finding>, Error> {
    let from = InputFrom::named(path);
    let folder = folder_of(path).to_owned();
    let source = source_of(&from, &folder)?.with_sha256()?;
    let is_of_run = record.notes().is_some_and(|notes| notes.input_sha256 == source.sha256());
    if !is_of_run {
        let what = format!("{} is not the file of run {}", mask_path(path), record.id.0);
        let hint = "give the file as it was when the run read it; without --input the report shows no cell values";
        return Err(Error::new(ExitCode::Input, what, hint));
    }
    let ReadAsNoted { source, layout, reading, .. } =
        read_as_noted(source, Some(record), &ReadOptions::default(), &folder)?;
    let input = Input::new(source, layout, reading, ledger::preview(location)?.hasher());
    Ok(survey(&input, &|| false)?.findings)
}
