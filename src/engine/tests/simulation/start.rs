//! One start of the program, stage by stage as `commands::run` has them, on the real ledger.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::book::{Terms, millis};
use super::live::{Left, Live};
use super::swarm::Kind;
use super::world::{Flags, World};
use super::{Sabotage, Step, broken, must};
use crate::engine::{Dispatcher, Options, Outcome};
use crate::input::{self, Source, inspect};
use crate::ledger::{Ending, Facts, Identity, Ledger, OpenRun, Opening, SqliteLedger};
use crate::model::attempt::{PairKey, WallMs};
use crate::model::class::{End, ResultCode};
use crate::model::outcome::OutcomeCounts;
use crate::model::stop::StopReason;
use crate::output::{Dialect, Format, Overview, Writer};
use crate::passes::{
    Input, Known, PassError, Survey, fold_known, project, read_candidates, survey,
};
use crate::rules::body::BodyTrial;
use crate::rules::columns::ColumnSpec;
use crate::rules::pair::PairHasher;
use crate::rules::pairs::PairState;
use crate::rules::reuse::ReusePolicy;

/// What the stages before the first call found.
struct Surveyed {
    input: Input,
    survey: Survey,
    /// The pair of each row; `None` where the row is rejected.
    rows: Vec<Option<PairKey>>,
    known: Known,
    run: OpenRun,
    terms: Terms,
}

impl World {
    /// Runs the program once. Says why it stopped; `None`: the run is finished.
    pub(super) fn start(&mut self, at: usize, flags: &Flags) -> Step<Option<StopReason>> {
        self.vendor.new_start();
        let Self { swarm, dice, .. } = self;
        let plan = if swarm.is_on(Kind::Plan, dice) { self.plan(at, flags)? } else { None };
        self.open()?;
        self.concurrency = flags.options.concurrency;
        let mut surveyed = self.survey(at, flags)?;
        if let Some(plan) = plan {
            self.saw("planned");
            let found = Plan::of(&surveyed.survey, surveyed.known);
            must(plan == found, || "the plan is not what the run finds".to_owned())?;
        }
        let run = surveyed.run.id.0;
        self.tell(|| format!("start of run {run} on file {at}: {flags:?}"));
        let to_send = surveyed.survey.table.to_send();
        let table = std::mem::take(&mut surveyed.survey.table);
        let options = self.options(flags)?;
        let options = self.sabotaged(options);
        let first = surveyed.run.next_attempt;
        let last = self.book.facts.last_key_value().map_or(0, |(last, _)| *last);
        must(first.0 > last, || format!("attempt {} is not new", first.0))?;
        let dispatcher = Dispatcher::new(&options, table, surveyed.known.run, first);
        let left = if to_send == 0 {
            Left { outcome: dispatcher.into_outcome(), failed: false, gone: false }
        } else {
            let rows = self.read_rows(at, &surveyed)?;
            Live::new(self, flags, surveyed.terms, dispatcher, rows).go()?
        };
        let stop = left.outcome.stop;
        self.tell(|| format!("stop: {stop:?}"));
        self.finish(flags, &surveyed, left)?;
        self.ledger = None;
        Ok(stop)
    }

    fn options(&mut self, flags: &Flags) -> Step<Options> {
        let mut options = flags.options.clone();
        let now = WallMs(self.wall());
        options.deadline_at = options.deadline.map(|span| WallMs(now.0 + millis(span)));
        if flags.body_auto {
            let remembered = self.ledger()?.remembered_body().map_err(broken)?;
            options.body = BodyTrial::auto(remembered);
        }
        Ok(options)
    }

    /// What the dispatcher is told where a guard is taken out; the checks go on by the true ones.
    fn sabotaged(&self, options: Options) -> Options {
        let mut options = options;
        match self.sabotage {
            Some(Sabotage::NoBudget) => (options.max_charges, options.max_calls) = (None, None),
            Some(Sabotage::NoRate) => options.throttle.rate = None,
            Some(Sabotage::OneMoreInFlight) => options.concurrency += 1,
            Some(Sabotage::NoWallDeadline) => options.deadline_at = None,
            Some(Sabotage::NoDeadline) => (options.deadline, options.deadline_at) = (None, None),
            _ => {}
        }
        options
    }

