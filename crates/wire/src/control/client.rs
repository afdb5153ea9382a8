//! What clients say in text frames.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{Await, ControlError, MAX_TEXT_BYTES, PING, PONG, Subscribe, Unsubscribe};
use crate::BatchId;

/// A text frame from a client.
#[derive(Debug, Clone, PartialEq)]
pub enum TextFrame {
    /// To be answered with `pong`.
    Ping,
    /// The answer to a `ping`.
    Pong,
    /// A control message.
    Message(ClientMessage),
}

/// A control message from a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ClientMessage {
    /// Who is calling.
    Hello(Hello),
    /// With which token, from now on.
    Auth(Auth),
    /// A change of one row.
    Mutate(Mutate),
    /// That a batch is only to be taken in where nothing was written before.
    Seed(Seed),
    /// A query whose answer is wanted from now on.
    Subscribe(Subscribe),
    /// A query whose answer is not wanted any more.
    Unsubscribe(Unsubscribe),
    /// The wish to hear when all answers have a change in them.
    Await(Await),
}

/// The types of [`ClientMessage`], as they are sent.
const TYPES: [&str; 7] = ["hello", "auth", "mutate", "seed", "subscribe", "unsubscribe", "await"];

/// Who is calling. Keys that later clients may add are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hello {
    /// The client's name and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The schema that the client was built for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

/// A token for the connection: the first one, or one that takes the place of a token about to expire.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The token.
    pub token: String,
    /// What the answer is to name.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// The token is a secret, and debug output ends in logs.
impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("reference", &self.reference).finish_non_exhaustive()
    }
}

/// A change of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutate {
    /// What the answer is to name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The entity of the row.
    pub entity: String,
    /// The id of the row; an insertion may leave it to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is done.
    #[serde(rename = "op")]
    pub operation: Operation,
    /// The fields, for insertions and patches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Map<String, Value>>,
    /// The idempotency key: the same change under the same key is made once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What the author says of it, for the row's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What is done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// A new row.
    Insert,
    /// Some of its fields change.
    Patch,
    /// It leaves its table.
    Delete,
    /// It comes back to its table.
    Restore,
}

/// A batch, sent after this message, that fills an empty document. It is refused when the document is not empty any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The document's room, which has been joined.
    pub room: String,
    /// The batch, whose acknowledgement is the answer.
    pub batch: BatchId,
}

impl TextFrame {
    /// Reads a text frame.
    ///
    /// # Errors
    /// [`ControlError`] says what was expected, and names the `ref` of the message when that could be read.
    pub fn decode(text: &str) -> Result<Self, ControlError> {
        match text {
            PING => Ok(Self::Ping),
            PONG => Ok(Self::Pong),
            text => ClientMessage::decode(text).map(Self::Message),
        }
    }
}

impl ClientMessage {
    /// Reads a control message.
    ///
    /// # Errors
    /// As [`TextFrame::decode`].
    pub fn decode(text: &str) -> Result<Self, ControlError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(ControlError::TooLarge { found: text.len() });
        }
        // An array would be read as well, by the order of its items.
        if !text.trim_start().starts_with('{') {
            return Err(ControlError::NotAnObject);
        }
        // Two passes: the first tells an unknown type from a malformed message, and finds out what to answer to.
        let Head { kind, reference } = serde_json::from_str(text).map_err(ControlError::NotAMessage)?;
        let reference = reference.map(Cow::into_owned);
        if !TYPES.contains(&&*kind) {
            let kind = kind.chars().take(40).collect();
            return Err(ControlError::UnknownMessage { kind, reference });
        }
        serde_json::from_str(text).map_err(|source| ControlError::Invalid {
            kind: kind.into_owned(),
            reference,
            source,
        })
    }

    /// The message as a text frame.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("keys are strings, and no value refuses to be written")
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "ref", borrow, default, deserialize_with = "text_or_nothing")]
    reference: Option<Cow<'a, str>>,
}

