//! The command line: flags and their environment variables, each value parsed into its type.
//!
//! Must hold: a flag is defined once, even if several commands accept it. A value of `ceknik.toml`
//! becomes the default of its flag. So the same order holds for all flags: the command line wins
//! over the environment, the environment over the file, and the file over the built-in default.
//!
//! Never: decides the combined meaning of several flags, which is done in `config`.

mod exit_codes;
mod help;
mod ledger;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
pub use help::command;
pub use ledger::{
    BackupArgs, ImportArgs, InitArgs, LedgerCommand, PurgeArgs, ReportArgs, StatusArgs, WhichArgs,
};
pub(crate) use ledger::{DoubtsArgs, LedgerArgs, LedgerPlaceArgs, LockArgs};
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
use crate::sandbox::ENDINGS_HELP;

/// Check a file of Indonesian NIKs and names against the vendor's paid API.
///
/// Resumable: killed anywhere, the same command goes on, and nothing is bought twice.
#[derive(Debug, Parser)]
#[command(name = "ceknik", version, max_term_width = 100, after_help = exit_codes::all_exit_codes())]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Command to be executed.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify a customer file; the same command again resumes it
    Run(Box<RunArgs>),
    /// Dry run: what is in a file, what would be sent, its price and its time. Calls nobody
    #[command(after_help = exit_codes::after_plan())]
    Plan(Box<PlanArgs>),
    /// Make the output of a run again, from its file and the ledger. Calls nobody
    #[command(after_help = exit_codes::after_export())]
    Export(Box<ExportArgs>),
    /// Serve a stand-in of the vendor's API on this machine
    #[command(after_help = ENDINGS_HELP)]
    Sandbox(SandboxArgs),
    /// Make a page about a run, or about all runs of a time, which any browser shows
    Report(ReportArgs),
    /// Show the ledger: runs, rows in doubt, charges by day
    Status(StatusArgs),
    /// Remove stored answers by age
    Purge(PurgeArgs),
    /// Copy a ledger in a file, with its key and its witness, also while a run is under way
    Backup(BackupArgs),
    /// Make a ledger that several machines share
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

/// Flags of `ceknik run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The customer file: CSV (also .gz) or .xlsx; `-` reads standard input and needs --output
    pub input: PathBuf,
    /// Where the results go [default: STEM.verified.xlsx beside a workbook, STEM.verified.csv beside a CSV]; `-` is
    /// standard output. The ending says the form: .xlsx is a workbook, .csv, .tsv and .txt are texts, also with .gz
    #[arg(short, long, env = "CEKNIK_OUTPUT", hide_env_values = true, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the CSV for a spreadsheet: BOM, `;`, CRLF, cells that look like formulas marked with
    /// a `'`, NIKs and other long numbers as text; means nothing to an .xlsx
    #[arg(long, env = "CEKNIK_EXCEL", value_parser = yes_or_no)]
    pub excel: bool,
    /// Write over an output that is there already and that ceknik did not write
    #[arg(long, env = "CEKNIK_OVERWRITE", value_parser = yes_or_no)]
    pub overwrite: bool,
    /// Where the summary goes [default: OUTPUT.summary.json]
    #[arg(long, env = "CEKNIK_SUMMARY", hide_env_values = true, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Also write a page about the run, which any browser shows: see `ceknik report`
    #[arg(long, env = "CEKNIK_REPORT", hide_env_values = true, value_name = "FILE")]
    pub report: Option<PathBuf>,
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
    /// No progress display
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
    /// Asia/Jakarta [default: that of the system]
    #[arg(long, env = "CEKNIK_TIME_ZONE", value_name = "ZONE", value_parser = Zone::parse, allow_hyphen_values = true)]
    pub(crate) time_zone: Option<Zone>,
}

/// Flag that names the configuration file.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file [default: ceknik.toml in the current folder, if there is one]
    #[arg(long, env = "CEKNIK_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Flags of `ceknik plan`: all flags of `run`, and a few more.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// The plan as JSON on standard output
    #[arg(long, env = "CEKNIK_JSON", value_parser = yes_or_no)]
    pub json: bool,
    #[command(flatten)]
    pub(crate) forecast: ForecastArgs,
}

/// Flags of `ceknik export`: all flags of `run`, so that its command line can be used again. Those
/// that do not change the output have no effect.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The run whose output is made, by its number in `ceknik status` [default: the latest one of the file]
    #[arg(long = "run", value_name = "N", value_parser = run_number)]
    pub number: Option<u64>,
    /// Write only the rows with these results, such as mismatch,in_doubt
    #[arg(long, value_name = "OUTCOME,…", value_delimiter = ',', value_parser = outcome)]
    pub only: Vec<Outcome>,
    #[command(flatten)]
    pub(crate) job: RunArgs,
}

