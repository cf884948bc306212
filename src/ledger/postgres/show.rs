//! Shows a ledger on a server.
//!
//! Never: writes.

use std::collections::BTreeMap;

use super::ledger::PgLedger;
use super::run_record::WantedRun;
use super::session::Session;
use crate::ledger::{
    CallsInTime, FailureCount, LedgerError, LedgerName, RunId, RunQuery, RunRecord, ShowLedger,
    StartSums, Status, VerdictsOf,
};
use crate::model::attempt::{PairKey, StartId, WallMs};
use crate::model::class::ResultCode;
use crate::rules::vendor_clock::VendorClock;

impl ShowLedger for PgLedger {
    fn name(&self) -> &LedgerName {
        &self.name
    }

    fn read_one_moment(&mut self) -> Result<(), LedgerError> {
        self.worker.ask_patiently(async |session: &mut Session| session.begin_reading().await)
    }

    fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError> {
        self.worker.ask_patiently(async move |session: &mut Session| {
            session.read_status(utc_offset_ms, most_doubts).await
        })
    }

    fn vendor_clock(&self) -> Result<VendorClock, LedgerError> {
        let samples = self
            .worker
            .ask_patiently(async |session: &mut Session| session.clock_samples().await)?;
        Ok(VendorClock::of(&samples))
    }

    fn run_record(&self, run: RunId) -> Result<Option<RunRecord>, LedgerError> {
        let wanted = WantedRun::of(&RunQuery::Number(run));
        self.worker
            .ask_patiently(async move |session: &mut Session| session.read_record(&wanted).await)
    }

    fn start_sums(&self, run: RunId) -> Result<BTreeMap<StartId, StartSums>, LedgerError> {
        self.worker.ask_patiently(async move |session: &mut Session| session.read_sums(run).await)
    }

    fn calls(&self, from: WallMs, to: WallMs) -> Result<CallsInTime, LedgerError> {
        self.worker
            .ask_patiently(async move |session: &mut Session| session.read_calls(from, to).await)
    }

    fn origin(&self) -> Result<String, LedgerError> {
        self.worker.ask_patiently(async move |session: &mut Session| session.read_origin().await)
    }

    fn run_ids(&self) -> Result<Vec<RunId>, LedgerError> {
        self.worker.ask_patiently(async move |session: &mut Session| session.read_run_ids().await)
    }

    fn run_calls(&self, run: RunId) -> Result<CallsInTime, LedgerError> {
        self.worker
            .ask_patiently(async move |session: &mut Session| session.read_run_calls(run).await)
    }

    fn run_failures(&self, run: RunId) -> Result<Vec<FailureCount>, LedgerError> {
        self.worker
            .ask_patiently(async move |session: &mut Session| session.read_failures(run).await)
    }

    fn run_latencies(&self, run: RunId) -> Result<Vec<(u32, u64)>, LedgerError> {
        self.worker
            .ask_patiently(async move |session: &mut Session| session.read_latencies(run).await)
    }

    fn visit_verdicts(
        &self,
        of: VerdictsOf,
        visit: &mut dyn FnMut(PairKey, ResultCode),
    ) -> Result<(), LedgerError> {
        self.worker.read_rows(
            async move |session, give| session.read_verdicts(of, give).await,
            &mut |(pair, code)| visit(pair, code),
        )
    }

    fn check_nothing_lost(&self) -> Result<(), LedgerError> {
        self.worker.ask(async |session: &mut Session| session.check_witnesses_as_reader().await)
    }
}
