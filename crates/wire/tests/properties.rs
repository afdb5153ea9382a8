//! What holds for all frames, and for all bytes that are none.

use bytes::Bytes;
use corella_wire::{
    AckStatus, BatchId, Envelope, Frame, JoinErrorCode, MAX_CHUNK_BYTES, MAX_FRAME_BYTES, Magic, Permission,
    Progress, Reassembler, ReassemblyLimits, RoomErrorCode, RoomName, decode, encode, encode_update,
};
use proptest::prelude::*;

fn payload() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,60}"
}

fn batch() -> impl Strategy<Value = BatchId> {
    any::<[u8; 8]>().prop_map(BatchId)
}

fn join_error_code() -> impl Strategy<Value = JoinErrorCode> {
    prop_oneof![
        Just(JoinErrorCode::Unknown),
        payload().prop_map(|version| JoinErrorCode::VersionUnknown { version }),
        Just(JoinErrorCode::AuthFailed),
        text().prop_map(|code| JoinErrorCode::App { code }),
    ]
}

fn status() -> impl Strategy<Value = AckStatus> {
    prop::sample::select(vec![
        AckStatus::Ok,
        AckStatus::Unknown,
        AckStatus::PermissionDenied,
        AckStatus::InvalidUpdate,
        AckStatus::TooLarge,
        AckStatus::RateLimited,
        AckStatus::FragmentTimeout,
        AckStatus::App,
    ])
}

fn frame() -> impl Strategy<Value = Frame> {
    let permission = prop::sample::select(vec![Permission::Read, Permission::Write]);
    let room_error = prop::sample::select(vec![
        RoomErrorCode::RejoinSuggested,
        RoomErrorCode::Evicted,
        RoomErrorCode::Unknown,
    ]);
    let updates = prop::collection::vec(payload(), 0..20);
    prop_oneof![
        (payload(), payload()).prop_map(|(auth, version)| Frame::JoinRequest { auth, version }),
        (permission, payload(), payload()).prop_map(|(permission, version, extra)| Frame::JoinOk {
            permission,
            version,
            extra
        }),
        (join_error_code(), text()).prop_map(|(code, message)| Frame::JoinError { code, message }),
        (updates, batch()).prop_map(|(updates, batch)| Frame::DocUpdate { updates, batch }),
        (batch(), any::<u64>(), any::<u64>()).prop_map(|(batch, count, total_bytes)| Frame::FragmentHeader {
            batch,
            count,
            total_bytes
        }),
        (batch(), any::<u64>(), payload()).prop_map(|(batch, index, chunk)| Frame::Fragment {
            batch,
            index,
            chunk
        }),
        (room_error, text()).prop_map(|(code, message)| Frame::RoomError { code, message }),
        Just(Frame::Leave),
        (batch(), status()).prop_map(|(batch, status)| Frame::Ack { batch, status }),
    ]
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let magic =
        prop_oneof![prop::sample::select(vec![*b"%LOR", *b"%EPH", *b"%EPS", *b"%YJS"]), any::<[u8; 4]>(),]
            .prop_map(Magic::from_bytes);
    let room = "\\PC{0,30}".prop_map(|text| RoomName::new(&text).expect("30 characters of up to 4 bytes"));
    (magic, room, frame()).prop_map(|(magic, room, frame)| Envelope { magic, room, frame })
}

/// Bytes that decode must decode to the same again once written.
fn check_settles(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    if let Ok(envelope) = decode(bytes.into()) {
        prop_assert_eq!(decode(encode(&envelope)), Ok(envelope));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_024))]

    #[test]
    fn a_frame_decodes_to_what_was_encoded(envelope in envelope()) {
        prop_assert_eq!(decode(encode(&envelope)), Ok(envelope));
    }

    /// Of a JoinError, the end may be left out: stock clients do.
    #[test]
    fn a_frame_cut_short_is_refused(envelope in envelope(), keep in any::<prop::sample::Index>()) {
        let bytes = encode(&envelope);
        let cut = decode(bytes.slice(..keep.index(bytes.len())));
        prop_assert!(cut.is_err() || matches!(envelope.frame, Frame::JoinError { .. }), "{:?}", cut);
    }

    #[test]
    fn a_frame_with_more_behind_it_is_refused(envelope in envelope(), more in prop::collection::vec(any::<u8>(), 1..9)) {
        let bytes = [&encode(&envelope)[..], &more].concat();
        let outcome = decode(bytes.into());
        prop_assert!(outcome.is_err(), "{:?}", outcome);
    }

    #[test]
    fn mutated_frames_never_panic(
        envelope in envelope(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let mut bytes = encode(&envelope).to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check_settles(bytes)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check_settles(bytes)?;
    }

    #[test]
    fn arbitrary_payloads_never_panic(
        number in 0_u8..10, payload in prop::collection::vec(any::<u8>(), 0..60)
    ) {
        check_settles([b"%LOR\x01r", &[number][..], &payload].concat())?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever their lengths, updates arrive whole, in order, in frames within the limit.
    #[test]
    fn packed_updates_arrive_in_order(
        lengths in prop::collection::vec(
            prop_oneof![0..300_usize, 0..MAX_CHUNK_BYTES + 3, MAX_CHUNK_BYTES - 2..3 * MAX_CHUNK_BYTES],
            0..6,
        ),
        room in "\\PC{0,30}",
    ) {
        let room = RoomName::new(&room).expect("30 characters of up to 4 bytes");
        let updates: Vec<Bytes> =
            (0_u8..).zip(&lengths).map(|(byte, length)| Bytes::from(vec![byte; *length])).collect();
        let mut batches = 0_u64;
        let frames = encode_update(Magic::Document, &room, &updates, || {
            batches += 1;
            BatchId(batches.to_be_bytes())
        });
        let now = std::time::Instant::now();
        let mut reassembler = Reassembler::new(ReassemblyLimits::default());
        let mut arrived = Vec::new();
        for bytes in frames {
            prop_assert!(bytes.len() <= MAX_FRAME_BYTES);
            let envelope = decode(bytes).expect("what is packed decodes");
            match envelope.frame {
                Frame::DocUpdate { updates, .. } => arrived.extend(updates),
                Frame::FragmentHeader { batch, count, total_bytes } => reassembler
                    .begin(envelope.magic, &envelope.room, batch, count, total_bytes, now)
                    .expect("within limits"),
                Frame::Fragment { batch, index, chunk } => {
                    prop_assert!(chunk.len() <= MAX_CHUNK_BYTES);
                    let progress = reassembler
                        .accept(envelope.magic, &envelope.room, batch, index, &chunk, now)
                        .expect("within limits");
                    if let Progress::Complete(update) = progress {
                        arrived.push(update);
                    }
                }
                Frame::JoinRequest { .. }
                | Frame::JoinOk { .. }
                | Frame::JoinError { .. }
                | Frame::RoomError { .. }
                | Frame::Leave
                | Frame::Ack { .. } => prop_assert!(false, "unexpected {:?}", envelope.frame),
            }
        }
        prop_assert_eq!(arrived, updates);
    }
}
