//! The SQLite ledger against what it promises: resume, reuse, voids, refusals to open, purge.

use std::time::Duration;

use super::*;
use crate::model::attempt::{Intent, Settlement};
use crate::model::class::{Lost, Refusal, ResultCode, Trouble};
use crate::rules::classify::charge;
use crate::rules::pairs::PairTable;
use crate::rules::testing::key;

mod lost;
mod preview;
mod told;

const MATCH: Class = Class::Answered(ResultCode::Match);
const DAY: Duration = Duration::from_secs(86_400);

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn location(&self) -> Location {
        let ledger = self.folder.path().join("state/test.ledger");
        Location { key: ledger.with_extension("key"), ledger, origin: "sandbox".to_owned() }
    }

    fn open(&self) -> SqliteLedger {
        SqliteLedger::open(&self.location(), Duration::ZERO, || WallMs(1_000_000_000_000)).unwrap()
    }
}

fn opening(file: u8, path: u8) -> Opening {
    Opening {
        identity: Identity { fingerprint: [file; 16], columns: "1,2".to_owned() },
        path: [path; 16],
        label: "customers.csv".to_owned(),
        account: [0; 16],
        rows: 3,
        at: WallMs(1_000_000_000_000),
        reuse: DAY * 30,
        reask_after: DAY,
    }
}

/// Records attempts (pair, class), `None` leaving the intent without a settlement.
async fn record(
    ledger: SqliteLedger,
    run: &OpenRun,
    facts: &[(u64, Option<Class>)],
    voids: &[u64],
) -> SqliteLedger {
    let mut journal = ledger.into_journal(run).unwrap();
    let mut batch =
        Batch { voids: voids.iter().copied().map(AttemptId).collect(), ..Batch::default() };
    for ((pair, class), n) in facts.iter().zip(run.next_attempt.0..) {
        let (attempt, at) = (AttemptId(n), WallMs(1_000_000_000_000));
        batch.intents.push(Intent { attempt, pair: key(*pair), record: *pair, at });
        if let Some(class) = *class {
            let texts = Texts { remark: Some(format!("r{n}")), ..Texts::default() };
            let settled =
                Settlement { attempt, class, charge: charge(class), http: Some(200), texts, at };
            batch.settlements.push(settled);
        }
    }
    journal.record(batch).await.unwrap();
    journal.finish().unwrap()
}

/// What the ledger knows of pairs 1 to 9: (pair, class name, whose).
fn known(ledger: &mut impl Facts, run: &OpenRun) -> Vec<(u32, String, &'static str)> {
    let table = PairTable::new((1..10).map(key).collect());
    let keys = table.keys();
    let mut found = Vec::new();
    ledger
        .earlier(run, &keys, &mut |at, fact| {
            let whose = if fact.taken_over { "taken over" } else { "earlier" };
            found.push((at.0 + 1, format!("{:?}", fact.end), whose));
        })
        .unwrap();
    ledger
        .own(run, &keys, &mut |at, fact| {
            let name = if fact.voided { "void" } else { fact.class.name() };
            found.push((at.unwrap().0 + 1, name.to_owned(), "own"));
        })
        .unwrap();
    found.sort();
    found
}

fn ending(exit: u8) -> Ending {
    Ending { at: WallMs(1_000_000_000_500), stop: (exit > 3).then_some("budget"), exit }
}

#[tokio::test]
async fn an_open_run_goes_on_with_its_own_facts_and_the_dead_are_in_doubt() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let refused = Class::Refused(Refusal::Other);
    let facts = [(1, Some(MATCH)), (2, None), (3, Some(refused)), (4, Some(refused))];
    drop(record(ledger, &run, &facts, &[4]).await);

    let mut ledger = place.open();
    let again = ledger.open_run(&opening(1, 1)).unwrap();
    assert_eq!((again.id, again.earlier_starts, again.next_attempt.0), (run.id, 1, 5));
    let own = |pair, name: &str| (pair, name.to_owned(), "own");
    let expected = [own(1, "match"), own(2, "lost_killed"), own(3, "refused"), own(4, "void")];
    assert_eq!(known(&mut ledger, &again), expected);
}

