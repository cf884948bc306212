//! Which sheet of a workbook holds the customers.
//!
//! Must hold: of two sheets that could be meant neither is taken; the user is asked. Sheets that are left out are told, damaged
//! ones too. Our own results, fed back, are taken together where their headers are equal.

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
/// Bytes of a sheet that are looked at, about.
const BYTES_LOOKED_AT: usize = 4 << 20;
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
    let (mut filled, mut unread) = (Vec::new(), Vec::new());
    for (at, sheet) in visible.iter().enumerate().take(MOST_SHEETS) {
        match look(package, sheet, options, lists()) {
            Ok(Look { suits: Suits::Empty, .. }) => {}
            Ok(look) => filled.push((at, look)),
            // A sheet that is damaged matters only where no other is meant; it is named.
            Err(problem) => unread.push((at, problem)),
        }
    }
    let best = filled.iter().map(|(_, look)| look.suits).max().unwrap_or(Suits::Empty);
    let name = |at: usize| visible.get(at).map(|sheet| sheet.name.as_str()).unwrap_or_default();
    let others = |taken: &[usize]| {
        // What our own workbook has beside its results is no customer's.
        let is_beside = |at: usize| best == Suits::Ours && BESIDE_RESULTS.contains(&name(at));
        let whole = filled.iter().filter(|(at, _)| !taken.contains(at) && !is_beside(*at));
        let torn = unread.iter().filter(|(at, _)| !taken.contains(at));
        let whole = whole.map(|(at, _)| shown(name(*at)));
        whole.chain(torn.map(|(at, _)| format!("{} (damaged)", shown(name(*at))))).collect()
    };
    if let Some(SheetSpec(asked)) = options.sheet {
        let sheet = asked_for(asked, sheets, &visible)?;
        let place = visible.iter().position(|other| other.name == sheet.name);
        return Ok(Chosen { sheets: vec![sheet], others: others(place.as_slice()) });
    }
    let meant: Vec<_> = filled.iter().filter(|(_, look)| look.suits == best).collect();
    let places: Vec<usize> = meant.iter().map(|(at, _)| *at).collect();
    let is_one_table = || {
        // Sheets that follow one another have the same header, in their first row.
        let mut heads = meant.iter().map(|(_, look)| &look.first_row);
        let first = heads.next();
        best == Suits::Ours && heads.all(|head| !head.is_empty() && Some(head) == first)
    };
    match places.as_slice() {
        [] => {
            let unread = unread.into_iter().next().map(|(_, problem)| problem);
            return Err(unread.unwrap_or_else(|| SheetError::Empty.into()));
        }
        [first, _, ..] if !is_one_table() => {
            let list = list(&visible, places.iter().copied());
            return Err(SheetError::Several { first: first + 1, list }.into());
        }
        _ => {}
    }
    let taken = places.iter().filter_map(|at| visible.get(*at).map(|sheet| (*sheet).clone()));
    Ok(Chosen { sheets: taken.collect(), others: others(&places) })
}

/// The sheets of our own workbook beside its results.
const BESIDE_RESULTS: [&str; 2] = ["Summary", "Needs attention"];

/// Returns `true` if a sheet holds results of ours.
pub(super) fn holds_results<'l>(
    package: &mut Package,
    sheets: &[SheetPart],
    lists: impl Fn() -> Lists<'l>,
) -> bool {
    let mut looks = sheets.iter().map(|sheet| look(package, sheet, Options::default(), lists()));
    looks.any(|look| look.is_ok_and(|look| look.suits == Suits::Ours))
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

/// Rank of a sheet as the one to read: the later, the better.
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

/// Result of a look at the first rows of a sheet.
struct Look {
    suits: Suits,
    /// Its first row, where that is a header of our results.
    first_row: Vec<String>,
}

fn look(
    package: &mut Package,
    sheet: &SheetPart,
    options: Options<'_>,
    lists: Lists<'_>,
) -> Result<Look, Problem> {
    let mut rows = Rows::of(package, sheet, lists)?;
    let (mut texts, mut bytes): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
    while texts.len() < ROWS_LOOKED_AT
        && bytes < BYTES_LOOKED_AT
        && let Some(row) = rows.next_row()?
    {
        bytes += row.texts().map(|text| text.len() + size_of::<String>()).sum::<usize>();
        texts.push(row.texts().map(str::to_owned).collect());
    }
    let suits = suits(&texts, options);
    let is_head =
        |row: &Vec<String>| suits == Suits::Ours && row.iter().any(|cell| is_outcome(cell));
    let first_row = texts.into_iter().next().filter(is_head).unwrap_or_default();
    Ok(Look { suits, first_row })
}

/// Returns `true` if a cell is the heading of our results.
fn is_outcome(cell: &str) -> bool {
    column_of_ours(cell) == Some(OUTCOME_HEADER)
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
    if headers.is_some_and(|headers| headers.iter().any(|cell| is_outcome(cell))) {
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
