//! The vendor's limit, as whole programs find it: what is said, what is remembered, and what the
//! next run and the plan make of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use serde_json::Value;
use support::{Running, Vendor, Workspace, many_people, people_csv};

#[test]
fn a_limit_is_found_and_said_and_remembered() {
    let place = Workspace::new();
    place.write("one.csv", many_people(5000));
    place.write("two.csv", people_csv((0..20).map(|n| 9101 + n)));
    let limit = ["--rate", "40", "--burst", "10", "--latency", "20ms"];
    let vendor = Vendor::start(&place, &limit);
    let flags = ["--base-url", &vendor.base_url, "--rate-max", "2000"];
    let run = |file: &str| {
        let run = ["run", file, "--yes", "--overwrite", "-o", "out.csv"];
        place.command(&[&run[..], &flags].concat())
    };

    // A busy machine finds the limit later, so the run goes on until it is found.
    let first = Running::start(run("one.csv"));
    first.wait_to_say("the vendor allows about");
    first.signal("INT");
    let said = first.end().exits(130).stderr;
    for words in
        ["begins at 5 calls a second, at most 2000 (--rate-max)", "the vendor allowed about"]
    {
        assert!(said.contains(words), "{words:?} is not said in {said}");
    }
    let found = &place.summary("out.csv")["vendor_allows"];
    let rate = found["calls_per_second"].as_f64().unwrap();
    assert!((20.0..60.0).contains(&rate), "{found}");

    assert_eq!(&place.status(&flags[..2])["vendor_allows"], found);
    let status = place.ceknik(&[&["status"][..], &flags[..2]].concat()).exits(0).stdout;
    assert!(status.contains("the vendor allowed about"), "{status}");
    let plan = place.ceknik(&[&["plan", "two.csv", "--json"][..], &flags].concat()).exits(0);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert!(plan["rate"].as_f64().is_some_and(|planned| (planned - rate).abs() <= 1.0), "{plan}");
    assert!(plan["seconds"].as_u64().is_some_and(|seconds| (1..=2).contains(&seconds)), "{plan}");

    let said = Running::start(run("two.csv")).end().exits(0).stderr;
    let begins = said.split("begins at ").nth(1).unwrap().split(' ').next().unwrap();
    let begins: f64 = begins.parse().unwrap();
    assert!((begins - rate / 2.0).abs() <= 1.0, "{begins} of {rate}");
    assert!(said.contains("the last time"), "{said}");
}

#[test]
fn a_rate_that_the_user_chose_is_not_commented() {
    let place = Workspace::new();
    place.write("in.csv", people_csv(1001..1004));
    let vendor = Vendor::start(&place, &[]);
    for (flags, says) in [
        (&["--rate", "50"][..], false),
        (&["--rate", "unlimited"], false),
        (&["--rate", "auto"], true),
        (&[], true),
    ] {
        let run = ["run", "in.csv", "--yes", "--reuse", "0", "--overwrite"];
        let address = ["--base-url", vendor.base_url.as_str()];
        let said = place.ceknik(&[&run[..], &address, flags].concat()).exits(0).stderr;
        assert_eq!(said.contains("found during the run"), says, "{flags:?}: {said}");
    }
}

#[test]
fn the_highest_rate_holds_whatever_the_rate_is() {
    let place = Workspace::new();
    place.write("in.csv", people_csv(1001..1031));
    let vendor = Vendor::start(&place, &[]);
    let run = ["run", "in.csv", "--yes", "--rate", "unlimited", "--rate-max", "20"];
    place.ceknik(&[&run[..], &["--base-url", &vendor.base_url]].concat()).exits(0);
    let times: Vec<u64> = vendor.calls().iter().map(|call| call.at_us).collect();
    let took = times.last().unwrap() - times.first().unwrap();
    assert!(took >= 1_300_000, "30 calls in {took} µs");
}
