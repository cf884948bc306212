//! The settings of `ceknik plan`.
//!
//! Never: looks for the secrets of the vendor. A plan calls nobody.

use std::time::Duration;

use super::{JobConfig, Origins, screen};
use crate::cli::PlanArgs;
use crate::error::Error;
use crate::rules::estimate::Share;
use crate::term;

/// Settings of `ceknik plan`.
pub struct PlanConfig {
    /// Settings that `run` has too.
    pub job: JobConfig,
    /// Share of calls that is charged, if the user gave it.
    pub charge_share: Option<Share>,
    /// Length of a night, for the number of nights that the calls take.
    pub night: Option<Duration>,
    /// True if the plan is written as JSON.
    pub json: bool,
    /// Settings of the display.
    pub screen: term::ScreenOptions,
}

impl PlanConfig {
    /// Converts the flags. Flags of `run` that do not change the plan are ignored.
    ///
    /// # Errors
    /// Exit code 2: an amount or the timeout cannot be used, an amount has no price, or
    /// `--base-url` or `--ca-cert` was typed together with `--sandbox`. Exit code 11: the vendor's
    /// address cannot be used, no folder for the ledger is known, or the ledger or its key file is
    /// a link that leads nowhere.
    pub fn new(args: &PlanArgs, origins: &Origins) -> Result<Self, Error> {
        let job = JobConfig::new(&args.run, origins)?;
        Ok(Self {
            charge_share: args.forecast.charge_share,
            night: args.forecast.hours,
            json: args.json,
            screen: screen(&args.run.screen, false, &job.zone),
            job,
        })
    }
}
