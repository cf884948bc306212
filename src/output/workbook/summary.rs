//! The first sheet: the results, the costs, and what to do next. Figures are numbers, not texts.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::basics::set_page;
use super::cells::cut_to_cell;
use super::styles::Styles;
use crate::model::money::Price;
use crate::output::overview::{Line, lines};
use crate::output::report::{RowTotals, RunReport};

/// Widths of the columns in characters: a label, a figure, its share or its cost, and a note.
const WIDTHS: [f64; 4] = [27.0, 14.0, 18.0, 70.0];

/// Makes the sheet from the report of a run.
pub(super) fn sheet(
    report: &RunReport,
    written: &RowTotals,
    styles: &Styles,
    footer: &str,
) -> Result<Worksheet, XlsxError> {
    let mut sheet = Worksheet::new();
    sheet.set_name("Summary")?.set_screen_gridlines(false);
    for (at, width) in (0..).zip(WIDTHS) {
        sheet.set_column_width(at, width)?;
    }
    let mut row = 0;
    for line in lines(report, written) {
        // An empty row separates a heading from the lines above it.
        row += u32::from(matches!(line, Line::Heading(_)));
        write(&mut sheet, row, &line, report.spending.price.as_ref(), styles)?;
        row += 1;
    }
    set_page(&mut sheet, footer);
    sheet.set_print_fit_to_pages(1, 1);
    Ok(sheet)
}

fn write(
    sheet: &mut Worksheet,
    row: u32,
    line: &Line,
    price: Option<&Price>,
    styles: &Styles,
) -> Result<(), XlsxError> {
    let text = &styles.text;
    match line {
        Line::Title(words) => sheet.write_string_with_format(row, 0, *words, &styles.title)?,
        Line::Alarm(words) => sheet.write_string_with_format(row, 0, *words, &styles.alarm)?,
        Line::Heading(words) => {
            for at in 1..WIDTHS.len() as u16 {
                sheet.write_blank(row, at, &styles.heading)?;
            }
            sheet.write_string_with_format(row, 0, *words, &styles.heading)?
        }
        Line::Text(label, words) => {
            sheet.write_string_with_format(row, 0, *label, text)?;
            sheet.write_string_with_format(row, 1, cut_to_cell(words), text)?
        }
        Line::Todo(words) => sheet.write_string_with_format(row, 0, cut_to_cell(words), text)?,
        Line::Rows(label, rows, share, note) => {
            sheet.write_number_with_format(row, 2, *share, &styles.share)?;
            figure(sheet, row, label, *rows, note, styles)?
        }
        Line::Count(label, number, note) => figure(sheet, row, label, *number, note, styles)?,
        Line::Price(label) => {
            if let Some(price) = price {
                sheet.write_number_with_format(row, 2, price.amount(1), &styles.money)?;
            }
            sheet.write_string_with_format(row, 0, *label, text)?
        }
        Line::Calls(label, calls, note) => {
            if let Some(price) = price {
                sheet.write_number_with_format(row, 2, price.amount(*calls), &styles.money)?;
            }
            figure(sheet, row, label, *calls, note, styles)?
        }
    };
    Ok(())
}

/// Writes a label, a number and a note. The numbers of a spreadsheet are exact up to 2^53, which is
/// more than there can be rows.
fn figure<'s>(
    sheet: &'s mut Worksheet,
    row: u32,
    label: &str,
    number: u64,
    note: &str,
    styles: &Styles,
) -> Result<&'s mut Worksheet, XlsxError> {
    sheet.write_string_with_format(row, 0, label, &styles.text)?;
    sheet.write_number_with_format(row, 1, number as f64, &styles.count)?;
    sheet.write_string_with_format(row, 3, note, &styles.note)
}
