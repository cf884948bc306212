//! One reading of the input, from its first row on, as every pass does it.
//!
//! Must hold: a reading that comes to the end has seen the bytes that were surveyed; a signal is heeded. A chunk of
//! rows for another thread ends where its rows or its bytes are enough, so that long rows take no more memory than many.

use super::{Input, PassError};
use crate::input::{Row, Rows};
use crate::model::row::Checked;
use crate::model::subject::Subject;
use crate::rules::pair::truncate;
use crate::rules::pairs::{PairState, PairTable};

/// Rows that are read between two looks at whether to stop.
const LOOK_EVERY: u64 = 4096;
/// Bytes of a chunk, about.
const CHUNK_BYTES: usize = 4 << 20;

/// Reads the rows in order. `None`: `visit` wanted no more of them.
pub(super) fn read_rows(
    input: &Input,
    interrupted: &dyn Fn() -> bool,
    mut visit: impl FnMut(Row<'_>) -> Result<bool, PassError>,
) -> Result<Option<Rows>, PassError> {
    let Input { source, layout, options, hasher, formerly } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    while let Some(mut row) = rows.next_row()? {
        let asked = |checked: &Checked| formerly.contains(&hasher.pair(&checked.subject));
        if let Some(checked) = row.reading.formerly.take_if(|checked| asked(checked)) {
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

/// Reads the rows and gives away what `make` makes of them, each with its bytes, at most so many at a time. `None`:
/// nobody takes them any more.
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

/// Ends a reading: one that came to the end must have seen the bytes of this fingerprint.
pub(super) fn finish(rows: Option<Rows>, fingerprint: [u8; 16]) -> Result<(), PassError> {
    let Some(rows) = rows else { return Ok(()) };
    match truncate(&rows.finish()?) == fingerprint {
        true => Ok(()),
        false => Err(PassError::Changed),
    }
}

/// Finds what is known of a row's pair, and whether no row above has it. `seen`: which pairs of the table stood above.
pub(super) fn pair_of(
    input: &Input,
    table: &PairTable,
    seen: &mut [bool],
    subject: &Subject,
) -> Result<(PairState, bool), PassError> {
    // A pair that the survey did not see: the file is another one now.
    let at = table.find(&input.hasher.pair(subject)).ok_or(PassError::Changed)?;
    let seen = seen.get_mut(at.0 as usize);
    let first = !seen.is_some_and(|seen| std::mem::replace(seen, true));
    Ok((table.state(at), first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Options, Source, inspect};
    use crate::rules::pair::PairHasher;

    #[test]
    fn a_chunk_ends_by_rows_or_bytes() {
        let text = format!("nik,nama\n{}", "3275014101900001,BUDI\n".repeat(7));
        let (source, options) =
            (Source::spool(text.as_bytes(), &std::env::temp_dir()).unwrap(), Options::default());
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
