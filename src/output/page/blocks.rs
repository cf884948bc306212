//! The parts of a page: sections with tables, charts, tiles and steps.
//!
//! Must hold: a table with numbers has its sum in its last row, if it has one.

use super::charts::Chart;
use crate::output::words::count;

/// A section of the page.
#[derive(Debug)]
pub(super) struct Section {
    /// Stable id, which links and scripts use.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Debug)]
pub(super) enum Block {
    Text(String),
    /// Names with their values.
    List(Vec<(&'static str, String)>),
    Tiles(Vec<Tile>),
    Steps(Vec<Step>),
    Chart(Chart),
    Table(Table),
}

/// A figure that is looked at first.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Text below the figure.
    pub(super) note: String,
    /// True for the figure that matters most.
    pub(super) is_main: bool,
}

/// Something that is left to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) text: String,
    /// Command to paste; empty if the page does not know all of it.
    pub(super) command: String,
}

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) head: Vec<Head>,
    pub(super) rows: Vec<Vec<String>>,
    /// Sums below the rows; empty if there are none.
    pub(super) sums: Vec<String>,
    /// Text below the table, such as how many rows are left out.
    pub(super) note: String,
}

/// Head of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) title: &'static str,
    /// True for numbers, which stand at the right.
    pub(super) is_number: bool,
}

/// Makes the heads of a table. A title that begins with `#` is that of numbers.
pub(super) fn heads(titles: &[&'static str]) -> Vec<Head> {
    let head = |title: &&'static str| match title.strip_prefix('#') {
        Some(title) => Head { title, is_number: true },
        None => Head { title, is_number: false },
    };
    titles.iter().map(head).collect()
}

impl Table {
    /// Creates a table without rows. See [`heads`] for the titles.
    pub(super) fn new(caption: &str, titles: &[&'static str]) -> Self {
        Self { caption: caption.to_owned(), head: heads(titles), ..Self::default() }
    }

    /// Returns `true` if the cells of this column are numbers.
    pub(super) fn is_number(&self, column: &usize) -> bool {
        self.head.get(*column).is_some_and(|head| head.is_number)
    }

    /// Keeps this number of rows, the last ones, and says how many are left out and where they are.
    pub(super) fn keep_latest(mut self, most: usize, where_else: &str) -> Self {
        let skipped = self.rows.len().saturating_sub(most);
        self.rows.drain(..skipped);
        self.note_left_out(skipped, where_else);
        self
    }

    /// Notes that this number of earlier rows is left out, and where they are.
    pub(super) fn note_left_out(&mut self, rows: usize, where_else: &str) {
        if rows > 0 {
            let lines = count(rows as u64, "earlier line");
            self.note = format!("Left out here: {lines}. {where_else}.");
        }
    }
}