/// Assumptions of a forecast.
#[derive(Debug, Args)]
#[command(next_help_heading = "Forecast")]
pub(crate) struct ForecastArgs {
    /// The share of calls that is charged, such as 0.93 or 93% [default: that of the ledger's answers]
    #[arg(long, env = "CEKNIK_CHARGE_SHARE", value_name = "SHARE", value_parser = Share::parse)]
    pub(crate) charge_share: Option<Share>,
    /// Hours of a night, to tell how many nights it takes
    #[arg(long, env = "CEKNIK_HOURS", value_name = "N", value_parser = hours)]
    pub(crate) hours: Option<Duration>,
}

/// Reading of the input.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
#[expect(clippy::struct_excessive_bools, reason = "flags, as they are typed")]
pub(crate) struct ReadingArgs {
    /// The encoding: utf-8, utf-16le, utf-16be or windows-1252 [default: found]
    #[arg(long, env = "CEKNIK_ENCODING", value_name = "NAME")]
    pub(crate) encoding: Option<Encoding>,
    /// The sheet of a workbook, by name or number (from 1) [default: the one with both columns]
    #[arg(long, env = "CEKNIK_SHEET", value_name = "SHEET")]
    pub(crate) sheet: Option<SheetSpec>,
    /// The delimiter: `,` `;` `|` or `tab` [default: found]
    #[arg(long, env = "CEKNIK_DELIMITER", value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// The first record is data; give --id-column and --name-column by letter or number, if they are not found
    #[arg(long, env = "CEKNIK_NO_HEADER", value_parser = yes_or_no)]
    pub(crate) no_header: bool,
    /// The NIK column, by its header or a part of it, its letter or its number [default: found by header and content]
    #[arg(long, env = "CEKNIK_ID_COLUMN", value_name = "COLUMN")]
    pub(crate) id_column: Option<ColumnSpec>,
    /// The name column, by its header or a part of it, its letter or its number [default: found by header and content]
    #[arg(long, env = "CEKNIK_NAME_COLUMN", value_name = "COLUMN")]
    pub(crate) name_column: Option<ColumnSpec>,
    /// Leave out the rows that a workbook does not show: hidden by a filter or by hand
    #[arg(long, env = "CEKNIK_VISIBLE_ROWS", value_parser = yes_or_no)]
    pub(crate) visible_rows: bool,
    /// Send NIKs that end in 0000 all the same
    #[arg(long, env = "CEKNIK_SEND_TRUNCATED", value_parser = yes_or_no)]
    pub(crate) send_truncated: bool,
    /// Send NIKs whose birth date does not exist all the same
    #[arg(long, env = "CEKNIK_SEND_ODD_DATES", value_parser = yes_or_no)]
    pub(crate) send_odd_dates: bool,
    /// Go on in spite of findings that stop a damaged file
    #[arg(long, env = "CEKNIK_FORCE", value_parser = yes_or_no)]
    pub(crate) force: bool,
}

/// The vendor's address, and the way in which calls are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Vendor (secrets: CEKNIK_API_ID, CEKNIK_API_SECRET, or …_FILE)")]
pub(crate) struct VendorArgs {
    #[command(flatten)]
    pub(crate) address: AddressArgs,
    /// How requests are written; `auto` finds out
    #[arg(long, env = "CEKNIK_BODY", value_name = "KIND", default_value = "auto")]
    pub(crate) body: BodyArg,
    /// The longest a call may take; keep it above the vendor's own (30 s and more)
    #[arg(long, env = "CEKNIK_TIMEOUT", value_name = "DUR", default_value = "60s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
    /// The longest a connection may take to stand
    #[arg(long, env = "CEKNIK_CONNECT_TIMEOUT", value_name = "DUR", default_value = "5s", value_parser = positive_duration)]
    pub(crate) connect_timeout: Duration,
    /// Keep connections for further calls; `off` makes one for each call
    #[arg(long, env = "CEKNIK_KEEP_ALIVE", value_name = "KIND", default_value = "auto")]
    pub(crate) keep_alive: KeepAliveArg,
    /// Further root certificates (PEM); proxies come from the usual environment variables
    #[arg(long, env = "CEKNIK_CA_CERT", value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
}

