//! The reason why a start stopped, and the next thing to do, for people.
//!
//! Must hold: the text names the cause that this start found, and each command in it can be pasted.
//!
//! Never: advises to continue at once while answers cannot be read, since further answers would be
//! lost in the same way.

use super::command_line::{Change, command_on_ledger, command_with, is_typed};
use super::run::finish::EndedStart;
use crate::cli::USUAL_REUSE;
use crate::config::{InputFrom, JobConfig};
use crate::engine::{LostAnswers, Stats};
use crate::error::Error;
use crate::model::class::AccountStop;
use crate::model::exit_code::ExitCode;
use crate::model::outcome::Outcome;
use crate::model::stop::{BudgetLimit, Signal, StopReason};
use crate::output::{Event, Finished, NextStep, RunReport, count, last_words, next_in_one_line};
use crate::rules::durations;
use crate::term::Screen;

/// Shows the last words of a start. All other work must be done before, because nobody may be
/// reading standard error.
pub(super) fn say_last_words(ended: &EndedStart, job: &JobConfig, screen: &Screen) {
    let EndedStart { report, state, result, others, is_exported } = ended;
    let error = result.as_ref().err();
    let why = match (error, report.stop) {
        (Some(error), _) => Some(error_text(error, report)),
        (None, Some(stop)) => Some(stop_reason_text(stop, &state.stats)),
        (None, None) => None,
    };
    let next = match error.and_then(|error| error.hint.as_deref()) {
        // While others continue, nothing has to be done, and after an export there is nothing left.
        _ if others.is_some() || *is_exported => Vec::new(),
        Some(hint) if report.exit.can_go_on() => vec![then_the_same(hint)],
        Some(hint) => vec![NextStep::advice(hint)],
        None => next_steps(ended, job),
    };
    if let Some(why) = &why {
        screen.say(&format!("\nstopped: {why}"));
    }
    screen.say(&last_words(report, &next));
    if let Some(others) = others {
        screen.note(others);
    }
    screen.finish(&Event::RunFinished(Finished {
        exit: report.exit,
        reason: if error.is_some() && report.stop.is_none() { "error" } else { report.ended() },
        what: why.as_deref().unwrap_or_else(|| report.exit.meaning()),
        next: next_in_one_line(&next).as_deref(),
        summary: Some(report),
    }));
}

/// Returns the message of the error that ended a start.
fn error_text(error: &Error, report: &RunReport) -> String {
    match (report.stop, &report.written) {
        // The output of a run that was stopped was stopped too.
        (Some(StopReason::Interrupted(_)), None) if error.code == report.exit => {
            format!("{}, before the output was written", error.message)
        }
        _ => error.message.clone(),
    }
}

/// Returns the reason why a start stopped.
fn stop_reason_text(stop: StopReason, stats: &Stats) -> String {
    let failure = stats.last_failure.as_deref().unwrap_or("no cause is known");
    let words = match stop {
        StopReason::Account(AccountStop::Unauthorized) => {
            "the vendor does not accept the credentials (UNAUTHORIZED)"
        }
        StopReason::Account(AccountStop::KeyExpired) => "the key has expired (KEY_EXPIRED)",
        StopReason::Account(AccountStop::NoPermission) => {
            "the account may not use this endpoint (NO_PERMISSION)"
        }
        StopReason::Account(AccountStop::NotFound) => "the address is not the vendor's (404)",
        StopReason::Account(AccountStop::Redirect) => {
            "the address answers with a redirect, which ceknik never follows"
        }
        StopReason::Account(AccountStop::Proxy) => {
            let answer = stats.proxy_answer.as_deref().unwrap_or(failure);
            return format!("a proxy or gateway refuses the calls: {answer}");
        }
        StopReason::Certificate | StopReason::NoTls => {
            return format!("no connection to the vendor: {failure}");
        }
        StopReason::OutOfQuota => "the account's quota is used up (OUT_OF_QUOTA)",
        StopReason::Budget(BudgetLimit::Charges) => {
            "the next call could exceed the budget (--max-charges, --max-cost)"
        }
        StopReason::Budget(BudgetLimit::Calls) => "all calls that --limit allows are made",
        StopReason::Deadline => "the deadline has passed",
        StopReason::SourceDown => "the vendor was down for longer than --max-outage",
        StopReason::Unreachable => {
            return format!(
                "the vendor could not be reached for longer than --max-outage: {failure}"
            );
        }
        StopReason::Throttled => {
            "the vendor refused every call as too fast, or asked to wait, for longer than \
             --max-outage"
        }
        StopReason::RefusalsInRow => {
            "the vendor refused 20 rows one after another: probably the setup is wrong, not the \
             customers; see ck_status and ck_reason in the partial output"
        }
        StopReason::LostAnswers => return lost_answers_text(stats),
        StopReason::Mismatches => {
            "too many of the first 200 results are mismatches (--stop-if-mismatch-over): each \
             mismatch is charged, and the rest would be too"
        }
        StopReason::Interrupted(Signal::Interrupt) => "interrupted",
        StopReason::Interrupted(Signal::Terminate) => "terminated",
        StopReason::Interrupted(Signal::HangUp) => "the terminal is gone",
        StopReason::InputChanged => "the input changed while it was read",
        StopReason::InputUnreadable => "the input can no longer be read",
        StopReason::TakenOver => {
            "the connection to the ledger was lost, and meanwhile another command has used the ledger"
        }
        StopReason::Storage => "the ledger cannot be written",
        StopReason::Defect => "a part of ceknik ended early, which is a defect",
    };
    words.to_owned()
}

