//! The first places at which each thing shows.
//!
//! Must hold: a place costs nothing where enough are known; what stands there is masked.

use crate::model::finding::{SPOTS, Spot};
use crate::model::row::{NikLook, Reading, Rejection, Warning};
use std::collections::BTreeMap;

/// Something that a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// It is rejected.
    Rejection(Rejection),
    /// It is sent with a warning.
    Warning(Warning),
    /// Its NIK ends in 0.
    LastZero,
    /// Its NIK's year is a card's year of issue.
    LateYear,
    /// Its NIK cell looks like an employee number.
    EmployeeNumber,
    /// Its columns are swapped.
    Swapped,
    /// Its name was cleaned.
    NameCleaned,
}

impl Sign {
    /// Whether the name's cell shows it; else the NIK's.
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
pub struct SpotLog(BTreeMap<Sign, Vec<Spot>>);

impl SpotLog {
    /// Notes what a row shows; `spot` tells the place of a sign.
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
            NikLook::Digits(look) => {
                if look.last_zero {
                    self.note(Sign::LastZero, &mut spot);
                }
                if look.late_year {
                    self.note(Sign::LateYear, &mut spot);
                }
            }
            NikLook::EmployeeNumber => self.note(Sign::EmployeeNumber, &mut spot),
            NikLook::Swapped => self.note(Sign::Swapped, &mut spot),
            NikLook::Scientific | NikLook::Rounded | NikLook::Words | NikLook::Other => {}
        }
    }

    fn note(&mut self, sign: Sign, spot: &mut impl FnMut(Sign) -> Spot) {
        let spots = self.0.entry(sign).or_default();
        if spots.len() < SPOTS {
            spots.push(spot(sign));
        }
    }

    /// The first places of a sign.
    pub fn of(&self, sign: Sign) -> Vec<Spot> {
        self.0.get(&sign).cloned().unwrap_or_default()
    }
}
