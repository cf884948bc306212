//! The journal of a start on a shared ledger: batches and slots go over the ledger's thread, beats over
//! a connection of their own.

use std::future::Future;

use futures_util::FutureExt;

use super::ledger::{PgJournal, PgLedger};
use super::record::writer_gone;
use super::session::Session;
use crate::ledger::{Beat, Journal, LedgerError, News, Recorded, Slots, SlotsWish, Unrecorded};
use crate::model::attempt::{Batch, WallMs};

impl Journal for PgJournal {
    type Ledger = PgLedger;

    fn record(
        &mut self,
        batch: Batch,
    ) -> impl Future<Output = Result<Recorded, Box<Unrecorded>>> + Unpin + 'static {
        let shift_ms = self.ledger.shift_ms;
        let batch = shifted(batch, shift_ms);
        let told = self
            .ledger
            .worker
            .promise(async move |session: &mut Session| session.record(batch).await);
        told.map(move |told| {
            told.unwrap_or_else(|_| Err(writer_gone())).map_err(|unrecorded| {
                // It may be offered once more.
                let Unrecorded { error, batch } = *unrecorded;
                Box::new(Unrecorded { error, batch: shifted(batch, -shift_ms) })
            })
        })
    }

    fn beat(
        &mut self,
        beat: Beat,
    ) -> impl Future<Output = Result<News, LedgerError>> + Unpin + 'static {
        // Not over the thread of the ledger, which may be busy with a batch.
        let given = self.ledger.beats.as_ref().map(|beats| beats.give(beat));
        let heard = async move {
            match given {
                Some(told) => told.await.unwrap_or(Err(LedgerError::WriterGone)),
                None => Err(LedgerError::WriterGone),
            }
        };
        heard.boxed()
    }

    fn take_slots(
        &mut self,
        wish: SlotsWish,
    ) -> impl Future<Output = Option<Slots>> + Unpin + 'static {
        let asked = self.ledger.beats.as_ref().map(|beats| beats.take_slots(wish));
        async move { asked?.await.ok().flatten() }.boxed()
    }

    fn finish(self) -> Result<PgLedger, LedgerError> {
        self.ledger.worker.ask(async |session: &mut Session| {
            session.save_late().await;
            Ok(())
        })?;
        Ok(self.ledger)
    }
}

/// Returns a batch whose facts are later by this time.
fn shifted(mut batch: Batch, by_ms: i64) -> Batch {
    batch.intents.iter_mut().for_each(|fact| fact.at.0 += by_ms);
    batch.settlements.iter_mut().for_each(|fact| fact.at.0 += by_ms);
    for pause in &mut batch.pauses {
        pause.at.0 += by_ms;
        pause.until = pause.until.map(|at| WallMs(at.0 + by_ms));
    }
    batch
}
