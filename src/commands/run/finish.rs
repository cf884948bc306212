//! The end of a start: the output, the exit code, and the note in the ledger.
//!
//! Must hold: each way to end has a name here, `finish` decides the exit code, and nothing returns early.

use crate::engine::{Dispatcher, RunState};
use crate::error::Error;
use crate::ledger::{Ending, Ledger, LedgerError, OpenRun};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::stop::StopReason;
use crate::passes::{PassError, Projected};
use crate::rules::body::BodyTrial;

/// The way a start ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Every pair has its end.
    Finished,
    /// It stopped before: the same command goes on.
    Stopped(StopReason),
    /// The input is not what was surveyed, or can no longer be read.
    InputLost(PassError),
    /// Facts could not be recorded, or the ledger's writer is gone.
    StorageFailed(LedgerError),
    /// A part of this program ended before its work was done.
    Broken(Error),
}

impl Ended {
    /// From why the engine stopped, why facts were refused, and how the reader of the rows ended.
    pub(crate) fn of(
        stop: Option<StopReason>,
        failure: Option<LedgerError>,
        read: Result<Result<(), PassError>, Self>,
    ) -> Self {
        match (failure, stop, read) {
            (Some(error), _, _) => Self::StorageFailed(error),
            (None, Some(StopReason::InputChanged), Ok(Err(error))) => Self::InputLost(error),
            (None, Some(StopReason::InputChanged), _) => Self::InputLost(PassError::Changed),
            (None, Some(StopReason::Defect), Err(ended)) => ended,
            (None, Some(reason), _) => Self::Stopped(reason),
            (None, None, _) => Self::Finished,
        }
    }

    /// The reader of the rows panicked: rows are missing, and the run must not pass for finished.
    pub(super) fn reader_panicked() -> Self {
        Self::Broken(Error::new(
            ExitCode::Internal,
            "the input was not read to its end: this is a defect of ceknik",
            "all answers are safe in the ledger; the same command goes on from there",
        ))
    }

    /// The reason for which it stopped before its end, if it did.
    pub(crate) const fn stop(&self) -> Option<StopReason> {
        match self {
            Self::Finished => None,
            Self::Stopped(reason) => Some(*reason),
            Self::InputLost(_) => Some(StopReason::InputChanged),
            Self::StorageFailed(_) => Some(StopReason::Storage),
            Self::Broken(_) => Some(StopReason::Defect),
        }
    }
}

/// The remains of the stage that sends.
pub(crate) struct Left<L> {
    pub(crate) state: RunState,
    /// `None`: the writer took it along.
    pub(crate) ledger: Option<L>,
    pub(crate) ended: Ended,
}

impl<L> Left<L> {
    /// The remains of a start in which everything is known.
    pub(crate) fn nothing_to_send(dispatcher: Dispatcher, ledger: L) -> Self {
        Self { state: dispatcher.into_state(), ledger: Some(ledger), ended: Ended::Finished }
    }
}

/// An output that was made.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) projected: Projected,
    /// Its place, fit to be shown, where it has one; or why it could not be put there.
    pub(crate) placed: Result<Option<String>, Error>,
}

/// A start that has ended, as it is told.
pub(crate) struct EndedStart {
    pub(crate) state: RunState,
    pub(crate) stop: Option<StopReason>,
    pub(crate) code: ExitCode,
    /// `None`: no output could be made.
    pub(crate) projected: Option<Projected>,
    /// The place of the output.
    pub(crate) output: Option<String>,
    /// The command's exit code, or the error that is told after the last words.
    pub(crate) result: Result<ExitCode, Error>,
}

impl EndedStart {
    /// Takes the result of a later step into account.
    fn then(&mut self, later: Result<(), Error>) {
        let before = std::mem::replace(&mut self.result, Ok(self.code));
        self.result = first_failure(before, later);
        self.code = code_of(&self.result);
    }
}

