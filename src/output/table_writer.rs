//! Writes a small table of texts as a CSV or as a workbook.
//!
//! Must hold: no cell becomes a formula in a spreadsheet, and no digits are lost there.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::format::{Dialect, Format};
use super::spreadsheet::spreadsheet_safe;
use super::table::Table;
use super::workbook::table_workbook;

impl Table<'_> {
    /// Writes the table in a form.
    ///
    /// # Errors
    /// The error of the destination.
    pub fn write<W: Write + Send>(&self, to: W, format: Format) -> io::Result<W> {
        match format {
            Format::Workbook => table_workbook(to, self),
            Format::Csv { dialect, packed: false, delimiter } => {
                self.write_csv(to, dialect, delimiter)
            }
            Format::Csv { dialect, packed: true, delimiter } => {
                let to = GzEncoder::new(to, Compression::default());
                self.write_csv(to, dialect, delimiter)?.finish()
            }
        }
    }

    fn write_csv<W: Write>(
        &self,
        mut to: W,
        dialect: Dialect,
        delimiter: Option<u8>,
    ) -> io::Result<W> {
        let is_for_spreadsheet = dialect == Dialect::Spreadsheet;
        let mut form = csv::WriterBuilder::new();
        if is_for_spreadsheet {
            to.write_all(b"\xEF\xBB\xBF")?;
            form.terminator(csv::Terminator::CRLF).quote_style(csv::QuoteStyle::Always);
        }
        form.delimiter(delimiter.unwrap_or(if is_for_spreadsheet { b';' } else { b',' }));
        let mut csv = form.from_writer(to);
        csv.write_record(self.columns.iter().map(|column| column.name))?;
        for row in &self.rows {
            for (column, cell) in self.columns.iter().zip(row) {
                match is_for_spreadsheet {
                    true => csv.write_field(spreadsheet_safe(cell.as_bytes(), column.is_id))?,
                    false => csv.write_field(cell)?,
                }
            }
            csv.write_record(None::<&[u8]>)?;
        }
        csv.into_inner().map_err(|error| io::Error::from(error.error().kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::table::TableColumn;

    const COLUMNS: [TableColumn; 2] = [
        TableColumn { name: "nik", title: "NIK", width: 19.0, is_id: true },
        TableColumn { name: "name", title: "Name", width: 20.0, is_id: false },
    ];

    #[test]
    fn a_table_is_safe_for_a_spreadsheet() {
        let row = |nik: &str, name: &str| vec![nik.to_owned(), name.to_owned()];
        let rows = vec![row("3275014101900001", "BUDI, S.E."), row("", "=cmd()")];
        let table = Table { sheet: "Ask", columns: &COLUMNS, rows };
        let csv = |dialect| {
            let bytes = table.write(Vec::new(), Format::csv(dialect)).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let exact = "nik,name\n3275014101900001,\"BUDI, S.E.\"\n,=cmd()\n";
        assert_eq!(csv(Dialect::Exact), exact);
        let safe = "\u{FEFF}\"nik\";\"name\"\r\n\"=\"\"3275014101900001\"\"\";\"BUDI, S.E.\"\r\n\"\";\"'=cmd()\"\r\n";
        assert_eq!(csv(Dialect::Spreadsheet), safe);
    }
}
