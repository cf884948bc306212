//! The stages that `run` and `plan` share, so that `run` sends exactly the calls that `plan` shows.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::command_line::{Change, command_with};
use crate::clock;
use crate::config::{EngineConfig, InputFrom, JobConfig, Reuse};
use crate::error::{Error, hints};
use crate::input::error::SheetError;
use crate::input::form::Form;
use crate::input::{self, Layout, Problem, Source};
use crate::ledger::{Facts, FoundRun, Identity, RunRecord, StartNotes, StartRequest, StartRole};
use crate::model::attempt::{PairKey, WallMs};
use crate::model::exit_code::ExitCode;
use crate::model::finding::Finding;
use crate::model::funnel::Funnel;
use crate::model::hex::hex;
use crate::model::settings::Settings;
use crate::model::stop::StopReason;
use crate::passes::{FactsOf, Input, Known, PassError, Survey, fold_known, survey};
use crate::rules::estimate::{Basis, Charges, Fit, History, Share};
use crate::rules::forecast::{Forecast, Pace};
use crate::rules::pair_key::{PairHasher, truncate};
use crate::rules::pair_table::PairTable;
use crate::rules::rate::Learned;
use crate::rules::retry::RetryPolicy;
use crate::rules::reuse::ReusePolicy;

/// Opens the input. Standard input and the rows of a workbook are kept in an unnamed file in
/// `folder`, because they are read several times. If the user must choose a sheet, the error ends
/// in a command to paste.
pub(super) fn open_source(
    from: &InputFrom,
    reading: &input::ReadOptions,
    folder: &Path,
) -> Result<Source, Error> {
    read_sheet(source_of(from, folder)?, reading, folder)
}

/// Opens the input as [`open_source`] does, with the SHA-256 of its bytes.
pub(super) fn open_source_hashed(
    from: &InputFrom,
    reading: &input::ReadOptions,
    folder: &Path,
) -> Result<Source, Error> {
    read_sheet(source_of(from, folder)?.with_sha256()?, reading, folder)
}

/// Opens the input as it is.
pub(super) fn source_of(from: &InputFrom, folder: &Path) -> Result<Source, Error> {
    Ok(match from {
        InputFrom::File(path) => Source::file(path)?,
        InputFrom::Stdin => Source::stdin(folder)?,
    })
}

/// A customer file that is read as a run has noted.
pub(super) struct ReadAsNoted {
    pub(super) source: Source,
    pub(super) layout: Layout,
    pub(super) reading: input::ReadOptions,
    /// Settings of the run; `None` if it has noted none.
    pub(super) settings: Option<Settings>,
}

/// Reads a customer file as this run has noted. Without notes, the file is read with `otherwise`.
pub(super) fn read_as_noted(
    source: Source,
    record: Option<&RunRecord>,
    otherwise: &input::ReadOptions,
    folder: &Path,
) -> Result<ReadAsNoted, Error> {
    let notes = record.and_then(RunRecord::notes);
    let settings = notes.and_then(|notes| Settings::from_json(&notes.settings));
    let noted = settings.as_ref();
    let noted = noted.map(|settings| input::ReadOptions::as_noted(&settings.reading));
    let reading = noted.unwrap_or_else(|| otherwise.clone());
    let source = read_sheet(source, &reading, folder)?;
    let layout = find_layout(&source, &reading)?;
    Ok(ReadAsNoted { source, layout, reading, settings })
}

/// Replaces a workbook by the text of its sheet.
fn read_sheet(
    source: Source,
    reading: &input::ReadOptions,
    folder: &Path,
) -> Result<Source, Error> {
    source.workbook_to_text(reading.sheet_options(), folder).map_err(|error| {
        match error.problem() {
            Problem::Sheet(SheetError::Several { first, .. }) => {
                let command = command_with(&[Change::Set("--sheet", Some(first.to_string()))]);
                let hint =
                    format!("name one of these sheets by its number or its name:\n    {command}");
                Error { hint: Some(hint), ..error.into() }
            }
            _ => error.into(),
        }
    })
}

