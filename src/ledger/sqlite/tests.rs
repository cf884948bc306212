//! Tests of the ledger file: which files are refused, that all files are private, and that damage
//! is noticed. The promises of the traits are tested by the suite for all ledgers
//! (`testing::conformance`).

use std::time::Duration;

use super::lock::Lock;
use super::*;
use crate::error::hints;
use crate::fs::paths::beside;
use crate::ledger::testing::facts::{ending, known, opening, record};
use crate::ledger::{
    Facts, FoundRun, Ledger, LedgerError, LedgerName, Preview, RunId, RunRef, ShowLedger,
    StartRequest, UnderWay, key as key_file,
};
use crate::model::attempt::{AttemptId, StartId, WallMs};
use crate::model::class::{Class, Lost, Refusal, ResultCode};
use crate::model::exit_code::ExitCode;
use crate::rules::pair_table::PairTable;
use crate::rules::testing::key;

pub(in crate::ledger) mod backend;
mod lost;
mod preview;
mod upgrade;

const MATCH: Class = Class::Answered(ResultCode::Match);
const CUT: Class = Class::InDoubt(Lost::Cut);

/// A temporary folder for one ledger.
struct LedgerFolder {
    folder: tempfile::TempDir,
}

impl LedgerFolder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn location(&self) -> FileLocation {
        let ledger = self.folder.path().join("state/test.ledger");
        FileLocation { key: ledger.with_extension("key"), ledger, origin: "sandbox".to_owned() }
    }

    fn open(&self) -> SqliteLedger {
        SqliteLedger::open(&self.location(), Duration::ZERO, || WallMs(1_000_000_000_000)).unwrap()
    }
}

#[test]
fn a_held_foreign_or_unknown_ledger_is_refused() {
    let place = LedgerFolder::new();
    let location = place.location();
    let held = place.open();
    let open = |location: &FileLocation| {
        SqliteLedger::open(location, Duration::ZERO, || WallMs(0))
            .map(drop)
            .map_err(|e| (e.exit_code(), e))
    };
    assert!(matches!(open(&location), Err((ExitCode::LedgerBusy, LedgerError::Locked(..)))));
    drop(held);
    let other =
        FileLocation { origin: "https://api.example.com:443".to_owned(), ..location.clone() };
    assert!(matches!(open(&other), Err((ExitCode::Config, LedgerError::Origin { .. }))));

    let key = std::fs::read(&location.key).unwrap();
    std::fs::remove_file(&location.key).unwrap();
    assert!(matches!(open(&location), Err((ExitCode::Storage, LedgerError::Key { .. }))));
    assert!(!location.key.exists(), "no new key is ever made");
    let text = format!("ceknik-key-1 {}\n", "ab".repeat(32));
    std::fs::write(&location.key, text).unwrap();
    assert!(matches!(open(&location), Err((ExitCode::Storage, LedgerError::Key { .. }))));
    std::fs::write(&location.key, key).unwrap();
    assert!(open(&location).is_ok());

    let raw = rusqlite::Connection::open(&location.ledger).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert!(matches!(open(&location), Err((ExitCode::Storage, LedgerError::Version { .. }))));
    std::fs::write(&location.ledger, "not a database, but long enough to look at".repeat(50))
        .unwrap();
    assert!(matches!(open(&location), Err((ExitCode::Storage, LedgerError::Version { .. }))));
}

#[test]
fn every_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let place = LedgerFolder::new();
    let ledger = place.open();
    let folder = ledger.path.parent().unwrap().to_owned();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
        files += 1;
    }
    assert!(files >= 4, "ledger, wal, key, lock: {files}");
    drop(ledger);

    // A restore from a backup may leave the files readable by everybody.
    let FileLocation { ledger, key, .. } = place.location();
    let open = std::fs::Permissions::from_mode(0o644);
    for path in [&ledger, &key] {
        std::fs::set_permissions(path, open.clone()).unwrap();
    }
    drop(place.open());
    assert_eq!([mode(&ledger), mode(&key)], [0o600; 2]);
}

#[test]
fn no_link_is_followed() {
    for name in ["test.ledger", "test.key", "test.ledger.witness", "test.ledger.lock"] {
        for check_created in [false, true] {
            let place = LedgerFolder::new();
            let (victim, state) =
                (place.folder.path().join("victim"), place.folder.path().join("state"));
            std::fs::create_dir(&state).unwrap();
            std::fs::write(&victim, if check_created { "untouched" } else { "" }).unwrap();
            if check_created {
                drop(place.open());
                std::fs::remove_file(state.join(name)).unwrap();
            }
            let before = std::fs::read(&victim).unwrap();
            std::os::unix::fs::symlink(&victim, state.join(name)).unwrap();
            let opened = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0));
            let error = opened.map(drop).unwrap_err();
            assert_eq!(error.exit_code(), ExitCode::Storage, "{name}");
            assert!(
                error.to_string().ends_with("it is a link, and ceknik does not follow links here"),
                "{error}"
            );
            assert_eq!(std::fs::read(&victim).unwrap(), before, "{name}");
        }
    }
}

