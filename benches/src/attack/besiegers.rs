//! Those who do harm, in a process of their own.

use std::{io::Read as _, net::SocketAddr, process::Stdio};

use corella_testkit::{Harm, Siege, Stage};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};

use super::{ROOMS, room};

/// A process that does harm until it is ended.
pub(super) struct Besiegers {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Besiegers {
    /// Starts them, and waits until they have begun.
    pub(super) async fn begin(stage: &Stage, harms: impl IntoIterator<Item = Harm>) -> Self {
        let mut arguments = vec![stage.address().to_string()];
        for (number, harm) in harms.into_iter().enumerate() {
            let token = stage.installation.token(&format!("mallory-{number}")).await;
            arguments.push(format!("{}={token}", harm as usize));
        }
        let mut child = Command::new("nice")
            .args(["-n", "19"])
            .arg(std::env::current_exe().unwrap())
            .arg("--besiege")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut String::new()).await.unwrap();
        Self { child, said }
    }

    /// Ends them; how many inputs they have sent.
    pub(super) async fn end(mut self) -> u64 {
        drop(self.child.stdin.take());
        let mut count = String::new();
        self.said.read_line(&mut count).await.unwrap();
        self.child.wait().await.unwrap();
        count.trim().parse().unwrap()
    }
}

/// Does harm, until the input ends: what the process does that [`Besiegers::begin`] starts.
pub(crate) fn besiege(arguments: &[String]) {
    let (address, harms) = arguments.split_first().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let harms = harms.iter().map(|harm| {
        let (number, token) = harm.split_once('=').unwrap();
        (Harm::ALL[number.parse::<usize>().unwrap()], token.to_owned())
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let rooms: Vec<String> = (0..ROOMS).map(room).collect();
        let siege = Siege::begin(address, &rooms, harms);
        println!("begun");
        let end = || std::io::stdin().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(end).await.unwrap().unwrap();
        println!("{}", siege.count());
    });
}
