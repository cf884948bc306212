//! Finds the sheets of a workbook, the parts with their cells, texts and styles, and the year from
//! which days count.
//!
//! Must hold: anything that is odd or missing and not needed is ignored. A sheet whose part is
//! missing is ignored too.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::package::{Package, Part};
use super::xml::{Xml, attribute, text_attribute};
use crate::input::error::{Problem, SheetError, Unsupported, damaged};

/// Sheet with rows of cells.
#[derive(Clone, Debug)]
pub(super) struct SheetPart {
    pub(super) name: String,
    pub(super) is_visible: bool,
    /// The part with the cells.
    pub(super) part: Part,
}

/// Workbook: its sheets, and the parts that its sheets share.
pub(super) struct Book {
    /// Sheets with rows of cells, in order. Charts, dialogs and macros are left out.
    pub(super) sheets: Vec<SheetPart>,
    /// Days count from 1904, as on old Macintoshes, instead of 1900.
    pub(super) is_1904: bool,
    /// The part with the shared texts.
    pub(super) texts: Option<Part>,
    /// The part with the styles.
    pub(super) styles: Option<Part>,
}

/// Number of sheets that are examined. Real workbooks have a few.
const MOST_SHEETS: usize = 1000;

impl Book {
    /// Reads the list of sheets, and finds their parts.
    ///
    /// # Errors
    /// The problem is [`Problem::Unsupported`] if the package is no `.xlsx` workbook, and
    /// [`Problem::Sheet`] if its main part is damaged or no sheet has rows of cells.
    pub(super) fn read(package: &mut Package) -> Result<Self, Problem> {
        let path = main_part(package)?;
        let part = package.find(&path).ok_or_else(|| damaged("a part of it is missing"))?;
        let links = relations(package, &relations_of(&path));
        let (listed, is_1904) = listed_sheets(&mut package.xml(part, package.bounds.frame)?)?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let linked = |kind: &str| {
            let link = links.iter().find(|link| link.kind.ends_with(kind))?;
            package.find(&resolved(folder, &link.target))
        };
        let beside = |name: &str| package.find(&resolved(folder, name));
        let texts = linked("/sharedStrings").or_else(|| beside("sharedStrings.xml"));
        let styles = linked("/styles").or_else(|| beside("styles.xml"));
        let by_id: HashMap<_, _> =
            links.iter().map(|link| (link.id.as_str(), link.target.as_str())).collect();
        let mut sheets = Vec::new();
        for (at, sheet) in listed.into_iter().enumerate().take(MOST_SHEETS) {
            let usual = format!("worksheets/sheet{}.xml", at + 1);
            // A workbook without relations has its sheets in the usual places.
            let target = by_id.get(sheet.id.as_str()).copied();
            let target = target.or_else(|| links.is_empty().then_some(usual.as_str()));
            let part = target.and_then(|target| package.find(&resolved(folder, target)));
            let Some(part) = part.filter(|part| is_worksheet(package, *part)) else { continue };
            let ListedSheet { name, is_visible, .. } = sheet;
            sheets.push(SheetPart { name, is_visible, part });
        }
        match sheets.is_empty() {
            true => Err(SheetError::NoWorksheet.into()),
            false => Ok(Self { sheets, is_1904, texts, styles }),
        }
    }
}

/// Finds the name of the main part: by the relations of the package, or by its usual name.
///
/// # Errors
/// Returns the form of the file if it is no `.xlsx` workbook.
fn main_part(package: &mut Package) -> Result<String, Problem> {
    let links = relations(package, "_rels/.rels");
    let told = links.iter().find(|link| link.kind.ends_with("/officeDocument"));
    let told = told.map(|link| resolved("", &link.target));
    let is_there = |path: &String| package.find(path).is_some() && path.ends_with(".xml");
    if let Some(path) = told.filter(is_there) {
        return Ok(path);
    }
    let mut named: Vec<_> = package.names().filter(|name| is_main_name(name)).collect();
    named.sort_unstable();
    if let Some(name) = named.first() {
        return Ok((*name).to_owned());
    }
    let has = |ending: &str| package.names().any(|name| name.ends_with(ending));
    Err(if has("workbook.bin") {
        Unsupported::Xlsb.into()
    } else if has("content.xml") && has("mimetype") {
        Unsupported::Ods.into()
    } else {
        Unsupported::Zip.into()
    })
}

