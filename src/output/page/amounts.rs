//! Amounts of a run whose starts may have had different prices.
//!
//! Must hold: amounts of different currencies are never added.

use std::collections::BTreeMap;

use super::facts::RunFacts;
use crate::model::money::{Currency, Price, Tally};
use crate::model::tax::Tax;

/// Text for an amount whose price is not known.
const NO_PRICE: &str = "no price";

/// Sums of money, one for each currency.
#[derive(Debug, Default)]
pub(super) struct Amounts {
    sums: BTreeMap<String, (Currency, u128)>,
    /// True if calls without a price were added.
    has_unpriced: bool,
}

impl Amounts {
    pub(super) fn add(&mut self, calls: u64, price: Option<&Price>) {
        match price {
            None => self.has_unpriced |= calls > 0,
            Some(price) => {
                let code = price.currency.code().to_owned();
                let none = || (price.currency.clone(), 0);
                self.sums.entry(code).or_insert_with(none).1 += price.of(calls);
            }
        }
    }

    /// Formats the sums: `Rp1.500`, `Rp1.500 + USD 2.00`, `Rp1.500 and calls without a price`,
    /// `no price`.
    pub(super) fn show(&self) -> String {
        self.show_each(|sum| sum)
    }

    /// Formats the sums with the tax on them.
    pub(super) fn show_with(&self, tax: Tax) -> String {
        self.show_each(|sum| sum + tax.on(sum))
    }

    fn show_each(&self, of: impl Fn(u128) -> u128) -> String {
        let shown: Vec<String> =
            self.sums.values().map(|(currency, sum)| currency.show(of(*sum))).collect();
        match (shown.is_empty(), self.has_unpriced) {
            (true, _) => NO_PRICE.to_owned(),
            (false, true) => format!("{} and calls without a price", shown.join(" + ")),
            (false, false) => shown.join(" + "),
        }
    }
}

/// Formats the price of some calls of each start: `of` returns their number.
pub(super) fn amount(facts: &RunFacts, of: impl Fn(&Tally) -> u64) -> String {
    amounts(facts, of).show()
}

/// Sums up the price of some calls of each start: `of` returns their number.
pub(super) fn amounts(facts: &RunFacts, of: impl Fn(&Tally) -> u64) -> Amounts {
    let mut amounts = Amounts::default();
    for (n, start) in facts.starts.iter().enumerate() {
        amounts.add(of(&start.tally), facts.price_of(n).as_ref());
    }
    amounts
}
