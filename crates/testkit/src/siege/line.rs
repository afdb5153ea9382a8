//! A connection of somebody who does not mind its end.

use std::net::SocketAddr;

use bytes::Bytes;
use corella_wire::{Envelope, Frame, Magic, RoomName, encode};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
use tokio_util::task::AbortOnDropHandle;

/// How much the operating system may hold of what is not read, in bytes.
const RECEIVE_BUFFER: u32 = 16 * 1024;

/// The connection is over.
#[derive(Debug)]
pub(super) struct Over;

pub(super) type Sent = Result<(), Over>;

/// Whether what comes back is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    All,
    Nothing,
}

/// A WebSocket on which anything is sent, and whatever comes back is forgotten.
pub(super) struct Line {
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    /// Reads everything, until the end.
    reader: Option<AbortOnDropHandle<()>>,
    /// What is not read.
    _unread: Option<SplitStream<WebSocketStream<TcpStream>>>,
}

impl Line {
    /// Connects; nothing where the server does not let it in.
    pub(super) async fn open(address: SocketAddr, token: &str, reads: Reads) -> Option<Self> {
        let stream = connect(address).await?;
        let request = format!("ws://{address}/ws?token={token}");
        let (socket, _) = client_async(request, stream).await.ok()?;
        let (sink, mut stream) = socket.split();
        if reads == Reads::Nothing {
            return Some(Self { sink, reader: None, _unread: Some(stream) });
        }
        let reading = async move { while let Some(Ok(_)) = stream.next().await {} };
        Some(Self { sink, reader: Some(AbortOnDropHandle::new(tokio::spawn(reading))), _unread: None })
    }

    pub(super) async fn send(&mut self, frame: impl Into<Bytes>) -> Sent {
        self.put(Message::Binary(frame.into())).await
    }

    pub(super) async fn send_text(&mut self, text: &str) -> Sent {
        self.put(Message::text(text)).await
    }

    async fn put(&mut self, message: Message) -> Sent {
        if self.reader.as_ref().is_some_and(AbortOnDropHandle::is_finished) {
            return Err(Over);
        }
        self.sink.send(message).await.map_err(|_| Over)
    }

    /// Asks to join a room, whatever becomes of that.
    pub(super) async fn join(&mut self, magic: Magic, room: &str) -> Sent {
        let room = RoomName::new(room).expect("a room name");
        let frame = Frame::JoinRequest { auth: Bytes::new(), version: Bytes::from_static(&[0]) };
        self.send(encode(&Envelope { magic, room, frame })).await
    }
}

/// Connects; nothing where nobody listens.
pub(super) async fn connect(address: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER).ok()?;
    socket.connect(address).await.ok()
}

/// Opens a WebSocket by hand, and says these bytes on it.
pub(super) async fn say(address: SocketAddr, token: &str, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = connect(address).await?;
    stream.write_all(handshake(address, Some(token), None).as_bytes()).await.ok()?;
    let mut answer = [0; 512];
    let length = stream.read(&mut answer).await.ok()?;
    if !answer[..length].starts_with(b"HTTP/1.1 101") {
        return None;
    }
    stream.write_all(bytes).await.ok()?;
    Some(stream)
}

/// The request that opens a socket, as it goes over the wire.
#[must_use]
pub fn handshake(address: SocketAddr, token: Option<&str>, origin: Option<&str>) -> String {
    let query = token.map(|token| format!("?token={token}")).unwrap_or_default();
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    format!(
        "GET /ws{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{origin}\r\n"
    )
}
