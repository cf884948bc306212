//! Tests of the world at given times: limit, quota, outage, expiry, trouble and counts.

use super::*;
use crate::sandbox::endings::mix;

fn subject(ending: &str, pair: u64) -> Subject {
    Subject { nik: format!("327501010190{ending}"), name: "SITI".to_owned(), pair }
}

/// Returns the labels that the pair of this ending draws at these times, in milliseconds.
fn draws(world: &mut World, ending: &str, at_ms: &[u64]) -> Vec<&'static str> {
    let subject = subject(ending, 1);
    at_ms
        .iter()
        .map(|ms| {
            let now = Duration::from_millis(*ms);
            let decision = world.decide(now, Account::Accepted, Ok(&subject));
            decision.answer.terms().label
        })
        .collect()
}

fn world(change: impl FnOnce(&mut SandboxOptions)) -> World {
    let mut options = SandboxOptions::default();
    change(&mut options);
    World::new(&options)
}

#[test]
fn over_the_rate_is_refused_and_free() {
    let mut world = world(|options| options.rate = Some(10.0));
    assert_eq!(
        draws(&mut world, "0001", &[0, 50, 100, 100, 199, 200]),
        ["01", "RATE_LIMIT_EXCEEDED", "01", "RATE_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED", "01"]
    );
    assert_eq!(world.stats(Duration::ZERO).charged, 3);
}

#[test]
fn the_quota_counts_what_is_charged() {
    let mut world = world(|options| options.quota = Some(2));
    assert_eq!(draws(&mut world, "0003", &[0, 0]), ["03", "03"]);
    assert_eq!(draws(&mut world, "0002", &[0, 0, 0]), ["02", "02", "OUT_OF_QUOTA"]);
    assert_eq!(draws(&mut world, "0003", &[0]), ["OUT_OF_QUOTA"]);
    assert_eq!(world.stats(Duration::ZERO).charged, 2);
}

#[test]
fn an_outage_begins_and_ends() {
    let seconds = Duration::from_secs;
    let mut world = world(|options| options.outage = Some((seconds(5), seconds(20))));
    let down = "SOURCE_SERVICE_UNAVAILABLE";
    assert_eq!(
        draws(&mut world, "0001", &[4_999, 5_000, 19_999, 20_000]),
        ["01", down, down, "01"]
    );
    assert_eq!(world.stats(Duration::ZERO).charged, 2);
}

#[test]
fn the_key_expires_after_so_many_requests() {
    let mut world = world(|options| options.expire_after = Some(2));
    assert_eq!(
        draws(&mut world, "0001", &[0, 0, 0, 9_000]),
        ["01", "01", "KEY_EXPIRED", "KEY_EXPIRED"]
    );
}

#[test]
fn the_account_comes_before_the_arguments() {
    let mut world = world(|_| ());
    for (account, expected) in [
        (Account::Accepted, Answer::MissingId),
        (Account::Unknown, Answer::Unauthorized),
        (Account::Expired, Answer::KeyExpired),
        (Account::Forbidden, Answer::NoPermission),
    ] {
        let decision = world.decide(Duration::ZERO, account, Err(Answer::MissingId));
        assert_eq!((decision.answer, decision.nth), (expected, 0));
    }
    assert_eq!(world.stats(Duration::ZERO).charged, 0);
}

#[test]
fn a_call_that_was_turned_away_doesnt_use_up_a_once() {
    let mut limited = world(|options| options.rate = Some(1.0));
    assert_eq!(
        draws(&mut limited, "0001", &[0])
            .into_iter()
            .chain(draws(&mut limited, "0008", &[1, 1_000, 2_000]))
            .collect::<Vec<_>>(),
        ["01", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR", "01"]
    );
    for (ending, expected) in
        [("0016", ["QUERY_FAILED", "02", "02"]), ("0019", ["RATE_LIMIT_EXCEEDED", "01", "01"])]
    {
        assert_eq!(draws(&mut world(|_| ()), ending, &[0, 0, 0]), expected);
    }
}

#[test]
fn requests_and_draws_are_counted_apart() {
    let mut world = world(|options| {
        options.calls = Some("unused".into());
        options.outage = Some((Duration::ZERO, Duration::from_secs(1)));
    });
    let pair = subject("1234", 9);
    let mut decide =
        |second| world.decide(Duration::from_secs(second), Account::Accepted, Ok(&pair));
    let counts: Vec<(u32, u32)> =
        [0, 0, 1, 1].map(&mut decide).map(|decision| (decision.nth, decision.draw)).into();
    assert_eq!(counts, [(1, 1), (2, 1), (3, 1), (4, 2)]);
}

#[test]
fn nothing_is_kept_of_a_pair_that_needs_no_count() {
    let mut world = world(|_| ());
    for pair in 0..1_000 {
        world.decide(Duration::ZERO, Account::Accepted, Ok(&subject("1234", pair)));
    }
    assert!(world.seen.is_empty());
}

#[test]
fn chaos_is_the_same_in_any_order() {
    let run = |seed: u64, backwards: bool| {
        let mut world = world(|options| (options.chaos, options.seed) = (0.5, seed));
        let mut pairs: Vec<u64> = (0..500).map(mix).collect();
        if backwards {
            pairs.reverse();
        }
        let mut found = HashMap::new();
        for round in 0..3 {
            for pair in &pairs {
                let subject = subject("1234", *pair);
                let decision = world.decide(Duration::ZERO, Account::Accepted, Ok(&subject));
                found.insert((*pair, round), (decision.answer, decision.extra));
            }
        }
        (found, world.stats(Duration::ZERO))
    };
    assert_eq!(run(1, false), run(1, true));
    assert_ne!(run(1, false), run(2, false));
}

#[test]
fn the_counts_add_up() {
    let mut world = world(|options| (options.chaos, options.quota) = (0.3, Some(800)));
    for pair in 0..2_000 {
        let subject = subject("1234", mix(pair));
        world.decide(Duration::ZERO, Account::Accepted, Ok(&subject));
    }
    let stats = world.stats(Duration::from_millis(1_500));
    assert_eq!((stats.requests, stats.charged, stats.uptime_s), (2_000, 800, 1.5));
    assert_eq!(stats.answers.values().sum::<u64>(), 2_000);
}