/// Makes the output, decides the exit code, writes the summary, and notes the end in the ledger. Where the summary cannot be
/// written, the run is not over: the same command goes on with it.
pub(crate) fn finish<L: Ledger>(
    left: Left<L>,
    run: &OpenRun,
    body_auto: bool,
    now: impl FnOnce() -> WallMs,
    make: impl FnOnce(&RunState, Option<StopReason>, WallMs, &mut L) -> Result<Output, Error>,
    summarize: impl Fn(&EndedStart) -> Result<(), Error>,
) -> EndedStart {
    let Left { state, mut ledger, ended } = left;
    let stop = ended.stop();
    // One instant for the output and for the ledger.
    let at = now();
    if let (Some(ledger), false) = (&mut ledger, matches!(ended, Ended::StorageFailed(_))) {
        remember_body(state.body, body_auto, ledger);
    }
    let made = match (&ended, &mut ledger) {
        // Nothing replaces an older output: the rows are no longer those of the answers.
        (Ended::InputLost(_), _) | (_, None) => None,
        (_, Some(ledger)) => Some(make(&state, stop, at, ledger)),
    };
    let (projected, placed) = match made {
        Some(Ok(Output { projected, placed })) => (Some(projected), placed),
        Some(Err(error)) => (None, Err(error)),
        None => (None, Ok(None)),
    };
    let output = placed.as_ref().ok().cloned().flatten();
    let is_noted = !matches!(ended, Ended::StorageFailed(_));
    let result = first_failure(result_of(ended, projected.as_ref(), &state), placed.map(drop));
    let mut ended = EndedStart { state, stop, code: code_of(&result), projected, output, result };
    let summarized = summarize(&ended);
    ended.then(summarized);
    let noted = match ledger {
        Some(ledger) if is_noted => note(ledger, run, &ended.state, at, stop, ended.code),
        _ => Ok(()),
    };
    if let Err(error) = noted {
        ended.then(Err(error.into()));
        // It told another exit code. One that cannot be written now was told before.
        let _ = summarize(&ended);
    }
    ended
}

/// The exit code or the error that the way to end asks for.
fn result_of(ended: Ended, made: Option<&Projected>, state: &RunState) -> Result<ExitCode, Error> {
    match ended {
        Ended::InputLost(error) => Err(error.into()),
        Ended::StorageFailed(error) => Err(storage_failed(error, state)),
        Ended::Broken(error) => Err(error),
        Ended::Stopped(reason) => Ok(reason.exit_code()),
        Ended::Finished if made.is_some_and(|made| made.outcomes.all_have_verdicts()) => {
            Ok(ExitCode::Complete)
        }
        Ended::Finished => Ok(ExitCode::SomeWithoutVerdict),
    }
}

/// The command ends with its first failure: of the run, then of the output, of the summary, of the note. Another one is
/// told here.
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

fn note<L: Ledger>(
    mut ledger: L,
    run: &OpenRun,
    state: &RunState,
    at: WallMs,
    stop: Option<StopReason>,
    exit: ExitCode,
) -> Result<(), LedgerError> {
    let ending = Ending { at, stop: stop.map(StopReason::name), exit };
    match exit {
        // Where another start has some of the pairs, the run is not over.
        ExitCode::Complete | ExitCode::SomeWithoutVerdict if state.stats.elsewhere == 0 => {
            ledger.end_run(run, &ending)
        }
        _ => ledger.end_start(run, &ending),
    }
}

fn remember_body<L: Ledger>(body: BodyTrial, body_auto: bool, ledger: &mut L) {
    if let (BodyTrial::Proved(kind), true) = (body, body_auto)
        && let Err(error) = ledger.remember_body(kind)
    {
        // The next run finds out once more.
        tracing::warn!(%error, "the body kind that works could not be remembered");
    }
}

fn storage_failed(error: LedgerError, state: &RunState) -> Error {
    let error = Error::from(error);
    let doubts = state.tally.possible.in_doubt;
    Error {
        message: format!("{}; {doubts} calls of this run are in doubt", error.message),
        ..error
    }
}
