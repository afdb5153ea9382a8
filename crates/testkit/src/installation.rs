//! A data folder and a manifest, and the commands that are run on them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Server, StartedPostgres, binary, within};

/// The secret of installations whose rows are in PostgreSQL: there is no data folder to keep one in.
const SECRET: &str = "a secret for tests, which is long enough";

/// Which database the rows are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// SQLite, in the data folder.
    Sqlite,
    /// A database of its own on the tests' PostgreSQL server.
    Postgres,
}

/// A data folder and a manifest in a folder of their own, which is removed in the end.
///
/// A server that is started on it keeps its rows from one start to the next.
pub struct Installation {
    folder: TempDir,
    /// The PostgreSQL database's address, if the rows are there.
    address: Option<String>,
}

/// A command that has ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed as an error.
    pub stderr: String,
}

impl Installation {
    /// A fresh one.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    #[must_use]
    pub fn new(manifest: &str) -> Self {
        Self::on(Database::Sqlite, manifest)
    }

    /// A fresh one with its rows in that database.
    ///
    /// # Panics
    /// When no temporary folder can be made, or PostgreSQL does not start.
    #[must_use]
    pub fn on(database: Database, manifest: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let address = match database {
            Database::Sqlite => None,
            Database::Postgres => {
                let server = StartedPostgres::shared();
                Some(server.address(&server.database()))
            }
        };
        let installation = Self { folder, address };
        installation.write_manifest(manifest);
        installation
    }

    /// The folder that everything lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The database's file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data().join("corella.db")
    }

    /// The manifest's file.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.folder().join("manifest.json")
    }

    /// Puts another manifest in the place of the one that is there, whole at every moment.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_manifest(&self, manifest: &str) {
        let draft = self.folder().join("manifest.new");
        fs::write(&draft, manifest).expect("the manifest can be written");
        fs::rename(draft, self.manifest()).expect("the manifest can be replaced");
    }

    /// A command of the binary, without the environment's settings.
    pub fn command<I: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env_remove("CORELLA_JWT_SECRET")
            .env_remove("CORELLA_LOG")
            .env_remove("CORELLA_DATA")
            .env_remove("CORELLA_DATABASE")
            .env("COLUMNS", "100")
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if self.address.is_some() {
            command.env("CORELLA_JWT_SECRET", SECRET);
        }
        command
    }

    /// Runs a command on this data folder and manifest to its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run(&self, arguments: &[&str]) -> Finished {
        self.run_with(arguments, &[]).await
    }

    /// Runs a command as [`Installation::run`] does, with more settings in its environment.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
        let mut command = self.placed(arguments);
        finish(command.envs(environment.iter().copied())).await
    }

    /// Runs a command as [`Installation::run`] does, with this text as its input.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run_piped(&self, arguments: &[&str], input: &str) -> Finished {
        let file = self.folder().join("input");
        fs::write(&file, input).expect("the input can be written");
        let mut command = self.placed(arguments);
        command.stdin(fs::File::open(&file).expect("the input can be read"));
        finish(&mut command).await
    }

    /// A command on this data folder and manifest.
    fn placed(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("CORELLA_MANIFEST", self.manifest());
        match &self.address {
            None => command.env("CORELLA_DATA", self.data()),
            Some(address) => command.env("CORELLA_DATABASE", address),
        };
        command
    }

    /// Starts `corella serve` by another program, such as a tracer, which has to become the server; with more settings
    /// in its environment.
    pub async fn serve_by(&self, program: &[&str], environment: &[(&str, &str)]) -> Server {
        let serve = self.command(["serve", "--listen", "127.0.0.1:0"]);
        let mut command = match program {
            [] => serve,
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(serve.as_std().get_program()).args(serve.as_std().get_args());
                command.current_dir(self.folder()).stdin(Stdio::null()).kill_on_drop(true);
                command
            }
        };
        command.env("CORELLA_MANIFEST", self.manifest()).env("CORELLA_DATA", self.data());
        command.envs(environment.iter().copied());
        Server::start(command).await
    }

    /// Starts `corella serve`.
    pub async fn serve(&self) -> Server {
        self.start("serve", &[]).await
    }

    /// Starts `corella serve` or `corella dev` with more arguments.
    ///
    /// # Panics
    /// When it does not come to listen.
    pub async fn start(&self, subcommand: &str, more: &[&str]) -> Server {
        self.start_with(subcommand, more, &[]).await
    }

    /// The same, with more settings in its environment.
    ///
    /// # Panics
    /// When it does not come to listen.
    pub async fn start_with(&self, subcommand: &str, more: &[&str], environment: &[(&str, &str)]) -> Server {
        let mut command = self.command([subcommand, "--listen", "127.0.0.1:0"]);
        command.arg("--manifest").arg(self.manifest());
        match &self.address {
            None => command.arg("--data").arg(self.data()),
            Some(address) => command.args(["--database", address]),
        };
        command.args(more).envs(environment.iter().copied());
        Server::start(command).await
    }

    /// Runs `corella check`.
    pub async fn check(&self) -> Finished {
        self.run(&["check"]).await
    }

    /// Runs `corella check` until no table is being filled any more; it has to find nothing. Says how many documents it
    /// looked at.
    ///
    /// # Panics
    /// When it finds something.
    pub async fn check_clean(&self) -> u64 {
        let Finished { code, stdout, stderr } = loop {
            let finished = self.check().await;
            if !finished.stdout.contains("being filled") {
                break finished;
            }
        };
        assert_eq!(code, Some(0), "check found:\n{stdout}{stderr}");
        stdout
            .lines()
            .last()
            .and_then(|line| line.split(' ').next()?.parse().ok())
            .expect("check says how many it looked at")
    }

    /// A user's token, as `corella token` makes it.
    ///
    /// # Panics
    /// When it makes none.
    pub async fn token(&self, user: &str) -> String {
        let Finished { code, stdout, stderr } = self.run(&["token", "--user", user]).await;
        assert_eq!(code, Some(0), "no token: {stderr}");
        stdout.trim().to_owned()
    }

    /// A token with any claims, signed with the secret in the data folder.
    ///
    /// # Panics
    /// When there is no secret yet.
    #[must_use]
    pub fn token_of(&self, claims: &Json) -> String {
        let secret = match &self.address {
            None => fs::read(self.data().join("jwt.secret")).expect("the data folder has a secret"),
            Some(_) => SECRET.into(),
        };
        signed_with(&secret, claims)
    }

    /// A token that was good until an hour ago.
    #[must_use]
    pub fn expired_token(&self, user: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        self.token_of(&json!({ "sub": user, "exp": now - 3_600 }))
    }
}

/// A token with these claims, signed with a secret (HS256).
///
/// # Panics
/// When it cannot be signed.
#[must_use]
pub fn signed_with(secret: &[u8], claims: &Json) -> String {
    let key = EncodingKey::from_secret(secret);
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("claims can be signed")
}

/// Runs a command to its end.
pub(crate) async fn finish(command: &mut Command) -> Finished {
    let output = within("the end of the command", command.output()).await;
    let Output { status, stdout, stderr } = output.expect("the binary can be run");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Finished { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}
