//! Which faults a seed has, and how often: a random few of them, so that some seeds are quiet and
//! no fault always hides another.

use super::dice::Dice;

/// What can go wrong, or be unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection cannot be made.
    Connect,
    /// An error answer of the vendor's.
    Trouble,
    /// A 5xx that is not the vendor's.
    Gateway,
    /// The answer is lost, charged or not.
    Lost,
    /// "Slower", though no limit was passed.
    Slower,
    /// The vendor has a limit of calls per second, another one in each start and in its middle.
    Limit,
    /// `Retry-After` on any answer.
    Wish,
    /// The account or the address is refused.
    Account,
    /// The quota is used up in the middle.
    Quota,
    /// The row is refused.
    Refusal,
    /// A code or a status that is not documented.
    Unknown,
    /// An answer takes up to a minute.
    Slow,
    /// For a while nothing is answered.
    Outage,
    /// Killed at any step, or in the middle of a write.
    Kill,
    /// Ctrl-C, once or twice.
    Signal,
    /// A commit fails.
    Commit,
    /// Timers are late.
    Late,
    /// The reader of the rows is slow.
    Reader,
    /// `--deadline`.
    Deadline,
    /// `--max-charges`.
    Budget,
    /// `--limit`.
    Calls,
    /// `--stop-if-mismatch-over`.
    Brake,
    /// `--in-doubt resend`.
    Resend,
    /// `--retry-refused`.
    RetryRefused,
    /// `--reuse` and `--reask-after` of another length.
    Reuse,
    /// The file is another one when it is run again.
    Changed,
    /// The file changes while it is read.
    Torn,
    /// `purge` between two starts.
    Purge,
    /// The clock is set back between two starts, and jumps in the middle of one.
    Clock,
    /// `plan` before a start.
    Plan,
    /// The ledger's writes are folded into its file often.
    Checkpoint,
}

const KINDS: usize = Kind::Checkpoint as usize + 1;

/// How often each kind strikes, in a thousand.
#[derive(Debug, Clone)]
pub(super) struct Swarm([u64; KINDS]);

impl Swarm {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let share = dice.pick(&[0, 1, 2, 3, 4]);
        let mut swarm = Self(std::array::from_fn(|_| match dice.below(6) < share {
            true => dice.pick(&[5, 20, 80, 300, 300, 950]),
            false => 0,
        }));
        // What all the rest is for.
        if !dice.one_in(4) {
            swarm.set(Kind::Kill, 500);
        }
        swarm
    }

    pub(super) const fn set(&mut self, kind: Kind, rate: u64) {
        self.0[kind as usize] = rate;
    }

    /// All is well.
    pub(super) const fn none() -> Self {
        Self([0; KINDS])
    }

    pub(super) const fn strikes(&self, kind: Kind, dice: &mut Dice) -> bool {
        dice.below(1000) < self.0[kind as usize]
    }

    /// For what is asked once a start and not once a call: as often as not where it is on.
    pub(super) const fn is_on(&self, kind: Kind, dice: &mut Dice) -> bool {
        self.0[kind as usize] > 0 && dice.one_in(2)
    }
}
