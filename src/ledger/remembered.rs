//! The vendor's limits that a ledger remembers, as the text that it stores for an account.
//!
//! Must hold: a text that this version does not understand is as if nothing was stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::attempt::WallMs;
use crate::model::hex::hex;
use crate::rules::rate::{Learned, Remembered, Window};

/// Begin of the names under which the texts are stored. The rest is the account.
pub(super) const NAMES: &str = "rate ";

/// Returns the name under which the text of an account is stored.
pub(super) fn name_of(account: &[u8; 16]) -> String {
    format!("{NAMES}{}", hex(account))
}

#[derive(Serialize, Deserialize)]
struct Stored {
    at_ms: i64,
    ceiling: Option<f64>,
    window_seconds: Option<f64>,
    window_calls: Option<f64>,
    passed: Option<f64>,
}

/// Returns the text to be stored.
pub(super) fn to_text(remembered: Remembered) -> String {
    let Remembered { learned: Learned { ceiling, window, passed }, at } = remembered;
    let stored = Stored {
        at_ms: at.0,
        ceiling,
        window_seconds: window.map(|window| window.span.as_secs_f64()),
        window_calls: window.map(|window| window.calls),
        passed,
    };
    serde_json::to_string(&stored).unwrap_or_default()
}

/// Reads a text that was stored.
pub(super) fn from_text(text: &str) -> Option<Remembered> {
    let stored: Stored = serde_json::from_str(text).ok()?;
    let usable = |number: Option<f64>| number.filter(|number| *number > 0.0 && number.is_finite());
    let span = usable(stored.window_seconds).and_then(|s| Duration::try_from_secs_f64(s).ok());
    let window = span.zip(usable(stored.window_calls));
    let learned = Learned {
        ceiling: usable(stored.ceiling),
        window: window.map(|(span, calls)| Window { span, calls }),
        passed: usable(stored.passed),
    };
    Some(Remembered { learned, at: WallMs(stored.at_ms) })
}

/// Returns the latest of several texts.
pub(super) fn latest<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Remembered> {
    texts.into_iter().filter_map(from_text).max_by_key(|remembered| remembered.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written() {
        let window = Window { span: Duration::from_secs(60), calls: 2998.0 };
        let learned = Learned { ceiling: Some(198.25), window: Some(window), passed: None };
        let remembered = Remembered { learned, at: WallMs(7) };
        assert_eq!(from_text(&to_text(remembered)), Some(remembered));
        for wrong in ["", "{}", "null", r#"{"at_ms":1,"ceiling":"x"}"#] {
            assert_eq!(from_text(wrong), None, "{wrong}");
        }
        let odd = r#"{"at_ms":1,"ceiling":-5,"window_seconds":1e400,"window_calls":0,"passed":0}"#;
        assert!(from_text(odd).is_none_or(|odd| odd.learned == Learned::default()));
    }

    #[test]
    fn the_latest_counts() {
        let text = |at, ceiling| {
            let learned = Learned { ceiling: Some(ceiling), ..Learned::default() };
            to_text(Remembered { learned, at: WallMs(at) })
        };
        let texts = [text(5, 50.0), text(9, 90.0), "?".to_owned(), text(7, 70.0)];
        let found = latest(texts.iter().map(String::as_str));
        assert_eq!(found.and_then(|found| found.learned.ceiling), Some(90.0));
    }
}
