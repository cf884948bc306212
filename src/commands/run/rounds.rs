//! The rounds of a worker on a shared ledger: in each round it folds what all workers know, and
//! sends what falls to it. It goes on until a fold shows that every pair has its end. The oldest
//! living worker that does not only help then writes the output, and the others wait for it.
//!
//! Must hold: the output is made from one fold, and everything that it shows belongs to that
//! moment. A round that has nothing to send costs a fold, so it begins when there is news, or after
//! a wait that is many times as long as the last fold.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::finish::{Ended, LeftTo, SendingResult};
use super::verify::{ReadRows, Round, Sending};
use crate::clock;
use crate::commands::stages::{ReuseRules, fold};
use crate::engine::{Deadline, Dispatcher};
use crate::ledger::{FoundRun, Ledger, LedgerError, OpenRun, Others, RunRef};
use crate::model::stop::StopReason;
use crate::passes::{Input, PassError, Survey};
use crate::rules::rounds::{NextStep, longest_wait, next_step};
use crate::signals::Interrupts;
use crate::term::Screen;

/// Most times in a row that a fold is tried again because the connection broke.
const MOST_TRIES: u32 = 20;
/// Shortest and longest pause between two looks at the other workers.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The parts of a start that its rounds need.
pub(super) struct StartParts<'a> {
    pub(super) input: &'a mut Input,
    pub(super) surveyed: &'a mut Survey,
    pub(super) run: &'a OpenRun,
    pub(super) rules: ReuseRules<'a>,
    pub(super) deadline: Option<Deadline>,
    pub(super) screen: &'a Screen,
    pub(super) interrupts: &'a Interrupts,
    /// Longest time for which a shared ledger that does not answer is waited for.
    pub(super) patience: Duration,
    /// True if this worker only helps, and writes no output.
    pub(super) joins: bool,
}

/// Everything that the rounds of a worker need, apart from the ledger and the dispatcher.
pub(super) struct Rounds<'a, R> {
    pub(super) sending: Sending<'a, R>,
    pub(super) parts: StartParts<'a>,
    pub(super) lease: Duration,
}

/// What a worker knows after a fold.
struct Known {
    others: Others,
    is_complete: bool,
    took: Duration,
}

