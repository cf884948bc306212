//! The command line: flags and their environment variables, each value parsed into its type.
//!
//! Must hold: a flag is defined once, even if several commands accept it. A value of `ceknik.toml`
//! becomes the default of its flag. So the same order holds for all flags: the command line wins
//! over the environment, the environment over the file, and the file over the built-in default.
//!
//! Never: decides the combined meaning of several flags, which is done in `config`.

mod help;
mod ledger;
mod manual;
mod notes;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
pub use help::{command, command_for};
pub use ledger::{
    BackupArgs, ImportArgs, InitArgs, LedgerCommand, PurgeArgs, ReportArgs, StatusArgs, WhichArgs,
};
pub(crate) use ledger::{DayStartsArgs, DoubtsArgs, LedgerArgs, LedgerPlaceArgs, LockArgs};
pub use manual::{ManualPage, manual_pages};
pub(crate) use values::{CallRate, DeadlineArg, Since, yes_or_no};
use values::{delimiter, duration, hours, outage, outcome, percent, positive_duration, run_number};

use crate::input::form::Encoding;
use crate::input::sheet::SheetSpec;
use crate::model::money::Currency;
use crate::model::outcome::Outcome;
use crate::model::tax::Tax;
use crate::model::zone::Zone;
use crate::rules::columns::ColumnSpec;
use crate::rules::estimate::Share;

/// Check a file of Indonesian ID card numbers (NIK) and names against the vendor's paid API
#[derive(Debug, Parser)]
#[command(name = "ceknik", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Command to be executed.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a customer file, or continue a check that was stopped
    Run(Box<RunArgs>),
    /// Show what a run would send, what it would cost and how long it would take. Sends nothing
    Plan(Box<PlanArgs>),
    /// Show the runs, their results and their charges, and the rows in doubt
    Status(StatusArgs),
    /// Write an HTML page about one run, or about all runs of a time
    Report(ReportArgs),
    /// Write the output of an earlier run again, also in another form. Sends nothing
    Export(Box<ExportArgs>),
    /// Start a stand-in for the vendor on this machine, to practise without cost
    Sandbox(SandboxArgs),
    /// Copy the ledger, its key and its witness, also while a run is under way
    Backup(BackupArgs),
    /// Remove old answers from the ledger
    Purge(PurgeArgs),
    /// Prepare a ledger that several machines share
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page, or write all of them to files
    Man(ManArgs),
}

/// Flags of `ceknik man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page is printed, such as run [default: the page about ceknik]
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub page: Option<String>,
    /// Write all pages to this folder, one file each, such as ceknik-run.1
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// Flags of `ceknik run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The customer file: a CSV file (also packed as .gz) or an Excel workbook. `-` reads standard input
    pub input: PathBuf,
    /// The file with the results: .xlsx, .csv, .tsv or .txt, also .csv.gz; `-` is standard output
    /// [default: FILE.verified.xlsx beside a workbook, FILE.verified.csv beside a CSV file]
    #[arg(short, long, env = "CEKNIK_OUTPUT", hide_env_values = true, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write a CSV file that a spreadsheet program opens without damage to the NIKs. It has no effect on a workbook
    #[arg(long, env = "CEKNIK_EXCEL", value_parser = yes_or_no)]
    pub excel: bool,
    /// Replace an existing output file that ceknik did not write
    #[arg(long, env = "CEKNIK_OVERWRITE", value_parser = yes_or_no)]
    pub overwrite: bool,
    /// The file with the summary [default: OUTPUT.summary.json]
    #[arg(long, env = "CEKNIK_SUMMARY", hide_env_values = true, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Also write an HTML page about the run, as `ceknik report` does
    #[arg(long, env = "CEKNIK_REPORT", hide_env_values = true, value_name = "FILE")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) day_starts: DayStartsArgs,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    #[command(flatten)]
    pub(crate) vendor: VendorArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) money: MoneyArgs,
    #[command(flatten)]
    pub(crate) start: StartArgs,
    #[command(flatten)]
    pub(crate) reuse: ReuseArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
    #[command(flatten)]
    pub(crate) screen: ScreenArgs,
    /// Show no progress
    #[arg(long, env = "CEKNIK_NO_PROGRESS", value_parser = yes_or_no)]
    pub no_progress: bool,
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// Flag for the time zone.
#[derive(Debug, Args)]
pub struct ZoneArgs {
    /// The time zone of deadlines, days and times: WIB, WITA, WIT, UTC, +07:00, or a name such as
    /// Asia/Jakarta [default: the time zone of the system]
    #[arg(long, env = "CEKNIK_TIME_ZONE", value_name = "ZONE", value_parser = Zone::parse, allow_hyphen_values = true)]
    pub(crate) time_zone: Option<Zone>,
}

