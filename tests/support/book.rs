//! Workbooks that the program wrote, as other programs read them.

use std::fs::File;
use std::io::{BufReader, Read};

use calamine::{Data, Reader, Xlsx, open_workbook};

use super::Workspace;

/// Rows of a sheet.
pub type Cells = Vec<Vec<Data>>;

/// Returns the rows of a sheet of a workbook.
pub fn sheet(place: &Workspace, book: &str, name: &str) -> Cells {
    let range = open(place, book).worksheet_range(name).unwrap();
    range.rows().map(<[Data]>::to_vec).collect()
}

/// Returns all sheets of a workbook, each with its name and its rows.
pub fn sheets(place: &Workspace, book: &str) -> Vec<(String, Cells)> {
    let sheets = open(place, book).worksheets().into_iter();
    sheets.map(|(name, range)| (name, range.rows().map(<[Data]>::to_vec).collect())).collect()
}

/// Returns a part of a workbook, unpacked.
pub fn part(place: &Workspace, book: &str, name: &str) -> Vec<u8> {
    let mut zip = zip::ZipArchive::new(File::open(place.path(book)).unwrap()).unwrap();
    let mut bytes = Vec::new();
    zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Returns a part of a workbook that is a text.
pub fn text_of_part(place: &Workspace, book: &str, name: &str) -> String {
    String::from_utf8(part(place, book, name)).unwrap()
}

fn open(place: &Workspace, book: &str) -> Xlsx<BufReader<File>> {
    open_workbook(place.path(book)).unwrap()
}
