//! Money: the charge for a call, the sum of charges, and the notation of amounts.
//!
//! Must hold: amounts are integers in minor units. Only [`Price::amount`] uses floating point, for
//! the cell of a spreadsheet.

use serde::Serialize;

use super::tax::Tax;

/// Charge of the vendor for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charge {
    /// The call is on the invoice.
    Charged,
    /// The call is not on the invoice.
    Free,
    /// The call may be on the invoice. It is counted as possible.
    Unknown,
}

impl Charge {
    /// Returns the word for the `ck_charged` column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Charged => "yes",
            Self::Free => "no",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the code that the ledger stores.
    pub const fn code(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::Charged => 1,
            Self::Unknown => 2,
        }
    }
}

/// A currency, with the number of decimals that its amounts have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    code: String,
    decimals: u32,
}

impl Currency {
    /// Returns the number of decimals of an amount.
    pub const fn decimals(&self) -> u32 {
        self.decimals
    }

    /// Parses a three-letter code in upper or lower case. Rupiah, yen, won and dong have no
    /// decimals here. Every other currency has two.
    ///
    /// # Errors
    /// A message for the user if the code is not three ASCII letters.
    pub fn parse(code: &str) -> Result<Self, String> {
        if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err("not a three-letter currency code such as IDR".to_owned());
        }
        let code = code.to_ascii_uppercase();
        let decimals = match code.as_str() {
            "IDR" | "JPY" | "KRW" | "VND" => 0,
            _ => 2,
        };
        Ok(Self { code, decimals })
    }

    /// Parses an amount that a user typed, such as `1500` or `0.35`, and returns it in minor units.
    /// Everything that [`Self::show`] prints is read too. Marks between thousands are read only
    /// where they cannot mean decimals. An amount of rupiah may be in thousands or millions:
    /// `1,5rb`, `1,5jt`, `500 ribu`.
    ///
    /// # Errors
    /// A message for the user if the text is not a number or is negative, if its three decimals
    /// could mean thousands, if it has more decimals than the currency, or if the amount is too
    /// large.
    pub fn amount(&self, text: &str) -> Result<u64, String> {
        let number = self.without_mark(text);
        if self.decimals == 0
            && let Some(amount) = whole_amount(number, self.code == "IDR")
        {
            return Ok(amount);
        }
        let number = ungrouped(number).unwrap_or_else(|| number.to_owned());
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            let such = if self.code == "IDR" { "1500, Rp1.500 or 1,5rb" } else { "1500" };
            return Err(format!("{text:?} is not an amount such as {such}"));
        }
        // To most users here `1.500` is fifteen hundred. This parser would read one and a half.
        if fraction.len() == 3 {
            return Err(format!(
                "{text:?} could be thousands: write the amount without a point, such as 1500"
            ));
        }
        let decimals = self.decimals as usize;
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > decimals {
            return Err(format!("{text:?} has too many decimals: {} has {decimals}", self.code));
        }
        format!("{whole}{fraction:0<decimals$}")
            .parse()
            .map_err(|_| format!("the amount {text:?} is too large"))
    }

    /// Returns an amount without the code or the sign of the currency in front of it.
    fn without_mark<'a>(&self, text: &'a str) -> &'a str {
        let text = text.trim();
        let marks: &[&str] = if self.code == "IDR" { &["rp.", "rp", "idr"] } else { &[&self.code] };
        let begins = |mark: &&&str| {
            text.get(..mark.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(mark))
        };
        marks.iter().find(begins).map_or(text, |mark| text[mark.len()..].trim_start())
    }

    /// Formats an amount as people write it: `Rp1.234.567` for the rupiah, `USD 1 234.50`
    /// otherwise.
    pub fn show(&self, minor: u128) -> String {
        let unit = 10_u128.pow(self.decimals);
        let (whole, rest) = (minor / unit, minor % unit);
        if self.code == "IDR" {
            return format!("Rp{}", group(whole, '.'));
        }
        let whole = group(whole, ' ');
        match self.decimals as usize {
            0 => format!("{} {whole}", self.code),
            decimals => format!("{} {whole}.{rest:0>decimals$}", self.code),
        }
    }

    /// Returns the three-letter code.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// Parses an amount of a currency without decimals as people write it: with groups of three digits
