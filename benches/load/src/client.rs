//! One connection to a server.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, Message, Utf8Bytes, http::Response, protocol::WebSocketConfig},
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

/// A server that lets nobody in now.
pub(crate) struct Refused {
    /// When it asked to be asked again.
    pub(crate) retry_after: Option<Duration>,
}

impl Refused {
    fn by(response: &Response<Option<Vec<u8>>>) -> Self {
        let seconds = || response.headers().get("retry-after")?.to_str().ok()?.parse().ok();
        Self { retry_after: seconds().map(Duration::from_secs) }
    }
}

/// Connects, and says nothing yet.
pub(crate) async fn connect(url: &str) -> Result<(Sender, Receiver), tungstenite::Error> {
    let (socket, _) = connect_async_with_config(url, Some(config()), true).await?;
    let (sender, receiver) = socket.split();
    Ok((Sender(sender), Receiver(receiver)))
}

/// Connects, and says what is said first; some servers take nothing more before they have answered.
pub(crate) async fn enter(url: &str, speech: &mut dyn Speech) -> (Sender, Receiver, Heard) {
    let connected = connect(url).await;
    let connection = connected.unwrap_or_else(|error| panic!("failed to connect to {url}: {error}"));
    introduce(connection, speech).await.expect("the server answers")
}

/// As [`enter`], for a server that may have too much to do.
pub(crate) async fn try_enter(
    url: &str,
    speech: &mut dyn Speech,
) -> Result<(Sender, Receiver, Heard), Refused> {
    const SILENTLY: Refused = Refused { retry_after: None };
    let connection = connect(url).await.map_err(|error| {
        if let tungstenite::Error::Http(response) = error { Refused::by(&response) } else { SILENTLY }
    })?;
    introduce(connection, speech).await.ok_or(SILENTLY)
}

async fn introduce(
    (mut sender, mut receiver): (Sender, Receiver),
    speech: &mut dyn Speech,
) -> Option<(Sender, Receiver, Heard)> {
    let hello = speech.hello();
    if hello.is_empty() {
        return Some((sender, receiver, Heard::default()));
    }
    sender.send(hello).await;
    let mut heard = speech.hear(receiver.next().await?);
    sender.send(std::mem::take(&mut heard.answer)).await;
    Some((sender, receiver, heard))
}

impl Sender {
    pub(crate) async fn send(&mut self, frames: Vec<Bytes>) {
        for frame in frames {
            self.0.send(Message::Binary(frame)).await.expect("the server takes frames");
        }
    }

    pub(crate) async fn say(&mut self, text: String) {
        self.0.send(Message::Text(text.into())).await.expect("the server takes frames");
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
    /// The next text frame; `None` when the server is gone.
    pub(crate) async fn next_text(&mut self) -> Option<Utf8Bytes> {
        loop {
            match self.0.next().await? {
                Ok(Message::Text(text)) => return Some(text),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}
