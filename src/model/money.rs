//! Money: whether a call is charged, what that adds up to, and how an amount is written.
//!
//! Amounts are whole minor units in 128-bit integers; there is no floating point here.

use serde::Serialize;

/// What the vendor charges for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charge {
    /// On the invoice.
    Charged,
    /// Not on the invoice.
    Free,
    /// Perhaps on the invoice: counted as possible.
    Unknown,
}

impl Charge {
    /// The word of the `ck_charged` column.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Charged => "yes",
            Self::Free => "no",
            Self::Unknown => "unknown",
        }
    }

    /// The code that the ledger stores.
    pub const fn code(self) -> u8 {
        match self {
            Self::Free => 0,
            Self::Charged => 1,
            Self::Unknown => 2,
        }
    }
}

/// A currency with its number of decimals (ISO 4217).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    code: String,
    decimals: u32,
}

impl Currency {
    /// The number of decimals that its amounts have.
    pub const fn decimals(&self) -> u32 {
        self.decimals
    }

    /// A three-letter code. The rupiah is used without decimals, as are those ISO lists so.
    ///
    /// # Errors
    /// Says so when the code is not three ASCII letters.
    pub fn parse(code: &str) -> Result<Self, String> {
        if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(format!("{code:?} is not a three-letter currency code such as IDR"));
        }
        let code = code.to_ascii_uppercase();
        let decimals = match code.as_str() {
            "IDR" | "JPY" | "KRW" | "VND" => 0,
            _ => 2,
        };
        Ok(Self { code, decimals })
    }

    /// An amount typed by a user, such as `1500` or `0.35`, in minor units. Of the rupiah also as people write it:
    /// `Rp1.500`, `1,5jt`, `500 ribu`.
    ///
    /// # Errors
    /// Says what is wrong: not a number, negative, or more decimals than the currency has.
    pub fn amount(&self, text: &str) -> Result<u64, String> {
        if self.code == "IDR"
            && let Some(rupiah) = rupiah(text)
        {
            return Ok(rupiah);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(format!("{text:?} is not an amount such as 1500"));
        }
        // `1.500` is fifteen hundred to most who type it here, and one and a half to this parser.
        if fraction.len() == 3 {
            return Err(format!("{text:?} could be thousands: write them without a mark, as 1500"));
        }
        let decimals = self.decimals as usize;
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > decimals {
            return Err(format!("{} has {decimals} decimals, {text:?} has more", self.code));
        }
        format!("{whole}{fraction:0<decimals$}")
            .parse()
            .map_err(|_| format!("{text:?} is too large an amount"))
    }

    /// An amount as people write it: `Rp1.234.567` for the rupiah, `USD 1,234.50` otherwise.
    pub fn show(&self, minor: u128) -> String {
        let unit = 10_u128.pow(self.decimals);
        let (whole, rest) = (minor / unit, minor % unit);
        if self.code == "IDR" {
            return format!("Rp{}", group(whole, '.'));
        }
        let whole = group(whole, ',');
        match self.decimals as usize {
            0 => format!("{} {whole}", self.code),
            decimals => format!("{} {whole}.{rest:0>decimals$}", self.code),
        }
    }

    /// The three-letter code.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// An amount of rupiah as people write it: with `Rp`, with groups of three digits, in thousands or millions. The rupiah has
/// no decimals, so `1.500` and `1,500` are fifteen hundred.
fn rupiah(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text =
        ["rp.", "rp", "idr"].iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(&text);
    let unit = |marks: [&str; 2]| marks.iter().find_map(|mark| text.strip_suffix(mark));
    let (number, zeros) = match (unit(["juta", "jt"]), unit(["ribu", "rb"])) {
        (Some(millions), _) => (millions, 6),
        (None, Some(thousands)) => (thousands, 3),
        (None, None) => (text, 0),
    };
    let number = number.trim();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = number.split(['.', ',']);
    let first = parts.next().filter(|part| is_number(part))?;
    let rest: Vec<&str> = parts.collect();
    if !rest.iter().all(|part| is_number(part)) || (number.contains('.') && number.contains(',')) {
        return None;
    }
    let is_grouped = first.len() <= 3 && !first.starts_with('0');
    let digits = match rest.as_slice() {
        [] => format!("{first}{}", "0".repeat(zeros)),
        // `1,5jt`: a part of a million. With three digits it could be either.
        [fraction] if zeros > 0 && fraction.len() < 3 => format!("{first}{fraction:0<zeros$}"),
        groups if zeros == 0 && is_grouped && groups.iter().all(|group| group.len() == 3) => {
            format!("{first}{}", groups.concat())
        }
        _ => return None,
    };
    digits.parse().ok()
}

