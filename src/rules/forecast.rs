//! The forecast of a start, which `plan` and `run` show before the first call: the calls that will
//! be sent, their cost, and the time that they take.

use std::time::Duration;

use super::estimate::{Basis, Charges, Fit, max_charges_in_start, nights, seconds};
use crate::model::attempt::WallMs;
use crate::model::funnel::{Ages, Funnel};
use crate::model::money::{Price, Tally};
use crate::model::row::RejectionCounts;
use crate::model::tax::Tax;
use crate::model::zone::Zone;

/// Forecast of a start: the calls that it will send, their cost, and the time that they take.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Number of rows by what will be done with them.
    pub funnel: Funnel,
    /// Rejected rows by reason.
    pub rejections: RejectionCounts,
    /// Reused answers by age.
    pub ages: Ages,
    /// Costs of the run so far.
    pub tally: Tally,
    /// Charges of the calls to be sent.
    pub charges: Charges,
    /// Basis of the expected charges.
    pub basis: Basis,
    /// Price of a charged call, if it is known.
    pub price: Option<Price>,
    /// Tax on top of the price.
    pub tax: Option<Tax>,
    /// Maximum number of calls of the start.
    pub max_calls: Option<u64>,
    /// Time that the calls to be sent take.
    pub pace: Pace,
    /// Comparison of the calls to be sent with the budget; `None` if there is no budget.
    pub fit: Option<Fit>,
    /// True if nothing is sent although there are calls to be sent, because too many of the run's
    /// first verdicts are mismatches.
    pub braked: bool,
}

impl Forecast {
    /// Returns the highest number of charged calls of the start: the calls to be sent, but not more
    /// than the rest of the budget or the limit of the start. Errors of a gateway can add some.
    pub fn most_charges(&self) -> u64 {
        max_charges_in_start(self.charges.at_most, self.fit, self.max_calls)
    }
}

/// Time that the calls to be sent take.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// Calls per second; `None` if there is no limit.
    pub rate: Option<f64>,
    /// Shortest time that the calls take at this rate, in seconds.
    pub seconds: Option<u64>,
    /// Time at which the calls are done if they begin now, such as `05:12 (UTC+07:00)`.
    pub finish: Option<String>,
    /// Number of nights that the calls take, and the length of a night in seconds.
    pub nights: Option<(u64, u64)>,
}

impl Pace {
    /// Returns the time that `calls` calls take at `rate` calls per second if they begin `now`, and
    /// the number of nights of this length. Times are shown in `zone`.
    pub fn of(
        calls: u64,
        rate: Option<f64>,
        night: Option<Duration>,
        now: WallMs,
        zone: &Zone,
    ) -> Self {
        let seconds = rate.map(|rate| seconds(calls, rate));
        let night = night.map(|night| night.as_secs());
        Self {
            rate,
            seconds,
            finish: seconds.and_then(|seconds| format_finish(now, seconds, zone)),
            nights: seconds.zip(night).map(|(seconds, night)| (nights(seconds, night), night)),
        }
    }
}

/// Formats the time `seconds` after `now`. Returns `None` if the time is beyond the range of the
/// calendar.
fn format_finish(now: WallMs, seconds: u64, zone: &Zone) -> Option<String> {
    let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?;
    let then = WallMs(now.0.checked_add(millis)?);
    Some(zone.show_clock(then, now)).filter(|shown| !shown.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finish_on_the_clock() {
        let zone = Zone::parse("WIB").unwrap();
        // 22:00 in Jakarta.
        let now = WallMs(1_795_446_000_000);
        for (seconds, shown) in [
            (0, Some("22:00 (UTC+07:00)")),
            (3600, Some("23:00 (UTC+07:00)")),
            (8 * 3600, Some("Tue 2026-11-24 06:00 (UTC+07:00)")),
            (u64::MAX, None),
            (1_000_000_000_000, None),
        ] {
            assert_eq!(format_finish(now, seconds, &zone).as_deref(), shown, "{seconds}");
        }
    }
}
