//! The forecast as text for people, which `run` and `plan` show before the first call, and the
//! other texts of `plan`.

use super::{count, duration};
use crate::model::exit_code::ExitCode;
use crate::model::finding::{Finding, Skipped, Spot};
use crate::model::funnel::{Ages, Funnel};
use crate::model::money::{number, price_in_brackets};
use crate::rules::estimate::{Basis, Fit};
use crate::rules::forecast::Forecast;

/// Formats the forecast: the number of rows by what will be done with them, the charges, the
/// budget, and at the end the price and the time, which stay on the screen. `stop` is the row at
/// which the budget would end the run.
pub fn forecast_words(forecast: &Forecast, stop: Option<&Spot>) -> String {
    let fit = forecast.fit.as_ref();
    let budget = fit.map(|fit| budget(fit, forecast, stop)).unwrap_or_default();
    funnel(forecast) + &charged(forecast) + &budget + &price(forecast) + &time(forecast)
}

fn funnel(forecast: &Forecast) -> String {
    let Funnel { rows, rejected, duplicates, reused, in_doubt, done, to_send } = forecast.funnel;
    let mut text = format!("rows       {:>12}\n", number(rows));
    text += &part(rejected, "rejected by ceknik itself, not sent");
    for (reason, rows) in forecast.rejections.iter() {
        text += &detail(rows, reason.code());
    }
    text += &part(duplicates, "duplicates of a row above, sent once");
    text += &part(reused, "answered in an earlier run, not paid again");
    let Ages { under_1_day, days_1_to_7, days_8_to_30, older } = forecast.ages;
    text += &detail(under_1_day, "less than a day");
    text += &detail(days_1_to_7, "1 to 7 days");
    text += &detail(days_8_to_30, "8 to 30 days");
    text += &detail(older, "more than 30 days");
    text +=
        &part(in_doubt, "in doubt, not sent again (--in-doubt resend sends those of earlier runs)");
    text += &part(done, "already done in this run");
    text + &format!("to send    {:>12}\n", number(to_send))
}

fn part(rows: u64, what: &str) -> String {
    if rows > 0 { format!("  {:>19}  {what}\n", number(rows)) } else { String::new() }
}

fn detail(rows: u64, what: &str) -> String {
    if rows > 0 { format!("{:25}{what:<21} {:>10}\n", "", number(rows)) } else { String::new() }
}

fn charged(forecast: &Forecast) -> String {
    let (charges, saved) = (&forecast.charges, forecast.funnel.saved());
    if charges.at_most == 0 && saved == 0 {
        return String::new();
    }
    let price = forecast.price.as_ref();
    let amount = |shown: String| format!("{shown:>18}");
    let unit = price.map(|price| amount(format!("at {}", price.show(1)))).unwrap_or_default();
    let line = |label: &str, calls: u64, why: &str| {
        let money = price.map(|price| amount(price.show(calls))).unwrap_or_default();
        let line = format!("  {label:<9}{:>12}{money}  {why}", number(calls));
        format!("{}\n", line.trim_end())
    };
    let mut text = format!("charged    {:>12}{unit}\n", "calls");
    if charges.at_most > 0 {
        text += &line("at least", charges.at_least, "if no call is charged");
        match charges.expected {
            None => {
                text += "  expected      unknown  no earlier answers to estimate from\n";
            }
            Some(expected) => {
                text += &line("expected", expected.calls, &basis(forecast.basis));
                if expected.low != expected.high {
                    text += &line("  from", expected.low, "95 % interval of that share");
                    text += &line("  to", expected.high, "");
                }
            }
        }
        text += &line("at most", charges.at_most, "if every call is charged");
    }
    if saved > 0 {
        text += &line(
            "saved",
            saved,
            "at most: duplicates and answers of earlier runs, not paid again",
        );
    }
    text
}

fn basis(basis: Basis) -> String {
    match basis {
        Basis::Nothing => String::new(),
        Basis::Given(share) => format!("{:.1} %, as given by --charge-share", share.percent()),
        Basis::History(history) => {
            let answers = count(history.answers, "answer");
            format!("{:.1} % of the ledger's latest {answers} were charged", history.percent())
        }
    }
}

