//! A fixed mixing of 64 bits (the finisher of splitmix64), for choices and numbers that must come
//! out the same on every machine and in every build.
//!
//! It never makes anything secret or unguessable.

/// Spreads every bit of the input over the whole output.
pub(super) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
