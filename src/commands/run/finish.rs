//! The end of a start: the output, the exit code, and the note in the ledger.
//!
//! Must hold: each way in which a start can end is a variant of [`Ended`]. [`finish`] alone decides
//! the exit code, and never returns early.

use crate::engine::{Dispatcher, RunState};
use crate::error::Error;
use crate::ledger::{Delivered, Ledger, LedgerError, OpenRun, RunRef, StartEnd};
use crate::model::attempt::WallMs;
use crate::model::class::End;
use crate::model::exit_code::ExitCode;
use crate::model::stop::StopReason;
use crate::output::{OutputFile, RowTotals, RunReport};
use crate::passes::PassError;
use crate::rules::body::BodyTrial;
use crate::rules::rate::{Learned, Remembered};

/// Way in which a start ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Every pair has its end.
    Finished,
    /// An earlier start has finished the run, which is not to begin anew.
    FinishedBefore,
    /// Another worker has finished the run and written its output.
    FinishedElsewhere(Delivered),
    /// The start stopped before every pair had its end. The same command continues the run.
    Stopped(StopReason),
    /// This worker has done its part, and writes no output.
    Left {
        /// Reason why the start stopped; `None` if every pair has its end.
        reason: Option<StopReason>,
        /// The workers that are left.
        to: LeftTo,
    },
    /// The input is not the one that was surveyed, or can no longer be read.
    InputLost(PassError),
    /// Facts could not be recorded, or the ledger's writer is gone.
    StorageFailed(LedgerError),
    /// A part of this program ended before its work was done.
    Broken(Error),
}

/// The workers to which a run is left, with the names of their machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeftTo {
    /// Some of them write the output.
    Writers(String),
    /// All of them only help.
    Helpers(String),
    /// There are none, and this one only helps.
    Nobody,
}

impl Ended {
    /// Returns the way in which a start ended. `stop` is the reason why the engine stopped,
    /// `failure` the error because of which facts could not be recorded, and `read` the result of
    /// the reader of the rows.
    pub(crate) fn of(
        stop: Option<StopReason>,
        failure: Option<LedgerError>,
        read: Result<Result<(), PassError>, Self>,
    ) -> Self {
        match (failure, stop, read) {
            (Some(error), _, _) => Self::StorageFailed(error),
            (
                None,
                Some(StopReason::InputChanged | StopReason::InputUnreadable),
                Ok(Err(error)),
            ) => Self::InputLost(error),
            // The dispatcher met a pair that the survey did not see.
            (None, Some(StopReason::InputChanged), _) => Self::InputLost(PassError::Changed),
            (None, Some(StopReason::Defect), Err(ended)) => ended,
            (None, Some(reason), _) => Self::Stopped(reason),
            (None, None, _) => Self::Finished,
        }
    }

    /// Returns the end of a start whose reader of the rows panicked. Rows are missing, so the run
    /// must not count as finished.
    pub(super) fn reader_panicked() -> Self {
        Self::Broken(Error::new(
            ExitCode::Internal,
            "the input was not read to its end: this is a defect of ceknik",
            "all answers are safe in the ledger; the same command continues",
        ))
    }

    /// Returns the reason why the start stopped early, if it did.
    pub(crate) const fn stop(&self) -> Option<StopReason> {
        match self {
            Self::Finished | Self::FinishedBefore | Self::FinishedElsewhere(_) => None,
            Self::Stopped(reason) => Some(*reason),
            Self::Left { reason, .. } => *reason,
            Self::InputLost(error) => Some(error.stop_reason()),
            Self::StorageFailed(_) => Some(StopReason::Storage),
            Self::Broken(_) => Some(StopReason::Defect),
        }
    }
}

/// Result of the sending stage.
pub(crate) struct SendingResult<L> {
    pub(crate) state: RunState,
    /// The ledger; `None` if it was lost with its writer.
    pub(crate) ledger: Option<L>,
    pub(crate) ended: Ended,
}

impl<L> SendingResult<L> {
    /// Returns the result for a start that has nothing to send. `run` is the run as it was found.
    pub(crate) fn nothing_to_send(dispatcher: Dispatcher, ledger: L, run: &RunRef) -> Self {
        let ended = match run {
            RunRef::Finished { .. } => Ended::FinishedBefore,
            RunRef::New { .. } | RunRef::Open(_) => Ended::Finished,
        };
        Self { state: dispatcher.into_state(), ledger: Some(ledger), ended }
    }

