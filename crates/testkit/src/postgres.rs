//! A PostgreSQL server of the tests' own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tempfile::TempDir;

/// What Debian calls the user that PostgreSQL runs as; it refuses to run as root.
const USER: &str = "postgres";
/// What the server says once it takes connections.
const READY: &str = "database system is ready to accept connections";
/// Runs the server until a word comes on the standard input, and stops it as the word says. When the input ends without
/// a word, the test is gone, however it ended; then the server goes too, with its folder.
const SUPERVISE: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses=127.0.0.1 -p "$3" -c fsync="$4" </dev/null &
server=$!
if read -r signal; then
    kill -s "$signal" "$server"
    wait "$server"
else
    kill -s QUIT "$server"
    wait "$server"
    rm -rf "$2"
fi
"#;

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// In good order: connections are ended, what was committed is written out.
    Fast,
    /// As a crash would: nothing is written out, and the next start recovers.
    Immediate,
}

/// A running PostgreSQL server on a free loopback port, in a temporary folder.
///
/// It ends with this value, and also when the process of the test is killed.
pub struct StartedPostgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    durable: bool,
    /// The supervisor while the server runs. A plain mutex, held while the server is started or stopped.
    running: Mutex<Option<Running>>,
    databases: AtomicUsize,
}

struct Running {
    supervisor: Child,
    words: ChildStdin,
}

impl StartedPostgres {
    /// The one server that the tests of this process share.
    ///
    /// # Panics
    /// As [`StartedPostgres::start`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<StartedPostgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false))
    }

    /// Starts a server; `durable` says whether it waits for the disk, as a real one does.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
    #[must_use]
    pub fn start(durable: bool) -> Self {
        let programs = programs();
        let folder = TempDir::new().expect("a temporary folder can be made");
        if is_root() {
            let (user, group) = (id_of("-u"), id_of("-g"));
            chown(folder.path(), Some(user), Some(group)).expect("root can give a folder away");
        }
        let output = as_user(&programs.join("initdb"))
            .args([
                "--username",
                USER,
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .output()
            .expect("initdb can be run");
        assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        let running = Mutex::default();
        let server =
            Self { programs, folder, port: free_port(), durable, running, databases: AtomicUsize::new(0) };
        server.resume();
        server
    }

    /// Starts the server again on the same port.
    ///
    /// # Panics
    /// When it runs already, or does not start.
    pub fn resume(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(running.is_none(), "the server runs already");
        let mut supervisor = as_user(Path::new("/bin/sh"))
            .args(["-c", SUPERVISE, "supervise"])
            .arg(&self.programs)
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .arg(if self.durable { "on" } else { "off" })
            .current_dir(self.folder.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell can be run");
        let words = supervisor.stdin.take().expect("it is piped");
        let mut log = BufReader::new(supervisor.stderr.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains(READY) {
            let read = log.read_line(&mut said).expect("the server's log is text");
            assert!(read > 0, "PostgreSQL did not start:\n{said}");
        }
        // The pipe is kept empty, so that the server never waits for it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        *running = Some(Running { supervisor, words });
    }

    /// Stops the server, and waits until it has.
    ///
    /// # Panics
    /// When it does not run.
    pub fn stop(&self, how: Stop) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Running { mut supervisor, mut words } = running.take().expect("the server runs");
        let signal = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        writeln!(words, "{signal}").expect("the supervisor listens");
        supervisor.wait().expect("a child can be waited for");
    }

    /// Makes an empty database; what comes back is its name.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(USER, &format!("CREATE DATABASE {name}"));
        name
    }

    /// The address of a database, as `--database` takes it.
    #[must_use]
    pub fn address(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// A session of a stranger, which keeps its locks until it is told otherwise.
    ///
    /// # Panics
    /// When psql cannot be run.
    #[must_use]
    pub fn session(&self, database: &str) -> Session {
        let mut psql = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
            .args(["--dbname", &self.address(database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql can be run");
        let output = BufReader::new(psql.stdout.take().expect("it is piped"));
        Session { psql, output }
    }

    /// Runs SQL as an administrator would; what comes back are the rows, one a line, their columns between bars.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).unwrap_or_else(|error| unreachable!("{sql}\n{error}"))
    }

    /// Runs SQL as [`StartedPostgres::sql`] does.
    ///
    /// # Errors
    /// What PostgreSQL says when it refuses.
    ///
    /// # Panics
    /// When psql cannot be run.
    pub fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let Output { status, stdout, stderr } = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
            .args(["--dbname", &self.address(database), "--command", sql])
            .stdin(Stdio::null())
            .output()
            .expect("psql can be run");
        if !status.success() {
            return Err(String::from_utf8_lossy(&stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
    }
}

/// A session of `psql`; it ends with this value.
pub struct Session {
    psql: Child,
    output: BufReader<ChildStdout>,
}

impl Session {
    /// Runs SQL and waits until it has been done.
    ///
    /// # Panics
    /// When PostgreSQL refuses.
    pub fn say(&mut self, sql: &str) {
        const DONE: &str = "it has been done";
        let input = self.psql.stdin.as_mut().expect("it is piped");
        writeln!(input, "{sql}\n\\echo {DONE}").expect("psql listens");
        let mut line = String::new();
        while line.trim() != DONE {
            line.clear();
            let read = self.output.read_line(&mut line).expect("psql prints text");
            assert!(read > 0, "psql has ended at {sql}");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.psql.kill().ok();
        self.psql.wait().ok();
    }
}

impl Drop for StartedPostgres {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Running { mut supervisor, mut words }) = running.take() {
            // A supervisor that is gone has taken the server with it.
            writeln!(words, "QUIT").ok();
            supervisor.wait().ok();
        }
    }
}

/// The folder of the newest server programs.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = debian
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let programs = version.path().join("bin");
            programs.join("initdb").is_file().then_some((number, programs))
        })
        .max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| {
            ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file())
        })
    };
    let Some(programs) = newest.map(|(_, programs)| programs).or_else(on_path) else {
        unreachable!(
            "the server programs of PostgreSQL are not installed: run `cargo xtask test`, which installs what is \
             missing, or `apt-get install postgresql`"
        )
    };
    programs
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A command as the user that PostgreSQL runs as.
fn as_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", USER, "--"]).arg(program);
    command
}

fn id_of(which: &str) -> u32 {
    let output = Command::new("id").args([which, USER]).output().expect("id can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| unreachable!("there is no user {USER}, which Debian's package makes"))
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback ports can be taken");
    listener.local_addr().expect("a listener has an address").port()
}