/// Checks for a usual name of the main part: `xl/workbook.xml`, `xl/workbook2.xml`, `workbook.xml`.
fn is_main_name(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.starts_with("workbook") && file.ends_with(".xml") && !name.contains("_rels")
}

/// Relation from one part to another.
struct Link {
    id: String,
    /// Type of the relation, an address such as `http://…/worksheet`.
    kind: String,
    /// Path of the other part, absolute or relative to the folder of the first.
    target: String,
}

/// Reads the relations in the part `path`. Relations that cannot be read are left out.
fn relations(package: &mut Package, path: &str) -> Vec<Link> {
    let Some(part) = package.find(path) else { return Vec::new() };
    let most = package.bounds.frame;
    let mut links = Vec::new();
    let Ok(mut xml) = package.xml(part, most) else { return links };
    while let Ok(event) = xml.next() {
        match event {
            Event::Start(e) | Event::Empty(e) if e.local_name().as_ref() == "Relationship" => {
                let text = |name| text_attribute(&e, name).unwrap_or_default();
                links.push(Link { id: text("Id"), kind: text("Type"), target: text("Target") });
            }
            Event::Eof => break,
            _ => {}
        }
    }
    links
}

/// Returns the name of the part with the relations of a part: for `xl/workbook.xml`
/// `xl/_rels/workbook.xml.rels`.
fn relations_of(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/_rels/{file}.rels"),
        None => format!("_rels/{path}.rels"),
    }
}

/// Converts the target of a relation to the name of a part. `folder` is the folder of the part that
/// has the relation.
fn resolved(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let (from, target) = match target.strip_prefix('/') {
        Some(whole) => ("", whole),
        None => (folder, target.as_str()),
    };
    let mut path: Vec<&str> = from.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            _ => path.push(step),
        }
    }
    path.join("/")
}

/// Sheet as the workbook lists it.
struct ListedSheet {
    name: String,
    is_visible: bool,
    /// Identifier of the relation to the sheet's part.
    id: String,
}

/// Reads the list of sheets. The second value is true if days count from 1904.
fn listed_sheets(xml: &mut Xml<'_>) -> Result<(Vec<ListedSheet>, bool), Problem> {
    let (mut sheets, mut is_1904) = (Vec::new(), false);
    loop {
        match xml.next()? {
            Event::Start(e) | Event::Empty(e) => match e.local_name().as_ref() {
                "sheet" => sheets.push(listed(&e)),
                "workbookPr" => {
                    is_1904 = attribute(&e, "date1904").is_some_and(|value| is_true(&value));
                }
                _ => {}
            },
            Event::End(e) if e.local_name().as_ref() == "workbook" => break,
            Event::Eof => break,
            _ => {}
        }
    }
    Ok((sheets, is_1904))
}

fn listed(element: &BytesStart<'_>) -> ListedSheet {
    ListedSheet {
        name: text_attribute(element, "name").unwrap_or_default(),
        is_visible: attribute(element, "state").is_none_or(|state| &*state == "visible"),
        id: text_attribute(element, "id").unwrap_or_default(),
    }
}

/// Checks whether a part holds rows of cells, by its root element. Charts, dialogs and macros have
/// other root elements. Returns `true` for a part that cannot be read.
fn is_worksheet(package: &mut Package, part: Part) -> bool {
    let most = package.bounds.sheet;
    let Ok(mut xml) = package.xml(part, most) else { return true };
    loop {
        match xml.next() {
            Ok(Event::Start(e) | Event::Empty(e)) => return e.local_name().as_ref() == "worksheet",
            Ok(Event::Eof) => return false,
            // The damage is reported when the sheet is read.
            Err(_) => return true,
            Ok(_) => {}
        }
    }
}

/// Parses a truth value in the forms that programs write.
pub(super) fn is_true(value: &str) -> bool {
    matches!(value.trim(), "1" | "true" | "TRUE" | "True" | "on")
}
