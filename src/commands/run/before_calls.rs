//! What happens before the first call: the forecast is shown, and the user is asked.
//!
//! Must hold: nothing has happened if the user does not agree.

use super::{Setting, Start};
use crate::commands::stages::{Assumptions, ReuseRules, fold, forecast, plan_exit};
use crate::commands::{interrupted, preamble};
use crate::error::Error;
use crate::ledger::{FoundRun, Ledger};
use crate::model::exit_code::ExitCode;
use crate::model::finding::Finding;
use crate::model::funnel::Funnel;
use crate::output::{Event, Plan, consent_question};
use crate::passes::{Input, Known, PassError, Survey};
use crate::rules::estimate::{Consent, History, Threshold, consent, says_yes};
use crate::rules::forecast::Forecast;
use crate::rules::rate::Learned;
use crate::term::Screen;

impl Start<'_> {
    /// Folds the known facts, shows the forecast and asks the user. On a shared ledger, other
    /// workers may change what is left to be sent while a person is asked: then the facts are folded
    /// again, and the person is asked again if it has become more.
    ///
    /// # Errors
    /// Those of [`fold`] and of [`Self::confirm`].
    pub(super) fn fold_and_agree<L: Ledger>(
        &self,
        input: &mut Input,
        surveyed: &mut Survey,
        ledger: &mut L,
        found: &FoundRun,
        rules: ReuseRules<'_>,
        learned: Option<Learned>,
    ) -> Result<(Known, Funnel), Error> {
        let Setting { config, interrupts, .. } = self.setting;
        let job = &config.job;
        let is_stopped = || interrupts.count() > 0;
        let mut agreed = None;
        loop {
            let known = fold(input, surveyed, ledger, found, rules, &is_stopped)
                .map_err(|error| interrupted(error, interrupts))?;
            let funnel = surveyed.funnel()?;
            let history = if funnel.to_send > 0 { ledger.history()? } else { History::default() };
            let none = Assumptions::default();
            let forecast = forecast(job, surveyed, funnel, known, history, learned, none);
            if agreed.is_none() {
                self.show_forecast(found, input, surveyed, &forecast);
                if funnel.to_send > 0 {
                    self.setting.screen.say(&preamble::rate(&job.engine.rate, learned));
                }
            }
            let most = forecast.most_charges();
            if agreed.is_some_and(|agreed| most <= agreed) || !self.confirm(&forecast)? {
                return Ok((known, funnel));
            }
            if !rules.is_shared {
                return Ok((known, funnel));
            }
            agreed = Some(most);
        }
    }

    /// Shows the forecast to a person, and records it as an event, in the shape of `ceknik plan
    /// --json`.
    fn show_forecast(
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
            findings: &without_values(&surveyed.findings),
            // Calls of earlier starts without an answer are doubts by now.
            unsettled: 0,
            stops_at: None,
            exit: plan_exit(job.force, surveyed, forecast),
        };
        screen.record(&Event::Plan { plan: &plan });
    }

    /// Asks the user before the first call of a live start, unless the user has agreed to the price
    /// or to a limit beforehand. Returns `true` if the user was asked, and said yes.
    ///
    /// # Errors
    /// Exit code 13: the answer was not yes. A signal ends the question with the exit code of the
    /// signal.
    fn confirm(&self, forecast: &Forecast) -> Result<bool, Error> {
        let Setting { config, screen, interrupts, .. } = self.setting;
        if forecast.braked || preamble::has_passed(config.deadline) {
            // Nothing is sent.
            return Ok(false);
        }
        let (job, price) = (&config.job, forecast.price.as_ref());
        let most = forecast.most_charges();
        let threshold = Threshold::of(config.confirm_above, price.map(|price| price.of(most)));
        // The user who began the run that this start helps has agreed to its price.
        let can_ask = job.vendor.is_live() && !config.yes && !config.joins && Screen::can_ask();
        let is_limited = job.engine.max_charges.is_some() || job.engine.max_calls.is_some();
        if consent(most, threshold, is_limited, can_ask) == Consent::Given {
            return Ok(false);
        }
        match screen.ask(&consent_question(forecast), &|| interrupts.count() > 0) {
            Some(line) if says_yes(&line) => Ok(true),
            Some(_) => Err(Error::new(
                ExitCode::Budget,
                "you did not answer yes: nothing was sent, and nothing was charged",
                "--limit 20 tries a few rows; --max-cost or --max-charges sets a limit; --yes sends without asking",
            )),
            None => Err(Error {
                message: "interrupted: nothing was sent, and no run was begun".to_owned(),
                ..interrupted(PassError::Interrupted, interrupts)
            }),
        }
    }
}

/// Returns the findings without the masked values of cells, which belong on the user's own terminal
/// and not in a log.
fn without_values(findings: &[Finding]) -> Vec<Finding> {
    let mut findings = findings.to_vec();
    for place in findings.iter_mut().flat_map(|finding| &mut finding.places) {
        place.value.clear();
    }
    findings
}
