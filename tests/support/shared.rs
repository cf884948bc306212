//! A workspace with a ledger on a real server, and a vendor.

use std::process::Command;
use std::time::Duration;

use super::postgres::address;
use super::{Finished, Running, Vendor, Workspace, billed, bought_once, run_arguments};

/// Length of a lease in these tests.
pub const LEASE: Duration = Duration::from_millis(1500);

/// A workspace with a shared ledger, and a vendor.
pub struct Shared {
    pub place: Workspace,
    pub vendor: Vendor,
    pub address: String,
}

impl Shared {
    /// Makes the ledger; `None` if this machine has no server.
    pub fn new(vendor_flags: &[&str]) -> Option<Self> {
        address().map(|address| Self::at(address, vendor_flags))
    }

    /// Makes the ledger at this address.
    pub fn at(address: String, vendor_flags: &[&str]) -> Self {
        let place = Workspace::new();
        let vendor = Vendor::start(&place, vendor_flags);
        let shared = Self { place, vendor, address };
        shared.ledger(&["ledger", "init"]).exits(0);
        shared
    }

    /// Returns the program on this ledger.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command
            .env("CEKNIK_LEDGER", &self.address)
            .env("CEKNIK_BASE_URL", &self.vendor.base_url)
            .env("CEKNIK_LEASE", "1500ms");
        command
    }

    pub fn ledger(&self, arguments: &[&str]) -> Finished {
        Running::start(self.command(arguments)).end()
    }

    pub fn run_command(&self, input: &str, more: &[&str]) -> Command {
        self.command(&run_arguments(input, &self.vendor.base_url, more))
    }

    pub fn run(&self, input: &str, more: &[&str]) -> Finished {
        Running::start(self.run_command(input, more)).end()
    }

    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.ledger(&["status", "--json"]).exits(0).stdout).unwrap()
    }

    /// Returns the flags that choose this ledger.
    pub fn which(&self) -> [&str; 4] {
        ["--ledger", &self.address, "--base-url", &self.vendor.base_url]
    }

    pub fn schema(&self) -> &str {
        self.address.split_once("schema=").unwrap().1
    }
}

/// Starts a worker whose output has this name.
pub fn worker(shared: &Shared, input: &str, output: &str) -> Running {
    let flags = ["--once", "night", "--concurrency", "8", "-o", output];
    Running::start(shared.run_command(input, &flags))
}

/// Asserts that the money is right, and returns the number of doubts.
pub fn settle_accounts(shared: &Shared, most_doubts: usize) -> u64 {
    let calls = shared.vendor.calls();
    bought_once(&calls);
    let status = shared.status();
    let tallies: Vec<_> = status["runs"].as_array().unwrap().iter().map(|r| &r["tally"]).collect();
    let sum = |figure: &dyn Fn(&serde_json::Value) -> u64| tallies.iter().map(|t| figure(t)).sum();
    let confirmed: u64 = sum(&|tally| tally["confirmed"].as_u64().unwrap());
    let doubts: u64 = sum(&|tally| tally["possible"]["in_doubt"].as_u64().unwrap());
    let told: u64 = sum(&|tally| tally["calls"].as_u64().unwrap());
    let (billed, calls) = (billed(&calls), calls.len() as u64);
    assert!(doubts <= most_doubts as u64, "{doubts} in doubt");
    assert!(confirmed <= billed && billed <= confirmed + doubts, "{confirmed} {billed} {doubts}");
    assert!(calls <= told && told <= calls + doubts, "each call has an intent: {calls} {told}");
    doubts
}
