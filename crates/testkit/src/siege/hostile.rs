//! What each of those who mean harm does.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use corella_wire::{BatchId, Envelope, Frame, Magic, RoomName, encode};
use loro::{ExportMode, LoroDoc};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use super::{
    Harm, Tally,
    line::{Line, Over, Reads, Sent, connect, say},
    weapons::{DEEP_NEST, UNFOLDING, frames, noise},
};
use crate::{presence_store, row::set, sample::deadly_update};

/// Where those who flood do so.
const OWN: &str = "Note/flood";
/// How soon whoever was not let in tries again, and whoever leaves connections hanging makes the next one.
const AGAIN: Duration = Duration::from_millis(20);
/// How long whoever never reads waits for the server to take more, before another connection does the same.
const STUCK: Duration = Duration::from_millis(500);
/// Connections that are left hanging at the same time.
const MOST_HANGING: usize = 32;

/// Whoever does harm, until it is over.
pub(super) struct Hostile {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) rooms: Vec<String>,
    pub(super) harm: Harm,
    pub(super) tally: Arc<Tally>,
}

impl Hostile {
    pub(super) async fn run(self) {
        let mut hanging = VecDeque::new();
        let mut deaf = VecDeque::new();
        loop {
            let connected = match self.harm {
                Harm::HalfFrames => self.half_frame(&mut hanging).await,
                Harm::HalfHeads => self.half_head(&mut hanging).await,
                Harm::NeverReads => self.never_reads(&mut deaf).await,
                Harm::Garbage | Harm::Bombs | Harm::DeepNests | Harm::Floods | Harm::PresenceFloods => {
                    self.connected().await
                }
            };
            if connected.is_some() {
                self.tally.connection(self.harm);
            }
            if connected.is_none() || matches!(self.harm, Harm::HalfFrames | Harm::HalfHeads) {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Goes on until the connection ends; nothing where there was none.
    async fn connected(&self) -> Option<()> {
        let mut line = Line::open(self.address, &self.token, Reads::All).await?;
        let ended = match self.harm {
            Harm::Garbage => self.garbage(&mut line).await,
            Harm::Bombs => self.updates(&mut line, &[&deadly_update(), &UNFOLDING]).await,
            Harm::DeepNests => self.updates(&mut line, &[&DEEP_NEST]).await,
            Harm::Floods => self.flood(&mut line).await,
            Harm::PresenceFloods => self.flood_presence(&mut line).await,
            Harm::HalfFrames | Harm::HalfHeads | Harm::NeverReads => Err(Over),
        };
        ended.err().map(|Over| ())
    }

    async fn garbage(&self, line: &mut Line) -> Sent {
        for seed in 0.. {
            line.send(noise(seed)).await?;
            line.send_text("{\"type\":\"subscribe\",\"id\":[[[[").await?;
            self.tally.input(self.harm);
        }
        Ok(())
    }

    /// Sends the same updates to all rooms, over and over.
    async fn updates(&self, line: &mut Line, updates: &[&[u8]]) -> Sent {
        for room in &self.rooms {
            line.join(Magic::Document, room).await?;
        }
        for (number, room) in (0..).zip(self.rooms.iter().cycle()) {
            for (place, update) in (0..).zip(updates) {
                for frame in frames(Magic::Document, room, update, number * 16 + place) {
                    line.send(frame).await?;
                }
                self.tally.input(self.harm);
            }
        }
        Ok(())
    }

    async fn flood(&self, line: &mut Line) -> Sent {
        line.join(Magic::Document, OWN).await?;
        let doc = LoroDoc::new();
        for number in 0_i64.. {
            let update = edited(&doc, number);
            for frame in frames(Magic::Document, OWN, &update, number.unsigned_abs()) {
                line.send(frame).await?;
            }
            self.tally.input(self.harm);
        }
        Ok(())
    }

    async fn flood_presence(&self, line: &mut Line) -> Sent {
        for room in &self.rooms {
            line.join(Magic::Ephemeral, room).await?;
        }
        let store = presence_store();
        for (number, room) in (0..).zip(self.rooms.iter().cycle()) {
            store.set("mallory", i64::try_from(number).unwrap_or_default());
            for (place, update) in (0..).zip([store.encode_all(), vec![7; 64]]) {
                for frame in frames(Magic::Ephemeral, room, &update, number * 2 + place) {
                    line.send(frame).await?;
                }
                self.tally.input(self.harm);
            }
        }
        Ok(())
    }

    /// A frame that says it is long, and its first bytes; one that is beyond the limit, which its header tells; the first
    /// piece of a batch.
    async fn half_frame(&self, hanging: &mut VecDeque<TcpStream>) -> Option<()> {
        let half: &[u8] = &[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4, 5];
        let too_long = &[0x82, 0xff, 0, 0, 0, 0x40, 0, 0, 0, 0, 1, 2, 3, 4];
        for bytes in [half, too_long] {
            hang(hanging, say(self.address, &self.token, bytes).await?);
            self.tally.input(self.harm);
        }
        let room = self.rooms.first()?;
        let mut line = Line::open(self.address, &self.token, Reads::All).await?;
        line.join(Magic::Document, room).await.ok()?;
        for number in 0..64_u64 {
            let frame = Frame::FragmentHeader {
                batch: BatchId(number.to_le_bytes()),
                count: 64,
                total_bytes: 8 << 20,
            };
            let room = RoomName::new(room).expect("a room name");
            line.send(encode(&Envelope { magic: Magic::Document, room, frame })).await.ok()?;
            self.tally.input(self.harm);
        }
        Some(())
    }

    async fn half_head(&self, hanging: &mut VecDeque<TcpStream>) -> Option<()> {
        let mut stream = connect(self.address).await?;
        stream.write_all(b"POST /api/entities/Note HTTP/1.1\r\nContent-Length: 99").await.ok()?;
        hang(hanging, stream);
        self.tally.input(self.harm);
        Some(())
    }

    async fn never_reads(&self, deaf: &mut VecDeque<Line>) -> Option<()> {
        let mut line = Line::open(self.address, &self.token, Reads::Nothing).await?;
        let work = async {
            for room in self.rooms.iter().map(String::as_str).chain([OWN]) {
                line.join(Magic::Document, room).await?;
            }
            let doc = LoroDoc::new();
            for number in 0_i64.. {
                let update = edited(&doc, number);
                for frame in frames(Magic::Document, OWN, &update, number.unsigned_abs()) {
                    timeout(STUCK, line.send(frame)).await.unwrap_or(Err(Over))?;
                }
                self.tally.input(self.harm);
            }
            Ok::<_, Over>(())
        };
        work.await.err()?;
        hang(deaf, line);
        Some(())
    }
}

/// Leaves a connection hanging, in the place of the one that has hung for longest.
fn hang<T>(hanging: &mut VecDeque<T>, connection: T) {
    if hanging.len() == MOST_HANGING {
        hanging.pop_front();
    }
    hanging.push_back(connection);
}

/// The update that sets another number.
fn edited(doc: &LoroDoc, number: i64) -> Vec<u8> {
    let before = doc.oplog_vv();
    set(doc, "stars", number);
    doc.commit();
    doc.export(ExportMode::updates(&before)).expect("a document can be exported")
}
