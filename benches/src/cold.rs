//! Joins of rows that are not in memory, beside reading the same blob from SQLite and sending it.
//!
//! Both servers are processes of their own; one client asks each for every row, one after the other.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use bytes::Bytes;
use corella_testkit::Installation;
use corella_wire::{Envelope, Frame, Magic, RoomName, encode};
use futures_util::{SinkExt as _, StreamExt as _};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{
    app::{self, row_id},
    figures::{median, rate},
};

const ROWS: usize = 1_000;
const ROUNDS: usize = 7;
const BODY_CHARACTERS: usize = 50_000;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) fn run() {
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
}

async fn measure() {
    let installation = Installation::new(&app::manifest());
    // Words that no compression shortens to nothing, another text for each row.
    app::fill(&installation.data(), ROWS, |row| {
        let mut body = String::new();
        let mut state = row as u64;
        while body.len() < BODY_CHARACTERS {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            body.push_str(&format!("{:x} ", state >> 40));
        }
        json!({ "title": "bench", "body": body })
    })
    .await;
    let token = installation.token("bench").await;

    let (mut corella, mut bare) = (Vec::new(), Vec::new());
    let mut bytes = (0, 0);
    for _ in 0..ROUNDS {
        // Each round meets a server that has nothing in memory.
        let server = installation.serve().await;
        let url = format!("ws://{}/ws?token={token}", server.address());
        let (rate, received) = joins(&url).await;
        corella.push(rate);
        bytes.0 = received;
        server.stop().await;

        let (mut child, address) = start_bare(&installation.database()).await;
        let (rate, received) = blobs(&format!("ws://{address}/")).await;
        bare.push(rate);
        bytes.1 = received;
        child.kill().await.unwrap();
    }
    let (corella, bare) = (median(corella), median(bare));
    println!(
        "cold joins per second, one after the other, {ROWS} rows with a text of {BODY_CHARACTERS} characters"
    );
    println!("| what | joins/s | bytes a join | time beside the bare one |");
    println!("|---|---|---|---|");
    println!("| read the blob from SQLite, send it | {bare:.0} | {} | 1.00 |", bytes.1 / ROWS);
    println!(
        "| corella serve, join of a cold row | {corella:.0} | {} | {:.2} |",
        bytes.0 / ROWS,
        bare / corella
    );
}

/// Joins every row with an empty version, and waits for its bytes.
async fn joins(url: &str) -> (f64, usize) {
    let (mut socket, _) = connect_async(url).await.unwrap();
    let started = Instant::now();
    let mut bytes = 0;
    for row in 0..ROWS {
        let frame = Frame::JoinRequest { auth: Bytes::new(), version: Bytes::from_static(&[0]) };
        let room = RoomName::new(&format!("Note/{}", row_id(row))).unwrap();
        let request = encode(&Envelope { magic: Magic::Document, room, frame });
        socket.send(Message::Binary(request)).await.unwrap();
        // The answer to the join, then the document: one frame each at this size.
        next_binary(&mut socket).await;
        bytes += next_binary(&mut socket).await;
    }
    (rate(ROWS, started), bytes)
}

async fn blobs(url: &str) -> (f64, usize) {
    let (mut socket, _) = connect_async(url).await.unwrap();
    let started = Instant::now();
    let mut bytes = 0;
    for row in 0..ROWS {
        socket.send(Message::Binary(Bytes::from(row_id(row)))).await.unwrap();
        bytes += next_binary(&mut socket).await;
    }
    (rate(ROWS, started), bytes)
}

async fn next_binary(socket: &mut Socket) -> usize {
    loop {
        if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
            return bytes.len();
        }
    }
}

async fn start_bare(database: &Path) -> (tokio::process::Child, SocketAddr) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--serve-blobs").arg(database).stdout(Stdio::piped());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next_line().await.unwrap().unwrap().parse().unwrap();
    (child, address)
}

/// The bare server: answers each row's id with what is stored of the row.
pub(crate) fn serve_blobs(database: &Path) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            let Message::Binary(id) = message else { continue };
            let blob = stored(&connection, std::str::from_utf8(&id).unwrap());
            socket.send(Message::Binary(Bytes::from(blob))).await.unwrap();
        }
    });
}

fn stored(connection: &Connection, id: &str) -> Vec<u8> {
    connection
        .prepare_cached(
            "SELECT coalesce((SELECT snapshot FROM corella_snapshots WHERE tenant = '' AND entity = 'Note' AND \
             row_id = ?1), (SELECT delta FROM corella_tail WHERE tenant = '' AND entity = 'Note' AND row_id = ?1))",
        )
        .unwrap()
        .query_row([id], |row| row.get(0))
        .unwrap()
}
