//! Stored codes of classes, as SQL has them.

use crate::model::class::{Class, End, Lost};
use crate::model::texts::Text;

/// Class of an attempt whose start was declared dead before the attempt was settled.
pub(super) const KILLED: Class = Class::InDoubt(Lost::Killed);

/// Returns the code of a class as it is stored.
pub(super) fn stored(class: Class) -> i16 {
    i16::from(class.code())
}

/// Returns the class of a stored code; `None` if a later version stored it.
pub(super) fn class_of(code: i16) -> Option<Class> {
    u8::try_from(code).ok().and_then(Class::from_code)
}

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
