//! `ceknik status RUN`: one run in full, with its starts, stops and pauses, its cost at the recorded
//! prices, and what is left.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::show::{in_json, stamp, to_json};
use crate::error::Error;
use crate::ledger::{RunId, RunRecord, ShowLedger, StartRecord, StartSums};
use crate::model::attempt::{StartId, WallMs};
use crate::model::costs::Costs;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_digits;
use crate::model::money::{Price, Tally, number, price_in_brackets};
use crate::model::pause::Pause;
use crate::model::settings::Settings;
use crate::model::stop::StopReason;
use crate::model::zone::Zone;
use crate::output::count;

/// Version of the shape as JSON.
const VERSION: u32 = 1;
/// Form of a time for people.
const SECONDS: &str = "%F %H:%M:%S";
/// Largest number of pauses of a start that are listed for people.
const SHOWN_PAUSES: usize = 10;

/// Rows or pairs of a run that are still to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing: the run has finished.
    Nothing,
    /// Nothing: another run has taken over what this one had.
    TakenOver,
    /// This number of rows, as the output of the latest start says.
    Rows(u64),
    /// At most this number of pairs: the latest start was killed, or is under way.
    Pairs(u64),
    /// It is not known: an earlier version made the run.
    Unknown,
}

impl Left {
    fn of(shown: &Shown) -> Self {
        let record = &shown.record;
        match record.state.as_str() {
            "finished" => return Self::Nothing,
            "superseded" => return Self::TakenOver,
            _ => {}
        }
        let Some(last) = record.starts.last() else { return Self::Unknown };
        let ended_pairs = shown.sums_of(last).ended_pairs;
        let rows = last.summary_number("/outcomes/not_sent");
        let planned = last.survey_number("/funnel/to_send");
        match (rows, planned) {
            (Some(rows), _) => Self::Rows(rows),
            (None, Some(pairs)) => Self::Pairs(pairs.saturating_sub(ended_pairs)),
            (None, None) => Self::Unknown,
        }
    }

    fn in_words(self) -> String {
        match self {
            Self::Nothing => "nothing to send in this run".to_owned(),
            Self::TakenOver => {
                "nothing: the file was changed, and a later run continues this one".to_owned()
            }
            Self::Rows(rows) => format!("{} not sent yet", count(rows, "row")),
            Self::Pairs(pairs) => {
                format!("at most {} to be sent", count(pairs, "row"))
            }
            Self::Unknown => "not recorded: an older version of ceknik made the run".to_owned(),
        }
    }

    fn as_json(self) -> Value {
        match self {
            Self::Nothing | Self::TakenOver => json!({"rows": 0}),
            Self::Rows(rows) => json!({"rows": rows}),
            Self::Pairs(pairs) => json!({"pairs_at_most": pairs}),
            Self::Unknown => Value::Null,
        }
    }
}

/// Returns the text about one run. `given` is the price of sessions without a recorded one.
///
/// # Errors
/// Exit code 10: the ledger has no such run.
pub(super) fn show(
    ledger: &impl ShowLedger,
    run: RunId,
    json: bool,
    given: Option<Price>,
    zone: &Zone,
) -> Result<String, Error> {
    let record = ledger.run_record(run)?.ok_or_else(|| {
        let what = format!("the ledger has no run {}", run.0);
        Error::new(ExitCode::Input, what, "`ceknik status --all` lists the runs")
    })?;
    let shown = Shown { sums: ledger.start_sums(run)?, record, given };
    match json {
        true => to_json(&as_json(&shown, zone)),
        false => Ok(as_text(&shown, zone)),
    }
}

/// A run with the sums over its attempts.
struct Shown {
    record: RunRecord,
    sums: BTreeMap<StartId, StartSums>,
    /// Price of starts that recorded none.
    given: Option<Price>,
}

impl Shown {
    fn sums_of(&self, start: &StartRecord) -> StartSums {
        self.sums.get(&start.id).copied().unwrap_or_default()
    }

    fn tally(&self) -> Tally {
        self.sums.values().fold(Tally::default(), |sum, of_start| sum + of_start.tally)
    }

    fn unsettled(&self) -> u64 {
        self.sums.values().map(|of_start| of_start.unsettled).sum()
    }

