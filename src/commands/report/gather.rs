//! Gathers the facts of the page about a run from the ledger.
//!
//! Must hold: nothing is written, and no time of now is among the facts.

use std::collections::{BTreeMap, VecDeque};

use jiff::ToSpan;

use crate::commands::prices::prices_of;
use crate::error::Error;
use crate::ledger::{
    DayTotal, Facts, LedgerError, MinuteOfCalls, PossibleCharge, RunId, RunRecord, ShowLedger,
    StartRecord, VerdictsOf,
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
    /// Begin of the vendor's billing day, in minutes after midnight.
    pub(crate) day_starts: u16,
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
    let latest = || Ok::<_, LedgerError>(ledger.run_ids()?.last().copied());
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
        Error::new(ExitCode::Input, what, "`ceknik status --all` lists the runs")
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
    let clock = ledger.vendor_clock()?;
    let days = BillingDays { clock, zone: options.zone.clone(), starts_at: options.day_starts };
    let places: BTreeMap<StartId, usize> =
        record.starts.iter().enumerate().map(|(at, start)| (start.id, at)).collect();
    let calls = ledger.run_calls(run)?;
    let unsettled = calls.unsettled();
    let settled = calls.minutes.iter().map(|minute| minute.tally.calls).sum();
    let minutes = calls.all_minutes();
    let minutes: Vec<_> = minutes.filter_map(|minute| minute_of(minute, &places, &days)).collect();
    let mut starts: Vec<_> = record.starts.iter().map(start_of).collect();
    for (start, pair) in starts.iter_mut().zip(record.starts.windows(2)) {
        // On a shared ledger several starts can be under way at the same time.
        start.next_began_at = pair[0].host.is_none().then_some(pair[1].began_at);
    }
    for Minute { start, at, tally, .. } in &minutes {
        let start = &mut starts[*start];
        start.tally = start.tally + *tally;
        start.latest_call = start.latest_call.max(Some(*at));
    }
    let purged = record.purged(settled, &ledger.start_sums(run)?);
    let failures = ledger.run_failures(run)?.into_iter();
    let doubts = Doubts { unsettled, ..newest_doubts(ledger, |possible| possible.run == run)? };
    let output_start = record.output_start().and_then(|start| places.get(&start.id)).copied();
    Ok(RunFacts {
        run: run.0,
        input: mask_digits(&record.label).into_owned(),
        rows: record.rows,
        state: state_of(&record.state),
        began_at: record.created_at,
        ended_at: record.ended_at,
        origin: ledger.origin()?,
        starts,
        output_start,
        minutes,
        purged,
        failures: failures
            .map(|count| Failure {
                class: count.class,
                attempts: count.attempts,
                pairs: count.pairs,
            })
            .collect(),
        latencies: ledger.run_latencies(run)?,
        doubts,
        trend: trend(ledger, |record| record.id <= run)?,
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
    let clock = ledger.vendor_clock()?;
    let days = BillingDays { clock, zone: options.zone.clone(), starts_at: options.day_starts };
    let calls = ledger.calls(since, WallMs(i64::MAX))?;
    let first = options.zone.day_of(since);
    let day = |total: &DayTotal| {
        let day = jiff::civil::date(1970, 1, 1).checked_add(total.day.days()).ok();
        day.filter(|day| *day >= first)
    };
    let doubts = newest_doubts(ledger, |possible| possible.sent_at >= since)?;
    let minutes: Vec<_> = calls.all_minutes().collect();
    Ok(HistoryFacts {
        since,
        origin: ledger.origin()?,
        runs: past_runs(ledger, since, &minutes)?,
        purged: calls.purged.iter().filter_map(|total| Some((day(total)?, total.tally))).collect(),
        calls: priced_calls(ledger, &minutes, &days, options.price)?,
        doubts: Doubts { unsettled: calls.unsettled(), ..doubts },
        trend: trend(ledger, |record| record.created_at >= since)?,
        zone: options.zone,
    })
}

/// Returns the runs that began since a time, or made calls since then, oldest first. `minutes` are
/// these calls.
fn past_runs(
    ledger: &impl ShowLedger,
    since: WallMs,
    minutes: &[MinuteOfCalls],
) -> Result<Vec<PastRun>, LedgerError> {
    let mut tallies: BTreeMap<RunId, Tally> = BTreeMap::new();
    for minute in minutes {
        let tally = tallies.entry(minute.run).or_default();
        *tally = *tally + minute.tally;
    }
    let mut runs = Vec::new();
    for run in ledger.run_ids()? {
        let record = ledger.run_record(run)?;
        let is_of_time =
            |record: &RunRecord| record.created_at >= since || tallies.contains_key(&run);
        runs.extend(record.filter(is_of_time).map(|record| PastRun {
            run: run.0,
            input: mask_digits(&record.label).into_owned(),
            state: state_of(&record.state),
            rows: record.rows,
            began_at: record.created_at,
            ended_at: record.ended_at,
            starts: record.starts.len() as u64,
            stop: record.starts.last().and_then(|start| start.stop.clone()),
            tally: tallies.get(&run).copied().unwrap_or_default(),
        }));
    }
    Ok(runs)
}

/// Sums up calls by billing day and price.
fn priced_calls(
    ledger: &impl ShowLedger,
    minutes: &[MinuteOfCalls],
    days: &BillingDays,
    given: Option<Price>,
) -> Result<Vec<PricedCalls>, LedgerError> {
    let prices = prices_of(ledger, minutes)?;
    let mut sums = BTreeMap::new();
    for minute in minutes {
        let day = days.day_of(minute.vendor_minute.as_deref(), minute.at).map(|day| day.date);
        let price = prices.get(&minute.start).cloned().or_else(|| given.clone());
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
        tally: Tally::default(),
        latest_call: None,
        next_began_at: None,
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

/// Returns the latest finished runs, of those that are wanted, oldest first.
fn trend(
    ledger: &impl ShowLedger,
    is_wanted: impl Fn(&RunRecord) -> bool,
) -> Result<Vec<TrendRun>, LedgerError> {
    let mut trend = Vec::new();
    for run in ledger.run_ids()?.into_iter().rev() {
        let record = ledger.run_record(run)?;
        let finished = record.filter(|record| record.state == "finished" && is_wanted(record));
        let Some(record) = finished else { continue };
        let summary = record.output_start().and_then(|start| start.summary.as_deref());
        trend.push(TrendRun {
            run: run.0,
            began_at: record.created_at,
            rows: record.rows,
            summary: summary.and_then(parsed::<RecordedSummary>),
        });
        if trend.len() == MOST_RUNS {
            break;
        }
    }
    trend.reverse();
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
