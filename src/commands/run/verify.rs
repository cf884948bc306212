//! The stage that sends: a thread that reads the rows, the ledger's writer, and the engine between them.

use tokio::runtime::Runtime;
use tokio::sync::mpsc::Sender;

use super::finish::{Ended, Left};
use super::internal;
use crate::api::{self, HttpVerifier};
use crate::engine::{self, Delivery, Dispatcher, Signals, Verified};
use crate::error::Error;
use crate::ledger::{Ledger, OpenRun};
use crate::passes::PassError;
use crate::term::Progress;

/// Chunks of rows that may wait for the engine.
const ROWS_WAITING: usize = 4;

/// So many tasks run before the engine is asked again. All tasks of connections do, also of the most calls in flight: an
/// answer's client has its connection back before the engine sends the next call on it, and answers come in batches.
const TASKS_IN_A_ROW: u32 = 16_384;

/// The client, with the runtime that drives its connections.
pub(super) struct Client {
    runtime: Runtime,
    verifier: HttpVerifier,
}

impl Client {
    /// Made before the run begins: an option that cannot be used is told while nothing has happened.
    pub(super) fn new(options: &api::Options) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(TASKS_IN_A_ROW)
            .build()
            .map_err(internal)?;
        let verifier = {
            let _inside = runtime.enter();
            HttpVerifier::new(options)?
        };
        Ok(Self { runtime, verifier })
    }
}

/// Sends what is to be sent. Never fails: how it ended is part of what it leaves.
pub(super) fn verify<L: Ledger>(
    dispatcher: Dispatcher,
    ledger: L,
    run: &OpenRun,
    client: Client,
    read: impl FnOnce(&Sender<Delivery>) -> Result<(), PassError> + Send + 'static,
    signals: &mut Signals,
    progress: &mut Progress,
) -> Left<L> {
    let (give, mut rows) = tokio::sync::mpsc::channel(ROWS_WAITING);
    let journal = match ledger.into_journal(run) {
        Ok(journal) => journal,
        Err(error) => {
            let (state, ended) = (dispatcher.into_state(), Ended::StorageFailed(error));
            return Left { state, ledger: None, ended };
        }
    };
    let reader = std::thread::Builder::new().name("reader".to_owned()).spawn(move || read(&give));
    let Client { runtime, verifier } = client;
    let glimpse = |seen: &engine::Snapshot| progress.show(seen);
    // Without a reader the rows break off at once.
    let verified = runtime.block_on(async {
        engine::verify(dispatcher, &verifier, journal, &mut rows, signals, glimpse).await
    });
    drop(rows);
    drop(verifier);
    // A name server that does not answer is not waited for.
    runtime.shutdown_background();
    let read = match reader {
        Ok(reader) => reader.join().map_err(|_| Ended::reader_panicked()),
        Err(error) => Err(Ended::Broken(internal(error))),
    };
    let Verified { mut state, ledger } = verified;
    let (ledger, lost) = match ledger {
        Ok(ledger) => (Some(ledger), None),
        Err(error) => (None, Some(error)),
    };
    let failure = state.failure.take().or(lost);
    let ended = Ended::of(state.stop, failure, read);
    Left { state, ledger, ended }
}