    /// What `plan` says of the next start, without the lock and without a write.
    fn plan(&mut self, at: usize, flags: &Flags) -> Step<Option<Plan>> {
        let preview = SqliteLedger::preview(&self.disk.location()).map_err(broken)?;
        let (_, mut survey, opening) = self.look(at, flags, preview.hasher())?;
        let now = WallMs(self.wall());
        let known = preview.read(|facts| {
            survey.table.forget();
            let run = facts.find_run(&opening)?;
            let policy = reuse(&run, flags);
            fold_known(&mut survey.table, facts, &run, &policy, &flags.options.retry, now)
        });
        Ok(known.map_err(broken)?.map(|known| Plan::of(&survey, known)))
    }

    /// What both see of the file.
    fn look(&self, at: usize, flags: &Flags, hasher: PairHasher) -> Step<(Input, Survey, Opening)> {
        let source = Source::file(&self.path(at)).map_err(broken)?;
        let options = input::Options {
            id_column: Some(ColumnSpec::Index(2)),
            name_column: Some(ColumnSpec::Index(3)),
            ..input::Options::default()
        };
        let layout = inspect(&source, &options).map_err(broken)?;
        let input = Input { source, layout, options, hasher };
        let survey = survey(&input, &|| false).map_err(broken)?;
        let opening = Opening {
            identity: Identity { fingerprint: survey.fingerprint, columns: "2,3".to_owned() },
            path: [at as u8; 16],
            label: "file".to_owned(),
            account: [7; 16],
            rows: survey.counts.rows,
            at: WallMs(self.wall()),
            reuse: flags.reuse,
            reask_after: flags.reask_after,
        };
        Ok((input, survey, opening))
    }

    fn survey(&mut self, at: usize, flags: &Flags) -> Step<Surveyed> {
        let hasher = self.ledger()?.hasher();
        let (input, mut survey, opening) = self.look(at, flags, hasher)?;
        let rows = self.files[at].clone();
        let rows = rows.into_iter().map(|row| self.pair_of(row)).collect::<Step<Vec<_>>>()?;
        let rejected = rows.iter().filter(|row| row.is_none()).count() as u64;
        let counted = (survey.counts.rows, survey.counts.rejected());
        must(counted == (rows.len() as u64, rejected), || "the survey miscounts".to_owned())?;

        let now = opening.at;
        let found = self.ledger()?.find_run(&opening).map_err(broken)?;
        let known = self.fold(&mut survey, &found, flags)?;
        let run = self.write(|ledger| ledger.open_run(&opening))?.map_err(broken)?;
        let is_new = found.id.0 == 0;
        must(is_new || found.id == run.id, || "another run was found than opened".to_owned())?;
        must(OpenRun { id: run.id, ..found } == run, || "found and opened differ".to_owned())?;
        must(!self.finished.contains(&run.id.0), || "a finished run goes on".to_owned())?;
        if is_new {
            must(run.answers_since == now.before(flags.reuse), || "the reuse cut-off".to_owned())?;
            self.book.took_over.extend(run.superseded.map(|older| (run.id.0, older.0)));
        }
        self.saw(if is_new { "a new run" } else { "a resume" });
        let terms = Terms {
            run: run.id.0,
            answers_since: run.answers_since.0,
            reask_since: run.reask_since.0,
            resend: flags.resend,
            retry_refused: flags.retry_refused,
            max_attempts: flags.options.retry.max_attempts,
        };
        Ok(Surveyed { input, survey, rows, known, run, terms })
    }

    fn fold(&mut self, survey: &mut Survey, run: &OpenRun, flags: &Flags) -> Step<Known> {
        let mut policy = reuse(run, flags);
        policy.resend_doubts |= self.sabotage == Some(Sabotage::ResendDoubts);
        let now = WallMs(self.wall());
        let forget = match self.sabotage {
            Some(Sabotage::ForgetOwn) => (true, false),
            Some(Sabotage::ForgetEarlier) => (false, true),
            _ => (false, false),
        };
        let mut facts = Forgetful { ledger: self.ledger()?, forget };
        let retry = &flags.options.retry;
        fold_known(&mut survey.table, &mut facts, run, &policy, retry, now).map_err(broken)
    }

