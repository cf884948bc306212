//! The costs of a run: calls counted, and the same in money where a price is set.
//!
//! Must hold: every place that shows what a run costs shows these figures.

use serde::{Serialize, Serializer};

use super::money::{Price, Tally};

/// Costs of a run, over all its starts.
///
/// As JSON: the fields of the tally, then `owed_at_least`, `owed_at_most` and `money`. Amounts of
/// money are in minor units.
#[derive(Debug, Clone)]
pub struct Spending {
    /// Calls, attempts and charges.
    pub tally: Tally,
    /// Price of a charged call, if it is known.
    pub price: Option<Price>,
}

impl Spending {
    /// Returns the number of charged calls that will surely be on the invoice.
    pub const fn owed_at_least(&self) -> u64 {
        self.tally.at_least()
    }

    /// Returns the highest number of charged calls that may be on the invoice.
    pub const fn owed_at_most(&self) -> u64 {
        self.tally.at_most()
    }

    /// Formats the price of `calls` charged calls as people write it; `None` without a price.
    pub fn show(&self, calls: u64) -> Option<String> {
        self.price.as_ref().map(|price| price.show(calls))
    }
}

/// Shape of [`Spending`] as JSON.
#[derive(Serialize)]
struct Shape<'a> {
    #[serde(flatten)]
    tally: &'a Tally,
    owed_at_least: u64,
    owed_at_most: u64,
    money: Option<Money<'a>>,
}

/// Amounts of money, in minor units of the currency.
#[derive(Serialize)]
struct Money<'a> {
    currency: &'a str,
    price: u64,
    at_least: u64,
    at_most: u64,
}

impl Serialize for Spending {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (owed_at_least, owed_at_most) = (self.owed_at_least(), self.owed_at_most());
        let amount = |price: &Price, calls| u64::try_from(price.of(calls)).unwrap_or(u64::MAX);
        let money = self.price.as_ref().map(|price| Money {
            currency: price.currency.code(),
            price: price.per_call,
            at_least: amount(price, owed_at_least),
            at_most: amount(price, owed_at_most),
        });
        Shape { tally: &self.tally, owed_at_least, owed_at_most, money }.serialize(to)
    }
}
