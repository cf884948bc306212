//! Texts of the vendor that repeat the customer's NIK or name: concealed before the ledger stores
//! them, revealed in the user's output.
//!
//! Must hold: a concealed text contains neither the NIK, with or without separators between its
//! digits, nor the name, in any letter case and spacing. Revealing the text with the same subject
//! returns what the vendor sent, byte for byte, except for a name in mixed letter case or with
//! other spacing, and for a NIK with separators.

use crate::model::characters::is_separator;
use crate::model::subject::Subject;
use crate::model::texts::Texts;

/// Character that begins a placeholder. In the vendor's own text this character is doubled.
const MARK: char = '\\';
const NIK: &str = "\\N";
const NAME: &str = "\\P";
const NAME_UPPER: &str = "\\U";
const NAME_LOWER: &str = "\\L";
const NAME_OTHER: &str = "\\X";

/// Replaces the subject's NIK and name by placeholders in all texts.
///
/// ```
/// use ceknik::model::subject::Subject;
/// use ceknik::model::texts::{Text, Texts};
/// use ceknik::rules::echo::{conceal_all, reveal_all};
/// use ceknik::rules::name::check_name;
/// use ceknik::rules::nik::{NikPolicy, check_nik};
///
/// let (nik, _) = check_nik("3275014107900001", &NikPolicy::default()).unwrap();
/// let name = check_name("SITI", None).unwrap().name;
/// let subject = Subject { nik, name };
///
/// let said = "no record of SITI, 3275014107900001";
/// let mut texts = Texts::from([(Text::Remark, said)]);
/// conceal_all(&mut texts, &subject);
/// assert_eq!(texts.get(Text::Remark), Some(r"no record of \P, \N"));
///
/// reveal_all(&mut texts, &subject);
/// assert_eq!(texts.get(Text::Remark), Some(said));
/// ```
pub fn conceal_all(texts: &mut Texts, subject: &Subject) {
    for text in texts.present_mut() {
        if let Some(concealed) = conceal(text, subject) {
            *text = concealed;
        }
    }
}

/// Checks whether any text contains a placeholder or a doubled mark, so that [`reveal_all`]
/// would change it.
pub fn is_concealed(texts: &Texts) -> bool {
    texts.all().flatten().any(|text| text.contains(MARK))
}

/// Puts the subject's NIK and name back into all texts, in place of the placeholders.
pub fn reveal_all(texts: &mut Texts, subject: &Subject) {
    for text in texts.present_mut() {
        if text.contains(MARK) {
            *text = reveal(text, subject);
        }
    }
}