/// Formats the highest price of the start.
fn price(forecast: &Forecast) -> String {
    let Forecast { charges, price, tax, .. } = forecast;
    if charges.at_most == 0 {
        return String::new();
    }
    let most = forecast.most_charges();
    let calls = count(most, "charged call");
    let Some(price) = price else {
        return format!("price      not set (--price): at most {calls}\n");
    };
    let mut text =
        format!("price      at most {}: {calls} at {}\n", price.show(most), price.show(1));
    if let Some(tax) = tax {
        let (name, with_tax) = (tax.name(), price.show_with_tax(most, *tax));
        text += &format!("           with {name} at most {with_tax}\n");
    }
    text
}

fn time(forecast: &Forecast) -> String {
    let pace = &forecast.pace;
    let (Some(rate), Some(seconds)) = (pace.rate, pace.seconds.filter(|s| *s > 0)) else {
        return String::new();
    };
    let long = duration(seconds);
    let mut text = format!("time       about {long} or more at {rate} calls/s");
    if let Some(finish) = &pace.finish {
        text += &format!("; if you start now, done {finish} or later");
    }
    text += "\n";
    if let Some((nights, night)) = pace.nights {
        let night = duration(night);
        text += &format!("           {} of {night}\n", count(nights, "night"));
    }
    text
}

fn budget(fit: &Fit, forecast: &Forecast, stop: Option<&Spot>) -> String {
    let money = price_in_brackets(forecast.price.as_ref(), fit.remaining);
    if fit.remaining == 0 && fit.stops_after.is_some() {
        let all = number(fit.max_charges);
        return format!("budget     not enough: used up, no charged call is left of {all}\n");
    }
    let left = count(fit.remaining, "charged call");
    let room = format!("{left}{money} left of {}", number(fit.max_charges));
    let Some(after) = fit.stops_after else { return format!("budget     enough: {room}\n") };
    let at =
        stop.map(|at| format!(", at customer {} (line {})", number(at.record), number(at.line)));
    let (needed, calls) = (number(forecast.funnel.to_send), count(after, "call"));
    format!(
        "budget     not enough: {room}, and up to {needed} are needed\n           if every call is charged, the run \
         stops after {calls}{}\n",
        at.unwrap_or_default()
    )
}

/// Formats the findings, each with its first places and its remedy. Findings about skipped records
/// are left out, because [`skipped_words`] formats them.
pub fn findings_words(findings: &[Finding]) -> String {
    let told = findings.iter().filter(|finding| !finding.code.ends_with("_skipped"));
    told.map(finding_words).collect()
}

fn finding_words(finding: &Finding) -> String {
    let Finding { class, code, count, of, message, hint, places } = finding;
    let share = 100.0 * *count as f64 / (*of).max(1) as f64;
    let share = match count < of {
        // It would be shown as 0.0 %.
        true if share < 0.05 => " (under 0.1 %)".to_owned(),
        true => format!(" ({share:.1} %)"),
        false => String::new(),
    };
    let mut text = format!("{}  {code}: {message}{share}\n", class.word());
    for Spot { line, record, cell, value } in places {
        let value = if value.is_empty() { "(empty)" } else { value };
        // A spreadsheet shows the line too, as the number of the cell.
        let line = match cell.trim_start_matches(|c: char| !c.is_ascii_digit()) {
            row if row == line.to_string() => String::new(),
            _ => format!(", line {line}"),
        };
        text += &format!("        cell {cell}{line} (customer {record}): {value}\n");
    }
    if *count > places.len() as u64 && !places.is_empty() {
        text += "        …\n";
    }
    text + &format!("      hint: {hint}\n")
}

