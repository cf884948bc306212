//! A small table of texts. `table_writer` writes it.

/// Column of a table.
#[derive(Debug, Clone, Copy)]
pub struct TableColumn {
    /// Header in a CSV.
    pub name: &'static str,
    /// Header in a workbook.
    pub title: &'static str,
    /// Width in a workbook, in characters.
    pub width: f64,
    /// True if the cells are NIKs, and for a spreadsheet always texts.
    pub is_id: bool,
}

/// Table of texts. Each row has a cell for each column.
#[derive(Debug)]
pub struct Table<'a> {
    /// Name of the sheet in a workbook.
    pub sheet: &'static str,
    /// The columns.
    pub columns: &'a [TableColumn],
    /// The rows.
    pub rows: Vec<Vec<String>>,
}
