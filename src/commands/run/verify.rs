//! The sending stage: a thread that reads the rows, the ledger's writer, and the engine between
//! them.

use tokio::runtime::Runtime;
use tokio::sync::mpsc::Sender;

use super::finish::{Ended, SendingResult};
use crate::api::{self, HttpVerifier};
use crate::commands::internal;
use crate::engine::{self, Delivery, Dispatcher, Signals, Verified};
use crate::error::Error;
use crate::ledger::{Ledger, OpenRun};
use crate::passes::PassError;
use crate::term::Progress;

/// Number of chunks of rows that may wait for the engine.
const ROWS_WAITING: usize = 4;

/// Number of tasks that the runtime runs before it polls the engine again. It is so large that all
/// tasks of connections run first, even with the most calls in flight. Answers come in batches, and
/// the client of an answer must have its connection back before the engine sends the next call on
/// that connection.
const TASKS_IN_A_ROW: u32 = 16_384;

/// HTTP client, with the runtime that drives its connections.
pub(super) struct Client {
    runtime: Runtime,
    verifier: HttpVerifier,
}

impl Client {
    /// Creates the client. This is done before the run begins, so that an option that cannot be
    /// used is reported while nothing has happened.
    pub(super) fn new(options: &api::ClientOptions) -> Result<Self, Error> {
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

/// Sends all rows that are to be sent. A failure is not returned as an error: [`SendingResult::ended`] says
/// how the start ended.
pub(super) fn verify<L: Ledger>(
    dispatcher: Dispatcher,
    ledger: L,
    run: &OpenRun,
    client: Client,
    read: impl FnOnce(&Sender<Delivery>) -> Result<(), PassError> + Send + 'static,
    signals: &mut Signals,
    progress: &mut Progress,
) -> SendingResult<L> {
    let (give, mut rows) = tokio::sync::mpsc::channel(ROWS_WAITING);
    let journal = match ledger.into_journal(run) {
        Ok(journal) => journal,
        Err(error) => {
            let (state, ended) = (dispatcher.into_state(), Ended::StorageFailed(error));
            return SendingResult { state, ledger: None, ended };
        }
    };
    let reader = std::thread::Builder::new().name("reader".to_owned()).spawn(move || read(&give));
    let Client { runtime, verifier } = client;
    let on_progress = |seen: &engine::Snapshot| progress.show(seen);
    // If the reader cannot be started, the rows break off at once.
    let verified = runtime.block_on(async {
        engine::verify(dispatcher, &verifier, journal, &mut rows, signals, on_progress).await
    });
    drop(rows);
    drop(verifier);
    // The runtime does not wait for a name server that does not answer.
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
    SendingResult { state, ledger, ended }
}
