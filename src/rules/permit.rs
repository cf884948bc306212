//! Permission to send calls: what the breaker and the throttle say, and what both say together.

use crate::model::attempt::Tick;

/// Permission to send calls now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Calls are permitted, as many as there are free slots.
    Free,
    /// One call, to find out whether calls are answered again.
    Probe,
    /// No call before this time.
    NotBefore(Tick),
    /// No call until the probe in flight has come back.
    Probing,
}

impl Permit {
    /// Returns the permission of two that both have to permit a call.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotBefore(one), Self::NotBefore(two)) => Self::NotBefore(one.max(two)),
            (Self::NotBefore(at), _) | (_, Self::NotBefore(at)) => Self::NotBefore(at),
            (Self::Probing, _) | (_, Self::Probing) => Self::Probing,
            (Self::Probe, _) | (_, Self::Probe) => Self::Probe,
            (Self::Free, Self::Free) => Self::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Permit::{Free, NotBefore, Probe, Probing};

    #[test]
    fn the_stricter_one_counts() {
        let [one, two] = [1, 2].map(Duration::from_secs);
        for (a, b, both) in [
            (Free, Free, Free),
            (Free, Probe, Probe),
            (Probe, Probing, Probing),
            (Probing, NotBefore(one), NotBefore(one)),
            (NotBefore(one), NotBefore(two), NotBefore(two)),
        ] {
            assert_eq!((a.and(b), b.and(a)), (both, both), "{a:?} and {b:?}");
        }
    }
}
