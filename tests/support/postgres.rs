//! A PostgreSQL server for tests: its own cluster in a temporary folder, on a free port of loopback.
//!
//! Must hold: the server ends with the test process, however that ends, and its folder is removed.
//! Where no server is installed, the tests say so and pass, unless `CEKNIK_TEST_PG=required`.

#![allow(clippy::expect_used, reason = "a harness: a failure here fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Makes the cluster, runs the server, and waits for the end of its input: the test process holds
/// the other end. Arguments: folder of the programs, folder for the cluster, port, certificate and
/// key for TLS.
const SCRIPT: &str = r#"
set -e
data=$(mktemp -d "$2/ceknik-pg.XXXXXX")
trap 'rm -rf "$data"' EXIT
trap '' INT TERM HUP
"$1/initdb" -D "$data/db" -U ceknik -A trust -E UTF8 --locale=C >"$data/initdb.log" 2>&1
cat >"$data/db/pg_hba.conf" <<END
host all with_password 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
local all all trust
END
printf '%s' "$4" >"$data/cert"
printf '%s' "$5" >"$data/key"
chmod 600 "$data/key"
# Arguments: folder of the programs, folder of the cluster, port.
start() {
    "$1/postgres" -D "$2" -p "$3" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories="$data" -c max_connections=200 -c shared_buffers=64MB \
        -c max_wal_size=256MB -c dynamic_shared_memory_type=mmap \
        -c ssl=on -c ssl_cert_file="$data/cert" -c ssl_key_file="$data/key" \
        -c log_statement=all >>"$data/log" 2>&1 &
    started=$!
}
start "$1" "$data/db" "$3"
server=$started
standby=
echo "$data"
while read -r order number; do
    case $order in
        crash)
            kill -9 "$server"
            wait "$server" 2>/dev/null || true
            # As long as a process of the killed server lives, a new one ends at once.
            until start "$1" "$data/db" "$3"; sleep 0.2; kill -0 "$started" 2>/dev/null; do :; done
            server=$started
            ;;
        standby)
            "$1/pg_basebackup" -D "$data/standby" -h 127.0.0.1 -p "$3" -U ceknik -R -X stream \
                -c fast >>"$data/log" 2>&1
            start "$1" "$data/standby" "$number"
            standby=$started
            ;;
        freeze)
            kill -STOP "$number"
            ;;
        die)
            # A machine that dies takes all processes of the server with it.
            all=$(grep -l "^PPid:[[:space:]]*$server\$" /proc/[0-9]*/status 2>/dev/null | cut -d/ -f3)
            kill -9 "$server" $all 2>/dev/null || true
            wait "$server" 2>/dev/null || true
            ;;
    esac
done
kill -QUIT "$server" $standby 2>/dev/null || true
wait || true
"#;

/// Certificate of the server, of the tests' own authority, and its key.
const CERTIFICATE: &str = include_str!("../protocol/certs/server.pem");
const KEY: &str = include_str!("../protocol/certs/server.key.pem");

/// A running server.
pub(crate) struct TestServer {
    port: u16,
    watchdog: Mutex<Child>,
    /// Folder of the cluster and of the server's log.
    pub(crate) folder: PathBuf,
}

/// Returns the server of this process, which the first call starts; `None` if none is installed.
///
/// # Panics
/// If there is none although `CEKNIK_TEST_PG=required`, or it does not start.
pub(crate) fn server() -> Option<&'static TestServer> {
    static SERVER: OnceLock<Option<TestServer>> = OnceLock::new();
    SERVER.get_or_init(TestServer::start).as_ref()
}

/// Returns the address of a ledger of its own on the server; `None` if there is no server.
pub(crate) fn address() -> Option<String> {
    static SCHEMAS: AtomicU32 = AtomicU32::new(0);
    let n = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    server().map(|server| server.address_of("ceknik", &format!("t{n}")))
}

