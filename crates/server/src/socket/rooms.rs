//! The rooms that a connection has joined.

use std::collections::HashMap;

use corella_rowdoc::RowKey;
use corella_wire::{ErrorCode, Magic, RoomName};

use crate::{Failure, Principal};

/// Rooms that one connection may be in at the same time.
const MOST_ROOMS: usize = 20_000;

/// A room that a connection is in, and as whom.
#[derive(Debug, Clone)]
pub(super) struct JoinedRoom {
    pub(super) key: RowKey,
    pub(super) principal: Principal,
}

/// The rooms that a connection is in.
#[derive(Debug, Default)]
pub(super) struct JoinedRooms(HashMap<(Magic, RoomName), JoinedRoom>);

impl JoinedRooms {
    pub(super) fn join(&mut self, magic: Magic, name: RoomName, room: JoinedRoom) -> Result<(), Failure> {
        if self.0.len() >= MOST_ROOMS && !self.0.contains_key(&(magic, name.clone())) {
            let detail = format!("expected at most {MOST_ROOMS} rooms on one connection; leave some first");
            return Err(Failure::new(ErrorCode::RateLimited, detail));
        }
        self.0.insert((magic, name), room);
        Ok(())
    }

    pub(super) fn get(&self, magic: Magic, name: &RoomName) -> Result<&JoinedRoom, Failure> {
        self.0.get(&(magic, name.clone())).ok_or_else(|| {
            Failure::new(
                ErrorCode::NotJoined,
                format!("the room {name} was not joined on this connection; join it first"),
            )
        })
    }

    pub(super) fn leave(&mut self, magic: Magic, name: &RoomName) -> Option<JoinedRoom> {
        self.0.remove(&(magic, name.clone()))
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = ((Magic, RoomName), JoinedRoom)> {
        self.0.drain()
    }
}
