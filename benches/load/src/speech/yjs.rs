//! The Yjs sync protocol, bare or in Hocuspocus' frames.

use bytes::Bytes;
use yrs::{
    ClientID, Doc, GetString as _, ReadTxn as _, StateVector, Text as _, TextRef, Transact as _, Update,
    encoding::{
        read::{Cursor, Read as _},
        write::Write as _,
    },
    updates::{decoder::Decode as _, encoder::Encode as _},
};

use super::{Heard, Speech, WriterNumber};

/// Client ids of ours begin here, with the writer's number in the end.
const CLIENTS: u64 = 7_000_000;
const SYNC: u8 = 0;
const AUTH: u8 = 2;
/// What Hocuspocus sends in the place of [`SYNC`] when it answers.
const SYNC_REPLY: u8 = 4;
const STEP_1: u8 = 0;
const STEP_2: u8 = 1;
const UPDATE: u8 = 2;
const TEXT: &str = "body";

/// A document with the beginning in it, written to by this writer.
fn doc(writer: WriterNumber, beginning: Option<&Bytes>) -> (Doc, TextRef) {
    let doc = Doc::with_client_id(CLIENTS + writer);
    let text = doc.get_or_insert_text(TEXT);
    if let Some(update) = beginning {
        let update = Update::decode_v1(update).expect("it was encoded");
        doc.transact_mut().apply_update(update).expect("it can be applied");
    }
    (doc, text)
}

pub(super) fn beginning(begun: &str) -> (Bytes, u64) {
    let (doc, text) = doc(0, None);
    text.insert(&mut doc.transact_mut(), 0, begun);
    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
    (update.into(), end(&doc, 0))
}

fn end(doc: &Doc, writer: WriterNumber) -> u64 {
    doc.transact().state_vector().get(&ClientID::new(CLIENTS + writer)).into()
}

/// A frame of the sync protocol, in that document's envelope where there is one.
fn frame(document: Option<&str>, kind: u8, step: u8, bytes: &[u8]) -> Bytes {
    let mut frame = Vec::new();
    if let Some(document) = document {
        frame.write_string(document);
    }
    frame.write_u8(kind);
    frame.write_u8(step);
    frame.write_buf(bytes);
    frame.into()
}

pub(super) fn update(document: Option<&str>, update: &[u8]) -> Bytes {
    frame(document, SYNC, UPDATE, update)
}

pub(super) struct Client {
    document: Option<String>,
    state: Vec<u8>,
}

impl Client {
    pub(super) fn new(document: Option<&str>, has: Option<&Bytes>) -> Self {
        let state = doc(0, has).0.transact().state_vector().encode_v1();
        Self { document: document.map(str::to_owned), state }
    }

    fn read(&self, frame: &[u8]) -> Option<Heard> {
        let document = self.document.as_deref();
        let mut frame = Cursor::new(frame);
        if document.is_some() {
            frame.read_string().ok()?;
        }
        let kind = frame.read_u8().ok()?;
        if kind != SYNC && kind != SYNC_REPLY {
            return None;
        }
        match (frame.read_u8().ok()?, frame.read_buf().ok()?) {
            (STEP_1, _) => {
                // What the server lacks of what this client had before: nothing.
                let nothing = Update::new().encode_v1();
                let answer = vec![self::frame(document, SYNC, STEP_2, &nothing)];
                Some(Heard { answer, ..Heard::default() })
            }
            (STEP_2 | UPDATE, bytes) => {
                let update = Update::decode_v1(bytes).expect("an update of Yjs'");
                let inserted = update.insertions(true);
                let reached = inserted.iter().filter_map(|(client, ranges)| {
                    Some((
                        client.get().checked_sub(CLIENTS)?,
                        ranges.iter().map(|range| range.end).max()?.into(),
                    ))
                });
                let updates = vec![Bytes::copy_from_slice(bytes)];
                Some(Heard { reached: reached.collect(), answer: Vec::new(), updates })
            }
            (_, _) => None,
        }
    }
}

impl Speech for Client {
    fn hello(&self) -> Vec<Bytes> {
        let document = self.document.as_deref();
        let step = frame(document, SYNC, STEP_1, &self.state);
        let Some(document) = document else { return vec![step] };
        // A token, which Hocuspocus wants to see whether or not it checks it.
        let mut auth = Vec::new();
        auth.write_string(document);
        auth.write_u8(AUTH);
        auth.write_u8(0);
        auth.write_string("token");
        vec![auth.into(), step]
    }

    fn hear(&mut self, frame: Bytes) -> Heard {
        self.read(&frame).unwrap_or_default()
    }
}

pub(super) struct Pen {
    document: Option<String>,
    doc: Doc,
    text: TextRef,
    writer: WriterNumber,
    at: u32,
}

impl Pen {
    pub(super) fn new(document: Option<&str>, beginning: &Bytes, writer: WriterNumber) -> Self {
        let (doc, text) = doc(writer, Some(beginning));
        let length = text.get_string(&doc.transact()).len();
        let at = u32::try_from(length / 2).unwrap_or_default();
        Self { document: document.map(str::to_owned), doc, text, writer, at }
    }
}

impl super::Pen for Pen {
    fn take_in(&mut self, updates: Vec<Bytes>) {
        let mut transaction = self.doc.transact_mut();
        for update in updates {
            let update = Update::decode_v1(&update).expect("an update of Yjs'");
            transaction.apply_update(update).expect("it can be applied");
        }
    }

    fn write(&mut self) -> (Vec<Bytes>, u64) {
        let written = {
            let mut transaction = self.doc.transact_mut();
            self.text.insert(&mut transaction, self.at, "x");
            transaction.encode_update_v1()
        };
        self.at += 1;
        (vec![update(self.document.as_deref(), &written)], end(&self.doc, self.writer))
    }
}
