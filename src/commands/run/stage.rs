//! The sending stage of a start: nothing for a run that has finished, one round where one process
//! writes to the ledger, and rounds on a shared ledger.

use super::finish::SendingResult;
use super::rounds::{Rounds, StartParts};
use super::verify::{Client, ReadRows, Sending};
use crate::engine::{Dispatcher, Signals};
use crate::ledger::{Ledger, RunRef};
use crate::model::funnel::Funnel;
use crate::model::money::Price;
use crate::term::Progress;

/// Everything that the sending stage needs, apart from the ledger and the dispatcher.
pub(super) struct SendingStage<'a, R> {
    pub(super) client: Client,
    pub(super) read: R,
    pub(super) signals: &'a mut Signals,
    pub(super) parts: StartParts<'a>,
    pub(super) funnel: &'a Funnel,
    pub(super) price: &'a Option<Price>,
}

impl<R: ReadRows> SendingStage<'_, R> {
    /// Runs the stage. A failure is not returned as an error: [`SendingResult::ended`] says how the
    /// start ended.
    pub(super) fn run<L: Ledger>(self, dispatcher: Dispatcher, ledger: L) -> SendingResult<L> {
        let Self { client, read, signals, parts, funnel, price } = self;
        let (lease, found) = (ledger.lease(), parts.run.found.run);
        let is_over = matches!(found, RunRef::Finished { .. });
        if lease.is_none() && (is_over || funnel.to_send == 0) {
            return SendingResult::nothing_to_send(dispatcher, ledger, &found);
        }
        let mut progress = Progress::new(parts.screen, funnel, price.clone());
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
