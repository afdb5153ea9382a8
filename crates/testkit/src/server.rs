//! A running `corella serve` or `corella dev`.

use std::{
    fs,
    net::SocketAddr,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};

use crate::{Http, Peer, PeerOptions, within};

/// A server in a process of its own; dropping it kills the process.
pub struct Server {
    child: Child,
    address: SocketAddr,
    stdout: watch::Receiver<String>,
    stderr: watch::Receiver<String>,
}

/// A server that has ended.
#[derive(Debug)]
pub struct Stopped {
    /// How.
    pub status: ExitStatus,
    /// All that it printed.
    pub stdout: String,
    /// All that it logged.
    pub stderr: String,
}

const LISTENING: &str = "listening on http://";

impl Server {
    pub(crate) async fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary can be run");
        let mut stdout = collect(child.stdout.take().expect("it is piped"));
        let stderr = collect(child.stderr.take().expect("it is piped"));
        let heard = within("the server's address", stdout.wait_for(|text| address(text).is_some())).await;
        let Some(address) = heard.ok().and_then(|text| address(&text)) else {
            unreachable!("the server did not start: {}", &*stderr.borrow());
        };
        Self { child, address, stdout, stderr }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Talks to it over HTTP, with this token.
    #[must_use]
    pub fn http(&self, token: &str) -> Http {
        Http::new(self.address, Some(token))
    }

    /// Talks to it over HTTP without a token.
    #[must_use]
    pub fn stranger(&self) -> Http {
        Http::new(self.address, None)
    }

    /// Connects to its socket with this token.
    pub async fn peer(&self, token: &str) -> Peer {
        Peer::connect(self.address, Some(token), PeerOptions::default()).await
    }

    /// What it has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        self.stdout.borrow().clone()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn logged(&self) -> String {
        self.stderr.borrow().clone()
    }

    /// Waits until it has printed `text`, to either output.
    ///
    /// # Panics
    /// When that does not come.
    pub async fn until_printed(&mut self, text: &str) {
        let (mut stdout, mut stderr) = (self.stdout.clone(), self.stderr.clone());
        let found = |heard: &String| heard.contains(text);
        let heard = async {
            tokio::select! {
                heard = stdout.wait_for(found) => drop(heard.expect("the server lives")),
                heard = stderr.wait_for(found) => drop(heard.expect("the server lives")),
            }
        };
        within(&format!("the text {text:?}"), heard).await;
    }

    /// How much of its memory is resident, in bytes.
    ///
    /// # Panics
    /// Where there is no `/proc`.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("/proc names VmRSS");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("VmRSS is a number of kB");
        kilobytes * 1024
    }

    /// Kills it as a power cut would: SIGKILL, no farewell.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Stopped {
        self.child.start_kill().expect("a child can be killed");
        self.ended().await
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    ///
    /// # Panics
    /// When it does not stop.
    pub async fn stop(self) -> Stopped {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// As [`Server::stop`], with the signal of Ctrl-C.
    pub async fn interrupt(self) -> Stopped {
        self.signal(Signal::INT);
        self.ended().await
    }

    /// Sends SIGTERM, and does not wait.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn ended(mut self) -> Stopped {
        let status = within("the server's end", self.child.wait()).await.expect("a child can be waited for");
        // The collectors end with the pipes, and drop their ends of the channels.
        while self.stdout.changed().await.is_ok() {}
        while self.stderr.changed().await.is_ok() {}
        Stopped { status, stdout: self.printed(), stderr: self.logged() }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("a child can be signalled");
    }

    /// The number of its process.
    ///
    /// # Panics
    /// When it has been waited for.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id().expect("the server has not been waited for")
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    let (_, after) = text.split_once(LISTENING)?;
    let (line, _) = after.split_once('\n')?;
    line.trim().parse().ok()
}

/// Reads everything as it comes.
fn collect(output: impl AsyncRead + Unpin + Send + 'static) -> watch::Receiver<String> {
    let (send, receive) = watch::channel(String::new());
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            send.send_modify(|text| {
                text.push_str(&line);
                text.push('\n');
            });
        }
    });
    receive
}
