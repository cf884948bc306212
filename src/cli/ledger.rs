//! The flags that choose a ledger, and those of the commands about a ledger.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::civil::{Date, Time};

use super::values::{Since, duration, month, run_number, since, time_of_day};
use super::{AddressArgs, ConfigArgs, ZoneArgs};
use crate::model::money::Currency;

/// Place of the ledger and of its key.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ledger")]
pub(crate) struct LedgerArgs {
    #[command(flatten)]
    pub(crate) place: LedgerPlaceArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// Place of the ledger.
#[derive(Debug, Args)]
pub(crate) struct LedgerPlaceArgs {
    /// The ledger: a file, or the address of a database that several machines share,
    /// postgres://USER@HOST/DATABASE?schema=NAME (its password is in CEKNIK_LEDGER_PASSWORD)
    /// [default: a file in ~/.local/state/ceknik, one for each vendor address]
    #[arg(long, env = "CEKNIK_LEDGER", hide_env_values = true, value_name = "FILE|URL")]
    pub(crate) ledger: Option<PathBuf>,
    /// A file of root certificates (PEM) to trust for the ledger's server
    #[arg(long, env = "CEKNIK_LEDGER_CA_CERT", hide_env_values = true, value_name = "FILE")]
    pub(crate) ledger_ca_cert: Option<PathBuf>,
    /// Time after which a silent worker on a shared ledger counts as dead
    #[arg(long, env = "CEKNIK_LEASE", hide = true, default_value = "15s", value_parser = duration)]
    pub(crate) lease: Duration,
}

/// Place of the ledger's key.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The file with the ledger's secret key [default: LEDGER.key; of a shared ledger a file in ~/.local/state/ceknik]
    #[arg(long, env = "CEKNIK_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Flag for the wait for the ledger.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// How long to wait for another command that uses the ledger
    #[arg(long, env = "CEKNIK_LOCK_WAIT", value_name = "DUR", default_value = "0s", value_parser = duration)]
    pub(crate) lock_wait: Duration,
}

/// Flags that choose the ledger for the commands about it.
#[derive(Debug, Args)]
pub struct WhichArgs {
    #[command(flatten)]
    pub(crate) place: LedgerPlaceArgs,
    #[command(flatten)]
    pub(crate) address: AddressArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Flags of `ceknik status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    /// The number of one run, to see all about it: its stops, its pauses, its cost, and what is left
    #[arg(value_name = "RUN", conflicts_with_all = ["month", "doubts"], value_parser = run_number)]
    pub run: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Show all runs and days, not only the latest
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) month: MonthArgs,
    #[command(flatten)]
    pub(crate) doubts: DoubtsArgs,
}

/// Flags of `ceknik status` for the calls of a month.
#[derive(Debug, Args)]
#[command(next_help_heading = "The calls of a month, for the vendor's invoice")]
pub(crate) struct MonthArgs {
    /// Show the calls and charges of a month, such as 2026-11, by billing day
    #[arg(long, value_name = "YYYY-MM", value_parser = month, conflicts_with = "doubts")]
    pub(crate) month: Option<Date>,
    /// Print the month as CSV
    #[arg(long, requires = "month", conflicts_with = "json")]
    pub(crate) csv: bool,
    #[command(flatten)]
    pub(crate) day_starts: DayStartsArgs,
    /// The price of one charged call without tax, for runs without a recorded price
    #[arg(long, env = "CEKNIK_PRICE", value_name = "AMOUNT")]
    pub(crate) price: Option<String>,
    /// The currency of the price
    #[arg(long, env = "CEKNIK_CURRENCY", value_name = "CODE", default_value = "IDR", value_parser = Currency::parse)]
    pub(crate) currency: Currency,
}

/// Flag for the begin of the vendor's billing day.
#[derive(Debug, Args)]
pub(crate) struct DayStartsArgs {
    /// The time of day at which the vendor's billing day begins
    #[arg(long, env = "CEKNIK_DAY_STARTS", value_name = "HH:MM", default_value = "00:00", value_parser = time_of_day)]
    day_starts: Time,
}

impl DayStartsArgs {
    /// Returns the begin of the billing day, in minutes after midnight.
    pub(crate) fn minutes(&self) -> u16 {
        let minutes = 60 * i16::from(self.day_starts.hour()) + i16::from(self.day_starts.minute());
        minutes.unsigned_abs()
    }
}

/// Flags of `ceknik status` for what to ask the vendor about.
#[derive(Debug, Args)]
#[command(next_help_heading = "The calls to ask the vendor about")]
pub(crate) struct DoubtsArgs {
    /// Write a list of the calls that may have been charged
    #[arg(long, requires = "output", conflicts_with = "json")]
    pub(crate) doubts: bool,
    /// The file for the list: .xlsx, .csv, or another ending that `run` accepts; `-` is standard output
    #[arg(short, long, value_name = "FILE", requires = "doubts")]
    pub(crate) output: Option<PathBuf>,
    /// The customer file, from which the list takes the NIKs and names
    #[arg(long, value_name = "INPUT", requires = "doubts")]
    pub(crate) input: Option<PathBuf>,
    /// Write a CSV file that a spreadsheet program opens without damage to the NIKs
    #[arg(long, requires = "doubts")]
    pub(crate) excel: bool,
    /// Replace an existing file
    #[arg(long, requires = "doubts")]
    pub(crate) overwrite: bool,
}

/// Flags of `ceknik report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The number of the run, as in `ceknik status` [default: the latest run]
    #[arg(value_name = "RUN", value_parser = run_number, conflicts_with = "since")]
    pub run: Option<u64>,
    /// Write about all runs since then: a number of days such as 30d, or a date such as 2026-11-01
    #[arg(long, value_name = "SINCE", value_parser = since, conflicts_with = "input")]
    pub(crate) since: Option<Since>,
    /// The file for the page; `-` is standard output [default: ceknik-run-RUN.html, or ceknik-history.html]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace an existing file that ceknik did not write
    #[arg(long)]
    pub overwrite: bool,
    /// The customer file of the run, to show examples of its findings with masked values
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The price of one charged call without tax, for runs without a recorded price
    #[arg(long, env = "CEKNIK_PRICE", value_name = "AMOUNT")]
    pub(crate) price: Option<String>,
    /// The currency of the price
    #[arg(long, env = "CEKNIK_CURRENCY", value_name = "CODE", default_value = "IDR", value_parser = Currency::parse)]
    pub(crate) currency: Currency,
    #[command(flatten)]
    pub(crate) day_starts: DayStartsArgs,
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// Command of `ceknik ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Make or upgrade the tables of a shared ledger, and make its key file if there is none
    Init(InitArgs),
    /// Copy a ledger file into an empty shared ledger with the same key
    Import(ImportArgs),
}

/// Flags of `ceknik ledger init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Only print the SQL, for a database administrator to run
    #[arg(long)]
    pub print: bool,
}

/// Flags of `ceknik ledger import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The ledger file
    pub file: PathBuf,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Flags of `ceknik backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The new file for the copy. FILE.key and FILE.witness are written beside it
    pub file: PathBuf,
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// Flags of `ceknik purge`.
#[derive(Debug, Args)]
pub struct PurgeArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Remove answers that are older than this, such as 90d
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub older_than: Duration,
    /// Only show what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Remove without a question. Without a terminal there is none
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}
