//! In which form the results are written: by the output's name, and the user's wish.

use std::path::Path;

use super::results::OwnColumns;
use crate::input::Layout;
use crate::model::column::Column;

/// The form of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV.
    Csv {
        /// For whom.
        dialect: Dialect,
        /// Whether it is packed (gzip).
        packed: bool,
        /// The byte between cells, where the name says it; else the input's.
        delimiter: Option<u8>,
    },
    /// A workbook, `.xlsx`.
    Workbook,
}

/// For whom a CSV is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// For machines: each cell byte for byte, in the input's delimiter.
    Exact,
    /// For a spreadsheet: BOM, `;`, CRLF, no formulas, NIKs as text.
    Spreadsheet,
}

/// Separates the cells of a `.tsv`.
const TAB: u8 = b'\t';

impl Format {
    /// A CSV that is not packed, in the input's delimiter.
    pub const fn csv(dialect: Dialect) -> Self {
        Self::Csv { dialect, packed: false, delimiter: None }
    }

    /// The form that an output's name asks for. A workbook is for a spreadsheet as it is: there the dialect means nothing.
    ///
    /// # Errors
    /// An ending of a form that is not written; empty where there is none.
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

    /// How many columns too many a file has for this form.
    pub fn columns_too_many(self, layout: &Layout) -> usize {
        match self {
            Self::Csv { .. } => 0,
            Self::Workbook => {
                let columns = OwnColumns::of(layout).places().count() + Column::ALL.len();
                columns.saturating_sub(Self::MOST_COLUMNS)
            }
        }
    }

    /// The most columns of a sheet.
    pub const MOST_COLUMNS: usize = 16_384;
}

/// A file's name without its endings that say how it is written: `a` of `d/a.csv.gz`.
pub fn stem(path: &Path) -> String {
    unpacked(path).0.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The endings of a file's name that [`stem`] takes off: `.csv.gz` of `d/a.csv.gz`.
pub fn endings(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.strip_prefix(&stem(path)).unwrap_or_default().to_owned()
}

/// A file's name without `.gz`, and whether it had it.
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