/// Returns the ways in which answers were lost, with advice on what to look at.
fn lost_answers_text(stats: &Stats) -> String {
    let LostAnswers { late, cut, unreadable, otherwise } = stats.lost;
    let told = stats.last_unreadable.as_deref().unwrap_or("without a result");
    let ways = [
        (unreadable, format!("came, but could not be read ({told})")),
        (late, "did not come in time".to_owned()),
        (cut, "got lost with the connection".to_owned()),
        (
            otherwise,
            "came from a gateway that waited too long, or belonged to another call".to_owned(),
        ),
    ];
    let ways = ways.into_iter().filter(|(answers, _)| *answers > 0);
    let ways: Vec<_> = ways.map(|(n, what)| format!("{} {what}", count(n, "answer"))).collect();
    let most = late.max(cut).max(unreadable).max(otherwise);
    let advice = match most {
        _ if most == unreadable => "find out which server answers, and ask the vendor",
        _ if most == late => "check the network, and keep --timeout above the vendor's own",
        _ => "check the network, and ask the vendor",
    };
    format!("{}; each of these calls may have been charged: {advice}", ways.join(", "))
}

/// Returns the step of doing what `advice` says, and then running the same command again.
fn then_the_same(advice: &str) -> NextStep {
    NextStep::command(format!("{advice}. Then the same command continues"), command_with(&[]))
}

/// Returns the next things to do, with commands to paste. There is none if nothing is left to do, or
/// after an internal error.
fn next_steps(ended: &EndedStart, job: &JobConfig) -> Vec<NextStep> {
    let (report, stats) = (&ended.report, &ended.state.stats);
    let step = match (report.exit, report.stop) {
        (ExitCode::Complete | ExitCode::Internal, _) => return Vec::new(),
        (ExitCode::SomeWithoutVerdict, _) => return next_without_verdict(report, job),
        (_, Some(StopReason::Account(account))) => then_the_same(advice_on_account(account)),
        (_, Some(StopReason::Certificate | StopReason::NoTls)) => {
            then_the_same("check --base-url, --ca-cert and HTTPS_PROXY")
        }
        (_, Some(StopReason::OutOfQuota)) => then_the_same("buy more calls from the vendor"),
        (_, Some(StopReason::Budget(BudgetLimit::Charges))) => NextStep::command(
            "to continue with a higher budget",
            command_with(&raised_budget(ended, job)),
        ),
        (_, Some(StopReason::Budget(BudgetLimit::Calls))) => NextStep::command(
            "look at the output; to make all calls that are left",
            without_limit(ended),
        ),
        (_, Some(StopReason::Mismatches)) => NextStep::command(
            "check that the columns are the right ones; to continue anyway",
            command_with(&[without_brake()]),
        ),
        (_, Some(StopReason::RefusalsInRow)) => {
            then_the_same("see ck_status and ck_reason in the partial output")
        }
        (_, Some(StopReason::LostAnswers)) if stats.lost.unreadable > 0 => {
            then_the_same("first correct the cause")
        }
        _ => NextStep::command("the same command continues", command_with(&[])),
    };
    vec![step]
}

