//! Taking in what the server sends.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use corella_wire::{
    Envelope, Frame, Magic, Progress, RoomName,
    control::{PING, PONG, ServerMessage},
    decode,
};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitStream};
use tokio::{
    net::TcpStream,
    sync::{Mutex, watch},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{
    Sink,
    state::{Content, Ended, JoinRefusal, Joined, Shared, State},
};

pub(super) async fn run(
    mut stream: SplitStream<WebSocketStream<TcpStream>>,
    sink: Arc<Mutex<Sink>>,
    shared: Arc<Shared>,
    mut may_read: watch::Receiver<bool>,
) {
    let mut ended = Ended { code: None, reason: "cut off".to_owned() };
    loop {
        if may_read.wait_for(|may| *may).await.is_err() {
            return;
        }
        match stream.next().await {
            Some(Ok(Message::Binary(bytes))) => shared.change(|state| binary(state, bytes)),
            Some(Ok(Message::Text(text))) if text.as_str() == PING => {
                sink.lock().await.send(Message::text(PONG)).await.ok();
            }
            Some(Ok(Message::Text(text))) => shared.change(|state| control(state, text.as_str())),
            Some(Ok(Message::Close(Some(frame)))) => {
                ended = Ended { code: Some(frame.code.into()), reason: frame.reason.to_string() };
            }
            Some(Ok(Message::Close(None))) => {
                ended = Ended { code: Some(1005), reason: String::new() };
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => {
                if ended.code.is_none() {
                    ended.reason = error.to_string();
                }
                break;
            }
            None => break,
        }
        shared.ring();
    }
    shared.change(|state| state.ended = Some(ended));
    shared.ring();
}

fn control(state: &mut State, text: &str) {
    if text == PONG {
        state.pongs += 1;
        return;
    }
    match serde_json::from_str::<ServerMessage>(text) {
        Ok(message) => state.messages.push_back(message),
        Err(error) => state.wrongs.push(format!("sent a text that is no message ({error}): {text}")),
    }
}

fn binary(state: &mut State, bytes: Bytes) {
    let length = bytes.len();
    match decode(bytes) {
        Ok(envelope) => frame(state, envelope, length),
        Err(error) => state.wrongs.push(format!("sent a frame that does not decode: {error}")),
    }
}

fn frame(state: &mut State, Envelope { magic, room, frame }: Envelope, length: usize) {
    let address = (magic, room);
    if matches!(frame, Frame::DocUpdate { .. } | Frame::FragmentHeader { .. } | Frame::Fragment { .. }) {
        let received = &mut state.room(&address).received;
        received.frames += 1;
        received.bytes += length;
        if state.evicted.contains(&address) {
            state.wrongs.push(format!("went on to tell about {}, which it had taken away", address.1));
        }
    }
    match frame {
        Frame::JoinOk { permission, version, .. } => {
            state.evicted.remove(&address);
            state.answers.insert(address, Ok(Joined { permission, version, handed_in: None }));
        }
        Frame::JoinError { code, message } => {
            state.answers.insert(address, Err(JoinRefusal { code, message }));
        }
        Frame::DocUpdate { updates, .. } => {
            for update in updates {
                take_in(state, &address, &update);
            }
        }
        Frame::FragmentHeader { batch, count, total_bytes } => {
            let begun = state.fragments.begin(magic, &address.1, batch, count, total_bytes, Instant::now());
            if let Err(error) = begun {
                state.wrongs.push(format!("began fragments wrongly: {error}"));
            }
        }
        Frame::Fragment { batch, index, chunk } => {
            match state.fragments.accept(magic, &address.1, batch, index, &chunk, Instant::now()) {
                Ok(Progress::Complete(update)) => take_in(state, &address, &update),
                Ok(Progress::Waiting) => {}
                Ok(Progress::Ignored) => state.wrongs.push("sent a fragment twice".to_owned()),
                Err(error) => state.wrongs.push(format!("sent a wrong fragment: {error}")),
            }
        }
        Frame::RoomError { code, .. } => {
            state.fragments.leave(magic, &address.1);
            state.evicted.insert(address.clone());
            state.room_errors.push((address, code));
        }
        Frame::Ack { batch, status } => {
            if state.acks.insert(batch, status).is_some() {
                state.wrongs.push(format!("acknowledged the batch {batch} twice"));
            }
        }
        Frame::JoinRequest { .. } | Frame::Leave => {
            state.wrongs.push("sent a frame that clients send".to_owned());
        }
    }
}

fn take_in(state: &mut State, address: &(Magic, RoomName), update: &[u8]) {
    let room = state.room(address);
    room.received.updates += 1;
    let taken = match &room.content {
        Content::Document(doc) => doc.import(update).map(drop).map_err(|error| error.to_string()),
        Content::Presence(store) => store.apply(update).map_err(|error| error.to_string()),
    };
    if let Err(error) = taken {
        state.wrongs.push(format!("sent an update of {} that does not apply: {error}", address.1));
    }
}
