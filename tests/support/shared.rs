//! A workspace with a ledger on a real server, and a vendor.

use std::process::Command;

use super::postgres::address;
use super::{Finished, Running, Vendor, Workspace, run_arguments};

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

    pub fn schema(&self) -> &str {
        self.address.split_once("schema=").unwrap().1
    }
}
