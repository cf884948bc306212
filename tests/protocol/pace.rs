//! Pace: the vendor sees no more than the rate, and `Retry-After` is obeyed exactly.

use std::time::{Duration, Instant, SystemTime};

use crate::mock::{Answer, Received, Vendor, code, fails, page};
use crate::support::{Finished, Workspace, many_people, people_csv};

const SECOND: Duration = Duration::from_secs(1);

/// Runs with a finite rate, since a run without a rate limit continues very slowly after it was
/// throttled.
fn run(place: &Workspace, vendor: &Vendor, more: &[&str]) -> Finished {
    let fast = ["--base-url", &vendor.url(), "--rate", "1000", "--backoff", "5ms"];
    place.ceknik(&[&["run", "in.csv"][..], &fast, more].concat())
}

fn rate_limited() -> Answer {
    fails(403, "RATE_LIMIT_EXCEEDED", "slow down")
}

/// Sends 110 calls at 50 a second. Returns the largest number of calls within one second.
async fn fullest_second() -> usize {
    let vendor = Vendor::answering(&[code("01")]).await;
    let place = Workspace::new();
    place.write("in.csv", many_people(110));
    let more = ["--rate", "50", "--body", "json", "--base-url", &vendor.url()];
    place.ceknik(&[&["run", "in.csv"][..], &more].concat()).exits(0);
    let received: Vec<Instant> = vendor.received().iter().map(|received| received.at).collect();
    assert_eq!(received.len(), 110);
    let within = |i: usize| received[i..].partition_point(|at| *at < received[i] + SECOND);
    (0..received.len()).map(within).max().unwrap()
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
async fn after(first: Answer) -> (Vec<Received>, Vec<String>) {
    let vendor = Vendor::answering(&[first, code("01")]).await;
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001, 1002, 1003]));
    run(&place, &vendor, &[]).exits(0);
    (vendor.received(), place.column("in.verified.csv", "ck_outcome"))
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
            let (received, outcomes) = runtime.block_on(after(first.with("retry-after", "1")));
            assert_eq!((received.len(), outcomes), (4, vec!["match".to_owned(); 3]), "{what}");
            for other in &received[1..] {
                let wait = other.at - received[0].at;
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
        let (received, _) = after(first).await;
        assert_eq!(received.len(), 4);
        for other in &received[1..] {
            // The two clocks may differ a little.
            assert!(other.wall + Duration::from_millis(5) >= date, "too soon");
            assert!(other.wall < date + 2 * SECOND, "too late");
        }
    }
}

#[tokio::test]
async fn a_verdict_that_asks_to_wait_counts_and_holds_the_next_row() {
    let (received, outcomes) = after(code("02").with("retry-after", "1")).await;
    assert_eq!(outcomes, ["mismatch", "match", "match"]);
    assert_eq!(received.len(), 3);
    assert!(received[1].at - received[0].at >= SECOND);
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
        let vendor = Vendor::answering(&[first.with("retry-after", wish), code("01")]).await;
        let place = Workspace::new();
        place.write("in.csv", people_csv([1001, 1002]));
        let began = Instant::now();
        run(&place, &vendor, &[]).exits(16);
        assert!(began.elapsed() < 60 * SECOND, "{wish}: {:?}", began.elapsed());
        assert_eq!(vendor.count().await, 1, "{wish}");
        let outcomes = place.column("in.verified.partial.csv", "ck_outcome");
        assert_eq!(outcomes, ["not_sent"; 2], "{wish}");
        // The same command continues the run.
        run(&place, &vendor, &[]).exits(0);
        assert_eq!(vendor.count().await, 3, "{wish}");
    }
}

#[tokio::test]
async fn a_wait_is_left_out_after_the_last_row() {
    for wish in ["86400", "600"] {
        let vendor = Vendor::answering(&[code("01").with("retry-after", wish)]).await;
        let place = Workspace::new();
        place.write("in.csv", people_csv([1001]));
        let began = Instant::now();
        run(&place, &vendor, &[]).exits(0);
        assert!(began.elapsed() < 60 * SECOND, "{wish}");
    }
}

#[tokio::test]
async fn an_unreadable_retry_after_is_ignored() {
    for wish in ["soon", "-5", "1e9", "", "Mon, 99 Foo 2025 00:00:00 GMT"] {
        // A busy machine makes a run slower, but never faster, so one quick run of three is enough.
        let mut quickest = Duration::MAX;
        for _ in 0..3 {
            let (received, outcomes) = after(page(503).with("retry-after", wish)).await;
            assert_eq!((received.len(), outcomes.len()), (4, 3), "{wish}");
            quickest = quickest.min(received[3].at - received[0].at);
            if quickest < SECOND {
                break;
            }
        }
        assert!(quickest < SECOND, "{wish}: {quickest:?}");
    }
}

#[tokio::test]
async fn a_long_wait_is_told_once_and_its_end_too() {
    let vendor = Vendor::answering(&[rate_limited().with("retry-after", "4"), code("01")]).await;
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001, 1002, 1003]));
    let said = run(&place, &vendor, &["--log", "json"]).exits(0).stderr;
    let told = |name: &str| said.matches(&format!("\"event\":\"{name}\"")).count();
    assert_eq!((told("rate_limited"), told("resumed")), (1, 1), "{said}");
}

#[tokio::test]
async fn throttling_without_retry_after_stops_the_run_after_the_longest_outage() {
    let vendor = Vendor::answering(&[rate_limited()]).await;
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001, 1002, 1003]));
    let began = Instant::now();
    run(&place, &vendor, &["--max-outage", "1s"]).exits(16);
    assert!(began.elapsed() < 30 * SECOND, "{:?}", began.elapsed());
    assert_eq!(place.column("in.verified.partial.csv", "ck_outcome"), ["not_sent"; 3]);
}
