//! The address of a shared ledger: `postgres://user@db1,db2/database?schema=live`.
//!
//! Must hold: an address with a password is refused, because others can read the command line and
//! the settings file. Over a network the connection is encrypted.
//!
//! Never: puts the text of an address into an error, which may contain a password.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::ledger::LedgerName;

/// Schema of a ledger whose address names none.
const DEFAULT_SCHEMA: &str = "ceknik";
/// Longest time that connecting to the only host may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time that connecting to one of several hosts may take, before the next one is tried.
const CONNECT_TIMEOUT_OF_SEVERAL: Duration = Duration::from_secs(2);
/// Time after which a connection that no longer answers counts as broken.
const SILENCE: Duration = Duration::from_secs(10);
/// Longest name that PostgreSQL keeps, in bytes.
const LONGEST_NAME: usize = 63;

/// Address of a shared ledger, without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerUrl {
    /// User, hosts and database.
    pub(super) connection: Config,
    /// Schema with the tables of the ledger.
    pub(super) schema: String,
    /// True if the connection is encrypted: always, unless each host is this machine.
    pub(super) is_encrypted: bool,
}

impl LedgerUrl {
    /// Parses the value of `--ledger` as an address. Returns `None` if the value is the path of a
    /// file.
    ///
    /// # Errors
    /// The address is not usable. The message says why, and does not contain the address.
    pub fn of(value: &Path) -> Option<Result<Self, String>> {
        let text = value.to_str()?;
        let (scheme, rest) = text.split_once("://")?;
        Some(match scheme {
            "postgres" | "postgresql" => Self::parse(text),
            // A mistyped address is no file: a new ledger would buy everything again.
            _ if rest.is_empty() => return None,
            _ => Err("the address of a shared ledger begins with postgres://".to_owned()),
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut schema, mut kept) = (DEFAULT_SCHEMA.to_owned(), Vec::new());
        let mut mode = None;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "schema" => schema = value.into_owned(),
                "sslmode" => mode = Some(SslWish::parse(&value)?),
                "host" | "port" | "hostaddr" => kept.push((name, value)),
                "password" => return Err(password_refused()),
                _ => {
                    return Err(
                        "the address can have only the settings schema, host, port, hostaddr \
                         and sslmode"
                            .to_owned(),
                    );
                }
            }
        }
        check_schema(&schema)?;
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
        let address = format!("{address}?{query}");
        // The library's own message may repeat a part of the address.
        let connection = Config::from_str(address.trim_end_matches('?')).map_err(|_| {
            "this is not the address of a ledger; write postgres://USER@HOST/DATABASE?schema=NAME"
                .to_owned()
        })?;
        if connection.get_password().is_some() {
            return Err(password_refused());
        }
        if connection.get_hosts().is_empty() && connection.get_hostaddrs().is_empty() {
            return Err("the address has no host; write postgres://USER@HOST/DATABASE".to_owned());
        }
        if connection.get_dbname().is_none_or(str::is_empty) {
            return Err(
                "the address has no database; write postgres://USER@HOST/DATABASE".to_owned()
            );
        }
        let is_near = connection.get_hosts().iter().all(is_this_machine)
            && connection.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        let is_encrypted = match mode {
            Some(SslWish::Plain) if !is_near => {
                return Err("sslmode=disable is for servers on this machine only".to_owned());
            }
            Some(SslWish::Encrypted) => true,
            Some(SslWish::Plain) | None => !is_near,
        };
        Ok(Self { connection, schema, is_encrypted })
    }

    /// Returns the settings of the connection to each host alone, in the order of the address.
    pub(super) fn hosts(&self) -> Vec<Config> {
        let all = &self.connection;
        let (names, addresses, ports) = (all.get_hosts(), all.get_hostaddrs(), all.get_ports());
        let number = names.len().max(addresses.len());
        let to_host = |at: usize| {
            let mut one = Config::new();
            if let Some(user) = all.get_user() {
                one.user(user);
            }
            if let Some(database) = all.get_dbname() {
                one.dbname(database);
            }
            if let Some(Host::Tcp(name)) = names.get(at) {
                one.host(name);
            }
            if let Some(Host::Unix(path)) = names.get(at) {
                one.host_path(path);
            }
            if let Some(address) = addresses.get(at) {
                one.hostaddr(*address);
            }
            if let Some(port) = ports.get(at).or(ports.first()) {
                one.port(*port);
            }
            one.ssl_mode(if self.is_encrypted { SslMode::Require } else { SslMode::Disable })
                .application_name("ceknik")
                .connect_timeout(match number {
                    1 => CONNECT_TIMEOUT,
                    _ => CONNECT_TIMEOUT_OF_SEVERAL,
                })
                .tcp_user_timeout(SILENCE)
                .keepalives_idle(SILENCE)
                .keepalives_interval(SILENCE / 5)
                .keepalives_retries(3)
                .target_session_attrs(TargetSessionAttrs::ReadWrite);
            one
        };
        (0..number).map(to_host).collect()
    }

    /// Returns the name of the ledger: its hosts, database and schema, without the user.
    pub fn name(&self) -> LedgerName {
        let hosts = self.connection.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let addresses = self.connection.get_hostaddrs().iter().map(ToString::to_string);
        let hosts: Vec<String> = hosts.chain(addresses).collect();
        let database = self.connection.get_dbname().unwrap_or_default();
        LedgerName::of_server(&format!("postgres://{}/{database} {}", hosts.join(","), self.schema))
    }

    /// Returns the name of the key file for a ledger whose key file the user does not name.
    pub fn key_file_name(&self) -> PathBuf {
        let fit = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name = format!("{}_{}", self.connection.get_dbname().unwrap_or_default(), self.schema);
        PathBuf::from(format!("shared_{}.key", name.chars().map(fit).collect::<String>()))
    }
}

