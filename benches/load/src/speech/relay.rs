//! Frames that a bare relay hands on: a writer, a number, and as many bytes as an edit of Loro's takes.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Heard, Speech, WriterNumber};

/// As long as Corella's frame of one character.
const FRAME: usize = 108;

pub(super) struct Client;

impl Speech for Client {
    fn hello(&self) -> Vec<Bytes> {
        Vec::new()
    }

    fn hear(&mut self, frame: Bytes) -> Heard {
        let number = |from: usize| -> u64 {
            frame
                .get(from..from + 8)
                .map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
        };
        Heard { reached: vec![(number(0), number(8))], ..Heard::default() }
    }
}

pub(super) struct Pen {
    writer: WriterNumber,
    count: u64,
}

impl Pen {
    pub(super) fn new(writer: WriterNumber) -> Self {
        Self { writer, count: 0 }
    }
}

impl super::Pen for Pen {
    fn take_in(&mut self, _updates: Vec<Bytes>) {}

    fn write(&mut self) -> (Vec<Bytes>, u64) {
        self.count += 1;
        let mut frame = BytesMut::with_capacity(FRAME);
        frame.put_u64_le(self.writer);
        frame.put_u64_le(self.count);
        frame.resize(FRAME, b'.');
        (vec![frame.freeze()], self.count)
    }
}
