//! The form of the results, which the name of the output and the user's flags decide.

use std::path::Path;

use super::input_cells::InputColumns;
use crate::input::Layout;
use crate::model::column::Column;

/// Form of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A CSV.
    Csv {
        /// Kind of reader that the CSV is for.
        dialect: Dialect,
        /// True if the CSV is packed (gzip).
        packed: bool,
        /// Byte between two cells, if the name of the output decides it. Otherwise it is the
        /// input's, or `;` in a CSV for a spreadsheet.
        delimiter: Option<u8>,
    },
    /// A workbook, `.xlsx`.
    Workbook,
}

/// Kind of reader that a CSV is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A machine: each cell byte for byte, in the input's delimiter.
    Exact,
    /// A spreadsheet: BOM, `;`, CRLF, no formulas, NIKs as text.
    Spreadsheet,
}

/// Byte between two cells of a `.tsv`.
const TAB: u8 = b'\t';

impl Format {
    /// Returns the form of a CSV that is not packed, with the default delimiter.
    pub const fn csv(dialect: Dialect) -> Self {
        Self::Csv { dialect, packed: false, delimiter: None }
    }

    /// Returns the form that the name of an output asks for. The dialect has no effect on a
    /// workbook, which is always for a spreadsheet.
    ///
    /// # Errors
    /// The ending of the name in lower case, if no form has this ending; an empty text if the name
    /// has no ending.
    pub fn of(path: &Path, dialect: Dialect) -> Result<Self, String> {
        let (name, packed) = unpacked(path);
        let delimiter = match ending(name).as_deref() {
            Some("csv" | "txt") => None,
            Some("tsv") => Some(TAB),
            Some("xlsx") if !packed => return Ok(Self::Workbook),
            Some(other) if packed => return Err(format!("{other}.gz")),
            Some(other) => return Err(other.to_owned()),
            None if packed => return Err("gz".to_owned()),
            None => return Err(String::new()),
        };
        Ok(Self::Csv { dialect, packed, delimiter })
    }

    /// Returns the number of columns that do not fit into this form; 0 if all fit.
    pub fn columns_too_many(self, layout: &Layout) -> usize {
        match self {
            Self::Csv { .. } => 0,
            Self::Workbook => {
                let columns = InputColumns::of(layout).places().count() + Column::ALL.len();
                columns.saturating_sub(Self::MOST_COLUMNS)
            }
        }
    }

    /// Largest number of columns in a sheet.
    pub const MOST_COLUMNS: usize = 16_384;
}

/// Returns the name of a file without the endings that say its form: `a` for `d/a.csv.gz`.
pub fn stem(path: &Path) -> String {
    unpacked(path).0.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the endings of a file's name that [`stem`] removes: `.csv.gz` for `d/a.csv.gz`.
pub fn endings(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.strip_prefix(&stem(path)).unwrap_or_default().to_owned()
}

/// Returns the name of a file without `.gz`, and true if it had that ending.
fn unpacked(path: &Path) -> (&Path, bool) {
    let name = Path::new(path.file_name().unwrap_or_default());
    match name.file_stem() {
        Some(stem) if ending(name).is_some_and(|ending| ending == "gz") => (Path::new(stem), true),
        _ => (name, false),
    }
}

fn ending(name: &Path) -> Option<String> {
    Some(name.extension()?.to_str()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_form() {
        for (path, form, its_stem) in [
            ("d/out.csv", "csv", "out"),
            ("out.txt", "csv", "out"),
            ("out.TSV", "tab", "out"),
            ("a.b.csv", "csv", "a.b"),
            ("d.xlsx/out.csv", "csv", "out"),
            ("out.xlsx", "xlsx", "out"),
            ("HASIL.XLSX", "xlsx", "HASIL"),
            ("out.csv.gz", "csv packed", "out"),
            ("out.CSV.GZ", "csv packed", "out"),
            ("out.tsv.gz", "tab packed", "out"),
            ("out", "! ", "out"),
            (".xlsx", "! ", ".xlsx"),
            ("out.gz", "! gz", "out"),
            ("out.pdf", "! pdf", "out"),
            ("out.json", "! json", "out"),
            ("out.xls", "! xls", "out"),
            ("out.Xlsm", "! xlsm", "out"),
            ("out.ods.gz", "! ods.gz", "out"),
            ("out.xlsx.gz", "! xlsx.gz", "out"),
        ] {
            let path = Path::new(path);
            let found = match Format::of(path, Dialect::Exact) {
                Ok(Format::Workbook) => "xlsx".to_owned(),
                Ok(Format::Csv { packed, delimiter, .. }) => {
                    let form = if delimiter == Some(TAB) { "tab" } else { "csv" };
                    format!("{form}{}", if packed { " packed" } else { "" })
                }
                Err(ending) => format!("! {ending}"),
            };
            assert_eq!((found.as_str(), stem(path).as_str()), (form, its_stem), "{path:?}");
            let whole = format!("{its_stem}{}", endings(path));
            assert_eq!(whole, path.file_name().unwrap().to_str().unwrap());
        }
    }
}
