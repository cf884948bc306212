//! Which sheet of a workbook holds the customers.
//!
//! Must hold: of two sheets that could be meant neither is taken; the user is asked. Our own results, fed back, are taken
//! all together.

use super::book::SheetPart;
use super::cells::{Lists, Rows};
use super::package::Package;
use super::{Options, SheetError};
use crate::input::delimiter::HEADER_WITHIN;
use crate::input::error::Problem;
use crate::rules::columns::{ColumnSample, Table, choose_columns, find_header};
use crate::rules::headers::{OUTCOME_HEADER, column_of_ours, shown};

/// A sheet as the user names it: by name, or by number from 1 where no sheet has that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetSpec(pub String);

/// The sheets to be read, and the other visible ones that have cells, fit to be shown.
pub(super) struct Chosen {
    /// One, or several of our own results that follow one another.
    pub(super) sheets: Vec<SheetPart>,
    pub(super) others: Vec<String>,
}

/// Rows of a sheet that are looked at. The header is among the first of them.
const ROWS_LOOKED_AT: usize = 4 * HEADER_WITHIN;
/// Visible sheets that are looked at. Real workbooks have a few.
const MOST_SHEETS: usize = 200;

/// Chooses the sheet to be read, and tells of the others.
pub(super) fn choose<'l>(
    package: &mut Package,
    sheets: &[SheetPart],
    options: Options<'_>,
    lists: impl Fn() -> Lists<'l>,
) -> Result<Chosen, Problem> {
    // What is hidden is not what the sender looked at: it is read only where it is named.
    let visible: Vec<&SheetPart> = sheets.iter().filter(|sheet| sheet.is_visible).collect();
    let (mut filled, mut unread) = (Vec::new(), None);
    for (at, sheet) in visible.iter().enumerate().take(MOST_SHEETS) {
        match look(package, sheet, options, lists()) {
            Ok(Suits::Empty) => {}
            Ok(suits) => filled.push((at, suits)),
            // A sheet that is damaged matters only where no other is meant.
            Err(problem) => unread = unread.or(Some(problem)),
        }
    }
    let is_ours = filled.iter().any(|(_, suits)| *suits == Suits::Ours);
    let others = |taken: &[usize]| {
        let others = filled.iter().filter(|(at, _)| !taken.contains(at) && !is_ours);
        others.filter_map(|(at, _)| visible.get(*at)).map(|other| shown(&other.name)).collect()
    };
    let taken = |places: &[usize]| Chosen {
        sheets: places.iter().filter_map(|at| visible.get(*at).map(|s| (*s).clone())).collect(),
        others: others(places),
    };
    if let Some(SheetSpec(asked)) = options.sheet {
        let sheet = asked_for(asked, sheets, &visible)?;
        let place = visible.iter().position(|other| other.name == sheet.name);
        return Ok(Chosen { sheets: vec![sheet], others: others(place.as_slice()) });
    }
    let best = filled.iter().map(|(_, suits)| *suits).max().unwrap_or(Suits::Empty);
    let meant: Vec<_> = filled.iter().filter(|(_, s)| *s == best).map(|(at, _)| *at).collect();
    match meant.as_slice() {
        [] => Err(unread.unwrap_or_else(|| SheetError::Empty.into())),
        [_] => Ok(taken(&meant)),
        _ if best == Suits::Ours => Ok(taken(&meant)),
        [first, ..] => {
            let list = list(&visible, meant.iter().copied());
            Err(SheetError::Several { first: first + 1, list }.into())
        }
    }
}

/// Whether a sheet holds results of ours.
pub(super) fn holds_results<'l>(
    package: &mut Package,
    sheets: &[SheetPart],
    lists: impl Fn() -> Lists<'l>,
) -> bool {
    let mut looks = sheets.iter().map(|sheet| look(package, sheet, Options::default(), lists()));
    looks.any(|suits| matches!(suits, Ok(Suits::Ours)))
}

/// The sheet that the user named.
fn asked_for(
    asked: &str,
    sheets: &[SheetPart],
    visible: &[&SheetPart],
) -> Result<SheetPart, Problem> {
    let all = visible.iter().copied().chain(sheets);
    let named = all.into_iter().find(|sheet| sheet.name.trim() == asked.trim()).cloned();
    let number = asked.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let numbered = || number.and_then(|index| visible.get(index)).map(|sheet| (*sheet).clone());
    named.or_else(numbered).ok_or_else(|| {
        let seen = list(visible, 0..visible.len());
        SheetError::NoSuchSheet(shown(asked), seen).into()
    })
}

/// `1 "Utara", 2 "Selatan"`: the numbers are those that `--sheet` takes.
fn list(visible: &[&SheetPart], which: impl Iterator<Item = usize>) -> String {
    let named = which.filter_map(|at| Some((at + 1, visible.get(at)?)));
    let shown: Vec<_> =
        named.map(|(n, sheet)| format!("{n} \"{}\"", shown(&sheet.name))).take(20).collect();
    shown.join(", ")
}

/// How well a sheet suits: the later, the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Suits {
    Empty,
    Filled,
    /// Headers say that it has both columns, and there is a row below them.
    Named,
    /// It has both columns, and a row below their headers.
    Table,
    /// It holds results of ours.
    Ours,
}

fn look(
    package: &mut Package,
    sheet: &SheetPart,
    options: Options<'_>,
    lists: Lists<'_>,
) -> Result<Suits, Problem> {
    let mut rows = Rows::of(package, sheet, lists)?;
    let mut texts: Vec<Vec<String>> = Vec::new();
    while texts.len() < ROWS_LOOKED_AT
        && let Some(row) = rows.next_row()?
    {
        texts.push(row.texts().map(str::to_owned).collect());
    }
    Ok(suits(&texts, options))
}

fn suits(rows: &[Vec<String>], options: Options<'_>) -> Suits {
    if rows.is_empty() {
        return Suits::Empty;
    }
    let header = find_header(rows, options.wanted);
    let (headers, below) = match options.no_header {
        true => (None, 0),
        false => (rows.get(header.at), header.at + 1),
    };
    let is_ours = |cell: &String| column_of_ours(cell) == Some(OUTCOME_HEADER);
    if headers.is_some_and(|headers| headers.iter().any(is_ours)) {
        return Suits::Ours;
    }
    let below = rows.get(below..).unwrap_or_default();
    let width = headers.map_or_else(|| below.iter().map(Vec::len).max(), |h| Some(h.len()));
    let mut samples = vec![ColumnSample::default(); width.unwrap_or(0)];
    for row in below {
        samples.iter_mut().zip(row).for_each(|(sample, cell)| sample.add(cell));
    }
    let looks: Vec<_> = samples.iter().map(ColumnSample::look).collect();
    let table =
        Table { headers: headers.map(Vec::as_slice), certain: header.certain, looks: &looks };
    let is_named =
        headers.is_some_and(|headers| options.wanted.is_header(headers.iter().map(String::as_str)));
    match choose_columns(table, options.wanted) {
        _ if below.is_empty() => Suits::Filled,
        Ok(_) => Suits::Table,
        Err(_) if is_named => Suits::Named,
        Err(_) => Suits::Filled,
    }
}
