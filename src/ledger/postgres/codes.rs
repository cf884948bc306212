//! Stored codes of classes, in the types of the server.

use crate::model::class::Class;

/// Returns the code of a class as it is stored.
pub(super) fn stored(class: Class) -> i16 {
    i16::from(class.code())
}

/// Returns the class of a stored code; `None` if a later version stored it.
pub(super) fn class_of(code: i16) -> Option<Class> {
    u8::try_from(code).ok().and_then(Class::from_code)
}
