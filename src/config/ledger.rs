//! The place of the ledger that the flags choose: a file, or a server that several machines share.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::origins::Origins;
use super::secrets;
use super::values::{base_url, flag_error};
use crate::api::Origin;
use crate::cli::{AddressArgs, LedgerPlaceArgs, WhichArgs};
use crate::error::Error;
use crate::fs::paths::beside;
use crate::ledger::{FileLocation, LedgerError, LedgerUrl, Location, SharedLocation};
use crate::model::mask::mask_path;

/// Least lease that is possible.
const LEAST_LEASE: Duration = Duration::from_millis(300);
/// Shortest lease outside of tests.
const SHORTEST_LEASE: Duration = Duration::from_secs(15);
/// Longest time for which `status`, `purge` and `ledger` wait for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the location of the ledger that the flags of `status`, `purge` or `ledger` choose.
///
/// # Errors
/// Exit code 11: the vendor's address cannot be used, no folder for the ledger is known, or the
/// ledger or its key file is a link that leads nowhere. Exit code 2: `--base-url` was typed
/// together with `--sandbox`, or the ledger's address cannot be used.
pub fn which_ledger(
    args: &WhichArgs,
    key_file: Option<PathBuf>,
    origins: &Origins,
) -> Result<Location, Error> {
    let AddressArgs { sandbox, base_url: typed } = &args.address;
    let origin = match sandbox {
        true => {
            origins.unused_in_sandbox(&["--base-url"])?;
            Origin::sandbox()
        }
        false => Origin::of(&base_url(typed)?),
    };
    location(&args.place, key_file, &origin, PATIENCE)
}

/// Returns the location of a ledger. `patience` is the longest time for which facts are offered to
/// a server that does not answer.
pub(super) fn location(
    place: &LedgerPlaceArgs,
    key: Option<PathBuf>,
    origin: &Origin,
    patience: Duration,
) -> Result<Location, Error> {
    let origin_name = origin.name().to_owned();
    let key = key.map(|path| resolve_link("key file", path)).transpose()?;
    if let Some(url) = place.ledger.as_deref().and_then(LedgerUrl::of) {
        let url = url.map_err(|why| flag_error("--ledger", why))?;
        let key = match key {
            Some(key) => key,
            None => state_folder()?.join(url.key_file_name()),
        };
        let password = secrets::ledger_password()?;
        let ca_cert = place.ledger_ca_cert.clone();
        let (origin, lease) = (origin_name, place.lease.max(LEAST_LEASE));
        let shared = SharedLocation { url, password, ca_cert, key, origin, patience, lease };
        return Ok(Location::Shared(Box::new(shared)));
    }
    let ledger = match &place.ledger {
        Some(path) => path.clone(),
        None => state_folder()?.join(format!("{}.ledger", origin.slug())),
    };
    let ledger = resolve_link("ledger", ledger)?;
    let key = key.unwrap_or_else(|| beside(&ledger, ".key"));
    Ok(Location::File(FileLocation { ledger, key, origin: origin_name }))
}

/// Returns a location with a lease that is long enough for calls that take this long to connect:
/// after its lease was checked, a call may leave as late as its connection is made.
pub(super) fn with_lease_for(mut place: Location, connect_timeout: Duration) -> Location {
    if let Location::Shared(shared) = &mut place
        && shared.lease >= SHORTEST_LEASE
    {
        shared.lease = shared.lease.max(connect_timeout * 3);
    }
    place
}

/// Returns the file that a link leads to; a path that is no link is returned unchanged. The key,
/// the witness and the lock are beside the ledger, so they are found whichever name of the ledger
/// is used.
///
/// # Errors
/// Exit code 11: the link leads nowhere.
fn resolve_link(what: &str, path: PathBuf) -> Result<PathBuf, Error> {
    if !path.is_symlink() {
        return Ok(path);
    }
    path.canonicalize().map_err(|error| {
        let what = format!("the {what} {} is a link that leads nowhere: {error}", mask_path(&path));
        Error::config(what, "name the file itself, with --ledger FILE and --key-file FILE")
    })
}

fn state_folder() -> Result<PathBuf, Error> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_STATE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))
        .map(|folder: PathBuf| Path::join(&folder, "ceknik"))
        .ok_or_else(|| LedgerError::NoFolder.into())
}
