//! Made-up values for the tests of the rules and of the stages. No real person's NIK.

use crate::model::attempt::PairKey;
use crate::model::subject::{Name, Nik, Subject};

/// A subject of these texts.
pub(crate) fn subject(nik: &str, name: &str) -> Subject {
    let digits = nik.as_bytes().try_into().expect("16 bytes");
    Subject { nik: Nik::from_digits(digits).expect("digits"), name: Name::new(name) }
}

/// The n-th of a row of keys in rising order.
pub(crate) fn key(n: u64) -> PairKey {
    PairKey(u128::from(n).to_be_bytes())
}
