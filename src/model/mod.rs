//! The nouns: plain data that every stage speaks of.
//!
//! Nothing here reads, writes or decides, and no `Debug` here prints a whole NIK or a name.

pub mod row;
pub mod subject;
