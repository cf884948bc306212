//! The settings of each command, converted once from its flags.
//!
//! Must hold: flags that contradict each other are refused here, before anything is opened.
//!
//! Never: prints, or opens a file other than `ceknik.toml` and the files of secrets. The one
//! exception is [`Destination::check_writable`], which looks at the files that the results would
//! replace.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::origin::{BaseUrl, Origin};
use crate::cli::{
    AddressArgs, DeadlineArg, InDoubtArg, KeepAliveArg, LedgerArgs, MoneyArgs, ReadingArgs,
    ReuseArgs, RunArgs, ScreenArgs, StartArgs, VendorArgs, ZoneArgs,
};
use crate::error::Error;
use crate::input;
use crate::ledger::Location;
use crate::model::exit_code::ExitCode;
use crate::model::money::{Currency, Price};
use crate::model::tax::Tax;
use crate::model::zone::Zone;
use crate::rules::nik::NikPolicy;
use crate::term::{self, LogForm};

mod destination;
mod engine;
mod environment;
mod file;
mod ledger;
mod operator;
pub mod origins;
mod place;
mod plan;
mod rate;
mod secrets;
mod values;

pub use destination::{Destination, WantedOutput, form_of_output};
pub use engine::EngineConfig;
pub use ledger::which_ledger;
use operator::operator;
pub use origins::Origins;
pub use place::Written;
pub use plan::PlanConfig;
pub use rate::RateChoice;
pub use secrets::credentials;
use values::{amount, base_url, flag_error, usage_error};

/// Settings that `run` and `plan` have in common.
pub struct JobConfig {
    /// Configuration file that was read, if there was one.
    pub settings: Option<PathBuf>,
    /// Settings that have no effect together with `--sandbox`, each by the name under which the
    /// user set it: a variable, or a line of the configuration file.
    pub unused: Vec<String>,
    /// The input.
    pub input: InputFrom,
    /// Settings for reading the input.
    pub reading: input::ReadOptions,
    /// True if findings that stop a damaged file are ignored.
    pub force: bool,
    /// The vendor.
    pub vendor: Vendor,
    /// Place of the ledger.
    pub ledger: Location,
    /// Settings of the engine.
    pub engine: EngineConfig,
    /// Reuse of earlier answers.
    pub reuse: Reuse,
    /// Name under which a finished run is not begun anew.
    pub once: Option<String>,
    /// Price of a charged call.
    pub price: Option<Price>,
    /// Tax on top of the price, which is only shown.
    pub tax: Option<Tax>,
    /// Zone in which times of day are read and shown.
    pub zone: Zone,
}

/// Settings of `ceknik run`.
pub struct RunConfig {
    /// Settings that `plan` has too.
    pub job: JobConfig,
    /// Longest wait for another run on the same ledger.
    pub lock_wait: Duration,
    /// Time from which on no call is started.
    pub deadline: Option<Timestamp>,
    /// Price of a start above which the user is asked first, in minor units of the currency.
    pub confirm_above: Option<u64>,
    /// True if the start only helps a run that another worker begins.
    pub joins: bool,
    /// True if the user is never asked.
    pub yes: bool,
    /// Person or account that runs the program, fit to be shown.
    pub operator: String,
    /// Begin of the vendor's billing day, in minutes after midnight.
    pub day_starts: u16,
    /// Place and form of the results.
    pub output: WantedOutput,
    /// Settings of the display.
    pub screen: term::ScreenOptions,
}

/// Source of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputFrom {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// Vendor that is asked.
#[derive(Debug, Clone)]
pub enum Vendor {
    /// The sandbox, a stand-in vendor inside this process.
    Sandbox(Calls),
    /// The vendor, called over the network.
    Live {
        /// Address of the vendor.
        base: BaseUrl,
        /// Settings of the calls.
        calls: Calls,
        /// File of further root certificates (PEM).
        ca_cert: Option<PathBuf>,
    },
}

/// Settings of the calls and their connections.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// Longest time that a call may take, from connecting to the end of the response's body.
    pub timeout: Duration,
    /// Longest time that making a connection may take.
    pub connect_timeout: Duration,
    /// True if connections are kept for further calls.
    pub keep_alive: bool,
}

/// Rules for the reuse of earlier answers.
#[derive(Debug, Clone)]
pub struct Reuse {
    /// Greatest age of a stored answer that is used instead of a new call.
    pub answers: Duration,
    /// Greatest age of a "not sure" or "failed" that is used. The pair of an older one is asked for
    /// again.
    pub reask_after: Duration,
    /// True if pairs that an earlier run ended as refused, and free of charge, are asked for again.
    pub retry_refused: bool,
    /// True if pairs that were in doubt before the run began are sent again.
    pub resend_doubts: bool,
}

