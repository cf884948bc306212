//! Tests of the preview: it finds what the next start would find, and writes nothing.

use super::*;

/// Reads the run of an opening, and what is known of its pairs, through a preview.
fn previewed(
    place: &LedgerFolder,
    opening: &StartRequest,
) -> (FoundRun, Vec<(u32, String, &'static str)>) {
    let preview = SqlitePreview::of(&place.location()).unwrap();
    let read = preview.read(|facts| {
        let run = facts.find_run(opening)?;
        let known = known(facts, &run.run);
        Ok::<_, LedgerError>((run, known))
    });
    read.unwrap().unwrap()
}

#[test]
fn a_preview_sees_what_the_next_start_finds_and_writes_nothing() {
    let place = LedgerFolder::new();
    let nobody = SqlitePreview::of(&place.location()).unwrap();
    assert!(nobody.read(|_| Ok::<_, LedgerError>(())).unwrap().is_none());
    assert!(!place.folder.path().join("state").exists());

    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let facts = [(1, Some(MATCH)), (2, None), (3, Some(Class::Refused(Refusal::Other)))];
    let ledger = record(ledger, &run, &facts, &[]);
    // First the files as they are while a run is under way, then as a dead process leaves them. For
    // each: the same run, a run of a file that has changed, and a run of another file.
    let openings = [opening(1, 1), opening(2, 1), opening(3, 3)];
    let beside = openings.clone().map(|opening| previewed(&place, &opening));
    let wal = |(path, _): &(std::path::PathBuf, _)| path.to_string_lossy().ends_with("-wal");
    let before = files(&place);
    assert!(before.iter().any(wal));
    // A killed process leaves a WAL that is not checkpointed into the file.
    let killed = copied(&place);
    drop(ledger);
    assert!(!files(&place).iter().any(wal));

    for place in [&place, &killed] {
        let before = files(place);
        for (opening, beside) in openings.iter().zip(&beside) {
            assert_eq!(&previewed(place, opening), beside);
        }
        assert!(files(place) == before, "not a byte is written");
    }
}

#[test]
fn a_run_that_begins_while_the_facts_are_read_has_them_read_again() {
    let place = LedgerFolder::new();
    drop(place.open());
    let preview = SqlitePreview::of(&place.location()).unwrap();
    let mut times = 0;
    let starts = preview.read(|facts| {
        times += 1;
        if times == 1 {
            // The run opens the ledger, writes, and closes it: so the ledger file itself is written
            // to.
            place.open().open_run(&opening(1, 1)).unwrap();
        }
        facts.find_run(&opening(1, 1)).map(|run| run.earlier_starts)
    });
    assert_eq!((starts.unwrap(), times), (Some(1), 2));
}

#[test]
fn a_preview_refuses_what_a_run_refuses() {
    let place = LedgerFolder::new();
    drop(place.open());
    let refused = |location: &FileLocation| match SqlitePreview::of(location) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let opened = |location: &FileLocation| match SqliteLedger::open(
        location,
        Duration::ZERO,
        || WallMs(0),
    ) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let location = place.location();
    assert_eq!(refused(&location), "");
    let key = std::fs::read(&location.key).unwrap();
    std::fs::remove_file(&location.key).unwrap();
    assert!(refused(&location).contains("is missing or empty"), "{}", refused(&location));
    assert_eq!(refused(&location), opened(&location));
    std::fs::write(&location.key, key).unwrap();
    std::fs::write(&location.ledger, "a letter to the bank, and no ledger at all").unwrap();
    assert!(refused(&location).contains("is not a ledger"), "{}", refused(&location));
    assert_eq!(refused(&location), opened(&location));
}

#[test]
fn special_characters_in_a_path_are_escaped() {
    let place = LedgerFolder::new();
    let ledger = place.folder.path().join("a%41?b#c.ledger");
    let location =
        FileLocation { key: ledger.with_extension("key"), ledger, origin: "sandbox".to_owned() };
    let mut ledger = SqliteLedger::open(&location, Duration::ZERO, || WallMs(0)).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, None), (3, None)], &[]);
    let read = || {
        let preview = SqlitePreview::of(&location).unwrap();
        preview
            .read(|facts| Ok::<_, LedgerError>((facts.history()?.answers, facts.unsettled()?)))
            .unwrap()
    };
    assert_eq!(read(), Some((1, 2)), "beside the run");
    drop(ledger);
    assert_eq!(read(), Some((1, 2)));
}
