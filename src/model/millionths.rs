//! Shares and rates, kept as whole millionths.

/// Number of millionths in a whole.
pub const MILLION: u64 = 1_000_000;

/// Parses a share as people write it, such as `0.93`, `93%` or `12,5 %`, and returns it in
/// millionths. Returns `None` if the text is not a number of a reasonable length, or has more
/// decimals than a millionth needs.
///
/// ```
/// use ceknik::model::millionths::parse;
///
/// assert_eq!([parse("0.93"), parse("93%"), parse("12,5 %")], [Some(930_000), Some(930_000), Some(125_000)]);
/// assert_eq!(parse("0.1234567"), None);
/// ```
pub fn parse(text: &str) -> Option<u64> {
    let (number, decimals) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim_end(), 4),
        None => (text.trim(), 6),
    };
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > decimals || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}
