//! Pace: the vendor sees no more than the rate, and `Retry-After` is obeyed exactly.

use std::time::{Duration, Instant, SystemTime};

use crate::mock::{Answer, Came, Vendor, code, fails, page};
use crate::support::{Ended, Place, many_people, people};

const SECOND: Duration = Duration::from_secs(1);

/// Runs with a finite rate, since a run without a rate limit continues very slowly after it was
/// throttled.
fn run(place: &Place, vendor: &Vendor, more: &[&str]) -> Ended {
    let fast = ["--base-url", &vendor.url(), "--rate", "1000", "--backoff", "5ms"];
    place.ceknik(&[&["run", "in.csv"][..], &fast, more].concat())
}

fn rate_limited() -> Answer {
    fails(403, "RATE_LIMIT_EXCEEDED", "slow down")
}

/// Sends 110 calls at 50 a second. Returns the largest number of calls within one second.
async fn fullest_second() -> usize {
    let vendor = Vendor::saying(&[code("01")]).await;
    let place = Place::new();
    place.write("in.csv", many_people(110));
    let more = ["--rate", "50", "--body", "json", "--base-url", &vendor.url()];
    place.ceknik(&[&["run", "in.csv"][..], &more].concat()).exits(0);
    let came: Vec<Instant> = vendor.came().iter().map(|came| came.at).collect();
    assert_eq!(came.len(), 110);
    let within = |i: usize| came[i..].partition_point(|at| *at < came[i] + SECOND);
    (0..came.len()).map(within).max().unwrap()
}

#[tokio::test]
async fn no_second_is_overfull_and_the_rate_is_used() {
    // A busy machine makes a run slower, but never faster. So one second of three runs must have 48
    // of the 50 calls.
    let mut most = 0;
    for _ in 0..3 {
        let fullest = fullest_second().await;
        // The rate, a burst of one call, and one more call for the jitter of the network.
        assert!(fullest <= 52, "{fullest} in one second");
        most = most.max(fullest);
        if most >= 48 {
            return;
        }
    }
    panic!("{most} calls in the fullest second, of 50");
}

/// Gives this answer to the first call and a match to all others. Returns all requests for three
/// rows, and the outcomes.
async fn after(first: Answer) -> (Vec<Came>, Vec<String>) {
    let vendor = Vendor::saying(&[first, code("01")]).await;
    let place = Place::new();
    place.write("in.csv", people([1001, 1002, 1003]));
    run(&place, &vendor, &[]).exits(0);
    (vendor.came(), place.column("in.verified.csv", "ck_outcome"))
}

#[tokio::test]
async fn retry_after_in_seconds_holds_the_whole_run() {
    let firsts = [
        ("limited", rate_limited()),
        ("429", page(429)),
        ("503", page(503)),
        ("500", fails(500, "INTERNAL_ERROR", "oops")),
        ("512", fails(512, "SOURCE_SERVICE_UNAVAILABLE", "down")),
    ];
    let runs = firsts.map(|(what, first)| {
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (came, outcomes) = runtime.block_on(after(first.with("retry-after", "1")));
            assert_eq!((came.len(), outcomes), (4, vec!["match".to_owned(); 3]), "{what}");
            for other in &came[1..] {
                let wait = other.at - came[0].at;
                assert!(wait >= SECOND, "{what}: {wait:?}");
                assert!(wait < 3 * SECOND, "{what}: {wait:?}");
            }
        })
    });
    for run in runs {
        run.join().unwrap();
    }
}

#[tokio::test]
async fn retry_after_as_a_date_holds_the_whole_run() {
    for first in [rate_limited(), page(503)] {
        // A date has whole seconds, so this date is at least one second from now.
        let date = SystemTime::now() + 2 * SECOND;
        let date = httpdate::parse_http_date(&httpdate::fmt_http_date(date)).unwrap();
        let first = first.with("retry-after", httpdate::fmt_http_date(date));
        let (came, _) = after(first).await;
        assert_eq!(came.len(), 4);
        for other in &came[1..] {
            // The two clocks may differ a little.
            assert!(other.wall + Duration::from_millis(5) >= date, "too soon");
            assert!(other.wall < date + 2 * SECOND, "too late");
        }
    }
}

#[tokio::test]
async fn a_verdict_that_asks_to_wait_counts_and_holds_the_next_row() {
    let (came, outcomes) = after(code("02").with("retry-after", "1")).await;
    assert_eq!(outcomes, ["mismatch", "match", "match"]);
    assert_eq!(came.len(), 3);
    assert!(came[1].at - came[0].at >= SECOND);
}

#[tokio::test]
async fn a_wait_longer_than_the_longest_outage_stops_the_run() {
    let tomorrow = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(86_400));
    for (first, wish) in [
        (rate_limited(), "86400"),
        (rate_limited(), tomorrow.as_str()),
        (page(503), "86400"),
        (fails(500, "INTERNAL_ERROR", "oops"), "99999999999999999999"),
    ] {
        let vendor = Vendor::saying(&[first.with("retry-after", wish), code("01")]).await;
        let place = Place::new();
        place.write("in.csv", people([1001, 1002]));
        let began = Instant::now();
        run(&place, &vendor, &[]).exits(16);
        assert!(began.elapsed() < 5 * SECOND, "{wish}: {:?}", began.elapsed());
        assert_eq!(vendor.count().await, 1, "{wish}");
        let outcomes = place.column("in.verified.partial.csv", "ck_outcome");
        assert_eq!(outcomes, ["not_sent"; 2], "{wish}");
        // The same command continues the run.
        run(&place, &vendor, &[]).exits(0);
        assert_eq!(vendor.count().await, 3, "{wish}");
    }
}

#[tokio::test]
async fn a_wait_that_nothing_is_left_for_is_not_waited() {
    for wish in ["86400", "600"] {
        let vendor = Vendor::saying(&[code("01").with("retry-after", wish)]).await;
        let place = Place::new();
        place.write("in.csv", people([1001]));
        let began = Instant::now();
        run(&place, &vendor, &[]).exits(0);
        assert!(began.elapsed() < 5 * SECOND, "{wish}");
    }
}

#[tokio::test]
async fn a_wish_that_cannot_be_read_is_no_wish() {
    for wish in ["soon", "-5", "1e9", "", "Mon, 99 Foo 2025 00:00:00 GMT"] {
        let (came, outcomes) = after(page(503).with("retry-after", wish)).await;
        assert_eq!((came.len(), outcomes.len()), (4, 3), "{wish}");
        assert!(came[3].at - came[0].at < SECOND, "{wish}");
    }
}

#[tokio::test]
async fn throttled_without_a_word_for_too_long_stops_the_run() {
    let vendor = Vendor::saying(&[rate_limited()]).await;
    let place = Place::new();
    place.write("in.csv", people([1001, 1002, 1003]));
    let began = Instant::now();
    run(&place, &vendor, &["--max-outage", "1s"]).exits(16);
    assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
    assert_eq!(place.column("in.verified.partial.csv", "ck_outcome"), ["not_sent"; 3]);
}