/// Flag that names the configuration file.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The file with settings [default: ceknik.toml in the current folder, if it exists]
    #[arg(long, env = "CEKNIK_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Flags of `ceknik plan`: all flags of `run`, and a few more.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Print the plan as JSON
    #[arg(long, env = "CEKNIK_JSON", value_parser = yes_or_no)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) forecast: ForecastArgs,
}

/// Flags of `ceknik export`: all flags of `run`, so that its command line can be used again. Those
/// that do not change the output have no effect.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The number of the run, as in `ceknik status` [default: the latest run of the file]
    #[arg(long = "run", value_name = "N", value_parser = run_number)]
    pub number: Option<u64>,
    /// Write only the rows with these results, such as mismatch,in_doubt
    /// (needs -o: it does not replace the whole output)
    #[arg(long, value_name = "OUTCOME,…", value_delimiter = ',', value_parser = outcome)]
    pub only: Vec<Outcome>,
    #[command(flatten)]
    pub(crate) job: RunArgs,
}

/// Assumptions of a forecast.
#[derive(Debug, Args)]
#[command(next_help_heading = "Forecast")]
pub(crate) struct ForecastArgs {
    /// The share of calls that you expect to be charged, such as 0.93 or 93% [default: the share in the ledger]
    #[arg(long, env = "CEKNIK_CHARGE_SHARE", value_name = "SHARE", value_parser = Share::parse)]
    pub(crate) charge_share: Option<Share>,
    /// The hours of one night, to show how many nights the run takes
    #[arg(long, env = "CEKNIK_HOURS", value_name = "N", value_parser = hours)]
    pub(crate) hours: Option<Duration>,
}

/// Reading of the input.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
#[expect(clippy::struct_excessive_bools, reason = "flags, as they are typed")]
pub(crate) struct ReadingArgs {
    /// The encoding of the file: utf-8, utf-16le, utf-16be or windows-1252 [default: found by itself]
    #[arg(long, env = "CEKNIK_ENCODING", value_name = "NAME")]
    pub(crate) encoding: Option<Encoding>,
    /// The sheet of the workbook, by its name or its number from 1 [default: the sheet with both columns]
    #[arg(long, env = "CEKNIK_SHEET", value_name = "SHEET")]
    pub(crate) sheet: Option<SheetSpec>,
    /// The character between the cells: `,` `;` `|` or `tab` [default: found by itself]
    #[arg(long, env = "CEKNIK_DELIMITER", value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// The file has no headers: its first row is a customer. Give both columns by letter, if they are not found
    #[arg(long, env = "CEKNIK_NO_HEADER", value_parser = yes_or_no)]
    pub(crate) no_header: bool,
    /// The column of the NIK: its header, a part of its header, its letter or its number [default: found by itself]
    #[arg(long, env = "CEKNIK_ID_COLUMN", value_name = "COLUMN")]
    pub(crate) id_column: Option<ColumnSpec>,
    /// The column of the name: its header, a part of its header, its letter or its number [default: found by itself]
    #[arg(long, env = "CEKNIK_NAME_COLUMN", value_name = "COLUMN")]
    pub(crate) name_column: Option<ColumnSpec>,
    /// Leave out the rows that the workbook hides, by a filter or by hand
    #[arg(long, env = "CEKNIK_VISIBLE_ROWS", value_parser = yes_or_no)]
    pub(crate) visible_rows: bool,
    /// Also send NIKs that end in 0000
    #[arg(long, env = "CEKNIK_SEND_TRUNCATED", value_parser = yes_or_no)]
    pub(crate) send_truncated: bool,
    /// Also send NIKs with a birth date that does not exist
    #[arg(long, env = "CEKNIK_SEND_ODD_DATES", value_parser = yes_or_no)]
    pub(crate) send_odd_dates: bool,
    /// Send the rows of a file that ceknik stopped because it looks damaged
    #[arg(long, env = "CEKNIK_FORCE", value_parser = yes_or_no)]
    pub(crate) force: bool,
}