/// and, if `has_units`, in thousands or in millions. Without decimals, `1.500` and `1,500` are
/// fifteen hundred. Returns `None` for any other text.
fn whole_amount(text: &str, has_units: bool) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let unit = |marks: [&str; 2]| {
        marks.iter().find_map(|mark| text.strip_suffix(mark)).filter(|_| has_units)
    };
    let (number, zeros) = match (unit(["juta", "jt"]), unit(["ribu", "rb"])) {
        (Some(millions), _) => (millions, 6),
        (None, Some(thousands)) => (thousands, 3),
        (None, None) => (&*text, 0),
    };
    let number = number.trim();
    // `1.500,00` and `1.500,-` are how rupiah are written on paper.
    let without_decimals = [",00", ",-"].iter().find_map(|end| number.strip_suffix(end));
    let number = without_decimals.filter(|_| zeros == 0).unwrap_or(number);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = number.split(['.', ',', ' ']);
    let first = parts.next().filter(|part| is_number(part))?;
    let rest: Vec<&str> = parts.collect();
    let marks = ['.', ',', ' '].into_iter().filter(|mark| number.contains(*mark)).count();
    if !rest.iter().all(|part| is_number(part)) || marks > 1 {
        return None;
    }
    let is_grouped = first.len() <= 3 && !first.starts_with('0');
    let digits = match rest.as_slice() {
        [] => format!("{first}{}", "0".repeat(zeros)),
        // `1,5jt` is a fraction of a million. With three digits the mark could also separate
        // thousands.
        [fraction] if zeros > 0 && fraction.len() < 3 && !number.contains(' ') => {
            format!("{first}{fraction:0<zeros$}")
        }
        groups if zeros == 0 && is_grouped && groups.iter().all(|group| group.len() == 3) => {
            format!("{first}{}", groups.concat())
        }
        _ => return None,
    };
    digits.parse().ok()
}

/// Returns an amount without the marks between its thousands, if no mark can mean decimals: spaces
/// anywhere, commas if a point with one or two decimals follows. Returns `None` for other texts.
fn ungrouped(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mark = if whole.contains(' ') { ' ' } else { ',' };
    if mark == ',' && !matches!(fraction.len(), 1 | 2) {
        return None;
    }
    let mut groups = whole.split(mark);
    let is_first = |group: &str| (1..=3).contains(&group.len());
    let is_whole = groups.next().is_some_and(is_first) && groups.all(|group| group.len() == 3);
    is_whole.then(|| {
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}", whole.replace(mark, ""))
    })
}

/// Formats a whole number with `mark` between groups of three digits.
pub fn group(number: u128, mark: char) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

/// Formats a whole number as people read it: `1234`, `12 345`, `1 234 567`. A point or a comma would
/// mean decimals to some readers.
pub fn number(n: u64) -> String {
    if n < 10_000 { n.to_string() } else { group(u128::from(n), ' ') }
}

/// Price of one charged call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Price in minor units. Never zero.
    pub per_call: u64,
    /// Currency of the price.
    pub currency: Currency,
}

impl Price {
    /// Returns the price of `calls` charged calls, in minor units.
    pub fn of(&self, calls: u64) -> u128 {
        u128::from(calls) * u128::from(self.per_call)
    }

    /// Returns the price of `calls` charged calls in whole units of the currency, for the cell of a
    /// spreadsheet.
    pub fn amount(&self, calls: u64) -> f64 {
        self.of(calls) as f64 / 10_f64.powi(i32::try_from(self.currency.decimals()).unwrap_or(0))
    }

