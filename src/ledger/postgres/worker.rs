//! The thread of a shared ledger: owns the session, and carries out one task after the other.
//!
//! Must hold: tasks are carried out in the order in which they were handed over. When the last
//! handle is dropped, the session ends before the handle is gone.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::access::Access;
use super::session::Session;
use crate::ledger::LedgerError;

/// Number of tasks that may wait. Who hands over a task waits for its result, so that more than one
/// or two never do.
const WAITING: usize = 8;
/// Number of chunks of rows that may wait for their reader.
const CHUNKS_WAITING: usize = 4;

type Task = Box<dyn for<'a> FnOnce(&'a mut Session) -> LocalBoxFuture<'a, ()> + Send>;

/// The handle of the thread.
pub(super) struct Worker {
    tasks: Option<mpsc::Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread, and waits until its session is made.
    pub(super) fn start(
        access: Access,
        patience: std::time::Duration,
    ) -> Result<Self, LedgerError> {
        let (tasks, waiting) = mpsc::channel(WAITING);
        let (tell, told) = sync_channel(1);
        let name = access.name.clone();
        let failed = |source: std::io::Error| {
            super::error::unreachable_server(&name, format!("no thread could be started: {source}"))
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let serve = move || {
            runtime.block_on(async {
                match Session::new(Arc::new(access), patience).await {
                    Ok(session) => {
                        let _ = tell.send(Ok(()));
                        serve(session, waiting).await;
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        };
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(serve);
        let thread = Some(thread.map_err(failed)?);
        let worker = Self { tasks: Some(tasks), thread };
        told.recv().unwrap_or(Err(LedgerError::WriterGone))?;
        Ok(worker)
    }

    /// Hands a task over. Returns `false` if the thread has ended.
    fn hand_over(&self, task: Task) -> bool {
        self.tasks.as_ref().is_some_and(|tasks| tasks.try_send(task).is_ok())
    }

    /// Carries out a task once, and waits for its result.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        act: impl AsyncFnOnce(&mut Session) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (tell, told) = sync_channel(1);
        self.hand_over(boxed(move |session| {
            let act = async move {
                let _ = tell.send(act(session).await);
            };
            act.boxed_local()
        }));
        told.recv().unwrap_or(Err(LedgerError::WriterGone))
    }

    /// Carries out a task that may be repeated, and waits for its result. Repeats it while the
    /// server does not answer.
    pub(super) fn ask_patiently<T: Send + 'static>(
        &self,
        act: impl AsyncFn(&mut Session) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (tell, told) = sync_channel(1);
        self.hand_over(boxed(move |session| {
            async move { drop(tell.send(session.patiently(act).await)) }.boxed_local()
        }));
        told.recv().unwrap_or(Err(LedgerError::WriterGone))
    }

    /// Hands a task over, and returns the future of its result.
    pub(super) fn promise<T: Send + 'static>(
        &self,
        act: impl AsyncFnOnce(&mut Session) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        self.hand_over(boxed(move |session| {
            async move { drop(tell.send(act(session).await)) }.boxed_local()
        }));
        told
    }

    /// Carries out a task that reads rows, and passes each row to `take` on this thread. The task
    /// hands the rows over in chunks.
    pub(super) fn read_rows<T: Send + 'static>(
        &self,
        act: impl AsyncFnOnce(&mut Session, &mpsc::Sender<Vec<T>>) -> Result<(), LedgerError>
        + Send
        + 'static,
        take: &mut dyn FnMut(T),
    ) -> Result<(), LedgerError> {
        let (give, mut chunks) = mpsc::channel(CHUNKS_WAITING);
        let ended = self.promise(async move |session: &mut Session| act(session, &give).await);
        while let Some(chunk) = chunks.blocking_recv() {
            chunk.into_iter().for_each(&mut *take);
        }
        ended.blocking_recv().unwrap_or(Err(LedgerError::WriterGone))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has ended its tasks, each with an error.
            let _ = thread.join();
        }
    }
}

/// Boxes a task. The bound tells the compiler that the task works for a session of any lifetime.
fn boxed<F>(task: F) -> Task
where
    F: for<'a> FnOnce(&'a mut Session) -> LocalBoxFuture<'a, ()> + Send + 'static,
{
    Box::new(task)
}

async fn serve(mut session: Session, mut waiting: mpsc::Receiver<Task>) {
    while let Some(task) = waiting.recv().await {
        task(&mut session).await;
    }
}