/// The vendor's address, and the way in which calls are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Vendor")]
pub(crate) struct VendorArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,
    /// The form of the requests; `auto` finds out which one the vendor accepts
    #[arg(long, env = "CEKNIK_BODY", value_name = "KIND", default_value = "auto")]
    pub(crate) body: BodyArg,
    /// How long to wait for an answer. Keep it longer than the vendor's own limit (30 s and more)
    #[arg(long, env = "CEKNIK_TIMEOUT", value_name = "DUR", default_value = "60s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
    /// How long to wait for a connection
    #[arg(long, env = "CEKNIK_CONNECT_TIMEOUT", value_name = "DUR", default_value = "5s", value_parser = positive_duration)]
    pub(crate) connect_timeout: Duration,
    /// Whether a connection is used for more than one call; `off` makes a new one for each call
    #[arg(long, env = "CEKNIK_KEEP_ALIVE", value_name = "KIND", default_value = "auto")]
    pub(crate) keep_alive: KeepAliveArg,
    /// A file of root certificates (PEM) to trust besides those of the system
    #[arg(long, env = "CEKNIK_CA_CERT", value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
}

/// Address of the vendor, or the sandbox in its place. A ledger belongs to one of them.
#[derive(Debug, Args)]
pub struct AddressArgs {
    /// Practise with a stand-in for the vendor: no account, no network, no cost
    #[arg(long, env = "CEKNIK_SANDBOX", value_parser = yes_or_no)]
    pub(crate) sandbox: bool,
    // Not parsed by clap, because an error of clap would show the value, which may contain a
    // password.
    /// The vendor's address. http:// is accepted for this machine only
    #[arg(long, env = "CEKNIK_BASE_URL", hide_env_values = true, value_name = "URL",
        default_value = DEFAULT_BASE_URL)]
    pub(crate) base_url: String,
}

/// Published address of the vendor.
pub const DEFAULT_BASE_URL: &str = "https://cloudapi.indonesia.accuauth.com";

/// Value of `--body`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BodyArg {
    /// JSON first, and a form if the vendor does not understand it
    Auto,
    /// application/json
    Json,
    /// application/x-www-form-urlencoded
    Form,
}

/// Value of `--keep-alive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepAliveArg {
    /// Use connections again, unless the server makes that unsafe
    Auto,
    /// A new connection for each call
    Off,
}

