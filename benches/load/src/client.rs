//! One connection to a server.

use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::speech::{Heard, Speech};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What is sent.
pub(crate) struct Sender(SplitSink<Socket, Message>);

/// What is received.
pub(crate) struct Receiver(SplitStream<Socket>);

/// Small buffers: thousands of connections share this machine with the server.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4_096).write_buffer_size(0)
}

async fn connect(url: &str) -> (Sender, Receiver) {
    let connected = connect_async_with_config(url, Some(config()), true).await;
    let (socket, _) = connected.unwrap_or_else(|error| panic!("failed to connect to {url}: {error}"));
    let (sender, receiver) = socket.split();
    (Sender(sender), Receiver(receiver))
}

/// Connects, and says what is said first; some servers take nothing more before they have answered.
pub(crate) async fn enter(url: &str, speech: &mut dyn Speech) -> (Sender, Receiver, Heard) {
    let (mut sender, mut receiver) = connect(url).await;
    let hello = speech.hello();
    if hello.is_empty() {
        return (sender, receiver, Heard::default());
    }
    sender.send(hello).await;
    let mut heard = speech.hear(receiver.next().await.expect("the server answers"));
    sender.send(std::mem::take(&mut heard.answer)).await;
    (sender, receiver, heard)
}

impl Sender {
    pub(crate) async fn send(&mut self, frames: Vec<Bytes>) {
        for frame in frames {
            self.0.send(Message::Binary(frame)).await.expect("the server takes frames");
        }
    }
}

impl Receiver {
    /// The next binary frame; `None` when the server is gone.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.0.next().await? {
                Ok(Message::Binary(frame)) => return Some(frame),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}