/// A whole number with a mark between groups of three digits.
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

/// A whole number as people read it: `1,234,567`.
pub fn number(n: u64) -> String {
    group(u128::from(n), ',')
}

/// The price of one charged call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Minor units a charged call; never zero.
    pub per_call: u64,
    /// Of this currency.
    pub currency: Currency,
}

impl Price {
    /// What so many charged calls cost, in minor units.
    pub fn of(&self, calls: u64) -> u128 {
        u128::from(calls) * u128::from(self.per_call)
    }

    /// The amount in whole units of the currency, for a spreadsheet's cell.
    pub fn amount(&self, calls: u64) -> f64 {
        self.of(calls) as f64 / 10_f64.powi(i32::try_from(self.currency.decimals()).unwrap_or(0))
    }

    /// The same, as people write it.
    pub fn show(&self, calls: u64) -> String {
        self.currency.show(self.of(calls))
    }
}

/// The price of so many charged calls in brackets, to stand behind their number; nothing where there is no price.
pub fn in_brackets(price: Option<&Price>, calls: u64) -> String {
    price.map(|price| format!(" ({})", price.show(calls))).unwrap_or_default()
}

/// The attempts whose charge is unknown, each kind counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Possible {
    /// Sent, and no whole answer.
    pub in_doubt: u64,
    /// A result code, or a success status, that is not documented.
    pub unknown_code: u64,
    /// A 5xx that is not the vendor's own.
    pub gateway: u64,
}

impl Possible {
    /// All of them.
    pub const fn total(self) -> u64 {
        self.in_doubt + self.unknown_code + self.gateway
    }
}

/// What you owe: the fold of a run's settled attempts. The invoice lies between
/// [`Tally::at_least`] and [`Tally::at_most`] calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Attempts that left for the vendor.
    pub calls: u64,
    /// Attempts in all, those included that never left (refused connections).
    pub attempts: u64,
    /// Attempts that drew 01 or 02.
    pub confirmed: u64,
    /// Attempts whose charge is unknown.
    pub possible: Possible,
    /// Error answers, assumed free since only 01 and 02 are documented as charged.
    pub assumed_free: u64,
    /// Answers that asked us to slow down.
    pub throttled: u64,
    /// Attempts answered "not now".
    pub troubled: u64,
}

impl Tally {
    /// Calls that will surely be on the invoice.
    pub const fn at_least(&self) -> u64 {
        self.confirmed
    }

    /// Calls that may be on it at the most.
    pub const fn at_most(&self) -> u64 {
        self.confirmed + self.possible.total()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let idr = Currency::parse("idr").unwrap();
        let usd = Currency::parse("USD").unwrap();
        assert_eq!(idr.show(1_234_567), "Rp1.234.567");
        assert_eq!(idr.show(0), "Rp0");
        assert_eq!(idr.show(123_456), "Rp123.456");
        assert_eq!(usd.show(123_405), "USD 1,234.05");
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
            (&usd, "99999999999999999999", None),
            (&usd, ".5", None),
            (&usd, "5.", Some(500)),
            (&usd, "5.x", None),
        ] {
            assert_eq!(currency.amount(text).ok(), minor, "{text}");
        }
        // The rupiah as people write it.
        for (text, minor) in [
            ("Rp1.500", Some(1500)),
            ("Rp 1.500.000", Some(1_500_000)),
            ("rp. 1500", Some(1500)),
            ("IDR 1,500", Some(1500)),
            ("1,5jt", Some(1_500_000)),
            ("1.25 juta", Some(1_250_000)),
            ("2jt", Some(2_000_000)),
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
            assert_eq!(rupiah(text), minor, "{text}");
        }
        for text in ["1,5", "1.x", "x", ""] {
            let said = idr.amount(text).unwrap_err();
            assert!(said.ends_with("is not an amount such as 1500"), "{said}");
        }
        assert!(Currency::parse("RUPIAH").is_err());
        assert_eq!((idr.code(), usd.code()), ("IDR", "USD"));
        let price = Price { per_call: 1500, currency: idr };
        assert_eq!((price.of(7), price.show(7)), (10_500, "Rp10.500".to_owned()));
    }

    #[test]
    fn what_is_owed_at_least_and_at_most() {
        let possible = Possible { in_doubt: 3, unknown_code: 5, gateway: 7 };
        let tally = Tally { confirmed: 100, possible, assumed_free: 40, ..Tally::default() };
        assert_eq!((tally.at_least(), tally.at_most()), (100, 115));
        let codes = [Charge::Free, Charge::Charged, Charge::Unknown].map(Charge::code);
        assert_eq!(codes, [0, 1, 2], "as ledgers hold them");
    }
}
