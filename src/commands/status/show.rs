//! Forms in which `status` shows values.

use jiff::ToSpan;
use serde_json::Value;

use crate::error::Error;
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::money::{Tally, number};
use crate::model::zone::Zone;

/// Returns an amount for JSON. One above `u64::MAX` becomes `u64::MAX`.
pub(super) fn in_json(amount: u128) -> u64 {
    amount.try_into().unwrap_or(u64::MAX)
}

/// Formats a value as JSON, one field a line.
pub(super) fn to_json(value: &Value) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Error::plain(ExitCode::Internal, format!("the status cannot be written as JSON: {error}"))
    })?;
    Ok(text + "\n")
}

/// Returns the figures of a tally that are listed: calls, charged and possible.
pub(super) fn sums(tally: &Tally) -> [String; 3] {
    [tally.calls, tally.confirmed, tally.possible.total()].map(number)
}

pub(super) fn stamp(at: WallMs, zone: &Zone) -> String {
    zone.show(at, "%FT%T%:z")
}

pub(super) fn date(day: i64) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.checked_add(day.days()).map(|date| date.to_string()).unwrap_or_default()
}
