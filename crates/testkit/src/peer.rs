//! A client on the socket, with documents of its own.

mod reader;
mod state;

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use corella_wire::{
    AckStatus, BatchId, Envelope, Frame, Magic, RoomErrorCode, RoomName, control::ServerMessage, encode,
    encode_update,
};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use loro::{ExportMode, LoroDoc, VersionVector, awareness::EphemeralStore};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{Mutex, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message, client::IntoClientRequest as _, http::HeaderValue, protocol::WebSocketConfig,
    },
};
use uuid::Uuid;

use self::state::{Content, Shared, State};
pub use self::state::{Ended, JoinRefusal, Joined, Received};
use crate::within;

type Sink = SplitSink<WebSocketStream<TcpStream>, Message>;

/// How a peer connects.
#[derive(Debug, Clone, Copy, Default)]
pub struct PeerOptions {
    /// How much the operating system may hold of what the peer has not read yet, in bytes.
    pub receive_buffer: Option<u32>,
}

/// A client on the socket.
///
/// It takes in what comes as it comes, and imports it into its documents. Each of its own edits goes out as one
/// batch.
pub struct Peer {
    /// Locked for as long as an edit is made and sent, so that edits go out in their order.
    sink: Arc<Mutex<Sink>>,
    shared: Arc<Shared>,
    reading: watch::Sender<bool>,
    reader: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn document(room: &str) -> (Magic, RoomName) {
    (Magic::Document, RoomName::new(room).expect("a room name"))
}

fn presence(room: &str) -> (Magic, RoomName) {
    (Magic::Ephemeral, RoomName::new(room).expect("a room name"))
}

fn fresh_batch() -> BatchId {
    BatchId(*Uuid::new_v4().as_bytes().first_chunk().expect("a UUID has 16 bytes"))
}

impl Peer {
    /// Connects with a token, or without one.
    ///
    /// # Panics
    /// When the connection is not taken.
    pub async fn connect(address: SocketAddr, token: Option<&str>, options: PeerOptions) -> Self {
        let peer = within("the connection", Self::try_connect(address, token, options)).await;
        peer.unwrap_or_else(|error| unreachable!("the connection was not taken: {error}"))
    }

    /// Connects to a server that may not take it.
    ///
    /// # Errors
    /// When the connection is not taken.
    pub async fn try_connect(
        address: SocketAddr,
        token: Option<&str>,
        options: PeerOptions,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let url = match token {
            Some(token) => format!("ws://{address}/ws?token={token}"),
            None => format!("ws://{address}/ws"),
        };
        Self::open(address, url.into_client_request()?, options).await
    }

    /// Connects as a browser does that keeps these cookies, from a page of the server's own.
    ///
    /// # Panics
    /// When the connection is not taken.
    pub async fn connect_as_browser(address: SocketAddr, cookies: &str) -> Self {
        let text = |text: &str| HeaderValue::from_str(text).expect("a header");
        let mut request = format!("ws://{address}/ws").into_client_request().expect("an address");
        request.headers_mut().insert("cookie", text(cookies));
        request.headers_mut().insert("origin", text(&format!("http://{address}")));
        let peer = within("the connection", Self::open(address, request, PeerOptions::default())).await;
        peer.unwrap_or_else(|error| unreachable!("the connection was not taken: {error}"))
    }

    async fn open(
        address: SocketAddr,
        request: tungstenite::http::Request<()>,
        options: PeerOptions,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = options.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
        let (stream, _) = client_async_with_config(request, stream, Some(config)).await?;
        let (sink, stream) = stream.split();
        let sink = Arc::new(Mutex::new(sink));
        let shared = Arc::new(Shared::default());
        let (reading, may_read) = watch::channel(true);
        let reader = tokio::spawn(reader::run(stream, Arc::clone(&sink), Arc::clone(&shared), may_read));
        Ok(Self { sink, shared, reading, reader })
    }

    /// Stops taking in what the server sends, until [`Peer::read_on`].
    pub fn stop_reading(&self) {
        self.reading.send_replace(false);
    }

    /// Takes in again what the server sends.
    pub fn read_on(&self) {
        self.reading.send_replace(true);
    }

