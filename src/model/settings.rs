//! The settings of a start, as its ledger and its summary record them.
//!
//! Must hold: a field is never renamed, because ledgers keep it for years. A field that an earlier
//! version did not have has a default.
//!
//! Never: contains a secret, or a text of the user's file such as a header or the name of a sheet:
//! they may be those of a customer.

use serde::{Deserialize, Serialize};

use super::money::{Currency, Price};

/// Settings of a start. Durations are in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "flags, as they were given")]
pub struct Settings {
    /// Way in which the file was read.
    pub reading: Reading,
    /// True if the file was sent in spite of signs of damage.
    pub force: bool,
    /// Form of the requests: `json`, `form`, or `auto` if the run found out.
    pub body: String,
    /// Calls per second that were asked for: a number, `auto` or `unlimited`.
    pub rate: String,
    /// Most calls per second; `None` if there was no limit.
    pub rate_max: Option<f64>,
    /// Most calls in flight.
    pub concurrency: u64,
    /// Most failed tries of a pair.
    pub max_attempts: u8,
    /// First back-off.
    pub backoff_seconds: f64,
    /// Longest time of a call.
    pub timeout_seconds: f64,
    /// Longest time without an answer of the source.
    pub max_outage_seconds: f64,
    /// Time after which no call was started (RFC 3339).
    pub deadline: Option<String>,
    /// Price of a charged call in minor units, without tax.
    pub price: Option<u64>,
    /// Currency of the price.
    pub currency: Option<String>,
    /// Tax on top of the price: a rate such as `11%`, or `ppn`.
    pub tax: Option<String>,
    /// Most charged calls of the run, by `--max-charges` and `--max-cost`.
    pub max_charges: Option<u64>,
    /// Most calls of the start (`--limit`).
    pub max_calls: Option<u64>,
    /// Percentage of mismatches among the first results above which the run was to stop.
    pub stop_if_mismatch_over: Option<u8>,
    /// Greatest age of an answer that was used again.
    pub reuse_seconds: f64,
    /// Age from which "not sure" and "failed" were asked for again.
    pub reask_after_seconds: f64,
    /// True if pairs in doubt of earlier runs were sent again.
    pub resend_doubts: bool,
    /// True if pairs that an earlier run ended as refused were sent again.
    pub retry_refused: bool,
    /// True if the run had a name (`--once`).
    pub once: bool,
    /// True if the start only helped (`--join`).
    pub join: bool,
    /// True if the output was a CSV for a spreadsheet (`--excel`).
    pub excel: bool,
    /// Zone of the times that people read: a name of the IANA database, or an offset from UTC.
    pub time_zone: String,
}

/// Way in which a file was read: enough to read it in the same way again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "flags, as they were given")]
pub struct Reading {
    /// Encoding of a text; `None` for a workbook.
    pub encoding: Option<String>,
    /// Character between two fields of a text; `None` for a workbook.
    pub delimiter: Option<char>,
    /// Number of a workbook's sheet among all its sheets, from 1. `None` for a text, and for several
    /// sheets of results of this program that are one table.
    pub sheet: Option<usize>,
    /// True if the file has a header.
    pub header: bool,
    /// Number of records above the header.
    pub titles: usize,
    /// Number of the NIK column, from 1.
    pub id_column: usize,
    /// Number of the name column, from 1.
    pub name_column: usize,
    /// True if rows that the workbook hides were left out.
    pub visible_rows: bool,
    /// True if NIKs that end in 0000 were sent.
    pub send_truncated: bool,
    /// True if NIKs whose birth date does not exist were sent.
    pub send_odd_dates: bool,
}

impl Settings {
    /// Reads the settings that a start recorded; `None` if the text is not readable.
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the price of a charged call, if the start knew one.
    pub fn price(&self) -> Option<Price> {
        let currency = Currency::parse(self.currency.as_deref()?).ok()?;
        Some(Price { per_call: self.price?, currency })
    }

    /// Returns the flags about money, as they are typed, with `most` as the limit of charged calls.
    pub fn money_flags(&self, most: Option<u64>) -> String {
        let price = self.price().map(|price| format!(" --price {}", price.plain(1)));
        let currency = self.currency.as_deref().filter(|code| *code != "IDR" && price.is_some());
        let currency = currency.map(|code| format!(" --currency {code}"));
        let tax = self.tax.as_deref().map(|tax| format!(" --tax {tax}"));
        let most = most.map(|most| format!(" --max-charges {most}"));
        [price, currency, tax, most].into_iter().flatten().collect()
    }

    /// Returns the settings as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_were_written() {
        let reading = Reading { delimiter: Some(';'), id_column: 2, ..Reading::default() };
        let settings = Settings { reading, price: Some(1500), ..Settings::default() };
        assert_eq!(Settings::from_json(&settings.to_json()), Some(settings));
        // Fields of later versions are passed over, and those that are missing have a default.
        let known = Settings::from_json(r#"{"time_zone":"Asia/Jakarta","of_version_9":1}"#);
        assert_eq!(known.map(|known| known.time_zone).as_deref(), Some("Asia/Jakarta"));
        assert_eq!(Settings::from_json("?"), None);
    }
}