#[tokio::test]
async fn a_finished_runs_facts_are_found_merged_or_not_and_the_latest_wins() {
    let place = Place::new();
    let mut ledger = place.open();
    let first = ledger.open_run(&opening(1, 1)).unwrap();
    let trouble = Class::Retry(Trouble::Internal);
    let facts = [(1, Some(MATCH)), (2, Some(trouble)), (3, Some(Class::InDoubt(Lost::Cut)))];
    ledger = record(ledger, &first, &facts, &[]).await;
    ledger.end_run(&first, &ending(3)).unwrap();
    // Another file's run is cut short: its facts are not merged.
    let second = ledger.open_run(&opening(2, 2)).unwrap();
    ledger = record(ledger, &second, &[(3, Some(MATCH)), (5, Some(MATCH))], &[]).await;
    ledger.end_start(&second, &ending(13)).unwrap();

    let third = ledger.open_run(&opening(3, 3)).unwrap();
    let earlier = |pair, end: &str| (pair, end.to_owned(), "earlier");
    let expected = [
        earlier(1, "Answered(Match)"),
        earlier(3, "Answered(Match)"),
        earlier(3, "InDoubt"),
        earlier(5, "Answered(Match)"),
    ];
    assert_eq!(known(&mut ledger, &third), expected);
    ledger.end_run(&third, &ending(0)).unwrap();
    let fourth = ledger.open_run(&opening(4, 4)).unwrap();
    let merged = [expected[0].clone(), expected[1].clone(), expected[3].clone()];
    assert_eq!(known(&mut ledger, &fourth), merged);
    assert_eq!(known(&mut ledger, &fourth), merged, "reading changes nothing");
}

#[tokio::test]
async fn a_changed_file_takes_the_open_run_over() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 7)).unwrap();
    ledger = record(ledger, &run, &[(1, Some(MATCH))], &[]).await;
    let changed = ledger.open_run(&opening(2, 7)).unwrap();
    assert_eq!(changed.superseded, Some(run.id));
    let again = ledger.open_run(&opening(3, 7)).unwrap();
    // While it is open, a purge leaves it what it took over.
    let later = WallMs(2_000_000_000_000);
    assert_eq!(ledger.purge(later, 0).unwrap(), purged(0, 1));
    assert_eq!(known(&mut ledger, &again), [(1, "Answered(Match)".to_owned(), "taken over")]);
    let states: Vec<String> =
        ledger.status(0, 9).unwrap().runs.into_iter().map(|r| r.state).collect();
    assert_eq!(states, ["superseded", "superseded", "open"]);
    ledger.end_run(&again, &ending(0)).unwrap();
    assert_eq!(ledger.purge(later, 0).unwrap(), purged(1, 0));
}

#[tokio::test]
async fn details_come_back_from_a_stretch_and_one_by_one() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let facts: Vec<_> = (1..100).map(|n| (n, (n != 50).then_some(MATCH))).collect();
    ledger = record(ledger, &run, &facts, &[]).await;
    for wanted in [vec![3_u64, 1, 2, 50], vec![1, 99], vec![], vec![7, 7]] {
        let ids: Vec<AttemptId> = wanted.iter().copied().map(AttemptId).collect();
        let mut expected: Vec<u64> = wanted.into_iter().filter(|n| *n != 50).collect();
        expected.sort_unstable();
        expected.dedup();
        let found = ledger.details(&ids).unwrap();
        assert_eq!(found.iter().map(|d| d.attempt.0).collect::<Vec<_>>(), expected);
        for detail in found {
            assert_eq!(detail.texts.remark, Some(format!("r{}", detail.attempt.0)));
        }
    }
}

#[test]
fn a_text_without_measure_is_cut_before_it_is_kept() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let (attempt, at) = (AttemptId(1), WallMs(1_000_000_000_000));
    let texts = Texts { reason: Some("x".repeat(200_000)), ..Texts::default() };
    let settled =
        Settlement { attempt, class: MATCH, charge: charge(MATCH), http: Some(200), texts, at };
    let intent = Intent { attempt, pair: key(1), record: 1, at };
    let batch = Batch { intents: vec![intent], settlements: vec![settled], ..Batch::default() };
    ledger.record(run.id, batch).unwrap();
    let kept = ledger.details(&[attempt]).unwrap().remove(0).texts.reason.unwrap();
    assert!(kept.ends_with("x…[cut]") && kept.len() < 4200, "{}", kept.len());
}

#[test]
fn what_is_refused() {
    let place = Place::new();
    let location = place.location();
    let held = place.open();
    let open = |location: &Location| {
        SqliteLedger::open(location, Duration::ZERO, || WallMs(0))
            .map(drop)
            .map_err(|e| (e.exit_code(), e))
    };
    assert!(matches!(open(&location), Err((17, LedgerError::Locked(_)))));
    drop(held);
    let other = Location { origin: "https://api.example.com:443".to_owned(), ..location.clone() };
    assert!(matches!(open(&other), Err((11, LedgerError::Origin { .. }))));

    let key = std::fs::read(&location.key).unwrap();
    std::fs::remove_file(&location.key).unwrap();
    assert!(matches!(open(&location), Err((18, LedgerError::Key { .. }))));
    assert!(!location.key.exists(), "no new key is ever made");
    let text = format!("ceknik-key-1 {}\n", "ab".repeat(32));
    std::fs::write(&location.key, text).unwrap();
    assert!(matches!(open(&location), Err((18, LedgerError::Key { .. }))));
    std::fs::write(&location.key, key).unwrap();
    assert!(open(&location).is_ok());

    let raw = rusqlite::Connection::open(&location.ledger).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert!(matches!(open(&location), Err((18, LedgerError::Version { .. }))));
    std::fs::write(&location.ledger, "not a database, but long enough to look at".repeat(50))
        .unwrap();
    assert!(matches!(open(&location), Err((18, LedgerError::Version { .. }))));
}