    /// Joins a row's document with the version of the peer's copy, and hands in what the server lacks.
    ///
    /// # Panics
    /// When the join is refused.
    pub async fn join(&self, room: &str) -> Joined {
        let version = self.doc(room).oplog_vv().encode();
        let answer = self.try_join(document(room), &[], &version).await;
        let mut joined = answer.unwrap_or_else(|refusal| unreachable!("{room} was not joined: {refusal:?}"));
        let server = VersionVector::decode(&joined.version).expect("the server's version decodes");
        let doc = self.doc(room);
        if !server.includes_vv(&doc.oplog_vv()) {
            let update = doc.export(ExportMode::updates(&server)).expect("a document can be exported");
            joined.handed_in = Some(self.send_update(document(room), update).await);
        }
        joined
    }

    /// Joins a row's presence.
    ///
    /// # Panics
    /// When the join is refused.
    pub async fn join_presence(&self, room: &str) -> Joined {
        let answer = self.try_join(presence(room), &[], &[]).await;
        answer.unwrap_or_else(|refusal| unreachable!("{room} was not joined: {refusal:?}"))
    }

    /// Asks to join any room, with any auth bytes and version.
    ///
    /// # Errors
    /// [`JoinRefusal`] is what the server answered then.
    pub async fn try_join(
        &self,
        (magic, room): (Magic, RoomName),
        auth: &[u8],
        version: &[u8],
    ) -> Result<Joined, JoinRefusal> {
        let address = (magic, room);
        self.shared.change(|state| {
            state.answers.remove(&address);
        });
        let frame = Frame::JoinRequest {
            auth: Bytes::copy_from_slice(auth),
            version: Bytes::copy_from_slice(version),
        };
        self.send(encode(&Envelope { magic: address.0, room: address.1.clone(), frame })).await;
        let what = format!("the answer to joining {}", address.1);
        self.shared.wait(&what, |state| state.answers.remove(&address)).await
    }

    /// Waits until the server takes a room away, and says how.
    pub async fn taken_away(&self, room: &str) -> RoomErrorCode {
        let address = document(room);
        let look = |state: &mut State| {
            let place = state.room_errors.iter().position(|(room, _)| *room == address)?;
            Some(state.room_errors.remove(place).1)
        };
        self.shared.wait(&format!("the end of {room}"), look).await
    }

    /// Leaves a row's document.
    pub async fn leave(&self, room: &str) {
        let (magic, room) = document(room);
        self.send(encode(&Envelope { magic, room, frame: Frame::Leave })).await;
    }

    /// The peer's copy of a row; a handle to the same document each time.
    #[must_use]
    pub fn doc(&self, room: &str) -> LoroDoc {
        self.shared.change(|state| state.doc(&document(room)))
    }

    /// Takes over a copy of a row from an earlier connection, before joining it.
    pub fn adopt(&self, room: &str, doc: &LoroDoc) {
        self.shared.change(|state| state.room(&document(room)).content = Content::Document(doc.clone()));
    }

    /// The peer's view of who is at a row.
    #[must_use]
    pub fn presence(&self, room: &str) -> EphemeralStore {
        self.shared.change(|state| state.presence(&presence(room)))
    }

    /// Edits the peer's copy of a row and sends that as one batch; `None` when nothing changed.
    ///
    /// # Panics
    /// When the edit cannot be exported, or the connection has ended.
    pub async fn edit(&self, room: &str, change: impl FnOnce(&LoroDoc)) -> BatchId {
        self.try_edit(room, change).await.expect("the connection has not ended")
    }

    /// Edits and sends as [`Peer::edit`] does, to a server that may end meanwhile; the edit itself stays.
    ///
    /// # Errors
    /// When it could not be sent.
    ///
    /// # Panics
    /// When the edit cannot be exported.
    pub async fn try_edit(
        &self,
        room: &str,
        change: impl FnOnce(&LoroDoc),
    ) -> Result<BatchId, tungstenite::Error> {
        let mut sink = self.sink.lock().await;
        let update = self.shared.change(|state| {
            let doc = state.doc(&document(room));
            let before = doc.oplog_vv();
            change(&doc);
            doc.commit();
            doc.export(ExportMode::updates(&before)).expect("a document can be exported")
        });
        send_update(&mut sink, &document(room), &update).await
    }

    /// Edits, sends, and waits for the acknowledgement.
    pub async fn change(&self, room: &str, change: impl FnOnce(&LoroDoc)) -> AckStatus {
        let batch = self.edit(room, change).await;
        self.acked(batch).await
    }

    /// Sends bytes as an update of a room, in as many frames as they need.
    ///
    /// # Panics
    /// When the connection has ended.
    pub async fn send_update(&self, address: (Magic, RoomName), update: Vec<u8>) -> BatchId {
        let mut sink = self.sink.lock().await;
        send_update(&mut sink, &address, &update).await.expect("the connection has not ended")
    }

