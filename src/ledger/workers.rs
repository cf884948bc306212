//! Workers: the starts that write to one ledger at the same time, and what they tell each other.
//!
//! A worker gives a sign of life, a *beat*, again and again. Each beat that the ledger has answered
//! gives the worker a *lease*: for half of it the worker may send calls. A worker that was silent
//! for a whole lease is declared dead by another one.
//!
//! All workers that use an account keep to one rate: each call takes a *slot*, a moment that no
//! other worker gets. All workers of a run keep to one budget: each gets *room*, a part of the
//! budget that it alone may use.

use std::time::Duration;

use crate::model::attempt::StartId;
use crate::model::exit_code::ExitCode;
use crate::model::stop::StopReason;
use crate::rules::body::BodyKind;
use crate::rules::first_verdicts::FirstVerdicts;
use crate::rules::room::{Room, RoomWish};
use crate::rules::rounds::Writer;

/// Number of beats in a lease.
pub(crate) const BEATS_IN_A_LEASE: u32 = 15;

/// Sign of life of a worker, with what the others want to know.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Beat {
    /// Calls a second that the other workers must keep to as well; `None` if there is no limit.
    pub rate: Option<f64>,
    /// Number of pairs that the worker has still to send in its round.
    pub left: u64,
    /// Verdicts that the worker has counted.
    pub verdicts: VerdictCount,
    /// The body kind that an answer has proved; `None` if none has.
    pub body: Option<BodyKind>,
    /// Wish for room in the budget of the run; `None` for a run without a limit.
    pub room: Option<RoomWish>,
    /// Change of the source that the worker has found since its last beat.
    pub source: Option<SourceChange>,
    /// Reason to stop that the worker has found, and that concerns others too.
    pub stop: Option<StopReason>,
}

impl Beat {
    /// Returns the same beat without the changes and the wish, which are told once.
    pub(crate) const fn without_changes(self) -> Self {
        Self { source: None, stop: None, room: None, ..self }
    }

    /// Returns the same beat, with the changes of an earlier one that was not answered.
    pub(crate) fn with_changes_of(self, earlier: Self) -> Self {
        let (source, stop) = (self.source.or(earlier.source), self.stop.or(earlier.stop));
        Self { source, stop, ..self }
    }
}

/// Number of verdicts (match, mismatch, not sure, failed) that a worker has recorded in its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerdictCount {
    /// Number of verdicts. It need not rise above the number of first verdicts that are judged.
    pub recorded: u32,
    /// True if the worker does not know the first verdicts of the run yet.
    pub wants_first: bool,
}

/// Change of the source, which concerns all workers that use the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceChange {
    /// The source no longer answers.
    Down,
    /// The source answers again.
    Up,
}

/// Wish of a worker for slots: for moments at which one call each may leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlotsWish {
    /// Number of slots.
    pub calls: u32,
    /// Number of slots in a second, over all workers.
    pub rate: f64,
    /// Time for which all workers have to pause, if the vendor has just asked for it.
    pub pause: Option<Duration>,
}

/// Answer of the ledger to a wish for slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// The slots begin after this time, counted from the answer, at the distance of the rate.
    From(Duration),
    /// All workers pause for this time.
    Paused(Duration),
}

/// State of the source, as the workers that use the account have found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceNews {
    /// True if the source does not answer.
    pub is_down: bool,
    /// True if this worker is the one that tries whether the source answers again.
    pub is_prober: bool,
}

/// Answer of the ledger to a beat.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct News {
    /// Number of times that this worker was declared dead. Intents that were granted before the
    /// last of these times must not be sent.
    pub generation: u32,
    /// True if the ledger holds this worker's start for ended: it may send nothing more.
    pub has_ended: bool,
    /// The living workers of the run, this one included.
    pub members: Vec<StartId>,
    /// Lowest rate that another living worker which uses the account keeps to; `None` if there is
    /// no limit.
    pub rate: Option<f64>,
    /// Number of living workers that use the account, this one included.
    pub workers: u32,
    /// Time for which all workers that use the account pause from now on.
    pub pause: Duration,
    /// State of the source.
    pub source: SourceNews,
    /// Reason to stop that another worker has found.
    pub stop: Option<StopReason>,
    /// The body kind that another worker has proved.
    pub body: Option<BodyKind>,
    /// The first verdicts of the run, once they are all there and the worker wants them.
    pub verdicts: Option<FirstVerdicts>,
    /// Room of this start; `None` if it has not changed.
    pub room: Option<Room>,
}

/// A living worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Number of its start.
    pub start: StartId,
    /// Name of its machine.
    pub host: String,
    /// Number of pairs that it has still to send in its round.
    pub left: u64,
    /// True if it only helps the run, and writes no output.
    pub joins: bool,
}

/// The end of a run that another worker has finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Exit code of the run.
    pub exit: ExitCode,
    /// Machine of the worker that wrote the output.
    pub host: String,
    /// Path of the output on that machine, masked; `None` for standard output.
    pub output: Option<String>,
}

/// The workers of a run, as one of them finds them between two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Others {
    /// The living workers of the run, the oldest first, the asking one left out.
    pub living: Vec<Member>,
    /// Number of times that a worker of the run was declared dead. When this number rises, open
    /// pairs have become doubts.
    pub declared_dead: u64,
    /// The end of the run, if another worker has finished it.
    pub delivered: Option<Delivered>,
    /// True if the ledger holds the asking worker's own start for ended.
    pub has_ended: bool,
    /// Reason to stop that another worker has found, and that concerns the asking one.
    pub stop: Option<StopReason>,
}

impl Others {
    /// Returns the numbers of the living workers.
    pub fn starts(&self) -> Vec<StartId> {
        self.living.iter().map(|worker| worker.start).collect()
    }

    /// Checks whether another fold may show more than the one before which `before` was read.
    pub fn has_news_since(&self, before: &Self) -> bool {
        let are_idle = |others: &Self| others.living.iter().all(|worker| worker.left == 0);
        self.delivered.is_some()
            || self.has_ended
            || self.stop.is_some()
            || self.starts() != before.starts()
            || self.declared_dead != before.declared_dead
            || (are_idle(self) && !are_idle(before))
    }

    /// Returns the worker that writes the output: the oldest living one that does not only help.
    /// `me` is the start of the asking worker, and `joins` is true if that one only helps.
    pub fn writer(&self, me: StartId, joins: bool) -> Writer {
        let is_before_me = |worker: &&Member| joins || worker.start < me;
        match self.writers().any(|worker| is_before_me(&worker)) {
            true => Writer::Another,
            false if joins => Writer::Nobody,
            false => Writer::Me,
        }
    }

    /// Returns the living workers that do not only help.
    pub fn writers(&self) -> impl Iterator<Item = &Member> {
        self.living.iter().filter(|worker| !worker.joins)
    }

    /// Returns the machines of the living workers, for people.
    pub fn hosts(&self) -> String {
        let hosts: Vec<&str> = self.living.iter().map(|worker| worker.host.as_str()).collect();
        hosts.join(", ")
    }
}
