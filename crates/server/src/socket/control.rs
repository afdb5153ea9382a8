//! Control messages.

use std::sync::Arc;

use corella_live::Interest;
use corella_query::Query;
use corella_store::{Reply, RowChange, Write, port::Seq};
use corella_wire::{
    ErrorCode,
    control::{
        Auth, AuthReply, Await, CONTROL_PROTOCOL, ClientMessage, ErrorReply, HelloReply, Mutate, MutateReply,
        Operation, PONG, Seed, ServerMessage, Subscribe, TextFrame, Unsubscribe,
    },
};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{inbound::Inbound, session::End};
use crate::{
    Failure,
    following::{Wanted, follow},
    http::{
        caller::{caller, message_of, promise, stranger},
        rows::new_id,
    },
};

/// Takes in a text frame; says when it ends the connection.
pub(super) async fn text(inbound: &mut Inbound, text: &str) -> Option<End> {
    let outbox = Arc::clone(&inbound.connection.outbox);
    match TextFrame::decode(text) {
        Ok(TextFrame::Ping) => outbox.push_text(PONG.to_owned()),
        Ok(TextFrame::Pong) => {}
        Ok(TextFrame::Message(ClientMessage::Hello(hello))) => {
            outbox.push_text(greet(inbound).encode());
            let asked = hello.schema.as_deref();
            if let Some(Err(wrong)) = asked.map(|schema| inbound.connection.app.store.check_schema(schema)) {
                outbox.push_text(error(wrong.into(), None).encode());
                return Some(End::OtherSchema);
            }
        }
        Ok(TextFrame::Message(ClientMessage::Auth(auth))) => {
            outbox.push_text(authenticate(inbound, auth).await.encode());
        }
        Ok(TextFrame::Message(ClientMessage::Mutate(mutate))) => {
            let reference = mutate.reference.clone();
            if let Err(failure) = self::mutate(inbound, mutate) {
                outbox.push_text(error(failure, Some(reference)).encode());
            }
        }
        Ok(TextFrame::Message(ClientMessage::Seed(Seed { room, batch }))) => {
            if let Err(failure) = inbound.expect_seed(&room, batch) {
                let mut reply = ErrorReply::new(failure.code, failure.detail);
                reply.room = Some(room);
                reply.batch = Some(batch);
                outbox.push_text(ServerMessage::Error(reply).encode());
            }
        }
        Ok(TextFrame::Message(ClientMessage::Subscribe(subscribe))) => {
            let reference = subscribe.reference.clone();
            if let Err(failure) = self::subscribe(inbound, subscribe) {
                outbox.push_text(error(failure, Some(reference)).encode());
            }
        }
        Ok(TextFrame::Message(ClientMessage::Unsubscribe(Unsubscribe { reference }))) => {
            inbound.connection.app.hub.queries().unsubscribe(outbox.source(), &reference);
        }
        Ok(TextFrame::Message(ClientMessage::Await(Await { reference, seq }))) => {
            let seq = Seq(i64::try_from(seq).unwrap_or(i64::MAX));
            inbound.connection.app.hub.queries().await_seq(&outbox, reference, seq);
        }
        Err(wrong) => {
            let mut reply = ErrorReply::new(wrong.code(), wrong.to_string());
            reply.reference = wrong.reference().map(str::to_owned);
            outbox.push_text(ServerMessage::Error(reply).encode());
        }
    }
    None
}

fn error(failure: Failure, reference: Option<String>) -> ServerMessage {
    let mut reply = ErrorReply::new(failure.code, failure.detail);
    reply.reference = reference;
    ServerMessage::Error(reply)
}

fn greet(inbound: &Inbound) -> ServerMessage {
    ServerMessage::Hello(HelloReply {
        server: concat!("corella/", env!("CARGO_PKG_VERSION")).to_owned(),
        protocol: CONTROL_PROTOCOL,
        schema: Some(inbound.connection.app.manifest().fingerprint()),
        now: corella_manifest::time_text(Timestamp::now()),
        connection: inbound.connection.outbox.source().0.to_string(),
        can: vec!["documents".to_owned()],
    })
}

