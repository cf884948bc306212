//! Answer for each pair: by the last four digits of its NIK, otherwise by its hash. Pure.
//!
//! Must hold: a pair gets the same answer at the same draw, on every machine and in every build.
//!
//! Never: looks at the clock, the rate or the account. The world checks them first.

use super::answer::Answer;

/// Table of the endings and accounts for people. `ceknik sandbox --help` prints it.
pub const ENDINGS_HELP: &str = "\
Answers by the NIK's last four digits:
  0001  match (01)
  0002  mismatch (02)
  0003  not sure (03)
  0004  failed (04)
  0005  INVALID_ARGUMENT
  0006  QUERY_FAILED, always
  0007  ABNORMAL_BEHAVIOURS_DETECTED
  0008  500 once, then match
  0009  512, always
  0010  513, always
  0011  never answers; charged
  0012  charged as a match, then the connection is cut
  0013  unknown code (77); charged
  0014  502 with a proxy's HTML page
  0015  504 with a proxy's HTML page; charged
  0016  QUERY_FAILED once, then mismatch
  0017  200 with its body cut in the middle; charged
  0018  match whose remark repeats the NIK and the name
  0019  RATE_LIMIT_EXCEEDED once with Retry-After: 1, then match
Any other: 91 % match, 6 % mismatch, 2 % not sure, 1 % failed,
by a hash of NIK and name.
Charged: 01, 02, and where the table says so.
'Once' is counted for each NIK and name.

Any id and secret that are not empty are accepted, except these:
  id refused and secret refused: UNAUTHORIZED
  id expired: KEY_EXPIRED
  id forbidden: NO_PERMISSION";

/// Returns the answer for a pair. `draw` is the number of times that this pair has reached its
/// ending, from 1.
pub(super) fn answer(nik: &str, pair: u64, draw: u32) -> Answer {
    let first = draw <= 1;
    match ending(nik) {
        "0001" => Answer::Match,
        "0002" => Answer::Mismatch,
        "0003" => Answer::NotSure,
        "0004" => Answer::Failed,
        "0005" => Answer::InvalidId,
        "0006" => Answer::QueryFailed,
        "0007" => Answer::Abnormal,
        "0008" if first => Answer::Internal,
        "0008" => Answer::Match,
        "0009" => Answer::SourceUnavailable,
        "0010" => Answer::SourceTimeout,
        "0011" => Answer::Hang,
        "0012" => Answer::Cut,
        "0013" => Answer::UnknownCode,
        "0014" => Answer::Html502,
        "0015" => Answer::Html504,
        "0016" if first => Answer::QueryFailed,
        "0016" => Answer::Mismatch,
        "0017" => Answer::CutBody,
        "0018" => Answer::Echo,
        "0019" if first => Answer::RateLimitedRetryAfter,
        "0019" => Answer::Match,
        _ => by_hash(pair),
    }
}

/// Checks whether the answer depends on the draw, so that the draws of the pair must be counted.
pub(super) fn counts(nik: &str) -> bool {
    matches!(ending(nik), "0008" | "0016" | "0019")
}

fn ending(nik: &str) -> &str {
    nik.get(nik.len().saturating_sub(4)..).unwrap_or_default()
}

/// Spreads every bit of the input over the whole output (the finalizer of splitmix64). The result
/// is the same on every machine, in every build and in every version, which no library promises: a
/// pair has one answer. It is not secret and can be guessed.
pub(super) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn by_hash(pair: u64) -> Answer {
    match mix(pair) % 100 {
        0..=90 => Answer::Match,
        91..=96 => Answer::Mismatch,
        97..=98 => Answer::NotSure,
        _ => Answer::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ending, first answer and every later answer. Each answer is (label, HTTP code, charged).
    type Row = (&'static str, (&'static str, u16, bool), (&'static str, u16, bool));

    const TABLE: [Row; 19] = [
        ("0001", ("01", 200, true), ("01", 200, true)),
        ("0002", ("02", 200, true), ("02", 200, true)),
        ("0003", ("03", 200, false), ("03", 200, false)),
        ("0004", ("04", 200, false), ("04", 200, false)),
        ("0005", ("INVALID_ARGUMENT", 400, false), ("INVALID_ARGUMENT", 400, false)),
        ("0006", ("QUERY_FAILED", 400, false), ("QUERY_FAILED", 400, false)),
        (
            "0007",
            ("ABNORMAL_BEHAVIOURS_DETECTED", 400, false),
            ("ABNORMAL_BEHAVIOURS_DETECTED", 400, false),
        ),
        ("0008", ("INTERNAL_ERROR", 500, false), ("01", 200, true)),
        (
            "0009",
            ("SOURCE_SERVICE_UNAVAILABLE", 512, false),
            ("SOURCE_SERVICE_UNAVAILABLE", 512, false),
        ),
        ("0010", ("SOURCE_SERVICE_TIMEOUT", 513, false), ("SOURCE_SERVICE_TIMEOUT", 513, false)),
        ("0011", ("hang", 0, true), ("hang", 0, true)),
        ("0012", ("cut", 0, true), ("cut", 0, true)),
        ("0013", ("77", 200, true), ("77", 200, true)),
        ("0014", ("html502", 502, false), ("html502", 502, false)),
        ("0015", ("html504", 504, true), ("html504", 504, true)),
        ("0016", ("QUERY_FAILED", 400, false), ("02", 200, true)),
        ("0017", ("cut_body", 200, true), ("cut_body", 200, true)),
        ("0018", ("01", 200, true), ("01", 200, true)),
        ("0019", ("RATE_LIMIT_EXCEEDED", 403, false), ("01", 200, true)),
    ];

    #[test]
    fn the_endings_are_this_table() {
        for (ending, first, later) in TABLE {
            let nik = format!("327501010190{ending}");
            for pair in [0, 7, u64::MAX] {
                for (draw, expected) in [(1, first), (2, later), (20, later)] {
                    let terms = answer(&nik, pair, draw).terms();
                    assert_eq!(
                        (terms.label, terms.http, terms.charged),
                        expected,
                        "{ending} at draw {draw}"
                    );
                }
            }
            assert_eq!(counts(&nik), first != later, "{ending}");
            assert!(ENDINGS_HELP.contains(&format!("  {ending}  ")), "{ending}");
        }
    }

    #[test]
    fn the_others_are_mixed_as_said() {
        let mut found = std::collections::BTreeMap::new();
        for pair in 0..100_000_u64 {
            let label = answer("3275010101901234", mix(pair), 1).terms().label;
            *found.entry(label).or_insert(0_u32) += 1;
        }
        for (label, expected) in [("01", 91_000), ("02", 6_000), ("03", 2_000), ("04", 1_000)] {
            let share = found[label];
            assert!(share.abs_diff(expected) < 400, "{label}: {share}");
        }
    }

    #[test]
    fn a_nik_that_is_no_nik_still_gets_an_answer() {
        for nik in ["", "1", "ééé", "x😀"] {
            assert_eq!(answer(nik, 1, 1), answer(nik, 1, 2));
        }
    }
}
