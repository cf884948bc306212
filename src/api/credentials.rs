//! The credentials of the account.
//!
//! Never: prints a credential.

use std::fmt;

use crate::model::subject::Subject;

/// Minimum length, in bytes, of a credential that is searched for in texts. A shorter text could be
/// any word.
const SHORTEST_SECRET: usize = 6;

/// The account's id and secret. `Debug` prints neither.
#[derive(Clone)]
pub struct Credentials {
    /// Value of the header `X-DF-API-ID`.
    pub id: String,
    /// Value of the header `X-DF-API-SECRET`.
    pub secret: String,
}

impl Credentials {
    /// Replaces the credentials in texts of an answer that repeat them. A credential that is also
    /// part of the subject's NIK or name is left alone: a NIK or name with a gap in it would not be
    /// recognized, and the rest of it would be stored.
    pub(super) fn hide_in<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a mut String>,
        subject: &Subject,
    ) {
        let name = subject.name.as_str().to_lowercase();
        let is_secret = |secret: &&str| {
            secret.len() >= SHORTEST_SECRET
                && !subject.nik.as_str().contains(secret)
                && !name.contains(&secret.to_lowercase())
        };
        let secrets = [self.secret.as_str(), self.id.as_str()];
        for text in texts {
            for secret in secrets.into_iter().filter(is_secret) {
                if text.contains(secret) {
                    *text = text.replace(secret, "(hidden)");
                }
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}
