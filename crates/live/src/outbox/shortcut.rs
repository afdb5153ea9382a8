//! From whoever publishes straight to the socket, past a connection's writer that has nothing to do.
//!
//! Waking a writer takes a place in a run queue, several locks and an allocation, beside the system call that cannot be saved.
//! So whoever has published a change hands it over itself wherever the writer rests; the writer takes up what the socket did not.

use std::{io, sync::Arc};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{Outbox, Queue, Queued};

/// Frames handed over at once.
const MOST_FRAMES: usize = 16;
/// Outboxes that one task flushes; more are shared among tasks, so that all cores take part.
const OUTBOXES_OF_A_TASK: usize = 32;

/// A socket that frames can be handed to without waiting.
pub trait Socket: Send + Sync {
    /// Hands frames to the system.
    ///
    /// # Errors
    /// When it takes nothing: `WouldBlock`, when the other side has to read first.
    fn hand_over(&self, frames: &mut dyn Iterator<Item = Bytes>) -> io::Result<HandedOver>;
}

/// What the system has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedOver {
    /// How many frames it has whole.
    pub whole: usize,
    /// How many bytes it has of the frame behind them, as they are on the wire.
    pub begun: usize,
}

/// A connection's socket, and whether it may be used past the writer.
#[derive(Default)]
pub(super) struct Shortcut {
    socket: Option<Arc<dyn Socket>>,
    /// Whether the writer has found nothing to do, and has nothing of its own under way.
    pub(super) rests: bool,
    /// How many bytes of the first frame that waits are out.
    pub(super) begun: usize,
}

impl Outbox {
    /// Has changes handed to `socket` at once while the connection's writer rests.
    pub fn open_shortcut(&self, socket: Arc<dyn Socket>) {
        self.with(|queue| queue.shortcut.socket = Some(socket));
    }

    /// Leaves the socket to the writer alone; what comes back is a frame that has begun, and how many bytes of it are out.
    #[must_use]
    pub fn close_shortcut(&self) -> Option<(Queued, usize)> {
        self.with(|queue| {
            let begun = std::mem::take(&mut queue.shortcut).begun;
            let frame = if begun > 0 { queue.frames.pop_front() } else { None }?;
            queue.bytes -= frame.frame.len();
            Some((frame, begun))
        })
    }

    /// Has what waits sent: at once, where the writer rests and the socket takes it, by the writer otherwise.
    pub(super) fn flush(&self) {
        if self.with(Queue::flush) {
            self.drained.notify_waiters();
        } else {
            self.filled.notify_one();
        }
    }
}

impl Queue {
    /// Whether all frames are out.
    fn flush(&mut self) -> bool {
        let is_in_turn = self.shortcut.begun == 0 && self.replies.is_empty() && self.texts.is_empty();
        if !self.shortcut.rests || !is_in_turn || !self.doubts.is_empty() {
            return false;
        }
        let Some(socket) = self.shortcut.socket.clone() else { return false };
        while !self.frames.is_empty() {
            let count = self.frames.len().min(MOST_FRAMES);
            let mut frames = self.frames.iter().take(count).map(|queued| queued.frame.clone());
            // What is wrong with it, the writer finds out.
            let Ok(HandedOver { whole, begun }) = socket.hand_over(&mut frames) else { return false };
            drop(frames);
            self.bytes -= self.frames.drain(..whole).map(|queued| queued.frame.len()).sum::<usize>();
            self.shortcut.begun = begun;
            if whole < count {
                return false;
            }
        }
        true
    }
}

/// Has all that waits in these outboxes sent.
pub(crate) fn flush_all(mut outboxes: Vec<Arc<Outbox>>) {
    let flush = |outboxes: Vec<Arc<Outbox>>| outboxes.iter().for_each(|outbox| outbox.flush());
    if let Ok(runtime) = Handle::try_current() {
        while outboxes.len() > OUTBOXES_OF_A_TASK {
            let some = outboxes.split_off(outboxes.len() - OUTBOXES_OF_A_TASK);
            runtime.spawn(async move { flush(some) });
        }
    }
    flush(outboxes);
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use corella_store::SourceId;
    use corella_wire::RoomName;

    use super::*;
    use crate::{OutboxLimits, Work};

    /// Takes so many bytes.
    struct Narrow(Mutex<usize>);

    impl Socket for Narrow {
        fn hand_over(&self, frames: &mut dyn Iterator<Item = Bytes>) -> io::Result<HandedOver> {
            let mut room = self.0.lock().expect("nobody panics");
            let mut whole = 0;
            for frame in frames {
                if frame.len() > *room {
                    let begun = std::mem::take(&mut *room);
                    return Ok(HandedOver { whole, begun });
                }
                *room -= frame.len();
                whole += 1;
            }
            Ok(HandedOver { whole, begun: 0 })
        }
    }

    fn outbox(room: usize) -> Outbox {
        let outbox = Outbox::new(SourceId(1), OutboxLimits::default());
        outbox.open_shortcut(Arc::new(Narrow(Mutex::new(room))));
        outbox
    }

    fn push(outbox: &Outbox, frame: &'static [u8]) {
        let room = RoomName::new("Note/a").expect("a name");
        assert!(outbox.push_change(&room, &[Bytes::from_static(frame)]), "it fits");
        outbox.flush();
    }

    fn waiting(outbox: &Outbox) -> (Vec<Bytes>, usize) {
        match outbox.take(usize::MAX) {
            Some(Work::Frames { frames, begun }) => {
                (frames.into_iter().map(|queued| queued.frame).collect(), begun)
            }
            None => (Vec::new(), 0),
            other => panic!("expected frames, found {other:?}"),
        }
    }

    #[test]
    fn nothing_goes_past_a_writer_that_does_not_rest() {
        let outbox = outbox(100);
        push(&outbox, b"first");
        assert_eq!(waiting(&outbox), (vec![Bytes::from_static(b"first")], 0));
        push(&outbox, b"while the first is under way");
        assert_eq!(waiting(&outbox).0.len(), 1);
        assert!(waiting(&outbox).0.is_empty(), "and now it rests");
        push(&outbox, b"past it");
        assert!(waiting(&outbox).0.is_empty(), "it is out");
    }

    #[test]
    fn a_reason_that_waits_is_not_overtaken_by_the_acknowledgement() {
        let outbox = outbox(100);
        assert!(waiting(&outbox).0.is_empty());
        outbox.push_text("why".to_owned());
        outbox.push_answer(Bytes::from_static(b"refused"));
        assert!(matches!(outbox.take(usize::MAX), Some(Work::Text(_))));
        assert_eq!(waiting(&outbox).0, [Bytes::from_static(b"refused")]);
    }

    #[test]
    fn the_writer_goes_on_where_the_socket_stopped() {
        let outbox = outbox(7);
        assert!(waiting(&outbox).0.is_empty());
        push(&outbox, b"whole");
        push(&outbox, b"begun");
        push(&outbox, b"later");
        let expected = [&b"begun"[..], b"later"].map(Bytes::from_static).to_vec();
        assert_eq!(waiting(&outbox), (expected, 2), "in order, and two bytes of the first are out");
    }

    #[test]
    fn a_frame_that_has_begun_is_handed_back() {
        let outbox = outbox(2);
        assert!(waiting(&outbox).0.is_empty());
        push(&outbox, b"begun");
        let (frame, begun) = outbox.close_shortcut().expect("a frame has begun");
        assert_eq!((&frame.frame[..], begun), (&b"begun"[..], 2));
        push(&outbox, b"later");
        assert_eq!(waiting(&outbox), (vec![Bytes::from_static(b"later")], 0));
    }
}
