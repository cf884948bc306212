//! Chooses the faults of a seed, and how often each fault occurs. A seed has a random few of the
//! faults, so that some seeds are quiet and no fault always hides another.

use super::dice::Dice;

/// A kind of fault, or of unusual condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection cannot be made.
    Connect,
    /// The vendor answers with an error.
    Trouble,
    /// The answer is a 5xx that is not the vendor's.
    Gateway,
    /// The answer is lost, and the call may be charged or not.
    Lost,
    /// The vendor asks to slow down, though no limit was passed.
    Slower,
    /// The vendor has a limit of calls per second, which changes from start to start and in the
    /// middle of a start.
    Limit,
    /// Any answer may have a `Retry-After` header.
    Wish,
    /// The account or the address is refused.
    Account,
    /// The quota is used up in the middle of a start.
    Quota,
    /// The row is refused.
    Refusal,
    /// The answer has a result code or a status that is not documented.
    Unknown,
    /// An answer takes up to a minute.
    Slow,
    /// No call succeeds for a while.
    Outage,
    /// The process is killed at any step, or in the middle of a write.
    Kill,
    /// The user presses Ctrl-C, once or twice.
    Signal,
    /// A commit fails.
    Commit,
    /// Timers are late.
    Late,
    /// The reader of the rows is slow.
    Reader,
    /// The flag `--deadline` is given.
    Deadline,
    /// The flag `--max-charges` is given.
    Budget,
    /// The flag `--limit` is given.
    Calls,
    /// The flag `--stop-if-mismatch-over` is given.
    Brake,
    /// The flag `--in-doubt resend` is given.
    Resend,
    /// The flag `--retry-refused` is given.
    RetryRefused,
    /// The flags `--reuse` and `--reask-after` have other values, and days may pass between two
    /// starts.
    Reuse,
    /// The file is changed before it is run again.
    Changed,
    /// The file changes while it is read.
    Torn,
    /// The user runs `purge` between two starts.
    Purge,
    /// The clock is set back between two starts, and jumps in the middle of a start.
    Clock,
    /// The user runs `plan` before a start.
    Plan,
    /// The ledger often moves its writes into its main file.
    Checkpoint,
}

const KINDS: usize = Kind::Checkpoint as usize + 1;

/// Frequency of each kind, in a thousand.
#[derive(Debug, Clone)]
pub(super) struct Swarm([u64; KINDS]);

impl Swarm {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let share = dice.pick(&[0, 1, 2, 3, 4]);
        let mut swarm = Self(std::array::from_fn(|_| match dice.below(6) < share {
            true => dice.pick(&[5, 20, 80, 300, 300, 950]),
            false => 0,
        }));
        // Kills are what the simulation is mainly for.
        if !dice.one_in(4) {
            swarm.set(Kind::Kill, 500);
        }
        swarm
    }

    pub(super) const fn set(&mut self, kind: Kind, rate: u64) {
        self.0[kind as usize] = rate;
    }

    /// Returns a swarm without faults.
    pub(super) const fn none() -> Self {
        Self([0; KINDS])
    }

    pub(super) fn strikes(&self, kind: Kind, dice: &mut Dice) -> bool {
        dice.below(1000) < self.0[kind as usize]
    }

    /// Decides once for a start, and not for each call, whether this kind occurs: in half of the
    /// cases, if the seed has this kind.
    pub(super) fn is_on(&self, kind: Kind, dice: &mut Dice) -> bool {
        self.0[kind as usize] > 0 && dice.one_in(2)
    }
}