#[test]
fn every_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let ledger = place.open();
    let folder = ledger.path().parent().unwrap().to_owned();
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

    // As a backup brings them back.
    let Location { ledger, key, .. } = place.location();
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
        for is_made in [false, true] {
            let place = Place::new();
            let (victim, state) =
                (place.folder.path().join("victim"), place.folder.path().join("state"));
            std::fs::create_dir(&state).unwrap();
            std::fs::write(&victim, if is_made { "untouched" } else { "" }).unwrap();
            if is_made {
                drop(place.open());
                std::fs::remove_file(state.join(name)).unwrap();
            }
            let before = std::fs::read(&victim).unwrap();
            std::os::unix::fs::symlink(&victim, state.join(name)).unwrap();
            let opened = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(0));
            let error = opened.map(drop).unwrap_err();
            assert_eq!(error.exit_code(), 18, "{name}");
            assert!(error.to_string().ends_with("it is a link, which is not followed"), "{error}");
            assert_eq!(std::fs::read(&victim).unwrap(), before, "{name}");
        }
    }
}

#[test]
fn a_place_that_is_named_by_a_nik_is_not_told() {
    let path = || std::path::PathBuf::from("d/3275014107900001.ledger");
    for error in [
        LedgerError::Locked(path()),
        LedgerError::Missing(path()),
        LedgerError::Lost { path: path(), what: "is gone".to_owned() },
        LedgerError::File { path: path(), act: "opened", source: std::io::Error::other("no") },
        key::missing(&Location { ledger: path(), key: path(), origin: String::new() }),
    ] {
        let said = error.to_string();
        assert!(said.contains("d/******.ledger") && !said.contains("32750"), "{said}");
    }
}

const fn purged(attempts: u64, kept: u64) -> Purged {
    Purged { attempts, kept, wiped: true }
}

#[tokio::test]
async fn purge_keeps_doubts_open_runs_and_the_days_totals() {
    let place = Place::new();
    let mut ledger = place.open();
    let done = ledger.open_run(&opening(1, 1)).unwrap();
    let facts = [(1, Some(MATCH)), (2, Some(Class::InDoubt(Lost::Timeout))), (3, Some(MATCH))];
    ledger = record(ledger, &done, &facts, &[]).await;
    ledger.end_run(&done, &ending(3)).unwrap();
    let open = ledger.open_run(&opening(2, 2)).unwrap();
    ledger = record(ledger, &open, &[(4, Some(MATCH))], &[]).await;
    let before = ledger.status(0, 9).unwrap();

    let later = WallMs(2_000_000_000_000);
    assert_eq!(ledger.purge(WallMs(1), 0).unwrap(), purged(0, 0));
    assert_eq!(ledger.purge(later, 0).unwrap(), purged(2, 2));
    let after = ledger.status(0, 9).unwrap();
    assert_eq!((after.days, after.doubts_total), (before.days, 1));

    let third = ledger.open_run(&opening(3, 3)).unwrap();
    let found: Vec<u32> = known(&mut ledger, &third).iter().map(|fact| fact.0).collect();
    assert_eq!(found, [2, 4]);
    assert_eq!(third.next_attempt.0, 5, "numbers are never given twice");
}

/// Goes on with the run of file 1, as far as what is known of its pairs.
fn goes_on(place: &Place) -> Result<(), LedgerError> {
    let mut ledger = SqliteLedger::open(&place.location(), Duration::ZERO, || WallMs(1))?;
    let run = ledger.find_run(&opening(1, 1))?;
    let keys = PairTable::new((1..10).map(key).collect()).keys();
    ledger.earlier(&run, &keys, &mut |_, _| ())?;
    ledger.own(&run, &keys, &mut |_, _| ())
}

/// Whether it was refused as damaged.
fn is_refused<T>(done: Result<T, LedgerError>) -> bool {
    done.is_err_and(|error| error.exit_code() == 18 && error.hint().contains("newest backup"))
}

