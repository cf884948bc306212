//! The summary: the last words as JSON, for machines. Its shape is versioned.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::fs::AtomicFile;
use crate::model::exit_code::ExitCode;
use crate::model::funnel::Funnel;
use crate::model::latency::Latency;
use crate::model::money::{Price, Tally};
use crate::model::outcome::OutcomeCounts;

/// Everything a start has to say at its end.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Of this shape.
    pub version: u32,
    /// The run in the ledger.
    pub run: u64,
    /// How many starts the run had, this one included.
    pub starts: u64,
    /// `finished`, or why this start stopped.
    pub ended: &'static str,
    /// The exit code.
    pub exit: ExitCode,
    /// Where the calls went.
    pub origin: String,
    /// The output that was written, if one was.
    pub output: Option<String>,
    /// Rows by outcome; they add up to `rows`. None where no output could be written.
    pub outcomes: Option<OutcomeCounts>,
    /// Rows of the input.
    pub rows: u64,
    /// Rejected rows by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Rows with a warning, by warning.
    pub warnings: BTreeMap<&'static str, u64>,
    /// Rows whose name was cleaned before it was sent.
    pub names_cleaned: u64,
    /// Whether 95 % or more of the run's first 200 verdicts are `failed`.
    pub mostly_failed: bool,
    /// Where the rows went when this start began.
    pub funnel: Funnel,
    /// What the run cost, all its starts together.
    pub spending: Spending,
    /// Calls of this start.
    pub calls: u64,
    /// Of them, calls that were not the first of their pair.
    pub retries: u64,
    /// How often the vendor asked to slow down in this start.
    pub rate_limit_waits: u64,
    /// How long this start took, in seconds, the waits included.
    pub seconds: f64,
    /// Calls a second while calls were made.
    pub calls_per_second: f64,
    /// How long answers took.
    pub latency: Option<Latency>,
    /// The last failure on the way to the vendor, if there was one.
    pub last_failure: Option<String>,
}

/// What a run cost.
#[derive(Debug, Clone, Serialize)]
pub struct Spending {
    /// Calls, attempts and charges, counted.
    #[serde(flatten)]
    pub tally: Tally,
    /// Charged calls on the invoice, at least.
    pub owed_at_least: u64,
    /// Charged calls on the invoice, at most.
    pub owed_at_most: u64,
    /// The same in money, where a price is set.
    pub money: Option<Money>,
}

/// Amounts in minor units of a currency.
#[derive(Debug, Clone, Serialize)]
pub struct Money {
    /// The three-letter code.
    pub currency: String,
    /// One charged call.
    pub price: u64,
    /// What is owed, at least.
    pub at_least: u64,
    /// What is owed, at most.
    pub at_most: u64,
}

impl Spending {
    /// Of a tally, and the price where one is set.
    pub fn of(tally: Tally, price: Option<&Price>) -> Self {
        let amount = |price: &Price, calls| u64::try_from(price.of(calls)).unwrap_or(u64::MAX);
        Self {
            tally,
            owed_at_least: tally.at_least(),
            owed_at_most: tally.at_most(),
            money: price.map(|price| Money {
                currency: price.currency.code().to_owned(),
                price: price.per_call,
                at_least: amount(price, tally.at_least()),
                at_most: amount(price, tally.at_most()),
            }),
        }
    }
}

impl Summary {
    /// The version of the shape.
    pub const VERSION: u32 = 1;

    /// Writes it as JSON, in one step.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut file = AtomicFile::beside(path)?;
        file.write_all(&text)?;
        file.put(path)
    }
}