impl InputFrom {
    /// Returns the input that a flag names: `-` is standard input.
    pub(crate) fn named(path: &Path) -> Self {
        match path.to_str() {
            Some("-") => Self::Stdin,
            _ => Self::File(path.to_owned()),
        }
    }

    /// Returns the input as a word of a command.
    pub(crate) fn as_typed(&self) -> Cow<'_, str> {
        match self {
            Self::File(path) => path.to_string_lossy(),
            Self::Stdin => "-".into(),
        }
    }
}

impl Vendor {
    /// Returns the origin of the vendor's answers.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Sandbox(_) => Origin::sandbox(),
            Self::Live { base, .. } => Origin::of(base),
        }
    }

    /// Returns `true` if calls may cost money.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Returns the settings of the calls.
    pub const fn calls(&self) -> &Calls {
        match self {
            Self::Sandbox(calls) | Self::Live { calls, .. } => calls,
        }
    }
}

impl JobConfig {
    /// Converts the flags.
    ///
    /// # Errors
    /// Exit code 2: an amount or the timeout cannot be used, an amount has no price, or
    /// `--base-url` or `--ca-cert` was typed together with `--sandbox`. Exit code 11: the vendor's
    /// address cannot be used, no folder for the ledger is known, or the ledger or its key file is
    /// a link that leads nowhere.
    fn new(args: &RunArgs, origins: &Origins) -> Result<Self, Error> {
        let address = &args.vendor.address;
        let unused = match address.sandbox {
            true => origins.unused_in_sandbox(&["--base-url", "--ca-cert"])?,
            false => Vec::new(),
        };
        let vendor = vendor(&args.vendor)?;
        let price = price(&args.money)?;
        let LedgerArgs { place, key } = &args.ledger;
        let patience = args.pace.max_outage.unwrap_or(engine::MAX_OUTAGE);
        let key = key.key_file.clone();
        let place = ledger::location(place, key, &vendor.origin(), patience)?;
        Ok(Self {
            settings: file::used(args.config.config.as_deref()),
            unused,
            input: InputFrom::named(&args.input),
            reading: reading(&args.reading),
            force: args.reading.force,
            ledger: ledger::with_lease_for(place, vendor.calls().connect_timeout),
            engine: EngineConfig::new(args, price.as_ref())?,
            reuse: reuse(&args.reuse),
            once: args.start.once.clone(),
            tax: tax(&args.money)?,
            zone: zone(&args.zone)?,
            vendor,
            price,
        })
    }
}

/// Returns the zone that the user chose, or that of the system.
///
/// # Errors
/// Exit code 2: the variable `TZ` names a zone that is not known.
pub fn zone(typed: &ZoneArgs) -> Result<Zone, Error> {
    typed.time_zone.clone().map_or_else(|| Zone::of_system().map_err(usage_error), Ok)
}

/// Checks whether a start only helps a run that another worker begins.
///
/// # Errors
/// Exit code 2: the ledger is a file, which one process at a time writes to.
fn joins(args: &StartArgs, ledger: &Location) -> Result<bool, Error> {
    match ledger {
        Location::File(_) if args.join => Err(Error::new(
            ExitCode::Usage,
            "--join needs a shared ledger, and --ledger names a file",
            "name a ledger that several machines use: --ledger postgres://USER@HOST/DATABASE",
        )),
        Location::File(_) | Location::Shared(_) => Ok(args.join),
    }
}

impl RunConfig {
    /// Converts the flags.
    ///
    /// # Errors
    /// Exit code 2: an amount, the timeout or the deadline cannot be used, an amount has no price,
    /// flags contradict each other, or standard input has no output. Exit code 11: the vendor's
    /// address or the form of the output cannot be used, no folder for the ledger is known, or the
    /// ledger or its key file is a link that leads nowhere.
    pub fn new(args: &RunArgs, origins: &Origins) -> Result<Self, Error> {
        let job = JobConfig::new(args, origins)?;
        let confirm_above = args.start.confirm_above.as_deref();
        let deadline = |typed: DeadlineArg| {
            typed
                .from(&Timestamp::now().to_zoned(job.zone.time_zone().clone()))
                .ok_or_else(|| flag_error("--deadline", "this time is beyond the calendar"))
        };
        Ok(Self {
            lock_wait: args.lock.lock_wait,
            deadline: args.pace.deadline.map(deadline).transpose()?,
            confirm_above: amount("--confirm-above", confirm_above, job.price.as_ref())?,
            joins: joins(&args.start, &job.ledger)?,
            yes: args.start.yes,
            operator: operator(args.start.operator.as_deref()),
            day_starts: args.day_starts.minutes(),
            output: WantedOutput::new(args, &job.input)?,
            screen: screen(&args.screen, !args.no_progress, &job.zone),
            job,
        })
    }

