//! Checked NIKs and checked names: the pairs that are bought.
//!
//! Must hold: a [`Nik`] and a [`Name`] have passed the rules, because only the rules of this crate
//! construct them. [`Nik::from_number`] is the one exception: it restores a checked NIK from its
//! number.
//!
//! Never: shows a whole NIK or any part of a name in `Debug`. Neither type has a `Display`, so
//! neither can be printed by mistake.

use std::fmt;

/// Number of digits in a NIK.
pub const NIK_DIGITS: usize = 16;

/// A NIK: 16 ASCII digits that have passed the checks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nik([u8; NIK_DIGITS]);

impl Nik {
    /// Accepts 16 ASCII digits. Returns `None` if one of the bytes is not a digit.
    pub(crate) fn from_digits(digits: [u8; NIK_DIGITS]) -> Option<Self> {
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// Returns the 16 digits as text.
    pub fn as_str(&self) -> &str {
        // The constructor accepts ASCII digits only, so the default is never used.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the NIK as a number below 10^16, for compact keys.
    pub fn number(&self) -> u64 {
        self.0.iter().fold(0, |n, digit| n * 10 + u64::from(digit & 0x0f))
    }

    /// Returns the NIK with this [`number`](Self::number), or `None` if the number has more than 16
    /// digits.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::from_digits(format!("{number:016}").as_bytes().try_into().ok()?)
    }

    /// Returns the NIK with its birth date hidden, fit for messages: `327501******0001`.
    pub fn masked(&self) -> String {
        let text = self.as_str();
        let (place, serial) =
            (text.get(..6).unwrap_or_default(), text.get(12..).unwrap_or_default());
        format!("{place}******{serial}")
    }
}

impl fmt::Debug for Nik {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nik({})", self.masked())
    }
}

/// A cleaned name, exactly as it is sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// Accepts a text that has passed the rules.
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the name as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(hidden)")
    }
}

/// A checked pair of a NIK and a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// NIK of the customer.
    pub nik: Nik,
    /// Name of the customer.
    pub name: Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_the_birth_date_everywhere_it_prints() {
        let nik = Nik::from_digits(*b"3275014101900001").unwrap();
        assert_eq!(nik.as_str(), "3275014101900001");
        assert_eq!(nik.number(), 3_275_014_101_900_001);
        assert_eq!(nik.masked(), "327501******0001");
        let subject = Subject { nik, name: Name::new("BUDI SANTOSO") };
        assert_eq!(
            format!("{subject:?}"),
            "Subject { nik: Nik(327501******0001), name: Name(hidden) }"
        );
    }
}
