//! The vendor of a run, and what is needed to reach it, looked for before anything is read.

use super::open_files::make_room;
use crate::api::{self, Credentials, HttpVerifier};
use crate::config::{self, RunConfig, Vendor};
use crate::error::Error;
use crate::sandbox::{self, Running};

/// The vendor, with what is needed to reach it.
pub(crate) struct Connection {
    pub(super) options: Box<api::Options>,
    /// The stand-in, which ends with this value.
    _sandbox: Option<Running>,
}

impl Connection {
    pub(crate) fn prepare(config: &RunConfig) -> Result<Self, Error> {
        let concurrency = config.job.engine.concurrency;
        let (base, credentials, calls, ca_cert, proxies, sandbox) = match &config.job.vendor {
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
        make_room(concurrency, sandbox.is_some())?;
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