    /// Returns the files, other than the input, that a run reads or keeps for itself, each with a
    /// description for messages.
    pub fn files(&self) -> Vec<(&'static str, PathBuf)> {
        let JobConfig { vendor, ledger, settings, .. } = &self.job;
        let authority = match vendor {
            Vendor::Live { ca_cert, .. } => ca_cert.clone(),
            Vendor::Sandbox(_) => None,
        };
        let mut files = ledger.files();
        files.extend(settings.clone().map(|path| ("configuration file", path)));
        files.extend(authority.map(|path| ("CA file", path)));
        files.extend(secrets::files().map(|path| ("file with a secret", path)));
        files
    }
}

fn vendor(typed: &VendorArgs) -> Result<Vendor, Error> {
    let AddressArgs { sandbox, base_url: address } = &typed.address;
    let base = (!sandbox).then(|| base_url(address)).transpose()?;
    let is_near = base.as_ref().is_none_or(BaseUrl::is_loopback);
    let calls = Calls {
        timeout: values::timeout(typed.timeout, is_near)?,
        connect_timeout: typed.connect_timeout,
        keep_alive: typed.keep_alive == KeepAliveArg::Auto,
    };
    Ok(match base {
        None => Vendor::Sandbox(calls),
        Some(base) => Vendor::Live { base, calls, ca_cert: typed.ca_cert.clone() },
    })
}

fn reading(typed: &ReadingArgs) -> input::ReadOptions {
    input::ReadOptions {
        encoding: typed.encoding,
        sheet: typed.sheet.clone(),
        delimiter: typed.delimiter,
        no_header: typed.no_header,
        titles: None,
        id_column: typed.id_column.clone(),
        name_column: typed.name_column.clone(),
        nik: NikPolicy {
            send_truncated: typed.send_truncated,
            send_odd_dates: typed.send_odd_dates,
            send_temporary: false,
        },
        visible_rows: typed.visible_rows,
    }
}

fn price(typed: &MoneyArgs) -> Result<Option<Price>, Error> {
    price_of_flags(typed.price.as_deref(), &typed.currency)
}

/// Highest price of a call, in minor units.
const HIGHEST_PRICE: u64 = 1_000_000_000;

/// Returns the price that the user gives, if there is one.
///
/// # Errors
/// Exit code 2: it is no amount, zero, or too high.
pub fn price_of_flags(typed: Option<&str>, currency: &Currency) -> Result<Option<Price>, Error> {
    let Some(text) = typed else { return Ok(None) };
    match currency.amount(text).map_err(|why| flag_error("--price", why))? {
        0 => Err(flag_error("--price", "a price must be more than zero")),
        // The price of any number of calls must fit into the figures of the reports.
        per_call if per_call > HIGHEST_PRICE => {
            let most = currency.show(HIGHEST_PRICE.into());
            Err(flag_error("--price", format!("a price must be {most} or less")))
        }
        per_call => Ok(Some(Price { per_call, currency: currency.clone() })),
    }
}

const fn reuse(typed: &ReuseArgs) -> Reuse {
    Reuse {
        answers: typed.reuse,
        reask_after: typed.reask_after,
        retry_refused: typed.retry_refused,
        resend_doubts: matches!(typed.in_doubt, InDoubtArg::Resend),
    }
}

fn tax(typed: &MoneyArgs) -> Result<Option<Tax>, Error> {
    match typed.tax {
        Some(_) if typed.price.is_none() => Err(flag_error("--tax", "it needs --price")),
        tax => Ok(tax),
    }
}

fn screen(typed: &ScreenArgs, progress: bool, zone: &Zone) -> term::ScreenOptions {
    term::ScreenOptions {
        form: match typed.log {
            crate::cli::LogArg::Text => LogForm::Text,
            crate::cli::LogArg::Json => LogForm::Json,
        },
        verbosity: typed.verbose,
        quiet: typed.quiet,
        color: typed.color,
        progress,
        zone: zone.clone(),
    }
}
