//! The first places at which each sign shows.
//!
//! Must hold: a place is built only while fewer than `SPOTS` places of its sign are known, so that
//! further ones cost nothing.

use std::collections::BTreeMap;

use crate::model::finding::{SPOTS, Spot};
use crate::model::row::{NikShape, Reading, Rejection, Warning};

/// A sign that a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// The row is rejected.
    Rejection(Rejection),
    /// The row is sent with a warning.
    Warning(Warning),
    /// The NIK ends in 0.
    LastZero,
    /// The year in the NIK may be the year of issue of a family card.
    LateYear,
    /// The NIK cell looks like an employee number.
    EmployeeNumber,
    /// The NIK and the name are swapped.
    Swapped,
    /// The name was cleaned.
    NameCleaned,
}

impl Sign {
    /// Checks whether the sign shows in the name cell. Otherwise it shows in the NIK cell.
    pub fn is_of_name(self) -> bool {
        match self {
            Self::Rejection(rejection) => rejection.code().starts_with("name_"),
            Self::Warning(warning) => warning.code().starts_with("name_"),
            Self::NameCleaned => true,
            Self::LastZero | Self::LateYear | Self::EmployeeNumber | Self::Swapped => false,
        }
    }
}

/// The first places of each sign.
#[derive(Clone, Debug, Default)]
pub struct FirstPlaces(BTreeMap<Sign, Vec<Spot>>);

impl FirstPlaces {
    /// Notes the signs of a row. `spot` returns the place of a sign in this row, with the
    /// value masked.
    pub fn add(&mut self, reading: &Reading, mut spot: impl FnMut(Sign) -> Spot) {
        match &reading.checked {
            Ok(checked) => {
                if !checked.warnings.is_empty() {
                    checked.warnings.iter().for_each(|w| self.note(Sign::Warning(w), &mut spot));
                }
                if checked.name_changed {
                    self.note(Sign::NameCleaned, &mut spot);
                }
            }
            Err(rejection) => self.note(Sign::Rejection(*rejection), &mut spot),
        }
        match reading.look {
            NikShape::Digits(look) => {
                if look.last_zero {
                    self.note(Sign::LastZero, &mut spot);
                }
                if look.late_year {
                    self.note(Sign::LateYear, &mut spot);
                }
            }
            NikShape::EmployeeNumber => self.note(Sign::EmployeeNumber, &mut spot),
            NikShape::Swapped => self.note(Sign::Swapped, &mut spot),
            NikShape::Scientific | NikShape::Rounded | NikShape::Words | NikShape::Other => {}
        }
    }

    fn note(&mut self, sign: Sign, spot: &mut impl FnMut(Sign) -> Spot) {
        let spots = self.0.entry(sign).or_default();
        if spots.len() < SPOTS {
            spots.push(spot(sign));
        }
    }

    /// Returns the first places of a sign.
    pub fn of(&self, sign: Sign) -> Vec<Spot> {
        self.0.get(&sign).cloned().unwrap_or_default()
    }
}
