//! The codes of classes and the columns of texts, as both kinds of SQL have them.

use crate::model::class::{Class, End, Lost};
use crate::model::texts::Text;

/// Class of an attempt without a settlement, once its start is known to be dead.
pub(super) const KILLED: Class = Class::InDoubt(Lost::Killed);

/// Returns the codes of the wanted classes, as a list for a query.
pub(super) fn codes_of(wanted: impl Fn(Class) -> bool) -> String {
    let codes: Vec<String> =
        Class::all().filter(|class| wanted(*class)).map(|class| class.code().to_string()).collect();
    codes.join(",")
}

/// Returns the codes of the classes in doubt, as a list for a query.
pub(super) fn doubt_codes() -> String {
    codes_of(|class| class.end() == Some(End::InDoubt))
}

/// Returns the codes of the classes that give a pair an end, as a list for a query.
pub(super) fn end_codes() -> String {
    codes_of(|class| class.end().is_some())
}

/// Returns the names of the columns with an answer's texts, separated by commas.
pub(super) fn text_columns() -> String {
    Text::ALL.map(Text::name).join(", ")
}
