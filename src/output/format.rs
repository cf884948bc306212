//! In which form the results are written: by the output's name, and the user's wish.

use std::path::Path;

use super::results::{COLUMNS, OwnColumns};
use crate::input::Layout;

/// The form of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV.
    Csv {
        /// For whom.
        dialect: Dialect,
        /// Whether it is packed (gzip).
        packed: bool,
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

/// Endings that promise a form that is not written.
const OTHER_FORMS: [&str; 10] =
    ["xls", "xlsm", "xlsb", "xlt", "xltx", "xltm", "ods", "fods", "ots", "numbers"];

impl Format {
    /// The form that an output's name asks for; any ending that means nothing here is a CSV. A
    /// workbook is for a spreadsheet as it is: there the dialect means nothing.
    ///
    /// # Errors
    /// The ending of a form that is not written.
    pub fn of(path: &Path, dialect: Dialect) -> Result<Self, String> {
        let (name, packed) = unpacked(path);
        match ending(name) {
            Some(ending) if ending == "xlsx" && !packed => Ok(Self::Workbook),
            Some(ending) if ending == "xlsx" => Err("xlsx.gz".to_owned()),
            Some(ending) if OTHER_FORMS.contains(&ending.as_str()) => Err(ending),
            _ => Ok(Self::Csv { dialect, packed }),
        }
    }

    /// How the name of an output in this form ends.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv { packed: false, .. } => "csv",
            Self::Csv { packed: true, .. } => "csv.gz",
            Self::Workbook => "xlsx",
        }
    }

    /// How many columns too many a file has for this form.
    pub fn columns_too_many(self, layout: &Layout) -> usize {
        match self {
            Self::Csv { .. } => 0,
            Self::Workbook => {
                let columns = OwnColumns::of(layout).places().count() + COLUMNS.len();
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
        const CSV: Result<&str, &str> = Ok("csv");
        for (path, form, its_stem) in [
            ("d/out.csv", CSV, "out"),
            ("out", CSV, "out"),
            ("out.txt", CSV, "out"),
            ("a.b.csv", CSV, "a.b"),
            ("d.xlsx/out.csv", CSV, "out"),
            (".xlsx", CSV, ".xlsx"),
            ("out.xlsx", Ok("xlsx"), "out"),
            ("HASIL.XLSX", Ok("xlsx"), "HASIL"),
            ("out.csv.gz", Ok("csv.gz"), "out"),
            ("out.CSV.GZ", Ok("csv.gz"), "out"),
            ("out.tsv.gz", Ok("csv.gz"), "out"),
            ("out.gz", Ok("csv.gz"), "out"),
            ("out.xls", Err("xls"), "out"),
            ("out.Xlsm", Err("xlsm"), "out"),
            ("out.ods", Err("ods"), "out"),
            ("out.ods.gz", Err("ods"), "out"),
            ("out.xlsx.gz", Err("xlsx.gz"), "out"),
        ] {
            let path = Path::new(path);
            let found = Format::of(path, Dialect::Exact).map(Format::ending);
            assert_eq!(found.as_ref().copied().map_err(|e| e.as_str()), form, "{path:?}");
            assert_eq!(stem(path), its_stem, "{path:?}");
        }
    }
}
