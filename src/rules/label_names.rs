//! Names of customers in the names of files: a file that is named after a customer.
//!
//! Must hold: a name of two words or more that the input has, and whose words follow one another in a
//! label, is masked there. A name of one word is masked only if it is the only word of the file's
//! name, because many such names are also usual words (`APRIL`, `DATA`).
//!
//! Never: keeps more than a few names.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

/// Most names that are kept. A label has room for one or two.
const MOST: usize = 16;

/// Names of customers that stand in labels.
///
/// ```
/// use ceknik::rules::label_names::LabelNames;
///
/// let label = "Kredit_Budi-Santoso 2026.csv";
/// let mut names = LabelNames::in_labels([label]);
/// for name in ["SITI AMINAH", "BUDI SANTOSO", "KREDIT"] {
///     names.see(name);
/// }
/// assert_eq!(names.mask(label), "Kredit_xxxx-xxxxxxx 2026.csv");
/// ```
#[derive(Debug, Clone, Default)]
pub struct LabelNames {
    /// All words of the labels.
    words: HashSet<String>,
    /// Words that are the only one of their file's name.
    alone: HashSet<String>,
    found: BTreeSet<Vec<String>>,
}

impl LabelNames {
    /// Prepares to look for names in these labels.
    pub fn in_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = Self::default();
        for label in labels {
            names.words.extend(words(label).map(|(_, word)| word));
            names.alone.extend(only_word(label).map(|(_, word)| word));
        }
        names
    }

    /// Takes a customer's name into account.
    pub fn see(&mut self, name: &str) {
        if self.words.is_empty() {
            return;
        }
        let mut parts = words(name).map(|(_, word)| word);
        let Some(first) = parts.next().filter(|first| self.words.contains(first)) else { return };
        let rest: Vec<String> = parts.collect();
        let stands = match rest.is_empty() {
            true => self.alone.contains(&first),
            false => rest.iter().all(|word| self.words.contains(word)),
        };
        if stands && self.found.len() < MOST {
            self.found.insert([vec![first], rest].concat());
        }
    }

    /// Returns a label in which the letters of these names are masked.
    pub fn mask<'a>(&self, label: &'a str) -> Cow<'a, str> {
        let places: Vec<_> = words(label).collect();
        let mut hidden: Vec<Range<usize>> = Vec::new();
        for name in &self.found {
            if let [alone] = name.as_slice() {
                let own = only_word(label).filter(|(_, word)| word == alone);
                hidden.extend(own.map(|(range, _)| range));
                continue;
            }
            for run in places.windows(name.len()) {
                if run.iter().map(|(_, word)| word).eq(name) {
                    hidden.extend(run.iter().map(|(range, _)| range.clone()));
                }
            }
        }
        if hidden.is_empty() {
            return Cow::Borrowed(label);
        }
        let is_hidden = |at: usize| hidden.iter().any(|range| range.contains(&at));
        let mask = |(at, c): (usize, char)| if is_hidden(at) { 'x' } else { c };
        Cow::Owned(label.char_indices().map(mask).collect())
    }
}

/// Returns the words of a text in capital letters, each with its place in bytes.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> + '_ {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text.get(rest..)?.find(char::is_alphabetic)?;
        let tail = text.get(start..)?;
        let end = start + tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        rest = end;
        Some((start..end, text.get(start..end)?.to_uppercase()))
    })
}

/// Returns the only word of a file's name without its ending; `None` if it has none or more.
fn only_word(path: &str) -> Option<(Range<usize>, String)> {
    let begin = path.rfind('/').map_or(0, |at| at + 1);
    let name = path.get(begin..)?;
    let stem = name.find('.').filter(|at| *at > 0).and_then(|at| name.get(..at)).unwrap_or(name);
    let mut words = words(stem);
    match (words.next(), words.next()) {
        (Some((range, word)), None) => Some((begin + range.start..begin + range.end, word)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_file_are_masked_in_its_labels() {
        let customers = ["BUDI SANTOSO", "SITI", "APRIL", "NUR'AINI", "A B", "ÉLODIE PUTRI"];
        for (label, masked) in [
            ("budi_santoso.csv", "xxxx_xxxxxxx.csv"),
            ("d/Budi Santoso/nasabah.csv", "d/xxxx xxxxxxx/nasabah.csv"),
            ("SANTOSO BUDI.csv", "SANTOSO BUDI.csv"),
            ("budi.csv", "budi.csv"),
            ("siti.csv", "xxxx.csv"),
            ("out/siti-2026.verified.partial.csv", "out/xxxx-2026.verified.partial.csv"),
            ("siti nasabah.csv", "siti nasabah.csv"),
            ("nasabah_april.csv", "nasabah_april.csv"),
            ("kredit Nur Aini.xlsx", "kredit xxx xxxx.xlsx"),
            ("élodie putri.csv", "xxxxxx xxxxx.csv"),
            ("2026-11.csv", "2026-11.csv"),
            ("", ""),
        ] {
            let mut names = LabelNames::in_labels([label]);
            customers.iter().for_each(|name| names.see(name));
            assert_eq!(names.mask(label), masked, "{label}");
        }
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let many: Vec<String> = ('A'..='Z').map(|c| format!("{c}{c} X")).collect();
        let label = many.join(" ");
        let mut names = LabelNames::in_labels([&*label]);
        many.iter().for_each(|name| names.see(name));
        assert_eq!(names.found.len(), MOST);
    }
}
