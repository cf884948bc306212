//! Plain data types that all other parts use.
//!
//! Must hold: `Debug` prints no whole NIK, no name and no text of the vendor.
//!
//! Never: decides, does IO, reads a clock or waits.

pub mod attempt;
pub mod characters;
pub mod class;
pub mod column;
pub mod costs;
pub mod exit_code;
pub mod finding;
pub mod funnel;
pub(crate) mod hex;
pub mod latency;
pub mod mask;
pub mod millionths;
pub mod money;
pub mod outcome;
pub mod pause;
pub mod reply;
pub mod row;
pub mod settings;
pub mod shell;
pub mod spending;
pub mod stop;
pub mod subject;
pub mod tax;
pub mod texts;
pub mod time;
pub mod zone;
