//! Amounts of a run whose starts may have had different prices.
//!
//! Must hold: amounts of different currencies are never added.

use std::collections::BTreeMap;

use super::facts::RunFacts;
use crate::model::money::{Currency, Price, Tally};

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

    /// Formats the sums: `Rp1.500`, `Rp1.500 + USD 2.00`, `no price`.
    pub(super) fn show(&self) -> String {
        let mut shown: Vec<String> =
            self.sums.values().map(|(currency, sum)| currency.show(*sum)).collect();
        if self.has_unpriced || shown.is_empty() {
            shown.push(NO_PRICE.to_owned());
        }
        shown.join(" + ")
    }
}

/// Formats the price of some calls of each start: `of` returns their number.
pub(super) fn amount(facts: &RunFacts, of: impl Fn(&Tally) -> u64) -> String {
    let mut amounts = Amounts::default();
    for (n, start) in facts.starts.iter().enumerate() {
        amounts.add(of(&start.tally), facts.price_of(n).as_ref());
    }
    amounts.show()
}