    /// Returns the result of a start whose last round has ended. `lost` is the error with which the
    /// ledger was lost, and `read` the result of the reader of the rows.
    pub(super) fn of(
        dispatcher: Dispatcher,
        ledger: Option<L>,
        lost: Option<LedgerError>,
        read: Result<Result<(), PassError>, Ended>,
    ) -> Self {
        let mut state = dispatcher.into_state();
        let failure = state.failure.take().or(lost);
        let ended = Ended::of(state.stop, failure, read);
        Self { state, ledger, ended }
    }
}

/// An output that was written.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) written: RowTotals,
    /// The output, if it was put in a place; or the error because of which it could not be put in its
    /// place.
    pub(crate) placed: Result<Option<OutputFile>, Error>,
}

/// A start that has ended.
pub(crate) struct EndedStart {
    pub(crate) report: RunReport,
    pub(crate) state: RunState,
    /// Exit code of the command, or the error that is shown after the last words.
    pub(crate) result: Result<ExitCode, Error>,
    /// Text about other workers that finish or have finished the run, for people.
    pub(crate) others: Option<String>,
    /// True if the results of a run were only shown again, so that nothing follows from them.
    pub(crate) is_exported: bool,
}

impl EndedStart {
    /// Takes the result of a later step into account.
    fn then(&mut self, later: Result<(), Error>) {
        let before = std::mem::replace(&mut self.result, Ok(self.report.exit));
        self.result = first_failure(before, later);
        self.report.exit = code_of(&self.result);
    }
}

/// Ends a start: makes the output, decides the exit code, writes the summary and notes the end in
/// the ledger. If the summary cannot be written, the run stays open, and the same command continues
/// it. A start that only helps (`joins`) writes neither output nor summary. `remember` stores what
/// the start has learned of the vendor.
pub(crate) fn finish<L: Ledger>(
    left: SendingResult<L>,
    run: &OpenRun,
    mut report: RunReport,
    joins: bool,
    remember: impl FnOnce(&RunState, &mut L),
    make: impl FnOnce(&mut RunReport, &RunState, &mut L) -> Result<Output, Error>,
    summarize: impl Fn(&RunReport) -> Result<(), Error>,
) -> EndedStart {
    let SendingResult { state, mut ledger, ended } = left;
    let is_over = matches!(ended, Ended::StorageFailed(_) | Ended::FinishedBefore);
    report.finishes_run = matches!(ended, Ended::Finished | Ended::FinishedBefore);
    let made = match (&ended, &mut ledger) {
        // An older output is not replaced: the rows of the input are no longer those that were
        // answered, or the answers are lost with the ledger.
        (Ended::InputLost(_), _) | (_, None) => None,
        // Who only helps writes nothing, however it ends.
        _ if joins => None,
        // Another worker writes the output, or has written it.
        (Ended::FinishedElsewhere(_) | Ended::Left { .. }, _) => None,
        (_, Some(ledger)) => Some(make(&mut report, &state, ledger)),
    };
    let placed = match made {
        Some(Ok(Output { written, placed })) => {
            report.written = Some(written);
            placed
        }
        Some(Err(error)) => Err(error),
        None => Ok(None),
    };
    report.output = placed.as_ref().ok().cloned().flatten();
    if let Some(ledger) = &mut ledger {
        // What was read is complete. A connection that breaks now is made anew for the note.
        let _ = ledger.end_reading();
        if !is_over {
            remember(&state, ledger);
        }
    }
    let is_noted = !is_over;
    let finishes = matches!(ended, Ended::Finished);
    let others = about_others(&ended);
    let result = first_failure(result_of(ended, &report, &state), placed.map(drop));
    report.exit = code_of(&result);
    let is_summarized = others.is_none() && !joins;
    let summarize = |report: &RunReport| if is_summarized { summarize(report) } else { Ok(()) };
    let summarized = summarize(&report);
    let mut ended = EndedStart { report, state, result, others, is_exported: false };
    ended.then(summarized);
    let noted = match ledger {
        Some(ledger) if is_noted => note(ledger, run, &ended.report, finishes),
        _ => Ok(()),
    };
    if let Err(error) = noted {
        ended.then(Err(error.into()));
        // The summary still has the former exit code. If it cannot be written again, the user
        // already knows of an error.
        let _ = summarize(&ended.report);
    }
    ended
}

/// Returns the exit code or the error for the way in which a start ended.
fn result_of(ended: Ended, report: &RunReport, state: &RunState) -> Result<ExitCode, Error> {
    let all_have_verdicts = match report.written {
        Some(rows) => rows.outcomes.all_have_verdicts(),
        None => {
            let mut ends = state.table.states().map(|pair| pair.end);
            report.rejected.iter().all(|(_, rows)| rows == 0)
                && ends.all(|end| matches!(end, Some(End::Answered(_))))
        }
    };
    match ended {
        Ended::InputLost(error) => Err(error.into()),
        Ended::StorageFailed(error) => Err(storage_failed(error, state)),
        Ended::Broken(error) => Err(error),
        Ended::Stopped(reason) | Ended::Left { reason: Some(reason), .. } => Ok(reason.exit_code()),
        Ended::FinishedElsewhere(delivered) => Ok(delivered.exit),
        Ended::Finished | Ended::FinishedBefore | Ended::Left { reason: None, .. } => {
            Ok(match all_have_verdicts {
                true => ExitCode::Complete,
                false => ExitCode::SomeWithoutVerdict,
            })
        }
    }
}

