//! A server that hands every frame to everyone else on the same path, and knows nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{
    accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

use crate::client;

/// Frames that a slow reader may be behind before it loses some.
const BEHIND: usize = 16_384;

/// By path. Locked while a connection begins.
type Rooms = Arc<Mutex<HashMap<String, broadcast::Sender<(u64, Bytes)>>>>;

pub(crate) async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    println!("listening on {}", listener.local_addr().expect("it listens").port());
    let rooms = Rooms::default();
    for number in 0.. {
        let (stream, _) = listener.accept().await.expect("it listens");
        tokio::spawn(connection(number, stream, Arc::clone(&rooms)));
    }
}

async fn connection(number: u64, stream: TcpStream, rooms: Rooms) {
    stream.set_nodelay(true).expect("it is a socket");
    let mut path = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let note = |request: &Request, response: Response| {
        request.uri().path().clone_into(&mut path);
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async_with_config(stream, note, Some(client::config())).await else { return };
    let room = {
        let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(path).or_insert_with(|| broadcast::channel(BEHIND).0).clone()
    };
    let mut heard = room.subscribe();
    let (mut sender, mut receiver) = socket.split();
    let hand_on = async {
        while let Ok((from, frame)) = heard.recv().await {
            if from != number && sender.send(Message::Binary(frame)).await.is_err() {
                return;
            }
        }
    };
    let take_in = async {
        while let Some(Ok(message)) = receiver.next().await {
            if let Message::Binary(frame) = message {
                // Nobody else may be there.
                drop(room.send((number, frame)));
            }
        }
    };
    tokio::select! {
        () = hand_on => {}
        () = take_in => {}
    }
}
