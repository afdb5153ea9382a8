//! What a peer has heard, and waiting to hear more.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use corella_wire::{
    AckStatus, BatchId, JoinErrorCode, Magic, Permission, Reassembler, ReassemblyLimits, RoomErrorCode,
    RoomName, control::ServerMessage,
};
use loro::{LoroDoc, awareness::EphemeralStore};
use tokio::sync::watch;

use crate::{presence_store, within};

/// The server's answer to a join.
#[derive(Debug, Clone)]
pub struct Joined {
    /// What the peer may do.
    pub permission: Permission,
    /// The server's version, encoded.
    pub version: Bytes,
    /// The batch by which the peer handed in what the server lacked.
    pub handed_in: Option<BatchId>,
}

/// The server's refusal of a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRefusal {
    /// Why.
    pub code: JoinErrorCode,
    /// Why, for people.
    pub message: String,
}

/// What came of a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Frames with updates or pieces of them.
    pub frames: usize,
    /// Bytes of those frames.
    pub bytes: usize,
    /// Updates, joined again.
    pub updates: usize,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The close code; `None` when the connection was cut without one.
    pub code: Option<u16>,
    /// The reason that came with it, or what was wrong.
    pub reason: String,
}

/// What a room holds.
pub(super) enum Content {
    Document(LoroDoc),
    Presence(EphemeralStore),
}

pub(super) struct Room {
    pub(super) content: Content,
    pub(super) received: Received,
}

pub(super) type Address = (Magic, RoomName);

/// Everything that a peer has heard.
pub(super) struct State {
    rooms: HashMap<Address, Room>,
    pub(super) answers: HashMap<Address, Result<Joined, JoinRefusal>>,
    pub(super) acks: HashMap<BatchId, AckStatus>,
    pub(super) messages: VecDeque<ServerMessage>,
    pub(super) room_errors: Vec<(Address, RoomErrorCode)>,
    /// The rooms that the server has taken away, and about which it may say nothing any more.
    pub(super) evicted: HashSet<Address>,
    pub(super) pongs: usize,
    pub(super) fragments: Reassembler,
    pub(super) ended: Option<Ended>,
    /// What the server did that no server may do.
    pub(super) wrongs: Vec<String>,
}

impl Default for State {
    fn default() -> Self {
        let limits = ReassemblyLimits { max_bytes: 256 * 1024 * 1024, ..ReassemblyLimits::default() };
        Self {
            rooms: HashMap::new(),
            answers: HashMap::new(),
            acks: HashMap::new(),
            messages: VecDeque::new(),
            room_errors: Vec::new(),
            evicted: HashSet::new(),
            pongs: 0,
            fragments: Reassembler::new(limits),
            ended: None,
            wrongs: Vec::new(),
        }
    }
}

impl State {
    pub(super) fn room(&mut self, address: &Address) -> &mut Room {
        self.rooms.entry(address.clone()).or_insert_with(|| {
            let content = match address.0 {
                Magic::Document => Content::Document(LoroDoc::new()),
                Magic::Ephemeral | Magic::PersistedEphemeral | Magic::Other(_) => {
                    Content::Presence(presence_store())
                }
            };
            Room { content, received: Received::default() }
        })
    }

    pub(super) fn doc(&mut self, address: &Address) -> LoroDoc {
        match &self.room(address).content {
            Content::Document(doc) => doc.clone(),
            Content::Presence(_) => unreachable!("{} is a room of presence", address.1),
        }
    }

    pub(super) fn presence(&mut self, address: &Address) -> EphemeralStore {
        match &self.room(address).content {
            Content::Presence(store) => store.clone(),
            Content::Document(_) => unreachable!("{} is a room of a document", address.1),
        }
    }
}

/// A peer's state, and a bell that rings when it has changed.
pub(super) struct Shared {
    /// A plain mutex, held to look or to take something in.
    state: Mutex<State>,
    bell: watch::Sender<()>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { state: Mutex::default(), bell: watch::Sender::new(()) }
    }
}

impl Shared {
    pub(super) fn change<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn ring(&self) {
        self.bell.send_replace(());
    }

    /// Waits until `look` finds something; gives up when the connection has ended.
    pub(super) async fn wait<T>(&self, what: &str, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let waited = |state: &mut State| {
            if let Some(found) = look(state) {
                return Some(found);
            }
            assert!(state.ended.is_none(), "the connection ended ({:?}) before {what} came", state.ended);
            None
        };
        self.wait_whatever(what, waited).await
    }

    pub(super) async fn wait_whatever<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> T {
        let mut bell = self.bell.subscribe();
        let heard = async {
            loop {
                bell.borrow_and_update();
                let found = self.change(|state| {
                    assert!(state.wrongs.is_empty(), "the server did wrong: {:?}", state.wrongs);
                    look(state)
                });
                if let Some(found) = found {
                    return found;
                }
                bell.changed().await.expect("the bell is not dropped before those who listen");
            }
        };
        within(what, heard).await
    }
}
