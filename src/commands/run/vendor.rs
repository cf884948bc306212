//! Prepares the connection to the vendor of a run, before the input is read.

use super::open_files::make_room;
use crate::api::{self, Credentials, HttpVerifier};
use crate::config::{self, RunConfig, Vendor};
use crate::error::Error;
use crate::sandbox::{self, Running};

/// Everything that is needed to reach the vendor.
pub(crate) struct Connection {
    pub(super) options: Box<api::ClientOptions>,
    /// The sandbox, if it is used. It ends when this value is dropped.
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
                let running = sandbox::spawn(sandbox::SandboxOptions::default())?;
                let base = api::origin::BaseUrl::parse(&format!("http://{}", running.address()))?;
                let word = || "sandbox".to_owned();
                let credentials = Credentials { id: word(), secret: word() };
                (base, credentials, *calls, None, false, Some(running))
            }
        };
        make_room(concurrency, sandbox.is_some())?;
        let options = Box::new(api::ClientOptions {
            base,
            credentials,
            timeout: calls.timeout,
            connect_timeout: calls.connect_timeout,
            ca_cert,
            proxies,
            keep_alive: calls.keep_alive,
            lines: concurrency,
        });
        // A verifier is made once here, so that an option that cannot be used is reported before
        // the file is read.
        HttpVerifier::new(&options)?;
        Ok(Self { options, _sandbox: sandbox })
    }
}