/// A `ref` that is no text is a fault of its message, and must not hide the message's type.
fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<'a> {
        Text(#[serde(borrow)] Cow<'a, str>),
        Other(IgnoredAny),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => Some(text),
        Either::Other(IgnoredAny) => None,
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn check(text: &str) -> String {
        match TextFrame::decode(text) {
            Ok(TextFrame::Message(message)) => {
                let encoded = message.encode();
                assert_eq!(ClientMessage::decode(&encoded).expect("what is encoded can be decoded"), message);
                encoded
            }
            Ok(keep_alive) => format!("{keep_alive:?}"),
            Err(error) => match error.reference() {
                Some(reference) => format!("{}: {error} (ref {reference})", error.code()),
                None => format!("{}: {error}", error.code()),
            },
        }
    }

    #[test]
    fn keep_alive_is_exactly_these_texts() {
        assert_snapshot!(check("ping"), @"Ping");
        assert_snapshot!(check("pong"), @"Pong");
        assert_snapshot!(check("ping "), @r#"invalid_json: expected ping, pong, or a JSON object with a "type", found a text that does not begin with {"#);
        assert_snapshot!(check(r#""ping""#), @r#"invalid_json: expected ping, pong, or a JSON object with a "type", found a text that does not begin with {"#);
    }

    #[test]
    fn messages_read_what_they_write() {
        assert_snapshot!(check(r#"{"type":"hello"}"#), @r#"{"type":"hello"}"#);
        assert_snapshot!(check(r#"{"type":"hello","client":"notes/1.2","schema":"abc","later":[1]}"#), @r#"{"type":"hello","client":"notes/1.2","schema":"abc"}"#);
        assert_snapshot!(check(r#"{"type":"auth","token":"t.t.t","ref":"1"}"#), @r#"{"type":"auth","token":"t.t.t","ref":"1"}"#);
        assert_snapshot!(check(r#"{"ref":"2","entity":"Note","op":"insert","fields":{"n":9007199254740993,"a":null},"key":"k","type":"mutate"}"#), @r#"{"type":"mutate","ref":"2","entity":"Note","op":"insert","fields":{"n":9007199254740993,"a":null},"key":"k"}"#);
        assert_snapshot!(check(r#"{"type":"mutate","ref":"3","entity":"Note","op":"delete","id":"n1","message":"done"}"#), @r#"{"type":"mutate","ref":"3","entity":"Note","id":"n1","op":"delete","message":"done"}"#);
    }

    #[test]
    fn live_queries_read_what_they_write() {
        assert_snapshot!(check(r#"{"type":"subscribe","ref":"s","query":{"from":"Note"}}"#), @r#"{"type":"subscribe","ref":"s","query":{"from":"Note"}}"#);
        assert_snapshot!(check(r#"{"type":"subscribe","ref":"s","query":{},"since":{"epoch":"e","seq":7,"ids":["n1"]}}"#), @r#"{"type":"subscribe","ref":"s","query":{},"since":{"epoch":"e","seq":7,"ids":["n1"]}}"#);
        assert_snapshot!(check(r#"{"type":"subscribe","ref":"s","query":{},"documents":true}"#), @r#"{"type":"subscribe","ref":"s","query":{},"documents":true}"#);
        assert_snapshot!(check(r#"{"type":"unsubscribe","ref":"s"}"#), @r#"{"type":"unsubscribe","ref":"s"}"#);
        assert_snapshot!(check(r#"{"type":"await","ref":"a","seq":7}"#), @r#"{"type":"await","ref":"a","seq":7}"#);
    }

    #[test]
    fn an_unknown_type_is_named() {
        assert_snapshot!(check(r#"{"type":"follow","ref":"7","query":{}}"#), @r#"unknown_message: expected a message of type hello, auth, mutate, seed, subscribe, unsubscribe or await, found "follow" (ref 7)"#);
        assert_snapshot!(check(r#"{"type":"Hello","ref":7}"#), @r#"unknown_message: expected a message of type hello, auth, mutate, seed, subscribe, unsubscribe or await, found "Hello""#);
    }

    #[test]
    fn a_wrong_message_says_what_is_wrong() {
        assert_snapshot!(check(""), @r#"invalid_json: expected ping, pong, or a JSON object with a "type", found a text that does not begin with {"#);
        assert_snapshot!(check(r#"["auth","t","7"]"#), @r#"invalid_json: expected ping, pong, or a JSON object with a "type", found a text that does not begin with {"#);
        assert_snapshot!(check(r#"{"type":"auth","token":"t"} {}"#), @r#"invalid_json: expected a JSON object with a "type": trailing characters at line 1 column 29"#);
        assert_snapshot!(check(r#"{"type":"auth","type":"hello","token":"t"}"#), @r#"invalid_json: expected a JSON object with a "type": duplicate field `type` at line 1 column 21"#);
        assert_snapshot!(check("[]"), @r#"invalid_json: expected ping, pong, or a JSON object with a "type", found a text that does not begin with {"#);
        assert_snapshot!(check(r#"{"ref":"7"}"#), @r#"invalid_json: expected a JSON object with a "type": missing field `type` at line 1 column 11"#);
        assert_snapshot!(check(r#"{"type":7}"#), @r#"invalid_json: expected a JSON object with a "type": invalid type: integer `7`, expected a string at line 1 column 9"#);
        assert_snapshot!(check(r#"{"type":"auth"}"#), @"invalid_value: expected a complete message of type auth: missing field `token`");
        assert_snapshot!(check(r#"{"type":"auth","token":"t","ref":{"a":1}}"#), @"invalid_value: expected a complete message of type auth: invalid type: map, expected a string");
        assert_snapshot!(check(r#"{"type":"mutate","ref":"7","entity":"Note","op":"upsert"}"#), @"invalid_value: expected a complete message of type mutate: unknown variant `upsert`, expected one of `insert`, `patch`, `delete`, `restore` (ref 7)");
        assert_snapshot!(check(r#"{"type":"mutate","ref":"7","entity":"Note","op":"patch","feilds":{}}"#), @"invalid_value: expected a complete message of type mutate: unknown field `feilds`, expected one of `ref`, `entity`, `id`, `op`, `fields`, `key`, `message` (ref 7)");
        assert_snapshot!(check(r#"{"type":"mutate","ref":"7","entity":"Note","op":"patch","fields":[]}"#), @"invalid_value: expected a complete message of type mutate: invalid type: sequence, expected a map (ref 7)");
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert_snapshot!(check(&" ".repeat(MAX_TEXT_BYTES + 1)), @"too_large: expected a text frame of at most 262144 bytes, found one of 262145");
        let deep = format!(
            r#"{{"type":"mutate","ref":"7","entity":"N","op":"insert","fields":{{"a":{}"#,
            "[".repeat(50_000)
        );
        assert_snapshot!(check(&deep), @r#"invalid_json: expected a JSON object with a "type": EOF while parsing a list at line 1 column 50068"#);
        let closed = format!(
            r#"{{"type":"mutate","ref":"7","entity":"N","op":"insert","fields":{{"a":{}{}}}}}"#,
            "[".repeat(50_000),
            "]".repeat(50_000)
        );
        assert_snapshot!(check(&closed), @"invalid_json: expected a complete message of type mutate: recursion limit exceeded at line 1 column 194 (ref 7)");
        let deep_reference =
            format!(r#"{{"type":"auth","ref":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
        assert_snapshot!(check(&deep_reference), @r#"invalid_json: expected a JSON object with a "type": recursion limit exceeded at line 1 column 148"#);
    }

    #[test]
    fn a_token_is_not_shown() {
        let message = TextFrame::decode(r#"{"type":"auth","token":"secret"}"#).expect("a message");
        assert!(!format!("{message:?}").contains("secret"));
    }
}
