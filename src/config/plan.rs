//! What is meant by the flags of `ceknik plan`. No secret is looked for: nobody is called.

use std::path::PathBuf;

use super::values::{flawed, night, percent, rate_or_default};
use super::{InputFrom, Origins, Reuse, max_charges, price, reading, reuse, screen};
use crate::cli::PlanArgs;
use crate::error::Error;
use crate::input;
use crate::ledger::Location;
use crate::model::money::Price;
use crate::rules::estimate::Share;
use crate::rules::retry::RetryPolicy;
use crate::term;

/// A plan as it is meant.
pub struct PlanConfig {
    /// The configuration file that was read, if there was one.
    pub settings: Option<PathBuf>,
    /// The input.
    pub input: InputFrom,
    /// How it is read.
    pub reading: input::Options,
    /// Whether findings that stop a damaged file are passed over.
    pub force: bool,
    /// Where facts are kept, if there are any.
    pub ledger: Location,
    /// What is not asked again.
    pub reuse: Reuse,
    /// When a pair is not asked again in a run; how long a back-off takes does not matter here.
    pub retry: RetryPolicy,
    /// What a charged call costs.
    pub price: Option<Price>,
    /// Charged calls that the run may make.
    pub max_charges: Option<u64>,
    /// The run stops where more of its first verdicts than this share, in percent, are mismatches.
    pub most_mismatches: Option<u8>,
    /// The share of calls that is charged, if the user says it.
    pub charge_share: Option<Share>,
    /// Calls a second; `None` is unlimited.
    pub rate: Option<f64>,
    /// Seconds of a night.
    pub night: Option<u64>,
    /// Whether the plan is wanted as JSON.
    pub json: bool,
    /// How things are shown.
    pub screen: term::Options,
}

impl PlanConfig {
    /// Makes sense of the flags.
    ///
    /// # Errors
    /// What cannot be meant: exit code 2 or 11.
    pub fn new(args: &PlanArgs, origins: &Origins) -> Result<Self, Error> {
        let forecast = &args.forecast;
        let price = price(&args.money)?;
        let most_mismatches = args.money.stop_if_mismatch_over.as_deref();
        let charge_share = forecast.charge_share.as_deref().map(Share::parse).transpose();
        let none = std::time::Duration::ZERO;
        Ok(Self {
            settings: super::file::used(args.which.config.as_deref()),
            input: InputFrom::named(&args.input),
            reading: reading(&args.reading)?,
            force: args.reading.force,
            ledger: super::which_ledger(&args.which, args.key_file.clone(), origins)?,
            reuse: reuse(&args.reuse)?,
            retry: RetryPolicy { max_attempts: forecast.max_attempts, base: none, cap: none },
            max_charges: max_charges(&args.money, price.as_ref())?,
            most_mismatches: most_mismatches.map(percent).transpose()?,
            charge_share: charge_share.map_err(flawed("--charge-share"))?,
            rate: rate_or_default(forecast.rate.as_deref(), args.which.sandbox)?,
            night: forecast.hours.as_deref().map(night).transpose()?,
            json: args.json,
            screen: screen(&args.screen, false),
            price,
        })
    }
}
