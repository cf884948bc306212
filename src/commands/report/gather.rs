//! Gathers the facts of the page about a run from the ledger.
//!
//! Must hold: nothing is written, and no time of now is among the facts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::ToSpan;

use crate::error::Error;
use crate::ledger::{
    DAY_MS, Facts, LedgerError, MinuteOfCalls, PossibleCharge, RunId, RunLine, RunRecord,
    ShowLedger, StartRecord, VerdictsOf,
};
use crate::model::attempt::{PairKey, StartId, WallMs};
use crate::model::class::{Class, ResultCode};
use crate::model::exit_code::ExitCode;
use crate::model::finding::Finding;
use crate::model::mask::{mask_digits, mask_niks};
use crate::model::money::{Price, Tally};
use crate::model::texts::{Text, Texts};
use crate::model::zone::Zone;
use crate::output::page::{
    DoubtFacts, Doubts, Failure, HistoryFacts, MOST_DOUBTS, MOST_RUNS, Minute, PastRun,
    PricedCalls, RecordedSummary, RecordedSurvey, RunFacts, RunState, StartFacts, TrendRun,
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
    let unsettled = sums.values().map(|of_start| of_start.unsettled).sum();
    let doubts = Doubts { unsettled, ..newest_doubts(ledger, |possible| possible.run == run)? };
    let output_start = record.output_start().and_then(|start| places.get(&start.id)).copied();
    Ok(RunFacts {
        run: run.0,
        input: mask_digits(&record.label).into_owned(),
        rows: record.rows,
        state: state_of(&record.state),
        began_at: record.created_at,
        ended_at: record.ended_at,
        origin: status.origin.clone(),
        starts: record.starts.iter().map(start_of).collect(),
        output_start,
        minutes: minutes.collect(),
        failures: failures
            .map(|count| Failure {
                class: count.class,
                attempts: count.attempts,
                pairs: count.pairs,
            })
            .collect(),
        latencies: ledger.run_latencies(run)?,
        doubts,
        trend: trend(ledger, status.runs.iter().filter(|line| line.id <= run))?,
        changes: changes(ledger, run)?,
        findings: options.findings,
        zone: options.zone,
        given_price: options.price,
    })
}

/// Gathers the facts about all runs that began since a time, and their calls.
///
/// # Errors
/// The error of the ledger, if it cannot be read.
pub(super) fn gather_history(
    ledger: &mut (impl ShowLedger + Facts),
    since: WallMs,
    options: PageOptions,
) -> Result<HistoryFacts, LedgerError> {
    let status = ledger.status(0, 0)?;
    let clock = ledger.vendor_clock()?;
    let days = BillingDays { clock, zone: options.zone.clone(), starts_at: 0 };
    let calls = ledger.calls(since, WallMs(i64::MAX))?;
    let unsettled = calls.unsettled;
    let past = |line: &&RunLine| line.created_at >= since;
    let runs = status.runs.iter().filter(past);
    let purged = calls.purged.iter().filter(|total| total.day >= since.0.div_euclid(DAY_MS));
    let day = |day: i64| jiff::civil::date(1970, 1, 1).checked_add(day.days()).ok();
    Ok(HistoryFacts {
        since,
        origin: status.origin.clone(),
        runs: runs.clone().map(past_run).collect(),
        purged: purged.filter_map(|total| Some((day(total.day)?, total.tally))).collect(),
        calls: priced_calls(ledger, &calls.minutes, &days, options.price)?,
        doubts: Doubts {
            unsettled,
            ..newest_doubts(ledger, |possible| possible.sent_at >= since)?
        },
        trend: trend(ledger, runs)?,
        zone: options.zone,
    })
}

fn past_run(line: &RunLine) -> PastRun {
    PastRun {
        run: line.id.0,
        input: mask_digits(&line.label).into_owned(),
        state: state_of(&line.state),
        rows: line.rows,
        began_at: line.created_at,
        ended_at: line.ended_at,
        starts: line.starts,
        stop: line.last_stop.clone(),
        tally: line.tally,
    }
}

/// Sums up calls by billing day and price.
fn priced_calls(
    ledger: &impl ShowLedger,
    minutes: &[MinuteOfCalls],
    days: &BillingDays,
    given: Option<Price>,
) -> Result<Vec<PricedCalls>, LedgerError> {
    let runs: BTreeSet<RunId> = minutes.iter().map(|minute| minute.run).collect();
    let mut prices: BTreeMap<StartId, Option<Price>> = BTreeMap::new();
    for run in runs {
        let record = ledger.run_record(run)?;
        let starts = record.iter().flat_map(|record| &record.starts);
        prices.extend(starts.map(|start| (start.id, start.price())));
    }
    let mut sums = BTreeMap::new();
    for minute in minutes {
        let day = days.day_of(minute.vendor_minute.as_deref(), minute.at).map(|day| day.date);
        let price = prices.get(&minute.start).cloned().flatten().or_else(|| given.clone());
        let of = |price: &Price| (price.currency.code().to_owned(), price.per_call);
        let key = (day, price.as_ref().map(of));
        let none = || PricedCalls { day, price, latest: minute.at, tally: Tally::default() };
        let calls = sums.entry(key).or_insert_with(none);
        calls.tally = calls.tally + minute.tally;
        calls.latest = calls.latest.max(minute.at);
    }
    Ok(sums.into_values().collect())
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

/// Returns the calls whose charge is not known, of those that are wanted.
fn newest_doubts(
    ledger: &mut impl Facts,
    is_wanted: impl Fn(&PossibleCharge) -> bool,
) -> Result<Doubts, LedgerError> {
    let (mut total, mut newest) = (0, VecDeque::new());
    ledger.visit_possible(&mut |possible| {
        if is_wanted(&possible) {
            total += 1;
            newest.truncate(MOST_DOUBTS - 1);
            newest.push_front(doubt_of(possible));
        }
    })?;
    Ok(Doubts { total, newest: newest.into(), unsettled: 0 })
}

fn state_of(word: &str) -> RunState {
    match word {
        "finished" => RunState::Finished,
        "superseded" => RunState::TakenOver,
        _ => RunState::Open,
    }
}

fn doubt_of(possible: PossibleCharge) -> DoubtFacts {
    let PossibleCharge { run: RunId(run), record, sent_at, class, texts, .. } = possible;
    DoubtFacts { run, record, sent_at, class, reference: reference(&texts) }
}

/// Returns the order number or the request id. One that echoes the customer is left out.
fn reference(texts: &Texts) -> Option<String> {
    let text = texts.get(Text::OrderNo).or_else(|| texts.get(Text::RequestId))?;
    (!is_concealed(texts)).then(|| mask_niks(text).into_owned())
}

/// Returns the latest finished ones of these runs, oldest first.
fn trend<'a>(
    ledger: &impl ShowLedger,
    lines: impl DoubleEndedIterator<Item = &'a RunLine>,
) -> Result<Vec<TrendRun>, LedgerError> {
    let finished = lines.filter(|line| line.state == "finished");
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
