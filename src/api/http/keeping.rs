//! Decides whether connections are kept for the next call.
//!
//! A gateway that answers one call twice, the second time under a new request id, delivers its
//! second answer to the next call on the same connection. Usually the second answer comes while no
//! call is under way. The connection then ends early and unannounced. The connections of a server
//! that is restarted end in the same way, but not again and again.
//!
//! Must hold: the memory of past ends is bounded.
//!
//! Never: reads a clock or waits.

use std::collections::VecDeque;
use std::time::Duration;

/// Number of unannounced ends, in different seconds and within `WITHIN`, after which no connection
/// is kept for a while.
const MOST_ENDS: usize = 3;
/// Period in which unannounced ends are counted together. For as long after such an end, only
/// rested connections are used again.
const WITHIN: Duration = Duration::from_secs(10 * 60);
/// Period for which no connection is kept after `MOST_ENDS` unannounced ends.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// Ends that are closer together than this count as one end, caused by the restart of a server.
const MIN_GAP: Duration = Duration::from_secs(1);

/// Time since the client was made.
pub(super) type Uptime = Duration;

/// The connections that may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// All idle connections.
    All,
    /// Only connections that were idle for a while, because another connection has ended
    /// unannounced. On a rested connection, an answer that nobody asked for would have come
    /// already.
    Rested,
    /// No connection: each call gets a new one.
    None,
}

/// The state of the decision whether connections are kept.
#[derive(Debug)]
pub(super) enum KeepAlivePolicy {
    /// Connections are kept.
    On {
        /// Times of the latest unannounced ends, at least `MIN_GAP` from each other.
        ends: VecDeque<Uptime>,
    },
    /// Connections are not kept before this time.
    Off { until: Uptime },
    /// Connections are never kept, because the user wants it so.
    Never,
}

impl KeepAlivePolicy {
    pub(super) fn new(wanted: bool) -> Self {
        if wanted { Self::On { ends: VecDeque::new() } } else { Self::Never }
    }

    /// Returns the connections that may be used again now.
    pub(super) fn trust(&mut self, now: Uptime) -> Trust {
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

    /// Records that a connection ended soon after an answer that had not announced the end.
    pub(super) fn ended_unannounced(&mut self, now: Uptime) {
        let Self::On { ends } = self else { return };
        if ends.back().is_some_and(|last| now < *last + MIN_GAP) {
            return;
        }
        ends.push_back(now);
        while ends.front().is_some_and(|first| now > *first + WITHIN) {
            ends.pop_front();
        }
        if ends.len() >= MOST_ENDS {
            *self = Self::Off { until: now + PAUSE };
            tracing::warn!(
                "the server closes connections after its answers without saying so, and a gateway may answer calls twice: \
                 for an hour, each call uses its own connection"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the trust at the time `at`, after connections ended at the times `ends`. All times
    /// are in milliseconds.
    fn trust_after(ends: &[u64], at: u64) -> Trust {
        let mut keeping = KeepAlivePolicy::new(true);
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
    fn without_keep_alive_no_connection_is_kept() {
        let mut keeping = KeepAlivePolicy::new(false);
        assert_eq!([Duration::ZERO, PAUSE * 9].map(|at| keeping.trust(at)), [Trust::None; 2]);
        // After an hour, the ends are counted from zero again.
        let mut keeping = KeepAlivePolicy::Off { until: PAUSE };
        assert_eq!(keeping.trust(PAUSE), Trust::All);
        keeping.ended_unannounced(PAUSE);
        assert_eq!(keeping.trust(PAUSE), Trust::Rested);
    }
}
