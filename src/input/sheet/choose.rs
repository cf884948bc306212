//! Which sheet of a workbook holds the customers.
//!
//! Must hold: of two sheets that could be meant neither is taken; the user is asked.

use super::bounds::Bounds;
use super::cells::Rows;
use super::{Options, Sheet, SheetError, too_large};
use crate::input::delimiter::HEADER_WITHIN;
use crate::input::error::Problem;
use crate::rules::columns::Wanted;
use crate::rules::headers::shown;
use calamine::{Reader, SheetType, SheetVisible, Xlsx};
use std::io::{Read, Seek};

/// A sheet as the user names it: by name, or by number from 1 where no sheet has that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetSpec(pub String);

/// Sheets of a workbook that are looked at. Real ones have a few.
const MOST_SHEETS: usize = 200;

/// Chooses the sheet to be read, and tells of the others.
pub(super) fn choose<R: Read + Seek>(
    workbook: &mut Xlsx<R>,
    options: Options<'_>,
) -> Result<Sheet, Problem> {
    let sheets = workbook.sheets_metadata().iter().filter(|s| s.typ == SheetType::WorkSheet);
    let (visible, hidden): (Vec<_>, Vec<_>) =
        sheets.cloned().partition(|sheet| sheet.visible == SheetVisible::Visible);
    if visible.len() > MOST_SHEETS {
        return Err(too_large("hundreds of sheets"));
    }
    let names =
        |sheets: Vec<calamine::Sheet>| sheets.into_iter().map(|s| s.name).collect::<Vec<_>>();
    // What is hidden is not what the sender looked at: it is read only where it is named.
    let (visible, hidden) = (names(visible), names(hidden));
    let mut filled = Vec::new();
    for (at, name) in visible.iter().enumerate() {
        match looks(workbook, name, options.wanted)? {
            Looks::Empty => {}
            looks => filled.push((at, looks)),
        }
    }
    let chosen = |name: &String| {
        let others = filled.iter().filter_map(|(at, _)| visible.get(*at));
        let others = others.filter(|other| *other != name).map(|other| shown(other)).collect();
        Ok(Sheet { name: name.clone(), others, ..Sheet::default() })
    };
    if let Some(SheetSpec(asked)) = options.sheet {
        let by_name = visible.iter().chain(&hidden).find(|name| name.trim() == asked.trim());
        let number = asked.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let by_number = || number.and_then(|index| visible.get(index));
        let none = || {
            let seen = list(&visible, 0..visible.len());
            Err(SheetError::NoSuchSheet(shown(asked), seen).into())
        };
        return by_name.or_else(by_number).map_or_else(none, chosen);
    }
    let headed = filled.iter().filter(|(_, looks)| *looks == Looks::Headed).map(|(at, _)| *at);
    let mut meant: Vec<_> = headed.collect();
    if meant.is_empty() {
        meant = filled.iter().map(|(at, _)| *at).collect();
    }
    let empty = || Err(SheetError::Empty.into());
    match meant.as_slice() {
        [] => empty(),
        [at] => visible.get(*at).map_or_else(empty, chosen),
        _ => Err(SheetError::Several(list(&visible, meant.iter().copied())).into()),
    }
}

/// `1 "Utara", 2 "Selatan"`: the numbers are those that `--sheet` takes.
fn list(visible: &[String], which: impl Iterator<Item = usize>) -> String {
    let named = which.filter_map(|at| Some((at + 1, visible.get(at)?)));
    let shown: Vec<_> =
        named.map(|(n, name)| format!("{n} \"{}\"", shown(name))).take(20).collect();
    shown.join(", ")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    Empty,
    Filled,
    /// A row names both columns, and there is one below it.
    Headed,
}

fn looks<R: Read + Seek>(
    workbook: &mut Xlsx<R>,
    name: &str,
    wanted: Wanted<'_>,
) -> Result<Looks, Problem> {
    let mut rows = Rows::of(workbook, name, &Bounds::default())?;
    let mut found = Looks::Empty;
    for _ in 0..HEADER_WITHIN {
        let Some(row) = rows.next_row()? else { break };
        if wanted.is_header(row.texts()) {
            // A template without a row below its headers holds nobody.
            let has_rows = rows.next_row()?.is_some();
            return Ok(if has_rows { Looks::Headed } else { found });
        }
        found = Looks::Filled;
    }
    Ok(found)
}
