//! What the user gets: the results in the form asked for, the summary, the last words; files replaced
//! in one step.

mod atomic;
mod delimited;
mod format;
mod overview;
mod results;
mod spreadsheet;
mod summary;
mod words;
mod workbook;
mod writer;

pub use atomic::AtomicFile;
pub use format::{Dialect, Format, stem};
pub use overview::Overview;
pub use results::{COLUMNS, Cells, RowResult, RowSource};
pub use summary::{Money, Spending, Summary};
pub use words::{count, last_words};
pub use writer::Writer;
