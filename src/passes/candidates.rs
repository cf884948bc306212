//! The second pass: reads the rows that may be sent, in order, on a separate thread.

use tokio::sync::mpsc::Sender;

use super::reading::{finish, read_in_chunks};
use super::{Input, PassError};
use crate::engine::{Candidate, Delivery};
use crate::model::row::Checked;

/// Largest number of rows in a delivery.
const CHUNK: usize = 256;

/// Reads the file once more, and delivers every row that passed the checks. The last delivery is
/// [`Delivery::End`], or [`Delivery::Failed`] in case of an error. Ends early if the receiver is
/// gone. This function blocks, so it must not run on a thread of the async runtime.
///
/// # Errors
/// Returns [`PassError::Changed`] if the bytes do not have this `fingerprint`, and
/// [`PassError::Input`] if they can no longer be read. If the receiver is gone, returns `Ok` or
/// [`PassError::Interrupted`].
pub fn read_candidates(
    input: &Input,
    fingerprint: [u8; 16],
    to: &Sender<Delivery>,
) -> Result<(), PassError> {
    let read = read(input, fingerprint, to);
    let last = match &read {
        Ok(()) => Delivery::End,
        Err(error) => Delivery::Failed(error.stop_reason()),
    };
    // If the receiver is gone, nobody needs this delivery.
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
