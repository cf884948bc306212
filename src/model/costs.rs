//! Costs of calls that were made at several prices, or without a known price.
//!
//! Must hold: calls without a price are counted apart, and are in no amount. Amounts of different
//! currencies are never added.

use std::collections::BTreeMap;

use super::money::{Currency, Price, Tally};

/// Amounts of one currency, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// The currency.
    pub currency: Currency,
    /// Amount that will surely be on the invoice.
    pub at_least: u128,
    /// Highest amount that may be on the invoice.
    pub at_most: u128,
}

/// Costs of calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Costs {
    amounts: BTreeMap<String, Amount>,
    /// Costs of the calls whose price is not known, in calls.
    pub unpriced: Tally,
}

impl Costs {
    /// Adds calls that were made at this price.
    pub fn add(&mut self, tally: &Tally, price: Option<&Price>) {
        let Some(Price { currency, .. }) = price else {
            self.unpriced = self.unpriced + *tally;
            return;
        };
        let of = |calls| price.map_or(0, |price| price.of(calls));
        let none = || Amount { currency: currency.clone(), at_least: 0, at_most: 0 };
        let amount = self.amounts.entry(currency.code().to_owned()).or_insert_with(none);
        amount.at_least += of(tally.at_least());
        amount.at_most += of(tally.at_most());
    }

    /// Returns the amounts, one for each currency.
    pub fn amounts(&self) -> impl Iterator<Item = &Amount> {
        self.amounts.values()
    }

    /// Checks whether some calls may be charged at a price that is not known.
    pub fn has_unpriced(&self) -> bool {
        self.unpriced.at_most() > 0
    }

    /// Formats the amounts that will surely be on the invoice; empty if no price is known.
    pub fn show_at_least(&self) -> String {
        self.show(|amount| amount.at_least)
    }

    /// Formats the highest amounts that may be on the invoice; empty if no price is known.
    pub fn show_at_most(&self) -> String {
        self.show(|amount| amount.at_most)
    }

    fn show(&self, of: impl Fn(&Amount) -> u128) -> String {
        let shown: Vec<_> = self.amounts().map(|amount| amount.currency.show(of(amount))).collect();
        shown.join(" + ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::Possible;

    #[test]
    fn prices_add_up_by_currency() {
        let price = |code: &str, per_call| {
            let currency = Currency::parse(code).unwrap();
            Price { per_call, currency }
        };
        let possible = Possible { in_doubt: 1, ..Possible::default() };
        let tally = Tally { calls: 5, confirmed: 3, possible, ..Tally::default() };
        let mut costs = Costs::default();
        assert_eq!((costs.show_at_least(), costs.has_unpriced()), (String::new(), false));
        costs.add(&tally, Some(&price("IDR", 1500)));
        costs.add(&tally, Some(&price("IDR", 1000)));
        costs.add(&tally, Some(&price("USD", 9)));
        costs.add(&tally, None);
        assert_eq!(costs.show_at_least(), "Rp7.500 + USD 0.27");
        assert_eq!(costs.show_at_most(), "Rp10.000 + USD 0.36");
        assert_eq!((costs.unpriced.calls, costs.has_unpriced()), (5, true));
    }
}
