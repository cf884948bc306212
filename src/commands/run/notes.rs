//! The notes that a start makes of itself in the ledger: its settings, the result of the survey, the
//! program and its operator.
//!
//! Never: notes a NIK, a name, a secret, a header or the name of a sheet.

use super::report::warnings;
use crate::config::{JobConfig, RunConfig, Vendor};
use crate::input::{Layout, Source};
use crate::ledger::StartNotes;
use crate::model::attempt::WallMs;
use crate::model::funnel::Funnel;
use crate::model::settings::Settings;
use crate::output::SurveyRecord;
use crate::passes::{Input, Survey};

/// Returns the settings that are in effect, as they are recorded. `now` is the time of the start.
pub(super) fn settings(
    config: &RunConfig,
    source: &Source,
    layout: &Layout,
    now: WallMs,
) -> Settings {
    let JobConfig { engine, reuse, price, zone, .. } = &config.job;
    let (Vendor::Sandbox(calls) | Vendor::Live { calls, .. }) = &config.job.vendor;
    let show = |at: jiff::Timestamp| zone.show(WallMs(at.as_millisecond()), "%FT%T%:z");
    Settings {
        reading: layout.note_reading(source, &config.job.reading),
        force: config.job.force,
        body: engine.body.map_or("auto", |kind| kind.name()).to_owned(),
        rate: match (engine.rate.is_auto, engine.rate.cap) {
            (true, _) => "auto".to_owned(),
            (false, Some(rate)) => rate.to_string(),
            (false, None) => "unlimited".to_owned(),
        },
        rate_max: engine.rate.cap,
        concurrency: engine.concurrency as u64,
        max_attempts: engine.retry.max_attempts,
        backoff_seconds: engine.retry.base.as_secs_f64(),
        timeout_seconds: calls.timeout.as_secs_f64(),
        max_outage_seconds: engine.max_outage.as_secs_f64(),
        deadline: config.deadline.map(show),
        price: price.as_ref().map(|price| price.per_call),
        currency: price.as_ref().map(|price| price.currency.code().to_owned()),
        tax: config.job.tax.map(|tax| tax.plain()),
        max_charges: engine.max_charges,
        max_calls: engine.max_calls,
        stop_if_mismatch_over: engine.most_mismatches,
        reuse_seconds: reuse.answers.as_secs_f64(),
        reask_after_seconds: reuse.reask_after.as_secs_f64(),
        resend_doubts: reuse.resend_doubts,
        retry_refused: reuse.retry_refused,
        once: config.job.once.is_some(),
        join: config.joins,
        excel: config.output.is_for_spreadsheet(),
        time_zone: zone.name(now),
    }
}

/// Returns all notes of a start that begins.
pub(super) fn notes(
    settings: &Settings,
    operator: &str,
    input: &Input,
    surveyed: &Survey,
    funnel: &Funnel,
) -> StartNotes {
    let survey = SurveyRecord {
        funnel,
        rejected: &surveyed.counts.rejections,
        warnings: &warnings(surveyed),
        names_cleaned: surveyed.counts.names_changed,
        skipped: surveyed.skipped,
        findings: &surveyed.findings,
    };
    StartNotes {
        settings: settings.to_json(),
        survey: survey.to_json(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        operator: operator.to_owned(),
        input_sha256: input.source.sha256().to_owned(),
    }
}
