//! One start of the program: the stages of `ceknik run` on the ledger of a simulated world, and the
//! checks of each stage.

use std::collections::{BTreeSet, VecDeque};

use tokio::sync::mpsc;

use super::super::book::{Owed, Terms, millis};
use super::super::live::{Limits, Live, Played};
use super::super::story::{deadline_after, ms};
use super::super::{Step, broken, must};
use super::Sabotage;
use super::ledger::SimLedger;
use super::stage::Stage;
use super::swarm::Kind;
use super::world::{Failure, Flags, World};
use crate::commands::run::body_trial;
use crate::commands::run::finish::{Ended, EndedStart, Output, SendingResult, finish, remember};
use crate::commands::stages::{ReuseRules, fold, opening};
use crate::config::Reuse;
use crate::engine::{Deadline, Delivery, Dispatcher, EngineOptions, NextRow, RunState};
use crate::error::Error;
use crate::input::{self, Source, inspect};
use crate::ledger::testing::Backend;
use crate::ledger::{Ledger, OpenRun, Preview, RunRef, StartRequest};
use crate::model::attempt::{PairKey, PairVersion, Tick, WallMs};
use crate::model::class::{End, ResultCode};
use crate::model::exit_code::ExitCode;
use crate::model::stop::StopReason;
use crate::output::{BookOptions, Dialect, Format, RunReport, Writer};
use crate::passes::{
    FactsOf, Input, Known, PassError, Projection, Survey, project, read_candidates, survey,
};
use crate::rules::columns::ColumnSpec;
use crate::rules::pair_key::PairHasher;
use crate::rules::pair_table::PairState;

/// The results of the stages before the first call.
struct Begun {
    input: Input,
    survey: Survey,
    /// Pair of each row; `None` if the row is rejected.
    rows: Vec<Option<PairKey>>,
    known: Known,
    run: OpenRun,
    terms: Terms,
}

/// Current knowledge of a file's pairs, as a start finds it.
#[derive(Debug, PartialEq)]
struct Plan {
    pairs: Vec<PairState>,
    known: Known,
}

impl Plan {
    fn of(survey: &Survey, known: Known) -> Self {
        // A declaration of death, which the start makes, raises versions.
        let seen = |state: &PairState| PairState { version: PairVersion::NONE, ..*state };
        Self { pairs: survey.table.states().map(seen).collect(), known }
    }
}

impl<B: Backend> World<B> {
    /// Runs the program once. Returns the reason why it stopped, or `None` if the run is finished.
    pub(super) fn start(&mut self, at: usize, flags: &Flags) -> Step<Option<StopReason>> {
        self.vendor.new_start();
        let Self { swarm, dice, .. } = self;
        let plan = if swarm.is_on(Kind::Plan, dice) { self.plan(at, flags)? } else { None };
        self.open()?;
        self.concurrency = flags.options.concurrency;
        let mut begun = self.begin(at, flags)?;
        if let Some(plan) = plan {
            self.saw("planned");
            let found = Plan::of(&begun.survey, begun.known);
            must(plan == found, || "the plan is not what the run finds".to_owned())?;
        }
        self.tell(|| format!("start of run {} on file {at}: {flags:?}", begun.run.id.0));
        let mut asked = flags.options.clone();
        asked.deadline = asked
            .deadline
            .map(|by| Deadline { at: WallMs(self.wall_ms() + millis(by.after)), ..by });
        let mut ledger = self.handle();
        let mut options = self.sabotaged(&asked);
        if flags.body_auto {
            options.body = body_trial(None, &mut ledger).map_err(broken)?;
        }
        let to_send = begun.survey.table.to_send();
        let table = std::mem::take(&mut begun.survey.table);
        let dispatcher = Dispatcher::new(&options, table, begun.known.run, begun.run.start);
        let left = if to_send == 0 {
            SendingResult::nothing_to_send(dispatcher, ledger, &begun.run.found.run)
        } else {
            self.verify(at, &begun, asked, dispatcher, ledger)?
        };
        let stop = left.ended.stop();
        self.tell(|| format!("stop: {stop:?}"));
        self.end(flags, &begun, left)?;
        self.close();
        Ok(stop)
    }

