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
    /// The ledger: a file, or the address of a PostgreSQL server that several machines share,
    /// postgres://USER@HOST/DATABASE?schema=NAME; its password is CEKNIK_LEDGER_PASSWORD (or …_FILE)
    /// [default: a file in the state folder (XDG), one per vendor address]
    #[arg(long, env = "CEKNIK_LEDGER", hide_env_values = true, value_name = "FILE|URL")]
    pub(crate) ledger: Option<PathBuf>,
    /// More trusted root certificates for the ledger's server (PEM)
    #[arg(long, env = "CEKNIK_LEDGER_CA_CERT", hide_env_values = true, value_name = "FILE")]
    pub(crate) ledger_ca_cert: Option<PathBuf>,
    /// Time after which a silent worker on a shared ledger counts as dead
    #[arg(long, env = "CEKNIK_LEASE", hide = true, default_value = "15s", value_parser = duration)]
    pub(crate) lease: Duration,
}

/// Place of the ledger's key.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The ledger's secret key [default: LEDGER.key; for a shared ledger a file in the state folder]
    #[arg(long, env = "CEKNIK_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// Flag for the wait for the ledger.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// How long to wait for another run on the same ledger
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
    /// Show one run in full, by its number: starts, stops, pauses, cost, and what is left
    #[arg(value_name = "RUN", conflicts_with_all = ["month", "doubts"], value_parser = run_number)]
    pub run: Option<u64>,
    /// As JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Show all runs and days, and not only the latest
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
#[command(next_help_heading = "A month, for the vendor's invoice")]
pub(crate) struct MonthArgs {
    /// Show the calls of a month, such as 2026-11, with their charges by billing day
    #[arg(long, value_name = "YYYY-MM", value_parser = month, conflicts_with = "doubts")]
    pub(crate) month: Option<Date>,
    /// The month as CSV on standard output
    #[arg(long, requires = "month", conflicts_with = "json")]
    pub(crate) csv: bool,
    /// The time of day at which the vendor's billing day begins
    #[arg(long, env = "CEKNIK_DAY_STARTS", value_name = "HH:MM", default_value = "00:00", value_parser = time_of_day)]
    pub(crate) day_starts: Time,
    /// The price of one charged call without tax, for runs that recorded none
    #[arg(long, env = "CEKNIK_PRICE", value_name = "AMOUNT")]
    pub(crate) price: Option<String>,
    /// Its currency
    #[arg(long, env = "CEKNIK_CURRENCY", value_name = "CODE", default_value = "IDR", value_parser = Currency::parse)]
    pub(crate) currency: Currency,
}

/// Flags of `ceknik status` for what to ask the vendor about.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to ask the vendor about")]
pub(crate) struct DoubtsArgs {
    /// Write the calls whose charge is not known to a CSV or a workbook
    #[arg(long, requires = "output", conflicts_with = "json")]
    pub(crate) doubts: bool,
    /// The file of the list: .xlsx, .csv, or another ending that `run` knows; `-` is standard output
    #[arg(short, long, value_name = "FILE", requires = "doubts")]
    pub(crate) output: Option<PathBuf>,
    /// The customer file, which has the NIKs and names of these calls
    #[arg(long, value_name = "INPUT", requires = "doubts")]
    pub(crate) input: Option<PathBuf>,
    /// Write the CSV for a spreadsheet
    #[arg(long, requires = "doubts")]
    pub(crate) excel: bool,
    /// Write over a file that is there already
    #[arg(long, requires = "doubts")]
    pub(crate) overwrite: bool,
}

/// Flags of `ceknik report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run, by its number in `ceknik status` [default: the latest one]
    #[arg(value_name = "RUN", value_parser = run_number, conflicts_with = "since")]
    pub run: Option<u64>,
    /// Make a page about all runs since then: a span such as 30d, or a date such as 2026-11-01
    #[arg(long, value_name = "SINCE", value_parser = since, conflicts_with = "input")]
    pub(crate) since: Option<Since>,
    /// Where the page goes [default: ceknik-run-RUN.html, or ceknik-history.html]; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that is there already and that ceknik did not write
    #[arg(long)]
    pub overwrite: bool,
    /// The customer file of the run: its findings are shown with masked values
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The price of one charged call without tax, for runs that recorded none
    #[arg(long, env = "CEKNIK_PRICE", value_name = "AMOUNT")]
    pub(crate) price: Option<String>,
    /// Its currency
    #[arg(long, env = "CEKNIK_CURRENCY", value_name = "CODE", default_value = "IDR", value_parser = Currency::parse)]
    pub(crate) currency: Currency,
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
    /// Make the tables of a shared ledger, and its key file where there is none
    Init(InitArgs),
    /// Take a ledger in a file over into a shared ledger that has no runs yet, under the same key
    Import(ImportArgs),
}

/// Flags of `ceknik ledger init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Print the SQL for whoever may create tables, and change nothing in the database
    #[arg(long)]
    pub print: bool,
}

/// Flags of `ceknik ledger import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The ledger in a file
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
    /// The copy, which must not be there yet; FILE.key and FILE.witness are written beside it
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
    /// Remove answers older than this, such as 90d
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub older_than: Duration,
    /// Only count what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Remove without asking
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}