#[test]
fn a_nik_in_a_path_is_masked_in_errors() {
    let path = || std::path::PathBuf::from("d/3275014107900001.ledger");
    let name = || LedgerName::of_file(&path());
    for error in [
        LedgerError::Locked(name(), None),
        LedgerError::Missing(name()),
        LedgerError::Lost { ledger: name(), what: "is gone".to_owned() },
        LedgerError::File { path: path(), act: "opened", source: std::io::Error::other("no") },
        key_file::missing(&path(), &LedgerName::of_file(&path())),
    ] {
        let said = error.to_string();
        assert!(said.contains("d/******.ledger") && !said.contains("32750"), "{said}");
    }
}

/// Opens the ledger, and reads everything that the next start of file 1 would read of its pairs.
fn goes_on(place: &LedgerFolder) -> Result<(), LedgerError> {
    let mut ledger = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(1))?;
    goes_on_with(&mut ledger)
}

/// Reads what the next start of file 1 would read of its pairs.
fn goes_on_with(ledger: &mut SqliteLedger) -> Result<(), LedgerError> {
    let run = ledger.find_run(&opening(1, 1))?.run;
    let keys = PairTable::new((1..10).map(key).collect()).keys();
    ledger.visit_earlier(&run, &keys, &mut |_, _| ())?;
    match run.begun() {
        Some(id) => ledger.visit_own(id, &keys, &mut |_, _| ()),
        None => Ok(()),
    }
}

/// Checks whether the operation was refused because the ledger is damaged.
fn is_refused<T>(done: Result<T, LedgerError>) -> bool {
    done.is_err_and(|error| {
        error.exit_code() == ExitCode::Storage && hints::of_ledger(&error).contains("newest backup")
    })
}

#[test]
fn a_damaged_row_is_refused_also_where_another_is_asked_for() {
    let attempt = |start, n| AttemptId::of(StartId(start), n).0;
    let (second, third) = (attempt(1, 2), attempt(2, 1));
    for damage in [
        "",
        "UPDATE starts SET run = 3 WHERE id = 1",
        "UPDATE starts SET run = 2 WHERE id = 3",
        // This start belongs to another run.
        "UPDATE starts SET first_attempt = 2 WHERE id = 2",
        "UPDATE starts SET first_attempt = 9 WHERE id = 3",
        "UPDATE starts SET intents = 1 WHERE id = 1",
        "UPDATE starts SET intents = NULL WHERE id = 1",
        // A damaged page can hide rows, as if they had been deleted.
        "DELETE FROM starts WHERE id = 1",
        "DELETE FROM starts WHERE id = 2",
        "DELETE FROM starts WHERE id = 3",
        "DELETE FROM starts WHERE id > 1",
        "DELETE FROM starts",
        &format!("UPDATE intents SET run = 1 WHERE id = {third}"),
        &format!("UPDATE settlements SET at = 5 WHERE id = {third}"),
        &format!("DELETE FROM intents WHERE id = {second}"),
    ] {
        let place = LedgerFolder::new();
        let mut ledger = place.open();
        for (file, pair) in [(1, 1), (2, 3), (1, 5)] {
            let run = ledger.open_run(&opening(file, file)).unwrap();
            let facts = [(pair, Some(MATCH)), (pair + 1, Some(MATCH))];
            ledger = record(ledger, &run, &facts, &[]);
            ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
        }
        ledger.connection.execute_batch(damage).unwrap();
        drop(ledger);
        assert_eq!(is_refused(goes_on(&place)), !damage.is_empty(), "{damage}");
    }
}

/// Both starts belong to one run, so only the number of the latest attempt shows that the second
/// start is missing.
#[test]
fn a_last_start_that_is_gone_is_missed_also_by_its_own_run() {
    let place = LedgerFolder::new();
    let mut ledger = place.open();
    for pair in [1, 2] {
        let run = ledger.open_run(&opening(1, 1)).unwrap();
        ledger = record(ledger, &run, &[(pair, Some(MATCH))], &[]);
        ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
    }
    assert!(goes_on_with(&mut ledger).is_ok());
    ledger.connection.execute_batch("DELETE FROM starts WHERE id = 2").unwrap();
    assert!(is_refused(goes_on_with(&mut ledger)));
    // StartRequest also fails, although nothing of that run is read: the number of the missing start
    // would be used again.
    drop(ledger);
    let opened = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0));
    assert!(is_refused(opened.map(drop)));
}