/// Returns the first failure, with which the command ends. Steps can fail in this order: the run,
/// the output, the summary, the note in the ledger. If both arguments are failures, the later one
/// is only logged.
fn first_failure(
    result: Result<ExitCode, Error>,
    later: Result<(), Error>,
) -> Result<ExitCode, Error> {
    match (result, later) {
        (Ok(_), Err(later)) => Err(later),
        (result, Err(later)) => {
            tracing::warn!("{}", later.message);
            result
        }
        (result, Ok(())) => result,
    }
}

fn code_of(result: &Result<ExitCode, Error>) -> ExitCode {
    result.as_ref().map_or_else(|error| error.code, |code| *code)
}

/// Notes the end of the start in the ledger, and the end of the run if it is finished.
fn note<L: Ledger>(
    mut ledger: L,
    run: &OpenRun,
    report: &RunReport,
    finishes: bool,
) -> Result<(), LedgerError> {
    let stop = report.stop.map(StopReason::name);
    let (at, exit) = (report.ended_at, report.exit);
    let output = report.output_path().map(str::to_owned);
    let summary = serde_json::to_string(report).ok();
    let ending = StartEnd { at, stop, exit, output, summary };
    match report.exit {
        ExitCode::Complete | ExitCode::SomeWithoutVerdict if finishes => {
            ledger.end_run(run, &ending)
        }
        _ => ledger.end_start(run, &ending),
    }
}

/// Returns the text about other workers that finish or have finished the run.
fn about_others(ended: &Ended) -> Option<String> {
    match ended {
        Ended::FinishedElsewhere(Delivered { host, output, .. }) => Some(match output {
            Some(output) => format!("the output was written by the worker on {host}: {output}"),
            None => {
                format!("the output was written by the worker on {host}, to its standard output")
            }
        }),
        Ended::Left { to: LeftTo::Writers(hosts), .. } => {
            Some(format!("other workers continue the run, and will write the output: {hosts}"))
        }
        Ended::Left { to: LeftTo::Helpers(hosts), .. } => Some(format!(
            "other workers continue the run: {hosts}; they only help (--join), and write no output: \
             run the same command later, or make the output with `ceknik export`"
        )),
        Ended::Left { to: LeftTo::Nobody, .. } => Some(
            "this worker only helps (--join), and no worker is left that writes the output: run the file without \
             --join, which pays nothing twice, or make the output with `ceknik export`"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Remembers what a start has learned of the vendor: the body kind that works, if the start had to
/// find it out, and the limits of this account.
pub(crate) fn remember<L: Ledger>(
    state: &RunState,
    finds_body: bool,
    account: Option<&[u8; 16]>,
    at: WallMs,
    ledger: &mut L,
) {
    if finds_body {
        remember_body(state.body, ledger);
    }
    if let Some(account) = account {
        remember_rate(state.learned, account, at, ledger);
    }
}

fn remember_body<L: Ledger>(body: BodyTrial, ledger: &mut L) {
    if let BodyTrial::Proved(kind) = body
        && let Err(error) = ledger.remember_body(kind)
    {
        // The next run finds out the kind again.
        tracing::warn!(%error, "the kind of body that works could not be saved");
    }
}

/// Remembers limits. A start that met none must not hide the ones that are known.
fn remember_rate<L: Ledger>(learned: Learned, account: &[u8; 16], at: WallMs, ledger: &mut L) {
    let known = ledger.remembered_rate(Some(account)).ok().flatten();
    let known = known.and_then(|known| known.if_fresh(at)).unwrap_or_default();
    let is_news = match learned.limit() {
        Some(_) => true,
        None => learned.passed > known.rate(),
    };
    if is_news && let Err(error) = ledger.remember_rate(account, Remembered { learned, at }) {
        // The next run finds out the rate again.
        tracing::warn!(%error, "the vendor's limit could not be saved");
    }
}

fn storage_failed(error: LedgerError, state: &RunState) -> Error {
    let error = Error::from(error);
    let doubts = state.tally.possible.in_doubt;
    Error { message: format!("{}; calls of this run in doubt: {doubts}", error.message), ..error }
}
