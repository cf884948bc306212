//! What is meant: every stage's options, made once from what was typed.
//!
//! Nothing is opened here but the secrets' files, and nothing is printed. `file` brings the values of
//! `ceknik.toml` in.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::origin::{BaseUrl, Origin};
use crate::cli::{
    BodyArg, InDoubtArg, KeepAliveArg, MoneyArgs, ReadingArgs, ReuseArgs, RunArgs, ScreenArgs,
    WhichArgs,
};
use crate::engine;
use crate::error::Error;
use crate::fs::paths::beside;
use crate::input;
use crate::input::form::Encoding;
use crate::input::sheet::SheetSpec;
use crate::ledger::Location;
use crate::model::money::{Currency, Price};
use crate::model::subject::mask_path;
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::breaker::BreakerPolicy;
use crate::rules::columns::ColumnSpec;
use crate::rules::nik::NikPolicy;
use crate::rules::retry::RetryPolicy;
use crate::rules::throttle::ThrottlePolicy;
use crate::term::{self, LogForm};

mod destination;
mod environment;
mod file;
pub mod origins;
mod plan;
mod secrets;
mod values;

pub use destination::{Destination, WantedOutput};
pub use origins::Origins;
pub use plan::PlanConfig;
pub use secrets::credentials;
use values::{amount, delimiter, flawed, percent, rate_or_default, wrong};
pub use values::{deadline, duration};

/// No back-off is longer, but for the server's own wish.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// A run as it is meant.
pub struct RunConfig {
    /// The configuration file that was read, if there was one.
    pub settings: Option<PathBuf>,
    /// The settings that mean nothing here and are passed over, by the names that the user knows them by.
    pub unused: Vec<String>,
    /// The input.
    pub input: InputFrom,
    /// How it is read.
    pub reading: input::Options,
    /// Whether findings that stop a damaged file are passed over.
    pub force: bool,
    /// Whom to ask.
    pub vendor: Vendor,
    /// Where facts are kept.
    pub ledger: Location,
    /// How long to wait for another run.
    pub lock_wait: Duration,
    /// How the engine goes. The deadline is set when the run begins.
    pub engine: engine::Options,
    /// Whether the body kind of the last run is to be tried first.
    pub body_auto: bool,
    /// When nothing more is started.
    pub deadline: Option<jiff::Timestamp>,
    /// What is not asked again.
    pub reuse: Reuse,
    /// What a charged call costs.
    pub price: Option<Price>,
    /// The price of a start, in minor units, from which a person is asked.
    pub confirm_above: Option<u64>,
    /// Whether the answer to that is given already.
    pub yes: bool,
    /// Where the results are to go.
    pub output: WantedOutput,
    /// How things are shown.
    pub screen: term::Options,
}

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputFrom {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// Whom to ask.
#[derive(Debug, Clone)]
pub enum Vendor {
    /// The stand-in of this process.
    Sandbox(Calls),
    /// The vendor at an address.
    Live {
        /// Where.
        base: BaseUrl,
        /// The way calls are made.
        calls: Calls,
        /// Further root certificates.
        ca_cert: Option<PathBuf>,
    },
}

/// The way calls are made.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// The longest a call may take, from connecting to the body's end.
    pub timeout: Duration,
    /// The longest a connection may take to stand.
    pub connect_timeout: Duration,
    /// True if connections are kept for further calls.
    pub keep_alive: bool,
}

/// What is not asked again.
#[derive(Debug, Clone)]
pub struct Reuse {
    /// Stored answers this young are used.
    pub answers: Duration,
    /// "not sure" and "failed" this young are not asked again.
    pub reask_after: Duration,
    /// Ask refused rows of earlier runs again.
    pub retry_refused: bool,
    /// Send rows in doubt of earlier runs again.
    pub resend_doubts: bool,
}

impl InputFrom {
    fn named(path: &Path) -> Self {
        match path.to_str() {
            Some("-") => Self::Stdin,
            _ => Self::File(path.to_owned()),
        }
    }
}

impl Vendor {
    /// The origin of its answers.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Sandbox(_) => Origin::sandbox(),
            Self::Live { base, .. } => Origin::of(base),
        }
    }
}

