//! The output for the user: the results in the form that was asked for, the summary, the events, and
//! the texts that `plan` and `run` show.

mod delimited;
mod event;
mod format;
mod input_cells;
mod limits;
mod ours;
mod overview;
pub mod page;
mod plan;
mod report;
mod sentences;
mod spreadsheet;
mod summary;
mod survey;
mod table;
mod table_writer;
mod words;
mod workbook;
mod writer;

pub use event::{EVENTS_VERSION, Event, Finished, Level, PauseClock, Progress, RateFound, Utc};
pub use format::{Dialect, Format, endings, stem};
pub use input_cells::Cells;
pub use limits::Limits;
pub use ours::{may_replace_output, may_replace_page, may_replace_summary};
pub use plan::{FileColumn, FileColumns, FileForm, Plan};
pub use report::{OutputFile, RowTotals, RunReport};
pub use sentences::explain as in_words;
pub use survey::SurveyRecord;
pub use table::{Table, TableColumn};
pub use words::{
    NextStep, calls_a_second, consent_question, count, findings_words, forecast_words, last_words,
    limit_words, next_in_one_line, skipped_words, unsettled_words, verdict_words,
};
pub use workbook::BookOptions;
pub use writer::Writer;
