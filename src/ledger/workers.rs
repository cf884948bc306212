//! Workers: the starts that write to one ledger at the same time, and what they tell each other.
//!
//! A worker gives a sign of life, a *beat*, again and again. Each beat that the ledger has answered
//! gives the worker a *lease*: for half of it the worker may send calls. A worker that was silent
//! for a whole lease is declared dead by another one.

use crate::model::attempt::StartId;
use crate::model::exit_code::ExitCode;

/// Number of beats in a lease.
pub(crate) const BEATS_IN_A_LEASE: u32 = 15;

/// Sign of life of a worker, with what the others want to know.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Beat {
    /// Calls a second that the worker was asked to keep to; `None` if there is no limit.
    pub rate: Option<f64>,
    /// Number of pairs that the worker has still to send in its round.
    pub left: u64,
}

/// Answer of the ledger to a beat.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// Number of times that this worker was declared dead. Intents that were granted before the
    /// last of these times must not be sent.
    pub generation: u32,
    /// True if the ledger holds this worker's start for ended: it may send nothing more.
    pub has_ended: bool,
    /// The living workers of the run, this one included.
    pub members: Vec<StartId>,
    /// Number of living workers that use the account, in all runs, this one included.
    pub sharers: u32,
    /// Lowest rate that one of these workers was asked to keep to; `None` if there is no limit.
    pub rate: Option<f64>,
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
            || self.starts() != before.starts()
            || self.declared_dead != before.declared_dead
            || (are_idle(self) && !are_idle(before))
    }

    /// Returns the machines of the living workers, for people.
    pub fn hosts(&self) -> String {
        let hosts: Vec<&str> = self.living.iter().map(|worker| worker.host.as_str()).collect();
        hosts.join(", ")
    }
}