/// Encryption that the user asks for.
#[derive(Clone, Copy)]
enum SslWish {
    Plain,
    Encrypted,
}

impl SslWish {
    /// Parses the value of `sslmode`. An encrypted connection always checks the certificate and the
    /// host, so all modes with encryption are the same.
    fn parse(value: &str) -> Result<Self, String> {
        match value {
            "disable" => Ok(Self::Plain),
            "require" | "verify-ca" | "verify-full" => Ok(Self::Encrypted),
            _ => Err("sslmode in the address must be verify-full or disable".to_owned()),
        }
    }
}

fn password_refused() -> String {
    "the address contains a password, which other users can read; set CEKNIK_LEDGER_PASSWORD instead, or set \
     CEKNIK_LEDGER_PASSWORD_FILE to the path of a file that contains it"
        .to_owned()
}

/// Checks that a schema's name needs no quotes in SQL.
fn check_schema(schema: &str) -> Result<(), String> {
    let begins_well = schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if begins_well && schema.len() <= LONGEST_NAME && schema.chars().all(is_plain) {
        return Ok(());
    }
    Err("the schema in the address can have only small letters, digits and _".to_owned())
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_without_its_user() {
        for (address, name) in [
            ("postgres://me@db1,db2/kyc?schema=live", "postgres://db1,db2/kyc live"),
            ("postgresql://localhost:5433/kyc", "postgres://localhost/kyc ceknik"),
            ("postgres://me@127.0.0.1/kyc?sslmode=disable", "postgres://127.0.0.1/kyc ceknik"),
            ("postgres://me@db/kyc?sslmode=verify-full", "postgres://db/kyc ceknik"),
            ("postgres:///kyc?host=/run/postgresql", "postgres:///run/postgresql/kyc ceknik"),
        ] {
            let url = LedgerUrl::of(Path::new(address)).unwrap().unwrap();
            assert_eq!(url.name().to_string(), name);
        }
        assert_eq!(LedgerUrl::of(Path::new("postgres.ledger")), None);
    }

    #[test]
    fn a_connection_over_a_network_is_encrypted() {
        for (address, mode) in [
            ("postgres://db/kyc", SslMode::Require),
            ("postgres://localhost,db/kyc", SslMode::Require),
            ("postgres://localhost/kyc", SslMode::Disable),
            ("postgres://[::1]/kyc", SslMode::Disable),
            ("postgres://localhost/kyc?sslmode=require", SslMode::Require),
        ] {
            let url = LedgerUrl::of(Path::new(address)).unwrap().unwrap();
            for host in url.hosts() {
                assert_eq!(host.get_ssl_mode(), mode, "{address}");
            }
        }
    }

    #[test]
    fn each_host_has_settings_of_its_own() {
        let hosts = |address: &str| {
            let url = LedgerUrl::of(Path::new(address)).unwrap().unwrap();
            let of = |one: &Config| format!("{:?} {:?}", one.get_hosts(), one.get_ports());
            url.hosts().iter().map(of).collect::<Vec<_>>()
        };
        for (address, expected) in [
            ("postgres://db1,db2/kyc", &[r#"[Tcp("db1")] [5432]"#, r#"[Tcp("db2")] [5432]"#][..]),
            ("postgres://db1:1,db2:2/kyc", &[r#"[Tcp("db1")] [1]"#, r#"[Tcp("db2")] [2]"#]),
            ("postgres:///kyc?host=/run/postgresql", &[r#"[Unix("/run/postgresql")] []"#]),
        ] {
            assert_eq!(hosts(address), expected, "{address}");
        }
        let url = LedgerUrl::of(Path::new("postgres://me@db1,db2/kyc")).unwrap().unwrap();
        for host in url.hosts() {
            assert_eq!((host.get_user(), host.get_dbname()), (Some("me"), Some("kyc")));
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_being_repeated() {
        for (address, why) in [
            ("postgres://me:hunter2@db/kyc", "contains a password"),
            ("postgres://me@db/kyc?password=hunter2", "contains a password"),
            ("postgres://me@db/kyc?schema=hunter2-A", "small letters"),
            ("postgres://me@db/kyc?schema=", "small letters"),
            ("postgres://me@db:hunter2/kyc", "not the address of a ledger"),
            ("postgres://me@db", "has no database"),
            ("postgres:///kyc", "has no host"),
            ("postgres://db/kyc?sslmode=disable", "on this machine only"),
            ("postgres://db/kyc?sslmode=prefer", "verify-full or disable"),
            ("postgres://db/kyc?options=-c", "can have only the settings"),
            ("postgres://me:a?hunter2@db/kyc", "can have only the settings"),
            ("Postgres://me:hunter2@db/kyc", "begins with postgres://"),
            ("pg://me:hunter2@db/kyc", "begins with postgres://"),
        ] {
            let error = LedgerUrl::of(Path::new(address)).unwrap().unwrap_err();
            assert!(error.contains(why), "{address}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
