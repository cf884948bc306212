//! Body kinds. With `auto`, the program has one call in flight until an answer proves the kind,
//! sends the same row once more in the other kind where needed, and remembers the kind that worked.
//! A kind that the user sets is never changed.

use std::time::Duration;

use crate::mock::{Answer, Received, Vendor, answer, code, fails};
use crate::support::{Workspace, many_people, people_csv};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// Time that a mock takes for an answer. Calls that are sent together are closer than this.
const SLOW: Duration = Duration::from_millis(60);

fn not_found() -> Answer {
    fails(400, "INVALID_ARGUMENT", "argument id_number not found")
}

/// Starts a vendor that reads only one kind of body.
async fn reads(kind: &'static str) -> Vendor {
    Vendor::by(move |_, received| {
        let answer = if received.content_type == kind { code("01") } else { not_found() };
        answer.after(SLOW)
    })
    .await
}

fn kinds(received: &[Received]) -> Vec<&str> {
    received.iter().map(|received| received.content_type.as_str()).collect()
}

/// Returns the number of calls, from the first, that came one at a time, each after the answer to
/// the call before.
fn alone(received: &[Received]) -> usize {
    let apart = |pair: &[Received]| pair[1].at >= pair[0].at + SLOW;
    1 + received.windows(2).take_while(|pair| apart(pair)).count()
}

#[tokio::test]
async fn auto_begins_with_json_and_one_call_until_it_is_proved() {
    let (place, vendor) = (Workspace::new(), reads(JSON).await);
    place.write("in.csv", many_people(12));
    place.run("in.csv", &vendor.url(), &[]).exits(0);
    let received = vendor.received();
    assert_eq!(kinds(&received), [JSON; 12]);
    assert!(received[1].at >= received[0].at + SLOW, "the first call goes alone");
    assert!(alone(&received) <= 2, "then many at a time: {}", alone(&received));
}

#[tokio::test]
async fn auto_asks_the_same_row_once_more_as_a_form_and_remembers_it() {
    let (place, vendor) = (Workspace::new(), reads(FORM).await);
    place.write("in.csv", many_people(12));
    place.run("in.csv", &vendor.url(), &[]).exits(0);
    let received = vendor.received();
    assert_eq!(kinds(&received), [&[JSON][..], &[FORM; 12]].concat());
    let (_, nik) = received[1].body.split_once("id_number=").unwrap();
    assert!(received[0].body.contains(nik.split('&').next().unwrap()), "the same row");
    assert!((2..=3).contains(&alone(&received)), "two alone, then many: {}", alone(&received));
    let attempts = place.column("in.verified.csv", "ck_attempts");
    assert_eq!(attempts, [&["2"][..], &["1"; 11]].concat());
    assert_eq!(place.column("in.verified.csv", "ck_outcome"), ["match"; 12]);
    // The next run begins with the kind that worked, and still sends one call at a time until the
    // kind is proved again.
    place.write("next.csv", people_csv((0..5).map(|n| 2001 + n)));
    place.run("next.csv", &vendor.url(), &[]).exits(0);
    let next = vendor.received().split_off(received.len());
    assert_eq!(kinds(&next), [FORM; 5]);
    assert!(next[1].at >= next[0].at + SLOW, "the first call goes alone");
}

#[tokio::test]
async fn a_remembered_kind_that_no_longer_works_is_given_up() {
    let vendor = Vendor::by(|n, received| match (n, received.content_type.as_str()) {
        (0..=2, FORM) | (3.., JSON) => code("01"),
        _ => not_found(),
    })
    .await;
    let place = Workspace::new();
    for (input, kinds_now) in [("a.csv", [JSON, FORM, FORM]), ("b.csv", [FORM, JSON, JSON])] {
        let before = vendor.received().len();
        let serials = if input == "a.csv" { [1001, 1002] } else { [2001, 2002] };
        place.write(input, people_csv(serials));
        place.run(input, &vendor.url(), &[]).exits(0);
        assert_eq!(kinds(&vendor.received()[before..]), kinds_now, "{input}");
    }
}

#[tokio::test]
async fn a_forced_kind_is_never_left() {
    for (flag, kind, other) in [("json", JSON, FORM), ("form", FORM, JSON)] {
        let (place, vendor) = (Workspace::new(), reads(other).await);
        place.write("in.csv", many_people(4));
        place.run("in.csv", &vendor.url(), &["--body", flag]).exits(3);
        let received = vendor.received();
        assert_eq!(kinds(&received), [kind; 4]);
        assert!(received[1].at < received[0].at + SLOW, "nothing is to be proved: many at a time");
        assert_eq!(place.column("in.verified.csv", "ck_outcome"), ["refused"; 4]);
        assert_eq!(place.column("in.verified.csv", "ck_attempts"), ["1"; 4]);
    }
}

#[tokio::test]
async fn refused_in_both_kinds_is_refused_and_the_next_row_decides() {
    // The first row is refused in both kinds; the second row is read as a form.
    let vendor = Vendor::by(|n, _| if n < 3 { not_found() } else { code("02") }.after(SLOW)).await;
    let place = Workspace::new();
    place.write("in.csv", many_people(4));
    place.run("in.csv", &vendor.url(), &[]).exits(3);
    let received = vendor.received();
    assert_eq!(kinds(&received), [JSON, FORM, JSON, FORM, FORM, FORM]);
    assert!((4..=5).contains(&alone(&received)), "{}", alone(&received));
    let outcomes = place.column("in.verified.csv", "ck_outcome");
    assert_eq!(outcomes, ["refused", "mismatch", "mismatch", "mismatch"]);
    assert_eq!(place.column("in.verified.csv", "ck_attempts"), ["2", "2", "1", "1"]);
}

#[tokio::test]
async fn answers_that_say_nothing_of_the_body_prove_no_kind() {
    let unproved =
        [answer(503, "").after(SLOW), answer(429, "").after(SLOW), answer(504, "").after(SLOW)];
    let vendor = Vendor::by(move |n, received| match (n, received.content_type.as_str()) {
        (0..3, _) => unproved[n].clone(),
        (_, FORM) => code("01").after(SLOW),
        _ => not_found().after(SLOW),
    })
    .await;
    let place = Workspace::new();
    place.write("in.csv", many_people(3));
    let more = ["--backoff", "5ms", "--rate", "1000", "--base-url", &vendor.url()];
    place.ceknik(&[&["run", "in.csv"][..], &more].concat()).exits(3);
    let received = vendor.received();
    // Three answers that prove no kind, then the second kind for the next row. All these calls are
    // sent one at a time.
    assert_eq!(kinds(&received)[..5], [JSON, JSON, JSON, JSON, FORM]);
    assert!(alone(&received) >= 5, "{}", alone(&received));
}