/// Returns the next things to do about a finished run with rows that have no verdict.
fn next_without_verdict(report: &RunReport, job: &JobConfig) -> Vec<NextStep> {
    let rows = |outcome| report.written.map_or(0, |rows| rows.outcomes.get(outcome));
    let doubts = report.spending.tally.possible.in_doubt + report.funnel.in_doubt;
    let anew = |in_doubt| command_with(&changes_of_new_run(job, in_doubt));
    let mut steps = Vec::new();
    if rows(Outcome::Unavailable) > 0 {
        let advice = match report.spending.tally.possible.gateway {
            0 => "to send the unavailable rows again, in a new run",
            _ => {
                "to send the unavailable rows again, in a new run (you may pay twice for those that a gateway answered)"
            }
        };
        steps.push(NextStep::command(advice, anew("hold")));
    }
    if doubts > 0 {
        // People write the vendor's answers into a list: each run has its own.
        let ask = format!("ask-run-{}.xlsx", report.run);
        let mut list = vec!["ceknik", "status", "--doubts", "-o", &ask];
        let path = match &job.input {
            InputFrom::File(path) => Some(path.to_string_lossy()),
            InputFrom::Stdin => None,
        };
        list.extend(path.iter().flat_map(|path| ["--input", path.as_ref()]));
        let advice = "to list the calls to ask the vendor about";
        steps.push(NextStep::command(advice, command_on_ledger(&list)));
        let advice = "or to send the rows in doubt again (you may pay twice)";
        steps.push(NextStep::command(advice, anew("resend")));
    }
    if steps.is_empty() {
        let advice = "correct the rows that need a result (see ck_reason), and run the file again";
        steps.push(NextStep::advice(advice));
    }
    steps
}

/// Returns the changes for a new run of the file that pays for no answer of this one again.
fn changes_of_new_run(job: &JobConfig, in_doubt: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    // A run with a name is done once: a new one needs another name, or none.
    if job.once.is_some() {
        changes.push(Change::LeaveOut("--once"));
    }
    if durations::parse(USUAL_REUSE).is_some_and(|usual| job.reuse.answers < usual) {
        changes.push(Change::Set("--reuse", Some(USUAL_REUSE.to_owned())));
    }
    if job.reuse.resend_doubts != (in_doubt == "resend") {
        changes.push(Change::Set("--in-doubt", Some(in_doubt.to_owned())));
    }
    changes
}

/// Returns advice on what to do when the vendor refuses the account or the address.
const fn advice_on_account(stop: AccountStop) -> &'static str {
    match stop {
        AccountStop::Unauthorized => {
            "compare CEKNIK_API_ID and CEKNIK_API_SECRET with the vendor's console"
        }
        AccountStop::KeyExpired => {
            "renew the key in the vendor's console, and set CEKNIK_API_ID and CEKNIK_API_SECRET"
        }
        AccountStop::NoPermission => "ask the vendor to allow POST /verify/id_name for the account",
        AccountStop::NotFound | AccountStop::Redirect => "correct --base-url",
        AccountStop::Proxy => "check HTTPS_PROXY, and ask the people who run the proxy",
    }
}

/// Returns the flags of a budget that is enough for all pairs that are left.
fn raised_budget(ended: &EndedStart, job: &JobConfig) -> Vec<Change> {
    let calls = ended.report.spending.owed_at_most() + ended.state.table.to_send();
    let cost = job.price.as_ref().filter(|_| job.engine.has_max_cost);
    let cost = cost.map(|price| ("--max-cost", price.plain(calls)));
    let charges = job.engine.has_max_charges.then(|| ("--max-charges", calls.to_string()));
    let set = |(flag, value)| Change::Set(flag, Some(value));
    charges.into_iter().chain(cost).map(set).collect()
}

/// Returns the flag of a brake that stops no run.
fn without_brake() -> Change {
    let brake = "--stop-if-mismatch-over";
    match is_typed(brake) {
        true => Change::LeaveOut(brake),
        // A variable or the configuration file sets it.
        false => Change::Set(brake, Some("99%".to_owned())),
    }
}

/// Returns the command that makes all calls that are left.
fn without_limit(ended: &EndedStart) -> String {
    command_with(&[match is_typed("--limit") {
        true => Change::LeaveOut("--limit"),
        // A variable or the configuration file sets it.
        false => Change::Set("--limit", Some(ended.state.table.to_send().max(1).to_string())),
    }])
}