    /// The rows as the reader's thread hands them over. The file may be another one by then.
    fn read_rows(
        &mut self,
        at: usize,
        surveyed: &Surveyed,
    ) -> Step<VecDeque<Option<crate::engine::Candidate>>> {
        let Self { swarm, dice, .. } = self;
        if swarm.strikes(Kind::Torn, dice) {
            self.tell(|| "the file changes while it is read".to_owned());
            self.change_file(at);
        }
        let (give, mut taken) = mpsc::channel(8);
        read_candidates(&surveyed.input, surveyed.survey.fingerprint, &give);
        drop(give);
        let mut rows = VecDeque::new();
        while let Ok(chunk) = taken.try_recv() {
            match chunk {
                Some(chunk) => rows.extend(chunk.into_iter().map(Some)),
                None => rows.push_back(None),
            }
        }
        Ok(rows)
    }

    /// The stages after the last call.
    fn finish(&mut self, flags: &Flags, surveyed: &Surveyed, left: Left) -> Step {
        let Left { outcome, failed, gone } = left;
        if gone {
            // The writer's thread took the ledger with it: nothing more can be written.
            return Ok(());
        }
        let run = surveyed.run.id.0;
        if let BodyTrial::Proved(kind) = outcome.body
            && flags.body_auto
            && !failed
        {
            self.write(|ledger| ledger.remember_body(kind))?.map_err(broken)?;
        }
        self.check_outcome(run, &outcome, failed)?;
        let code = match outcome.stop {
            Some(StopReason::InputChanged) => 10,
            _ => match self.project(surveyed, &outcome) {
                Ok((output, outcomes)) => {
                    self.check_output(surveyed, &outcome, &output)?;
                    match outcome.stop {
                        Some(stop) => stop.exit_code(),
                        None if outcomes.all_have_verdicts() => 0,
                        None => 3,
                    }
                }
                Err(PassError::Changed) => 10,
                Err(error) => return Err(broken(error)),
            },
        };
        if failed {
            return Ok(());
        }
        let stop = outcome.stop.map(StopReason::name);
        let (ending, opened) =
            (Ending { at: WallMs(self.wall()), stop, exit: code }, &surveyed.run);
        match code {
            0 | 3 => {
                self.write(|ledger| ledger.end_run(opened, &ending))?.map_err(broken)?;
                self.finished.insert(run);
            }
            _ => self.write(|ledger| ledger.end_start(opened, &ending))?.map_err(broken)?,
        }
        Ok(())
    }

    fn project(
        &mut self,
        surveyed: &Surveyed,
        outcome: &Outcome,
    ) -> Result<(Vec<u8>, OutcomeCounts), PassError> {
        let format = Format::Csv { dialect: Dialect::Exact, packed: false };
        let Surveyed { input, survey, run, .. } = surveyed;
        let folder = self.disk.file("");
        let mut writer = Writer::new(Vec::new(), format, &input.layout, &folder)?;
        let Some(ledger) = self.ledger.as_mut() else { return Err(PassError::Interrupted) };
        let (table, tally) = (&outcome.table, &outcome.tally);
        let projected =
            project(input, survey.fingerprint, table, tally, ledger, &mut writer, &|| false)?;
        let overview = Overview {
            run: run.id.0,
            begun: run.created_at,
            ended: outcome.stop.map_or("finished", StopReason::name),
            origin: "simulation",
            outcomes: projected.outcomes,
            rejected: Vec::new(),
            tally: outcome.tally,
            price: None,
        };
        Ok((writer.finish(&overview)?, projected.outcomes))
    }

    /// What the run says of itself is what the next start will read, and what the vendor's log has.
    fn check_outcome(&mut self, run: u64, outcome: &Outcome, failed: bool) -> Step {
        let now = self.wall();
        let open = self.book.open();
        must(open == 0 || failed, || format!("{open} attempts are left without a settlement"))?;
        let mut next = self.book.clone();
        next.settle_killed(now);
        let tally = next.tally(run);
        must(outcome.tally == tally, || format!("it says {}, the ledger {tally}", outcome.tally))?;
        next.check_money(run, &self.vendor.log)
    }

