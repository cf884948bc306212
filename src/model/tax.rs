//! Tax on top of the price: shown beside amounts, and part of no other figure.

use super::millionths::{self, MILLION};

/// Rate of the tax on top of the price.
///
/// ```
/// use ceknik::model::tax::Tax;
///
/// // PPN is 12 % of 11/12 of the price: 11 % of it.
/// assert_eq!(Tax::parse("ppn")?.on(429_000), 47_190);
/// assert_eq!(Tax::parse("11%")?.on(150), 17, "rounded to the minor unit, half up");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tax {
    /// Indonesian value added tax: 12 % of 11/12 of the price (PMK 131/2024).
    Ppn,
    /// A rate in millionths of the price.
    Rate(u32),
}

impl Tax {
    /// Parses `ppn`, or a rate such as `11%`, `12,5%` or `0.11`.
    ///
    /// # Errors
    /// A message for the user if the text is neither, or the rate is 100 % or more.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("ppn") {
            return Ok(Self::Ppn);
        }
        // `11` may mean 11 %, or be a typing error.
        match millionths::parse(text).and_then(|rate| u32::try_from(rate).ok()) {
            Some(rate) if rate > 0 && u64::from(rate) < MILLION => Ok(Self::Rate(rate)),
            _ => Err("not a tax such as 11%, 0.11 or ppn".to_owned()),
        }
    }

    /// Returns the tax as [`Self::parse`] reads it.
    pub fn plain(self) -> String {
        match self {
            Self::Ppn => "ppn".to_owned(),
            Self::Rate(millionths) => format!("{}%", f64::from(millionths) / 10_000.0),
        }
    }

    /// Returns the tax on an amount, in minor units, rounded half up.
    pub const fn on(self, amount: u128) -> u128 {
        let millionths = match self {
            Self::Ppn => 110_000,
            Self::Rate(millionths) => millionths as u128,
        };
        (amount * millionths + MILLION as u128 / 2) / MILLION as u128
    }

    /// Returns the name of the tax with its rate: `11 % PPN`, `12.5 % tax`.
    pub fn name(self) -> String {
        match self {
            Self::Ppn => "11 % PPN".to_owned(),
            Self::Rate(millionths) => format!("{} % tax", f64::from(millionths) / 10_000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taxes_as_people_write_them() {
        for (text, tax, name) in [
            ("ppn", Some(Tax::Ppn), "11 % PPN"),
            ("PPN", Some(Tax::Ppn), "11 % PPN"),
            ("11%", Some(Tax::Rate(110_000)), "11 % tax"),
            ("11 %", Some(Tax::Rate(110_000)), "11 % tax"),
            ("12,5%", Some(Tax::Rate(125_000)), "12.5 % tax"),
            ("0.11", Some(Tax::Rate(110_000)), "11 % tax"),
            ("11", None, ""),
            ("0", None, ""),
            ("0%", None, ""),
            ("100%", None, ""),
            ("-1%", None, ""),
            ("1.1.1%", None, ""),
            ("vat", None, ""),
            ("", None, ""),
            ("%", None, ""),
        ] {
            let parsed = Tax::parse(text).ok();
            assert_eq!(parsed, tax, "{text}");
            assert_eq!(parsed.map(Tax::name).unwrap_or_default(), name);
        }
        assert_eq!([0, 1500, 1_000_000].map(|amount| Tax::Ppn.on(amount)), [0, 165, 110_000]);
    }
}
