//! The reason why a start stopped, and the next thing to do, for people.
//!
//! Must hold: the text names the cause that this start found, and each command in it can be pasted.
//!
//! Never: advises to go on at once while answers cannot be read, since further answers would be
//! lost in the same way.

use super::command_line::command_with;
use super::run::finish::EndedStart;
use crate::engine::{LostAnswers, Stats};
use crate::model::class::AccountStop;
use crate::model::exit_code::ExitCode;
use crate::model::outcome::Outcome;
use crate::model::stop::{BudgetLimit, Signal, StopReason};
use crate::output::{RunReport, count, last_words};
use crate::term::Screen;

/// Shows the last words of a start. All other work must be done before, because nobody may be
/// reading standard error.
pub(super) fn say_last_words(ended: &EndedStart, resends_doubts: bool, screen: &Screen) {
    let EndedStart { report, state, others, is_exported, .. } = ended;
    if let Some(stop) = report.stop {
        screen.say(&format!("\nstopped: {}", stop_reason_text(stop, &state.stats)));
    }
    let next = next_step(report, &state.stats, resends_doubts);
    // While others go on, nothing has to be done, and an export goes on with nothing.
    let next = next.filter(|_| others.is_none() && !is_exported);
    screen.say(&last_words(report, next.as_deref()));
    if let Some(others) = others {
        screen.say(others);
    }
}

/// Returns the reason why a start stopped.
fn stop_reason_text(stop: StopReason, stats: &Stats) -> String {
    let failure = stats.last_failure.as_deref().unwrap_or("no cause is known");
    let words = match stop {
        StopReason::Account(AccountStop::Unauthorized) => {
            "the vendor does not accept the credentials (UNAUTHORIZED): look at CEKNIK_API_ID and \
             CEKNIK_API_SECRET"
        }
        StopReason::Account(AccountStop::KeyExpired) => "the key has expired (KEY_EXPIRED)",
        StopReason::Account(AccountStop::NoPermission) => {
            "the account may not use this endpoint (NO_PERMISSION): ask the vendor"
        }
        StopReason::Account(AccountStop::NotFound) => {
            "the address is not the vendor's (404): look at --base-url"
        }
        StopReason::Account(AccountStop::Redirect) => {
            "the address answers with a redirect, which is never followed: look at --base-url"
        }
        StopReason::Account(AccountStop::Proxy) => {
            let answer = stats.proxy_answer.as_deref().unwrap_or(failure);
            return format!(
                "a proxy or gateway refuses us: {answer}; look at HTTPS_PROXY, and ask who runs it"
            );
        }
        StopReason::Certificate => return format!("no connection to the vendor: {failure}"),
        StopReason::NoTls => {
            return format!(
                "no connection to the vendor: {failure}; look at --base-url and at the proxy"
            );
        }
        StopReason::OutOfQuota => "the account's quota is used up (OUT_OF_QUOTA)",
        StopReason::Budget(BudgetLimit::Charges) => {
            "the next call could pass the budget (--max-charges, --max-cost)"
        }
        StopReason::Budget(BudgetLimit::Calls) => "the calls of this start are made (--limit)",
        StopReason::Deadline => "the deadline has come",
        StopReason::SourceDown => "the source was down for longer than --max-outage",
        StopReason::Unreachable => {
            return format!(
                "the vendor could not be reached for longer than --max-outage: {failure}"
            );
        }
        StopReason::Throttled => "the vendor asked to slow down for longer than --max-outage",
        StopReason::RefusalsInRow => {
            "20 rows in a row were refused: something is wrong with us, not with the customers; \
             see ck_status and ck_reason in the partial output"
        }
        StopReason::LostAnswers => return lost_answers_text(stats),
        StopReason::Mismatches => {
            "too many of the first 200 verdicts are mismatches (--stop-if-mismatch-over): each was \
             charged, and so would the rest be; is it the right column?"
        }
        StopReason::Interrupted(Signal::Interrupt) => "interrupted",
        StopReason::Interrupted(Signal::Terminate) => "terminated",
        StopReason::Interrupted(Signal::HangUp) => "the terminal is gone",
        StopReason::InputChanged => "the input changed while it was read",
        StopReason::InputUnreadable => "the input can no longer be read",
        StopReason::TakenOver => {
            "the connection to the ledger was lost, and meanwhile another command has used it"
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
        (unreadable, format!("came and could not be read ({told})")),
        (late, "did not come in time".to_owned()),
        (cut, "broke off with the connection".to_owned()),
        (otherwise, "were a gateway's time-out or another call's answer".to_owned()),
    ];
    let ways = ways.into_iter().filter(|(answers, _)| *answers > 0);
    let ways: Vec<_> = ways.map(|(n, what)| format!("{} {what}", count(n, "answer"))).collect();
    let most = late.max(cut).max(unreadable).max(otherwise);
    let advice = match most {
        _ if most == unreadable => "find out what answers there, and ask the vendor",
        _ if most == late => "look at the network, and keep --timeout above the vendor's own",
        _ => "look at the network, and ask the vendor",
    };
    format!("{}; each of them may have been charged: {advice}", ways.join(", "))
}

/// Returns the next thing to do, with a command to paste if there is one. Returns `None` if nothing
/// is left to do, or after an internal error. `resends_doubts` is true if the run sends rows in
/// doubt again.
fn next_step(report: &RunReport, stats: &Stats, resends_doubts: bool) -> Option<String> {
    let same = command_with(&[]);
    let is_unavailable =
        report.written.is_some_and(|rows| rows.outcomes.get(Outcome::Unavailable) > 0);
    let doubts = report.spending.tally.possible.in_doubt + report.funnel.in_doubt;
    let text = match (report.exit, report.stop) {
        (ExitCode::Complete | ExitCode::Internal, _) => return None,
        (ExitCode::SomeWithoutVerdict, _) if doubts > 0 => {
            let resend = if resends_doubts { "" } else { " --in-doubt resend" };
            format!(
                "ask the vendor about the rows in doubt; to send them again, perhaps paying \
                 twice: {same}{resend}"
            )
        }
        (ExitCode::SomeWithoutVerdict, _) if is_unavailable => format!(
            "the same command asks the rows that were unavailable again, in a new run: {same}"
        ),
        (ExitCode::SomeWithoutVerdict, _) => {
            "mend the rows without a verdict (see ck_reason), and run the file again".to_owned()
        }
        (_, Some(StopReason::Budget(BudgetLimit::Charges))) => {
            format!("to go on, raise --max-charges or --max-cost: {same}")
        }
        (_, Some(StopReason::Mismatches)) => format!(
            "look at the columns; to go on all the same, raise --stop-if-mismatch-over or leave it \
             out: {same}"
        ),
        (_, Some(StopReason::LostAnswers)) if stats.lost.unreadable > 0 => {
            format!("first have the cause mended; then the same command goes on from here: {same}")
        }
        _ => format!("the same command goes on from here: {same}"),
    };
    Some(text)
}