    /// Formats the price of `calls` charged calls as people write it.
    pub fn show(&self, calls: u64) -> String {
        self.currency.show(self.of(calls))
    }

    /// Formats the price of `calls` charged calls as a machine reads it: `4500`, `1234.50`.
    pub fn plain(&self, calls: u64) -> String {
        let (minor, decimals) = (self.of(calls), self.currency.decimals as usize);
        let unit = 10_u128.pow(self.currency.decimals);
        match decimals {
            0 => minor.to_string(),
            _ => format!("{}.{:0>decimals$}", minor / unit, minor % unit),
        }
    }

    /// Formats the price of `calls` charged calls with the tax on it.
    pub fn show_with_tax(&self, calls: u64, tax: Tax) -> String {
        let price = self.of(calls);
        self.currency.show(price + tax.on(price))
    }
}

/// Formats the price of `calls` charged calls in parentheses, with a space before them, to follow
/// the number of calls. Returns an empty text if there is no price.
pub fn price_in_brackets(price: Option<&Price>, calls: u64) -> String {
    price.map(|price| format!(" ({})", price.show(calls))).unwrap_or_default()
}

/// Attempts whose charge is unknown, counted by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Possible {
    /// Attempts whose call was sent, but whose answer was lost.
    pub in_doubt: u64,
    /// Attempts with a result code that is not documented, or with a 2xx whose status is not
    /// documented.
    pub unknown_code: u64,
    /// Attempts answered by a gateway with an error (`Trouble::Gateway`).
    pub gateway: u64,
}

impl Possible {
    /// Returns the number of all attempts whose charge is unknown.
    pub const fn total(self) -> u64 {
        self.in_doubt + self.unknown_code + self.gateway
    }
}

/// Sums over the settled attempts of a run, which show how much the user owes. The invoice is for
/// at least [`Tally::at_least`] and at most [`Tally::at_most`] calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Attempts whose call was sent to the vendor.
    pub calls: u64,
    /// All attempts, including those whose call was never sent (refused connections). Recalled
    /// intents are not counted.
    pub attempts: u64,
    /// Attempts with the result code `01` or `02`.
    pub confirmed: u64,
    /// Attempts whose charge is unknown.
    pub possible: Possible,
    /// Error answers. They are assumed to be free, since only `01` and `02` are documented as
    /// charged.
    pub assumed_free: u64,
    /// Answers that asked us to slow down.
    pub throttled: u64,
    /// Attempts that count against `--max-attempts`: temporary failures, and connections that could
    /// not be made.
    pub troubled: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            calls: self.calls + more.calls,
            attempts: self.attempts + more.attempts,
            confirmed: self.confirmed + more.confirmed,
            possible: Possible {
                in_doubt: self.possible.in_doubt + more.possible.in_doubt,
                gateway: self.possible.gateway + more.possible.gateway,
                unknown_code: self.possible.unknown_code + more.possible.unknown_code,
            },
            assumed_free: self.assumed_free + more.assumed_free,
            throttled: self.throttled + more.throttled,
            troubled: self.troubled + more.troubled,
        }
    }
}

impl Tally {
    /// Returns the number of calls that will surely be on the invoice.
    pub const fn at_least(&self) -> u64 {
        self.confirmed
    }

    /// Returns the highest number of calls that may be on the invoice.
    pub const fn at_most(&self) -> u64 {
        self.confirmed + self.possible.total()
    }

