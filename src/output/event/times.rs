//! Times in events: one time in UTC, and the times of a pause.

use serde::{Serialize, Serializer};

use crate::model::attempt::WallMs;
use crate::model::zone::Zone;

/// A time that is written in UTC: `2026-11-30T05:30:12.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc(pub WallMs);

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Zone::utc().show(self.0, "%FT%T.%3fZ"))
    }
}

/// Times of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PauseClock {
    /// Begin of the pause.
    pub since: Utc,
    /// Next call; `null` while a call finds out whether the pause is over.
    pub next_call_at: Option<Utc>,
    /// Time at which the run is given up; `null` if it is not given up because of this pause.
    pub gives_up_at: Option<Utc>,
}

impl PauseClock {
    /// Formats the times for people.
    pub(super) fn text(&self, zone: &Zone, now: WallMs) -> String {
        self.parts(zone, now).join(", ")
    }

    /// Returns the parts of the text: the next call, and the end of the pause.
    pub(crate) fn parts(&self, zone: &Zone, now: WallMs) -> Vec<String> {
        let clock = |Utc(at): Utc| {
            let is_today = zone.show(at, "%F") == zone.show(now, "%F");
            zone.show(at, if is_today { "%T" } else { "%F %T" })
        };
        let next = match self.next_call_at {
            Some(at) => format!("next call at {}", clock(at)),
            None => "a test call is under way".to_owned(),
        };
        let gives_up = self.gives_up_at.map(|at| format!("gives up at {}", clock(at)));
        [Some(next), gives_up].into_iter().flatten().collect()
    }
}
