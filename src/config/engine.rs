//! The settings of the engine: the one place where its options are made.

use std::time::Duration;

use jiff::Timestamp;

use super::rate::RateChoice;
use super::values::amount;
use crate::cli::{BodyArg, MoneyArgs, RunArgs};
use crate::engine::{Deadline, EngineOptions};
use crate::error::Error;
use crate::model::attempt::WallMs;
use crate::model::money::Price;
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::breaker::BreakerPolicy;
use crate::rules::rate::Learned;
use crate::rules::retry::RetryPolicy;
use crate::rules::throttle::ThrottlePolicy;

/// Longest backoff, unless the vendor itself asks for a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// Default first backoff for the vendor.
const LIVE_BACKOFF: Duration = Duration::from_millis(500);
/// Default first backoff for the sandbox.
const SANDBOX_BACKOFF: Duration = Duration::from_millis(100);
/// Longest outage, unless the user gives another one.
pub(super) const MAX_OUTAGE: Duration = Duration::from_secs(30 * 60);
/// Longest time for which a vendor that has answered refuses every call, unless the user gives
/// another one: its calls of an hour may be used up.
const MAX_REFUSALS: Duration = Duration::from_secs(65 * 60);

/// Settings of the engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Maximum number of calls in flight.
    pub concurrency: usize,
    /// Rules for asking rows again.
    pub retry: RetryPolicy,
    /// The rate of calls.
    pub rate: RateChoice,
    /// Longest outage before the run stops.
    pub max_outage: Duration,
    /// Longest time for which a vendor that has answered refuses every call before the run stops.
    pub max_refusals: Duration,
    /// Maximum number of confirmed and possible charges of the run, over all its starts.
    pub max_charges: Option<u64>,
    /// True if `--max-charges` is given.
    pub has_max_charges: bool,
    /// True if `--max-cost` is given.
    pub has_max_cost: bool,
    /// Maximum number of calls of a start.
    pub max_calls: Option<u64>,
    /// Percentage of mismatches among the first verdicts above which the run stops.
    pub most_mismatches: Option<u8>,
    /// Body kind of the calls; `None` if the run finds out which kind the vendor accepts.
    pub body: Option<BodyKind>,
}

impl EngineConfig {
    /// Converts the flags.
    ///
    /// # Errors
    /// Exit code 2: `--max-cost` is not an amount, or is given without `--price`.
    pub(super) fn new(args: &RunArgs, price: Option<&Price>) -> Result<Self, Error> {
        let pace = &args.pace;
        let is_sandbox = args.vendor.address.sandbox;
        let backoff = if is_sandbox { SANDBOX_BACKOFF } else { LIVE_BACKOFF };
        let base = pace.backoff.unwrap_or(backoff);
        let cap = LONGEST_BACKOFF.max(base);
        Ok(Self {
            concurrency: pace.concurrency as usize,
            retry: RetryPolicy { max_attempts: pace.max_attempts, base, cap },
            rate: RateChoice::new(pace, is_sandbox),
            max_outage: pace.max_outage.unwrap_or(MAX_OUTAGE),
            max_refusals: pace.max_outage.unwrap_or(MAX_REFUSALS),
            max_charges: max_charges(&args.money, price)?,
            has_max_charges: args.money.max_charges.is_some(),
            has_max_cost: args.money.max_cost.is_some(),
            max_calls: args.start.limit,
            most_mismatches: args.money.stop_if_mismatch_over,
            body: match args.vendor.body {
                BodyArg::Auto => None,
                BodyArg::Json => Some(BodyKind::Json),
                BodyArg::Form => Some(BodyKind::Form),
            },
        })
    }

    /// Makes the options of a start that begins at the time `now`. `body` is what is known of the
    /// body kind that the vendor accepts, and `learned` of its limits.
    pub fn options(
        &self,
        body: BodyTrial,
        learned: Option<Learned>,
        deadline: Option<Timestamp>,
        now: Timestamp,
        seed: u64,
    ) -> EngineOptions {
        let Self { max_outage, max_refusals, .. } = *self;
        let rate = self.rate.policy(learned);
        let RetryPolicy { base, cap, .. } = self.retry;
        let deadline = deadline.map(|deadline| Deadline {
            after: deadline.duration_since(now).try_into().unwrap_or_default(),
            at: WallMs(deadline.as_millisecond()),
        });
        EngineOptions {
            concurrency: self.concurrency,
            retry: self.retry,
            breaker: BreakerPolicy { base: base * 2, cap, max_outage },
            throttle: ThrottlePolicy { rate, max_outage, max_refusals },
            max_charges: self.max_charges,
            max_calls: self.max_calls,
            most_mismatches: self.most_mismatches,
            deadline,
            body,
            lease: None,
            seed,
        }
    }
}

/// Returns the maximum number of charged calls of a run: the lower of `--max-charges` and
/// `--max-cost`. Returns `None` if neither is given.
fn max_charges(typed: &MoneyArgs, price: Option<&Price>) -> Result<Option<u64>, Error> {
    let cost = amount("--max-cost", typed.max_cost.as_deref(), price)?;
    let by_cost = cost.zip(price).map(|(cost, price)| cost / price.per_call);
    Ok([typed.max_charges, by_cost].into_iter().flatten().min())
}
