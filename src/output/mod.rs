//! What the user gets: the results CSV, the summary, the last words; files replaced in one step.

mod atomic;
mod results;
mod summary;
mod words;

pub use atomic::AtomicFile;
pub use results::{COLUMNS, Cells, RowResult, RowSource, Writer};
pub use summary::{Money, Spending, Summary};
pub use words::{count, last_words};