    /// Returns the options of the dispatcher, with a guard taken out. The checks still use the
    /// options that the user asked for.
    fn sabotaged(&self, asked: &EngineOptions) -> EngineOptions {
        let mut options = asked.clone();
        match self.sabotage {
            Some(Sabotage::NoBudget) => (options.max_charges, options.max_calls) = (None, None),
            Some(Sabotage::NoRate) => options.throttle.rate.cap = None,
            Some(Sabotage::OneMoreInFlight) => options.concurrency += 1,
            Some(Sabotage::NoWallDeadline) => {
                options.deadline = options.deadline.map(|by| deadline_after(by.after));
            }
            Some(Sabotage::NoDeadline) => options.deadline = None,
            _ => {}
        }
        options
    }

    /// Returns what `plan` finds for the next start, without the lock and without a write.
    fn plan(&mut self, at: usize, flags: &Flags) -> Step<Option<Plan>> {
        let preview = self.backend.preview().map_err(broken)?;
        let (mut input, mut survey, opening) = self.look(at, flags, preview.hasher())?;
        let retry = &flags.options.retry;
        let known = preview.read(|facts| {
            let found = facts.find_run(&opening)?;
            let reuse = reuse(flags, false);
            let rules = ReuseRules {
                reuse: &reuse,
                retry,
                now: opening.at,
                of: FactsOf::Now,
                is_shared: false,
            };
            fold(&mut input, &mut survey, facts, &found, rules, &|| false)
        });
        Ok(known.map_err(broken)?.map(|known| Plan::of(&survey, known)))
    }

    /// Reads the file in the way that is common to `plan` and a start.
    fn look(
        &self,
        at: usize,
        flags: &Flags,
        hasher: PairHasher,
    ) -> Step<(Input, Survey, StartRequest)> {
        let source = Source::file(&self.path(at)).map_err(broken)?;
        let options = input::ReadOptions {
            id_column: Some(ColumnSpec::Index(2)),
            name_column: Some(ColumnSpec::Index(3)),
            ..input::ReadOptions::default()
        };
        let layout = inspect(&source, &options).map_err(broken)?;
        let input = Input::new(source, layout, options, hasher);
        let survey = survey(&input, &|| false).map_err(broken)?;
        let reuse = reuse(flags, false);
        let now = WallMs(self.wall_ms());
        let opening = opening(&input, &survey, &reuse, None, "account", now);
        // The folder of the files is another one each time that the seed is played.
        Ok((input, survey, StartRequest { path: [at as u8; 16], ..opening }))
    }

    /// Surveys the file, folds in what is known, and begins the run or resumes it.
    fn begin(&mut self, at: usize, flags: &Flags) -> Step<Begun> {
        use crate::ledger::Facts;
        let mut ledger = self.handle();
        let (mut input, mut survey, opening) = self.look(at, flags, ledger.hasher())?;
        let rows = self.files[at].clone();
        let rows: Vec<_> = rows.into_iter().map(|row| self.pair_of(row)).collect();
        let rejected = rows.iter().filter(|row| row.is_none()).count() as u64;
        let counted = (survey.counts.rows, survey.counts.rejected());
        must(counted == (rows.len() as u64, rejected), || "the survey miscounts".to_owned())?;

        let found = ledger.find_run(&opening).map_err(broken)?;
        let reuse = reuse(flags, self.sabotage == Some(Sabotage::ResendDoubts));
        let retry = &flags.options.retry;
        let rules = ReuseRules {
            reuse: &reuse,
            retry,
            now: opening.at,
            of: FactsOf::Now,
            is_shared: false,
        };
        let known = fold(&mut input, &mut survey, &mut ledger, &found, rules, &|| false);
        let known = known.map_err(broken)?;
        let opened = ledger.open_run(&opening);
        self.step()?;
        let run = opened.map_err(broken)?;
        must(run.found == found, || "another run was found than opened".to_owned())?;
        must(!self.finished.contains(&run.id.0), || "a finished run goes on".to_owned())?;
        let latest = self.book.facts.last_key_value().map_or(0, |(attempt, _)| attempt >> 32);
        must(u64::from(run.start.0) > latest, || format!("{:?} is not new", run.start))?;
        match found.run {
            RunRef::New { takes_over } => {
                let cut_off = opening.at.before(flags.reuse);
                must(found.answers_since == cut_off, || "the reuse cut-off".to_owned())?;
                self.book.took_over.extend(takes_over.map(|older| (run.id.0, older.run.0)));
                self.saw("a new run");
            }
            RunRef::Open(id) => {
                must(id == run.id, || "another run goes on".to_owned())?;
                self.saw("a resume");
            }
            RunRef::Finished { .. } => return Err(broken("a run without a name is done once")),
        }
        let terms = Terms {
            run: run.id.0,
            answers_since: found.answers_since.0,
            reask_since: found.reask_since.0,
            resend: flags.resend,
            retry_refused: flags.retry_refused,
            max_attempts: flags.options.retry.max_attempts,
        };
        Ok(Begun { input, survey, rows, known, run, terms })
    }

