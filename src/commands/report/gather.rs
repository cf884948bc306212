//! Gathers the facts of the page about a run from the ledger.
//!
//! Must hold: nothing is written, and no time of now is among the facts.

use std::collections::{BTreeMap, VecDeque};

use crate::error::Error;
use crate::ledger::{
    Facts, LedgerError, MinuteOfCalls, PossibleCharge, RunId, RunRecord, ShowLedger, StartRecord,
    Status, VerdictsOf,
};
use crate::model::attempt::{PairKey, StartId};
use crate::model::class::{Class, ResultCode};
use crate::model::exit_code::ExitCode;
use crate::model::finding::Finding;
use crate::model::mask::{mask_digits, mask_niks};
use crate::model::money::Price;
use crate::model::texts::{Text, Texts};
use crate::model::zone::Zone;
use crate::output::page::{
    DoubtFacts, Failure, MOST_DOUBTS, MOST_RUNS, Minute, RecordedSummary, RecordedSurvey, RunFacts,
    RunState, StartFacts, TrendRun,
};
use crate::rules::echo::is_concealed;
use crate::rules::vendor_clock::BillingDays;

/// Settings of a page, which the ledger does not know.
pub(crate) struct PageOptions {
    pub(crate) zone: Zone,
    /// Price of runs that recorded none.
    pub(crate) price: Option<Price>,
    /// Findings of the survey with masked values, if the input is at hand.
    pub(crate) findings: Option<Vec<Finding>>,
}

/// Returns the record of a run, or of the latest one.
///
/// # Errors
/// Exit code 10: the ledger has no such run.
pub(super) fn record_of(
    ledger: &impl ShowLedger,
    wanted: Option<RunId>,
) -> Result<RunRecord, Error> {
    let latest = || Ok::<_, LedgerError>(ledger.status(0, 0)?.runs.last().map(|line| line.id));
    let run = match wanted {
        Some(run) => Some(run),
        None => latest()?,
    };
    let record = run.map(|run| ledger.run_record(run)).transpose()?.flatten();
    record.ok_or_else(|| {
        let what = match wanted {
            Some(RunId(run)) => format!("the ledger has no run {run}"),
            None => "the ledger has no runs yet".to_owned(),
        };
        Error::new(ExitCode::Input, what, "`ceknik status --all` lists its runs")
    })
}

/// Gathers the facts about one run.
///
/// # Errors
/// The error of the ledger, if it cannot be read.
pub(crate) fn gather(
    ledger: &mut (impl ShowLedger + Facts),
    record: &RunRecord,
    options: PageOptions,
) -> Result<RunFacts, LedgerError> {
    let run = record.id;
    let status = ledger.status(0, 0)?;
    let clock = ledger.vendor_clock()?;
    let days = BillingDays { clock, zone: options.zone.clone(), starts_at: 0 };
    let places: BTreeMap<StartId, usize> =
        record.starts.iter().enumerate().map(|(at, start)| (start.id, at)).collect();
    let calls = ledger.run_calls(run)?;
    let minutes = calls.into_iter().filter_map(|minute| minute_of(minute, &places, &days));
    let sums = ledger.start_sums(run)?;
    let failures = ledger.run_failures(run)?.into_iter();
    let (doubts, newest) = newest_doubts(ledger, run)?;
    let output_start = record.output_start().and_then(|start| places.get(&start.id)).copied();
    Ok(RunFacts {
        run: run.0,
        input: mask_digits(&record.label).into_owned(),
        rows: record.rows,
        state: match record.state.as_str() {
            "finished" => RunState::Finished,
            "superseded" => RunState::TakenOver,
            _ => RunState::Open,
        },
        began_at: record.created_at,
        ended_at: record.ended_at,
        origin: status.origin.clone(),
        starts: record.starts.iter().map(start_of).collect(),
        output_start,
        minutes: minutes.collect(),
        unsettled: sums.values().map(|of_start| of_start.unsettled).sum(),
        failures: failures
            .map(|count| Failure {
                class: count.class,
                attempts: count.attempts,
                pairs: count.pairs,
            })
            .collect(),
        latencies: ledger.run_latencies(run)?,
        doubts,
        newest_doubts: newest,
        trend: trend(ledger, &status, run)?,
        changes: changes(ledger, run)?,
        findings: options.findings,
        zone: options.zone,
        given_price: options.price,
    })
}

