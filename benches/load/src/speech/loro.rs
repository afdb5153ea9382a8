//! The Loro Syncing Protocol: Corella's rows, or documents of other servers that speak it.

use bytes::Bytes;
use corella_wire::{
    BatchId, Envelope, Frame, Magic, Progress, Reassembler, ReassemblyLimits, RoomName, decode, encode,
    encode_update,
};
use loro::{ExportMode, LoroDoc, LoroText, VersionVector};

use super::{Heard, Speech, WriterNumber};

/// Peer ids of ours begin here, with the writer's number in the end.
const PEERS: u64 = 7_000_000;

fn peer(writer: WriterNumber) -> u64 {
    PEERS + writer
}

fn room(document: &str) -> RoomName {
    RoomName::new(document).expect("documents have short names")
}

/// The text that is written to: the field `body` of a row.
fn text(doc: &LoroDoc) -> LoroText {
    doc.get_map("row").ensure_mergeable_text("body").expect("a text can be there")
}

pub(super) fn beginning(begun: &str) -> (Bytes, u64) {
    let doc = LoroDoc::new();
    doc.set_peer_id(peer(0)).expect("nothing is written yet");
    text(&doc).insert(0, begun).expect("the start is within the text");
    doc.commit();
    let update = doc.export(ExportMode::all_updates()).expect("it can be exported");
    (update.into(), end(&doc.oplog_vv(), 0))
}

fn end(version: &VersionVector, writer: WriterNumber) -> u64 {
    version.get(&peer(writer)).map_or(0, |counter| counter.unsigned_abs().into())
}

pub(super) fn update(document: &str, update: &Bytes, batch: u64) -> Vec<Bytes> {
    encode_update(Magic::Document, &room(document), &[update], || BatchId(batch.to_be_bytes()))
}

pub(super) struct Client {
    document: RoomName,
    version: Bytes,
    reassembler: Reassembler,
}

impl Client {
    pub(super) fn new(document: &str, has: Option<&Bytes>) -> Self {
        let doc = LoroDoc::new();
        if let Some(update) = has {
            doc.import(update).expect("it was exported");
        }
        Self {
            document: room(document),
            version: doc.oplog_vv().encode().into(),
            reassembler: Reassembler::new(ReassemblyLimits::default()),
        }
    }

    fn updates(&mut self, frame: Bytes) -> Vec<Bytes> {
        let Ok(Envelope { magic, room, frame }) = decode(frame) else { return Vec::new() };
        let now = std::time::Instant::now();
        match frame {
            Frame::DocUpdate { updates, .. } => updates,
            Frame::FragmentHeader { batch, count, total_bytes } => {
                let begun = self.reassembler.begin(magic, &room, batch, count, total_bytes, now);
                begun.expect("the server's fragments are within bounds");
                Vec::new()
            }
            Frame::Fragment { batch, index, chunk } => {
                match self.reassembler.accept(magic, &room, batch, index, &chunk, now) {
                    Ok(Progress::Complete(update)) => vec![update],
                    Ok(_) | Err(_) => Vec::new(),
                }
            }
            Frame::JoinError { message, .. } | Frame::RoomError { message, .. } => {
                panic!("refused: {message}")
            }
            Frame::Ack { status, .. } if status.number() != 0 => panic!("refused: {status:?}"),
            Frame::JoinRequest { .. } | Frame::JoinOk { .. } | Frame::Leave | Frame::Ack { .. } => Vec::new(),
        }
    }
}

impl Speech for Client {
    fn hello(&self) -> Vec<Bytes> {
        let frame = Frame::JoinRequest { auth: Bytes::new(), version: self.version.clone() };
        vec![encode(&Envelope { magic: Magic::Document, room: self.document.clone(), frame })]
    }

    fn hear(&mut self, frame: Bytes) -> Heard {
        let mut reached = Vec::new();
        let updates = self.updates(frame);
        for update in &updates {
            let meta = LoroDoc::decode_import_blob_meta(update, false).expect("an update of Loro's");
            let writers = meta.partial_end_vv.iter().filter(|(peer, _)| (PEERS..PEERS * 2).contains(peer));
            reached.extend(writers.map(|(peer, counter)| (peer - PEERS, u64::from(counter.unsigned_abs()))));
        }
        Heard { reached, answer: Vec::new(), updates }
    }
}

pub(super) struct Pen {
    document: String,
    doc: LoroDoc,
    text: LoroText,
    writer: WriterNumber,
    at: usize,
    batch: u64,
}

impl Pen {
    pub(super) fn new(document: &str, beginning: &Bytes, writer: WriterNumber) -> Self {
        let doc = LoroDoc::new();
        doc.import(beginning).expect("it was exported");
        doc.set_peer_id(peer(writer)).expect("nothing is pending");
        let text = text(&doc);
        let at = text.len_unicode() / 2;
        Self { document: document.to_owned(), doc, text, writer, at, batch: 0 }
    }
}

impl super::Pen for Pen {
    fn take_in(&mut self, updates: Vec<Bytes>) {
        // As one, which Loro merges once.
        let updates: Vec<Vec<u8>> = updates.iter().map(|update| update.to_vec()).collect();
        self.doc.import_batch(&updates).expect("updates of Loro's");
    }

    fn write(&mut self) -> (Vec<Bytes>, u64) {
        let before = self.doc.oplog_vv();
        self.text.insert(self.at, "x").expect("it is within the text");
        self.doc.commit();
        self.at += 1;
        self.batch += 1;
        let written = self.doc.export(ExportMode::updates(&before)).expect("it can be exported");
        (update(&self.document, &written.into(), self.batch), end(&self.doc.oplog_vv(), self.writer))
    }
}
