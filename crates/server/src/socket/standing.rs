//! As whom a connection is here, and for how long.

use std::{sync::Arc, time::Duration};

use corella_wire::{Envelope, ErrorCode, Frame, RoomErrorCode, encode};
use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant as Clock};

use super::{inbound::Inbound, rooms::JoinedRoom, session::Connection};
use crate::{App, Carrier, Failure, Principal, accounts::Vigil};

/// Whether a connection's token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Over,
}

impl Inbound {
    /// When the next token is over, the connection's or that of a join.
    pub(super) fn next_expiry(&self) -> Option<Clock> {
        let own = self.principal.as_ref().and_then(|principal| principal.expires);
        let next = own.into_iter().chain(self.rooms.next_expiry()).min()?;
        let rest = Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
        Some(Clock::now() + rest)
    }

    /// Ends what went by tokens that are over. A room whose join brought its own is left, and its client asked to join
    /// again with a fresh one; with the connection's own, the connection is.
    pub(super) fn expire_tokens(&mut self) -> Standing {
        let now = Timestamp::now();
        if self.principal.as_ref().and_then(|principal| principal.expires).is_some_and(|end| end <= now) {
            return Standing::Over;
        }
        while let Some(room) = self.rooms.expired(now) {
            self.put_out(&room, "the token of this room has expired; join again with a fresh one");
        }
        Standing::Good
    }

    /// Asks again whether those may be here whose access may have changed, and as what. Rooms of those who may not are left; with
    /// the connection's own access, the connection is.
    pub(super) async fn check_standing(&mut self) -> Standing {
        let app = Arc::clone(&self.connection.app);
        let Some(accounts) = &app.accounts else { return Standing::Good };
        if let Some(principal) = &self.principal {
            let Ok(given) = accounts.standings.given(principal).await else { return Standing::Over };
            if let Some(changed) = app.authority.entitled(principal, given.as_deref())
                && let Err(failure) = self.renew(changed)
            {
                tracing::debug!(%failure, "a connection could not be renewed");
                return Standing::Over;
            }
        }
        for principal in self.rooms.principals() {
            if let Ok(given) = accounts.standings.given(&principal).await {
                let entitled = |principal: &Principal| app.authority.entitled(principal, given.as_deref());
                for JoinedRoom { pass, principal, .. } in self.rooms.entitle(&principal, entitled) {
                    app.hub.renew(&self.connection.outbox, &pass, principal.access());
                }
                continue;
            }
            while let Some(room) = self.rooms.joined_by(&principal) {
                self.put_out(&room, "the session has ended or the account is disabled; sign in again");
            }
        }
        Standing::Good
    }

    /// Takes a room away whose token is not good any more, and asks its client to join with another one.
    fn put_out(&self, JoinedRoom { pass, .. }: &JoinedRoom, why: &str) {
        let Connection { app, outbox, .. } = &*self.connection;
        app.hub.evict(outbox, pass);
        let frame = Frame::RoomError { code: RoomErrorCode::RejoinSuggested, message: why.to_owned() };
        outbox.push_answer(encode(&Envelope { magic: pass.magic, room: pass.room.clone(), frame }));
    }

    /// Goes on where the token is over that came in a cookie: the browser may have another one by now, and cannot say so here.
    pub(super) async fn renew_by_cookie(&mut self) {
        let Some(principal) = &self.principal else { return };
        let is_over = principal.expires.is_some_and(|end| end <= Timestamp::now());
        if principal.carrier != Carrier::Cookie || !is_over {
            return;
        }
        let app = Arc::clone(&self.connection.app);
        let Some(accounts) = &app.accounts else { return };
        if let Some(renewed) = accounts.renewed(&app, principal).await
            && let Err(failure) = self.renew(renewed)
        {
            tracing::debug!(%failure, "a connection could not be renewed");
        }
    }

    /// Goes on as another principal, with everything that was joined by the connection's token.
    ///
    /// # Errors
    /// When the connection belongs to somebody else.
    pub(super) fn renew(&mut self, principal: Principal) -> Result<(), Failure> {
        let same = |before: &Principal| {
            before.tenant == principal.tenant
                && (before.caller.user.is_none() || before.caller.user == principal.caller.user)
        };
        if self.principal.as_ref().is_some_and(|before| !same(before)) {
            let detail =
                "expected a fresh token of the same user and tenant; open another connection for others";
            return Err(Failure::new(ErrorCode::Forbidden, detail));
        }
        let Connection { app, outbox, .. } = &*self.connection;
        if self.seat.is_none() {
            self.seat = app.seat(&principal)?;
        }
        for pass in self.rooms.renew(&principal) {
            app.hub.renew(outbox, &pass, principal.access());
        }
        if self.principal.as_ref().is_some_and(|before| !says_the_same(before, &principal)) {
            app.hub.queries().end_all(outbox.source());
        }
        self.vigil = watch(app, &principal, &self.wake);
        self.principal = Some(principal);
        Ok(())
    }
}

/// Has `wake` notified when the access of `principal` may have changed, and at once: it may have before.
pub(super) fn watch(app: &App, principal: &Principal, wake: &Arc<Notify>) -> Option<Vigil> {
    let vigil = app.accounts.as_ref()?.standings.watch(principal, wake);
    wake.notify_one();
    vigil
}

/// Whether two tokens say the same, but for how long they are good.
fn says_the_same(before: &Principal, after: &Principal) -> bool {
    let lasting = |principal: &Principal| {
        let mut caller = (*principal.caller).clone();
        for passing in ["exp", "iat", "nbf", "jti"] {
            caller.claims.shift_remove(passing);
        }
        caller
    };
    before.caller == after.caller || lasting(before) == lasting(after)
}