fn minute_of(
    minute: MinuteOfCalls,
    places: &BTreeMap<StartId, usize>,
    days: &BillingDays,
) -> Option<Minute> {
    let day = days.day_of(minute.vendor_minute.as_deref(), minute.at).map(|day| day.date);
    let start = *places.get(&minute.start)?;
    Some(Minute { start, at: minute.at, day, tally: minute.tally })
}

fn start_of(start: &StartRecord) -> StartFacts {
    let notes = start.notes.as_ref();
    StartFacts {
        host: start.host.clone().filter(|host| !host.is_empty()),
        began_at: start.began_at,
        ended_at: start.ended_at,
        stop: start.stop.clone(),
        exit: start.exit,
        by: notes.map(|notes| (notes.version.clone(), notes.operator.clone())),
        input_sha256: notes.map(|notes| notes.input_sha256.clone()),
        settings: start.settings(),
        survey: notes.and_then(|notes| parsed::<RecordedSurvey>(&notes.survey)),
        summary: start.summary.as_deref().and_then(parsed::<RecordedSummary>),
        pauses: start.pauses.clone(),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// Returns the number of calls of a run whose charge is not known, and the newest of them, newest
/// first.
fn newest_doubts(
    ledger: &mut impl Facts,
    run: RunId,
) -> Result<(u64, Vec<DoubtFacts>), LedgerError> {
    let (mut all, mut newest) = (0, VecDeque::new());
    ledger.visit_possible(&mut |possible| {
        if possible.run == run {
            all += 1;
            newest.truncate(MOST_DOUBTS - 1);
            newest.push_front(doubt_of(possible));
        }
    })?;
    Ok((all, newest.into()))
}

fn doubt_of(possible: PossibleCharge) -> DoubtFacts {
    let PossibleCharge { record, sent_at, class, texts, .. } = possible;
    DoubtFacts { record, sent_at, class, reference: reference(&texts) }
}

/// Returns the order number or the request id. One that echoes the customer is left out.
fn reference(texts: &Texts) -> Option<String> {
    let text = texts.get(Text::OrderNo).or_else(|| texts.get(Text::RequestId))?;
    (!is_concealed(texts)).then(|| mask_niks(text).into_owned())
}

/// Returns the latest finished runs up to this one, oldest first.
fn trend(
    ledger: &impl ShowLedger,
    status: &Status,
    run: RunId,
) -> Result<Vec<TrendRun>, LedgerError> {
    let finished = status.runs.iter().filter(|line| line.state == "finished" && line.id <= run);
    let mut lines: Vec<_> = finished.rev().take(MOST_RUNS).collect();
    lines.reverse();
    let mut trend = Vec::new();
    for line in lines {
        let record = ledger.run_record(line.id)?;
        let summary = record.as_ref().and_then(|record| record.output_start()?.summary.as_deref());
        trend.push(TrendRun {
            run: line.id.0,
            began_at: line.created_at,
            rows: line.rows,
            tally: line.tally,
            summary: summary.and_then(parsed::<RecordedSummary>),
        });
    }
    Ok(trend)
}

/// Counts the pairs of a run whose result differs from the latest one of an earlier run.
fn changes(
    ledger: &impl ShowLedger,
    run: RunId,
) -> Result<Vec<(ResultCode, ResultCode, u64)>, LedgerError> {
    let mut pairs: Vec<(PairKey, ResultCode, Option<ResultCode>)> = Vec::new();
    ledger
        .visit_verdicts(VerdictsOf::Run(run), &mut |pair, code| pairs.push((pair, code, None)))?;
    // Of each pair the latest result counts, which is the last of equal keys.
    pairs.sort_by_key(|(pair, ..)| *pair);
    pairs.reverse();
    pairs.dedup_by_key(|(pair, ..)| *pair);
    pairs.reverse();
    ledger.visit_verdicts(VerdictsOf::Before(run), &mut |pair, code| {
        if let Ok(at) = pairs.binary_search_by_key(&pair, |(pair, ..)| *pair) {
            pairs[at].2 = Some(code);
        }
    })?;
    let mut counts: BTreeMap<(u8, u8), u64> = BTreeMap::new();
    for (_, is, was) in pairs {
        if let Some(was) = was.filter(|was| *was != is) {
            let code = |code| Class::Answered(code).code();
            *counts.entry((code(was), code(is))).or_default() += 1;
        }
    }
    let code = |code| match Class::from_code(code) {
        Some(Class::Answered(code)) => Some(code),
        _ => None,
    };
    let change = |((was, is), pairs)| Some((code(was)?, code(is)?, pairs));
    Ok(counts.into_iter().filter_map(change).collect())
}
