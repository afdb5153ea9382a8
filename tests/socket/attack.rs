//! Honest editors at work while others do their worst.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use corella_testkit::{
    Peer, PeerOptions, SAMPLE, Stage, deadly_update,
    row::{append, read, set},
};
use corella_wire::AckStatus;
use loro::{ExportMode, LoroDoc, LoroMap};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::limits::handshake;

const ROOMS: [&str; 4] = ["Note/r0", "Note/r1", "Note/r2", "Note/r3"];
const EDITORS: usize = 12;
const EDITS: usize = 15;
/// Where those who flood do so.
const OWN: &str = "Note/flood";

/// What somebody does who means harm.
#[derive(Debug, Clone, Copy)]
enum Harm {
    Garbage,
    DeadlyUpdates,
    DeepNests,
    Floods,
    PresenceFloods,
    HalfFrames,
    HalfHeads,
    NeverReads,
}

const HARMS: [Harm; 8] = [
    Harm::Garbage,
    Harm::DeadlyUpdates,
    Harm::DeepNests,
    Harm::Floods,
    Harm::PresenceFloods,
    Harm::HalfFrames,
    Harm::HalfHeads,
    Harm::NeverReads,
];

/// Whoever does harm, until the honest are done.
struct Hostile {
    address: SocketAddr,
    token: String,
    over: Arc<AtomicBool>,
    /// How often it was done.
    done: Arc<AtomicU64>,
}