/// Address of the vendor, or the sandbox in its place. A ledger belongs to one of them.
#[derive(Debug, Args)]
pub struct AddressArgs {
    /// Ask a stand-in vendor inside this process: no account, no network, no cost
    #[arg(long, env = "CEKNIK_SANDBOX", value_parser = yes_or_no)]
    pub(crate) sandbox: bool,
    // Not parsed by clap, because an error of clap would show the value, which may contain a
    // password.
    /// The vendor's address; http:// for loopback only
    #[arg(long, env = "CEKNIK_BASE_URL", hide_env_values = true, value_name = "URL",
        default_value = DEFAULT_BASE_URL)]
    pub(crate) base_url: String,
}

/// Published address of the vendor.
pub const DEFAULT_BASE_URL: &str = "https://cloudapi.indonesia.accuauth.com";

/// Value of `--body`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BodyArg {
    /// Begin with JSON; ask as a form where an argument is not found
    Auto,
    /// application/json
    Json,
    /// application/x-www-form-urlencoded
    Form,
}

/// Value of `--keep-alive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeepAliveArg {
    /// Keep connections, unless calls seem to be answered twice
    Auto,
    /// A connection for each call
    Off,
}

/// Pace of the calls.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pace")]
pub(crate) struct PaceArgs {
    /// Calls per second: `auto` finds the vendor's limit; a number is never exceeded; or `unlimited` [default: auto; 1000
    /// with --sandbox]
    #[arg(long, env = "CEKNIK_RATE", value_name = "N", value_parser = values::rate)]
    pub(crate) rate: Option<CallRate>,
    /// Never more calls per second than this, whatever --rate is [default: 100 with --rate auto]
    #[arg(long, env = "CEKNIK_RATE_MAX", value_name = "N", value_parser = values::calls_per_second)]
    pub(crate) rate_max: Option<f64>,
    /// Most calls in flight
    #[arg(long, env = "CEKNIK_CONCURRENCY", value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) concurrency: u32,
    /// Failed tries per pair and run
    #[arg(long, env = "CEKNIK_MAX_ATTEMPTS", value_name = "N", default_value_t = 6,
        value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) max_attempts: u8,
    /// The first back-off; doubles with each failed try [default: 500ms; 100ms with --sandbox]
    #[arg(long, env = "CEKNIK_BACKOFF", value_name = "DUR", value_parser = positive_duration)]
    pub(crate) backoff: Option<Duration>,
    /// Longest wait for a source that is down, or a vendor that refuses every call, before giving up [default: 30m; 65m
    /// for a vendor that has answered and now refuses: an hour's calls may be used up]
    #[arg(long, env = "CEKNIK_MAX_OUTAGE", value_name = "DUR", value_parser = duration)]
    pub(crate) max_outage: Option<Duration>,
    /// Start nothing after this: a duration from now, or the nearest HH:MM (see --time-zone)
    #[arg(long, env = "CEKNIK_DEADLINE", value_name = "DUR|HH:MM", value_parser = values::deadline)]
    pub(crate) deadline: Option<DeadlineArg>,
}

/// Price and limits of money. An amount is kept as text here, because its currency decides how it
/// is parsed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Money")]
pub(crate) struct MoneyArgs {
    /// The price of one charged call, such as 1500, Rp1.500 or 1,5rb
    #[arg(long, env = "CEKNIK_PRICE", value_name = "AMOUNT")]
    pub(crate) price: Option<String>,
    /// Its currency
    #[arg(long, env = "CEKNIK_CURRENCY", value_name = "CODE", default_value = "IDR", value_parser = Currency::parse)]
    pub(crate) currency: Currency,
    /// Show amounts with tax too: a rate such as 11%, or `ppn` (12 % of 11/12 of the price); prices, --max-cost and
    /// JSON stay without tax
    #[arg(long, env = "CEKNIK_TAX", value_name = "RATE", value_parser = Tax::parse)]
    pub(crate) tax: Option<Tax>,
    /// Never more charged calls than this in the run, over all its starts
    #[arg(long, env = "CEKNIK_MAX_CHARGES", value_name = "N")]
    pub(crate) max_charges: Option<u64>,
    /// Never a higher cost than this in the run; needs --price
    #[arg(long, env = "CEKNIK_MAX_COST", value_name = "AMOUNT")]
    pub(crate) max_cost: Option<String>,
    /// Stop where over this share, such as 60%, of the run's first 200 verdicts are mismatches:
    /// a wrong column is not paid for to its end [default: off]
    #[arg(long, env = "CEKNIK_STOP_IF_MISMATCH_OVER", value_name = "PERCENT", value_parser = percent)]
    pub(crate) stop_if_mismatch_over: Option<u8>,
}