/// Returns the concealed text, or `None` if there is nothing to conceal.
fn conceal(text: &str, subject: &Subject) -> Option<String> {
    let (nik, name) = (subject.nik.as_str(), subject.name.as_str());
    let folded_name = name.to_lowercase();
    if !text.contains(MARK) && !holds_nik(text, nik) && !holds_name(text, &folded_name) {
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
        } else if let Some(len) = starts_with_groups(rest, nik) {
            out.push_str(NIK);
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

/// Checks whether a text contains the NIK, with or without separators between its digits.
fn holds_nik(text: &str, nik: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    digits >= nik.len()
        && (text.contains(nik)
            || text.contains(is_joint)
                && text.chars().filter(|c| !is_joint(*c)).collect::<String>().contains(nik))
}

/// Checks whether a character may separate the digits of a NIK.
fn is_joint(c: char) -> bool {
    is_separator(c) || c == '/'
}

/// Checks whether a text contains the name, in any letter case and spacing. `folded` is the name
/// in lower case.
fn holds_name(text: &str, folded: &str) -> bool {
    let (bytes, name) = (text.as_bytes(), folded.as_bytes());
    let is_odd = |pair: &[u8]| pair.iter().all(u8::is_ascii_whitespace);
    let is_plain = text.is_ascii() && !text.contains(['\t', '\n', '\r']);
    if is_plain && folded.is_ascii() && !bytes.windows(2).any(is_odd) {
        // The common case, without an allocation.
        let first = name.first().map(u8::to_ascii_lowercase);
        return bytes.windows(name.len().max(1)).any(|part| {
            part.first().map(u8::to_ascii_lowercase) == first && part.eq_ignore_ascii_case(name)
        });
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase().contains(folded)
}

/// Returns the length of the prefix of `text` that equals `folded` when lower-cased. A space in
/// `folded` matches any whitespace in `text`, also several characters of it.
fn starts_with_folded(text: &str, folded: &str) -> Option<usize> {
    let mut wanted = folded.chars();
    let (mut len, mut in_space) = (0, false);
    for c in text.chars() {
        let goes_on = in_space && c.is_whitespace();
        in_space = c.is_whitespace();
        if !goes_on {
            for lower in c.to_lowercase() {
                let expected = wanted.next()?;
                if expected != lower && !(expected == ' ' && in_space) {
                    return None;
                }
            }
        }
        len += c.len_utf8();
        if wanted.as_str().is_empty() {
            return Some(len);
        }
    }
    None
}

/// Returns the length of the prefix of `text` that is the NIK with separators between its digits.
fn starts_with_groups(text: &str, nik: &str) -> Option<usize> {
    let mut wanted = nik.chars().peekable();
    let mut len = 0;
    for c in text.chars() {
        match wanted.peek() {
            Some(digit) if *digit == c => drop(wanted.next()),
            Some(_) if len > 0 && is_joint(c) => {}
            _ => return None,
        }
        len += c.len_utf8();
        if wanted.peek().is_none() {
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
    use proptest::prelude::*;

    use super::*;
    use crate::model::texts::Text;
    use crate::rules::testing::subject;

    #[test]
    fn echoes_go_and_come_back() {
        let subject = subject("3275014107900001", "Siti O'Hara");
        for (text, stored) in [
            ("UNKNOW", None),
            ("name Siti O'Hara of 3275014107900001", Some("name \\P of \\N")),
            ("SITI O'HARA, siti o'hara", Some("\\U, \\L")),
            ("SiTi o'HaRa", Some("\\X")),
            ("a\\b", Some("a\\\\b")),
            ("S ti O'Hara is not Siti O'Hara", Some("S ti O'Hara is not \\P")),
            ("2026-11-28 10:12:20 SANDBOX-0123456789abcdef", None),
        ] {
            assert_eq!(conceal(text, &subject).as_deref(), stored, "{text}");
            if let Some(stored) = stored.filter(|s| !s.contains(NAME_OTHER)) {
                assert_eq!(reveal(stored, &subject), text);
            }
        }
        // A NIK with separators, or a name with other spacing, is revealed in the form
        // that was sent.
        for (text, stored, shown) in [
            ("NIK 3275-0141-0790-0001.", "NIK \\N.", "NIK 3275014107900001."),
            ("3275.01.410790.0001", "\\N", "3275014107900001"),
            ("Siti   O'Hara", "\\X", "Siti O'Hara"),
            ("SITI\tO'HARA", "\\X", "Siti O'Hara"),
            ("given: SITI\u{a0}\tO'HARA", "given: \\X", "given: Siti O'Hara"),
        ] {
            assert_eq!(conceal(text, &subject).as_deref(), Some(stored), "{text}");
            assert_eq!(reveal(stored, &subject), shown);
        }
    }

    #[test]
    fn all_texts_are_concealed_and_revealed() {
        let subject = subject("3275014107900001", "SITI");
        let said = "SITI, 3275014107900001";
        let mut texts = Texts::from([(Text::Remark, said), (Text::Reason, said)]);
        let before = texts.clone();
        assert!(!is_concealed(&texts));
        conceal_all(&mut texts, &subject);
        assert_eq!(texts.get(Text::Remark), Some("\\P, \\N"));
        assert!(is_concealed(&texts));
        reveal_all(&mut texts, &subject);
        assert!(texts == before);
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
