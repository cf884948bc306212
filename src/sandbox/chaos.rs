//! Seeded trouble: the calls that get trouble, and the kind of trouble. Pure.
//!
//! Must hold: trouble depends only on the seed, the pair and the draw of the pair. So a run with
//! the same input and seed gets the same trouble, in whatever order its calls arrive.
//!
//! Never: draws trouble at a share of 0.

use std::time::Duration;

use super::answer::Answer;
use super::endings::mix;

/// Delay of a slow answer.
pub(super) const SLOW: Duration = Duration::from_millis(200);

/// Trouble of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another answer in place of the pair's own.
    Instead(Answer),
    /// The pair's own answer, but late.
    Slow,
}

const TROUBLES: [Trouble; 9] = [
    Trouble::Instead(Answer::Internal),
    Trouble::Instead(Answer::SourceUnavailable),
    Trouble::Instead(Answer::SourceTimeout),
    Trouble::Instead(Answer::QueryFailed),
    Trouble::Instead(Answer::Html502),
    Trouble::Instead(Answer::RateLimited),
    Trouble::Instead(Answer::CutBefore),
    Trouble::Instead(Answer::Cut),
    Trouble::Slow,
];

/// Share of the calls that get trouble.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chaos {
    share: f64,
    seed: u64,
}

impl Chaos {
    /// Returns `None` if no call gets trouble, so that nothing has to be counted for it.
    pub(super) fn new(share: f64, seed: u64) -> Option<Self> {
        (share > 0.0).then_some(Self { share, seed })
    }

    /// Returns the trouble of a pair at this draw, if there is any.
    pub(super) fn draw(&self, pair: u64, draw: u32) -> Option<Trouble> {
        let hash = mix(mix(self.seed ^ pair).wrapping_add(u64::from(draw)));
        // The upper 53 bits (as many as a double holds exactly), as a number from 0 to below 1.
        let point = (hash >> 11) as f64 / (1_u64 << 53) as f64;
        if point >= self.share {
            return None;
        }
        let place = usize::try_from(mix(hash) % TROUBLES.len() as u64).ok()?;
        TROUBLES.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_as_asked_and_equal() {
        let chaos = Chaos::new(0.09, 1).unwrap();
        let mut found = [0_u32; TROUBLES.len()];
        for pair in 0..100_000 {
            if let Some(trouble) = chaos.draw(mix(pair), 1) {
                let place = TROUBLES.iter().position(|known| *known == trouble);
                found[place.unwrap()] += 1;
            }
        }
        for share in found {
            assert!(share.abs_diff(1_000) < 150, "{found:?}");
        }
    }

    #[test]
    fn seed_pair_and_draw_decide_and_nothing_else() {
        let draws = |seed: u64| -> Vec<Option<Trouble>> {
            let chaos = Chaos::new(0.5, seed).unwrap();
            (0..200_u64)
                .flat_map(|pair| (1..4).map(move |draw| (pair, draw)))
                .map(|(pair, draw)| chaos.draw(pair, draw))
                .collect()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn none_and_all() {
        assert!(Chaos::new(0.0, 1).is_none());
        let all = Chaos::new(1.0, 1).unwrap();
        assert!((0..1_000).all(|pair| all.draw(pair, 1).is_some()));
    }
}