    /// Returns the costs. A call that has no answer yet counts as in doubt.
    fn costs(&self) -> Costs {
        let mut costs = Costs::default();
        for start in &self.record.starts {
            let StartSums { tally, unsettled, .. } = self.sums_of(start);
            let price = start.price().or_else(|| self.given.clone());
            costs.add(&tally.with_open(unsettled), price.as_ref());
        }
        costs
    }

    /// Formats the costs that the latest summary recorded; an empty text if there is none.
    fn recorded_costs(&self) -> String {
        let Some((n, start)) =
            (1..).zip(&self.record.starts).filter(|(_, s)| s.summary.is_some()).last()
        else {
            return String::new();
        };
        let number_of = |name: &str| start.summary_number(&format!("/spending/{name}"));
        let (Some(least), Some(most)) = (number_of("owed_at_least"), number_of("owed_at_most"))
        else {
            return String::new();
        };
        let money = |calls| price_in_brackets(start.price().as_ref(), calls);
        format!(
            "            the summary of session {n} says: at least {}{}, at most {}{}\n",
            number(least),
            money(least),
            number(most),
            money(most)
        )
    }

    /// Returns the number of calls whose answers were removed since (`ceknik purge`), as far as the
    /// ledger and the summaries tell.
    fn purged(&self) -> u64 {
        self.record.purged(self.tally().calls, &self.sums)
    }
}

fn as_json(shown: &Shown, zone: &Zone) -> Value {
    let stamp = |at| stamp(at, zone);
    let Shown { record, .. } = shown;
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let pause = |pause: &Pause| {
        json!({
            "kind": pause.kind.word(), "from": stamp(pause.at), "until": pause.until.map(stamp),
            "rate": pause.rate,
        })
    };
    let start = |(n, start): (usize, &StartRecord)| {
        let (notes, sums) = (start.notes.as_ref(), shown.sums_of(start));
        json!({
            "start": n + 1, "host": start.host, "began_at": stamp(start.began_at),
            "ended_at": start.ended_at.map(stamp), "stop": start.stop, "exit": start.exit,
            "program_version": notes.map(|notes| &notes.version),
            "operator": notes.map(|notes| &notes.operator),
            "input_sha256": notes.map(|notes| &notes.input_sha256),
            "tally": sums.tally, "unsettled": sums.unsettled,
            "pauses": start.pauses.iter().map(pause).collect::<Vec<_>>(),
            "settings": notes.map(|notes| parsed(&notes.settings)),
            "survey": notes.map(|notes| parsed(&notes.survey)),
            "summary": start.summary.as_deref().map(parsed),
        })
    };
    let costs = shown.costs();
    let amounts: Vec<_> = costs
        .amounts()
        .map(|amount| {
            json!({
                "currency": amount.currency.code(), "owed_at_least": in_json(amount.at_least),
                "owed_at_most": in_json(amount.at_most),
            })
        })
        .collect();
    json!({
        "version": VERSION, "run": record.id.0, "input": mask_digits(&record.label),
        "rows": record.rows, "state": record.state, "began_at": stamp(record.created_at),
        "ended_at": record.ended_at.map(stamp), "left": Left::of(shown).as_json(),
        "tally": shown.tally(), "unsettled": shown.unsettled(), "purged_calls": shown.purged(),
        "money": amounts,
        "calls_without_a_price": costs.unpriced.at_most(),
        "starts": record.starts.iter().enumerate().map(start).collect::<Vec<_>>(),
    })
}

fn as_text(shown: &Shown, zone: &Zone) -> String {
    let (record, time) = (&shown.record, |at| zone.show(at, SECONDS));
    let ended = record.ended_at.map_or_else(|| "not yet".to_owned(), time);
    let mut text = format!(
        "run {}  {}\n  state     {}\n  rows      {}\n  began     {}\n  ended     {ended}\n  left      {}\n",
        record.id.0,
        mask_digits(&record.label),
        record.state,
        number(record.rows),
        zone.show(record.created_at, "%F %H:%M:%S (UTC%:z)"),
        Left::of(shown).in_words(),
    );
    text += &cost_words(shown);
    for (n, start) in (1..).zip(&record.starts) {
        text += &start_words(n, start, shown.sums_of(start), zone);
    }
    text
}

