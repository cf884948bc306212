//! Chooses the sheet of a workbook that holds the customers.
//!
//! Must hold: if two sheets fit equally well, neither is chosen, and the error asks the user. The
//! other visible sheets are reported, damaged ones too. If the workbook is an output of this
//! program, all its sheets of results with equal headers are read as one table.

use super::book::SheetPart;
use super::cells::{Rows, WorkbookContext};
use super::package::Package;
use crate::input::delimiter::HEADER_WITHIN;
use crate::input::error::{Problem, SheetError};
use crate::model::column::Column;
use crate::rules::columns::{ColumnSample, Table, Wanted, choose_columns, find_header};
use crate::rules::headers::shown;

/// The sheet that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SheetSpec {
    /// As the user names it: by its name, or by its number among the visible sheets, from 1, if no
    /// sheet has that name.
    Asked(String),
    /// The number of the sheet among all sheets, from 1, as an earlier run noted it.
    Place(usize),
}

impl From<&str> for SheetSpec {
    fn from(text: &str) -> Self {
        Self::Asked(text.to_owned())
    }
}

/// ChoiceOptions for the choice of the sheet.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChoiceOptions<'a> {
    /// The sheet that the user named. `None`: find it.
    pub sheet: Option<&'a SheetSpec>,
    /// The first row is data, not a header.
    pub no_header: bool,
    /// The columns that the user named.
    pub wanted: Wanted<'a>,
}

/// Result of the choice.
pub(super) struct Chosen {
    /// The sheet to be read, or several sheets of our own results in their order.
    pub(super) sheets: Vec<SheetPart>,
    /// Index of the sheet among all sheets; `None` if there are several.
    pub(super) place: Option<usize>,
    /// Names of the other visible sheets that have cells or are damaged, masked for display.
    pub(super) others: Vec<String>,
}

/// Number of rows at the start of a sheet that are examined. The header is among the first
/// [`HEADER_WITHIN`] of them.
const ROWS_LOOKED_AT: usize = 4 * HEADER_WITHIN;
/// Number of bytes in memory after which no further row of a sheet is examined.
const BYTES_LOOKED_AT: usize = 4 << 20;
/// Number of visible sheets that are examined. Real workbooks have a few.
const MOST_SHEETS: usize = 200;

/// Chooses the sheet to be read, and lists the others.
///
/// # Errors
/// Returns [`SheetError::NoSuchSheet`] if the named sheet does not exist, [`SheetError::Several`]
/// if more than one sheet fits equally well, and [`SheetError::Empty`] if no visible sheet has a
/// filled cell. If the only visible sheets with cells are damaged, returns the problem of the
/// first.
pub(super) fn choose<'l>(
    package: &mut Package,
    sheets: &[SheetPart],
    options: ChoiceOptions<'_>,
    lists: impl Fn() -> WorkbookContext<'l>,
) -> Result<Chosen, Problem> {
    // The sender of the workbook did not see its hidden sheets. A hidden sheet is read only if the
    // user names it.
    let visible: Vec<&SheetPart> = sheets.iter().filter(|sheet| sheet.is_visible).collect();
    let (mut filled, mut unread) = (Vec::new(), Vec::new());
    for (at, sheet) in visible.iter().enumerate().take(MOST_SHEETS) {
        match look(package, sheet, options, lists()) {
            Ok(Look { suits: SheetRank::Empty, .. }) => {}
            Ok(look) => filled.push((at, look)),
            // A damaged sheet matters only if no other sheet fits. It is listed among the others.
            Err(problem) => unread.push((at, problem)),
        }
    }
    let best = filled.iter().map(|(_, look)| look.suits).max().unwrap_or(SheetRank::Empty);
    let name = |at: usize| visible.get(at).map(|sheet| sheet.name.as_str()).unwrap_or_default();
    let others = |taken: &[usize]| {
        // The other sheets of our own workbook hold no customers.
        let is_beside = |at: usize| best == SheetRank::Ours && BESIDE_RESULTS.contains(&name(at));
        let whole = filled.iter().filter(|(at, _)| !taken.contains(at) && !is_beside(*at));
        let torn = unread.iter().filter(|(at, _)| !taken.contains(at));
        let whole = whole.map(|(at, _)| shown(name(*at)));
        whole.chain(torn.map(|(at, _)| format!("{} (damaged)", shown(name(*at))))).collect()
    };
    if let Some(asked) = options.sheet {
        let sheet = asked_for(asked, sheets, &visible)?;
        let taken = visible.iter().position(|other| other.name == sheet.name);
        let place = sheets.iter().position(|other| other.name == sheet.name);
        return Ok(Chosen { sheets: vec![sheet], place, others: others(taken.as_slice()) });
    }
    let meant: Vec<_> = filled.iter().filter(|(_, look)| look.suits == best).collect();
    let places: Vec<usize> = meant.iter().map(|(at, _)| *at).collect();
    let is_one_table = || {
        // Sheets of results are one table if they have equal headers in their first rows.
        let mut heads = meant.iter().map(|(_, look)| &look.first_row);
        let first = heads.next();
        best == SheetRank::Ours && heads.all(|head| !head.is_empty() && Some(head) == first)
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
    let taken: Vec<SheetPart> = taken.collect();
    let place = match taken.as_slice() {
        [sheet] => sheets.iter().position(|other| other.name == sheet.name),
        _ => None,
    };
    Ok(Chosen { sheets: taken, place, others: others(&places) })
}

/// Names of the sheets that our own workbook has in addition to its results.
const BESIDE_RESULTS: [&str; 2] = ["Summary", "Needs attention"];

/// Checks whether a sheet of the workbook holds results of this program.
pub(super) fn holds_results<'l>(
    package: &mut Package,
    sheets: &[SheetPart],
    lists: impl Fn() -> WorkbookContext<'l>,
) -> bool {
    let mut looks =
        sheets.iter().map(|sheet| look(package, sheet, ChoiceOptions::default(), lists()));
    looks.any(|look| look.is_ok_and(|look| look.suits == SheetRank::Ours))
}