/// Formats the numbers of records that are not rows. Returns an empty text if there are none.
pub fn skipped_words(skipped: &Skipped) -> String {
    let kinds = [
        (skipped.titles, "title row above the header", "title rows above the header"),
        (skipped.blank, "blank row", "blank rows"),
        (skipped.totals, "TOTAL row", "TOTAL rows"),
        (skipped.numbered, "row with only a number", "rows with only a number"),
    ];
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|(rows, ..)| *rows > 0)
        .map(|(rows, one, many)| format!("{} {}", number(rows), if rows == 1 { one } else { many }))
        .collect();
    if told.is_empty() { String::new() } else { format!("skipped    {}\n", told.join(", ")) }
}

/// Formats a note on the calls that have no answer yet. Returns an empty text for 0.
pub fn unsettled_words(calls: u64) -> String {
    match calls {
        0 => String::new(),
        1 => "note: 1 call in the ledger has no answer yet. The answer may still come, if a run is under way. This plan \
              counts the row as in doubt.\n"
            .to_owned(),
        n => format!(
            "note: {} calls in the ledger have no answer yet. The answers may still come, if a run is under way. This \
             plan counts the rows as in doubt.\n",
            number(n)
        ),
    }
}

/// Formats the question before the first call.
pub fn consent_question(forecast: &Forecast) -> String {
    let most = forecast.most_charges();
    let Funnel { rows, to_send, .. } = forecast.funnel;
    let rows = match to_send == rows {
        true => count(rows, "row"),
        false => format!("{} of {}", number(to_send), count(rows, "row")),
    };
    let cost = match (&forecast.price, forecast.tax) {
        (None, _) => "price not set".to_owned(),
        (Some(price), None) => format!("at most {}", price.show(most)),
        (Some(price), Some(tax)) => format!(
            "at most {}, with {} {}",
            price.show(most),
            tax.name(),
            price.show_with_tax(most, tax)
        ),
    };
    let calls = count(most, "charged call");
    format!(
        "\n{rows}: at most {calls}, {cost} (errors of a gateway can add a few)\nSend them? [y/N] "
    )
}

/// Formats the verdict of a plan, its last line or two. `stop` is the first finding that stops the
/// file, and `warnings` is the number of findings that are warnings.
pub fn verdict_words(
    exit: ExitCode,
    forecast: &Forecast,
    stop: Option<&Finding>,
    warnings: u64,
) -> String {
    match (exit, stop) {
        (ExitCode::Input, Some(finding)) => format!(
            "stopped    `ceknik run` will not send this file ({}); nothing is charged\n           fix the problem \
             above; to send the file anyway: --force\n",
            finding.code
        ),
        _ if forecast.braked => {
            "stopped    too many of the run's first results are mismatches (--stop-if-mismatch-over)\n           \
             `ceknik run` sends no more rows: check the columns; to continue, raise the share or leave it out\n"
                .to_owned()
        }
        (ExitCode::Budget, _) => {
            "not enough `ceknik run` may stop before the end of the file\n           raise --max-charges or --max-cost; \
             or let it stop, and continue later\n"
                .to_owned()
        }
        _ => ready(forecast, warnings),
    }
}

