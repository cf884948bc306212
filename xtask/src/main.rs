//! The tasks of developers. `cargo xtask` lists them.
//!
//! Must hold: each task is one command that exists without it too; a task that fails ends with an error.

mod guards;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, Subcommand};

/// An error of a task: a text for the developer.
pub(crate) type TaskError = Box<dyn std::error::Error>;

/// The tasks of ceknik's developers
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run all that has to pass before a change lands (.ci/run)
    Check,
    /// Run what takes longer, as the nightly workflow does: guards, deny, package, seeds, kills, fleet, damage, fuzz
    Nightly,
    /// Remove each guard in a copy of the last commit, and check that its test fails without it
    Guards {
        /// The guards, by the names of their files in tests/guards/ [default: all]
        names: Vec<String>,
        /// Only check that each guard is found in the code, exactly once
        #[arg(long)]
        find: bool,
    },
    /// Store the snapshots of tests/snapshots/ anew
    Snapshots,
    /// Write the outputs that README.md and docs/ show anew
    Docs,
    /// Build the Debian package from a release build, and try it (.ci/package)
    Package,
    /// Simulate many lives of a ledger; a seed that fails can be replayed alone
    Seeds {
        /// The number of seeds, or a range such as 3148..3149
        #[arg(default_value = "100000")]
        seeds: String,
    },
    /// Kill runs at random moments
    Kills {
        /// The number of kills
        #[arg(default_value_t = 1000)]
        kills: u32,
    },
    /// Kill and freeze workers of a shared ledger, crash its server, and promote its standby
    Fleet {
        /// The number of kills; a tenth of it is the number of crashes and of freezes
        #[arg(default_value_t = 500)]
        kills: u32,
    },
    /// Damage ledgers at every write
    Damage,
    /// Check licences, sources, versions and advisories of dependencies (needs cargo-deny)
    Deny,
    /// Look for inputs that break a reader (needs a nightly toolchain and cargo-fuzz)
    Fuzz {
        /// The target: rows, cleaners or answers [default: each of them]
        target: Option<String>,
        /// Seconds for each target
        #[arg(long, default_value_t = 600)]
        seconds: u32,
    },
    /// Compare the readers with other programs on files of other projects (needs Python 3.11)
    Corpora {
        /// A folder for the files
        folder: PathBuf,
    },
    /// Count the lines of src/ that are not tests (.ci/lines)
    Lines {
        /// Commits to count [default: the working tree]
        commits: Vec<String>,
    },
}

const FUZZ_TARGETS: [&str; 3] = ["rows", "cleaners", "answers"];

fn main() -> ExitCode {
    match run(&Xtask::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<(), TaskError> {
    match task {
        Task::Check => call(&mut Command::new(".ci/run")),
        Task::Nightly => nightly(),
        Task::Guards { names, find: true } => guards::find_all(names),
        Task::Guards { names, find: false } => guards::remove_each(names),
        Task::Snapshots => {
            let mut command = cargo(&["test", "--locked", "--test", "snapshots"]);
            call(command.env("INSTA_UPDATE", "always"))
        }
        Task::Docs => {
            let mut command = cargo(&["test", "--locked", "--test", "docs"]);
            call(command.env("CEKNIK_DOCS", "update"))
        }
        Task::Package => call(&mut Command::new(".ci/package")),
        Task::Seeds { seeds } => {
            let tests = ["test", "--locked", "--release", "--lib", "whatever_happens"];
            let mut command = cargo(&tests);
            call(command.args(["--", "--nocapture"]).env("SEEDS", seeds))
        }
        Task::Kills { kills } => {
            let tests = ["test", "--locked", "--test", "crash", "killed_at_random"];
            let mut command = cargo(&tests);
            call(command.args(["--", "--nocapture"]).env("KILLS", kills.to_string()))
        }
        Task::Fleet { kills } => {
            let few = (kills / 10).max(1);
            for (file, test, times) in [
                ("fleet", "workers_that_are_killed", *kills),
                ("fleet", "a_server_that_crashes", few),
                ("fleet", "a_worker_that_is_frozen", few),
                ("failover", "standby", 5),
            ] {
                let mut command = cargo(&["test", "--locked", "--test", file, test]);
                command.env("CEKNIK_TEST_PG", "required").env("FLEET_TIMES", times.to_string());
                call(command.args(["--", "--nocapture"]))?;
            }
            Ok(())
        }
        Task::Damage => {
            let tests = ["test", "--locked", "--test", "damage", "every_write"];
            call(cargo(&tests).args(["--", "--ignored", "--nocapture"]))
        }
        Task::Deny => call(&mut cargo(&["deny", "check"])),
        Task::Fuzz { target: Some(target), seconds } => fuzz(target, *seconds),
        Task::Fuzz { target: None, seconds } => {
            FUZZ_TARGETS.iter().try_for_each(|target| fuzz(target, *seconds))
        }
        Task::Corpora { folder } => {
            call(Command::new("fixtures/make/corpora.py").arg(folder))?;
            let mut command = cargo(&["test", "--locked", "--test", "corpora"]);
            let folder = std::path::absolute(folder)?;
            call(command.args(["--", "--ignored", "--nocapture"]).env("CEKNIK_CORPORA", folder))
        }
        Task::Lines { commits } => call(Command::new(".ci/lines").args(commits)),
    }
}

fn nightly() -> Result<(), TaskError> {
    guards::remove_each(&[])?;
    for task in [
        Task::Deny,
        Task::Package,
        Task::Seeds { seeds: "100000".to_owned() },
        Task::Kills { kills: 1000 },
        Task::Fleet { kills: 500 },
        Task::Damage,
        Task::Fuzz { target: None, seconds: 600 },
    ] {
        run(&task)?;
    }
    Ok(())
}

/// Runs a fuzz target. Its corpus grows in `fuzz/corpus/`; the fixtures are further seeds of `rows`.
fn fuzz(target: &str, seconds: u32) -> Result<(), TaskError> {
    let corpus = format!("fuzz/corpus/{target}");
    std::fs::create_dir_all(&corpus)?;
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", "run", target, &corpus]);
    if target == "rows" {
        command.args(["fixtures/files", "fixtures/edges"]);
    }
    let time = format!("-max_total_time={seconds}");
    call(command.args(["--", &time, "-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"]))
}

/// Returns a command of the cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs a command in the root of the repository, and waits for it.
pub(crate) fn call(command: &mut Command) -> Result<(), TaskError> {
    let status =
        command.current_dir(root()).stdin(Stdio::null()).status().map_err(|error| {
            format!("{} cannot be run: {error}", command.get_program().display())
        })?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed: {status}").into()),
    }
}

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.parent().map_or_else(|| root.clone(), PathBuf::from)
}
