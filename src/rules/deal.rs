//! The deal: which worker of a run takes which pairs.
//!
//! Each worker computes the deal by itself from the list of the living workers. Workers whose lists
//! differ for a moment may take the same pair: the ledger then grants it to one of them.
//!
//! Must hold: workers with the same list agree on the owner of every pair, and a change of the list
//! moves only the pairs of the workers that came or left.

use crate::model::attempt::{PairKey, StartId};

/// Number of buckets, into which the pairs are divided by the first bits of their keys.
const BUCKETS: usize = 1024;

/// The pairs that fall to one worker.
///
/// ```
/// use ceknik::model::attempt::{PairKey, StartId};
/// use ceknik::rules::deal::Deal;
///
/// let members = [StartId(3), StartId(8)];
/// let (one, other) = (Deal::of(StartId(3), &members), Deal::of(StartId(8), &members));
/// let pair = PairKey([7; 16]);
/// assert!(one.takes(&pair) != other.takes(&pair), "a pair falls to one of them");
/// assert!(Deal::of(StartId(3), &[]).takes(&pair), "who is alone takes everything");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    /// The workers among whom the pairs are divided: two deals among others are different.
    members: Vec<StartId>,
    mine: [u64; BUCKETS / 64],
}

impl Deal {
    /// Makes the deal for the worker `me`. `members` are the living workers of the run, in any
    /// order; `me` counts as one of them.
    pub fn of(me: StartId, members: &[StartId]) -> Self {
        let mut members = members.to_vec();
        members.push(me);
        members.sort_unstable();
        members.dedup();
        let mut mine = [0; BUCKETS / 64];
        for bucket in 0..BUCKETS {
            let owner = members.iter().max_by_key(|member| weight(bucket, **member));
            if owner == Some(&me) {
                mine[bucket / 64] |= 1 << (bucket % 64);
            }
        }
        Self { members, mine }
    }

    /// Checks whether a pair falls to this worker.
    pub fn takes(&self, pair: &PairKey) -> bool {
        let [first, second, ..] = pair.0;
        let bucket = (usize::from(u16::from_be_bytes([first, second])) * BUCKETS) >> 16;
        self.mine[bucket / 64] >> (bucket % 64) & 1 == 1
    }
}

/// Returns the weight of a worker in a bucket: a number that looks random (the finalizer of
/// SplitMix64). The worker with the greatest weight gets the bucket.
const fn weight(bucket: usize, member: StartId) -> u64 {
    let mut x = ((bucket as u64) << 32 | member.0 as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(bucket: usize) -> PairKey {
        let mut key = [0; 16];
        key[..2].copy_from_slice(&((bucket << 6) as u16).to_be_bytes());
        PairKey(key)
    }

    /// Returns the owner of each bucket.
    fn owners(members: &[u32]) -> Vec<u32> {
        let starts: Vec<StartId> = members.iter().copied().map(StartId).collect();
        let deals: Vec<Deal> = starts.iter().map(|me| Deal::of(*me, &starts)).collect();
        let owner = |bucket| {
            let takers: Vec<_> = members
                .iter()
                .zip(&deals)
                .filter(|(_, deal)| deal.takes(&pair(bucket)))
                .map(|(member, _)| *member)
                .collect();
            assert_eq!(takers.len(), 1, "bucket {bucket} falls to {takers:?}");
            takers[0]
        };
        (0..BUCKETS).map(owner).collect()
    }

    #[test]
    fn every_pair_falls_to_one_worker_and_the_shares_are_about_equal() {
        for members in [&[1][..], &[1, 2], &[5, 9, 700], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]] {
            let owners = owners(members);
            for member in members {
                let share = owners.iter().filter(|owner| *owner == member).count();
                let fair = BUCKETS / members.len();
                assert!(share.abs_diff(fair) < fair / 3, "{share} of {fair} for {member}");
            }
        }
    }

    #[test]
    fn who_leaves_gives_its_pairs_away_and_nothing_else_moves() {
        let (before, after) = (owners(&[1, 2, 3]), owners(&[1, 3]));
        for (bucket, (before, after)) in before.iter().zip(&after).enumerate() {
            assert!(before == after || *before == 2, "bucket {bucket}: {before} to {after}");
        }
    }
}