/// Pace of the calls.
#[derive(Debug, Args)]
#[command(next_help_heading = "Speed")]
pub(crate) struct PaceArgs {
    /// Calls a second: a number, `auto` to find the vendor's limit, or `unlimited` [default: auto; 1000 with
    /// --sandbox]
    #[arg(long, env = "CEKNIK_RATE", value_name = "N", value_parser = values::rate)]
    pub(crate) rate: Option<CallRate>,
    /// The most calls a second, whatever --rate is [default: 100 with --rate auto]
    #[arg(long, env = "CEKNIK_RATE_MAX", value_name = "N", value_parser = values::calls_per_second)]
    pub(crate) rate_max: Option<f64>,
    /// The most calls at the same time
    #[arg(long, env = "CEKNIK_CONCURRENCY", value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) concurrency: u32,
    /// How often to try one row in a run
    #[arg(long, env = "CEKNIK_MAX_ATTEMPTS", value_name = "N", default_value_t = 6,
        value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) max_attempts: u8,
    /// The wait before the second try of a row; it doubles with each try [default: 500ms; 100ms with --sandbox]
    #[arg(long, env = "CEKNIK_BACKOFF", value_name = "DUR", value_parser = positive_duration)]
    pub(crate) backoff: Option<Duration>,
    /// How long to wait for a vendor that is down or refuses every call, before the run stops [default: 30m; 65m if the
    /// vendor answered before and now refuses]
    #[arg(long, env = "CEKNIK_MAX_OUTAGE", value_name = "DUR", value_parser = duration)]
    pub(crate) max_outage: Option<Duration>,
    /// Send no call after this time: a duration from now such as 6h, or a time such as 05:30 (see --time-zone)
    #[arg(long, env = "CEKNIK_DEADLINE", value_name = "DUR|HH:MM", value_parser = values::deadline)]
    pub(crate) deadline: Option<DeadlineArg>,
}

/// Price and limits of money. An amount is kept as text here, because its currency decides how it
/// is parsed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Money")]
pub(crate) struct MoneyArgs {
    /// The price of one charged call without tax, such as 1500, Rp1.500 or 1,5rb
    #[arg(long, env = "CEKNIK_PRICE", value_name = "AMOUNT")]
    pub(crate) price: Option<String>,
    /// The currency of the price
    #[arg(long, env = "CEKNIK_CURRENCY", value_name = "CODE", default_value = "IDR", value_parser = Currency::parse)]
    pub(crate) currency: Currency,
    /// Also show amounts with tax: a rate such as 11%, or `ppn` (12 % of 11/12 of the price). Prices, --max-cost and
    /// JSON are without tax
    #[arg(long, env = "CEKNIK_TAX", value_name = "RATE", value_parser = Tax::parse)]
    pub(crate) tax: Option<Tax>,
    /// The most charged calls of the run, also if it is stopped and continued
    #[arg(long, env = "CEKNIK_MAX_CHARGES", value_name = "N")]
    pub(crate) max_charges: Option<u64>,
    /// The highest cost of the run without tax, also if it is stopped and continued. Needs --price
    #[arg(long, env = "CEKNIK_MAX_COST", value_name = "AMOUNT")]
    pub(crate) max_cost: Option<String>,
    /// Stop if more than this share, such as 60%, of the first 200 results are mismatches. It protects you if the wrong
    /// column was chosen [default: off]
    #[arg(long, env = "CEKNIK_STOP_IF_MISMATCH_OVER", value_name = "PERCENT", value_parser = percent)]
    pub(crate) stop_if_mismatch_over: Option<u8>,
}

/// Limits of one process of a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Money")]
pub(crate) struct StartArgs {
    /// A name for the run, such as a date. When the run has finished, the same command sends nothing: it only writes the
    /// output if it is missing
    #[arg(long, env = "CEKNIK_ONCE", help_heading = "Run", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) once: Option<String>,
    /// Only help a run that another machine began on a shared ledger, and write no output. Give it the flags of that
    /// run
    #[arg(long, env = "CEKNIK_JOIN", help_heading = "Run", value_parser = yes_or_no)]
    pub(crate) join: bool,
    /// Make only N calls now, so that you can check the first results
    #[arg(long, env = "CEKNIK_LIMIT", value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Ask before a run that may cost more than this, and before no other run. Needs --price
    /// [default: ask before each run without a limit]
    #[arg(long, env = "CEKNIK_CONFIRM_ABOVE", value_name = "AMOUNT")]
    pub(crate) confirm_above: Option<String>,
    /// Spend money without a question
    #[arg(short, long, env = "CEKNIK_YES", value_parser = yes_or_no)]
    pub(crate) yes: bool,
    /// Your name, for the ledger and the summary [default: your login name]
    #[arg(long, env = "CEKNIK_OPERATOR", help_heading = "Run", value_name = "NAME")]
    pub(crate) operator: Option<String>,
}

