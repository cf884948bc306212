//! The decision whether connections are kept for the next call.
//!
//! A gateway that answers one call twice, under a new request id, gives its second answer to the next call on that
//! connection. Mostly it comes while nothing is asked: the connection then ends in the middle of its life, unannounced.
//! So does one whose server is restarted; but not again and again.
//!
//! Must hold: told the time, never waits; what is remembered is bounded.

use std::collections::VecDeque;
use std::time::Duration;

/// So many ends that nobody announced, in different seconds,
const MOST_ENDS: usize = 3;
/// within this time, and connections are no longer kept,
const WITHIN: Duration = Duration::from_secs(10 * 60);
/// for so long.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// Ends that are closer together are one: a server was restarted.
const APART: Duration = Duration::from_secs(1);

/// Time since the client was made.
pub(super) type Tick = Duration;

/// The connections that may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// All.
    All,
    /// One has ended unannounced: only those that were idle for a while, so that what nobody asked for would have come.
    Rested,
    /// None: each call gets its own.
    None,
}

/// Decides whether connections are kept.
#[derive(Debug)]
pub(super) enum Keeping {
    /// They are.
    On {
        /// The latest ends that nobody announced, each in a second of its own.
        ends: VecDeque<Tick>,
    },
    /// Not before this time.
    Off { until: Tick },
    /// Never: the user wants it so.
    Never,
}

impl Keeping {
    pub(super) fn new(wanted: bool) -> Self {
        if wanted { Self::On { ends: VecDeque::new() } } else { Self::Never }
    }

    /// The connections that may be used again now.
    pub(super) fn trust(&mut self, now: Tick) -> Trust {
        match self {
            Self::Off { until } if now >= *until => {
                *self = Self::new(true);
                tracing::info!("connections are kept again");
                Trust::All
            }
            Self::Off { .. } | Self::Never => Trust::None,
            Self::On { ends } if ends.back().is_some_and(|last| now <= *last + WITHIN) => {
                Trust::Rested
            }
            Self::On { .. } => Trust::All,
        }
    }

    /// A connection ended soon after an answer that did not announce it.
    pub(super) fn ended_unannounced(&mut self, now: Tick) {
        let Self::On { ends } = self else { return };
        if ends.back().is_some_and(|last| now < *last + APART) {
            return;
        }
        ends.push_back(now);
        while ends.front().is_some_and(|first| now > *first + WITHIN) {
            ends.pop_front();
        }
        if ends.len() >= MOST_ENDS {
            *self = Self::Off { until: now + PAUSE };
            tracing::warn!(
                "the server closes connections after its answers without saying so: a gateway may answer calls twice; \
                 for an hour each call gets a connection of its own"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trust after ends at these times, in milliseconds, and at a last one.
    fn trust_after(ends: &[u64], at: u64) -> Trust {
        let mut keeping = Keeping::new(true);
        for end in ends {
            keeping.ended_unannounced(Duration::from_millis(*end));
        }
        keeping.trust(Duration::from_millis(at))
    }

    #[test]
    fn three_ends_in_different_seconds_within_ten_minutes() {
        let minute = 60_000;
        for (ends, at, trust) in [
            (&[][..], 0, Trust::All),
            (&[0, 2000], 2001, Trust::Rested),
            (&[0, 2000], 2000 + 10 * minute + 1, Trust::All),
            (&[0, 2000, 4000], 4001, Trust::None),
            (&[0, 500, 999, 2000], 2001, Trust::Rested),
            (&[0, 1000, 2000], 2001, Trust::None),
            (&[0, 5 * minute, 10 * minute], 10 * minute, Trust::None),
            (&[0, 5 * minute, 10 * minute + 1], 10 * minute + 1, Trust::Rested),
            (&[0, 2000, 4000], 4000 + 60 * minute - 1, Trust::None),
            (&[0, 2000, 4000], 4000 + 60 * minute, Trust::All),
        ] {
            assert_eq!(trust_after(ends, at), trust, "{ends:?} at {at}");
        }
    }

    #[test]
    fn who_wants_none_kept_gets_none_kept() {
        let mut keeping = Keeping::new(false);
        assert_eq!([Duration::ZERO, PAUSE * 9].map(|at| keeping.trust(at)), [Trust::None; 2]);
        // After an hour the count begins anew.
        let mut keeping = Keeping::Off { until: PAUSE };
        assert_eq!(keeping.trust(PAUSE), Trust::All);
        keeping.ended_unannounced(PAUSE);
        assert_eq!(keeping.trust(PAUSE), Trust::Rested);
    }
}
