//! Tests that missing and damaged facts are noticed: by the witness, by the checksums of rows, and
//! by checks of the B-trees.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::ledger::AttemptDetail;
use crate::ledger::sqlite::witness::{WitnessRecord, path_of};
use crate::model::texts::Text;

/// Returns the message with which the ledger is refused, or an empty text. A preview must refuse
/// with the same message.
fn told(place: &LedgerFolder) -> String {
    let opened = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0));
    let told = opened.map(drop).map_err(|error| error.to_string()).err().unwrap_or_default();
    let previewed =
        SqlitePreview::of(&place.location()).map(drop).map_err(|error| error.to_string());
    assert_eq!(previewed.err().unwrap_or_default(), told, "a preview says the same");
    told
}

/// Returns the path of the ledger's WAL.
fn wal_of(ledger: &Path) -> std::path::PathBuf {
    ledger.with_extension("ledger-wal")
}

/// Returns an open ledger with three facts in its file and four in its WAL, and the bytes of the
/// ledger file before the first fact.
fn under_way(place: &LedgerFolder) -> (SqliteLedger, Vec<u8>) {
    drop(place.open());
    let old = fs::read(place.location().ledger).unwrap();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    drop(record(ledger, &run, &[(1, Some(MATCH)), (2, None)], &[]));
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    (record(ledger, &run, &[(3, Some(MATCH)), (4, Some(MATCH))], &[]), old)
}

#[test]
fn a_ledger_that_holds_less_than_its_witness_saw_is_refused() {
    let origin = LedgerFolder::new();
    let (_ledger, old) = under_way(&origin);
    let held = "it had at least 7 entries, up to call 2 of the ledger's session 2";
    assert_eq!(told(&copied(&origin)), "", "a killed process leaves all of it");

    let gone = copied(&origin);
    fs::remove_file(gone.location().ledger).unwrap();
    fs::remove_file(wal_of(&gone.location().ledger)).unwrap();
    assert!(told(&gone).ends_with(&format!("is gone or empty; {held}")), "{}", told(&gone));
    let looked =
        SqliteLedger::open_to_show(&gone.location().ledger).map(drop).unwrap_err().to_string();
    assert!(looked.ends_with(held), "{looked}");

    let without_wal = copied(&origin);
    fs::remove_file(wal_of(&without_wal.location().ledger)).unwrap();
    let lost =
        format!("has lost data: {held}, and now has 3, up to call 2 of the ledger's session 1");
    assert!(told(&without_wal).ends_with(&lost), "{}", told(&without_wal));

    let older = copied(&origin);
    fs::write(older.location().ledger, &old).unwrap();
    assert!(
        told(&older).ends_with("is an old copy: it has 0 entries, and had 3 before"),
        "{}",
        told(&older)
    );

    let cut = copied(&origin);
    let bytes = fs::read(cut.location().ledger).unwrap();
    fs::write(cut.location().ledger, &bytes[..bytes.len() - 1]).unwrap();
    let was = bytes.len();
    let lost = format!("was cut: it has {} bytes, and had {was} before", was - 1);
    assert!(told(&cut).ends_with(&lost), "{}", told(&cut));

    // The ledger is emptied, and its witness removed: only the key shows that the ledger is not
    // new.
    let emptied = copied(&origin);
    fs::remove_file(wal_of(&emptied.location().ledger)).unwrap();
    fs::write(emptied.location().ledger, "").unwrap();
    fs::remove_file(path_of(&emptied.location().ledger)).unwrap();
    assert!(
        told(&emptied).ends_with("is empty, but its key has been used before"),
        "{}",
        told(&emptied)
    );
}

#[test]
fn a_witness_that_proves_nothing_is_made_anew() {
    let origin = LedgerFolder::new();
    let (_ledger, _) = under_way(&origin);
    let says = fs::read_to_string(path_of(&origin.location().ledger)).unwrap();
    assert!(WitnessRecord::read(&origin.location().ledger).is_some());
    let other_key = says.replacen(says.split(' ').nth(1).unwrap(), "0011223344556677", 1);
    for (n, torn) in
        ["", "\n", "something else\n", &says[..says.len() - 1], &says.replace('7', "9"), &other_key]
            .into_iter()
            .enumerate()
    {
        let place = copied(&origin);
        fs::remove_file(wal_of(&place.location().ledger)).unwrap();
        fs::write(path_of(&place.location().ledger), torn).unwrap();
        assert_eq!(told(&place), "", "{n}");
        let anew = fs::read_to_string(path_of(&place.location().ledger)).unwrap();
        assert_eq!(anew.len(), says.len(), "{n}");
        assert_ne!(anew, says);
        // The new witness notices that the ledger is gone.
        fs::remove_file(place.location().ledger).unwrap();
        assert!(
            told(&place)
                .contains("it had at least 3 entries, up to call 2 of the ledger's session 1"),
            "{n}"
        );
    }
}