/// Greatest age of an answer that is used again, unless the user wants another one.
pub(crate) const USUAL_REUSE: &str = "30d";

/// Reuse of earlier answers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reuse of earlier answers")]
pub(crate) struct ReuseArgs {
    /// Reuse an answer that is younger than this instead of paying again; 0 always pays again
    #[arg(long, env = "CEKNIK_REUSE", value_name = "DUR", default_value = USUAL_REUSE, value_parser = duration)]
    pub(crate) reuse: Duration,
    /// How long to wait before "not sure" and "failed" rows are sent again in a later run
    #[arg(long, env = "CEKNIK_REASK_AFTER", value_name = "DUR", default_value = "24h", value_parser = duration)]
    pub(crate) reask_after: Duration,
    /// What to do with rows that earlier runs left in doubt
    #[arg(long, env = "CEKNIK_IN_DOUBT", value_name = "ACT", default_value = "hold")]
    pub(crate) in_doubt: InDoubtArg,
    /// Send rows again that the vendor refused in an earlier run, if the refusal was free
    #[arg(long, env = "CEKNIK_RETRY_REFUSED", value_parser = yes_or_no)]
    pub(crate) retry_refused: bool,
}

/// Value of `--in-doubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InDoubtArg {
    /// Do not send them again
    Hold,
    /// Send each of them once more: you may pay for it twice
    Resend,
}

/// Flags for the display on standard error.
#[derive(Debug, Args)]
#[command(next_help_heading = "Display")]
pub(crate) struct ScreenArgs {
    /// The form of the log: text for people, json for programs
    #[arg(long, env = "CEKNIK_LOG", value_name = "FORM", default_value = "text")]
    pub(crate) log: LogArg,
    /// Show more details (-v, -vv)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Show nothing if all goes well, and one line if the exit code is not 0. Questions are still asked
    #[arg(short, long, env = "CEKNIK_QUIET", value_parser = yes_or_no)]
    pub(crate) quiet: bool,
    /// When to use colours
    #[arg(long, env = "CEKNIK_COLOR", value_name = "WHEN", default_value = "auto")]
    pub(crate) color: clap::ColorChoice,
}

/// Value of `--log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogArg {
    /// Lines for people, with local times
    Text,
    /// One JSON object on each line, an event
    Json,
}

/// Flags of `ceknik sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The port on 127.0.0.1; 0 takes a free port and prints it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// The most calls a second. More are answered with RATE_LIMIT_EXCEEDED
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// The calls that may come at once under --rate. Without it: 1 % of the rate, at least one
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    pub burst: Option<u32>,
    /// The number of charged calls before OUT_OF_QUOTA
    #[arg(long, value_name = "N")]
    pub quota: Option<u64>,
    /// How long each answer takes
    #[arg(long, value_name = "DUR", default_value = "0s", value_parser = duration)]
    pub latency: Duration,
    /// The vendor is down between two times from now, such as 5s..20s
    #[arg(long, value_name = "FROM..TO", value_parser = outage)]
    pub outage: Option<(Duration, Duration)>,
    /// The number of calls before the key expires
    #[arg(long, value_name = "N")]
    pub expire_after: Option<u64>,
    /// The share of calls that get a fault instead of an answer, 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub chaos: f64,
    /// The number from which the faults are made: the same number makes the same faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A file to which one JSON line is added for each call
    #[arg(long, value_name = "FILE")]
    pub calls: Option<PathBuf>,
    /// The forms of requests that are understood
    #[arg(long, value_name = "KIND", default_value = "both")]
    pub accepts: AcceptsArg,
}

/// Value of `--accepts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AcceptsArg {
    /// JSON only
    Json,
    /// Forms only
    Form,
    /// Both
    Both,
}
