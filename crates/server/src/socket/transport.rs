//! A socket in two halves: what comes in goes through the WebSocket library, what goes out is written as it is.
//!
//! The same bytes go to every watcher of a row, so they are not copied into a buffer for each of them. A connection's writer is
//! a task of its own that nothing else wakes; while it rests, whoever publishes a change hands it over itself.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use corella_live::{HandedOver, Outbox, Socket};
use corella_wire::MAX_FRAME_BYTES;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{
        Role, WebSocketConfig,
        frame::{
            FrameHeader,
            coding::{Control, Data, OpCode},
        },
    },
};

/// Read buffer per socket, in bytes, enough for some keystrokes; the library's own default of 128 KiB would be most of a
/// quiet connection.
const READ_BUFFER: usize = 1024;
/// Frames handed to the system at once.
const MOST_FRAMES: usize = 16;

/// Messages as they come in.
pub(super) type Incoming = WebSocketStream<ReadingHalf>;

/// Takes a connection over from HTTP.
pub(super) async fn take_over(
    upgrading: OnUpgrade,
    outbox: &Arc<Outbox>,
) -> Result<(Incoming, Arc<WritingHalf>), hyper::Error> {
    let upgraded = upgrading.await?;
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("connections are TCP streams");
    let (read, write) = parts.io.into_inner().into_split();
    let half = ReadingHalf { read, outbox: Arc::clone(outbox) };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let sent_early = parts.read_buf.to_vec();
    let incoming = WebSocketStream::from_partially_read(half, sent_early, Role::Server, Some(config)).await;
    let write = Arc::new(WritingHalf(write));
    outbox.open_shortcut(Arc::clone(&write) as Arc<dyn Socket>);
    Ok((incoming, write))
}

/// What the library reads from. What it answers by itself, such as a pong, is queued with everything else that goes out.
pub(super) struct ReadingHalf {
    read: OwnedReadHalf,
    outbox: Arc<Outbox>,
}

impl AsyncRead for ReadingHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(context, buffer)
    }
}

impl AsyncWrite for ReadingHalf {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outbox.push_reply(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A WebSocket frame on its way out.
pub(super) struct Outgoing {
    /// The head, of which so many bytes count.
    head: [u8; Self::MOST_HEAD],
    head_length: usize,
    payload: Bytes,
}

impl Outgoing {
    /// A server's frames carry no mask.
    const MOST_HEAD: usize = 10;

    pub(super) fn binary(payload: Bytes) -> Self {
        Self::new(OpCode::Data(Data::Binary), payload)
    }

    pub(super) fn text(text: String) -> Self {
        Self::new(OpCode::Data(Data::Text), text.into())
    }

    pub(super) fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        Self::new(OpCode::Control(Control::Close), payload.into())
    }

    /// What the library has framed.
    pub(super) fn framed(bytes: Bytes) -> Self {
        Self { head: [0; Self::MOST_HEAD], head_length: 0, payload: bytes }
    }

    fn new(opcode: OpCode, payload: Bytes) -> Self {
        let mut head = [0; Self::MOST_HEAD];
        let mut rest = head.as_mut_slice();
        let header = FrameHeader { opcode, ..FrameHeader::default() };
        header.format(payload.len() as u64, &mut rest).expect("a head without a mask has at most ten bytes");
        let head_length = Self::MOST_HEAD - rest.len();
        Self { head, head_length, payload }
    }

    pub(super) fn len(&self) -> usize {
        self.head_length + self.payload.len()
    }

    /// The head and the payload behind the first `sent` bytes.
    fn rest(&self, sent: usize) -> [&[u8]; 2] {
        let head = self.head.get(..self.head_length).unwrap_or_default();
        [
            head.get(sent..).unwrap_or_default(),
            self.payload.get(sent.saturating_sub(self.head_length)..).unwrap_or_default(),
        ]
    }
}

/// What is written to. Frames are handed over by one at a time: the connection's writer, or, while that rests, whoever holds the
/// outbox's queue.
pub(super) struct WritingHalf(OwnedWriteHalf);

impl WritingHalf {
    /// Hands frames to the system, of the first of which so many bytes are out; says how many bytes it took.
    ///
    /// # Errors
    /// As [`OwnedWriteHalf::try_write_vectored`]: `WouldBlock` when the other side has to read first.
    pub(super) fn hand_over<'a>(
        &self,
        frames: impl Iterator<Item = &'a Outgoing>,
        sent: usize,
    ) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); 2 * MOST_FRAMES];
        let sent = std::iter::once(sent).chain(std::iter::repeat(0));
        let rests =
            frames.zip(sent).flat_map(|(frame, sent)| frame.rest(sent)).filter(|rest| !rest.is_empty());
        let mut count = 0;
        for (slice, rest) in slices.iter_mut().zip(rests) {
            *slice = IoSlice::new(rest);
            count += 1;
        }
        self.0.try_write_vectored(slices.get(..count).unwrap_or_default())
    }

    /// Resolves when the system may take more.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }
}

impl Socket for WritingHalf {
    fn hand_over(&self, frames: &mut dyn Iterator<Item = Bytes>) -> io::Result<HandedOver> {
        let frames: Vec<Outgoing> = frames.map(Outgoing::binary).collect();
        let mut handed_over = HandedOver { whole: 0, begun: WritingHalf::hand_over(self, frames.iter(), 0)? };
        for frame in &frames {
            if frame.len() > handed_over.begun {
                break;
            }
            handed_over.begun -= frame.len();
            handed_over.whole += 1;
        }
        Ok(handed_over)
    }
}