impl Hostile {
    async fn run(self, harm: Harm) {
        while !self.over.load(Ordering::Relaxed) {
            match harm {
                Harm::HalfFrames => self.half_frame().await,
                Harm::HalfHeads => self.half_head().await,
                Harm::Garbage
                | Harm::DeadlyUpdates
                | Harm::DeepNests
                | Harm::Floods
                | Harm::PresenceFloods
                | Harm::NeverReads => self.connected(harm).await,
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn connected(&self, harm: Harm) {
        let options = PeerOptions { receive_buffer: Some(16 * 1024) };
        // Being kept out is as good as being sent away.
        let Ok(peer) = Peer::try_connect(self.address, Some(&self.token), options).await else { return };
        match harm {
            Harm::Garbage => {
                for seed in 0..24_u64 {
                    let noise: Vec<u8> =
                        (0..300_u64).map(|at| (seed * 6_151 + at * 99_991).to_le_bytes()[1]).collect();
                    peer.send(noise.into()).await;
                }
                peer.ended().await;
            }
            Harm::DeadlyUpdates | Harm::DeepNests => {
                for room in ROOMS {
                    peer.join(room).await;
                    let update = if matches!(harm, Harm::DeepNests) { deep() } else { deadly_update() };
                    let batch = peer.send_bytes(room, update).await;
                    if peer.settled(batch).await.is_none() {
                        return;
                    }
                }
            }
            Harm::Floods => {
                peer.join(OWN).await;
                for number in 0..400 {
                    if peer.try_edit(OWN, |doc| set(doc, "stars", number)).await.is_err() {
                        return;
                    }
                }
                peer.ping().await;
            }
            Harm::PresenceFloods => {
                for room in ROOMS {
                    peer.join_presence(room).await;
                }
                for number in 0_u8..200 {
                    peer.send_presence(ROOMS[usize::from(number) % ROOMS.len()], vec![number; 64]).await;
                }
            }
            Harm::NeverReads => {
                for room in ROOMS {
                    peer.join(room).await;
                }
                peer.stop_reading();
                while !self.over.load(Ordering::Relaxed) {
                    tokio::task::yield_now().await;
                    if peer.try_edit(OWN, |doc| set(doc, "stars", 1)).await.is_err() {
                        return;
                    }
                }
            }
            Harm::HalfFrames | Harm::HalfHeads => {}
        }
    }

    /// A frame that says it is long, and its first bytes.
    async fn half_frame(&self) {
        let Ok(mut stream) = TcpStream::connect(self.address).await else { return };
        let request = handshake(self.address, Some(&self.token), None);
        let mut answer = [0; 512];
        if stream.write_all(request.as_bytes()).await.is_err() || stream.read(&mut answer).await.is_err() {
            return;
        }
        stream.write_all(&[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4, 5]).await.ok();
        // A frame beyond the limit is refused at its header.
        if let Ok(mut stream) = TcpStream::connect(self.address).await {
            stream.write_all(request.as_bytes()).await.ok();
            stream.read(&mut answer).await.ok();
            stream.write_all(&[0x82, 0xff, 0, 0, 0, 0x40, 0, 0, 0, 0, 1, 2, 3, 4]).await.ok();
            stream.read(&mut answer).await.ok();
        }
    }

    async fn half_head(&self) {
        let Ok(mut stream) = TcpStream::connect(self.address).await else { return };
        stream.write_all(b"POST /api/entities/Note HTTP/1.1\r\nContent-Length: 99").await.ok();
        tokio::task::yield_now().await;
    }
}

/// Maps in one another, deeper than anybody may read.
fn deep() -> Vec<u8> {
    let doc = LoroDoc::new();
    let mut map = doc.get_map("row").insert_container("title", LoroMap::new()).expect("a map takes a map");
    for _ in 0..4_000 {
        map = map.insert_container("k", LoroMap::new()).expect("a map takes a map");
    }
    doc.commit();
    doc.export(ExportMode::all_updates()).expect("a document can be exported")
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_editors_lose_nothing_and_agree() {
    let stage = Stage::with(SAMPLE, &["--updates-per-second", "400"]).await;
    let mallory = stage.installation.token("mallory").await;
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let hostile = HARMS.map(|harm| {
        let one = Hostile {
            address: stage.address(),
            token: mallory.clone(),
            over: Arc::clone(&over),
            done: Arc::clone(&done),
        };
        tokio::spawn(one.run(harm))
    });

    let mut editors = Vec::new();
    for number in 0..EDITORS {
        let peer = stage.connect().await;
        let room = ROOMS[number % ROOMS.len()];
        peer.join(room).await;
        editors.push(tokio::spawn(async move {
            for edit in 0..EDITS {
                let word = format!("e{number}x{edit} ");
                assert_eq!(
                    peer.change(room, |doc| append(doc, "body", &word)).await,
                    AckStatus::Ok,
                    "{word}"
                );
            }
            (peer, room, number)
        }));
    }
    let mut honest = Vec::new();
    for editor in editors {
        honest.push(editor.await.expect("an honest editor is never refused"));
    }
    let attacks = done.load(Ordering::Relaxed);
    over.store(true, Ordering::Relaxed);
    for one in hostile {
        one.abort();
    }

    assert!(attacks > 0, "nobody did any harm");
    for (peer, room, number) in &honest {
        let of_room: Vec<&Peer> =
            honest.iter().filter(|(_, other, _)| other == room).map(|(peer, _, _)| peer).collect();
        let words: Vec<String> = (0..EDITS).map(|edit| format!("e{number}x{edit} ")).collect();
        for other in of_room {
            let has_all = |doc: &LoroDoc| {
                words.iter().all(|word| read(doc, "body").matches(word.as_str()).count() == 1)
            };
            other.until(room, "every word of the others", has_all).await;
        }
        // The connection was never closed: it still answers.
        peer.ping().await;
    }
    let id = |room: &str| room.trim_start_matches("Note/").to_owned();
    for room in ROOMS {
        let (peer, ..) = honest.iter().find(|(_, other, _)| *other == room).expect("each room has editors");
        let row = stage.ada().get(&format!("/api/entities/Note/{}", id(room))).await.expect(200);
        assert_eq!(row["row"]["body"], read(&peer.doc(room), "body"));
    }
    stage.installation.check_clean().await;
}

/// A frame of `count` updates that bring nothing.
pub(super) fn many(room: &str, count: usize) -> Bytes {
    use corella_wire::{BatchId, Envelope, Frame, Magic, RoomName, encode};
    let frame = Frame::DocUpdate { updates: vec![Bytes::new(); count], batch: BatchId([7; 8]) };
    encode(&Envelope { magic: Magic::Document, room: RoomName::new(room).expect("a room name"), frame })
}
