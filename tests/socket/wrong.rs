//! What no client of the protocol sends, and the answers to it.

use bytes::Bytes;
use corella_testkit::{
    JoinRefusal, Peer, PeerOptions, SAMPLE, Stage,
    row::{append, read, set},
};
use corella_wire::{
    AckStatus, BatchId, ErrorCode, JoinErrorCode, Magic, RoomName,
    control::{ErrorReply, ServerMessage},
};
use loro::{ExportMode, LoroDoc};

const ROOM: &str = "Note/n1";

/// The bytes that hexadecimal digits spell; spaces are passed over.
pub(super) fn bytes(hexadecimal: &str) -> Bytes {
    let digits: Vec<char> = hexadecimal.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte =
        |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal digits");
    digits.chunks(2).map(byte).collect::<Vec<u8>>().into()
}

/// A server with one row that somebody works on while another does wrong.
struct Street {
    stage: Stage,
    neighbour: Peer,
    culprit: Peer,
    /// Frames that the neighbour had been sent before.
    told: usize,
    seq: i64,
}

impl Street {
    async fn new() -> Self {
        let stage = Stage::new(SAMPLE).await;
        let (neighbour, culprit) = (stage.connect().await, stage.connect().await);
        neighbour.join(ROOM).await;
        let status = neighbour.change(ROOM, |doc| {
            set(doc, "title", "mine");
            append(doc, "body", "text");
        });
        assert_eq!(status.await, AckStatus::Ok);
        culprit.join(ROOM).await;
        // The defaults that the server has put in come to both.
        neighbour.until(ROOM, "the defaults", |doc| read(doc, "pinned") == "false").await;
        culprit.until_equal(ROOM, &neighbour).await;
        let told = neighbour.received(ROOM).frames;
        let seq = stage.seq().await;
        Self { stage, neighbour, culprit, told, seq }
    }

    /// Nothing was stored, nobody else heard of it, and everybody is served on.
    async fn stays_quiet(self) {
        assert_eq!(self.stage.seq().await, self.seq, "something was stored");
        let heard = self.neighbour.received(ROOM).frames;
        self.neighbour.ping().await;
        assert_eq!(heard, self.told, "the neighbour heard of it");
        assert_eq!(self.neighbour.messages(), []);
        let status = self.neighbour.change(ROOM, |doc| append(doc, "body", ", and more")).await;
        assert_eq!(status, AckStatus::Ok);
        let row = self.stage.ada().get("/api/entities/Note/n1").await.expect(200);
        assert_eq!(row["row"]["body"], "text, and more");
        assert_eq!(self.stage.installation.check_clean().await, 1);
    }

    /// The culprit hears this, and nothing but this.
    async fn culprit_hears(&self, code: ErrorCode) -> ErrorReply {
        let message = self.culprit.message().await;
        let ServerMessage::Error(error) = message else {
            unreachable!("expected an error, heard {message:?}")
        };
        assert_eq!(error.code, code, "{}", error.message);
        self.culprit.ping().await;
        assert_eq!(self.culprit.messages(), []);
        error
    }
}

