//! The record of a run in memory, and the calls of a time.

use std::collections::BTreeMap;

use super::{Run, Start, Store};
use crate::ledger::{
    CallsInTime, DayTotal, FailureCount, MinuteOfCalls, OpenCalls, PossibleCharge, RunId, RunQuery,
    RunRecord, StartRecord, StartSums, VerdictsOf,
};
use crate::model::attempt::{AttemptId, Intent, PairKey, Settlement, StartId, WallMs};
use crate::model::class::{Class, ResultCode};
use crate::model::money::{Charge, Tally};
use crate::model::texts::Text;
use crate::rules::classify::charge;
use crate::rules::tally::count;
use crate::rules::vendor_clock::{ClockSample, MINUTE_CHARS, VendorClock};

impl Store {
    /// Returns the record of a run.
    pub(super) fn run_record(&self, wanted: &RunQuery<'_>) -> Option<RunRecord> {
        let is_wanted = |(id, run): &(u64, &Run)| {
            let own = &run.opening.identity;
            match wanted {
                RunQuery::Number(number) => number.0 == *id,
                RunQuery::Input(sha256) => self
                    .starts
                    .iter()
                    .any(|start| start.run == *id && start.notes.input_sha256 == *sha256),
                RunQuery::Identity(identity) => {
                    own.fingerprint == identity.fingerprint
                        && (own.columns == identity.columns
                            || own.columns.starts_with(&wanted.named()))
                }
            }
        };
        let (id, run) = (1..).zip(&self.runs).filter(is_wanted).last()?;
        let found = crate::ledger::FoundRun::new_run(&run.opening, None);
        let record = RunRecord {
            id: RunId(id),
            label: run.opening.label.clone(),
            rows: run.opening.rows,
            state: run.state.to_owned(),
            created_at: run.opening.at,
            ended_at: run.ended.as_ref().map(|ending| ending.at),
            finished_by: None,
            identity: run.opening.identity.clone(),
            answers_since: found.answers_since,
            reask_since: found.reask_since,
            starts: self.starts_of(id).map(|(id, start)| self.start_record(id, start)).collect(),
        };
        Some(record)
    }

    fn starts_of(&self, run: u64) -> impl Iterator<Item = (StartId, &Start)> {
        let starts = (1..).map(StartId).zip(&self.starts);
        starts.filter(move |(_, start)| start.run == run)
    }

    /// Returns the sums of each start of a run.
    pub(super) fn start_sums(&self, run: RunId) -> BTreeMap<StartId, StartSums> {
        self.starts_of(run.0).map(|(id, _)| (id, self.sums_of(id))).collect()
    }

    fn sums_of(&self, start: StartId) -> StartSums {
        let mut sums = StartSums::default();
        for fact in self.settled_by(start) {
            count(&mut sums.tally, fact.class, 1);
            let ends = fact.class.end().is_some() && !self.voids.contains(&fact.attempt.0);
            sums.ended_pairs += u64::from(ends);
        }
        sums.unsettled =
            self.unsettled().filter(|intent| intent.attempt.start() == start).count() as u64;
        sums
    }

    fn unsettled(&self) -> impl Iterator<Item = &Intent> {
        let intents = self.intents.values().map(|(_, intent)| intent);
        intents.filter(|intent| !self.settlements.contains_key(&intent.attempt.0))
    }

    fn start_record(&self, id: StartId, start: &Start) -> StartRecord {
        let pauses = self.pauses.range((id.0, 0)..(id.0 + 1, 0)).map(|(_, pause)| *pause);
        let ended = start.ended.as_ref();
        StartRecord {
            id,
            host: None,
            began_at: start.at,
            ended_at: ended.map(|ending| ending.at),
            stop: ended.and_then(|ending| ending.stop).map(str::to_owned),
            exit: ended.map(|ending| ending.exit.number()),
            notes: Some(start.notes.clone()),
            summary: ended.and_then(|ending| ending.summary.clone()),
            pauses: pauses.collect(),
        }
    }

    fn settled_by(&self, start: StartId) -> impl Iterator<Item = &Settlement> {
        let range = AttemptId::of(start, 0).0..AttemptId::of(start.next(), 0).0;
        self.settlements.range(range).map(|(_, fact)| fact)
    }

    /// Returns the attempts whose charge is unknown.
    pub(super) fn possible(&self) -> Vec<PossibleCharge> {
        let unknown = self.settlements.values().filter(|f| charge(f.class) == Charge::Unknown);
        let possible = |fact: &Settlement| {
            let (run, intent): &(u64, Intent) = &self.intents[&fact.attempt.0];
            PossibleCharge {
                attempt: fact.attempt,
                run: RunId(*run),
                record: intent.record,
                pair: intent.pair,
                sent_at: intent.at,
                class: fact.class,
                http: fact.http,
                texts: fact.texts.clone(),
            }
        };
        unknown.map(possible).collect()
    }

