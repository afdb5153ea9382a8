//! The rooms that a connection has joined.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use corella_live::Pass;
use corella_wire::{ErrorCode, Magic, RoomName};
use jiff::Timestamp;

use crate::{Failure, Principal, accounts::Vigil};

/// A room that a connection is in, and as whom.
#[derive(Clone)]
pub(super) struct JoinedRoom {
    pub(super) pass: Arc<Pass>,
    pub(super) principal: Principal,
    /// Whether the join brought a token of its own; else it goes by the connection's.
    pub(super) has_token: bool,
    /// Hears of it when the principal's access changes, where the join brought the token.
    pub(super) vigil: Option<Arc<Vigil>>,
}

/// The rooms that a connection is in.
pub(super) struct JoinedRooms {
    /// How many there may be.
    most: usize,
    /// On the heap each: a map keeps room for some more than it has.
    rooms: HashMap<(Magic, RoomName), Box<JoinedRoom>>,
    /// When the tokens of joins are over.
    expiries: BTreeSet<(Timestamp, Magic, RoomName)>,
}

impl JoinedRooms {
    pub(super) fn new(most: usize) -> Self {
        Self { most, rooms: HashMap::new(), expiries: BTreeSet::new() }
    }

    /// Notes that a room is joined; what comes back is what was joined under that name before.
    pub(super) fn join(&mut self, room: JoinedRoom) -> Result<Option<JoinedRoom>, Failure> {
        let address = (room.pass.magic, room.pass.room.clone());
        let most = self.most;
        if self.rooms.len() >= most && !self.rooms.contains_key(&address) {
            let detail = format!("expected at most {most} rooms on one connection; leave some first");
            return Err(Failure::new(ErrorCode::RateLimited, detail));
        }
        let before = self.leave(address.0, &address.1);
        self.expiries.extend(expiry(&room));
        self.rooms.insert(address, Box::new(room));
        Ok(before)
    }

    pub(super) fn get(&self, magic: Magic, name: &RoomName) -> Result<&JoinedRoom, Failure> {
        self.rooms.get(&(magic, name.clone())).map(|room| &**room).ok_or_else(|| {
            Failure::new(
                ErrorCode::NotJoined,
                format!("the room {name} was not joined on this connection; join it first"),
            )
        })
    }

    pub(super) fn leave(&mut self, magic: Magic, name: &RoomName) -> Option<JoinedRoom> {
        let room = *self.rooms.remove(&(magic, name.clone()))?;
        if let Some(expiry) = expiry(&room) {
            self.expiries.remove(&expiry);
        }
        Some(room)
    }

    /// Everything that was joined by the connection's token goes by another one now; says what that is.
    pub(super) fn renew(&mut self, principal: &Principal) -> Vec<Arc<Pass>> {
        let renewed = self.rooms.values_mut().filter(|room| !room.has_token);
        renewed
            .map(|room| {
                room.principal = principal.clone();
                Arc::clone(&room.pass)
            })
            .collect()
    }

    /// As whom rooms were joined with tokens of their own; of those that stand and fall together one.
    pub(super) fn principals(&self) -> Vec<Principal> {
        let own = self.rooms.values().filter(|room| room.has_token && room.vigil.is_some());
        let mut found: Vec<Principal> = Vec::new();
        for room in own {
            if !found.iter().any(|known| known.stands_with(&room.principal)) {
                found.push(room.principal.clone());
            }
        }
        found
    }

    /// Gives other rights to those who stand and fall with `principal`; says in which rooms these have changed.
    pub(super) fn entitle(
        &mut self,
        principal: &Principal,
        entitled: impl Fn(&Principal) -> Option<Principal>,
    ) -> Vec<JoinedRoom> {
        let theirs =
            self.rooms.values_mut().filter(|room| room.has_token && room.principal.stands_with(principal));
        theirs
            .filter_map(|room| {
                room.principal = entitled(&room.principal)?;
                Some((**room).clone())
            })
            .collect()
    }

    /// A room that was joined with a token that stands and falls with `principal`; it is left.
    pub(super) fn joined_by(&mut self, principal: &Principal) -> Option<JoinedRoom> {
        let is_theirs = |room: &&JoinedRoom| room.has_token && room.principal.stands_with(principal);
        let address = self
            .rooms
            .values()
            .map(|room| &**room)
            .find(is_theirs)
            .map(|room| (room.pass.magic, room.pass.room.clone()))?;
        self.leave(address.0, &address.1)
    }

    /// When the next token of a join is over.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiries.first().map(|(at, _, _)| *at)
    }

    /// A room whose own token is over; it is left.
    pub(super) fn expired(&mut self, now: Timestamp) -> Option<JoinedRoom> {
        let (at, magic, name) = self.expiries.first().cloned()?;
        if at > now { None } else { self.leave(magic, &name) }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = JoinedRoom> {
        self.expiries.clear();
        self.rooms.drain().map(|(_, room)| *room)
    }
}

fn expiry(room: &JoinedRoom) -> Option<(Timestamp, Magic, RoomName)> {
    let at = room.principal.expires.filter(|_| room.has_token)?;
    Some((at, room.pass.magic, room.pass.room.clone()))
}