fn room(name: &str) -> (Magic, RoomName) {
    (Magic::Document, RoomName::new(name).expect("a room name"))
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_do_not_decode() {
    let street = Street::new().await;
    for frame in [
        "",
        "00",
        "25",
        "254c4f52",
        "254c4f52 07 4e6f74652f6e31",
        "254c4f52 07 4e6f74652f6e31 03 05",
        "254c4f52 07 4e6f74652f6e31 2a",
        // A count that nothing stands behind.
        "254c4f52 01 72 03 8080808020 0000000000000000",
        "deadbeefdeadbeefdeadbeefdeadbeef",
    ] {
        street.culprit.send(bytes(frame)).await;
        street.culprit_hears(ErrorCode::InvalidFrame).await;
    }
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_sends_rubbish_without_end_is_sent_away() {
    let street = Street::new().await;
    for seed in 0..16_u64 {
        let noise: Vec<u8> = (0..200_u64).map(|at| (seed * 7_919 + at * 104_729).to_le_bytes()[1]).collect();
        street.culprit.send(noise.into()).await;
    }
    let ended = street.culprit.ended().await;
    assert!(matches!(ended.code, Some(1002 | 1008)), "{ended:?}");
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_beyond_the_limit_ends_the_connection() {
    let street = Street::new().await;
    street.culprit.send(vec![0; 300_000].into()).await;
    let ended = street.culprit.ended().await;
    assert_eq!(ended.code, Some(1009), "{ended:?}");
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_that_lead_nowhere() {
    let street = Street::new().await;
    let app = |code: &str| JoinErrorCode::App { code: code.to_owned() };
    for (address, expected) in [
        (room("Nope/n1"), app("unknown_entity")),
        (room("Note/"), app("invalid_row_id")),
        (room("Note/a/b"), app("invalid_row_id")),
        (room("Note/ä"), app("invalid_row_id")),
        (room(&format!("Note/{}", "x".repeat(65))), app("invalid_row_id")),
        (room("/n1"), app("unknown_entity")),
        (room(""), app("invalid_row_id")),
        ((Magic::from_bytes(*b"%YJS"), RoomName::new(ROOM).unwrap()), app("unsupported_magic")),
        ((Magic::from_bytes(*b"%EPS"), RoomName::new(ROOM).unwrap()), app("unsupported_magic")),
        ((Magic::from_bytes([0, 1, 2, 3]), RoomName::new(ROOM).unwrap()), app("unsupported_magic")),
    ] {
        let what = format!("{address:?}");
        let refusal = street.culprit.try_join(address, &[], &[]).await.expect_err(&what);
        assert_eq!(refusal.code, expected, "{what}: {}", refusal.message);
    }
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_that_cannot_be_read() {
    let street = Street::new().await;
    for version in [&[0xff; 20][..], &[1], &[9, 9, 9]] {
        let refusal = street.culprit.try_join(room(ROOM), &[], version).await.expect_err("no version");
        assert!(matches!(refusal.code, JoinErrorCode::VersionUnknown { .. }), "{refusal:?}");
    }
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_without_a_valid_token() {
    let street = Street::new().await;
    let stranger = Peer::connect(street.stage.address(), None, PeerOptions::default()).await;
    let expired = street.stage.installation.expired_token("ada");
    let tampered = format!("{}x", street.stage.token());
    for auth in [&b""[..], b"garbage", &[0xff, 0xfe], expired.as_bytes(), tampered.as_bytes()] {
        for magic in [Magic::Document, Magic::Ephemeral] {
            let address = (magic, RoomName::new(ROOM).unwrap());
            let refusal: JoinRefusal = stranger.try_join(address, auth, &[]).await.expect_err("no token");
            assert_eq!(refusal.code, JoinErrorCode::AuthFailed, "{}", refusal.message);
        }
    }
    assert_eq!(stranger.change(ROOM, |doc| set(doc, "title", "theirs")).await, AckStatus::Unknown);
    // A token in the join's own auth bytes lets in.
    let token = street.stage.token().as_bytes().to_vec();
    stranger.try_join(room("Note/n2"), &token, &[]).await.expect("a valid token");
    // So does one in an `auth` message, for all joins after it.
    stranger.send_text(&format!(r#"{{"type":"auth","ref":"1","token":"{}"}}"#, street.stage.token())).await;
    let reply = loop {
        if let ServerMessage::Auth(reply) = stranger.message().await {
            break reply;
        }
    };
    assert_eq!((reply.user.as_str(), reply.reference.as_deref()), ("ada", Some("1")));
    stranger.try_join(room(ROOM), &[], &[]).await.expect("the connection's token");
    for token in ["garbage", &expired] {
        let refused = Peer::try_connect(street.stage.address(), Some(token), PeerOptions::default()).await;
        assert!(refused.is_err(), "a connection with a wrong token was taken");
    }
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_that_cannot_be_taken() {
    let street = Street::new().await;
    let copy = street.culprit.doc(ROOM).fork();
    let from = copy.oplog_vv();
    let snapshot = copy.export(ExportMode::Snapshot).unwrap();

    set(&copy, "title", "changed");
    copy.commit();
    let sound = copy.export(ExportMode::updates(&from)).unwrap();
    let between = copy.oplog_vv();
    set(&copy, "title", "changed again");
    copy.commit();
    let hanging = copy.export(ExportMode::updates(&between)).unwrap();
    let mut flipped = sound.clone();
    *flipped.last_mut().unwrap() ^= 1;

    let edited = |edit: &dyn Fn(&LoroDoc)| {
        let doc = street.culprit.doc(ROOM).fork();
        edit(&doc);
        doc.commit();
        doc.export(ExportMode::updates(&from)).unwrap()
    };
    for (what, update, status, code) in [
        ("nothing", Vec::new(), AckStatus::InvalidUpdate, ErrorCode::InvalidUpdate),
        ("noise", vec![0xa5; 400], AckStatus::InvalidUpdate, ErrorCode::InvalidUpdate),
        ("half", sound[..sound.len() / 2].to_vec(), AckStatus::InvalidUpdate, ErrorCode::InvalidUpdate),
        ("a flipped bit", flipped, AckStatus::InvalidUpdate, ErrorCode::InvalidUpdate),
        ("a snapshot", snapshot, AckStatus::InvalidUpdate, ErrorCode::SnapshotRefused),
        ("a gap", hanging, AckStatus::Unknown, ErrorCode::MissingDependencies),
        (
            "an undeclared field",
            edited(&|doc| set(doc, "nope", 1)),
            AckStatus::InvalidUpdate,
            ErrorCode::UnknownField,
        ),
        (
            "an undeclared root",
            edited(&|doc| doc.get_text("other").insert(0, "x").unwrap()),
            AckStatus::InvalidUpdate,
            ErrorCode::UnknownField,
        ),
        (
            "a wrong type",
            edited(&|doc| set(doc, "pinned", "yes")),
            AckStatus::InvalidUpdate,
            ErrorCode::InvalidValue,
        ),
        (
            "a wrong variant",
            edited(&|doc| set(doc, "color", "mauve")),
            AckStatus::InvalidUpdate,
            ErrorCode::InvalidValue,
        ),
        (
            "a text in the place of a mergeable one",
            edited(&|doc| {
                doc.get_map("row").insert_container("summary", loro::LoroText::new()).map(drop).unwrap();
            }),
            AckStatus::InvalidUpdate,
            ErrorCode::InvalidValue,
        ),
    ] {
        let batch = street.culprit.send_bytes(ROOM, update).await;
        assert_eq!(street.culprit.acked(batch).await, status, "{what}");
        let error = street.culprit_hears(code).await;
        assert_eq!((error.batch, error.room.as_deref()), (Some(batch), Some(ROOM)), "{what}");
    }
    assert_eq!(read(&street.neighbour.doc(ROOM), "title"), "mine");
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_with_any_bit_flipped() {
    let street = Street::new().await;
    let copy = street.culprit.doc(ROOM).fork();
    let from = copy.oplog_vv();
    set(&copy, "title", "changed");
    append(&copy, "body", "more");
    copy.commit();
    let sound = copy.export(ExportMode::updates(&from)).expect("a document can be exported");
    // Twelve bytes of the header mean nothing: the checksum takes four of the sixteen that it has.
    let places: Vec<usize> = (0..4).chain(16..sound.len()).collect();
    // Whoever sends too much that is no update is sent away.
    for some in places.chunks(10) {
        let culprit = street.stage.connect().await;
        culprit.join(ROOM).await;
        for place in some {
            let mut flipped = sound.clone();
            flipped[*place] ^= 1 << (place % 8);
            let batch = culprit.send_bytes(ROOM, flipped).await;
            assert_ne!(culprit.acked(batch).await, AckStatus::Ok, "byte {place} of {}", sound.len());
        }
    }
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_update_leaves_its_neighbours_in_the_same_moment_alone() {
    let street = Street::new().await;
    let from = street.culprit.doc(ROOM).oplog_vv();
    let mut batches = Vec::new();
    for number in 0..50 {
        let wrong = street.culprit.doc(ROOM).fork();
        set(&wrong, "pinned", number);
        wrong.commit();
        let refused =
            street.culprit.send_bytes(ROOM, wrong.export(ExportMode::updates(&from)).unwrap()).await;
        let taken = street.neighbour.edit(ROOM, |doc| append(doc, "body", "+")).await;
        batches.push((refused, taken));
    }
    for (refused, taken) in batches {
        assert_eq!(street.culprit.acked(refused).await, AckStatus::InvalidUpdate);
        assert_eq!(street.neighbour.acked(taken).await, AckStatus::Ok);
    }
    let row = street.stage.ada().get("/api/entities/Note/n1").await.expect(200);
    assert_eq!(row["row"]["body"], format!("text{}", "+".repeat(50)));
    assert_eq!(row["row"]["pinned"], false);
    assert_eq!(street.stage.installation.check_clean().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_a_room_that_was_not_joined() {
    let street = Street::new().await;
    let batch = street.culprit.edit("Note/n2", |doc| set(doc, "title", "sneaked in")).await;
    assert_eq!(street.culprit.acked(batch).await, AckStatus::Unknown);
    street.culprit_hears(ErrorCode::NotJoined).await;
    // A long one, in fragments, is acknowledged once.
    let batch = street.culprit.edit("Note/n2", |doc| append(doc, "body", &"x".repeat(600_000))).await;
    assert_eq!(street.culprit.acked(batch).await, AckStatus::Unknown);
    street.culprit_hears(ErrorCode::NotJoined).await;
    assert_eq!(street.stage.ada().get("/api/entities/Note/n2").await.problem(), "404 row_not_found");
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_only_servers_send() {
    let street = Street::new().await;
    for frame in [
        // JoinOk, JoinError, RoomError of Note/n1.
        "254c4f52 07 4e6f74652f6e31 01 05 7772697465 01 00 00",
        "254c4f52 07 4e6f74652f6e31 02 00 00",
        "254c4f52 07 4e6f74652f6e31 06 02 00",
    ] {
        street.culprit.send(bytes(frame)).await;
        street.culprit_hears(ErrorCode::InvalidFrame).await;
    }
    // An acknowledgement is a client's to send, and needs no answer.
    street.culprit.send(bytes("254c4f52 07 4e6f74652f6e31 08 0102030405060708 04")).await;
    street.culprit.ping().await;
    assert_eq!(street.culprit.messages(), []);
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fragments_that_do_not_belong_together() {
    let street = Street::new().await;
    let batch = BatchId([9, 0, 0, 0, 0, 0, 0, 1]);
    // A fragment without its header.
    street.culprit.send(bytes("254c4f52 07 4e6f74652f6e31 05 0900000000000001 00 01 ff")).await;
    assert_ne!(street.culprit.acked(batch).await, AckStatus::Ok);
    street.culprit.message().await;
    // A header of more bytes than may be under way: 2^40.
    let batch = BatchId([9, 0, 0, 0, 0, 0, 0, 2]);
    street.culprit.send(bytes("254c4f52 07 4e6f74652f6e31 04 0900000000000002 02 808080808020")).await;
    assert_eq!(street.culprit.acked(batch).await, AckStatus::TooLarge);
    street.culprit_hears(ErrorCode::TooLarge).await;
    street.stays_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_messages() {
    let street = Street::new().await;
    for (text, code) in [
        ("garbage", ErrorCode::InvalidJson),
        ("[]", ErrorCode::InvalidJson),
        ("{", ErrorCode::InvalidJson),
        (r#"{"type":"scribble","ref":"1"}"#, ErrorCode::UnknownMessage),
        (r#"{"type":"mutate","ref":"1"}"#, ErrorCode::InvalidValue),
        (
            r#"{"type":"mutate","ref":"1","entity":"Nope","op":"insert","fields":{}}"#,
            ErrorCode::UnknownEntity,
        ),
        (
            r#"{"type":"mutate","ref":"1","entity":"Note","op":"insert","fields":{"nope":1}}"#,
            ErrorCode::UnknownField,
        ),
        (
            r#"{"type":"mutate","ref":"1","entity":"User","op":"insert","fields":{}}"#,
            ErrorCode::RequiredField,
        ),
        (r#"{"type":"mutate","ref":"1","entity":"Note","op":"patch","fields":{}}"#, ErrorCode::InvalidRowId),
        (
            r#"{"type":"mutate","ref":"1","entity":"Note","op":"patch","id":"n9","fields":{}}"#,
            ErrorCode::RowNotFound,
        ),
        (r#"{"type":"auth","token":"garbage"}"#, ErrorCode::Unauthorized),
    ] {
        street.culprit.send_text(text).await;
        street.culprit_hears(code).await;
    }
    street.stays_quiet().await;
}
