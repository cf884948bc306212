//! The last section of a page: its words, and its promise.

use super::blocks::{Block, Section};

/// The words of the page.
const WORDS: [(&str, &str); 12] = [
    ("Run", "the work on one file until its output is finished"),
    ("Start", "one process of a run; a run that was stopped or killed goes on in its next start"),
    ("Pair", "a NIK and a name, which are asked about together"),
    ("Verdict", "match, mismatch, not sure or failed"),
    ("Charged", "on the vendor's invoice: each match and each mismatch"),
    ("Possible", "perhaps on the invoice: no result came, or one that is not documented"),
    ("In doubt", "sent, and no result came; it is not sent again by itself"),
    ("Assumed to be free", "an error answer: by the contract it is not charged"),
    ("Saved", "calls that were not needed, because the answer was known or is that of a row above"),
    ("Billing day", "the day of a call by the vendor's own clock"),
    ("Pause", "a time in which no calls were made, or only test calls"),
    ("p95", "95 % of the calls were answered within this time"),
];

pub(super) fn words() -> Section {
    let list = WORDS.map(|(word, meaning)| (word, meaning.to_owned())).to_vec();
    let promise = "This file holds no customer's NIK and no customer's name. It needs no network.";
    let blocks = vec![Block::List(list), Block::Text(promise.to_owned())];
    Section { id: "words", title: "Words", blocks }
}