#[tokio::test]
async fn a_damaged_row_is_refused_also_where_another_is_asked_for() {
    for damage in [
        "",
        "UPDATE starts SET run = 3 WHERE id = 1",
        "UPDATE starts SET run = 2 WHERE id = 3",
        // Another run's, where a stretch of ours ends.
        "UPDATE starts SET first_attempt = 2 WHERE id = 2",
        "UPDATE starts SET first_attempt = 9 WHERE id = 3",
        // What a damaged page leaves out.
        "DELETE FROM starts WHERE id = 1",
        "DELETE FROM starts WHERE id = 2",
        "DELETE FROM starts WHERE id = 3",
        "DELETE FROM starts WHERE id > 1",
        "DELETE FROM starts",
        "UPDATE intents SET run = 1 WHERE id = 3",
        "UPDATE settlements SET at = 5 WHERE id = 3",
    ] {
        let place = Place::new();
        let mut ledger = place.open();
        for (file, pair) in [(1, 1), (2, 3), (1, 5)] {
            let run = ledger.open_run(&opening(file, file)).unwrap();
            let facts = [(pair, Some(MATCH)), (pair + 1, Some(MATCH))];
            ledger = record(ledger, &run, &facts, &[]).await;
        }
        ledger.connection().execute_batch(damage).unwrap();
        drop(ledger);
        assert_eq!(is_refused(goes_on(&place)), !damage.is_empty(), "{damage}");
    }
}

#[tokio::test]
async fn a_purge_believes_no_damaged_row() {
    for damage in [
        "",
        "UPDATE settlements SET at = 5 WHERE id = 1",
        "UPDATE settlements SET class = 1 WHERE id = 2",
        "UPDATE intents SET run = 2 WHERE id = 1",
        "UPDATE intents SET pair = zeroblob(16) WHERE id = 2",
        "UPDATE standings SET attempt = 9 WHERE attempt = 1",
    ] {
        let place = Place::new();
        let mut ledger = place.open();
        let run = ledger.open_run(&opening(1, 1)).unwrap();
        let facts = [(1, Some(MATCH)), (2, Some(Class::InDoubt(Lost::Cut)))];
        ledger = record(ledger, &run, &facts, &[]).await;
        ledger.end_run(&run, &ending(3)).unwrap();
        ledger.connection().execute_batch(damage).unwrap();
        assert_eq!(is_refused(ledger.purge(WallMs(10), 0)), !damage.is_empty(), "{damage}");
    }
}

#[tokio::test]
async fn a_doubt_stands_again_where_the_answer_after_it_is_purged() {
    let place = Place::new();
    let mut ledger = place.open();
    let lost = Class::InDoubt(Lost::Timeout);
    for (file, facts) in
        [(1, [(1, Some(lost)), (2, Some(MATCH))]), (2, [(1, Some(MATCH)), (3, Some(MATCH))])]
    {
        let run = ledger.open_run(&opening(file, file)).unwrap();
        ledger = record(ledger, &run, &facts, &[]).await;
        ledger.end_run(&run, &ending(3)).unwrap();
    }
    assert_eq!(ledger.purge(WallMs(2_000_000_000_000), 0).unwrap(), purged(3, 1));
    let next = ledger.open_run(&opening(3, 3)).unwrap();
    assert_eq!(known(&mut ledger, &next), [(1, "InDoubt".to_owned(), "earlier")]);
}

/// Every file beside the ledger, with its bytes.
fn files(place: &Place) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let folder = std::fs::read_dir(place.folder.path().join("state")).unwrap();
    let mut files: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A copy of a ledger's files as they are now, as a killed process or a backup leaves them.
fn copied(place: &Place) -> Place {
    let copy = Place::new();
    std::fs::create_dir(copy.folder.path().join("state")).unwrap();
    for (path, bytes) in files(place) {
        std::fs::write(copy.folder.path().join("state").join(path.file_name().unwrap()), bytes)
            .unwrap();
    }
    copy
}

#[tokio::test]
async fn the_history_is_of_answers_alone() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let answer = |code| Some(Class::Answered(code));
    let facts = [
        (1, answer(ResultCode::Match)),
        (2, answer(ResultCode::Mismatch)),
        (3, answer(ResultCode::NotSure)),
        (4, answer(ResultCode::Failed)),
        (5, answer(ResultCode::Unknown)),
        (6, Some(Class::Retry(Trouble::Internal))),
        (7, Some(Class::Refused(Refusal::Other))),
        (8, Some(Class::InDoubt(Lost::Cut))),
        (9, None),
    ];
    let history = record(ledger, &run, &facts, &[]).await.history().unwrap();
    assert_eq!((history.answers, history.charged), (5, 2));
}
