//! The place of a shared ledger: its server, its secrets, and the file of its key.

use std::path::PathBuf;
use std::time::Duration;

use super::url::LedgerUrl;

/// Place of a shared ledger, and the origin that the ledger belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedLocation {
    /// Address of the ledger, without a password.
    pub url: LedgerUrl,
    /// Password of the address's user; `None` if the server needs none.
    pub password: Option<String>,
    /// File of further root certificates (PEM).
    pub ca_cert: Option<PathBuf>,
    /// Path of the key file.
    pub key: PathBuf,
    /// Name of the origin from which the answers in the ledger come.
    pub origin: String,
    /// Longest time for which facts are offered to a server that does not answer.
    pub patience: Duration,
    /// Time after which a silent worker may be declared dead.
    pub lease: Duration,
}

impl std::fmt::Debug for SharedLocation {
    /// Shows everything but the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SharedLocation").field(&self.url.name()).field(&self.origin).finish()
    }
}
