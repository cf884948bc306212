//! Room for the connections of a run: the process's limit of open files.
//!
//! Must hold: a run whose connections find no room does not begin. A connection that finds none would look like a vendor
//! that cannot be reached.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// Files that are open beside the connections: input, output, the ledger's, what the system's libraries want.
const OTHER_FILES: u64 = 40;

/// Raises the limit to what the calls in flight need, as far as this user may.
///
/// # Errors
///
/// The limit stays below what is needed.
pub(super) fn make_room(concurrency: usize, with_sandbox: bool) -> Result<(), Error> {
    let connections = concurrency as u64 * if with_sandbox { 2 } else { 1 };
    let wanted = connections + OTHER_FILES;
    match raise_to(wanted) {
        Some(limit) if limit < wanted => Err(Error::config(
            format!(
                "--concurrency {concurrency} needs {wanted} open files, and {limit} are allowed"
            ),
            "lower --concurrency, or raise the limit (ulimit -n)",
        )),
        _ => Ok(()),
    }
}

/// Raises the soft limit towards `wanted`, and gives the limit that holds then; `None` for no limit.
fn raise_to(wanted: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let limit = current.filter(|limit| *limit < wanted)?;
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let new = Rlimit { current: Some(raised), maximum };
    Some(setrlimit(Resource::Nofile, new).map_or(limit, |()| raised))
}
