//! What the user gets: the results CSV, the summary, the last words; files replaced in one step.

mod atomic;
mod plan;
mod plan_words;
mod results;
mod summary;
mod words;

pub use atomic::AtomicFile;
pub use plan::{FileColumn, FileColumns, FileForm, Forecast, Pace, Plan, Report, StopsAt};
pub use plan_words::{findings_words, forecast_words, skipped_words};
pub use results::{COLUMNS, Cells, RowResult, RowSource, Writer};
pub use summary::{Money, Spending, Summary};
pub use words::{count, last_words};
