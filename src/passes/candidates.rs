//! The second pass: the rows that may be sent, in order, read on a thread of their own.

use tokio::sync::mpsc::Sender;

use super::chunk::Chunk;
use super::{Input, PassError};
use crate::engine::{Candidate, Delivery};
use crate::input::Rows;
use crate::rules::pair::truncate;

/// Rows handed over at a time, at most.
const CHUNK: usize = 256;

/// Reads the file once more and delivers every row that passed, then the end, or that the input is not what it was. Ends
/// early when nobody takes the rows any more.
///
/// # Errors
/// [`PassError::Changed`]: the bytes are not those of the `fingerprint`. [`PassError::Input`]: they can no longer be
/// read. Both were delivered too.
pub fn read_candidates(
    input: &Input,
    fingerprint: [u8; 16],
    to: &Sender<Delivery>,
) -> Result<(), PassError> {
    let read = read(input, fingerprint, to);
    let last = if read.is_ok() { Delivery::End } else { Delivery::Changed };
    // Nobody takes it any more: then nobody has to know.
    let _ = to.blocking_send(last);
    read
}

fn read(input: &Input, fingerprint: [u8; 16], to: &Sender<Delivery>) -> Result<(), PassError> {
    let Input { source, layout, options, hasher } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    let mut chunk = Chunk::of(CHUNK);
    while let Some(row) = rows.next_row()? {
        let Ok(checked) = row.reading.checked else { continue };
        let (record, subject) = (row.record, checked.subject);
        let size = subject.name.as_str().len();
        let candidate = Candidate { record, pair: hasher.pair(&subject), subject };
        if let Some(full) = chunk.add(candidate, size)
            && to.blocking_send(Delivery::Rows(full)).is_err()
        {
            return Ok(());
        }
    }
    let rest = chunk.rest();
    if !rest.is_empty() && to.blocking_send(Delivery::Rows(rest)).is_err() {
        return Ok(());
    }
    match truncate(&rows.finish()?) == fingerprint {
        true => Ok(()),
        false => Err(PassError::Changed),
    }
}
