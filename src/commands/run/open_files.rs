//! Raises the process's limit of open files, so that all connections of a run can be opened.
//!
//! Must hold: a run does not begin if the limit is too low for its connections. A connection that
//! fails because of the limit would look like a vendor that cannot be reached.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Error;

/// Number of files that are open in addition to the connections: the input, the output, those of
/// the ledger, and those of the system's libraries.
const OTHER_FILES: u64 = 40;

/// Raises the limit to the number of files that the calls in flight need, as far as this user may.
/// A call to the sandbox needs two, since both ends of its connection are in this process.
///
/// # Errors
/// Exit code 11: the limit stays below that number.
pub(super) fn make_room(concurrency: usize, with_sandbox: bool) -> Result<(), Error> {
    let connections = concurrency as u64 * if with_sandbox { 2 } else { 1 };
    let wanted = connections + OTHER_FILES;
    match raise_to(wanted) {
        Some(limit) if limit < wanted => Err(Error::config(
            format!(
                "--concurrency {concurrency} needs {wanted} open files, but {limit} are allowed"
            ),
            "lower --concurrency, or raise the limit (ulimit -n)",
        )),
        _ => Ok(()),
    }
}

/// Raises the soft limit towards `wanted`, and returns the new limit. Returns `None` if there is no
/// limit, or if it is high enough already.
fn raise_to(wanted: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let limit = current.filter(|limit| *limit < wanted)?;
    let raised = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let new = Rlimit { current: Some(raised), maximum };
    Some(setrlimit(Resource::Nofile, new).map_or(limit, |()| raised))
}
