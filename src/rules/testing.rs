//! Invented values for the tests of the rules and of the stages. No NIK belongs to a real person.

use crate::model::attempt::PairKey;
use crate::model::subject::{Name, Nik, Subject};

/// Creates a subject from these texts.
pub(crate) fn subject(nik: &str, name: &str) -> Subject {
    let digits = nik.as_bytes().try_into().expect("16 bytes");
    Subject { nik: Nik::from_digits(digits).expect("digits"), name: Name::new(name) }
}

/// Returns the `n`-th of a series of rising keys.
pub(crate) fn key(n: u64) -> PairKey {
    PairKey(u128::from(n).to_be_bytes())
}
