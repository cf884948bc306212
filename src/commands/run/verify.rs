//! The sending stage: a thread that reads the rows, the ledger's writer, and the engine between
//! them.

use tokio::runtime::Runtime;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::finish::{Ended, SendingResult};
use crate::api::{self, HttpVerifier};
use crate::commands::internal;
use crate::engine::{self, Delivery, Dispatcher, Observer, Signals};
use crate::error::Error;
use crate::ledger::{Ledger, LedgerError, OpenRun, Others};
use crate::model::attempt::Tick;
use crate::model::stop::Signal;
use crate::passes::{Input, PassError};
use crate::term::{Doing, Progress, Screen};

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

/// A pass that reads the rows to be sent.
pub(super) trait ReadRows:
    Fn(&Input, [u8; 16], &Sender<Delivery>) -> Result<(), PassError> + Copy + Send + 'static
{
}

impl<F> ReadRows for F where
    F: Fn(&Input, [u8; 16], &Sender<Delivery>) -> Result<(), PassError> + Copy + Send + 'static
{
}

/// The sending stage: everything that its rounds need.
pub(super) struct Sending<'a, R> {
    client: Client,
    read: R,
    signals: &'a mut Signals,
    progress: &'a mut Progress,
    /// Moment from which the dispatcher counts the time.
    begun: Instant,
    /// True if the user knows that this worker waits for others.
    has_said_waiting: bool,
}

/// What a round leaves.
pub(super) struct Round<L> {
    /// The ledger; `None` if it was lost with its writer.
    pub(super) ledger: Option<L>,
    /// The error with which the ledger was lost.
    pub(super) lost: Option<LedgerError>,
    /// Result of the reader of the rows.
    pub(super) read: Result<Result<(), PassError>, Ended>,
}

impl<'a, R: ReadRows> Sending<'a, R> {
    pub(super) fn new(
        client: Client,
        read: R,
        signals: &'a mut Signals,
        progress: &'a mut Progress,
    ) -> Self {
        let (begun, has_said_waiting) = (Instant::now(), false);
        Self { client, read, signals, progress, begun, has_said_waiting }
    }

    /// Sends all rows that are to be sent by this process, in one pass over the input.
    pub(super) fn one_round<L: Ledger>(
        &mut self,
        dispatcher: &mut Dispatcher,
        ledger: L,
        run: &OpenRun,
        input: &Input,
        fingerprint: [u8; 16],
    ) -> Round<L> {
        let (give, mut rows) = tokio::sync::mpsc::channel(ROWS_WAITING);
        let journal = match ledger.into_journal(run) {
            Ok(journal) => journal,
            Err(error) => return Round { ledger: None, lost: Some(error), read: Ok(Ok(())) },
        };
        let (read, input) = (self.read, input.clone());
        let read = move || read(&input, fingerprint, &give);
        let reader = std::thread::Builder::new().name("reader".to_owned()).spawn(read);
        let Self { client, signals, progress, begun, .. } = self;
        // If the reader cannot be started, the rows break off at once.
        let ledger = client.runtime.block_on(engine::verify(
            dispatcher,
            &client.verifier,
            journal,
            &mut rows,
            signals,
            *begun,
            *progress,
        ));
        drop(rows);
        let read = match reader {
            Ok(reader) => reader.join().map_err(|_| Ended::reader_panicked()),
            Err(error) => Err(Ended::Broken(internal(error))),
        };
        match ledger {
            Ok(ledger) => Round { ledger: Some(ledger), lost: None, read },
            Err(error) => Round { ledger: None, lost: Some(error), read },
        }
    }

    /// Sends all rows in the only round of a process that writes to the ledger alone.
    pub(super) fn only_round<L: Ledger>(
        mut self,
        mut dispatcher: Dispatcher,
        ledger: L,
        run: &OpenRun,
        input: &Input,
        fingerprint: [u8; 16],
    ) -> SendingResult<L> {
        let Round { ledger, lost, read } =
            self.one_round(&mut dispatcher, ledger, run, input, fingerprint);
        self.close(&mut dispatcher);
        SendingResult::of(dispatcher, ledger, lost, read)
    }

    /// Returns the next signal that came while nothing was sent.
    pub(super) fn next_signal(&mut self) -> Option<Signal> {
        self.signals.try_recv().ok()
    }

    /// Returns the time since the sending stage began.
    pub(super) fn elapsed(&self) -> Tick {
        self.begun.elapsed()
    }

    /// Tells the user once that this worker waits for others.
    pub(super) fn say_waiting(&mut self, screen: &Screen, others: &Others) {
        screen.set_doing(Doing::Waiting);
        if !others.living.is_empty() && !std::mem::replace(&mut self.has_said_waiting, true) {
            screen.note(&format!("waiting for the other workers: {}", others.hosts()));
        }
    }

    /// Ends the stage. Passes on what the dispatcher has still to tell.
    pub(super) fn close(self, dispatcher: &mut Dispatcher) {
        let now = self.begun.elapsed();
        while let Some(notice) = dispatcher.take_notice() {
            self.progress.notice(notice, now);
        }
        let Client { runtime, verifier } = self.client;
        drop(verifier);
        // The runtime does not wait for a name server that does not answer.
        runtime.shutdown_background();
    }
}