    /// Returns these costs and those of calls that have no answer yet, which count as in doubt.
    #[must_use]
    pub fn with_open(self, calls: u64) -> Self {
        let possible = Possible { in_doubt: calls, ..Possible::default() };
        self + Self { calls, attempts: calls, possible, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let idr = Currency::parse("idr").unwrap();
        let usd = Currency::parse("USD").unwrap();
        let jpy = Currency::parse("JPY").unwrap();
        assert_eq!(idr.show(1_234_567), "Rp1.234.567");
        assert_eq!(idr.show(0), "Rp0");
        assert_eq!(idr.show(123_456), "Rp123.456");
        assert_eq!(usd.show(123_405), "USD 1 234.05");
        assert_eq!([1234, 12_345, 1_234_567].map(number), ["1234", "12 345", "1 234 567"]);
        for (currency, text, minor) in [
            (&idr, "1500", Some(1500)),
            (&idr, "1500.00", Some(1500)),
            (&idr, "1500.5", None),
            (&idr, "1.000", Some(1000)),
            (&idr, "1.500", Some(1500)),
            (&idr, "1.000.000", Some(1_000_000)),
            (&usd, "1.000", None),
            (&usd, "0.35", Some(35)),
            (&usd, "0.3", Some(30)),
            (&usd, "12", Some(1200)),
            (&usd, "-1", None),
            (&usd, "", None),
            (&usd, "1,5", None),
            (&usd, "USD 1 234.50", Some(123_450)),
            (&usd, "usd 1,234.50", Some(123_450)),
            (&usd, "1 234", Some(123_400)),
            (&usd, "1,234", None),
            (&usd, "1,23.50", None),
            (&usd, "Rp1", None),
            (&jpy, "1,500", Some(1500)),
            (&jpy, "JPY 1 500", Some(1500)),
            (&jpy, "1,5rb", None),
            (&usd, "99999999999999999999", None),
            (&usd, ".5", None),
            (&usd, "5.", Some(500)),
            (&usd, "5.x", None),
        ] {
            assert_eq!(currency.amount(text).ok(), minor, "{text}");
        }
    }

    #[test]
    fn amounts_of_rupiah_as_people_write_them() {
        let idr = Currency::parse("IDR").unwrap();
        for (text, minor) in [
            ("Rp1.500", Some(1500)),
            ("Rp 1.500.000", Some(1_500_000)),
            ("rp. 1500", Some(1500)),
            ("IDR 1,500", Some(1500)),
            ("1,5jt", Some(1_500_000)),
            ("1.25 juta", Some(1_250_000)),
            ("2jt", Some(2_000_000)),
            ("1,5rb", Some(1500)),
            ("1 500", Some(1500)),
            ("Rp1.500,00", Some(1500)),
            ("1.500,-", Some(1500)),
            ("1 50rb", None),
            ("1,00jt", Some(1_000_000)),
            ("500rb", Some(500_000)),
            ("1.500 ribu", None),
            ("1.250 juta", None),
            ("0.350", None),
            ("001.500", None),
            ("7,5 ribu", Some(7500)),
            ("1500.5", None),
            ("1.50", None),
            ("1500.000", None),
            ("1.500,50", None),
            ("Rp", None),
            ("jt", None),
            ("-1.500", None),
            ("99999999999999999999jt", None),
        ] {
            assert_eq!(idr.amount(text).ok(), minor, "{text}");
        }
        for text in ["1,5", "1.x", "x", ""] {
            let said = idr.amount(text).unwrap_err();
            assert!(said.ends_with("is not an amount such as 1500, Rp1.500 or 1,5rb"), "{said}");
        }
        assert!(Currency::parse("RUPIAH").is_err());
        assert_eq!(idr.code(), "IDR");
        let price = Price { per_call: 1500, currency: idr };
        assert_eq!((price.of(7), price.show(7)), (10_500, "Rp10.500".to_owned()));
    }

    #[test]
    fn bounds_of_a_tally() {
        let possible = Possible { in_doubt: 3, unknown_code: 5, gateway: 7 };
        let tally = Tally { confirmed: 100, possible, assumed_free: 40, ..Tally::default() };
        assert_eq!((tally.at_least(), tally.at_most()), (100, 115));
        let codes = [Charge::Free, Charge::Charged, Charge::Unknown].map(Charge::code);
        assert_eq!(codes, [0, 1, 2], "as ledgers hold them");
    }
}
