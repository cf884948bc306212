//! The nouns: plain data that every other part speaks in.
//!
//! Nothing here decides, reads, writes or waits, and nothing here prints a NIK, a name or a
//! vendor's text through `Debug`.

pub mod attempt;
pub mod class;
pub mod finding;
pub mod funnel;
pub mod latency;
pub mod money;
pub mod outcome;
pub mod reply;
pub mod row;
pub mod stop;
pub mod subject;
pub mod text;