/// Formats the verdict of a plan that can be run.
fn ready(forecast: &Forecast, warnings: u64) -> String {
    let Forecast { funnel, max_calls, .. } = forecast;
    let calls = match max_calls.filter(|limit| *limit < funnel.to_send) {
        Some(limit) => format!("{} of {} (--limit)", number(limit), count(funnel.to_send, "call")),
        None => count(funnel.to_send, "call"),
    };
    let warnings = match warnings {
        0 => String::new(),
        n => format!("; {} above", count(n, "warning")),
    };
    format!("ready      `ceknik run` with the same flags sends {calls}{warnings}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::FindingClass;
    use crate::model::money::{Currency, Price, Tally};
    use crate::model::row::{Rejection, RejectionCounts};
    use crate::model::tax::Tax;
    use crate::rules::estimate::{Charges, History};
    use crate::rules::forecast::Pace;

    fn forecast(to_send: u64) -> Forecast {
        let mut rejections = RejectionCounts::default();
        rejections.add(Rejection::NikEmpty);
        let basis = Basis::of(None, History { answers: 1000, charged: 930 });
        let price = Price { per_call: 1500, currency: Currency::parse("IDR").unwrap() };
        Forecast {
            funnel: Funnel {
                rows: to_send + 8,
                rejected: 1,
                duplicates: 2,
                reused: 4,
                in_doubt: 1,
                done: 0,
                to_send,
            },
            rejections,
            ages: Ages { under_1_day: 1, older: 3, ..Ages::default() },
            tally: Tally::default(),
            charges: Charges::of(to_send, basis),
            basis,
            price: Some(price),
            tax: Some(Tax::Ppn),
            max_calls: None,
            pace: Pace {
                rate: Some(10.0),
                seconds: Some(to_send / 10),
                finish: Some("05:12 (UTC+07:00)".to_owned()),
                nights: Some((4, 28_800)),
            },
            fit: Some(Fit::of(1000, 0, to_send)),
            braked: false,
        }
    }

    #[test]
    fn the_forecast_as_people_read_it() {
        let (cell, value) = (String::new(), String::new());
        let stop = Spot { line: 1042, record: 1041, cell, value };
        let expected = "\
rows          1 000 008
                    1  rejected by ceknik itself, not sent
                         nik_empty                      1
                    2  duplicates of a row above, sent once
                    4  answered in an earlier run, not paid again
                         less than a day                1
                         more than 30 days              3
                    1  in doubt, not sent again (--in-doubt resend sends those of earlier runs)
to send       1 000 000
charged           calls        at Rp1.500
  at least            0               Rp0  if no call is charged
  expected      930 000   Rp1.395.000.000  93.0 % of the ledger's latest 1000 answers were charged
    from        912 485   Rp1.368.727.500  95 % interval of that share
    to          944 224   Rp1.416.336.000
  at most     1 000 000   Rp1.500.000.000  if every call is charged
  saved               6           Rp9.000  at most: duplicates and answers of earlier runs, not paid again
budget     not enough: 1000 charged calls (Rp1.500.000) left of 1000, and up to 1 000 000 are needed
           if every call is charged, the run stops after 1000 calls, at customer 1041 (line 1042)
price      at most Rp1.500.000: 1000 charged calls at Rp1.500
           with 11 % PPN at most Rp1.665.000
time       about 1d 3h 46m 40s or more at 10 calls/s; if you start now, done 05:12 (UTC+07:00) or later
           4 nights of 8h
";
        assert_eq!(forecast_words(&forecast(1_000_000), Some(&stop)), expected);
        let nothing = forecast_words(&forecast(0), None);
        assert!(nothing.contains("to send               0\ncharged"), "{nothing}");
        assert!(!nothing.contains("if every call") && !nothing.contains("time"), "{nothing}");
        let budget = "budget     enough: 1000 charged calls (Rp1.500.000) left of 1000\n";
        assert!(nothing.ends_with(budget), "{nothing}");
        let question = consent_question(&forecast(286));
        let cost = "at most Rp429.000, with 11 % PPN Rp476.190";
        assert_eq!(
            question,
            format!(
                "\n286 of 294 rows: at most 286 charged calls, {cost} (errors of a gateway can add a few)\nSend \
                 them? [y/N] "
            )
        );
    }

    #[test]
    fn findings_and_skipped_rows() {
        let place =
            Spot {
                line: 1042, record: 1041, cell: "B1042".to_owned(), value: "3.27…".to_owned()
            };
        let finding = Finding {
            code: "file_scientific",
            class: FindingClass::Stop,
            count: 2,
            of: 8,
            message: "2 of 8 rows".to_owned(),
            hint: "export again",
            places: vec![place],
        };
        let expected = "\
stop  file_scientific: 2 of 8 rows (25.0 %)
        cell B1042 (customer 1041): 3.27…
        …
      hint: export again
";
        assert_eq!(findings_words(&[finding]), expected);
        let skipped = Skipped { titles: 1, blank: 1200, totals: 0, numbered: 3 };
        let told =
            "skipped    1 title row above the header, 1200 blank rows, 3 rows with only a number\n";
        assert_eq!(skipped_words(&skipped), told);
        assert_eq!(skipped_words(&Skipped::default()), "");
    }
}
