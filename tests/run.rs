//! The whole program against the stand-in vendor: outcomes, exit codes, resume.

mod support;

use support::{Place, Vendor, many_people};

#[test]
fn every_row_gets_its_verdict_and_a_second_run_buys_nothing() {
    let place = Place::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", many_people(200));
    place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert_eq!(place.column("in.sandbox.csv", "ck_source"), vec!["call"; 200]);
    place.run("in.csv", &vendor.base_url, &[]).exits(0);
    assert_eq!(place.column("in.sandbox.csv", "ck_source"), vec!["ledger"; 200]);
    assert_eq!(vendor.end().len(), 200);
}
