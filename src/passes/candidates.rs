//! The second pass: the rows that may be sent, in order, read on a thread of their own.

use tokio::sync::mpsc::Sender;

use super::Input;
use super::chunk::Chunk;
use crate::engine::Candidate;
use crate::input::{InputError, Rows};
use crate::rules::pair::truncate;

/// Rows handed over at a time, at most.
const CHUNK: usize = 256;

/// Reads the file once more and hands over every row that passed. `None` is handed over where the
/// bytes are not those of the `fingerprint`, or can no longer be read. It ends early when nobody
/// takes the rows any more.
pub fn read_candidates(input: &Input, fingerprint: [u8; 16], to: &Sender<Option<Vec<Candidate>>>) {
    match read(input, to) {
        Ok(Some(found)) if found == fingerprint => {}
        Ok(Some(_)) | Err(_) => {
            // Nobody takes it any more: then nobody has to know.
            let _ = to.blocking_send(None);
        }
        Ok(None) => {}
    }
}

/// The fingerprint of what was read; `None` when nobody takes the rows any more.
fn read(
    input: &Input,
    to: &Sender<Option<Vec<Candidate>>>,
) -> Result<Option<[u8; 16]>, InputError> {
    let Input { source, layout, options, hasher } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    let mut chunk = Chunk::of(CHUNK);
    while let Some(row) = rows.next_row()? {
        let Ok(checked) = row.reading.checked else { continue };
        let (record, subject) = (row.record, checked.subject);
        let size = subject.name.as_str().len();
        if let Some(full) =
            chunk.add(Candidate { record, pair: hasher.pair(&subject), subject }, size)
            && to.blocking_send(Some(full)).is_err()
        {
            return Ok(None);
        }
    }
    let rest = chunk.rest();
    if !rest.is_empty() && to.blocking_send(Some(rest)).is_err() {
        return Ok(None);
    }
    rows.finish().map(|hash| Some(truncate(&hash)))
}
