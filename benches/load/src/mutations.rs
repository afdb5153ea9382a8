//! Writes of rows as messages on a socket.

use corella_wire::control::{ClientMessage, Mutate, Operation, PING, ServerMessage};
use serde_json::Value as Json;

use crate::client::Receiver;

/// A write of a task.
pub(crate) fn mutation(reference: String, id: String, operation: Operation, fields: Json) -> String {
    let Json::Object(fields) = fields else { unreachable!("fields are an object") };
    let mutate = Mutate {
        reference,
        entity: "Task".into(),
        id: Some(id),
        operation,
        fields: Some(fields),
        key: None,
        message: None,
    };
    ClientMessage::Mutate(mutate).encode()
}

/// The reference of the next write that is durable.
pub(crate) async fn confirmation(receiver: &mut Receiver) -> String {
    loop {
        let text = receiver.next_text().await.expect("the server answers");
        if text == PING {
            // It hears from whoever writes.
            continue;
        }
        match serde_json::from_str(&text).expect("the server sends messages") {
            ServerMessage::Result(result) => return result.reference,
            ServerMessage::Error(error) => panic!("{}: {}", error.code, error.message),
            ServerMessage::Hello(_)
            | ServerMessage::Auth(_)
            | ServerMessage::Snapshot(_)
            | ServerMessage::Changes(_)
            | ServerMessage::Reached(_) => {}
        }
    }
}
