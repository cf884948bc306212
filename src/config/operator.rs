//! The operator: the person or account that runs the program, for the record of a start.

use crate::model::mask::mask_digits;

/// Returns the person or account that runs the program: as the user says, or else the login name, or
/// else the number of the user.
pub(super) fn operator(typed: Option<&str>) -> String {
    let login = || {
        let number = || format!("uid {}", rustix::process::getuid().as_raw());
        whoami::username().unwrap_or_else(|_| number())
    };
    mask_digits(&typed.map_or_else(login, str::to_owned)).into_owned()
}