#[test]
fn a_row_without_its_sum_is_damaged() {
    let place = LedgerFolder::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let mut ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, None)], &[]);
    let keys = PairTable::new((1..10).map(key).collect()).keys();
    assert!(ledger.visit_own(run.id, &keys, &mut |_, _| {}).is_ok());
    ledger.connection.execute("UPDATE settlements SET sum = NULL", []).unwrap();
    let error = ledger.visit_own(run.id, &keys, &mut |_, _| {}).unwrap_err();
    assert!(hints::of_ledger(&error).contains("backup"), "{}", hints::of_ledger(&error));
}

#[test]
fn what_the_storage_says_is_told_with_what_was_tried_and_without_a_path() {
    use rusqlite::ffi::{
        SQLITE_BUSY, SQLITE_CANTOPEN, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR_FSYNC,
        SQLITE_IOERR_READ, SQLITE_READONLY,
    };
    for (code, tried, hint) in [
        (SQLITE_FULL, "written", "free space"),
        (SQLITE_IOERR_FSYNC, "written", "free space"),
        (SQLITE_READONLY, "written", "free space"),
        (SQLITE_IOERR_READ, "read", "free space"),
        (SQLITE_CORRUPT, "read", "backup"),
        (SQLITE_CANTOPEN, "opened", "free space"),
        (SQLITE_BUSY, "used", "free space"),
    ] {
        let error = rusqlite::ffi::Error::new(code);
        let path = (code == SQLITE_CANTOPEN).then(|| "at n/3275014107900001.ledger".to_owned());
        let error = LedgerError::from(rusqlite::Error::SqliteFailure(error, path));
        let said = error.to_string();
        assert!(said.starts_with(&format!("the ledger could not be {tried}: ")), "{said}");
        assert!(!said.contains("3275014107900001"), "{said}");
        assert!(hints::of_ledger(&error).contains(hint), "{said}: {}", hints::of_ledger(&error));
    }
}

#[test]
fn an_attempt_that_is_left_out_is_damage() {
    let place = LedgerFolder::new();
    let mut ledger = place.open();
    let first = ledger.open_run(&opening(1, 1)).unwrap();
    let ledger = record(ledger, &first, &[(1, Some(MATCH)), (2, Some(MATCH))], &[]);
    drop(ledger);
    let mut ledger = place.open();
    let second = ledger.open_run(&opening(2, 2)).unwrap();
    let mut ledger = record(ledger, &second, &[(3, Some(MATCH))], &[]);
    let last = AttemptId::of(first.start, 2).0;
    let keys = PairTable::new((1..10).map(key).collect()).keys();
    assert!(ledger.visit_own(first.id, &keys, &mut |_, _| {}).is_ok());
    // The last attempt of a start that is over is missing: the start's row says how many there
    // were.
    ledger.connection.execute("DELETE FROM intents WHERE id = ?1", [last]).unwrap();
    assert!(is_refused(ledger.visit_own(first.id, &keys, &mut |_, _| {})));
    assert!(ledger.visit_own(second.id, &keys, &mut |_, _| {}).is_ok());
}

#[test]
fn a_count_that_is_lower_is_told_whatever_else_is_right() {
    let place = LedgerFolder::new();
    drop(under_way(&place));
    let ledger = place.open();
    assert!(ledger.check_nothing_lost().is_ok());
    ledger.connection.execute("UPDATE meta SET value = 6 WHERE name = 'facts'", []).unwrap();
    let told = SqliteLedger::open_to_show(&place.location().ledger)
        .unwrap()
        .check_nothing_lost()
        .unwrap_err();
    assert!(
        told.to_string().ends_with("and now has 6, up to call 2 of the ledger's session 2"),
        "{told}"
    );
}

/// SQLite would roll a linked journal back into the ledger.
#[test]
fn a_link_in_the_place_of_a_file_of_sqlites_is_refused() {
    for ending in ["-wal", "-journal", "-shm"] {
        let place = LedgerFolder::new();
        drop(place.open());
        let mut path = place.location().ledger.into_os_string();
        path.push(ending);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(place.folder.path().join("elsewhere"), &path).unwrap();
        let opened = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0));
        let told = opened.map(drop).unwrap_err().to_string();
        assert!(told.contains("it is a link"), "{ending}: {told}");
    }
}

