//! The reason why a start stopped, and the next thing to do, for people.
//!
//! Must hold: the text names the cause that this start found, and each command in it can be pasted.
//!
//! Never: advises to go on at once while answers cannot be read, since further answers would be
//! lost in the same way.

use super::command_line::{Change, command_with, is_typed};
use super::run::finish::EndedStart;
use crate::config::JobConfig;
use crate::engine::{LostAnswers, Stats};
use crate::error::Error;
use crate::model::class::AccountStop;
use crate::model::exit_code::ExitCode;
use crate::model::outcome::Outcome;
use crate::model::stop::{BudgetLimit, Signal, StopReason};
use crate::output::{Event, Finished, RunReport, count, last_words};
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
        Some(hint) if report.exit.can_go_on() => {
            Some(format!("{hint}; then the same command continues: {}", command_with(&[])))
        }
        Some(hint) => Some(hint.to_owned()),
        None => next_step(ended, job),
    };
    // While others go on, nothing has to be done, and an export goes on with nothing.
    let next = next.filter(|_| others.is_none() && !is_exported);
    if let Some(why) = &why {
        screen.say(&format!("\nstopped: {why}"));
    }
    screen.say(&last_words(report, next.as_deref()));
    if let Some(others) = others {
        screen.note(others);
    }
    screen.finish(&Event::RunFinished(Finished {
        exit: report.exit,
        reason: if error.is_some() && report.stop.is_none() { "error" } else { report.ended() },
        what: why.as_deref().unwrap_or_else(|| report.exit.meaning()),
        next: next.as_deref(),
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

/// Returns the next thing to do, with a command to paste if there is one. Returns `None` if nothing
/// is left to do, or after an internal error.
fn next_step(ended: &EndedStart, job: &JobConfig) -> Option<String> {
    let (report, stats) = (&ended.report, &ended.state.stats);
    let same = command_with(&[]);
    let text = match (report.exit, report.stop) {
        (ExitCode::Complete | ExitCode::Internal, _) => return None,
        (ExitCode::SomeWithoutVerdict, _) => next_without_verdict(report, job),
        (_, Some(StopReason::Account(account))) => {
            format!("{}; then the same command continues: {same}", advice_on_account(account))
        }
        (_, Some(StopReason::Certificate | StopReason::NoTls)) => format!(
            "check --base-url, --ca-cert and HTTPS_PROXY; then the same command continues: {same}"
        ),
        (_, Some(StopReason::OutOfQuota)) => {
            format!("buy more calls from the vendor; then the same command continues: {same}")
        }
        (_, Some(StopReason::Budget(BudgetLimit::Charges))) => {
            format!(
                "to continue with a higher budget: {}",
                command_with(&raised_budget(ended, job))
            )
        }
        (_, Some(StopReason::Budget(BudgetLimit::Calls))) => {
            format!("look at the output; to make all calls that are left: {}", without_limit(ended))
        }
        (_, Some(StopReason::Mismatches)) => format!(
            "check that the columns are the right ones; to continue anyway: {}",
            command_with(&[without_brake()])
        ),
        (_, Some(StopReason::RefusalsInRow)) => format!(
            "see ck_status and ck_reason in the partial output; then the same command continues: {same}"
        ),
        (_, Some(StopReason::LostAnswers)) if stats.lost.unreadable > 0 => {
            format!("first correct the cause; then the same command continues: {same}")
        }
        _ => format!("the same command continues: {same}"),
    };
    Some(text)
}

/// Returns the next thing to do about a finished run with rows that have no verdict.
fn next_without_verdict(report: &RunReport, job: &JobConfig) -> String {
    let rows = |outcome| report.written.map_or(0, |rows| rows.outcomes.get(outcome));
    let doubts = report.spending.tally.possible.in_doubt + report.funnel.in_doubt;
    // A run with a name is done once: a new one needs another name, or none.
    let anew = |mut changes: Vec<Change>| {
        if job.once.is_some() {
            changes.push(Change::LeaveOut("--once"));
        }
        command_with(&changes)
    };
    let again = match rows(Outcome::Unavailable) {
        0 => String::new(),
        _ => format!("to send the unavailable rows again, in a new run: {}", anew(Vec::new())),
    };
    if doubts > 0 {
        let resend = anew(vec![Change::Set("--in-doubt", Some("resend".to_owned()))]);
        let again = if again.is_empty() { again } else { format!("{again}; ") };
        return format!(
            "{again}ask the vendor about the rows in doubt; to send them again (you may pay twice): {resend}"
        );
    }
    if !again.is_empty() {
        return again;
    }
    "correct the rows that need a result (see ck_reason), and run the file again".to_owned()
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