/// Finds the layout of the input. If the user must choose a column, the error ends in a command to
/// paste.
pub(super) fn find_layout(source: &Source, reading: &input::ReadOptions) -> Result<Layout, Error> {
    input::inspect(source, reading).map_err(|error| {
        let question = match error.problem() {
            Problem::Columns(question) if !question.flags().is_empty() => question,
            _ => return error.into(),
        };
        let (hint, command) =
            (hints::of_columns(question), command_with(&Change::set(question.flags())));
        Error { hint: Some(format!("{hint}:\n    {command}")), ..error.into() }
    })
}

/// Makes the opening, by which the ledger finds the run or begins a new one. `once` is the name
/// under which a finished run is not begun anew. `account` is the id of the account, or empty for a
/// plan.
pub(crate) fn opening(
    input: &Input,
    surveyed: &Survey,
    reuse: &Reuse,
    once: Option<&str>,
    account: &str,
    at: WallMs,
) -> StartRequest {
    let path = input.source.path().map(|path| path.canonicalize().unwrap_or_else(|_| path.into()));
    let path = path.unwrap_or_else(|| PathBuf::from("-"));
    // Another sheet of a workbook is another table, and not a changed version of this one.
    let sheet = match &input.layout.form {
        Form::Sheet(name) => format!("\0{name}"),
        Form::Text { .. } => String::new(),
    };
    let keyed = |what: &[u8], text: &[u8]| keyed(&input.hasher, what, text);
    let identity = Identity { fingerprint: surveyed.fingerprint, columns: reading(input) };
    StartRequest {
        identity: match once {
            // Only a hash of the name is kept.
            Some(name) => identity.named(&hex(&keyed(b"once", name.as_bytes()))),
            None => identity,
        },
        path: keyed(b"path", &[path.as_os_str().as_encoded_bytes(), sheet.as_bytes()].concat()),
        label: surveyed.label_names.mask(&input.source.name()).into_owned(),
        account: account_key(&input.hasher, account),
        rows: surveyed.counts.rows,
        at,
        reuse: reuse.answers,
        reask_after: reuse.reask_after,
        role: once.map_or(StartRole::Begins, |_| StartRole::BeginsOnce),
        is_limited: false,
        rules: String::new(),
        notes: StartNotes::default(),
    }
}

/// Returns the keyed hash of the id of an account.
pub(crate) fn account_key(hasher: &PairHasher, account: &str) -> [u8; 16] {
    keyed(hasher, b"account", account.as_bytes())
}

/// Returns everything that decides which pairs are in the bytes of a file: the chosen columns, and
/// the way in which the bytes are read.
fn reading(input: &Input) -> String {
    let Input { layout, options, hasher, .. } = input;
    let form = match &layout.form {
        // The name of a sheet may be that of a customer, so only its hash is kept.
        Form::Sheet(name) => {
            let key = keyed(hasher, b"sheet", name.as_bytes());
            format!("sheet={}", hex(&key))
        }
        Form::Text { encoding, .. } => format!("encoding={encoding}"),
    };
    // A setting that was added in a later version is included only if it is used, so that the open
    // runs of earlier versions can be continued.
    let visible = if options.visible_rows { " visible_rows=true" } else { "" };
    format!(
        "id={} name={} delimiter={} header={} {form} truncated={} odd_dates={}{visible}",
        layout.id.index,
        layout.name.index,
        layout.delimiter,
        layout.header.is_some(),
        options.nik.send_truncated,
        options.nik.send_odd_dates
    )
}

/// Returns a keyed hash. Without the key, nobody can find the text by hashing guesses. `what` is
/// the kind of the text: equal texts of different kinds have different hashes.
fn keyed(hasher: &PairHasher, what: &[u8], text: &[u8]) -> [u8; 16] {
    truncate(&hasher.stream().update(what).update(b"\0").update(text).finalize())
}

/// Rules for the use of known facts by a start, and the time of the start.
#[derive(Clone, Copy)]
pub(crate) struct ReuseRules<'a> {
    pub(crate) reuse: &'a Reuse,
    pub(crate) retry: &'a RetryPolicy,
    pub(crate) now: WallMs,
    /// The facts of other runs that are used.
    pub(crate) of: FactsOf,
    /// True if other workers may write to the ledger at the same time.
    pub(crate) is_shared: bool,
}

