//! The frames of `schema/golden/frames.json`, which another implementation of the protocol has made.

use std::fmt::Write as _;

use bytes::Bytes;
use corella_wire::{DecodeError, Envelope, Frame, JoinErrorCode, decode, encode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Golden {
    frames: Vec<GoldenFrame>,
    refused: Vec<RefusedFrame>,
}

#[derive(Deserialize)]
struct GoldenFrame {
    name: String,
    hex: String,
    frame: Map<String, Value>,
}

#[derive(Deserialize)]
struct RefusedFrame {
    name: String,
    hex: String,
}

fn golden() -> Golden {
    let text = include_str!("../../../schema/golden/frames.json");
    serde_json::from_str(text).expect("the golden file has this shape")
}

fn unhex(hex: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes all");
        hex
    })
}

/// What the envelope says, in the words of the golden file.
fn readable(envelope: &Envelope) -> Value {
    let mut said = match &envelope.frame {
        Frame::JoinRequest { auth, version } => {
            json!({ "type": "JoinRequest", "auth": hex(auth), "version": hex(version) })
        }
        Frame::JoinOk { permission, version, extra } => json!({
            "type": "JoinResponseOk", "permission": permission.as_str(), "version": hex(version), "extra": hex(extra),
        }),
        Frame::JoinError { code, message } => match code {
            JoinErrorCode::Unknown | JoinErrorCode::AuthFailed => {
                json!({ "type": "JoinError", "code": code.number(), "message": message })
            }
            JoinErrorCode::VersionUnknown { version } => json!({
                "type": "JoinError", "code": 1, "message": message, "receiverVersion": hex(version),
            }),
            JoinErrorCode::App { code } => {
                json!({ "type": "JoinError", "code": 127, "message": message, "appCode": code })
            }
        },
        Frame::DocUpdate { updates, batch } => {
            let updates: Vec<String> = updates.iter().map(|update| hex(update)).collect();
            json!({ "type": "DocUpdate", "updates": updates, "batchId": batch })
        }
        Frame::FragmentHeader { batch, count, total_bytes } => json!({
            "type": "DocUpdateFragmentHeader", "batchId": batch, "fragmentCount": count, "totalSizeBytes": total_bytes,
        }),
        Frame::Fragment { batch, index, chunk } => {
            json!({ "type": "DocUpdateFragment", "batchId": batch, "index": index, "fragment": hex(chunk) })
        }
        Frame::RoomError { code, message } => {
            json!({ "type": "RoomError", "code": code.number(), "message": message })
        }
        Frame::Leave => json!({ "type": "Leave" }),
        Frame::Ack { batch, status } => json!({ "type": "Ack", "refId": batch, "status": status.number() }),
    };
    said["crdt"] = envelope.magic.to_string().into();
    said["roomId"] = envelope.room.as_str().into();
    said
}

#[test]
fn golden_frames_decode_to_what_they_say() {
    for GoldenFrame { name, hex, frame } in golden().frames {
        match decode(unhex(&hex)) {
            Ok(envelope) => assert_eq!(readable(&envelope), Value::Object(frame), "{name}"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn frames_encode_to_the_golden_bytes() {
    for GoldenFrame { name, hex: expected, .. } in golden().frames {
        let envelope = decode(unhex(&expected)).expect("golden frames decode");
        assert_eq!(hex(&encode(&envelope)), expected, "{name}");
    }
}

#[test]
fn golden_nonsense_is_refused() {
    for RefusedFrame { name, hex } in golden().refused {
        let outcome = decode(unhex(&hex));
        assert!(matches!(outcome, Err(DecodeError::Malformed { .. })), "{name}: {outcome:?}");
    }
}

#[test]
fn all_message_types_have_a_golden_frame() {
    let golden = golden();
    for number in 0..=8 {
        let said = |golden: &GoldenFrame| {
            decode(unhex(&golden.hex)).is_ok_and(|envelope| envelope.frame.type_number() == number)
        };
        assert!(golden.frames.iter().any(said), "no golden frame of type {number:02x}");
    }
}
