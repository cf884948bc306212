//! The sending stage of a start: nothing for a run that has finished, one round where one process
//! writes to the ledger, and rounds on a shared ledger.

use std::time::Duration;

use super::finish::SendingResult;
use super::rounds::{Rounds, StartParts};
use super::verify::{Client, ReadRows, Sending};
use crate::engine::{Dispatcher, Signals};
use crate::ledger::{Ledger, RunId, RunRef, UnderWay};
use crate::model::attempt::WallMs;
use crate::model::funnel::Funnel;
use crate::model::money::Price;
use crate::output;
use crate::term::Progress;

/// Everything that the sending stage needs, apart from the ledger and the dispatcher.
pub(super) struct SendingStage<'a, R> {
    pub(super) client: Client,
    pub(super) read: R,
    pub(super) signals: &'a mut Signals,
    pub(super) parts: StartParts<'a>,
    pub(super) funnel: &'a Funnel,
    pub(super) price: &'a Option<Price>,
    /// Longest time that a call takes.
    pub(super) timeout: Duration,
}

impl<R: ReadRows> SendingStage<'_, R> {
    /// Runs the stage. A failure is not returned as an error: [`SendingResult::ended`] says how the
    /// start ended.
    pub(super) fn run<L: Ledger>(self, dispatcher: Dispatcher, ledger: L) -> SendingResult<L> {
        let Self { client, read, signals, parts, funnel, price, timeout } = self;
        let (lease, found) = (ledger.lease(), parts.run.found.run);
        let is_over = matches!(found, RunRef::Finished { .. });
        if lease.is_none() && (is_over || funnel.to_send == 0) {
            return SendingResult::nothing_to_send(dispatcher, ledger, &found);
        }
        let note = ledger.progress_note();
        let (run, began) = (parts.run.id, parts.rules.now);
        let on_figures = move |figures: &output::Progress| {
            if let Some(note) = &note {
                note(&under_way(run, began, figures));
            }
        };
        // Whoever looks before the first figures come finds the run already.
        on_figures(&output::Progress::begun(funnel.done, funnel.done + funnel.to_send));
        let mut progress = Progress::new(parts.screen, funnel, price.clone(), timeout, on_figures);
        let sending = Sending::new(client, read, signals, &mut progress);
        let left = match lease {
            None => {
                let StartParts { run, input, surveyed, .. } = parts;
                sending.only_round(dispatcher, ledger, run, input, surveyed.fingerprint)
            }
            Some(lease) if is_over => {
                Rounds { sending, parts, lease }.only_fold(dispatcher, ledger)
            }
            Some(lease) => Rounds { sending, parts, lease }.until_the_end(dispatcher, ledger),
        };
        progress.end();
        left
    }
}

/// Converts the figures of a run for a note in its ledger.
fn under_way(run: RunId, since: WallMs, figures: &output::Progress) -> UnderWay {
    UnderWay {
        run,
        holder: None,
        since,
        pairs_done: figures.pairs_done,
        pairs: figures.pairs,
        calls_per_second: figures.calls_per_second,
        done_at: figures.done_at.map(|at| at.0),
        pause: figures.pause.map(str::to_owned),
    }
}
