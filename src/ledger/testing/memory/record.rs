//! The record of a run in memory, and the calls of a time.

use super::{Run, Start, Store};
use crate::ledger::{
    CallsInTime, DayTotal, MinuteOfCalls, PossibleCharge, RunId, RunLine, RunQuery, RunRecord,
    StartRecord,
};
use crate::model::attempt::{AttemptId, Intent, Settlement, StartId, WallMs};
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
            line: RunLine {
                id: RunId(id),
                label: run.opening.label.clone(),
                rows: run.opening.rows,
                state: run.state.to_owned(),
                created_at: run.opening.at,
                ended_at: run.ended.as_ref().map(|ending| ending.at),
                starts: 0,
                last_stop: None,
                last_exit: None,
                tally: Tally::default(),
            },
            identity: run.opening.identity.clone(),
            answers_since: found.answers_since,
            reask_since: found.reask_since,
            starts: Vec::new(),
        };
        let starts = (1..).zip(&self.starts).filter(|(_, start)| start.run == id);
        let starts = starts.map(|(id, start)| self.start_record(StartId(id), start));
        Some(record.with_starts(starts.collect()))
    }

    fn start_record(&self, id: StartId, start: &Start) -> StartRecord {
        let (mut tally, mut ended_pairs) = (Tally::default(), 0);
        for fact in self.settled_by(id) {
            count(&mut tally, fact.class, 1);
            let ends = fact.class.end().is_some() && !self.voids.contains(&fact.attempt.0);
            ended_pairs += u64::from(ends);
        }
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
            tally,
            ended_pairs,
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
        let in_time = self.settlements.values().filter(|fact| (from..to).contains(&fact.at));
        let minute = |fact: &Settlement| {
            let mut tally = Tally::default();
            count(&mut tally, fact.class, 1);
            let there = fact.texts.get(Text::HandleTime);
            MinuteOfCalls {
                start: fact.attempt.start(),
                run: RunId(self.intents[&fact.attempt.0].0),
                vendor_minute: there.map(|time| time.chars().take(MINUTE_CHARS).collect()),
                at: WallMs(fact.at.0 / 60_000 * 60_000),
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
        CallsInTime { minutes: in_time.map(minute).collect(), purged }
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