    /// Runs the stage that sends, in virtual time.
    fn verify(
        &mut self,
        at: usize,
        begun: &Begun,
        asked: EngineOptions,
        dispatcher: Dispatcher,
        ledger: SimLedger<B>,
    ) -> Step<SendingResult<SimLedger<B>>> {
        let (rows, read) = self.read_rows(at, begun);
        let signals = self.any_signals();
        let limits = Limits { options: asked, terms: begun.terms };
        let mut live = Live::new(dispatcher, limits, rows, signals);
        let epoch = self.clock;
        let mut stage = Stage { world: self, run: &begun.run, epoch, broken: None };
        live.play(&mut stage)?;
        let is_gone = matches!(stage.broken, Some(Failure::Gone { .. }));
        let Played { mut state, refusals } = live.end();
        self.check_state(begun.run.id.0, &state, refusals, is_gone)?;
        let failure = state.failure.take();
        let ended = Ended::of(state.stop, failure, Ok(read));
        // If the writer is gone, the ledger is gone with it.
        Ok(SendingResult { state, ledger: (!is_gone).then_some(ledger), ended })
    }

    /// Returns the rows as the reader's thread delivers them. The file may have changed before.
    fn read_rows(
        &mut self,
        at: usize,
        begun: &Begun,
    ) -> (VecDeque<NextRow>, Result<(), PassError>) {
        let Self { swarm, dice, .. } = self;
        if swarm.strikes(Kind::Torn, dice) {
            self.tell(|| "the file changes while it is read".to_owned());
            self.change_file(at);
        }
        let (give, mut taken) = mpsc::channel(8);
        let read = read_candidates(&begun.input, begun.survey.fingerprint, &give);
        let mut rows = VecDeque::new();
        while let Ok(delivery) = taken.try_recv() {
            match delivery {
                Delivery::Rows(chunk) => rows.extend(chunk.into_iter().map(NextRow::Row)),
                Delivery::End => rows.push_back(NextRow::End),
                Delivery::Failed(reason) => rows.push_back(NextRow::Broken(reason)),
            }
        }
        (rows, read)
    }

    fn any_signals(&mut self) -> BTreeSet<Tick> {
        let Self { swarm, dice, .. } = self;
        let mut signals = BTreeSet::new();
        if swarm.is_on(Kind::Signal, dice) {
            let first = dice.below(1500);
            signals.insert(ms(first));
            signals.extend(dice.one_in(2).then(|| ms(first + 1 + dice.below(150))));
        }
        signals
    }

    /// Runs the stages after the last call, and checks their results.
    fn end(&mut self, flags: &Flags, begun: &Begun, left: SendingResult<SimLedger<B>>) -> Step {
        let storage_failed = matches!(left.ended, Ended::StorageFailed(_));
        let had_ledger = left.ledger.is_some();
        let now = WallMs(self.wall_ms());
        let mut checked = Ok(());
        let stop = left.ended.stop();
        let report = RunReport { stop, ended_at: now, ..RunReport::blank() };
        let ended = finish(
            left,
            &begun.run,
            report,
            false,
            |state, ledger| remember(state, flags.body_auto, Some(&[0; 16]), now, ledger),
            |report, state, ledger| {
                let (bytes, output) = self.project(begun, report, state, ledger)?;
                checked = self.check_output(begun, state, report.stop, &bytes);
                Ok(output)
            },
            |_| Ok(()),
        );
        self.step()?;
        checked?;
        let EndedStart { report: RunReport { exit: code, written, .. }, result, .. } = ended;
        let has_all = written.is_some_and(|rows| rows.outcomes.all_have_verdicts());
        let is_changed = matches!(&result, Err(error) if error.code == ExitCode::Input);
        let expected = match stop {
            _ if storage_failed => ExitCode::Storage,
            _ if is_changed => ExitCode::Input,
            Some(reason) => reason.exit_code(),
            None if has_all => ExitCode::Complete,
            None => ExitCode::SomeWithoutVerdict,
        };
        must(code == expected, || format!("exit code {code:?}, not {expected:?}: {result:?}"))?;
        must(had_ledger || written.is_none(), || "an output of no ledger".to_owned())?;
        if let Ok(ExitCode::Complete | ExitCode::SomeWithoutVerdict) = result {
            self.finished.insert(begun.run.id.0);
        }
        Ok(())
    }

