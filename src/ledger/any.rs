//! A ledger of either kind: passes each call on to the ledger in a file or on a server.
//!
//! Never: decides anything.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::Either;

use super::postgres::{PgJournal, PgLedger, PgPreview};
use super::sqlite::{SqliteJournal, SqliteLedger, SqlitePreview};
use super::{
    AttemptDetail, Beat, CallsInTime, Facts, FailureCount, FoundRun, Journal, Ledger, LedgerError,
    LedgerName, News, OpenRun, Others, OwnAttempt, PossibleCharge, Preview, ProgressNote,
    Purgeable, Purged, Recorded, RunId, RunQuery, RunRecord, RunRef, ShowLedger, Slots, SlotsWish,
    Standing, StartEnd, StartRequest, StartSums, Status, Unrecorded, VerdictsOf,
};
use crate::model::attempt::{AttemptId, Batch, PairKey, StartId, WallMs};
use crate::model::class::ResultCode;
use crate::rules::body::BodyKind;
use crate::rules::estimate::History;
use crate::rules::pair_key::PairHasher;
use crate::rules::pair_table::{PairIndex, SortedKeys};
use crate::rules::rate::Remembered;
use crate::rules::vendor_clock::VendorClock;

/// A ledger of either kind.
pub(super) enum AnyLedger {
    File(Box<SqliteLedger>),
    Shared(Box<PgLedger>),
}

/// A journal of either kind.
pub(super) enum AnyJournal {
    File(SqliteJournal),
    Shared(PgJournal),
}

/// A preview of either kind.
pub(super) enum AnyPreview {
    File(SqlitePreview),
    Shared(PgPreview),
}

/// Passes a call on to the ledger, of whichever kind it is.
macro_rules! pass_on {
    ($any:expr, $ledger:ident => $call:expr) => {
        match $any {
            Self::File($ledger) => $call,
            Self::Shared($ledger) => $call,
        }
    };
}

impl Facts for AnyLedger {
    fn find_run(&mut self, opening: &StartRequest) -> Result<FoundRun, LedgerError> {
        pass_on!(self, ledger => ledger.find_run(opening))
    }

    fn find_record(&mut self, wanted: &RunQuery<'_>) -> Result<Option<RunRecord>, LedgerError> {
        pass_on!(self, ledger => ledger.find_record(wanted))
    }

    fn visit_earlier_then(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.visit_earlier_then(run, keys, visit))
    }

    fn visit_possible(&mut self, visit: &mut dyn FnMut(PossibleCharge)) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.visit_possible(visit))
    }

    fn visit_earlier(
        &mut self,
        run: &RunRef,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(PairIndex, Standing),
    ) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.visit_earlier(run, keys, visit))
    }

    fn visit_own(
        &mut self,
        run: RunId,
        keys: &SortedKeys,
        visit: &mut dyn FnMut(Option<PairIndex>, OwnAttempt),
    ) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.visit_own(run, keys, visit))
    }

    fn details(&mut self, attempts: &[AttemptId]) -> Result<Vec<AttemptDetail>, LedgerError> {
        pass_on!(self, ledger => ledger.details(attempts))
    }

    fn history(&mut self) -> Result<History, LedgerError> {
        pass_on!(self, ledger => ledger.history())
    }

    fn unsettled(&mut self) -> Result<u64, LedgerError> {
        pass_on!(self, ledger => ledger.unsettled())
    }

    fn remembered_rate(
        &mut self,
        account: Option<&[u8; 16]>,
    ) -> Result<Option<Remembered>, LedgerError> {
        pass_on!(self, ledger => ledger.remembered_rate(account))
    }

    fn purgeable(&mut self, before: WallMs) -> Result<Purgeable, LedgerError> {
        pass_on!(self, ledger => ledger.purgeable(before))
    }
}

impl Ledger for AnyLedger {
    type Journal = AnyJournal;

    fn hasher(&self) -> PairHasher {
        pass_on!(self, ledger => ledger.hasher())
    }

    fn progress_note(&self) -> Option<ProgressNote> {
        pass_on!(self, ledger => ledger.progress_note())
    }

    fn time_of(&self, here: WallMs) -> WallMs {
        pass_on!(self, ledger => ledger.time_of(here))
    }

    fn open_run(&mut self, opening: &StartRequest) -> Result<OpenRun, LedgerError> {
        pass_on!(self, ledger => ledger.open_run(opening))
    }

    fn leaving_flag(&self) -> Option<Arc<AtomicBool>> {
        pass_on!(self, ledger => ledger.leaving_flag())
    }

    fn lease(&self) -> Option<Duration> {
        pass_on!(self, ledger => ledger.lease())
    }

    fn others(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        pass_on!(self, ledger => ledger.others(run))
    }

    fn leave(&mut self, run: &OpenRun) -> Result<Others, LedgerError> {
        pass_on!(self, ledger => ledger.leave(run))
    }

