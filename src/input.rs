//! Reads an input, from its bytes to its checked rows.
//!
//! Must hold: memory does not grow with the length of a text file. A workbook's shared texts and a
//! few bits per cell and row are kept, within bounds. A pass hashes each byte of the file exactly
//! once.
//!
//! Never: changes a cell that is not sent, drops a record without counting it, or puts cell
//! contents into an error.
//!
//! Reading order: [`source`] (the bytes, read as often as needed), [`sheet`] (the rows of a
//! workbook as text), [`form`] and [`delimiter`] (the kind of text), [`stream`] (unpacks and
//! decodes), [`records`] (one record at a time), [`layout`] (finds the columns), [`rows`] (checks
//! the records).

pub mod delimiter;
pub mod error;
pub mod form;
pub mod layout;
mod noted;
pub mod reader;
pub mod records;
pub mod rows;
pub mod sheet;
pub mod source;
pub mod stream;

pub use error::{InputError, InputPlace, Problem};
pub use layout::{Layout, ReadOptions, inspect};
pub use rows::{Row, Rows};
pub use source::{STDIN, Source};

/// Reads all rows of a file that is in memory, as each pass over an input does, and returns the
/// number of rows. This is the entry point of the fuzzer.
///
/// # Errors
/// Returns an [`InputError`] if the temporary file cannot be written, if [`inspect`] finds no
/// layout, or if [`Rows`] cannot read the records.
pub fn read_bytes(bytes: &[u8], options: &ReadOptions) -> Result<u64, InputError> {
    let folder = std::env::temp_dir();
    let source =
        Source::spool(bytes, &folder)?.workbook_to_text(options.sheet_options(), &folder)?;
    let layout = inspect(&source, options)?;
    let mut rows = Rows::open(&source, &layout, options, blake3::Hasher::new())?;
    let mut count = 0;
    while rows.next_row()?.is_some() {
        count += 1;
    }
    rows.finish()?;
    Ok(count)
}