impl RunConfig {
    /// Makes sense of the flags.
    ///
    /// # Errors
    /// What cannot be meant: exit code 2 or 11.
    pub fn new(args: &RunArgs, origins: &Origins) -> Result<Self, Error> {
        let unused = match args.vendor.sandbox {
            true => origins.unused_in_sandbox(&["--base-url", "--ca-cert"])?,
            false => Vec::new(),
        };
        let vendor = vendor(args)?;
        let price = price(&args.money)?;
        let input = InputFrom::named(&args.input);
        let origin = vendor.origin();
        let confirm_above = args.start.confirm_above.as_deref();
        Ok(Self {
            settings: file::used(args.config.as_deref()),
            unused,
            reading: reading(&args.reading)?,
            force: args.reading.force,
            ledger: location(args.ledger.ledger.as_deref(), args.ledger.key_file.clone(), &origin)?,
            lock_wait: duration("--lock-wait", &args.lock_wait)?,
            engine: engine_options(args, price.as_ref())?,
            body_auto: args.vendor.body == BodyArg::Auto,
            deadline: args.pace.deadline.as_deref().map(deadline).transpose()?,
            reuse: reuse(&args.reuse)?,
            confirm_above: amount("--confirm-above", confirm_above, price.as_ref())?,
            yes: args.start.yes,
            output: WantedOutput::new(args, &input)?,
            screen: screen(&args.screen, !args.no_progress),
            input,
            vendor,
            price,
        })
    }

    /// The files beside the input that a run reads, or keeps for itself, each with what it is.
    pub fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let authority = match &self.vendor {
            Vendor::Live { ca_cert, .. } => ca_cert.clone(),
            Vendor::Sandbox(_) => None,
        };
        let mut files = Vec::from(self.ledger.files());
        files.extend(self.settings.clone().map(|path| ("configuration file", path)));
        files.extend(authority.map(|path| ("CA file", path)));
        files.extend(secrets::files().map(|path| ("file of a secret", path)));
        files
    }
}

/// Where a ledger is that is named by the flags of `status` and `purge`.
///
/// # Errors
/// Exit code 11: no folder is known, or the address cannot be used. Exit code 2: it is typed beside `--sandbox`.
pub fn which_ledger(
    args: &WhichArgs,
    key_file: Option<PathBuf>,
    origins: &Origins,
) -> Result<Location, Error> {
    let origin = match args.sandbox {
        true => {
            origins.unused_in_sandbox(&["--base-url"])?;
            Origin::sandbox()
        }
        false => Origin::of(&base_url(&args.base_url)?),
    };
    location(args.ledger.as_deref(), key_file, &origin)
}

fn base_url(text: &str) -> Result<BaseUrl, Error> {
    BaseUrl::parse(text).map_err(|error| Error::from(error).of_flag("--base-url"))
}

fn location(
    ledger: Option<&Path>,
    key: Option<PathBuf>,
    origin: &Origin,
) -> Result<Location, Error> {
    let ledger = match ledger {
        Some(path) => path.to_owned(),
        None => state_folder()?.join(format!("{}.ledger", origin.slug())),
    };
    let ledger = itself("ledger", ledger)?;
    let key = match key {
        Some(path) => itself("key file", path)?,
        None => beside(&ledger, ".key"),
    };
    Ok(Location { ledger, key, origin: origin.name().to_owned() })
}

/// The file that a link leads to: what stands beside it is the same by whatever name it is called.
fn itself(what: &str, path: PathBuf) -> Result<PathBuf, Error> {
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
        .map(|folder| folder.join("ceknik"))
        .ok_or_else(|| crate::ledger::LedgerError::NoFolder.into())
}

fn vendor(args: &RunArgs) -> Result<Vendor, Error> {
    let typed = &args.vendor;
    let base = (!typed.sandbox).then(|| base_url(&typed.base_url)).transpose()?;
    let is_near = base.as_ref().is_none_or(BaseUrl::is_loopback);
    let calls = Calls {
        timeout: values::timeout(&typed.timeout, is_near)?,
        connect_timeout: values::positive("--connect-timeout", &typed.connect_timeout)?,
        keep_alive: typed.keep_alive == KeepAliveArg::Auto,
    };
    Ok(match base {
        None => Vendor::Sandbox(calls),
        Some(base) => Vendor::Live { base, calls, ca_cert: typed.ca_cert.clone() },
    })
}

