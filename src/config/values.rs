//! Checks values that depend on other values: amounts on the currency, the timeout on the address.

use std::fmt::Display;
use std::time::Duration;

use crate::api::origin::BaseUrl;
use crate::error::Error;
use crate::model::exit_code::ExitCode;
use crate::model::money::Price;

/// Creates the error for a command line, a variable or a file that cannot be parsed (exit code 2).
pub(super) fn usage_error(message: String) -> Error {
    Error::plain(ExitCode::Usage, message)
}

/// Creates the error for a flag whose value cannot be used (exit code 2).
pub(super) fn flag_error(flag: &'static str, why: impl Display) -> Error {
    usage_error(format!("{flag}: {why}")).of_flag(flag)
}

/// Parses the vendor's address.
pub(super) fn base_url(text: &str) -> Result<BaseUrl, Error> {
    BaseUrl::parse(text).map_err(|error| Error::from(error).of_flag("--base-url"))
}

/// Returns the timeout of a call if it is long enough: 1 s, or 100 ms for an address of this
/// machine. If the timeout were shorter than any answer takes, each call would end in doubt.
pub(super) fn timeout(timeout: Duration, is_loopback: bool) -> Result<Duration, Error> {
    let (least, words) = match is_loopback {
        true => (Duration::from_millis(100), "100ms for an address of this machine"),
        false => (Duration::from_secs(1), "1s"),
    };
    if timeout < least {
        return Err(flag_error(
            "--timeout",
            format!("too short for an answer; give at least {words}"),
        ));
    }
    Ok(timeout)
}

/// Parses an amount in the currency of the price, and returns it in minor units. Returns `None` if
/// no amount was typed.
///
/// # Errors
/// Exit code 2: the text is not an amount, or there is no price.
pub(super) fn amount(
    flag: &'static str,
    typed: Option<&str>,
    price: Option<&Price>,
) -> Result<Option<u64>, Error> {
    let Some(text) = typed else { return Ok(None) };
    let price = price.ok_or_else(|| flag_error(flag, "it needs --price"))?;
    price.currency.amount(text).map(Some).map_err(|why| flag_error(flag, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::Currency;

    #[test]
    fn the_least_timeout_depends_on_the_address() {
        for (millis, is_loopback, is_taken) in [
            (0, true, false),
            (10, true, false),
            (100, true, true),
            (999, false, false),
            (1000, false, true),
        ] {
            let typed = Duration::from_millis(millis);
            assert_eq!(timeout(typed, is_loopback).is_ok(), is_taken, "{typed:?}");
        }
    }

    #[test]
    fn an_amount_is_read_by_the_currency_of_the_price() {
        let price = Price { per_call: 1500, currency: Currency::parse("IDR").unwrap() };
        assert_eq!(amount("--max-cost", Some("4.000"), Some(&price)).unwrap(), Some(4000));
        assert_eq!(amount("--max-cost", None, None).unwrap(), None);
        let without_price = amount("--max-cost", Some("4000"), None).unwrap_err();
        assert_eq!(without_price.message, "--max-cost: it needs --price");
    }
}