    /// Sends bytes as an update of a row's document.
    pub async fn send_bytes(&self, room: &str, update: Vec<u8>) -> BatchId {
        self.send_update(document(room), update).await
    }

    /// Sends a presence update of a row.
    pub async fn send_presence(&self, room: &str, update: Vec<u8>) -> BatchId {
        self.send_update(presence(room), update).await
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// When the connection has ended.
    pub async fn send(&self, frame: Bytes) {
        self.sink.lock().await.send(Message::Binary(frame)).await.expect("the connection has not ended");
    }

    /// Sends a text to a server that may end the connection meanwhile.
    ///
    /// # Errors
    /// When it could not be sent.
    pub async fn try_send_text(&self, text: &str) -> Result<(), tungstenite::Error> {
        self.sink.lock().await.send(Message::text(text)).await
    }

    /// Sends a text.
    ///
    /// # Panics
    /// When the connection has ended.
    pub async fn send_text(&self, text: &str) {
        self.sink.lock().await.send(Message::text(text)).await.expect("the connection has not ended");
    }

    /// Says goodbye, and waits until the server has, too.
    pub async fn close(&self) -> Ended {
        self.sink.lock().await.close().await.ok();
        self.ended().await
    }

    /// Waits for the acknowledgement of a batch.
    pub async fn acked(&self, batch: BatchId) -> AckStatus {
        self.shared.wait("an acknowledgement", |state| state.acks.get(&batch).copied()).await
    }

    /// Waits for the acknowledgement of a batch, or for the end of the connection without it.
    pub async fn settled(&self, batch: BatchId) -> Option<AckStatus> {
        let look = |state: &mut State| match state.acks.get(&batch) {
            Some(status) => Some(Some(*status)),
            None => state.ended.is_some().then_some(None),
        };
        self.shared.wait_whatever("an acknowledgement", look).await
    }

    /// The acknowledgement of a batch, if it has come.
    #[must_use]
    pub fn ack(&self, batch: BatchId) -> Option<AckStatus> {
        self.shared.change(|state| state.acks.get(&batch).copied())
    }

    /// Waits for the next control message, in the order in which they came.
    pub async fn message(&self) -> ServerMessage {
        self.shared.wait("a control message", |state| state.messages.pop_front()).await
    }

    /// Control messages that have come and were not asked for yet.
    #[must_use]
    pub fn messages(&self) -> Vec<ServerMessage> {
        self.shared.change(|state| state.messages.drain(..).collect())
    }

    /// Waits for a `pong`: everything that the server sent before it has come then.
    pub async fn ping(&self) {
        let before = self.shared.change(|state| state.pongs);
        self.send_text("ping").await;
        self.shared.wait("a pong", |state| (state.pongs > before).then_some(())).await;
    }

    /// Waits until the peer's copy of a row is as wished.
    pub async fn until(&self, room: &str, what: &str, wish: impl Fn(&LoroDoc) -> bool) {
        let address = document(room);
        self.shared.wait(what, |state| wish(&state.doc(&address)).then_some(())).await;
    }

    /// Waits until two peers have the same of a row.
    pub async fn until_equal(&self, room: &str, other: &Self) {
        let doc = other.doc(room);
        self.until(room, "equal documents", |own| own.oplog_vv() == doc.oplog_vv()).await;
        assert_eq!(self.doc(room).get_deep_value(), doc.get_deep_value());
    }

    /// Waits until the peer's view of who is at a row is as wished.
    pub async fn until_present(&self, room: &str, what: &str, wish: impl Fn(&EphemeralStore) -> bool) {
        let address = presence(room);
        self.shared.wait(what, |state| wish(&state.presence(&address)).then_some(())).await;
    }

    /// What has come of a row's document so far.
    #[must_use]
    pub fn received(&self, room: &str) -> Received {
        self.shared.change(|state| state.room(&document(room)).received)
    }

    /// Waits for the end of the connection.
    pub async fn ended(&self) -> Ended {
        self.shared.wait_whatever("the end of the connection", |state: &mut State| state.ended.clone()).await
    }
}

async fn send_update(
    sink: &mut Sink,
    (magic, room): &(Magic, RoomName),
    update: &[u8],
) -> Result<BatchId, tungstenite::Error> {
    let batch = fresh_batch();
    for frame in encode_update(*magic, room, &[update], || batch) {
        sink.feed(Message::Binary(frame)).await?;
    }
    sink.flush().await?;
    Ok(batch)
}
