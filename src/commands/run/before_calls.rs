//! What happens before the first call: the forecast is shown, and the user is asked.
//!
//! Must hold: nothing has happened if the user does not agree.

use super::{Setting, Start};
use crate::commands::stages::plan_exit;
use crate::commands::{interrupted, preamble};
use crate::error::Error;
use crate::ledger::FoundRun;
use crate::model::exit_code::ExitCode;
use crate::output::{Event, Plan, consent_question};
use crate::passes::{Input, PassError, Survey};
use crate::rules::estimate::{Consent, Threshold, consent, max_charges_in_start, says_yes};
use crate::rules::forecast::Forecast;
use crate::term::Screen;

impl Start<'_> {
    /// Shows the forecast to a person, and records it as an event, in the shape of `ceknik plan
    /// --json`.
    pub(super) fn show_forecast(
        &self,
        found: &FoundRun,
        input: &Input,
        surveyed: &Survey,
        forecast: &Forecast,
    ) {
        let Setting { config, screen, .. } = self.setting;
        screen.say(&preamble::before(found, surveyed, forecast));
        let job = &config.job;
        let plan = Plan {
            forecast,
            origin: job.ledger.origin(),
            file: preamble::file_form(&input.source, &input.layout),
            warnings: &surveyed.counts.warnings,
            skipped: surveyed.skipped,
            findings: &surveyed.findings,
            // Calls of earlier starts without an answer are doubts by now.
            unsettled: 0,
            stops_at: None,
            exit: plan_exit(job.force, surveyed, forecast),
        };
        screen.record(&Event::Plan { plan: &plan });
    }

    /// Asks the user before the first call of a live start, unless the user has agreed to the price
    /// or to a limit beforehand.
    ///
    /// # Errors
    /// Exit code 13: the answer was not yes. A signal ends the question with the exit code of the
    /// signal.
    pub(super) fn confirm(&self, forecast: &Forecast) -> Result<(), Error> {
        let Setting { config, screen, interrupts, .. } = self.setting;
        if forecast.braked {
            // Nothing is sent.
            return Ok(());
        }
        let (job, price) = (&config.job, forecast.price.as_ref());
        let most =
            max_charges_in_start(forecast.charges.at_most, forecast.fit, job.engine.max_calls);
        let threshold = Threshold::of(config.confirm_above, price.map(|price| price.of(most)));
        // The user who began the run that this start helps has agreed to its price.
        let can_ask = job.vendor.is_live() && !config.yes && !config.joins && Screen::can_ask();
        let is_limited = job.engine.max_charges.is_some() || job.engine.max_calls.is_some();
        if consent(most, threshold, is_limited, can_ask) == Consent::Given {
            return Ok(());
        }
        match screen.ask(&consent_question(forecast, most), &|| interrupts.count() > 0) {
            Some(line) if says_yes(&line) => Ok(()),
            Some(_) => Err(Error::new(
                ExitCode::Budget,
                "you did not answer yes: nothing was sent, and nothing was charged",
                "--limit 20 tries a few rows; --max-cost or --max-charges sets a limit; --yes sends without asking",
            )),
            None => Err(interrupted(PassError::Interrupted, interrupts)),
        }
    }
}
