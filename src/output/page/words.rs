//! The last section of a page: its words, and its promise.

use super::blocks::{Block, Section};

/// The words of the page.
const WORDS: [(&str, &str); 12] = [
    ("Run", "the check of one file until its output is finished; it may be stopped and continued"),
    ("Session", "one time that the command ran; a stopped run continues in its next session"),
    ("Row", "one customer in the file; rows with the same NIK and name are sent once"),
    ("Result", "match, mismatch, not sure or failed"),
    ("Charged", "on the vendor's invoice: each match and each mismatch"),
    ("Possible", "perhaps on the invoice: no answer came, or one that is not documented"),
    ("In doubt", "sent, but no answer came; the row is not sent again unless you ask for it"),
    (
        "Assumed to be free",
        "an error answer: the vendor's contract calls only match and mismatch charged",
    ),
    (
        "Saved",
        "calls that were not needed: the answer was known, or a row above has the same NIK and name",
    ),
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