impl TestServer {
    /// Starts a server of its own; `None` if none is installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = find_programs() else {
            let needed = std::env::var("CEKNIK_TEST_PG").is_ok_and(|value| value == "required");
            assert!(!needed, "CEKNIK_TEST_PG=required, and no PostgreSQL server is installed");
            // Not `eprintln`, whose text is hidden for a test that passes.
            let _ = std::io::stderr().write_all(
                b"NOT TESTED: no PostgreSQL server is installed (Debian: postgresql), so that shared ledgers are not tested\n",
            );
            return None;
        };
        let port = free_port();
        let in_memory = Path::new("/dev/shm");
        let folder = if has_room(in_memory) { in_memory.to_owned() } else { std::env::temp_dir() };
        let mut shell = as_a_user("sh");
        shell.args(["-c", SCRIPT, "sh"]).arg(&programs).arg(folder).arg(port.to_string());
        shell.arg(CERTIFICATE).arg(KEY);
        shell.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut watchdog = shell.spawn().expect("a shell can be run");
        let mut ready = String::new();
        let told =
            BufReader::new(watchdog.stdout.take().expect("it is piped")).read_line(&mut ready);
        assert!(told.is_ok() && !ready.is_empty(), "the PostgreSQL server does not start");
        let folder = PathBuf::from(ready.trim_end());
        let server = Self { port, watchdog: Mutex::new(watchdog), folder };
        server.wait_until_ready();
        Some(server)
    }

    /// Returns the address of a ledger for this user and schema.
    pub(crate) fn address_of(&self, user: &str, schema: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres?schema={schema}", self.port)
    }

    /// Returns the port of the server.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Executes statements as the owner of the database, and returns the rows as text.
    pub(crate) fn execute(&self, schema: &str, sql: &str) -> String {
        let sql = format!("SET search_path = {schema}; {sql}");
        let messages = self.try_execute(&sql).expect("the statements are right");
        let mut text = String::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let cells = (0..row.len()).map(|cell| row.get(cell).unwrap_or(""));
                text += &(cells.collect::<Vec<_>>().join("|") + "\n");
            }
        }
        text
    }

    /// Executes one statement that may not be in a transaction.
    pub(crate) fn execute_alone(&self, sql: &str) {
        self.try_execute(sql).expect("the statement is right");
    }

    fn try_execute(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        execute_at(self.port, sql)
    }

    fn wait_until_ready(&self) {
        self.wait_until("the PostgreSQL server does not start", || {
            self.try_execute("SELECT 1").is_ok()
        });
    }

    fn wait_until(&self, otherwise: &str, is_so: impl Fn() -> bool) {
        let is_so = (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            is_so()
        });
        assert!(is_so, "{otherwise}; the log is in {}", self.folder.display());
    }

    /// Kills the server with SIGKILL, and starts it again.
    pub(crate) fn crash(&self) {
        self.order("crash");
    }

    /// Kills the server and all of its processes for good.
    pub(crate) fn die(&self) {
        self.order("die");
        self.wait_until("the server lives", || self.try_execute("SELECT 1").is_err());
    }

    fn order(&self, order: &str) {
        let mut watchdog = self.watchdog.lock().expect("nobody panics with the lock");
        let input = watchdog.stdin.as_mut().expect("the script reads its input");
        input.write_all(format!("{order}\n").as_bytes()).expect("the script reads its input");
    }

    /// Makes a standby of the server, which follows it from now on. With `is_synchronous`, no commit
    /// is confirmed before the standby has it.
    pub(crate) fn add_standby(&self, is_synchronous: bool) -> Standby {
        let port = free_port();
        self.order(&format!("standby {port}"));
        self.wait_until_standby_is("async");
        if is_synchronous {
            // Not before the standby has its copy of the settings: it has no standby itself.
            self.execute_alone("ALTER SYSTEM SET synchronous_standby_names = '*'");
            self.execute_alone("SELECT pg_reload_conf()");
            self.wait_until_standby_is("sync");
        }
        Standby { port }
    }

    fn wait_until_standby_is(&self, state: &str) {
        let follows = format!(
            "SELECT 1 / count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{state}'"
        );
        self.wait_until("no standby follows", || self.try_execute(&follows).is_ok());
    }

    /// Freezes the process that sends the standby what was committed.
    pub(crate) fn freeze_replication(&self) {
        let pid = self.execute("public", "SELECT pid FROM pg_stat_replication");
        self.order(&format!("freeze {}", pid.trim()));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A standby of a server.
pub(crate) struct Standby {
    port: u16,
}

impl Standby {
    /// Makes the standby the server that can be written to.
    pub(crate) fn promote(&self) {
        execute_at(self.port, "SELECT pg_promote()").expect("the standby is there");
    }

    /// Returns the address of a ledger that is on the server, or on the standby if that was
    /// promoted.
    pub(crate) fn address_with(&self, server: &TestServer, schema: &str) -> String {
        let both = format!("127.0.0.1:{},127.0.0.1:{}", server.port, self.port);
        format!("postgres://ceknik@{both}/postgres?schema={schema}")
    }
}

fn execute_at(port: u16, sql: &str) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        let address = format!("host=127.0.0.1 port={port} user=ceknik dbname=postgres");
        let (client, connection) = tokio_postgres::connect(&address, NoTls).await?;
        tokio::spawn(connection);
        client.simple_query(sql).await
    })
}

fn free_port() -> u16 {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    port.expect("loopback has a free port").port()
}

/// Checks whether a folder has room for a cluster: a container may have a tiny one in memory.
fn has_room(folder: &Path) -> bool {
    let free = Command::new("df").args(["-k", "--output=avail"]).arg(folder).output();
    let free = free.map(|free| String::from_utf8_lossy(&free.stdout).into_owned());
    let last = free.ok().and_then(|free| free.lines().last()?.trim().parse::<u64>().ok());
    last.is_some_and(|kilobytes| kilobytes > 1 << 20)
}

/// Returns a command that runs as a user other than root, because the server refuses to run as
/// root.
fn as_a_user(program: &str) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id can be run");
    if id.stdout != b"0\n" {
        return Command::new(program);
    }
    // Debian's package makes this user; a server from elsewhere comes without one.
    let is_there = Command::new("id").args(["-u", "postgres"]).output();
    let is_there = is_there.is_ok_and(|id| id.status.success());
    let mut command = Command::new("runuser");
    command.args(["-u", if is_there { "postgres" } else { "nobody" }, "--", program]);
    command
}

/// Finds the folder of the server's programs.
fn find_programs() -> Option<PathBuf> {
    let named = std::env::var_os("CEKNIK_TEST_PG_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    installed.sort();
    let folders = named.into_iter().chain(std::env::split_paths(&path)).chain(installed);
    // Some programs may be there as links alone.
    let programs = ["initdb", "postgres", "pg_basebackup"];
    let has_all = |folder: &PathBuf| programs.iter().all(|name| folder.join(name).exists());
    folders.collect::<Vec<_>>().into_iter().find(has_all)
}
