//! `ceknik sandbox`: serves the stand-in vendor on loopback, until a signal ends it.

use super::internal;
use crate::cli::{AcceptsArg, SandboxArgs};
use crate::error::Error;
use crate::model::exit_code::ExitCode;
use crate::sandbox::{Accepts, Sandbox, SandboxOptions};
use crate::signals::Interrupts;
use crate::term::Screen;

/// Serves until SIGINT, SIGTERM or SIGHUP. Returns the exit code.
///
/// # Errors
/// Exit code 11: an option makes no sense, the port cannot be opened, or the calls log cannot be
/// written. Exit code 18: standard output cannot be written. Exit code 1: the signal handlers or
/// the runtime cannot be set up.
pub fn sandbox(args: &SandboxArgs, screen: &Screen) -> Result<ExitCode, Error> {
    let options = options(args);
    let (_, mut signals) = Interrupts::listen(|| {}).map_err(internal)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(internal)?;
    let stats = runtime.block_on(async {
        let sandbox = Sandbox::bind(options).await?;
        let address = sandbox.address();
        // The address goes to standard output, so that a script can read the port.
        super::print(format!("http://{address}\n").as_bytes())?;
        screen.say(&format!(
            "a stand-in for the vendor answers on http://{address} (statistics: /stats). Press Ctrl-C to end it"
        ));
        let stop = async {
            signals.recv().await;
        };
        Ok::<_, Error>(sandbox.serve(stop).await?)
    })?;
    screen.say(&format!("{} requests, {} charged", stats.requests, stats.charged));
    Ok(ExitCode::Complete)
}

fn options(args: &SandboxArgs) -> SandboxOptions {
    SandboxOptions {
        port: args.port,
        rate: args.rate,
        burst: args.burst,
        quota: args.quota,
        latency: args.latency,
        outage: args.outage,
        expire_after: args.expire_after,
        chaos: args.chaos,
        seed: args.seed,
        calls: args.calls.clone(),
        accepts: match args.accepts {
            AcceptsArg::Json => Accepts::Json,
            AcceptsArg::Form => Accepts::Form,
            AcceptsArg::Both => Accepts::Both,
        },
    }
}
