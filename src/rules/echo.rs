//! Vendor texts that echo the customer: concealed before the ledger, revealed in the user's output.
//!
//! What must hold: a concealed text holds neither the NIK nor the name, in the letter case that was
//! sent or in any other, and revealing it with the same subject gives back what the vendor
//! sent, byte for byte, save for echoes in a mixed letter case.

use crate::model::reply::Texts;
use crate::model::subject::Subject;

/// The mark that begins a placeholder; a mark in the vendor's own text is doubled.
const MARK: char = '\\';
const NIK: &str = "\\N";
const NAME: &str = "\\P";
const NAME_UPPER: &str = "\\U";
const NAME_LOWER: &str = "\\L";
const NAME_OTHER: &str = "\\X";

/// Replaces the subject's NIK and name in all texts.
pub fn conceal_all(texts: &mut Texts, subject: &Subject) {
    for text in texts.each_mut().into_iter().flatten() {
        if let Some(concealed) = conceal(text, subject) {
            *text = concealed;
        }
    }
}

/// Whether any text has something concealed in it.
pub fn is_concealed(texts: &Texts) -> bool {
    texts.each().into_iter().flatten().any(|text| text.contains(MARK))
}

/// Puts the subject's NIK and name back into all texts.
pub fn reveal_all(texts: &mut Texts, subject: &Subject) {
    for text in texts.each_mut().into_iter().flatten() {
        if text.contains(MARK) {
            *text = reveal(text, subject);
        }
    }
}

/// The concealed text, or `None` where there is nothing to conceal.
fn conceal(text: &str, subject: &Subject) -> Option<String> {
    let (nik, name) = (subject.nik.as_str(), subject.name.as_str());
    if cannot_hold(text, name) && !text.contains(MARK) && !text.contains(nik) {
        return None;
    }
    let folded_name = name.to_lowercase();
    if !text.contains(MARK) && !text.contains(nik) && !text.to_lowercase().contains(&folded_name) {
        return None;
    }
    let (upper, lower) = (name.to_uppercase(), folded_name.as_str());
    let known = [(nik, NIK), (name, NAME), (&upper, NAME_UPPER), (lower, NAME_LOWER)];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((echo, placeholder)) = known.iter().find(|(echo, _)| rest.starts_with(echo)) {
            out.push_str(placeholder);
            rest = &rest[echo.len()..];
        } else if let Some(len) = starts_with_folded(rest, lower) {
            out.push_str(NAME_OTHER);
            rest = &rest[len..];
        } else {
            if next == MARK {
                out.push(MARK);
            }
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    Some(out)
}

/// The common case without an allocation: both are ASCII, and the name is nowhere in the text.
fn cannot_hold(text: &str, name: &str) -> bool {
    let (text, name) = (text.as_bytes(), name.as_bytes());
    text.is_ascii()
        && name.is_ascii()
        && !text.windows(name.len().max(1)).any(|part| part.eq_ignore_ascii_case(name))
}

/// The length of the prefix of `text` that equals `folded` when lower-cased.
fn starts_with_folded(text: &str, folded: &str) -> Option<usize> {
    let mut wanted = folded.chars();
    let mut len = 0;
    for c in text.chars() {
        for lower in c.to_lowercase() {
            if wanted.next()? != lower {
                return None;
            }
        }
        len += c.len_utf8();
        if wanted.as_str().is_empty() {
            return Some(len);
        }
    }
    None
}

fn reveal(text: &str, subject: &Subject) -> String {
    let name = subject.name.as_str();
    let mut out = String::with_capacity(text.len() + name.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != MARK {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('N') => out.push_str(subject.nik.as_str()),
            Some('P' | 'X') => out.push_str(name),
            Some('U') => out.push_str(&name.to_uppercase()),
            Some('L') => out.push_str(&name.to_lowercase()),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::subject;
    use proptest::prelude::*;

    #[test]
    fn echoes_go_and_come_back() {
        let subject = subject("3275014107900001", "Siti O'Hara");
        for (text, stored) in [
            ("UNKNOW", None),
            ("name Siti O'Hara of 3275014107900001", Some("name \\P of \\N")),
            ("SITI O'HARA, siti o'hara", Some("\\U, \\L")),
            ("SiTi o'HaRa", Some("\\X")),
            ("a\\b", Some("a\\\\b")),
        ] {
            assert_eq!(conceal(text, &subject).as_deref(), stored, "{text}");
            if let Some(stored) = stored.filter(|s| !s.contains(NAME_OTHER)) {
                assert_eq!(reveal(stored, &subject), text);
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_and_nothing_is_lost(name in "[A-Za-z\\\\ÉéİßN]{1,6}", parts in prop::collection::vec(0_u8..6, 0..8), noise in "[a-zN\\\\PULX é]{0,6}") {
            let subject = subject("3275014107900001", &name);
            let text: String = parts.iter().map(|part| match part {
                0 => "3275014107900001".to_owned(),
                1 => name.clone(),
                2 => name.to_uppercase(),
                3 => name.to_lowercase(),
                _ => noise.clone(),
            }).collect();
            match conceal(&text, &subject) {
                None => prop_assert!(!text.contains(&name)),
                Some(stored) => {
                    prop_assert!(!stored.contains("3275014107900001"));
                    if !stored.contains(NAME_OTHER) {
                        prop_assert_eq!(reveal(&stored, &subject), text);
                    }
                }
            }
        }
    }
}
