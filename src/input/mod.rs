//! From bytes to rows: source, form, delimiter, columns, records.
//!
//! Reading order: [`source`] (bytes, as often as needed), [`sheet`] (a workbook's rows as text), [`form`] and
//! [`delimiter`] (what kind of text it is), [`stream`] (unpacked and decoded), [`records`] (one record at a time),
//! [`layout`] (which columns), [`rows`] (records, checked).
//!
//! Must hold: memory is constant in the length of the file; a pass hashes each byte of the file exactly once.
//! Never: changes a cell that is not sent, drops a record, or puts cell contents into an error.

pub mod delimiter;
pub mod error;
pub mod form;
pub mod layout;
pub mod records;
pub mod rows;
pub mod sheet;
pub mod source;
pub mod stream;

pub use error::{InputError, Place, Problem};
pub use layout::{Layout, Options, inspect};
pub use rows::{Row, Rows};
pub use source::Source;

/// Reads all rows of a file that is in memory, as each pass over an input does; says how many there are.
/// The fuzzer's way in.
///
/// # Errors
/// If the file can't be used.
pub fn read_bytes(bytes: &[u8], options: &Options) -> Result<u64, InputError> {
    let folder = std::env::temp_dir();
    let source = Source::spool(bytes, &folder)?.unfolded(options.sheet_options(), &folder)?;
    let layout = inspect(&source, options)?;
    let mut rows = Rows::open(&source, &layout, options, blake3::Hasher::new())?;
    let mut count = 0;
    while rows.next_row()?.is_some() {
        count += 1;
    }
    rows.finish()?;
    Ok(count)
}