#[test]
fn an_answer_that_is_gone_is_damage_once_its_start_is_over() {
    for is_own in [true, false] {
        let place = LedgerFolder::new();
        let mut ledger = place.open();
        let run = ledger.open_run(&opening(1, 1)).unwrap();
        let mut ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, Some(MATCH))], &[]);
        let keys = PairTable::new((1..10).map(key).collect()).keys();
        let read = |ledger: &mut SqliteLedger| match is_own {
            true => ledger.visit_own(run.id, &keys, &mut |_, _| {}),
            false => ledger.visit_earlier(&RunRef::New { takes_over: None }, &keys, &mut |_, _| {}),
        };
        ledger.connection.execute("DELETE FROM settlements WHERE id & 255 = 2", []).unwrap();
        assert!(read(&mut ledger).is_ok(), "it may be in flight");
        ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
        assert!(is_refused(read(&mut ledger)), "{is_own}");
    }
}

/// Inner pages of a B-tree say where a fact is. A damaged inner page must not hide a fact.
#[test]
fn a_flipped_bit_in_a_page_that_leads_to_others_is_noticed_or_changes_nothing() {
    let origin = LedgerFolder::new();
    let mut ledger = origin.open();
    let pairs = |range: std::ops::Range<u64>| range.map(|n| (n, Some(MATCH))).collect::<Vec<_>>();
    for (n, range) in [(1, 1..400), (2, 400..600)] {
        let run = ledger.open_run(&opening(n, n)).unwrap();
        ledger = record(ledger, &run, &pairs(range), &[]);
        match n {
            1 => ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap(),
            _ => ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap(),
        }
    }
    drop(ledger);
    let keys: Vec<_> = (1..601).map(key).collect();
    // A fact may be visited twice, so a set is compared.
    let read = |place: &LedgerFolder| -> Result<BTreeSet<String>, LedgerError> {
        let mut ledger = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0))?;
        let (mut seen, mut attempts) = (BTreeSet::new(), Vec::new());
        // Four keys are looked up one by one; all keys together are found by a sweep.
        for keys in keys.chunks(4).chain([&keys[..]]) {
            let keys = PairTable::new(keys.to_vec()).keys();
            ledger.visit_earlier(&RunRef::Open(RunId(2)), &keys, &mut |at, standing| {
                let Some(earlier) = standing.end else { return };
                attempts.push(earlier.attempt);
                seen.insert(format!("{:?} of {} {earlier:?}", at, keys.as_slice().len()));
            })?;
        }
        let keys = PairTable::new(keys.clone()).keys();
        ledger.visit_own(RunId(2), &keys, &mut |at, own| {
            attempts.push(own.attempt);
            seen.insert(format!("{at:?} {own:?}"));
        })?;
        let details = ledger.details(&attempts)?;
        let remark = |detail: &AttemptDetail| detail.texts.get(Text::Remark).map(str::to_owned);
        seen.extend(details.iter().map(|d| format!("{:?} {:?}", d.attempt, remark(d))));
        Ok(seen)
    };
    let whole = fs::read(origin.location().ledger).unwrap();
    let undisturbed = read(&copied(&origin)).unwrap();
    assert!(undisturbed.len() > 1500, "{}", undisturbed.len());
    let (mut flips, mut refused, mut astray) = (0, 0, Vec::new());
    for at in (0..whole.len()).filter(|at| whole[*at] != 0) {
        let (page, header) = (at / 4096 * 4096, if at < 4096 { 100 } else { at / 4096 * 4096 });
        let number = |at: usize| usize::from(u16::from_be_bytes([whole[at], whole[at + 1]]));
        let (pointers, cells) = (header + 12 + 2 * number(header + 3), page + number(header + 5));
        // Inner pages of a table (type 5) contain keys only. Inner pages of `standings` (type 2)
        // contain rows too; only every eleventh of their bytes is changed.
        let bits: &[u8] = match whole[header] {
            _ if at < header || (at >= pointers && at < cells) => &[],
            5 => &[0x01, 0x10],
            2 if at % 11 == 0 => &[0x01],
            _ => &[],
        };
        for bit in bits {
            let place = copied(&origin);
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            fs::write(place.location().ledger, bytes).unwrap();
            flips += 1;
            match read(&place) {
                Ok(seen) if seen == undisturbed => {}
                Ok(seen) => {
                    let differs: Vec<_> = undisturbed.symmetric_difference(&seen).take(4).collect();
                    let (page, byte) = (page / 4096, at % 4096);
                    astray.push(format!("page {page}, byte {byte}, bit {bit:#x}: {differs:?}"));
                }
                Err(error) => {
                    assert_eq!(error.exit_code(), ExitCode::Storage, "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(astray.is_empty(), "{} of {flips}: {}", astray.len(), astray.join("\n"));
    assert!(refused > 30 && flips > refused, "{refused} of {flips} refused");
}
