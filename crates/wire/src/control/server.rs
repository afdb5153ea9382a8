//! What the server says in text frames.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Changes, Reached, Snapshot};
use crate::{BatchId, ErrorCode};

/// A control message from the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ServerMessage {
    /// The answer to a `hello`.
    Hello(HelloReply),
    /// The answer to an `auth`.
    Auth(AuthReply),
    /// The answer to a `mutate` whose change is durable.
    Result(MutateReply),
    /// The whole answer to a query.
    Snapshot(Snapshot),
    /// What a commit made of the answers to queries.
    Changes(Changes),
    /// The answer to an `await`.
    Reached(Reached),
    /// Something went wrong.
    Error(ErrorReply),
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloReply {
    /// The server's name and version.
    pub server: String,
    /// The version of the control messages, [`CONTROL_PROTOCOL`](super::CONTROL_PROTOCOL).
    pub protocol: u32,
    /// The schema that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The server's clock, RFC 3339 in UTC.
    pub now: String,
    /// The id of the connection, as the server's logs name it.
    pub connection: String,
    /// What this server can that an earlier one of the same protocol could not, by its names in the protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub can: Vec<String>,
}

/// As whom the caller is known from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthReply {
    /// The `ref` of the `auth`.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The user id of the token.
    pub user: String,
}

/// What a durable change made of its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MutateReply {
    /// The `ref` of the `mutate`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The id of the row.
    pub id: String,
    /// The row after the change; null when it was deleted.
    pub row: Option<Map<String, Value>>,
    /// The place of the change in the server's order of changes.
    pub seq: u64,
}

/// What went wrong, and with which message, room or batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReply {
    /// What, for programs.
    pub code: ErrorCode,
    /// What, for people: what was expected, what came.
    pub message: String,
    /// The `ref` of the message that it answers.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The room that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The batch that was refused; its acknowledgement carries the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// How long to wait before trying again; whole seconds on the wire, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds")]
    pub retry_after: Option<Duration>,
}

impl ErrorReply {
    /// An error that names nothing but itself.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), reference: None, room: None, batch: None, retry_after: None }
    }
}

impl ServerMessage {
    /// The message as a text frame.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("keys are strings, and no value refuses to be written")
    }
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        wait: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match wait {
            Some(wait) => serializer.serialize_u64(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn check(message: ServerMessage) -> String {
        let text = message.encode();
        let read: ServerMessage = serde_json::from_str(&text).expect("what is encoded can be decoded");
        assert_eq!(read, message);
        text
    }

    #[test]
    fn messages_read_what_they_write() {
        assert_snapshot!(check(ServerMessage::Hello(HelloReply {
            server: "corella/0.1.0".into(),
            protocol: super::super::CONTROL_PROTOCOL,
            schema: None,
            now: "2026-11-20T06:14:00.000000Z".into(),
            connection: "c1".into(),
            can: vec!["documents".into()],
        })), @r#"{"type":"hello","server":"corella/0.1.0","protocol":1,"now":"2026-11-20T06:14:00.000000Z","connection":"c1","can":["documents"]}"#);
        assert_snapshot!(check(ServerMessage::Auth(AuthReply { reference: None, user: "ada".into() })), @r#"{"type":"auth","user":"ada"}"#);
        assert_snapshot!(check(ServerMessage::Result(MutateReply {
            reference: "1".into(),
            id: "n1".into(),
            row: None,
            seq: 7,
        })), @r#"{"type":"result","ref":"1","id":"n1","row":null,"seq":7}"#);
        assert_snapshot!(check(ServerMessage::Error(ErrorReply::new(ErrorCode::UnknownMessage, "no"))), @r#"{"type":"error","code":"unknown_message","message":"no"}"#);
        assert_snapshot!(check(ServerMessage::Error(ErrorReply {
            reference: Some("1".into()),
            room: Some("Note/n1".into()),
            batch: Some(BatchId([0, 0, 0, 0, 0, 0, 0, 9])),
            retry_after: Some(Duration::from_secs(2)),
            ..ErrorReply::new(ErrorCode::RateLimited, "slower")
        })), @r#"{"type":"error","code":"rate_limited","message":"slower","ref":"1","room":"Note/n1","batch":"0000000000000009","retryAfter":2}"#);
    }

    #[test]
    fn a_wait_is_rounded_up() {
        let reply = ErrorReply {
            retry_after: Some(Duration::from_millis(1_001)),
            ..ErrorReply::new(ErrorCode::RateLimited, "slower")
        };
        assert_snapshot!(ServerMessage::Error(reply).encode(), @r#"{"type":"error","code":"rate_limited","message":"slower","retryAfter":2}"#);
    }
}
