//! Notes of the way in which a file was read, as a ledger keeps them, so that the file can be read in
//! the same way again.
//!
//! Must hold: a file that is read by the notes of a run has the layout that the run found, whatever
//! would be found today.
//!
//! Never: notes a header or the name of a sheet.

use super::form::Form;
use super::layout::{Layout, ReadOptions};
use super::sheet::SheetSpec;
use super::source::Source;
use crate::model::settings::Reading;
use crate::rules::columns::ColumnSpec;
use crate::rules::nik::NikPolicy;

impl Layout {
    /// Notes how a source with this layout is read with these options.
    pub fn note_reading(&self, source: &Source, options: &ReadOptions) -> Reading {
        let (encoding, delimiter) = match &self.form {
            Form::Text { encoding, .. } => {
                (Some(encoding.name().to_owned()), Some(char::from(self.delimiter)))
            }
            Form::Sheet(_) => (None, None),
        };
        Reading {
            encoding,
            delimiter,
            sheet: source.sheet().and_then(|sheet| sheet.place),
            header: self.header.is_some(),
            titles: usize::try_from(self.titles).unwrap_or(usize::MAX),
            id_column: self.id.index + 1,
            name_column: self.name.index + 1,
            visible_rows: options.visible_rows,
            send_truncated: options.nik.send_truncated,
            send_odd_dates: options.nik.send_odd_dates,
        }
    }
}

impl ReadOptions {
    /// Returns the options with which a file is read as it was read then.
    pub fn as_noted(reading: &Reading) -> Self {
        Self {
            encoding: reading.encoding.as_deref().and_then(|name| name.parse().ok()),
            sheet: reading.sheet.map(SheetSpec::Place),
            delimiter: reading.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()),
            no_header: !reading.header,
            titles: Some(reading.titles),
            id_column: Some(ColumnSpec::Index(reading.id_column)),
            name_column: Some(ColumnSpec::Index(reading.name_column)),
            nik: NikPolicy {
                send_truncated: reading.send_truncated,
                send_odd_dates: reading.send_odd_dates,
                send_temporary: false,
            },
            visible_rows: reading.visible_rows,
        }
    }
}
