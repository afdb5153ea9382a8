//! The servers that are put under load: each as a stranger would start it, with what it keeps in a folder of its own.

use std::{path::Path, process::Stdio};

use corella_testkit::{Installation, Server as Corella};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::speech::Language;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Hands frames on unread: what nobody can be faster than.
    Relay,
    /// `corella serve` as it comes.
    Corella,
    /// Hocuspocus with its SQLite extension.
    Hocuspocus,
    /// `@y/websocket-server`.
    YWebsocket,
    /// The SimpleServer of `loro-websocket`.
    SimpleServer,
}

impl Kind {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Relay => "bare relay",
            Self::Corella => "Corella",
            Self::Hocuspocus => "Hocuspocus + SQLite",
            Self::YWebsocket => "@y/websocket-server",
            Self::SimpleServer => "loro-websocket SimpleServer",
        }
    }

    /// What is stored when the others hear of an edit.
    pub(crate) fn promise(self) -> &'static str {
        match self {
            Self::Relay | Self::YWebsocket => "nothing is stored",
            Self::Corella => "every edit is on disk before it is acknowledged or seen",
            Self::Hocuspocus => "stored 2 to 10 s later",
            Self::SimpleServer => "stored once a minute",
        }
    }

    pub(crate) fn language(self) -> Language {
        match self {
            Self::Relay => Language::Relay,
            Self::Corella | Self::SimpleServer => Language::Loro,
            Self::Hocuspocus => Language::Hocuspocus,
            Self::YWebsocket => Language::Yjs,
        }
    }

    /// What the document of that number is called.
    pub(crate) fn document(self, number: usize) -> String {
        match self {
            Self::Corella => format!("Note/d{number}"),
            Self::Relay | Self::Hocuspocus | Self::YWebsocket | Self::SimpleServer => format!("d{number}"),
        }
    }

    fn script(self) -> Option<&'static str> {
        match self {
            Self::Relay | Self::Corella => None,
            Self::Hocuspocus => Some("hocuspocus.js"),
            Self::YWebsocket => Some("y-websocket.js"),
            Self::SimpleServer => Some("simple-server.js"),
        }
    }
}

/// Where a server keeps what it keeps.
pub(crate) enum Home {
    Corella(Installation),
    Folder(TempDir),
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) kind: Kind,
    process: Process,
    /// Without a path.
    address: String,
    token: Option<String>,
}

enum Process {
    Corella(Corella),
    Other(Child),
}

impl Home {
    pub(crate) fn new(kind: Kind) -> Self {
        const MANIFEST: &str = r#"{ "manifest_version": 1, "name": "load", "version": "1",
          "entities": [{ "name": "Note", "fields": [{ "name": "body", "type": "richtext", "optional": true }] }],
          "policies": [{ "name": "whoever is signed in", "entity": "Note", "allow": "auth.userId != null" }] }"#;
        match kind {
            Kind::Corella => Self::Corella(Installation::new(MANIFEST)),
            Kind::Relay | Kind::Hocuspocus | Kind::YWebsocket | Kind::SimpleServer => {
                Self::Folder(TempDir::new().expect("a temporary folder can be made"))
            }
        }
    }

    /// Starts the server on what is there.
    pub(crate) async fn start(&self, kind: Kind) -> Running {
        match self {
            Self::Corella(installation) => {
                // All come from one address with one token, which no app's users do.
                let more = [
                    "--sockets-per-user",
                    "100000",
                    "--connections-per-address",
                    "100000",
                    "--requests-per-second",
                    "0",
                ];
                let server = installation.start("serve", &more).await;
                let token = installation.token("load").await;
                let address = format!("ws://{}", server.address());
                Running { kind, process: Process::Corella(server), address, token: Some(token) }
            }
            Self::Folder(folder) => {
                let mut command = match kind.script() {
                    Some(script) => {
                        let mut command = Command::new("node");
                        command
                            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script))
                            .arg(folder.path());
                        command
                    }
                    None => {
                        let mut command =
                            Command::new(std::env::current_exe().expect("this program has a path"));
                        command.arg("relay");
                        command
                    }
                };
                let mut child = command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn()
                    .expect("the server can be run; `cargo xtask bench peers` installs what it needs");
                let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
                let port = loop {
                    let line =
                        lines.next_line().await.expect("it prints text").expect("it says where it listens");
                    if let Some(port) = line.strip_prefix("listening on ") {
                        break port.to_owned();
                    }
                };
                // What it prints later is read, so that it is never held up.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                Running {
                    kind,
                    process: Process::Other(child),
                    address: format!("ws://127.0.0.1:{port}"),
                    token: None,
                }
            }
        }
    }
}

impl Running {
    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        match &self.process {
            Process::Corella(server) => server.id(),
            Process::Other(child) => child.id().expect("it runs"),
        }
    }

    /// Where a document is reached.
    pub(crate) fn url(&self, document: &str) -> String {
        match &self.token {
            Some(token) => format!("{}/ws?token={token}", self.address),
            None => format!("{}{}", self.address, self.kind.language().path(document)),
        }
    }

    /// Kills it as a power cut would.
    pub(crate) async fn kill(self) {
        match self.process {
            Process::Corella(server) => drop(server.kill().await),
            Process::Other(mut child) => child.kill().await.expect("a child can be killed"),
        }
    }
}
