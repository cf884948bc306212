//! Reads the rows of the input from the first one on, as every pass does.
//!
//! Must hold: a pass that reads to the end has seen the bytes that were surveyed. A signal stops
//! the pass. A chunk of rows for another thread is bounded by its number of rows and by its bytes,
//! so that long rows do not need more memory than short ones.

use super::{Input, PassError};
use crate::input::{Row, Rows};
use crate::model::row::Checked;
use crate::model::subject::Subject;
use crate::rules::pair_key::truncate;
use crate::rules::pair_table::{PairState, PairTable};

/// Number of records between two checks for a request to stop.
const LOOK_EVERY: u64 = 4096;
/// Bytes at which a chunk is handed over. The last row of a chunk may exceed them.
const CHUNK_BYTES: usize = 4 << 20;

/// Reads the rows in order, and calls `visit` with each. Stops if `visit` returns `false`: then the
/// result is `None`. Otherwise returns the reader, at its end.
///
/// # Errors
/// Returns [`PassError::Input`] if the input cannot be read, [`PassError::Interrupted`] if
/// `interrupted` returns `true`, and any error of `visit`.
pub(super) fn read_rows(
    input: &Input,
    interrupted: &dyn Fn() -> bool,
    mut visit: impl FnMut(Row<'_>) -> Result<bool, PassError>,
) -> Result<Option<Rows>, PassError> {
    let Input { source, layout, options, hasher, sendable_before, .. } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    while let Some(mut row) = rows.next_row()? {
        let asked = |checked: &Checked| sendable_before.contains(&hasher.pair(&checked.subject));
        if let Some(checked) = row.reading.sendable_before.take_if(|checked| asked(checked)) {
            row.reading.checked = Ok(*checked);
        }
        if row.record % LOOK_EVERY == 0 && interrupted() {
            return Err(PassError::Interrupted);
        }
        if !visit(row)? {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

/// Reads the rows in order, converts each with `make`, and hands the results over to `give` in
/// chunks of at most `most`. `make` returns a value and its size in bytes, or `None` to leave the
/// row out. Stops if `give` returns `false`: then the result is `None`. Otherwise returns the
/// reader, at its end.
///
/// # Errors
/// Returns [`PassError::Input`] if the input cannot be read, [`PassError::Interrupted`] if
/// `interrupted` returns `true`, and any error of `make`.
pub(super) fn read_in_chunks<T>(
    input: &Input,
    most: usize,
    interrupted: &dyn Fn() -> bool,
    mut make: impl FnMut(Row<'_>) -> Result<Option<(T, usize)>, PassError>,
    mut give: impl FnMut(Vec<T>) -> bool,
) -> Result<Option<Rows>, PassError> {
    let (mut chunk, mut bytes): (Vec<T>, usize) = (Vec::with_capacity(most), 0);
    let rows = read_rows(input, interrupted, |row| {
        let Some((made, size)) = make(row)? else { return Ok(true) };
        chunk.push(made);
        bytes += size;
        if chunk.len() < most && bytes < CHUNK_BYTES {
            return Ok(true);
        }
        bytes = 0;
        Ok(give(std::mem::replace(&mut chunk, Vec::with_capacity(most))))
    })?;
    Ok(rows.filter(|_| chunk.is_empty() || give(chunk)))
}

/// Ends a pass. `rows` is the reader if the pass has read to the end, and `None` if it stopped
/// early.
///
/// # Errors
/// Returns [`PassError::Changed`] if the pass has read to the end and the bytes do not have this
/// fingerprint, and [`PassError::Input`] if the rest of the file cannot be read.
pub(super) fn finish(rows: Option<Rows>, fingerprint: [u8; 16]) -> Result<(), PassError> {
    let Some(rows) = rows else { return Ok(()) };
    match truncate(&rows.finish()?) == fingerprint {
        true => Ok(()),
        false => Err(PassError::Changed),
    }
}

/// Finds the state of a row's pair. The second value is true if no earlier row has this pair.
/// `seen` marks the pairs of the table that earlier rows have.
///
/// # Errors
/// Returns [`PassError::Changed`] if the table does not have the pair.
pub(super) fn pair_of(
    input: &Input,
    table: &PairTable,
    seen: &mut [bool],
    subject: &Subject,
) -> Result<(PairState, bool), PassError> {
    // The survey did not see this pair, so the file has changed since.
    let at = table.find(&input.hasher.pair(subject)).ok_or(PassError::Changed)?;
    let seen = seen.get_mut(at.0 as usize);
    let first = !seen.is_some_and(|seen| std::mem::replace(seen, true));
    Ok((table.state(at), first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{ReadOptions, Source, inspect};
    use crate::rules::pair_key::PairHasher;

    #[test]
    fn a_chunk_ends_by_rows_or_bytes() {
        let text = format!("nik,nama\n{}", "3275014101900001,BUDI\n".repeat(7));
        let (source, options) = (
            Source::spool(text.as_bytes(), &std::env::temp_dir()).unwrap(),
            ReadOptions::default(),
        );
        let layout = inspect(&source, &options).unwrap();
        let input = Input::new(source, layout, options, PairHasher::new([1; 32]));
        for (bytes, sizes) in
            [(10, [3, 3, 1]), (CHUNK_BYTES / 2, [2, 2, 3]), (CHUNK_BYTES, [1, 1, 5])]
        {
            let mut given: Vec<Vec<u64>> = Vec::new();
            let rows = read_in_chunks(
                &input,
                3,
                &|| false,
                |row| Ok(Some((row.record, bytes))),
                |chunk| {
                    given.push(chunk);
                    true
                },
            );
            assert!(rows.unwrap().is_some());
            assert_eq!(given.concat(), (1..=7).collect::<Vec<_>>());
            let rest = given[2..].iter().map(Vec::len).sum();
            assert_eq!([given[0].len(), given[1].len(), rest], sizes, "{bytes}");
        }
        let rows = read_in_chunks(&input, 3, &|| false, |row| Ok(Some((row.record, 1))), |_| false);
        assert!(rows.unwrap().is_none(), "nobody takes them");
    }
}
