//! The pair key: identifies what is bought only once.
//!
//! A pair key is a keyed BLAKE3 hash over endpoint, NIK and name exactly as they are
//! sent, of which 128 bits are kept. Without the secret key nobody can find out, by
//! trying all NIKs, whether a NIK was checked.

use crate::model::attempt::PairKey;
use crate::model::subject::{NIK_DIGITS, Subject};

/// Endpoint that verifies a pair; part of every pair key.
pub const ENDPOINT: &str = "/verify/id_name";
/// Origin of the answers of the sandbox, in the place of a vendor's address.
pub const SANDBOX: &str = "sandbox";
/// Version of the rules that clean NIKs and names. A pair key depends on the texts that these rules
/// return, so a ledger of another version is refused.
pub const CLEANING_VERSION: u32 = 1;
/// Size of the buffer on the stack, in bytes. Endpoint, NIK and name nearly always fit into it, and
/// are then hashed in one call.
const SHORT: usize = 128;

/// Hasher that makes pair keys with one secret key.
#[derive(Clone)]
pub struct PairHasher {
    key: [u8; 32],
}

impl PairHasher {
    /// Creates a hasher with this secret key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Returns the key of a pair.
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
            // The parts before the name have a fixed length, so no separator is needed.
            blake3::keyed_hash(&self.key, &[ENDPOINT.as_bytes(), nik, name].concat())
        };
        PairKey(truncate(&hash))
    }

    /// Returns a hasher with this secret key for other data of the ledger: the fingerprint of an
    /// input, the id of the secret key.
    pub fn stream(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.key)
    }
}

/// Returns the first 128 bits of a hash.
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
        // Ledgers contain these keys, so they must never change.
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
