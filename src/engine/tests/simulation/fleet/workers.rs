//! The workers of a fleet: how they begin and end, and what they do between two events.

use super::checks::RunTerms;
use super::network::Request;
use super::process::{Collected, Phase, Process};
use super::reader::Reader;
use super::world::{BEGINNING, Habit, Happening, LEASE, Pid, World};
use crate::engine::tests::story::{ms, secs};
use crate::engine::{Candidate, Dispatcher, Ticket, Turn};
use crate::ledger::{RunRef, StartEnd};
use crate::model::attempt::WallMs;
use crate::model::exit_code::ExitCode;
use crate::model::stop::{BudgetLimit, StopReason};
use crate::passes::{FactsOf, fold_known};
use crate::rules::pair_key::PairHasher;
use crate::rules::pair_table::PairTable;
use crate::rules::reuse::ReusePolicy;
use crate::rules::rounds::{NextStep, longest_wait, next_step};
use crate::rules::tally::RunTotals;
use crate::rules::testing::subject;

impl World {
    pub(super) fn spawn(&mut self, file: usize) -> Result<(), String> {
        if !self.is_up {
            self.schedule(self.now + secs(1), Happening::Spawn(file));
            return Ok(());
        }
        let Some((run, start)) = self.store.begin(file as u8, true) else {
            return Ok(());
        };
        self.checks.beat(start, self.now);
        let (dice, now) = (&mut self.dice, self.now);
        let skew = if dice.one_in(4) { dice.pick(&[-3_600_000, 60_000, 3_600_000]) } else { 0 };
        let began = WallMs(BEGINNING + now.as_millis() as i64);
        let resends = dice.one_in(2) || self.has(Habit::SendsDoubtsAgain);
        self.terms.entry(run).or_insert(RunTerms { resends, began });
        let dispatcher =
            Dispatcher::new(&self.options, PairTable::default(), RunTotals::default(), start);
        let process =
            Process::new(file, (run, start), (now, skew), dispatcher, LEASE, self.sabotage);
        self.spawned += 1;
        let pid = self.spawned;
        self.tell(|| format!("{pid}: {start:?} of {run:?} begins"));
        self.processes.insert(pid, process);
        self.schedule(now + ms(1), Happening::Heart(pid));
        self.schedule(now + ms(5), Happening::Timer(pid));
        Ok(())
    }

    /// Checks whether a process reaches the ledger now.
    fn reaches(&self, process: &Process) -> bool {
        self.is_up && process.cut_off_until <= self.now
    }

    /// A timer of a process: it goes on with what it does.
    pub(super) fn timer(&mut self, pid: Pid, process: &mut Process) -> Result<bool, String> {
        match &process.phase {
            Phase::Sending => self.turn(pid, process),
            _ if !self.reaches(process) => {
                self.schedule(self.now + ms(500), Happening::Timer(pid));
                Ok(true)
            }
            Phase::Folding => self.fold(pid, process),
            Phase::Folded { .. } => self.folded(pid, process),
            Phase::Writing => {
                self.tell(|| format!("{pid}: finishes its run"));
                self.saw("finished");
                self.end(process, true)
            }
            Phase::Waiting { since, seen, is_complete } => {
                let others = self.store.others(process.start, &process.silent);
                let longest = longest_wait(*is_complete, secs(1));
                if let Some(why) = others.stop {
                    process.dispatcher.hear_stop(why);
                    self.tell(|| format!("{pid}: hears of a stop: {why:?}"));
                    self.schedule(self.now + secs(5), Happening::Spawn(process.file));
                    return self.end(process, false);
                }
                if others.has_news_since(seen) || self.now >= *since + longest {
                    process.phase = Phase::Folding;
                }
                self.schedule(self.now + ms(700), Happening::Timer(pid));
                Ok(true)
            }
        }
    }

    fn fold(&mut self, pid: Pid, process: &mut Process) -> Result<bool, String> {
        let others = self.store.others(process.start, &process.silent);
        if others.delivered.is_some() {
            return self.end(process, false);
        }
        let pairs = self.files[process.file].iter();
        let key = |who: &usize| self.by_pair.iter().find(|(_, of)| *of == who).map(|(key, _)| *key);
        let mut table = PairTable::new(pairs.filter_map(key).collect());
        let terms = self.terms[&process.run];
        let policy = ReusePolicy {
            answers_since: WallMs(0),
            reask_since: WallMs(0),
            retry_refused: false,
            resend_doubts: terms.resends,
            doubts_before: terms.began,
        };
        let (run, retry) = (RunRef::Open(process.run), &self.options.retry);
        let now = WallMs(BEGINNING);
        let mut facts = Reader { store: &self.store, hides_open: self.has(Habit::HidesOpen) };
        let known =
            fold_known(&mut table, &mut facts, FactsOf::Now, &run, &policy, retry, now).unwrap();
        process.phase = Phase::Folded { table, known, others };
        let takes = ms(self.dice.pick(&[1, 20, 500, 3000]));
        self.schedule(self.now + takes, Happening::Timer(pid));
        Ok(true)
    }