/// Limits of one start.
#[derive(Debug, Args)]
#[command(next_help_heading = "Money")]
pub(crate) struct StartArgs {
    /// Do this work once: NAME belongs to the run, and when the run has finished, the same command
    /// makes no call. It writes the output if that is missing, and exits with the run's code
    #[arg(long, env = "CEKNIK_ONCE", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) once: Option<String>,
    /// Only help a run of this file that another worker of a shared ledger begins, and write no
    /// output. Waits for the run as long as --lock-wait says. Give it the flags of the run
    #[arg(long, env = "CEKNIK_JOIN", value_parser = yes_or_no)]
    pub(crate) join: bool,
    /// Make at most N calls now, to look at the first answers
    #[arg(long, env = "CEKNIK_LIMIT", value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Ask only before a live run that may cost more than this, also where a limit is set; needs --price
    /// [default: ask before each live run without a limit]
    #[arg(long, env = "CEKNIK_CONFIRM_ABOVE", value_name = "AMOUNT")]
    pub(crate) confirm_above: Option<String>,
    /// Spend money without asking
    #[arg(short, long, env = "CEKNIK_YES", value_parser = yes_or_no)]
    pub(crate) yes: bool,
    /// The name of who runs it, for the record in ledger and summary [default: the login name]
    #[arg(long, env = "CEKNIK_OPERATOR", value_name = "NAME")]
    pub(crate) operator: Option<String>,
}

/// Reuse of earlier answers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reuse of earlier answers")]
pub(crate) struct ReuseArgs {
    /// Use stored answers this young; 0 buys afresh
    #[arg(long, env = "CEKNIK_REUSE", value_name = "DUR", default_value = "30d", value_parser = duration)]
    pub(crate) reuse: Duration,
    /// Ask "not sure" and "failed" again in a later run no sooner than this
    #[arg(long, env = "CEKNIK_REASK_AFTER", value_name = "DUR", default_value = "24h", value_parser = duration)]
    pub(crate) reask_after: Duration,
    /// Rows in doubt from earlier runs: hold them, or send them again (they may be charged twice)
    #[arg(long, env = "CEKNIK_IN_DOUBT", value_name = "ACT", default_value = "hold")]
    pub(crate) in_doubt: InDoubtArg,
    /// Ask again what an earlier run ended as refused and free of charge
    #[arg(long, env = "CEKNIK_RETRY_REFUSED", value_parser = yes_or_no)]
    pub(crate) retry_refused: bool,
}

/// Value of `--in-doubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InDoubtArg {
    /// Never send them again
    Hold,
    /// Send again, once a run, what was in doubt before the run began
    Resend,
}

/// Flags for the display on standard error.
#[derive(Debug, Args)]
#[command(next_help_heading = "Display (all on stderr)")]
pub(crate) struct ScreenArgs {
    /// How events and logs are written; json is one event a line (docs/events.md)
    #[arg(long, env = "CEKNIK_LOG", value_name = "FORM", default_value = "text")]
    pub(crate) log: LogArg,
    /// Say more (-v, -vv)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing, but one line if the exit code is not 0; questions are asked all the same
    #[arg(short, long, env = "CEKNIK_QUIET", value_parser = yes_or_no)]
    pub(crate) quiet: bool,
    /// Colours
    #[arg(long, env = "CEKNIK_COLOR", value_name = "WHEN", default_value = "auto")]
    pub(crate) color: clap::ColorChoice,
}

/// Value of `--log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogArg {
    /// Lines for people, with local times
    Text,
    /// One JSON object a line, an event
    Json,
}

/// Flags of `ceknik sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The port on 127.0.0.1 [default: a free one, printed]
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Calls per second; more are answered with RATE_LIMIT_EXCEEDED
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Charged calls; then OUT_OF_QUOTA
    #[arg(long, value_name = "N")]
    pub quota: Option<u64>,
    /// How long each answer takes
    #[arg(long, value_name = "DUR", default_value = "0s", value_parser = duration)]
    pub latency: Duration,
    /// The source is down between two times after the start, such as 5s..20s
    #[arg(long, value_name = "FROM..TO", value_parser = outage)]
    pub outage: Option<(Duration, Duration)>,
    /// Calls after which the key expires
    #[arg(long, value_name = "N")]
    pub expire_after: Option<u64>,
    /// The probability of a fault instead of an answer, 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub chaos: f64,
    /// The seed of the faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Append one JSON line per request: time, pair hash, answer, charged
    #[arg(long, value_name = "FILE")]
    pub calls: Option<PathBuf>,
    /// Which kinds of body are understood
    #[arg(long, value_name = "KIND", default_value = "both")]
    pub accepts: AcceptsArg,
}

/// Value of `--accepts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AcceptsArg {
    /// JSON alone
    Json,
    /// Forms alone
    Form,
    /// Both
    Both,
}
