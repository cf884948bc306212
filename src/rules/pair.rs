//! The pair key: what is bought once.
//!
//! A keyed BLAKE3 over endpoint, NIK and name exactly as they are sent, 128 bits kept. Without the
//! key nobody can find out by trying all NIKs whether one was checked.

use crate::model::attempt::PairKey;
use crate::model::subject::{NIK_DIGITS, Subject};

/// The endpoint that pairs are asked at; part of every pair's key.
pub const ENDPOINT: &str = "/verify/id_name";
/// The version of the rules that clean NIKs and names: keys are made of what they let through.
pub const CLEANING_VERSION: u32 = 1;
/// Names up to this length are hashed from the stack in one call: nearly all of them.
const SHORT: usize = 128;

/// Makes pair keys under one secret key.
#[derive(Clone)]
pub struct PairHasher {
    key: [u8; 32],
}

impl PairHasher {
    /// A hasher under this key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The key of a pair.
    pub fn pair(&self, subject: &Subject) -> PairKey {
        let (nik, name) = (subject.nik.as_str().as_bytes(), subject.name.as_str().as_bytes());
        let start = ENDPOINT.len();
        let end = start + NIK_DIGITS + name.len();
        let mut short = [0; SHORT];
        let hash = if let Some(message) = short.get_mut(..end) {
            message[..start].copy_from_slice(ENDPOINT.as_bytes());
            message[start..start + NIK_DIGITS].copy_from_slice(nik);
            message[start + NIK_DIGITS..].copy_from_slice(name);
            blake3::keyed_hash(&self.key, message)
        } else {
            // Both parts before the name have a fixed length, so no separator is needed.
            blake3::keyed_hash(&self.key, &[ENDPOINT.as_bytes(), nik, name].concat())
        };
        PairKey(truncate(&hash))
    }

    /// A hasher for other secrets of the same ledger: the input's fingerprint, the key's own id.
    pub fn stream(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.key)
    }
}

/// The first 128 bits of a hash.
pub fn truncate(hash: &blake3::Hash) -> [u8; 16] {
    let mut bits = [0; 16];
    bits.copy_from_slice(&hash.as_bytes()[..16]);
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::subject;

    #[test]
    fn a_key_depends_on_nik_name_and_secret_alone() {
        let hasher = PairHasher::new([7; 32]);
        let long = "A".repeat(300);
        let names = ["BUDI", "budi", "BUDI A", "B", &long];
        let mut keys: Vec<PairKey> = names
            .iter()
            .flat_map(|name| ["3275014107900001", "3275014107900002"].map(|nik| subject(nik, name)))
            .map(|s| hasher.pair(&s))
            .collect();
        keys.push(PairHasher::new([8; 32]).pair(&subject("3275014107900001", "BUDI")));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 11);
        // As long as ledgers live, the keys in them are these.
        for name in ["B", "BUDI", &"A".repeat(40), &long] {
            let message = format!("{ENDPOINT}3275014107900001{name}");
            let hash = blake3::keyed_hash(&[7; 32], message.as_bytes());
            let key = hasher.pair(&subject("3275014107900001", name));
            assert_eq!(key.0, hash.as_bytes()[..16], "{}", name.len());
        }
        let stream = hasher.stream().update(b"bytes").finalize();
        assert_eq!(stream, blake3::keyed_hash(&[7; 32], b"bytes"));
        let twice = subject("3275014107900001", "BUDI");
        assert_eq!(hasher.pair(&twice), hasher.pair(&twice));
    }
}