    fn folded(&mut self, pid: Pid, process: &mut Process) -> Result<bool, String> {
        let phase = std::mem::replace(&mut process.phase, Phase::Sending);
        let Phase::Folded { table, known, others } = phase else { return Ok(true) };
        let is_complete = table.to_send() == 0;
        process.dispatcher.begin_round(table, known.run, &others.starts());
        // The answer to a beat of the last round reaches nobody.
        process.heart.is_for_dispatcher = false;
        if let Some((_, is_for_dispatcher)) = &mut process.heart.waiting {
            *is_for_dispatcher = false;
        }
        process.slots_asked = None;
        let writer = others.writer(process.start, false);
        let left = process.dispatcher.left();
        let (me, living) = (process.start, others.starts());
        self.tell(|| format!("{pid}: {me:?} with {living:?}: complete {is_complete}, left {left}"));
        match next_step(is_complete, process.dispatcher.left(), writer) {
            NextStep::Send => {
                let rows = self.files[process.file].iter().enumerate();
                let people = &self.people;
                let hasher = PairHasher::new([7; 32]);
                process.rows = rows
                    .map(|(record, who)| {
                        let subject = subject(&people[*who].nik, &people[*who].name);
                        Candidate {
                            record: record as u64 + 1,
                            pair: hasher.pair(&subject),
                            subject,
                        }
                    })
                    .collect();
                return self.turn(pid, process);
            }
            NextStep::Write => process.phase = Phase::Writing,
            NextStep::Leave => return Err("a worker that writes leaves a complete run".to_owned()),
            NextStep::Wait => {
                process.phase = Phase::Waiting { since: self.now, seen: others, is_complete };
            }
        }
        self.schedule(self.now + ms(50), Happening::Timer(pid));
        Ok(true)
    }

    /// Ends a process in good order.
    pub(super) fn end(&mut self, process: &Process, ends_run: bool) -> Result<bool, String> {
        let at = WallMs(BEGINNING);
        let (stop, exit, output) = (None, ExitCode::Complete, None);
        self.store.end(
            process.start,
            ends_run,
            &StartEnd { at, stop, exit, output, summary: None },
        );
        for (attempt, class) in &process.answered {
            let is_kept = self.store.attempts().any(|(intent, settled, _)| {
                intent.attempt == *attempt && settled.is_some_and(|fact| fact.class == *class)
            });
            if !is_kept {
                return Err(format!("the answer to {attempt} is not recorded"));
            }
        }
        Ok(false)
    }

    /// Gives the dispatcher a turn, and does what it wants.
    pub(super) fn turn(&mut self, pid: Pid, process: &mut Process) -> Result<bool, String> {
        if !matches!(process.phase, Phase::Sending) {
            return Ok(true);
        }
        let (now, wall) = process.clocks(self.now, BEGINNING);
        let mut hands =
            Collected { rows: std::mem::take(&mut process.rows), ..Collected::default() };
        let turn = process.dispatcher.turn(now, wall, &mut hands);
        let Collected { sends, batch, beat, slots, rows } = hands;
        process.rows = rows;
        for ticket in sends {
            self.send(pid, process, ticket)?;
        }
        if let Some(beat) = beat {
            process.beat(beat, true, self.now);
        }
        if let Some(wish) = slots {
            process.slots_asked = Some(process.link.borrow_mut().ask(Request::Slots(wish)));
        }
        if let Some(batch) = batch {
            process.begin_recording(batch);
            let ended = process.go_on_recording();
            assert!(ended.is_none(), "a batch takes time");
        }
        match turn {
            Turn::Wait { until, .. } => {
                let at = until.map(|tick| process.epoch + tick);
                if let Some(at) = at.filter(|at| {
                    process.wakes_at.is_none_or(|known| *at < known || known <= self.now)
                }) {
                    process.wakes_at = Some(at);
                    self.schedule(at, Happening::Timer(pid));
                }
                Ok(true)
            }
            Turn::Done if process.dispatcher.has_stopped() => {
                let why = process.dispatcher.stop_reason();
                if why == Some(StopReason::Storage) {
                    return Err(format!("{:?} gives the ledger up", process.start));
                }
                self.tell(|| format!("{pid}: stops: {why:?}"));
                if why == Some(StopReason::Budget(BudgetLimit::Charges)) {
                    self.saw("budget used");
                    return self.end(process, false);
                }
                self.saw("stopped");
                self.schedule(self.now + secs(5), Happening::Spawn(process.file));
                self.end(process, false)
            }
            Turn::Done => {
                if let Some(beat) = process.dispatcher.last_beat() {
                    process.beat(beat, false, self.now);
                }
                process.phase = Phase::Folding;
                self.schedule(self.now + ms(1), Happening::Timer(pid));
                Ok(true)
            }
        }
    }

    fn send(&mut self, pid: Pid, process: &mut Process, ticket: Ticket) -> Result<(), String> {
        let (attempt, pair) = (ticket.attempt(), ticket.job().row.pair);
        self.checks.send(&self.store, attempt, LEASE, self.now)?;
        let (rate, start) = (self.options.throttle.rate.cap, attempt.start());
        self.checks.together(start, rate, LEASE, self.now)?;
        let who = self.by_pair[&pair];
        let run = process.run.0;
        let answer =
            self.vendor.answer(&self.people[who], (run, attempt.0), ticket.body(), self.now);
        self.tell(|| format!("{pid}: {attempt} asks for customer {who}"));
        process.flights.insert(attempt, (ticket, answer.reply));
        self.schedule(self.now + answer.after, Happening::Reply(pid, attempt));
        Ok(())
    }
}
