//! Late facts: what a worker knows and its ledger may not hold, because the server did not answer, or
//! has forgotten it. A worker that has to leave keeps them in a file beside the key, and the next
//! start on the machine records them.
//!
//! Must hold: the file is whole or not there, with mode 0600. Its facts are those of the ledger, so
//! it contains no NIK, no name and no secret.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::local_files::LocalFiles;
use crate::fs::{AtomicFile, trusted};
use crate::ledger::LedgerError;
use crate::ledger::recording::Answered;
use crate::model::attempt::{AttemptId, Intent, PairKey, PairVersion, Settlement, StartId, WallMs};
use crate::model::class::Class;
use crate::model::hex::{from_hex, hex};
use crate::model::texts::{Text, Texts};
use crate::rules::classify::charge;

/// Version of the file's format.
const VERSION: u32 = 1;

/// Facts of one batch or more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LateFacts {
    pub(super) answers: Vec<Answered>,
    /// Refusals that no longer count.
    pub(super) voids: Vec<AttemptId>,
}

impl LateFacts {
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.voids.is_empty()
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.answers.extend(more.answers);
        self.voids.extend(more.voids);
    }
}

/// The late facts of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Late {
    pub(super) start: StartId,
    /// Time at which the start began, which tells it apart from another one of the same number.
    pub(super) began_at: WallMs,
    /// Number of the first batch whose facts are all among these.
    pub(super) from: u64,
    /// Number of the latest batch that the server had confirmed.
    pub(super) until: u64,
    pub(super) facts: LateFacts,
}

/// The form of the file.
#[derive(Serialize, Deserialize)]
struct LateFile {
    version: u32,
    ledger: String,
    start: u32,
    began_at: i64,
    from: u64,
    until: u64,
    voids: Vec<u64>,
    answers: Vec<LateAnswer>,
}

/// The form of an answer in the file.
#[derive(Serialize, Deserialize)]
struct LateAnswer {
    attempt: u64,
    /// Keyed hash of the pair, in hexadecimal.
    pair: String,
    version: u16,
    record: u64,
    asked_at: i64,
    answered_at: i64,
    /// Code of the class.
    class: u8,
    http: Option<u16>,
    /// Milliseconds.
    #[serde(default)]
    took: Option<u32>,
    texts: BTreeMap<String, String>,
}

impl Late {
    /// Writes the facts to their file, durably.
    ///
    /// # Errors
    /// The system's error.
    pub(super) fn write(&self, files: &LocalFiles) -> io::Result<()> {
        let Self { start, began_at, from, until, facts } = self;
        let form = LateFile {
            version: VERSION,
            ledger: files.ledger.clone(),
            start: start.0,
            began_at: began_at.0,
            from: *from,
            until: *until,
            voids: facts.voids.iter().map(|attempt| attempt.0).collect(),
            answers: facts.answers.iter().map(form_of).collect(),
        };
        let path = files.late(*start);
        let mut file = AtomicFile::beside(&path)?;
        file.write_all(&serde_json::to_vec(&form)?)?;
        file.put(&path)
    }

    /// Reads the facts from their file.
    ///
    /// # Errors
    /// [`LedgerError::File`] if the file cannot be read, or is damaged.
    pub(super) fn read(path: &Path, files: &LocalFiles) -> Result<Self, LedgerError> {
        let failed = |source| LedgerError::File { path: path.to_owned(), act: "read", source };
        let text = trusted::read(path).map_err(failed)?;
        // The parser's own message may quote the file.
        let damaged = || failed(io::Error::other("it is damaged, or of another version"));
        let form: LateFile = serde_json::from_str(&text).map_err(|_| damaged())?;
        if form.version != VERSION || form.ledger != files.ledger {
            return Err(damaged());
        }
        let answers: Option<Vec<Answered>> = form.answers.into_iter().map(answer_of).collect();
        Ok(Self {
            start: StartId(form.start),
            began_at: WallMs(form.began_at),
            from: form.from,
            until: form.until,
            facts: LateFacts {
                answers: answers.ok_or_else(damaged)?,
                voids: form.voids.into_iter().map(AttemptId).collect(),
            },
        })
    }
}

fn form_of(answered: &Answered) -> LateAnswer {
    let Answered { intent, settlement } = answered;
    let texts = Text::ALL
        .iter()
        .filter_map(|text| Some((text.name().to_owned(), settlement.texts.get(*text)?.to_owned())));
    LateAnswer {
        attempt: intent.attempt.0,
        pair: hex(&intent.pair.0),
        version: intent.version.0,
        record: intent.record,
        asked_at: intent.at.0,
        answered_at: settlement.at.0,
        class: settlement.class.code(),
        http: settlement.http,
        took: settlement.took_ms,
        texts: texts.collect(),
    }
}

fn answer_of(mut form: LateAnswer) -> Option<Answered> {
    let (attempt, class) = (AttemptId(form.attempt), Class::from_code(form.class)?);
    let intent = Intent {
        attempt,
        pair: PairKey(from_hex(&form.pair)?),
        version: PairVersion(form.version),
        record: form.record,
        at: WallMs(form.asked_at),
    };
    let settlement = Settlement {
        attempt,
        class,
        charge: charge(class),
        http: form.http,
        took_ms: form.took,
        texts: Texts::collect(|text| form.texts.remove(text.name())),
        at: WallMs(form.answered_at),
    };
    Some(Answered { intent, settlement })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::ResultCode;

    #[test]
    fn late_facts_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let files = LocalFiles::new(&folder.path().join("my.key"), "0123456789".to_owned());
        let answer = |n: u32, class: Class, texts: Texts| {
            let attempt = AttemptId::of(StartId(7), n);
            let (pair, version) = (PairKey([0xA5; 16]), PairVersion(3));
            let intent = Intent { attempt, pair, version, record: 9, at: WallMs(1000) };
            let (charge, http, at) = (charge(class), Some(200), WallMs(2000));
            let took_ms = Some(85);
            let settlement = Settlement { attempt, class, charge, http, took_ms, texts, at };
            Answered { intent, settlement }
        };
        let texts = Texts::from([(Text::Status, "OK"), (Text::Remark, "\u{0}\n\"x\"")]);
        let facts = LateFacts {
            answers: vec![
                answer(1, Class::Answered(ResultCode::Match), texts),
                answer(2, crate::ledger::codes::KILLED, Texts::default()),
            ],
            voids: vec![AttemptId::of(StartId(7), 5)],
        };
        let late = Late { start: StartId(7), began_at: WallMs(500), from: 4, until: 9, facts };
        late.write(&files).unwrap();
        let paths = files.all_late();
        assert_eq!(paths, [files.late(StartId(7))]);
        assert_eq!(Late::read(&paths[0], &files).unwrap(), late);

        let other = LocalFiles::new(&folder.path().join("my.key"), "01234567-other".to_owned());
        assert!(Late::read(&paths[0], &other).is_err(), "another ledger");
        std::fs::write(&paths[0], "{\"version\":1,\"texts\":\"3174\"}").unwrap();
        let error = Late::read(&paths[0], &files).unwrap_err().to_string();
        assert!(error.contains("it is damaged") && !error.contains("3174"), "{error}");
    }
}
