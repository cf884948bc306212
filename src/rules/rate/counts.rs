//! Counts of events by time, in cells of equal length.
//!
//! Must hold: the memory is bounded. What is older than the cells is forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::attempt::Tick;

/// A second.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Numbers of events in the latest cells of time.
#[derive(Debug, Clone)]
pub(super) struct RecentCounts {
    cell: Duration,
    most: usize,
    /// Number of the first cell, counted from time zero.
    first: u64,
    cells: VecDeque<u32>,
}

impl RecentCounts {
    /// Creates counts that reach back at least `cells` cells of the length `cell`.
    pub(super) const fn new(cell: Duration, cells: usize) -> Self {
        Self { cell, most: cells + 1, first: 0, cells: VecDeque::new() }
    }

    fn number(&self, at: Tick) -> u64 {
        u64::try_from(at.as_nanos() / self.cell.as_nanos().max(1)).unwrap_or(u64::MAX)
    }

    /// Counts an event. An event that is older than the cells is not counted.
    pub(super) fn add(&mut self, at: Tick) {
        let number = self.number(at);
        if self.cells.is_empty() || number >= self.first + (self.cells.len() + self.most) as u64 {
            self.cells.clear();
            self.first = number;
        }
        let Some(place) = number.checked_sub(self.first) else { return };
        while self.cells.len() as u64 <= place {
            self.cells.push_back(0);
        }
        if let Some(count) = self.cells.get_mut(place as usize) {
            *count += 1;
        }
        while self.cells.len() > self.most {
            self.cells.pop_front();
            self.first += 1;
        }
    }

    /// Returns the number of events from `from` to `until`, to the accuracy of a cell.
    pub(super) fn between(&self, from: Tick, until: Tick) -> u32 {
        let (from, until) = (self.number(from), self.number(until));
        let numbered = self.cells.iter().zip(self.first..);
        let within = numbered.filter(|(_, number)| (from..=until).contains(number));
        within.map(|(count, _)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Tick {
        Duration::from_millis(n)
    }

    #[test]
    fn counts_the_latest_cells() {
        let mut counts = RecentCounts::new(ms(10), 3);
        [5, 14, 15, 31].into_iter().for_each(|at| counts.add(ms(at)));
        assert_eq!(counts.between(ms(0), ms(40)), 4);
        assert_eq!(counts.between(ms(10), ms(19)), 2);
        counts.add(ms(45));
        assert_eq!(counts.between(ms(0), ms(50)), 4, "the first cell is forgotten");
        counts.add(ms(3));
        assert_eq!(counts.between(ms(0), ms(50)), 4, "too old");
        counts.add(ms(3_600_000));
        assert_eq!(counts.between(ms(0), ms(3_600_000)), 1, "after an hour");
        assert!(counts.cells.len() <= 4);
    }
}