fn cost_words(shown: &Shown) -> String {
    let (tally, costs) = (shown.tally(), shown.costs());
    let possible = tally.possible;
    let mut text = format!("  calls     {}\n", number(tally.calls));
    let bracket = |money: String| if money.is_empty() { money } else { format!(" ({money})") };
    let (least, most) = (bracket(costs.show_at_least()), bracket(costs.show_at_most()));
    let charged = |calls| count(calls, "charged call");
    let at_most = tally.with_open(shown.unsettled()).at_most();
    text += "  you owe   ";
    if shown.purged() > 0 {
        let calls = count(shown.purged(), "call");
        text += &format!("not known: `ceknik purge` has removed the answers of {calls}\n");
        text += &shown.recorded_costs();
        text += "            of this, the ledger still has:\n            ";
    }
    text += &format!("at least {}{least}\n", charged(tally.at_least()));
    text += &format!("            at most  {}{most}\n", charged(at_most));
    for (calls, what) in [
        (possible.in_doubt, "in doubt: no answer came"),
        (possible.unknown_code, "with an answer that is not documented"),
        (possible.gateway, "answered by a gateway with an error"),
    ] {
        if calls > 0 {
            text += &format!("  possible  {} {what}\n", number(calls));
        }
    }
    if shown.unsettled() > 0 {
        let calls = count(shown.unsettled(), "call");
        text += &format!(
            "  open      {calls} without an answer, in \"at most\": under way, or in doubt when the file is run again\n"
        );
    }
    if costs.has_unpriced() {
        let calls = count(costs.unpriced.at_most(), "call");
        text += &format!("  no price  {calls} of sessions without --price: give it to `status`\n");
    }
    text
}

fn start_words(n: u64, start: &StartRecord, sums: StartSums, zone: &Zone) -> String {
    let time = |at| zone.show(at, SECONDS);
    let end = match (start.ended_at, start.exit) {
        (Some(at), Some(exit)) => {
            let why = start.stop.as_deref().map(StopReason::in_words);
            let why = why.map(|why| format!(", stopped: {why}")).unwrap_or_default();
            format!("{} (exit {exit}{why})", time(at))
        }
        _ => "no end: killed, or under way".to_owned(),
    };
    let tally = sums.tally;
    let mut text = format!(
        "\nsession {n}\n  from      {}\n  to        {end}\n  calls     {}, {} charged, {} possible\n",
        time(start.began_at),
        number(tally.calls),
        number(tally.confirmed),
        number(tally.possible.total()),
    );
    if let Some(host) = &start.host {
        text += &format!("  machine   {host}\n");
    }
    match &start.notes {
        Some(notes) => {
            text += &format!("  by        {}, ceknik {}\n", notes.operator, notes.version);
        }
        None => text += "  by        not recorded\n",
    }
    if let Some(settings) = start.settings() {
        text += &format!("  with      {}\n", settings_words(&settings));
    }
    text + &pauses_words(start, zone)
}

/// Formats the settings that people ask for first.
fn settings_words(settings: &Settings) -> String {
    let money = settings.money_flags(settings.max_charges);
    let limit = settings.max_calls.map(|most| format!(" --limit {most}")).unwrap_or_default();
    format!("--rate {}{money}{limit}", settings.rate)
}

fn pauses_words(start: &StartRecord, zone: &Zone) -> String {
    let mut text = String::new();
    for pause in start.pauses.iter().take(SHOWN_PAUSES) {
        let clock = |at| zone.show(at, "%H:%M:%S");
        let until = pause.until.or(start.ended_at);
        let end = until.map_or_else(|| "the end".to_owned(), clock);
        let span = until.map(|until| seconds(pause.at, until)).unwrap_or_default();
        text += &format!(
            "  paused    {} to {end}{span}: {}\n",
            zone.show(pause.at, SECONDS),
            pause.kind.in_words()
        );
    }
    if start.pauses.len() > SHOWN_PAUSES {
        let more = count((start.pauses.len() - SHOWN_PAUSES) as u64, "more pause");
        text += &format!("            … {more} (--json)\n");
    }
    text
}

fn seconds(from: WallMs, until: WallMs) -> String {
    format!(", {} s", until.0.saturating_sub(from.0).max(0) / 1000)
}