    fn begin_reading(&mut self) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.begin_reading())
    }

    fn end_reading(&mut self) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.end_reading())
    }

    fn into_journal(self, run: &OpenRun) -> Result<AnyJournal, LedgerError> {
        Ok(match self {
            Self::File(ledger) => AnyJournal::File(ledger.into_journal(run)?),
            Self::Shared(ledger) => AnyJournal::Shared(ledger.into_journal(run)?),
        })
    }

    fn end_start(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.end_start(run, ending))
    }

    fn end_run(&mut self, run: &OpenRun, ending: &StartEnd) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.end_run(run, ending))
    }

    fn remembered_body(&mut self) -> Result<Option<BodyKind>, LedgerError> {
        pass_on!(self, ledger => ledger.remembered_body())
    }

    fn remember_body(&mut self, kind: BodyKind) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.remember_body(kind))
    }

    fn remember_rate(
        &mut self,
        account: &[u8; 16],
        remembered: Remembered,
    ) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.remember_rate(account, remembered))
    }

    fn purge(&mut self, before: WallMs, utc_offset_ms: i64) -> Result<Purged, LedgerError> {
        pass_on!(self, ledger => ledger.purge(before, utc_offset_ms))
    }
}

impl ShowLedger for AnyLedger {
    fn name(&self) -> &LedgerName {
        pass_on!(self, ledger => ledger.name())
    }

    fn read_one_moment(&mut self) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.read_one_moment())
    }

    fn status(&self, utc_offset_ms: i64, most_doubts: u64) -> Result<Status, LedgerError> {
        pass_on!(self, ledger => ledger.status(utc_offset_ms, most_doubts))
    }

    fn vendor_clock(&self) -> Result<VendorClock, LedgerError> {
        pass_on!(self, ledger => ledger.vendor_clock())
    }

    fn run_record(&self, run: RunId) -> Result<Option<RunRecord>, LedgerError> {
        pass_on!(self, ledger => ledger.run_record(run))
    }

    fn start_sums(&self, run: RunId) -> Result<BTreeMap<StartId, StartSums>, LedgerError> {
        pass_on!(self, ledger => ledger.start_sums(run))
    }

    fn calls(&self, from: WallMs, to: WallMs) -> Result<CallsInTime, LedgerError> {
        pass_on!(self, ledger => ledger.calls(from, to))
    }

    fn origin(&self) -> Result<String, LedgerError> {
        pass_on!(self, ledger => ShowLedger::origin(&**ledger))
    }

    fn run_ids(&self) -> Result<Vec<RunId>, LedgerError> {
        pass_on!(self, ledger => ledger.run_ids())
    }

    fn run_calls(&self, run: RunId) -> Result<CallsInTime, LedgerError> {
        pass_on!(self, ledger => ledger.run_calls(run))
    }

    fn run_failures(&self, run: RunId) -> Result<Vec<FailureCount>, LedgerError> {
        pass_on!(self, ledger => ledger.run_failures(run))
    }

    fn run_latencies(&self, run: RunId) -> Result<Vec<(u32, u64)>, LedgerError> {
        pass_on!(self, ledger => ledger.run_latencies(run))
    }

    fn visit_verdicts(
        &self,
        of: VerdictsOf,
        visit: &mut dyn FnMut(PairKey, ResultCode),
    ) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.visit_verdicts(of, visit))
    }

    fn check_nothing_lost(&self) -> Result<(), LedgerError> {
        pass_on!(self, ledger => ledger.check_nothing_lost())
    }
}

impl Journal for AnyJournal {
    type Ledger = AnyLedger;

    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<Recorded, Box<Unrecorded>>> + Unpin + 'static {
        match self {
            Self::File(journal) => Either::Left(journal.record(batch)),
            Self::Shared(journal) => Either::Right(journal.record(batch)),
        }
    }

    fn beat(
        &mut self,
        beat: Beat,
    ) -> impl Future<Output = Result<News, LedgerError>> + Unpin + 'static {
        match self {
            Self::File(journal) => Either::Left(journal.beat(beat)),
            Self::Shared(journal) => Either::Right(journal.beat(beat)),
        }
    }

    fn take_slots(
        &mut self,
        wish: SlotsWish,
    ) -> impl Future<Output = Option<Slots>> + Unpin + 'static {
        match self {
            Self::File(journal) => Either::Left(journal.take_slots(wish)),
            Self::Shared(journal) => Either::Right(journal.take_slots(wish)),
        }
    }

    fn finish(self) -> Result<AnyLedger, LedgerError> {
        Ok(match self {
            Self::File(journal) => AnyLedger::File(Box::new(journal.finish()?)),
            Self::Shared(journal) => AnyLedger::Shared(Box::new(journal.finish()?)),
        })
    }
}

impl Preview for AnyPreview {
    fn hasher(&self) -> PairHasher {
        pass_on!(self, preview => preview.hasher())
    }

    fn read<T, E: From<LedgerError>>(
        &self,
        read: impl FnMut(&mut dyn Facts) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        pass_on!(self, preview => preview.read(read))
    }
}
