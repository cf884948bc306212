//! Models of vendors that limit the calls per second.
//!
//! Must hold: what a vendor decides depends on the times of the calls and on its seed alone.

use std::collections::VecDeque;
use std::time::Duration;

/// A limit on calls, as vendors count them.
#[derive(Debug, Clone)]
pub(crate) enum Limiter {
    /// Tokens for a second's calls are stored. Each call takes one.
    Bucket {
        /// Calls a second.
        rate: f64,
        /// Most tokens that are stored.
        size: f64,
        tokens: f64,
        at: Duration,
    },
    /// A number of calls in each window, which turns at fixed times.
    Fixed { span: Duration, calls: f64, offset: Duration, window: u128, used: f64 },
    /// A number of calls in the time before each call. Refused calls may count too.
    Sliding { span: Duration, calls: f64, counts_refused: bool, log: VecDeque<Duration> },
    /// A least distance between calls, with a burst of 1 %.
    Spacing { rate: f64, due: Duration },
    /// Several limits at once.
    All(Vec<Limiter>),
    /// No limit.
    None,
}

impl Limiter {
    /// A bucket that stores `seconds` of calls, and is full at first.
    pub(crate) fn bucket(rate: f64, seconds: f64) -> Self {
        let size = (rate * seconds).max(1.0);
        Self::Bucket { rate, size, tokens: size, at: Duration::ZERO }
    }

    /// A window that turns at a moment that `seed` chooses.
    pub(crate) fn fixed(span: Duration, calls: f64, dice: &mut fastrand::Rng) -> Self {
        let offset = span.mul_f64(dice.f64());
        Self::Fixed { span, calls, offset, window: 0, used: 0.0 }
    }

    /// A sliding window.
    pub(crate) const fn sliding(span: Duration, calls: f64, counts_refused: bool) -> Self {
        Self::Sliding { span, calls, counts_refused, log: VecDeque::new() }
    }

    /// Strict distances.
    pub(crate) const fn spacing(rate: f64) -> Self {
        Self::Spacing { rate, due: Duration::ZERO }
    }

    /// Changes the limit by a factor.
    pub(crate) fn scale(&mut self, factor: f64) {
        match self {
            Self::Bucket { rate, size, tokens, .. } => {
                *rate *= factor;
                *size *= factor;
                *tokens = tokens.min(*size);
            }
            Self::Fixed { calls, .. } | Self::Sliding { calls, .. } => *calls *= factor,
            Self::Spacing { rate, .. } => *rate *= factor,
            Self::All(limits) => limits.iter_mut().for_each(|limit| limit.scale(factor)),
            Self::None => {}
        }
    }

    /// Checks whether a call may pass now, without counting it.
    fn would_admit(&mut self, now: Duration) -> bool {
        match self {
            Self::Bucket { rate, size, tokens, at } => {
                *tokens = (*tokens + *rate * now.saturating_sub(*at).as_secs_f64()).min(*size);
                *at = (*at).max(now);
                *tokens >= 1.0
            }
            Self::Fixed { span, calls, offset, window, used } => {
                let current = (now + *offset).as_nanos() / span.as_nanos();
                if current != *window {
                    (*window, *used) = (current, 0.0);
                }
                *used + 1.0 <= *calls
            }
            Self::Sliding { span, calls, log, .. } => {
                while log.front().is_some_and(|at| *at + *span <= now) {
                    log.pop_front();
                }
                log.len() as f64 + 1.0 <= *calls
            }
            Self::Spacing { rate, due } => {
                let burst = (*rate * 0.01).max(1.0);
                now + Duration::from_secs_f64((burst - 1.0) / *rate) >= *due
            }
            Self::All(limits) => limits.iter_mut().all(|limit| limit.would_admit(now)),
            Self::None => true,
        }
    }

    /// Decides on a call that arrives now.
    pub(crate) fn admit(&mut self, now: Duration) -> bool {
        let passes = self.would_admit(now);
        if passes {
            self.count(now);
        } else if let Self::Sliding { counts_refused: true, log, .. } = self {
            log.push_back(now);
        }
        passes
    }

    fn count(&mut self, now: Duration) {
        match self {
            Self::Bucket { tokens, .. } => *tokens -= 1.0,
            Self::Fixed { used, .. } => *used += 1.0,
            Self::Sliding { log, .. } => log.push_back(now),
            Self::Spacing { rate, due } => {
                *due = (*due).max(now) + Duration::from_secs_f64(1.0 / *rate);
            }
            Self::All(limits) => limits.iter_mut().for_each(|limit| limit.count(now)),
            Self::None => {}
        }
    }

    /// Returns the time until which a refused call has to wait for a long window to turn; `None` if
    /// the limit has none.
    pub(crate) fn turns_at(&self, now: Duration) -> Option<Duration> {
        match self {
            Self::Fixed { span, offset, window, .. } => {
                let next = Duration::from_secs_f64((*window + 1) as f64 * span.as_secs_f64());
                Some(next.saturating_sub(*offset).max(now))
            }
            Self::Sliding { span, log, .. } => log.front().map(|first| *first + *span),
            Self::All(limits) => limits.iter().find_map(|limit| limit.turns_at(now)),
            _ => None,
        }
    }
}
