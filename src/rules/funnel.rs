//! Divides the rows of a file by what will be done with them, once the known facts are folded into
//! the file's pairs.

use super::pair_table::PairTable;
use crate::model::class::End;
use crate::model::funnel::{Funnel, Unbalanced};

impl Funnel {
    /// Makes the funnel of a file with `rows` rows, of which `rejected` were rejected by our own
    /// checks and `duplicates` have the pair of an earlier row. `table` holds the other pairs.
    ///
    /// # Errors
    /// Returns [`Unbalanced`] if the parts do not add up to the rows, which is a defect of this
    /// program.
    pub fn of(
        rows: u64,
        rejected: u64,
        duplicates: u64,
        table: &PairTable,
    ) -> Result<Self, Unbalanced> {
        let mut funnel = Self { rows, rejected, duplicates, ..Self::default() };
        for state in table.states() {
            *match state.end {
                None => &mut funnel.to_send,
                Some(End::InDoubt) => &mut funnel.in_doubt,
                Some(_) if state.is_reused() => &mut funnel.reused,
                Some(_) => &mut funnel.done,
            } += 1;
        }
        funnel.checked()
    }
}