fn reading(typed: &ReadingArgs) -> Result<input::Options, Error> {
    let encoding = typed.encoding.as_deref().map(str::parse::<Encoding>).transpose();
    Ok(input::Options {
        encoding: encoding.map_err(flawed("--encoding"))?,
        sheet: typed.sheet.clone().map(SheetSpec),
        delimiter: typed.delimiter.as_deref().map(delimiter).transpose()?,
        no_header: typed.no_header,
        id_column: typed.id_column.as_deref().map(ColumnSpec::from),
        name_column: typed.name_column.as_deref().map(ColumnSpec::from),
        nik: NikPolicy {
            send_truncated: typed.send_truncated,
            send_odd_dates: typed.send_odd_dates,
            send_temporary: false,
        },
        visible_rows: typed.visible_rows,
    })
}

fn price(typed: &MoneyArgs) -> Result<Option<Price>, Error> {
    let currency = Currency::parse(&typed.currency).map_err(flawed("--currency"))?;
    let Some(text) = &typed.price else { return Ok(None) };
    match currency.amount(text).map_err(flawed("--price"))? {
        0 => Err(wrong("--price", "a price is more than zero")),
        per_call => Ok(Some(Price { per_call, currency })),
    }
}

/// The charged calls that a run may make: the lower of both limits.
fn max_charges(typed: &MoneyArgs, price: Option<&Price>) -> Result<Option<u64>, Error> {
    let cost = amount("--max-cost", typed.max_cost.as_deref(), price)?;
    let by_cost = cost.zip(price).map(|(cost, price)| cost / price.per_call);
    Ok([typed.max_charges, by_cost].into_iter().flatten().min())
}

fn engine_options(args: &RunArgs, price: Option<&Price>) -> Result<engine::Options, Error> {
    let (pace, sandbox) = (&args.pace, args.vendor.sandbox);
    let backoff = pace.backoff.as_deref().unwrap_or(if sandbox { "100ms" } else { "500ms" });
    let base = values::positive("--backoff", backoff)?;
    let rate = rate_or_default(pace.rate.as_deref(), sandbox)?;
    let max_outage = duration("--max-outage", &pace.max_outage)?;
    let cap = LONGEST_BACKOFF.max(base);
    let body = match args.vendor.body {
        BodyArg::Auto => BodyTrial::auto(None),
        BodyArg::Json => BodyTrial::Proved(BodyKind::Json),
        BodyArg::Form => BodyTrial::Proved(BodyKind::Form),
    };
    Ok(engine::Options {
        concurrency: pace.concurrency as usize,
        retry: RetryPolicy { max_attempts: pace.max_attempts, base, cap },
        breaker: BreakerPolicy { base: base * 2, cap, max_outage },
        throttle: ThrottlePolicy { rate, base, cap, max_outage },
        max_charges: max_charges(&args.money, price)?,
        max_calls: args.start.limit,
        most_mismatches: args.money.stop_if_mismatch_over.as_deref().map(percent).transpose()?,
        deadline: None,
        deadline_at: None,
        body,
        seed: 0,
    })
}

fn reuse(typed: &ReuseArgs) -> Result<Reuse, Error> {
    Ok(Reuse {
        answers: duration("--reuse", &typed.reuse)?,
        reask_after: duration("--reask-after", &typed.reask_after)?,
        retry_refused: typed.retry_refused,
        resend_doubts: typed.in_doubt == InDoubtArg::Resend,
    })
}

fn screen(typed: &ScreenArgs, progress: bool) -> term::Options {
    term::Options {
        form: match typed.log {
            crate::cli::LogArg::Text => LogForm::Text,
            crate::cli::LogArg::Json => LogForm::Json,
        },
        verbosity: typed.verbose,
        quiet: typed.quiet,
        color: typed.color,
        progress,
    }
}
