//! Which sheet of a workbook holds the customers.
//!
//! Must hold: of two sheets that could be meant neither is taken; the user is asked.

use super::SheetError;
use super::bounds::Bounds;
use super::cells::Rows;
use crate::input::delimiter::HEADER_WITHIN;
use crate::input::error::Problem;
use crate::rules::columns::Wanted;
use crate::rules::headers::shown;
use calamine::{Reader, SheetType, SheetVisible, Xlsx};
use std::io::{Read, Seek};

/// A sheet as the user names it: by name, or by number from 1 where no sheet has that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetSpec(pub String);

/// The sheet that was chosen.
pub(super) struct Chosen {
    pub(super) name: String,
    /// How many could have been meant.
    pub(super) of: usize,
}

pub(super) fn choose<R: Read + Seek>(
    workbook: &mut Xlsx<R>,
    asked: Option<&SheetSpec>,
    wanted: Wanted<'_>,
) -> Result<Chosen, Problem> {
    let sheets = workbook.sheets_metadata().iter().filter(|s| s.typ == SheetType::WorkSheet);
    let sheets: Vec<_> = sheets.map(|s| (s.name.clone(), s.visible)).collect();
    if let Some(SheetSpec(asked)) = asked {
        let by_name = sheets.iter().find(|(name, _)| name.trim() == asked.trim());
        let number = asked.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let by_number = number.and_then(|index| sheets.get(index));
        return match by_name.or(by_number) {
            Some((name, _)) => Ok(Chosen { name: name.clone(), of: sheets.len() }),
            None => {
                let seen = list(sheets.iter().map(|(name, _)| name));
                Err(SheetError::NoSuchSheet { asked: shown(asked), seen }.into())
            }
        };
    }
    // What is hidden is not what the sender looked at.
    let visible = sheets.into_iter().filter(|(_, visible)| *visible == SheetVisible::Visible);
    let mut filled = Vec::new();
    for (name, _) in visible {
        match looks(workbook, &name, wanted)? {
            Looks::Empty => {}
            looks => filled.push((name, looks)),
        }
    }
    let of = filled.len();
    let headed: Vec<_> = filled.iter().filter(|(_, looks)| *looks == Looks::Headed).collect();
    match (headed.as_slice(), filled.as_slice()) {
        ([(name, _)], _) | ([], [(name, _)]) => Ok(Chosen { name: name.clone(), of }),
        ([], []) => Err(SheetError::Empty.into()),
        ([], several) => Err(several_of(several.iter().map(|(name, _)| name))),
        (several, _) => Err(several_of(several.iter().map(|(name, _)| name))),
    }
}

fn several_of<'a>(names: impl Iterator<Item = &'a String>) -> Problem {
    SheetError::Several { seen: list(names) }.into()
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(|name| format!("\"{}\"", shown(name))).take(20).collect();
    names.join(", ")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    Empty,
    Filled,
    /// A row names both columns.
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
            return Ok(Looks::Headed);
        }
        found = Looks::Filled;
    }
    Ok(found)
}
