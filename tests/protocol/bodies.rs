//! Body kinds. With `auto`, the program has one call in flight until an answer proves the kind,
//! sends the same row once more in the other kind where needed, and remembers the kind that worked.
//! A kind that the user sets is never changed.

use std::time::Duration;

use crate::mock::{Answer, Came, Vendor, answer, code, fails};
use crate::support::{Place, many_people, people};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// Time that a mock takes for an answer. Calls that are sent together are closer than this.
const SLOW: Duration = Duration::from_millis(60);

fn not_found() -> Answer {
    fails(400, "INVALID_ARGUMENT", "argument id_number not found")
}

/// Starts a vendor that reads only one kind of body.
async fn reads(kind: &'static str) -> Vendor {
    Vendor::by(move |_, came| {
        let answer = if came.content_type == kind { code("01") } else { not_found() };
        answer.after(SLOW)
    })
    .await
}

fn kinds(came: &[Came]) -> Vec<&str> {
    came.iter().map(|came| came.content_type.as_str()).collect()
}

/// Returns the number of calls, from the first, that came one at a time, each after the answer to
/// the call before.
fn alone(came: &[Came]) -> usize {
    let apart = |pair: &[Came]| pair[1].at >= pair[0].at + SLOW;
    1 + came.windows(2).take_while(|pair| apart(pair)).count()
}

#[tokio::test]
async fn auto_begins_with_json_and_one_call_until_it_is_proved() {
    let (place, vendor) = (Place::new(), reads(JSON).await);
    place.write("in.csv", many_people(12));
    place.run("in.csv", &vendor.url(), &[]).exits(0);
    let came = vendor.came();
    assert_eq!(kinds(&came), [JSON; 12]);
    assert!(came[1].at >= came[0].at + SLOW, "the first call goes alone");
    assert!(alone(&came) <= 2, "then many at a time: {}", alone(&came));
}

#[tokio::test]
async fn auto_asks_the_same_row_once_more_as_a_form_and_remembers_it() {
    let (place, vendor) = (Place::new(), reads(FORM).await);
    place.write("in.csv", many_people(12));
    place.run("in.csv", &vendor.url(), &[]).exits(0);
    let came = vendor.came();
    assert_eq!(kinds(&came), [&[JSON][..], &[FORM; 12]].concat());
    let (_, nik) = came[1].body.split_once("id_number=").unwrap();
    assert!(came[0].body.contains(nik.split('&').next().unwrap()), "the same row");
    assert!((2..=3).contains(&alone(&came)), "two alone, then many: {}", alone(&came));
    let attempts = place.column("in.verified.csv", "ck_attempts");
    assert_eq!(attempts, [&["2"][..], &["1"; 11]].concat());
    assert_eq!(place.column("in.verified.csv", "ck_outcome"), ["match"; 12]);
    // The next run begins with the kind that worked, and still sends one call at a time until the
    // kind is proved again.
    place.write("next.csv", people((0..5).map(|n| 2001 + n)));
    place.run("next.csv", &vendor.url(), &[]).exits(0);
    let next = vendor.came().split_off(came.len());
    assert_eq!(kinds(&next), [FORM; 5]);
    assert!(next[1].at >= next[0].at + SLOW, "the first call goes alone");
}

#[tokio::test]
async fn what_was_remembered_and_works_no_more_is_left_again() {
    let vendor = Vendor::by(|n, came| match (n, came.content_type.as_str()) {
        (0..=2, FORM) | (3.., JSON) => code("01"),
        _ => not_found(),
    })
    .await;
    let place = Place::new();
    for (input, kinds_now) in [("a.csv", [JSON, FORM, FORM]), ("b.csv", [FORM, JSON, JSON])] {
        let before = vendor.came().len();
        let serials = if input == "a.csv" { [1001, 1002] } else { [2001, 2002] };
        place.write(input, people(serials));
        place.run(input, &vendor.url(), &[]).exits(0);
        assert_eq!(kinds(&vendor.came()[before..]), kinds_now, "{input}");
    }
}

#[tokio::test]
async fn a_forced_kind_is_never_left() {
    for (flag, kind, other) in [("json", JSON, FORM), ("form", FORM, JSON)] {
        let (place, vendor) = (Place::new(), reads(other).await);
        place.write("in.csv", many_people(4));
        place.run("in.csv", &vendor.url(), &["--body", flag]).exits(3);
        let came = vendor.came();
        assert_eq!(kinds(&came), [kind; 4]);
        assert!(came[1].at < came[0].at + SLOW, "nothing is to be proved: many at a time");
        assert_eq!(place.column("in.verified.csv", "ck_outcome"), ["refused"; 4]);
        assert_eq!(place.column("in.verified.csv", "ck_attempts"), ["1"; 4]);
    }
}

#[tokio::test]
async fn refused_in_both_kinds_is_refused_and_the_next_row_decides() {
    // The first row is refused in both kinds; the second row is read as a form.
    let vendor = Vendor::by(|n, _| if n < 3 { not_found() } else { code("02") }.after(SLOW)).await;
    let place = Place::new();
    place.write("in.csv", many_people(4));
    place.run("in.csv", &vendor.url(), &[]).exits(3);
    let came = vendor.came();
    assert_eq!(kinds(&came), [JSON, FORM, JSON, FORM, FORM, FORM]);
    assert!((4..=5).contains(&alone(&came)), "{}", alone(&came));
    let outcomes = place.column("in.verified.csv", "ck_outcome");
    assert_eq!(outcomes, ["refused", "mismatch", "mismatch", "mismatch"]);
    assert_eq!(place.column("in.verified.csv", "ck_attempts"), ["2", "2", "1", "1"]);
}

#[tokio::test]
async fn what_says_nothing_of_the_body_proves_none() {
    let unproved =
        [answer(503, "").after(SLOW), answer(429, "").after(SLOW), answer(504, "").after(SLOW)];
    let vendor = Vendor::by(move |n, came| match (n, came.content_type.as_str()) {
        (0..3, _) => unproved[n].clone(),
        (_, FORM) => code("01").after(SLOW),
        _ => not_found().after(SLOW),
    })
    .await;
    let place = Place::new();
    place.write("in.csv", many_people(3));
    let more = ["--backoff", "5ms", "--rate", "1000", "--base-url", &vendor.url()];
    place.ceknik(&[&["run", "in.csv"][..], &more].concat()).exits(3);
    let came = vendor.came();
    // Three answers that prove no kind, then the second kind for the next row. All these calls are
    // sent one at a time.
    assert_eq!(kinds(&came)[..5], [JSON, JSON, JSON, JSON, FORM]);
    assert!(alone(&came) >= 5, "{}", alone(&came));
}