    fn project(
        &self,
        begun: &Begun,
        report: &RunReport,
        state: &RunState,
        ledger: &mut SimLedger<B>,
    ) -> Result<(Vec<u8>, Output), Error> {
        let Begun { input, survey, run, .. } = begun;
        let (layout, run_number) = (&input.layout, run.id.0);
        let options =
            BookOptions { layout, formats: &[], input: "file", run: run_number, price: None };
        let format = Format::csv(Dialect::Exact);
        let mut writer = Writer::new(Vec::new(), format, options, self.folder.path())
            .map_err(PassError::from)?;
        let (table, tally) = (&state.table, &state.tally);
        let fingerprint = survey.fingerprint;
        let what = Projection { input, fingerprint, table, tally, only: &[] };
        let written = project(&what, ledger, &mut writer, &|| false)?;
        let bytes = writer.finish(report, &written).map_err(PassError::from)?;
        Ok((bytes, Output { written, placed: Ok(None) }))
    }

    /// Checks that the state of the run agrees with what the next start will read, and with the
    /// vendor's log.
    fn check_state(&self, run: u64, state: &RunState, refusals: usize, is_gone: bool) -> Step {
        let open = self.book.open();
        must(open == 0 || refusals > 0, || format!("{open} attempts without a settlement"))?;
        // A ledger that refused once gets the answers when it is asked again.
        must(open == 0 || refusals > 1 || is_gone, || format!("{open} lost by one refusal"))?;
        let mut next = self.book.clone();
        next.settle_killed(self.wall_ms());
        let (says, owed) = (Owed::of(&state.tally), next.owed(run));
        // A writer that is gone may have recorded its last batch. The calls of its intents never
        // leave, so these intents are in doubt.
        must(says == owed || is_gone, || format!("it says {says:?}, the ledger {owed:?}"))?;
        next.check_money(run, &self.vendor.log)
    }

    /// Checks that the output has every row once and in order, with the outcome of the vendor's
    /// answer that was recorded last.
    fn check_output(
        &self,
        begun: &Begun,
        state: &RunState,
        stop: Option<StopReason>,
        output: &[u8],
    ) -> Step {
        let mut next = self.book.clone();
        next.settle_killed(0);
        let mut reader = csv::Reader::from_reader(output);
        let header = reader.headers().map_err(broken)?.clone();
        let column = |name: &str| header.iter().position(|cell| cell == name).unwrap_or(usize::MAX);
        let (shown, order, number) = (column("ck_outcome"), column("ck_order_no"), column("no"));
        let records: Vec<_> = reader.records().collect::<Result<_, _>>().map_err(broken)?;
        must(records.len() == begun.rows.len(), || "rows are lost or made".to_owned())?;
        for (n, (record, pair)) in records.iter().zip(&begun.rows).enumerate() {
            must(record[number] == n.to_string(), || format!("row {n} is not in its place"))?;
            let Some(pair) = pair else {
                must(&record[shown] == "rejected", || format!("row {n} is not rejected"))?;
                continue;
            };
            let (attempt, end) = next.standing(*pair, &begun.terms);
            // The ledger voids the refusals of a streak, but the run's state does not. The next
            // start asks these rows again.
            let is_pardoned = state.stop == Some(StopReason::RefusalsInRow) && end.is_none();
            must(is_pardoned || record[shown] == *word(end), || {
                format!("row {n} is {}, not {}", &record[shown], word(end))
            })?;
            must(stop.is_some() || end.is_some(), || format!("row {n} has no end"))?;
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

/// Converts the flags to the type that the stages accept.
const fn reuse(flags: &Flags, resends_unasked: bool) -> Reuse {
    Reuse {
        answers: flags.reuse,
        reask_after: flags.reask_after,
        retry_refused: flags.retry_refused,
        resend_doubts: flags.resend || resends_unasked,
    }
}

/// Returns the word of an end in the output's column.
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
        Some(End::Removed) | None => "not_sent",
    }
}
