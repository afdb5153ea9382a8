//! What one client may take of the server.

use std::net::SocketAddr;

use bytes::Bytes;
use corella_testkit::{
    Http, Installation, JoinRefusal, Peer, PeerOptions, SAMPLE, Stage, handshake, row::set, within,
};
use corella_wire::{AckStatus, BatchId, Envelope, Frame, JoinErrorCode, Magic, RoomName, encode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const ROOM: &str = "Note/n1";

/// The first line that comes back.
async fn first_line(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = vec![0; 1024];
    let length = within("an answer", stream.read(&mut answer)).await.expect("it answers");
    String::from_utf8_lossy(&answer[..length]).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins() {
    let stage = Stage::with(SAMPLE, &["--allow-origin", "https://app.example.com"]).await;
    let address = stage.address();
    for (origin, expected) in [
        (None, "101"),
        (Some(format!("http://{address}")), "101"),
        (Some("https://app.example.com".to_owned()), "101"),
        (Some("https://evil.example".to_owned()), "403"),
        (Some("null".to_owned()), "403"),
    ] {
        let line = first_line(address, &handshake(address, Some(stage.token()), origin.as_deref())).await;
        assert_eq!(line.split(' ').nth(1), Some(expected), "{origin:?}: {line}");
    }
    let ada = stage.ada();
    let foreign = [("origin", "https://evil.example")];
    let body = json!({ "title": "theirs" }).to_string();
    let answer = ada.send("POST".parse().unwrap(), "/api/entities/Note", &foreign, body).await;
    assert_eq!(answer.problem(), "403 forbidden");
    assert_eq!(ada.send("GET".parse().unwrap(), "/api/entities/Note", &foreign, "").await.status, 200);
    assert_eq!(stage.seq().await, 0, "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end() {
    let stage = Stage::with(SAMPLE, &["--head-seconds", "1"]).await;
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Sl").await.unwrap();
    let mut answer = Vec::new();
    // It may be told why before it is closed.
    within("the end of the connection", stream.read_to_end(&mut answer)).await.ok();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    let mut idle = TcpStream::connect(stage.address()).await.unwrap();
    within("the end of an idle connection", idle.read_to_end(&mut answer)).await.ok();
    // A socket is no request, and lives on.
    let peer = stage.connect().await;
    within("the end of another", TcpStream::connect(stage.address()).await.unwrap().read_to_end(&mut answer))
        .await
        .ok();
    peer.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_does_not_end() {
    let stage = Stage::with(SAMPLE, &["--silence-seconds", "1"]).await;
    let honest = stage.connect().await;
    let mut stream = TcpStream::connect(stage.address()).await.unwrap();
    stream.write_all(handshake(stage.address(), Some(stage.token()), None).as_bytes()).await.unwrap();
    // Of 65,535 bytes the first five.
    stream.write_all(&[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4, 5]).await.unwrap();
    let mut answer = Vec::new();
    within("the end of the connection", stream.read_to_end(&mut answer)).await.ok();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("ping") && answer.contains("nothing was heard for too long"), "{answer}");
    // Whoever answers when asked stays.
    honest.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_address() {
    let stage = Stage::with(SAMPLE, &["--connections-per-address", "12"]).await;
    let mut open = Vec::new();
    let refused = loop {
        let mut stream = TcpStream::connect(stage.address()).await.unwrap();
        // Whoever is taken in is answered, whoever is not is closed.
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.ok();
        let mut answer = [0; 15];
        if within("an answer or the end", stream.read_exact(&mut answer)).await.is_err() {
            break open.len();
        }
        open.push(stream);
    };
    assert!((1..=12).contains(&refused), "{refused} were taken in");
    drop(open);
    within("room for others", async {
        while stage.ada().try_send("GET".parse().unwrap(), "/health", &[], "").await.is_err() {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_one_user() {
    let stage = Stage::with(SAMPLE, &["--sockets-per-user", "2"]).await;
    let (first, _second) = (stage.connect().await, stage.connect().await);
    let try_connect = || Peer::try_connect(stage.address(), Some(stage.token()), PeerOptions::default());
    let refused = try_connect().await.err().expect("a third socket").to_string();
    assert!(refused.contains("429"), "{refused}");
    // One without a token may not become the third either, and somebody else is not held to it.
    let nameless = Peer::connect(stage.address(), None, PeerOptions::default()).await;
    nameless.send_text(&format!(r#"{{"type":"auth","ref":"1","token":"{}"}}"#, stage.token())).await;
    let told = format!("{:?}", nameless.message().await);
    assert!(told.contains("RateLimited"), "{told}");
    stage.peer(&stage.installation.token("bob").await).await.ping().await;
    first.close().await;
    within("room for another", async { while try_connect().await.is_err() {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_of_one_socket() {
    let stage = Stage::with(SAMPLE, &["--rooms-per-socket", "2"]).await;
    let peer = stage.connect().await;
    peer.join("Note/n1").await;
    peer.join_presence("Note/n1").await;
    let third = (Magic::Document, RoomName::new("Note/n2").unwrap());
    let refused: JoinRefusal = peer.try_join(third, &[], &[]).await.expect_err("a third room");
    assert_eq!(refused.code, JoinErrorCode::App { code: "rate_limited".to_owned() });
    peer.leave("Note/n1").await;
    peer.join("Note/n2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_of_one_socket() {
    let stage = Stage::with(SAMPLE, &["--updates-per-second", "40"]).await;
    let (quick, calm) = (stage.connect().await, stage.connect().await);
    quick.join(ROOM).await;
    let mut batches = Vec::new();
    // Ten seconds' worth is free, and what follows comes later.
    for number in 0..430 {
        batches.push(quick.edit(ROOM, |doc| set(doc, "stars", number % 5)).await);
    }
    calm.ping().await;
    for batch in batches {
        assert_eq!(quick.acked(batch).await, AckStatus::Ok);
    }
    let metrics = stage.stranger().get("/metrics").await.text();
    assert!(metrics.contains("corella_connections_paused_total"), "it was never held back");
    // What would take too long is refused at once.
    calm.join(ROOM).await;
    let (room, updates) = (RoomName::new(ROOM).unwrap(), vec![Bytes::new(); 900]);
    let frame = Frame::DocUpdate { updates, batch: BatchId([7; 8]) };
    calm.send(encode(&Envelope { magic: Magic::Document, room, frame })).await;
    assert_eq!(calm.acked(BatchId([7; 8])).await, AckStatus::RateLimited);
    calm.ping().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_not_logged() {
    let installation = Installation::new(SAMPLE);
    let server = installation.serve_by(&[], &[("CORELLA_LOG", "trace")]).await;
    let (good, expired) = (installation.token("ada").await, installation.expired_token("ada"));
    let tampered = format!("{good}tampered");
    server.http(&good).post("/api/entities/Note", json!({ "title": "t" })).await.expect(201);
    for token in [&good, &expired, &tampered] {
        server.http(token).get("/api/entities/Note").await;
        server.stranger().get(&format!("/api/entities/Note?token={token}")).await;
        Peer::try_connect(server.address(), Some(token), PeerOptions::default()).await.ok();
        let peer = Peer::connect(server.address(), None, PeerOptions::default()).await;
        peer.send_text(&format!(r#"{{"type":"auth","ref":"1","token":"{token}"}}"#)).await;
        let room = (Magic::Document, RoomName::new(ROOM).unwrap());
        peer.try_join(room, token.as_bytes(), &[]).await.ok();
        peer.ping().await;
    }
    let stopped = server.stop().await;
    let logged = format!("{}{}", stopped.stdout, stopped.stderr);
    assert!(logged.contains("TRACE") && logged.contains("DEBUG"), "little was logged:\n{logged:.2000}");
    for token in [good, expired, tampered] {
        let parts: Vec<&str> = token.split('.').collect();
        for part in &parts[1..] {
            let found = logged.lines().find(|line| line.contains(part));
            assert_eq!(found, None, "a part of a token is in the log");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_user() {
    let stage = Stage::with(SAMPLE, &["--requests-per-second", "2"]).await;
    let ask = async |http: &Http| http.get("/api/entities/Note").await;
    let (ada, stranger) = (stage.ada(), stage.stranger());
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(ask(&ada).await);
    }
    let refused = answers.iter().find(|answer| answer.status == 429).expect("twenty may come at once");
    assert_eq!(refused.problem(), "429 rate_limited");
    let wait: u64 = refused.header("retry-after").parse().expect("a number of seconds");
    assert!((1..=2).contains(&wait), "{wait}");
    // Others are not held to it, and strangers not to each other's users.
    let other = stage.http(&stage.installation.token("bob").await);
    assert_ne!(ask(&other).await.status, 429);
    assert_eq!(ask(&stranger).await.problem(), "401 unauthorized");
    // How the server is may always be asked.
    stranger.get("/health").await.expect(200);
}

/// Whoever is sent away for what they sent, and comes back to do it again, is not let in any more after some times.
#[tokio::test(flavor = "multi_thread")]
async fn offences_of_one_user() {
    let stage = Stage::with(SAMPLE, &["--requests-per-second", "2"]).await;
    let mallory = stage.installation.token("mallory").await;
    let mut times = 0;
    while let Ok(peer) = Peer::try_connect(stage.address(), Some(&mallory), PeerOptions::default()).await {
        times += 1;
        assert!(times < 20, "there is no end to it");
        peer.send(vec![0; 300_000].into()).await;
        assert_eq!(peer.ended().await.code, Some(1009));
    }
    assert!(times > 2, "once or twice may happen to anybody");
    let line = first_line(stage.address(), &handshake(stage.address(), Some(&mallory), None)).await;
    assert!(line.contains("429"), "{line}");
    // Others are let in, and whoever comes and goes without a word has done no wrong.
    for _ in 0..6 {
        drop(stage.connect().await);
    }
    stage.connect().await.ping().await;
}

/// Behind a proxy that is named, each address has its share; of others, nobody's word for it counts.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_behind_a_proxy() {
    const SHARE: &[&str] = &["--connections-per-address", "2"];
    // What the proxy adds stands last; before that, clients may write what they like.
    let ask = async |stage: &Stage, from: &str| {
        let handshake = handshake(stage.address(), Some(stage.token()), None);
        let forwarded = format!("\r\nX-Forwarded-For: {from}\r\n");
        let mut stream = TcpStream::connect(stage.address()).await.expect("the server listens");
        let request = handshake.replacen("\r\n", &forwarded, 1);
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = [0; 12];
        within("an answer", stream.read_exact(&mut answer)).await.ok();
        (String::from_utf8_lossy(&answer[9..]).into_owned(), stream)
    };
    let stage = Stage::with(SAMPLE, &[SHARE, &["--trusted-proxy", "127.0.0.0/8"]].concat()).await;
    let mut open = Vec::new();
    for (from, expected) in [
        ("203.0.113.9", "101"),
        ("192.0.2.1, 203.0.113.9", "101"),
        ("192.0.2.1, 203.0.113.9", "429"),
        ("203.0.113.10", "101"),
        ("203.0.113.11, 127.0.0.7", "101"),
    ] {
        let (status, stream) = ask(&stage, from).await;
        assert_eq!(status, expected, "{from}");
        open.push(stream);
    }
    // Whoever is gone has given its place back.
    open.remove(0);
    let again = async {
        while ask(&stage, "203.0.113.9").await.0 != "101" {
            tokio::task::yield_now().await;
        }
    };
    within("a place of the one that is gone", again).await;
    drop(open);

    let stage = Stage::with(SAMPLE, &[SHARE, &["--trusted-proxy", "10.0.0.0/8"]].concat()).await;
    let (first, _one) = ask(&stage, "203.0.113.9").await;
    let (second, _two) = ask(&stage, "203.0.113.10").await;
    assert_eq!([first, second], ["101", "101"]);
    assert_ne!(ask(&stage, "203.0.113.11").await.0, "101", "nobody here is a proxy");
}