#[test]
fn a_purge_believes_no_damaged_row() {
    for damage in [
        "",
        "UPDATE settlements SET at = 5 WHERE id & 255 = 1",
        "UPDATE settlements SET class = 1 WHERE id & 255 = 2",
        "UPDATE intents SET run = 2 WHERE id & 255 = 1",
        "UPDATE intents SET pair = zeroblob(16) WHERE id & 255 = 2",
        "UPDATE standings SET attempt = 9 WHERE attempt & 255 = 1",
    ] {
        let place = LedgerFolder::new();
        let mut ledger = place.open();
        let run = ledger.open_run(&opening(1, 1)).unwrap();
        let facts = [(1, Some(MATCH)), (2, Some(CUT))];
        ledger = record(ledger, &run, &facts, &[]);
        ledger.end_run(&run, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
        ledger.connection.execute_batch(damage).unwrap();
        assert_eq!(is_refused(ledger.purge(WallMs(10), 0)), !damage.is_empty(), "{damage}");
    }
}

/// Returns every file beside the ledger, with its bytes.
fn files(place: &LedgerFolder) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let folder = std::fs::read_dir(place.folder.path().join("state")).unwrap();
    let mut files: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Copies a ledger's files as they are now, like a killed process or a backup leaves them.
fn copied(place: &LedgerFolder) -> LedgerFolder {
    let copy = LedgerFolder::new();
    std::fs::create_dir(copy.folder.path().join("state")).unwrap();
    for (path, bytes) in files(place) {
        std::fs::write(copy.folder.path().join("state").join(path.file_name().unwrap()), bytes)
            .unwrap();
    }
    copy
}

#[test]
fn a_run_ends_also_where_there_is_no_room_for_the_merge() {
    let place = LedgerFolder::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let mut ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, Some(MATCH))], &[]);
    let full = "CREATE TEMP TRIGGER full BEFORE INSERT ON main.standings
                BEGIN SELECT RAISE(ABORT, 'full'); END";
    ledger.connection.execute_batch(full).unwrap();
    ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
    assert_eq!(ledger.status(0, 1).unwrap().runs[0].state, "finished");
    let next = ledger.open_run(&opening(2, 2)).unwrap();
    let found = known(&mut ledger, &next.found.run);
    assert_eq!(found.len(), 2, "found without it");
    ledger.connection.execute_batch("DROP TRIGGER full").unwrap();
    ledger.end_run(&next, &ending(ExitCode::Complete)).unwrap();
    let merged = ledger.merged_to().unwrap();
    assert_eq!(merged, AttemptId::of(run.start, 2).0, "and merged by the next");
    assert_eq!(known(&mut ledger, &next.found.run), found);
}

#[test]
fn a_held_ledger_is_waited_for_as_long_as_was_asked() {
    let place = LedgerFolder::new();
    let held = place.open();
    let take =
        |wait| Lock::take(&place.location().ledger, Duration::from_millis(wait), || WallMs(1));
    assert!(matches!(take(0), Err(LedgerError::Locked(..))));
    assert!(matches!(take(1), Err(LedgerError::Locked(..))));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| take(60_000).map(drop));
        std::thread::sleep(Duration::from_millis(50));
        drop(held);
        assert!(waits.join().unwrap().is_ok());
    });
}

#[test]
fn a_look_at_the_lock_stops_no_start() {
    let place = LedgerFolder::new();
    drop(place.open());
    let ledger = place.location().ledger;
    let look = std::fs::File::open(beside(&ledger, ".lock")).unwrap();
    look.try_lock_shared().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(15));
            look.unlock().unwrap();
        });
        assert!(Lock::take(&ledger, Duration::ZERO, || WallMs(1)).is_ok());
    });
}

#[test]
fn attempts_that_were_purged_are_counted() {
    let place = LedgerFolder::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let of = [1, 2, 3].map(|pair| (pair, Some(Class::Answered(ResultCode::Match))));
    let mut ledger = record(ledger, &run, &of, &[]);
    let purged =
        |ledger: &SqliteLedger| ledger.start_sums(run.id).unwrap().get(&run.start).unwrap().purged;
    assert_eq!(purged(&ledger), 0);
    ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
    assert_eq!(purged(&ledger), 0);
    ledger.purge(WallMs(i64::MAX), 0).unwrap();
    assert_eq!(purged(&ledger), 3);
}

#[test]
fn the_note_of_a_lock_counts_while_the_lock_is_held() {
    let place = LedgerFolder::new();
    let ledger = place.open();
    let shown = || SqliteLedger::open_to_show(&place.location().ledger).unwrap();
    assert_eq!(shown().status(0, 0).unwrap().under_way, []);
    let run = UnderWay {
        run: RunId(7),
        holder: None,
        since: WallMs(5),
        pairs_done: 3,
        pairs: 9,
        calls_per_second: 1.5,
        done_at: Some(WallMs(99)),
        pause: Some("outage".to_owned()),
    };
    ledger.progress_note().unwrap()(&run);
    let seen = shown().status(0, 0).unwrap().under_way;
    let holder = seen[0].holder.unwrap();
    assert_eq!(holder.process, std::process::id());
    assert_eq!(seen, [UnderWay { holder: Some(holder), since: holder.since, ..run }]);
    let held = Lock::take(&place.location().ledger, Duration::ZERO, || WallMs(1));
    assert!(matches!(held, Err(LedgerError::Locked(_, Some(by))) if by == holder));
    // Whoever still has the writer of the note does not hold the lock.
    let note = ledger.progress_note().unwrap();
    drop(ledger);
    assert_eq!(shown().status(0, 0).unwrap().under_way, [], "it is stale");
    assert!(Lock::take(&place.location().ledger, Duration::ZERO, || WallMs(1)).is_ok());
    drop(note);
}
