//! The sending stage of a start: nothing for a run that has finished, one round where one process
//! writes to the ledger, and rounds on a shared ledger.

use std::time::Duration;

use super::finish::SendingResult;
use super::rounds::Rounds;
use super::verify::{Client, ReadRows, Sending};
use crate::commands::stages::ReuseRules;
use crate::engine::{Deadline, Dispatcher, Signals};
use crate::ledger::{Ledger, OpenRun, RunRef};
use crate::model::funnel::Funnel;
use crate::model::money::Price;
use crate::passes::{Input, Survey};
use crate::signals::Interrupts;
use crate::term::{Progress, Screen};

/// Everything that the sending stage needs, apart from the ledger and the dispatcher.
pub(super) struct SendingStage<'a, R> {
    pub(super) client: Client,
    pub(super) read: R,
    pub(super) signals: &'a mut Signals,
    pub(super) input: &'a mut Input,
    pub(super) surveyed: &'a mut Survey,
    pub(super) run: &'a OpenRun,
    pub(super) rules: ReuseRules<'a>,
    pub(super) deadline: Option<Deadline>,
    pub(super) screen: &'a Screen,
    pub(super) interrupts: &'a Interrupts,
    pub(super) funnel: &'a Funnel,
    pub(super) price: &'a Option<Price>,
    /// Longest time for which a shared ledger that does not answer is waited for.
    pub(super) patience: Duration,
}

impl<R: ReadRows> SendingStage<'_, R> {
    /// Runs the stage. A failure is not returned as an error: [`SendingResult::ended`] says how the
    /// start ended.
    pub(super) fn run<L: Ledger>(self, dispatcher: Dispatcher, ledger: L) -> SendingResult<L> {
        let Self { client, read, signals, input, surveyed, run, rules, deadline, .. } = self;
        let Self { screen, interrupts, funnel, price, patience, .. } = self;
        let (lease, found) = (ledger.lease(), run.found.run);
        let is_over = matches!(found, RunRef::Finished { .. });
        if lease.is_none() && (is_over || funnel.to_send == 0) {
            return SendingResult::nothing_to_send(dispatcher, ledger, &found);
        }
        let mut progress = Progress::new(screen, funnel, price.clone());
        let sending = Sending::new(client, read, signals, &mut progress);
        let left = match lease {
            None => sending.only_round(dispatcher, ledger, run, input, surveyed.fingerprint),
            Some(lease) => {
                let rounds = Rounds {
                    sending,
                    input,
                    surveyed,
                    run,
                    rules,
                    deadline,
                    screen,
                    interrupts,
                    lease,
                    patience,
                };
                if is_over {
                    rounds.only_fold(dispatcher, ledger)
                } else {
                    rounds.until_the_end(dispatcher, ledger)
                }
            }
        };
        progress.end();
        left
    }
}