/// Folds the known facts into the surveyed table, which forgets all earlier facts. If today's
/// checks reject pairs that the open run has sent, the file is surveyed once more, and these pairs
/// stay in the run, because they may have been paid for.
pub(crate) fn fold<F: Facts + ?Sized>(
    input: &mut Input,
    surveyed: &mut Survey,
    facts: &mut F,
    found: &FoundRun,
    rules: ReuseRules<'_>,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Known, PassError> {
    let ReuseRules { reuse, retry, now, of, is_shared } = rules;
    let begun = sent_but_now_rejected(surveyed, facts, found)?;
    if !begun.is_empty() {
        input.sendable_before = Arc::new(begun);
        *surveyed = survey(input, is_stopped)?;
    }
    let policy = ReusePolicy {
        answers_since: found.answers_since,
        reask_since: found.reask_since,
        retry_refused: reuse.retry_refused,
        resend_doubts: reuse.resend_doubts,
        doubts_before: if is_shared { found.created_at } else { WallMs(i64::MAX) },
    };
    surveyed.table.forget();
    fold_known(&mut surveyed.table, facts, of, &found.run, &policy, retry, now)
}

/// Returns the pairs that the open run has sent and that today's checks reject.
fn sent_but_now_rejected<F: Facts + ?Sized>(
    surveyed: &mut Survey,
    facts: &mut F,
    found: &FoundRun,
) -> Result<HashSet<PairKey>, PassError> {
    let mut begun = HashSet::new();
    let pairs = PairTable::new(std::mem::take(&mut surveyed.sendable_before));
    if let Some(run) = found.run.begun()
        && !pairs.is_empty()
    {
        let keys = pairs.keys();
        facts.visit_own(run, &keys, &mut |at, own| {
            let key = at.and_then(|at| keys.as_slice().get(at.0 as usize));
            begun.extend(key.filter(|_| own.class.was_sent()).copied());
        })?;
    }
    Ok(begun)
}

/// Assumptions of a forecast. Only `plan` has them.
#[derive(Clone, Copy, Default)]
pub(super) struct Assumptions {
    /// Share of calls that is charged, if the user gave it.
    pub(super) charge_share: Option<Share>,
    /// Length of a night.
    pub(super) night: Option<Duration>,
}

/// Makes the forecast: the calls that will be sent, their cost, and the time that they take.
pub(super) fn forecast(
    job: &JobConfig,
    surveyed: &Survey,
    funnel: Funnel,
    known: Known,
    history: History,
    learned: Option<Learned>,
    assumptions: Assumptions,
) -> Forecast {
    let EngineConfig { rate, max_charges, max_calls, most_mismatches, .. } = job.engine;
    let Assumptions { charge_share, night } = assumptions;
    let verdicts = known.run.verdicts;
    let braked = most_mismatches.is_some_and(|percent| verdicts.mismatches_over(percent));
    let basis = Basis::of(charge_share, history);
    Forecast {
        funnel,
        rejections: surveyed.counts.rejections.clone(),
        ages: known.ages,
        tally: known.run.tally,
        charges: Charges::of(funnel.to_send, basis),
        basis,
        price: job.price.clone(),
        tax: job.tax,
        max_calls,
        // A start that is limited takes no longer than the calls that it makes.
        pace: Pace::of(
            funnel.to_send.min(max_calls.unwrap_or(u64::MAX)),
            rate.expected(learned),
            night,
            clock::now(),
            &job.zone,
        ),
        braked: braked && funnel.to_send > 0,
        fit: max_charges.map(|max| Fit::of(max, known.run.tally.at_most(), funnel.to_send)),
    }
}

/// Returns the error for a file that is stopped by its findings; `None` if nothing stops the file.
/// A damaged file is not sent, because each mismatch would be charged.
pub(super) fn damage(surveyed: &Survey) -> Option<Error> {
    let first: &Finding = surveyed.stops().next()?;
    Some(Error::new(
        ExitCode::Input,
        format!("the file looks damaged ({}), so nothing was sent", first.code),
        format!(
            "{}. To send the file anyway, run it with --force",
            first.hint.trim_end_matches('.')
        ),
    ))
}

/// Returns the exit code of a plan.
pub(super) fn plan_exit(force: bool, surveyed: &Survey, forecast: &Forecast) -> ExitCode {
    if surveyed.stops().next().is_some() && !force {
        return ExitCode::Input;
    }
    match forecast.fit {
        _ if forecast.braked => StopReason::Mismatches.exit_code(),
        Some(fit) if !fit.fits() => ExitCode::Budget,
        _ => ExitCode::Complete,
    }
}