impl<R: ReadRows> Rounds<'_, R> {
    /// Sends in rounds until the run is finished, or this worker stops. What is read for an output
    /// belongs to the moment of the last fold: the reader must call [`Ledger::end_reading`].
    pub(super) fn until_the_end<L: Ledger>(
        mut self,
        mut dispatcher: Dispatcher,
        mut ledger: L,
    ) -> SendingResult<L> {
        loop {
            let known = match self.fold_all(&mut dispatcher, &mut ledger) {
                Ok(known) => known,
                Err(error) => return self.cannot_read(dispatcher, error),
            };
            let Known { others, is_complete, .. } = &known;
            if let Some(delivered) = others.delivered.clone() {
                let _ = ledger.end_reading();
                return self.end(dispatcher, Some(ledger), Ended::FinishedElsewhere(delivered));
            }
            if others.has_ended {
                let _ = ledger.end_reading();
                dispatcher.give_up(StopReason::TakenOver);
                return self.leave(dispatcher, Some(ledger), None, Ok(Ok(())));
            }
            let writer = others.writer(self.parts.run.start, self.parts.joins);
            let next = next_step(*is_complete, dispatcher.left(), writer);
            if next != NextStep::Write {
                let _ = ledger.end_reading();
            }
            if let Some(reason) = others.stop.filter(|_| next != NextStep::Write) {
                dispatcher.hear_stop(reason);
                if !dispatcher.has_unrecorded() {
                    return self.leave(dispatcher, Some(ledger), None, Ok(Ok(())));
                }
                let Round { ledger, lost, read } = self.send(&mut dispatcher, ledger);
                return self.leave(dispatcher, ledger, lost, read);
            }
            match next {
                NextStep::Write => return self.end(dispatcher, Some(ledger), Ended::Finished),
                NextStep::Leave => {
                    let ended = Ended::Left { reason: None, to: LeftTo::Nobody };
                    return self.end(dispatcher, Some(ledger), ended);
                }
                NextStep::Send => {
                    let Round { ledger: left, lost, read } = self.send(&mut dispatcher, ledger);
                    match left {
                        Some(left) if !dispatcher.has_stopped() => ledger = left,
                        left => return self.leave(dispatcher, left, lost, read),
                    }
                }
                NextStep::Wait => match self.wait_for_news(&mut ledger, &known) {
                    Ok(None) => {}
                    Ok(Some(reason)) => {
                        dispatcher.give_up(reason);
                        return self.leave(dispatcher, Some(ledger), None, Ok(Ok(())));
                    }
                    Err(error) => return self.cannot_read(dispatcher, error.into()),
                },
            }
        }
    }

    /// Sends what falls to this worker, and records what is not recorded yet.
    fn send<L: Ledger>(&mut self, dispatcher: &mut Dispatcher, ledger: L) -> Round<L> {
        let StartParts { run, input, surveyed, .. } = &self.parts;
        self.sending.one_round(dispatcher, ledger, run, input, surveyed.fingerprint)
    }

    /// Folds what is known of a run that has finished.
    pub(super) fn only_fold<L: Ledger>(
        mut self,
        mut dispatcher: Dispatcher,
        mut ledger: L,
    ) -> SendingResult<L> {
        match self.fold_all(&mut dispatcher, &mut ledger) {
            Ok(_) => self.end(dispatcher, Some(ledger), Ended::FinishedBefore),
            Err(error) => self.cannot_read(dispatcher, error),
        }
    }

    /// Folds what all workers know into the dispatcher, at one moment that lasts until
    /// [`Ledger::end_reading`]. Tries again if the connection breaks.
    fn fold_all<L: Ledger>(
        &mut self,
        dispatcher: &mut Dispatcher,
        ledger: &mut L,
    ) -> Result<Known, PassError> {
        let mut tries = 0;
        loop {
            match self.fold_once(dispatcher, ledger) {
                Err(PassError::Ledger(LedgerError::Unreachable { .. })) if tries < MOST_TRIES => {
                    tries += 1;
                    let _ = ledger.end_reading();
                }
                told => return told,
            }
        }
    }

    fn fold_once<L: Ledger>(
        &mut self,
        dispatcher: &mut Dispatcher,
        ledger: &mut L,
    ) -> Result<Known, PassError> {
        let begun = Instant::now();
        ledger.begin_reading()?;
        let others = ledger.others(self.parts.run)?;
        self.parts.surveyed.table = dispatcher.take_table();
        let run = match self.parts.run.found.run {
            RunRef::New { .. } => RunRef::Open(self.parts.run.id),
            found => found,
        };
        let found = FoundRun { run, ..self.parts.run.found.clone() };
        let told =
            fold(self.parts.input, self.parts.surveyed, ledger, &found, self.parts.rules, &|| {
                false
            });
        let table = std::mem::take(&mut self.parts.surveyed.table);
        match told {
            Ok(known) => {
                let is_complete = table.to_send() == 0;
                dispatcher.begin_round(table, known.run, &others.starts());
                Ok(Known { others, is_complete, took: begun.elapsed() })
            }
            Err(error) => {
                dispatcher.put_table(table);
                Err(error)
            }
        }
    }

    /// Waits until another fold is worth its time. Returns the reason to stop if one comes up.
    fn wait_for_news<L: Ledger>(
        &mut self,
        ledger: &mut L,
        known: &Known,
    ) -> Result<Option<StopReason>, LedgerError> {
        let Known { others, is_complete, took } = known;
        self.sending.say_waiting(self.parts.screen, others);
        let begun = Instant::now();
        let mut silent_since = begun;
        let longest = longest_wait(*is_complete, *took);
        let pause = (self.lease / 15).clamp(LOOK.0, LOOK.1);
        loop {
            if let Some(signal) = self.sending.next_signal() {
                return Ok(Some(StopReason::Interrupted(signal)));
            }
            let now = self.sending.elapsed();
            if self.parts.deadline.is_some_and(|deadline| deadline.has_passed(now, clock::now())) {
                return Ok(Some(StopReason::Deadline));
            }
            sleep(pause);
            let seen = match ledger.others(self.parts.run) {
                Ok(seen) => seen,
                Err(LedgerError::Unreachable { .. })
                    if silent_since.elapsed() < self.parts.patience =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            silent_since = Instant::now();
            if seen.has_news_since(others) || begun.elapsed() >= longest {
                return Ok(None);
            }
        }
    }

    /// Ends this worker's part of a run that is not finished. The last worker to leave writes the
    /// partial output.
    fn leave<L: Ledger>(
        mut self,
        mut dispatcher: Dispatcher,
        ledger: Option<L>,
        lost: Option<LedgerError>,
        read: Result<Result<(), PassError>, Ended>,
    ) -> SendingResult<L> {
        let (reason, mut ledger) = match (plain_reason(&dispatcher), ledger) {
            (Some(reason), Some(ledger)) => (reason, ledger),
            (_, ledger) => {
                self.sending.close(&mut dispatcher);
                // Answers that could not be recorded are declared lost by another worker, because
                // the end of this start is not noted.
                let ledger = ledger.filter(|_| !dispatcher.has_failed());
                return SendingResult::of(dispatcher, ledger, lost, read);
            }
        };
        if reason == StopReason::TakenOver {
            // The ledger has ended this start, and others may work on the run.
            return self.end(dispatcher, None, Ended::Stopped(reason));
        }
        let left = match ledger.leave(self.parts.run) {
            Ok(others) => others,
            Err(error) => return self.cannot_read(dispatcher, error.into()),
        };
        if let Some(delivered) = left.delivered {
            return self.end(dispatcher, Some(ledger), Ended::FinishedElsewhere(delivered));
        }
        let to = match (left.living.is_empty(), left.writers().next()) {
            (false, Some(_)) => Some(LeftTo::Writers(left.hosts())),
            (false, None) => Some(LeftTo::Helpers(left.hosts())),
            (true, _) => self.parts.joins.then_some(LeftTo::Nobody),
        };
        if let Some(to) = to {
            let ended = Ended::Left { reason: Some(reason), to };
            return self.end(dispatcher, Some(ledger), ended);
        }
        match self.fold_all(&mut dispatcher, &mut ledger) {
            Ok(_) => self.end(dispatcher, Some(ledger), Ended::Stopped(reason)),
            Err(error) => self.cannot_read(dispatcher, error),
        }
    }

    /// Ends a start that cannot read the ledger.
    fn cannot_read<L>(self, dispatcher: Dispatcher, error: PassError) -> SendingResult<L> {
        let ended = match error {
            PassError::Ledger(error) => Ended::StorageFailed(error),
            error => Ended::Broken(crate::commands::interrupted(error, self.parts.interrupts)),
        };
        self.end(dispatcher, None, ended)
    }

    fn end<L>(
        self,
        mut dispatcher: Dispatcher,
        ledger: Option<L>,
        ended: Ended,
    ) -> SendingResult<L> {
        self.sending.close(&mut dispatcher);
        SendingResult { state: dispatcher.into_state(), ledger, ended }
    }
}

/// Returns the reason why a worker stopped, if it can still read its input and use the ledger.
fn plain_reason(dispatcher: &Dispatcher) -> Option<StopReason> {
    let is_broken = |reason: &StopReason| {
        matches!(
            reason,
            StopReason::Storage
                | StopReason::InputChanged
                | StopReason::InputUnreadable
                | StopReason::Defect
        )
    };
    dispatcher.stop_reason().filter(|reason| !is_broken(reason) && !dispatcher.has_failed())
}
