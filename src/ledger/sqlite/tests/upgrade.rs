//! Tests with stored ledgers of an older ceknik, which a run, a plan and a status of this version
//! open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::ledger::testing::SqliteBackend;

/// Copies a stored ledger of an older version into a temporary folder.
fn stored(name: &str) -> LedgerFolder {
    let place = LedgerFolder::new();
    let state = place.folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/ledgers").join(name);
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap().to_str().unwrap().replace("my.ledger.key", "test.key");
        fs::copy(&from, state.join(name.replace("my.ledger", "test.ledger"))).unwrap();
    }
    place
}

/// The stored ledgers, by their version.
const STORED: [&str; 6] =
    ["v2/finished", "v2/stopped", "v2/killed", "v3/finished", "v3/stopped", "v3/killed"];

/// Returns the path of the copy that an upgrade from version 2 keeps.
fn copy_of(place: &LedgerFolder) -> PathBuf {
    beside(&place.location().ledger, ".v2")
}

/// Returns the files beside the ledger with their bytes, except for the lock and for the files that
/// SQLite creates when it opens the ledger: an index and an empty WAL.
fn facts_and_keys(place: &LedgerFolder) -> Vec<(PathBuf, Vec<u8>)> {
    let is_passing = |path: &PathBuf, bytes: &[u8]| {
        let name = path.to_string_lossy();
        name.ends_with(".lock")
            || name.ends_with("-shm")
            || name.ends_with("-wal") && bytes.is_empty()
    };
    files(place).into_iter().filter(|(path, bytes)| !is_passing(path, bytes)).collect()
}

/// Returns all facts in the ledger.
fn facts_of(ledger: &SqliteLedger) -> Vec<crate::ledger::testing::StoredFact> {
    use crate::ledger::testing::Backend;
    SqliteBackend::stored(ledger).facts
}

#[test]
fn an_older_ledger_is_brought_up_to_date_and_kept_as_it_was() {
    for name in STORED {
        let place = stored(name);
        let older: i64 = name[1..2].parse().unwrap();
        let before = {
            let old = SqliteLedger::open_to_show(&place.location().ledger).unwrap();
            assert_eq!(old.version().unwrap(), older);
            (facts_of(&old), old.status(0, 99).unwrap())
        };
        let open_before = before.0.iter().filter(|fact| fact.settled.is_none()).count();
        assert_eq!(open_before > 0, name.ends_with("killed"));
        let mut ledger = place.open();
        assert_eq!(ledger.version().unwrap(), schema::VERSION);
        // No fact has changed, except that calls in flight are now in doubt.
        let after = facts_of(&ledger);
        assert_eq!(after.len(), before.0.len());
        for (old, new) in before.0.iter().zip(&after) {
            let settled = old.settled.or(new.settled);
            assert_eq!(&crate::ledger::testing::StoredFact { settled, ..*old }, new);
        }
        let starts = ledger.starts().unwrap();
        let counted: u64 = starts.iter().map(|start| start.intents.unwrap()).sum();
        assert_eq!((starts.len(), counted), (before.1.runs[0].starts as usize, after.len() as u64));
        assert!(ledger.visit_own(RunId(1), &PairTable::default().keys(), &mut |_, _| ()).is_ok());

        // The copy is a complete ledger for the older program, and no other user can read it.
        let copy = beside(&place.location().ledger, &format!(".v{older}"));
        let kept = [copy.clone(), beside(&copy, ".key"), beside(&copy, ".witness")];
        for path in &kept {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        }
        let old = SqliteLedger::open_to_show(&copy).unwrap();
        assert_eq!((old.version().unwrap(), facts_of(&old)), (older, before.0));
        assert!(old.check_nothing_lost().is_ok());
        assert_eq!(fs::read(&kept[1]).unwrap(), fs::read(place.location().key).unwrap());

        // A second start changes nothing more.
        drop(ledger);
        drop(place.open());
        assert!(!beside(&copy, ".2").exists());
        // A start that continues the run uses higher numbers.
        ledger = place.open();
        let opening = opening(1, 1);
        let run = ledger.open_run(&opening).unwrap();
        assert_eq!(run.start.0 as usize, starts.len() + 1);
        let ledger = record(ledger, &run, &[(1, Some(MATCH))], &[]);
        assert!(ledger.last_attempt().unwrap() > after[after.len() - 1].attempt);
    }
}

