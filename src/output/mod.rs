//! What the user gets: the results in the form asked for, the summary, the last words; files replaced
//! in one step.

mod delimited;
mod format;
mod ours;
mod overview;
mod plan;
mod plan_words;
mod results;
mod sentences;
mod spreadsheet;
mod summary;
mod words;
mod workbook;
mod writer;

pub use format::{Dialect, Format, endings, stem};
pub use ours::{is_our_summary, is_ours};
pub use overview::Overview;
pub use plan::{FileColumn, FileColumns, FileForm, Forecast, Pace, Plan};
pub use plan_words::{findings_words, forecast_words, skipped_words};
pub use results::{COLUMNS, Cells, RowResult, RowSource};
pub use summary::{Money, Spending, Summary};
pub use words::{count, last_words, local};
pub use workbook::BookOptions;
pub use writer::Writer;
