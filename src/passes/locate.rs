//! Where in the file things stand that only the whole of it tells: the row at which a budget would stop the run, and
//! the rows that give a NIK another name than a row above.
//!
//! What must hold: it sees the bytes that were surveyed, and ends as soon as it has found what is wanted.
//! Never: keeps a name.

use super::spot::spot;
use super::{Input, LOOK_EVERY, PassError};
use crate::input::{Row, Rows};
use crate::model::finding::{SPOTS, Spot};
use crate::model::row::Warning;
use crate::model::subject::Subject;
use crate::rules::findings::Sign;
use crate::rules::pair::truncate;
use crate::rules::pairs::PairTable;

/// What the NIK's cell shows in both searches: the row is told by it.
const SEVERAL_NAMES: Sign = Sign::Warning(Warning::NikSeveralNames);

/// What to look for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// The row of the pair before which so many others are to be sent.
    pub after_sent: Option<u64>,
    /// The first rows whose NIK stands above with another name.
    pub several_names: bool,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The row at which nothing is left of the budget.
    pub stop: Option<Spot>,
    /// The rows with another name.
    pub several_names: Vec<Spot>,
}

/// Reads the rows once more, as far as needed. Memory: 10 bytes a distinct pair while names are compared, and a byte
/// a pair.
///
/// # Errors
/// [`PassError`]: the input changed or cannot be read, or `interrupted` says so.
pub fn locate(
    input: &Input,
    fingerprint: [u8; 16],
    table: &PairTable,
    wanted: Wanted,
    interrupted: &dyn Fn() -> bool,
) -> Result<Located, PassError> {
    let Input { source, layout, options, hasher } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    let mut search = Search::new(input, table, wanted);
    while !search.is_over() {
        let Some(row) = rows.next_row()? else {
            return match truncate(&rows.finish()?) == fingerprint {
                true => Ok(search.found),
                false => Err(PassError::Changed),
            };
        };
        if row.record % LOOK_EVERY == 0 && interrupted() {
            return Err(PassError::Interrupted);
        }
        if let Ok(checked) = &row.reading.checked {
            search.look(&row, &checked.subject)?;
        }
    }
    Ok(search.found)
}

struct Search<'a> {
    input: &'a Input,
    table: &'a PairTable,
    /// Pairs to be sent that are still to be passed by.
    left: Option<u64>,
    niks: Option<NikSet>,
    /// The pairs that already stood in an earlier row.
    seen: Vec<bool>,
    found: Located,
}

impl<'a> Search<'a> {
    fn new(input: &'a Input, table: &'a PairTable, wanted: Wanted) -> Self {
        Self {
            input,
            table,
            left: wanted.after_sent,
            niks: wanted.several_names.then(|| NikSet::of(table.len())),
            seen: vec![false; table.len()],
            found: Located::default(),
        }
    }

    const fn is_over(&self) -> bool {
        self.left.is_none() && self.niks.is_none()
    }

    fn look(&mut self, row: &Row<'_>, subject: &Subject) -> Result<(), PassError> {
        // A pair that the survey did not see: the file is another one now.
        let at = self.table.find(&self.input.hasher.pair(subject)).ok_or(PassError::Changed)?;
        let seen = self.seen.get_mut(at.0 as usize);
        if seen.is_some_and(|seen| std::mem::replace(seen, true)) {
            return Ok(());
        }
        if let Some(left) = self.left.filter(|_| self.table.state(at).end.is_none()) {
            self.left = left.checked_sub(1);
            if self.left.is_none() {
                self.found.stop = Some(spot(row, &self.input.layout, SEVERAL_NAMES));
            }
        }
        // Another pair of the same NIK is another name.
        if let Some(niks) = &mut self.niks
            && !niks.add(subject.nik.number())
        {
            self.found.several_names.push(spot(row, &self.input.layout, SEVERAL_NAMES));
            if self.found.several_names.len() == SPOTS {
                self.niks = None;
            }
        }
        Ok(())
    }
}

/// A set of NIKs of a size that is known: open addressing, no room for more than that.
struct NikSet {
    /// 0, which no NIK is, is an empty place.
    places: Vec<u64>,
}

impl NikSet {
    fn of(most: usize) -> Self {
        // A fifth stays empty; memory that is never touched costs nothing.
        Self { places: vec![0; most + most / 4 + 1] }
    }

    /// Adds a NIK; whether it was not there yet.
    fn add(&mut self, nik: u64) -> bool {
        let spread = nik.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let start = ((u128::from(spread) * self.places.len() as u128) >> 64) as usize;
        let (before, after) = self.places.split_at_mut(start);
        for place in after.iter_mut().chain(before) {
            match *place {
                0 => {
                    *place = nik;
                    return true;
                }
                known if known == nik => return false,
                _ => {}
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_knows_what_was_added(niks in prop::collection::vec(1_u64..50, 0..60)) {
            let mut set = NikSet::of(niks.len());
            let mut known = std::collections::HashSet::new();
            for nik in niks {
                prop_assert_eq!(set.add(nik), known.insert(nik));
            }
        }
    }
}
