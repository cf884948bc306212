//! The vendor of a run, and what is needed to reach it, looked for before anything is read.

use crate::api::{self, Credentials, HttpVerifier};
use crate::config::{self, RunConfig, Vendor};
use crate::error::Error;
use crate::sandbox::{self, Running};

/// Files that are open beside the connections: input, output, the ledger's, what the system's libraries want.
const OTHER_FILES: u64 = 40;

/// The vendor, with what is needed to reach it.
pub(crate) struct Connection {
    pub(super) options: Box<api::Options>,
    /// The stand-in, which ends with this value.
    _sandbox: Option<Running>,
}

impl Connection {
    pub(crate) fn prepare(config: &RunConfig) -> Result<Self, Error> {
        let concurrency = config.engine.concurrency;
        let (base, credentials, calls, ca_cert, proxies, sandbox) = match &config.vendor {
            Vendor::Live { base, calls, ca_cert } => {
                let credentials = config::credentials()?;
                (base.clone(), credentials, *calls, ca_cert.clone(), true, None)
            }
            Vendor::Sandbox(calls) => {
                let running = sandbox::spawn(sandbox::Options::default())?;
                let base = api::origin::BaseUrl::parse(&format!("http://{}", running.address()))?;
                let word = || "sandbox".to_owned();
                let credentials = Credentials { id: word(), secret: word() };
                (base, credentials, *calls, None, false, Some(running))
            }
        };
        room_for(concurrency, sandbox.is_some())?;
        let options = Box::new(api::Options {
            base,
            credentials,
            timeout: calls.timeout,
            connect_timeout: calls.connect_timeout,
            ca_cert,
            proxies,
            keep_alive: calls.keep_alive,
            lines: concurrency,
        });
        // Made once here so that an option that cannot be used is told before the file is read.
        HttpVerifier::new(&options)?;
        Ok(Self { options, _sandbox: sandbox })
    }
}

/// Raises the limit of open files to what the calls in flight need, as far as this user may. A connection that finds no
/// room would look like a vendor that cannot be reached.
fn room_for(concurrency: usize, with_sandbox: bool) -> Result<(), Error> {
    let connections = concurrency as u64 * if with_sandbox { 2 } else { 1 };
    let wanted = connections + OTHER_FILES;
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit < wanted => Err(Error::config(
            format!(
                "--concurrency {concurrency} needs {wanted} open files, and {limit} are allowed"
            ),
            "lower --concurrency, or raise the limit (ulimit -n)",
        )),
        // Where it can't be told, it is tried.
        _ => Ok(()),
    }
}