#[test]
fn readers_show_an_older_ledger_as_it_is() {
    for name in STORED {
        let place = stored(name);
        let before = facts_and_keys(&place);
        let shown =
            SqliteLedger::open_to_show(&place.location().ledger).unwrap().status(0, 9).unwrap();
        assert_eq!(shown.runs.len(), 1);
        let ledger = SqliteLedger::open_to_show(&place.location().ledger).unwrap();
        let record = ledger.run_record(RunId(1)).unwrap().unwrap();
        let line = &shown.runs[0];
        assert_eq!((record.id, &record.label, &record.state), (line.id, &line.label, &line.state));
        assert!(record.starts.iter().all(|start| start.notes.is_none() && start.pauses.is_empty()));
        let calls = ledger.calls(WallMs(0), WallMs(i64::MAX)).unwrap().minutes;
        let calls: u64 = calls.iter().map(|minute| minute.tally.calls).sum();
        assert_eq!(calls, line.tally.calls, "{name}");
        let sums = ledger.start_sums(RunId(1)).unwrap();
        assert_eq!(sums.values().map(|of_start| of_start.tally.calls).sum::<u64>(), calls);
        let unsettled: u64 = sums.values().map(|of_start| of_start.unsettled).sum();
        assert_eq!(unsettled, shown.unsettled, "{name}");
        drop(ledger);
        let preview = SqlitePreview::of(&place.location()).unwrap();
        let found = preview.read(|facts| {
            let found = facts.find_run(&opening(1, 1))?;
            facts.visit_earlier(&found.run, &PairTable::default().keys(), &mut |_, _| ())?;
            facts.visit_own(RunId(1), &PairTable::default().keys(), &mut |_, _| ())?;
            Ok::<_, LedgerError>((found.earlier_starts, facts.unsettled()?))
        });
        let unsettled = shown.unsettled;
        assert_eq!(found.unwrap(), Some((0, unsettled)));
        assert!(facts_and_keys(&place) == before, "not a byte is written");
    }
}

#[test]
fn without_room_for_the_copy_nothing_is_changed() {
    let place = stored("v2/stopped");
    let before = facts_and_keys(&place);
    // A folder is in the place where the copy would be written.
    fs::create_dir(beside(&copy_of(&place), ".part")).unwrap();
    let error = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0)).map(drop);
    let error = error.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Storage);
    assert!(error.to_string().contains("made before it is updated"), "{error}");
    fs::remove_dir(beside(&copy_of(&place), ".part")).unwrap();
    assert!(facts_and_keys(&place) == before, "not a byte");
    drop(place.open());
    assert!(copy_of(&place).exists());
}

#[test]
fn a_complete_copy_is_never_written_over() {
    let place = stored("v2/finished");
    fs::write(copy_of(&place), "a copy of last week").unwrap();
    drop(place.open());
    assert_eq!(fs::read_to_string(copy_of(&place)).unwrap(), "a copy of last week");
    let second = beside(&copy_of(&place), ".2");
    assert_eq!(SqliteLedger::open_to_show(&second).unwrap().version().unwrap(), 2);
}

#[test]
fn a_key_at_a_name_of_the_copy_is_neither_removed_nor_written_over() {
    for name in [".v2.key", ".v2.part", ".v2.part.key", ".v2.witness"] {
        let place = stored("v2/stopped");
        let FileLocation { ledger, key, origin } = place.location();
        let moved = FileLocation { key: beside(&ledger, name), ledger, origin };
        fs::rename(&key, &moved.key).unwrap();
        let bytes = fs::read(&moved.key).unwrap();
        // The upgrade is tried first without room for the copy, then with room.
        let parts = [beside(&moved.ledger, ".v2.part"), beside(&moved.ledger, ".v2.2.part")];
        let in_the_way: Vec<_> = parts.iter().filter(|part| !part.exists()).collect();
        in_the_way.iter().for_each(|part| fs::create_dir(part).unwrap());
        let open = || SqliteLedger::open(&moved, Duration::ZERO, || WallMs(0)).map(drop);
        assert_eq!(open().unwrap_err().exit_code(), ExitCode::Storage, "{name}");
        assert_eq!(fs::read(&moved.key).unwrap(), bytes, "{name}: the only key");
        in_the_way.iter().for_each(|part| fs::remove_dir(part).unwrap());
        open().unwrap();
        assert_eq!(fs::read(&moved.key).unwrap(), bytes, "{name}: the only key");
        let copies = [".v2", ".v2.2"].map(|copy| beside(&moved.ledger, copy));
        let copy = copies.iter().find(|copy| copy.exists()).unwrap();
        assert_eq!(SqliteLedger::open_to_show(copy).unwrap().version().unwrap(), 2, "{name}");
        assert_eq!(fs::read(beside(copy, ".key")).unwrap(), bytes, "{name}");
    }
}

#[test]
fn a_damaged_older_ledger_is_not_brought_up_to_date() {
    let place = stored("v2/stopped");
    let raw = rusqlite::Connection::open(place.location().ledger).unwrap();
    raw.execute_batch("UPDATE starts SET run = 2 WHERE id = 1").unwrap();
    drop(raw);
    let opened = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0));
    assert!(is_refused(opened.map(drop)));
    assert_eq!(SqliteLedger::open_to_show(&place.location().ledger).unwrap().version().unwrap(), 2);
}