async fn authenticate(inbound: &mut Inbound, auth: Auth) -> ServerMessage {
    let renewed = caller(&inbound.connection.app, &auth.token).await;
    let renewed = renewed.and_then(|principal| {
        let user = principal.user.to_string();
        inbound.renew(principal).map(|()| user)
    });
    match renewed {
        Ok(user) => ServerMessage::Auth(AuthReply { reference: auth.reference, user }),
        Err(failure) => error(failure, auth.reference),
    }
}

/// Lets the connection follow the answer to a query.
fn subscribe(inbound: &Inbound, subscribe: Subscribe) -> Result<(), Failure> {
    let Subscribe { reference, query, since, documents } = subscribe;
    let app = &inbound.connection.app;
    let principal = match &inbound.principal {
        Some(principal) => principal.clone(),
        None => stranger(app)?,
    };
    let query = Query::read(&app.manifest(), &query)?;
    let interest = if documents { Interest::Documents } else { Interest::Columns };
    follow(app, &principal, &inbound.connection.outbox, Wanted { reference, query, interest, since })
}

/// Starts a mutation; it is answered once it is durable.
fn mutate(inbound: &Inbound, mutate: Mutate) -> Result<(), Failure> {
    let Mutate { reference, entity, id, operation, fields, key, message } = mutate;
    let app = Arc::clone(&inbound.connection.app);
    let principal = match &inbound.principal {
        Some(principal) => principal.clone(),
        None => stranger(&app)?,
    };
    let fields = fields.unwrap_or_default();
    let asked = id.clone().map(Json::from);
    let id = match (operation, &id) {
        (Operation::Insert, _) => new_id(asked)?,
        (Operation::Patch | Operation::Delete | Operation::Restore, Some(_)) => new_id(asked)?,
        (Operation::Patch | Operation::Delete | Operation::Restore, None) => {
            return Err(Failure::new(ErrorCode::InvalidRowId, "expected the id of the row, found none"));
        }
    };
    let row = app.row_key(&principal.tenant, &entity, id.as_str())?;
    let request = match operation {
        Operation::Insert => format!("insert {entity}"),
        Operation::Patch => format!("patch {entity}/{}", id.as_str()),
        Operation::Delete => format!("delete {entity}/{}", id.as_str()),
        Operation::Restore => format!("restore {entity}/{}", id.as_str()),
    };
    let idempotency = key.map(|key| promise(&principal, &key, &request, &fields));
    let change = match operation {
        Operation::Insert => RowChange::Insert(fields),
        Operation::Patch => RowChange::Patch(fields),
        Operation::Delete => RowChange::Delete,
        Operation::Restore => RowChange::Restore,
    };
    let author = principal.author(Some(inbound.connection.outbox.source()));
    let message = message.map(|text| message_of(&text)).transpose()?;
    let write = Write { key: row, change, author, wants_row: true, idempotency, message };
    let connection = Arc::clone(&inbound.connection);
    let reply = Reply::new(move |result| {
        let message = match result {
            Ok(written) => {
                let row = written.row.unwrap_or_default();
                let seq = u64::try_from(written.seq.0).unwrap_or(0);
                result_of(reference, id.as_str(), row, seq, operation)
            }
            Err(wrong) => error(wrong.into(), Some(reference)),
        };
        connection.outbox.push_text(message.encode());
    });
    app.store.submit(write, reply);
    Ok(())
}

fn result_of(
    reference: String,
    id: &str,
    row: Map<String, Json>,
    seq: u64,
    operation: Operation,
) -> ServerMessage {
    let id = row.get("id").and_then(Json::as_str).unwrap_or(id).to_owned();
    let row = (operation != Operation::Delete).then_some(row);
    ServerMessage::Result(MutateReply { reference, id, row, seq })
}
