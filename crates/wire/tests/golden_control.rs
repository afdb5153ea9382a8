//! The control messages of `schema/golden/control.json`.

use corella_wire::control::{ClientMessage, ServerMessage, TextFrame};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Golden {
    client: Vec<Value>,
    server: Vec<Value>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    text: String,
    code: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
}

fn golden() -> Golden {
    let text = include_str!("../../../schema/golden/control.json");
    serde_json::from_str(text).expect("the golden file has this shape")
}

#[test]
fn client_messages_are_written_as_they_are_read() {
    for golden in golden().client {
        let text = golden.to_string();
        let message = ClientMessage::decode(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(message.encode(), text);
    }
}

#[test]
fn server_messages_are_written_as_they_are_read() {
    for golden in golden().server {
        let text = golden.to_string();
        let message: ServerMessage =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(message.encode(), text);
    }
}

#[test]
fn refused_texts_get_their_code_and_reference() {
    for Refused { text, code, reference } in golden().refused {
        match TextFrame::decode(&text) {
            Ok(frame) => panic!("{text}: {frame:?}"),
            Err(error) => {
                assert_eq!(error.code().as_str(), code, "{text}");
                assert_eq!(error.reference(), reference.as_deref(), "{text}");
            }
        }
    }
}
