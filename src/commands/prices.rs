//! The prices at which calls were made, as their starts have recorded them.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::{LedgerError, MinuteOfCalls, RunId, ShowLedger};
use crate::model::attempt::StartId;
use crate::model::money::Price;

/// Prices by start; a start without a price is left out.
pub(super) type Prices = BTreeMap<StartId, Price>;

/// Returns the prices that the starts of these calls have recorded.
pub(super) fn prices_of(
    ledger: &impl ShowLedger,
    minutes: &[MinuteOfCalls],
) -> Result<Prices, LedgerError> {
    let runs: BTreeSet<RunId> = minutes.iter().map(|minute| minute.run).collect();
    let mut prices = Prices::new();
    for run in runs {
        let record = ledger.run_record(run)?;
        let starts = record.iter().flat_map(|record| &record.starts);
        prices.extend(starts.filter_map(|start| Some((start.id, start.price()?))));
    }
    Ok(prices)
}
