//! The second pass: the rows that may be sent, in order, read on a thread of their own.

use tokio::sync::mpsc::Sender;

use super::reading::{finish, read_in_chunks};
use super::{Input, PassError};
use crate::engine::{Candidate, Delivery};
use crate::model::row::Checked;

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
    let rows = read_in_chunks(
        input,
        CHUNK,
        &|| to.is_closed(),
        |row| {
            let record = row.record;
            Ok(row.reading.checked.ok().map(|Checked { subject, .. }| {
                let size = subject.name.as_str().len();
                (Candidate { record, pair: input.hasher.pair(&subject), subject }, size)
            }))
        },
        |chunk| to.blocking_send(Delivery::Rows(chunk)).is_ok(),
    )?;
    finish(rows, fingerprint)
}