/// Finds the sheet that the user named. A name may be that of a hidden sheet, but visible sheets
/// are searched first. A number counts visible sheets only.
fn asked_for(
    asked: &SheetSpec,
    sheets: &[SheetPart],
    visible: &[&SheetPart],
) -> Result<SheetPart, Problem> {
    let asked = match asked {
        SheetSpec::Asked(asked) => asked,
        SheetSpec::Place(place) => {
            let sheet = place.checked_sub(1).and_then(|index| sheets.get(index)).cloned();
            let seen = || list(visible, 0..visible.len());
            return sheet.ok_or_else(|| SheetError::NoSuchSheet(place.to_string(), seen()).into());
        }
    };
    let all = visible.iter().copied().chain(sheets);
    let named = all.into_iter().find(|sheet| sheet.name.trim() == asked.trim()).cloned();
    let number = asked.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    let numbered = || number.and_then(|index| visible.get(index)).map(|sheet| (*sheet).clone());
    named.or_else(numbered).ok_or_else(|| {
        let seen = list(visible, 0..visible.len());
        SheetError::NoSuchSheet(shown(asked), seen).into()
    })
}

/// WorkbookContext sheets for a message, such as `1 "Utara", 2 "Selatan"`, up to 20 of them. `--sheet`
/// accepts the numbers.
fn list(visible: &[&SheetPart], which: impl Iterator<Item = usize>) -> String {
    let named = which.filter_map(|at| Some((at + 1, visible.get(at)?)));
    let shown: Vec<_> =
        named.map(|(n, sheet)| format!("{n} \"{}\"", shown(&sheet.name))).take(20).collect();
    shown.join(", ")
}

/// Rank of a sheet. The sheet with the highest rank is read, and later variants are higher.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SheetRank {
    /// The sheet has no filled cell.
    Empty,
    /// The sheet has filled cells, and none of the ranks below.
    Filled,
    /// The sheet has a header with both columns and a row below it, but the columns cannot be
    /// chosen.
    Named,
    /// Both columns can be chosen, and the sheet has a row of data.
    Table,
    /// The sheet holds results of this program.
    Ours,
}

/// Result of examining the first rows of a sheet.
struct Look {
    suits: SheetRank,
    /// First row of the sheet, if that row is the header of our results. Otherwise empty.
    first_row: Vec<String>,
}

/// Examines the first rows of a sheet.
fn look(
    package: &mut Package,
    sheet: &SheetPart,
    options: ChoiceOptions<'_>,
    lists: WorkbookContext<'_>,
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
        |row: &Vec<String>| suits == SheetRank::Ours && row.iter().any(|cell| is_outcome(cell));
    let first_row = texts.into_iter().next().filter(is_head).unwrap_or_default();
    Ok(Look { suits, first_row })
}

/// Checks whether a cell is the header of the outcome column that this program writes.
fn is_outcome(cell: &str) -> bool {
    Column::of_header(cell) == Some(Column::Outcome)
}

/// Ranks a sheet by its first rows.
fn suits(rows: &[Vec<String>], options: ChoiceOptions<'_>) -> SheetRank {
    if rows.is_empty() {
        return SheetRank::Empty;
    }
    let header = find_header(rows, options.wanted);
    let (headers, below) = match options.no_header {
        true => (None, 0),
        false => (rows.get(header.at), header.at + 1),
    };
    if headers.is_some_and(|headers| headers.iter().any(|cell| is_outcome(cell))) {
        return SheetRank::Ours;
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
        _ if below.is_empty() => SheetRank::Filled,
        Ok(_) => SheetRank::Table,
        Err(_) if is_named => SheetRank::Named,
        Err(_) => SheetRank::Filled,
    }
}