    /// Every row once, in order, and as the vendor's answer that is recorded last has it.
    fn check_output(&self, surveyed: &Surveyed, outcome: &Outcome, output: &[u8]) -> Step {
        let mut next = self.book.clone();
        next.settle_killed(0);
        let mut reader = csv::Reader::from_reader(output);
        let header = reader.headers().map_err(broken)?.clone();
        let column = |name: &str| header.iter().position(|cell| cell == name).unwrap_or(usize::MAX);
        let (shown, order, number) = (column("ck_outcome"), column("ck_order_no"), column("no"));
        let records: Vec<_> = reader.records().collect::<Result<_, _>>().map_err(broken)?;
        must(records.len() == surveyed.rows.len(), || "rows are lost or made".to_owned())?;
        for (n, (record, pair)) in records.iter().zip(&surveyed.rows).enumerate() {
            must(record[number] == n.to_string(), || format!("row {n} is not in its place"))?;
            let Some(pair) = pair else {
                must(&record[shown] == "rejected", || format!("row {n} is not rejected"))?;
                continue;
            };
            let (attempt, end) = next.standing(*pair, &surveyed.terms);
            let pardoned = outcome.stop == Some(StopReason::RefusalsInRow) && end.is_none();
            must(pardoned || record[shown] == *word(end), || {
                format!("row {n} is {}, not {}", &record[shown], word(end))
            })?;
            must(outcome.stop.is_some() || end.is_some(), || format!("row {n} has no end"))?;
            if let Some(attempt) = attempt {
                let fact = next.facts.get(&attempt).and_then(|fact| fact.settled);
                let sale =
                    self.vendor.log.get(&attempt).filter(|s| Some(s.class) == fact.map(|f| f.0));
                let expected = sale.and_then(|sale| sale.order_no.as_deref()).unwrap_or_default();
                must(&record[order] == expected, || format!("row {n} has another call's order"))?;
            }
        }
        Ok(())
    }
}

/// What a start finds known of its file.
#[derive(Debug, PartialEq)]
struct Plan {
    pairs: Vec<PairState>,
    known: Known,
}

impl Plan {
    fn of(survey: &Survey, known: Known) -> Self {
        Self { pairs: survey.table.states().copied().collect(), known }
    }
}

/// What a run uses of others.
const fn reuse(run: &OpenRun, flags: &Flags) -> ReusePolicy {
    ReusePolicy {
        answers_since: run.answers_since,
        reask_since: run.reask_since,
        retry_refused: flags.retry_refused,
        resend_doubts: flags.resend,
    }
}

/// The word of the output's column.
const fn word(end: Option<End>) -> &'static str {
    match end {
        Some(End::Answered(ResultCode::Match)) => "match",
        Some(End::Answered(ResultCode::Mismatch)) => "mismatch",
        Some(End::Answered(ResultCode::NotSure)) => "not_sure",
        Some(End::Answered(ResultCode::Failed)) => "failed",
        Some(End::Answered(ResultCode::Unknown)) => "unknown",
        Some(End::Refused | End::Abnormal | End::UnknownSuccess) => "refused",
        Some(End::InDoubt) => "in_doubt",
        Some(End::Unavailable) => "unavailable",
        None => "not_sent",
    }
}

/// A ledger that may forget this run's own facts, or those of others.
struct Forgetful<'a> {
    ledger: &'a mut SqliteLedger,
    forget: (bool, bool),
}

impl Facts for Forgetful<'_> {
    fn earlier(
        &mut self,
        run: &OpenRun,
        keys: &crate::rules::pairs::SortedKeys,
        visit: &mut dyn FnMut(crate::rules::pairs::PairIndex, crate::ledger::Earlier),
    ) -> Result<(), crate::ledger::LedgerError> {
        if self.forget.1 { Ok(()) } else { self.ledger.earlier(run, keys, visit) }
    }

    fn own(
        &mut self,
        run: &OpenRun,
        keys: &crate::rules::pairs::SortedKeys,
        visit: &mut dyn FnMut(Option<crate::rules::pairs::PairIndex>, crate::ledger::Own),
    ) -> Result<(), crate::ledger::LedgerError> {
        if self.forget.0 { Ok(()) } else { self.ledger.own(run, keys, visit) }
    }
}