    /// Returns the calls of a time, each as a minute of its own.
    pub(super) fn calls(&self, from: WallMs, to: WallMs) -> CallsInTime {
        let sent_at = |fact: &Settlement| self.intents[&fact.attempt.0].1.at;
        let time_of = |fact: &Settlement| match fact.class {
            Class::InDoubt(_) => sent_at(fact),
            _ => fact.at,
        };
        let in_time = self.settlements.values().filter(|fact| (from..to).contains(&time_of(fact)));
        let minute = |fact: &Settlement| {
            let mut tally = Tally::default();
            count(&mut tally, fact.class, 1);
            let there = fact.texts.get(Text::HandleTime);
            MinuteOfCalls {
                start: fact.attempt.start(),
                run: RunId(self.intents[&fact.attempt.0].0),
                vendor_minute: there.map(|time| time.chars().take(MINUTE_CHARS).collect()),
                at: WallMs(time_of(fact).0 / 60_000 * 60_000),
                tally,
            }
        };
        let mut purged: Vec<DayTotal> = Vec::new();
        for (day, class) in &self.purged {
            let known = purged.iter().position(|total| total.day == *day);
            let at = known.unwrap_or(purged.len());
            if known.is_none() {
                purged.push(DayTotal { day: *day, tally: Tally::default() });
            }
            count(&mut purged[at].tally, *class, 1);
        }
        purged.sort_by_key(|total| total.day);
        let open = self.unsettled().filter(|intent| (from..to).contains(&intent.at));
        let open = open.map(|intent| self.open_call(intent)).collect();
        CallsInTime { minutes: in_time.map(minute).collect(), purged, open }
    }

    /// Returns the calls of a run, each as a minute of its own.
    pub(super) fn run_calls(&self, run: RunId) -> CallsInTime {
        let mut calls = self.calls(WallMs(i64::MIN), WallMs(i64::MAX));
        calls.minutes.retain(|minute| minute.run == run);
        let of = |intent: &&Intent| self.intents[&intent.attempt.0].0 == run.0;
        calls.open = self.unsettled().filter(of).map(|intent| self.open_call(intent)).collect();
        CallsInTime { purged: Vec::new(), ..calls }
    }

    fn open_call(&self, intent: &Intent) -> OpenCalls {
        OpenCalls {
            start: intent.attempt.start(),
            run: RunId(self.intents[&intent.attempt.0].0),
            at: WallMs(intent.at.0 / 60_000 * 60_000),
            calls: 1,
        }
    }

    fn settled_in(&self, run: RunId) -> impl Iterator<Item = (&Intent, &Settlement)> {
        let own = self.settlements.values().map(|fact| (&self.intents[&fact.attempt.0], fact));
        own.filter(move |((of, _), _)| *of == run.0).map(|((_, intent), fact)| (intent, fact))
    }

    /// Counts the attempts of a run without a result code.
    pub(super) fn run_failures(&self, run: RunId) -> Vec<FailureCount> {
        let mut by_class: BTreeMap<u8, (u64, std::collections::BTreeSet<_>)> = BTreeMap::new();
        for (intent, fact) in self.settled_in(run) {
            if !matches!(fact.class, Class::Answered(_)) {
                let (attempts, pairs) = by_class.entry(fact.class.code()).or_default();
                *attempts += 1;
                pairs.insert(intent.pair);
            }
        }
        let count = |(code, (attempts, pairs)): (u8, (u64, std::collections::BTreeSet<_>))| {
            let class = Class::from_code(code)?;
            Some(FailureCount { class, attempts, pairs: pairs.len() as u64 })
        };
        by_class.into_iter().filter_map(count).collect()
    }

    /// Counts the calls of a run by the time that they took.
    pub(super) fn run_latencies(&self, run: RunId) -> Vec<(u32, u64)> {
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for took in self.settled_in(run).filter_map(|(_, fact)| fact.took_ms) {
            *counts.entry(took).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// Returns results in the order of their attempts.
    pub(super) fn verdicts(&self, of: VerdictsOf) -> Vec<(PairKey, ResultCode)> {
        let first = |run: RunId| self.starts_of(run.0).next().map_or(StartId(0), |(id, _)| id);
        let wanted = |run: u64, start: StartId| match of {
            VerdictsOf::Run(own) => run == own.0,
            VerdictsOf::Before(own) => start < first(own),
        };
        let verdict = |fact: &Settlement| {
            let (run, intent) = &self.intents[&fact.attempt.0];
            let Class::Answered(code) = fact.class else { return None };
            wanted(*run, fact.attempt.start()).then_some((intent.pair, code))
        };
        self.settlements.values().filter_map(verdict).collect()
    }

    /// Measures the vendor's clock.
    pub(super) fn vendor_clock(&self) -> VendorClock {
        let samples = self.settlements.values().filter_map(|fact| {
            let handle_time = fact.texts.get(Text::HandleTime)?.to_owned();
            Some(ClockSample { handle_time, answered_at: fact.at })
        });
        VendorClock::of(&samples.collect::<Vec<_>>())
    }
}
