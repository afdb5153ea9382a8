use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

const LIMITS: ReassemblyLimits = ReassemblyLimits {
    max_bytes: 1_000,
    max_batches: 2,
    max_fragments: 10,
    timeout: Duration::from_secs(10),
};

fn room() -> RoomName {
    RoomName::new("Note/1").expect("short")
}

fn id(number: u8) -> BatchId {
    BatchId([number; 8])
}

enum Step {
    Header(u8, u64, u64),
    Fragment(u8, u64, &'static [u8]),
    Refuse(u8),
    Leave,
    Wait(u64),
}
use Step::{Fragment, Header, Leave, Refuse, Wait};

/// What each step leads to, one line each.
fn check(steps: &[Step]) -> String {
    let mut reassembler = Reassembler::new(LIMITS);
    let mut now = Instant::now();
    let mut lines = Vec::new();
    for step in steps {
        let line = match step {
            Header(batch, count, total) => {
                match reassembler.begin(Magic::Document, &room(), id(*batch), *count, *total, now) {
                    Ok(()) => "begun".to_owned(),
                    Err(error) => format!("{:?}: {error}", error.status()),
                }
            }
            Fragment(batch, index, chunk) => {
                match reassembler.accept(Magic::Document, &room(), id(*batch), *index, chunk, now) {
                    Ok(progress) => format!("{progress:?}"),
                    Err(error) => format!("{:?}: {error}", error.status()),
                }
            }
            Refuse(batch) => {
                reassembler.refuse(Magic::Document, &room(), id(*batch));
                "refused".to_owned()
            }
            Leave => {
                reassembler.leave(Magic::Document, &room());
                "left".to_owned()
            }
            Wait(seconds) => {
                now += Duration::from_secs(*seconds);
                format!("expired {:?}", reassembler.expire(now))
            }
        };
        lines.push(format!("{line} ({} bytes)", reassembler.declared_bytes()));
    }
    lines.join("\n")
}

#[test]
fn fragments_join_in_any_order() {
    assert_snapshot!(check(&[Header(1, 3, 6), Fragment(1, 0, b"ab"), Fragment(1, 1, b"cd"), Fragment(1, 2, b"ef")]), @r#"
        begun (6 bytes)
        Waiting (6 bytes)
        Waiting (6 bytes)
        Complete(b"abcdef") (0 bytes)
        "#);
    assert_snapshot!(check(&[Header(1, 3, 6), Fragment(1, 2, b"f"), Fragment(1, 1, b"bcd"), Fragment(1, 0, b"ae")]), @r#"
        begun (6 bytes)
        Waiting (6 bytes)
        Waiting (6 bytes)
        Complete(b"aebcdf") (0 bytes)
        "#);
}

#[test]
fn headers_are_bounded() {
    assert_snapshot!(check(&[Header(1, 1, 1_001)]), @"TooLarge: expected an update of at most 1000 bytes, found a header of 1001 bytes (0 bytes)");
    assert_snapshot!(check(&[Header(1, 1, u64::MAX)]), @"TooLarge: expected an update of at most 1000 bytes, found a header of 18446744073709551615 bytes (0 bytes)");
    assert_snapshot!(check(&[Header(1, 11, 1_000)]), @"TooLarge: expected at most 10 fragments of one update, found a header of 11 (0 bytes)");
    assert_snapshot!(check(&[Header(1, 0, 0)]), @"InvalidUpdate: expected fragments of 1 to 262144 bytes, found a header of 0 for 0 bytes (0 bytes)");
    assert_snapshot!(check(&[Header(1, 3, 2)]), @"InvalidUpdate: expected fragments of 1 to 262144 bytes, found a header of 3 for 2 bytes (0 bytes)");
    assert_snapshot!(check(&[Header(1, 1, 600), Header(2, 1, 600)]), @"
        begun (600 bytes)
        RateLimited: expected at most 1000 bytes under way, found 1200: wait for acknowledgements (600 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 1, 1), Header(2, 1, 1), Header(3, 1, 1)]), @"
        begun (1 bytes)
        begun (2 bytes)
        RateLimited: expected at most 2 batches under way, found one more: wait for acknowledgements (2 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 1, 1), Header(1, 1, 1)]), @"
        begun (1 bytes)
        InvalidUpdate: expected a new batch id, found that of a batch under way (0 bytes)
        ");
}

#[test]
fn more_bytes_than_so_many_fragments_can_carry_are_refused() {
    let mut reassembler = Reassembler::new(ReassemblyLimits::default());
    let total = wide(MAX_FRAME_BYTES) * 2 + 1;
    let now = Instant::now();
    let begun = reassembler.begin(Magic::Document, &room(), id(1), 2, total, now);
    assert_eq!(begun, Err(ReassemblyError::InconsistentHeader { count: 2, total_bytes: total }));
    assert_eq!(reassembler.begin(Magic::Document, &room(), id(1), 3, total, now), Ok(()));
}

#[test]
fn fragments_are_checked_against_their_header() {
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, 2, b"ab")]), @"
        begun (4 bytes)
        InvalidUpdate: expected an index below 2, found 2 (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, u64::MAX, b"ab")]), @"
        begun (4 bytes)
        InvalidUpdate: expected an index below 2, found 18446744073709551615 (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, 0, b"ab"), Fragment(1, 0, b"ab")]), @"
        begun (4 bytes)
        Waiting (4 bytes)
        InvalidUpdate: expected each fragment once, found number 0 again (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, 1, b"ab"), Fragment(1, 1, b"ab")]), @"
        begun (4 bytes)
        Waiting (4 bytes)
        InvalidUpdate: expected each fragment once, found number 1 again (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, 0, b"")]), @"
        begun (4 bytes)
        InvalidUpdate: expected at least one byte in a fragment, found number 0 empty (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, 0, b"abcde")]), @"
        begun (4 bytes)
        InvalidUpdate: expected fragments of 4 bytes in all, found 5 (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, 0, b"a"), Fragment(1, 1, b"b")]), @"
        begun (4 bytes)
        Waiting (4 bytes)
        InvalidUpdate: expected fragments of 4 bytes in all, found 2 (0 bytes)
        ");
}

#[test]
fn a_batch_is_refused_once() {
    assert_snapshot!(check(&[Fragment(1, 0, b"ab"), Fragment(1, 1, b"ab")]), @"
        FragmentTimeout: expected the header of the batch before its fragments, found none, or it has timed out (0 bytes)
        Ignored (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 1, 9_999), Fragment(1, 0, b"ab")]), @"
        TooLarge: expected an update of at most 1000 bytes, found a header of 9999 bytes (0 bytes)
        Ignored (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 1, 2), Refuse(1), Fragment(1, 0, b"ab")]), @"
        begun (2 bytes)
        refused (0 bytes)
        Ignored (0 bytes)
        ");
    assert_snapshot!(check(&[Header(1, 1, 2), Fragment(1, 0, b"ab"), Fragment(1, 0, b"ab")]), @r#"
        begun (2 bytes)
        Complete(b"ab") (0 bytes)
        Ignored (0 bytes)
        "#);
    assert_snapshot!(check(&[Header(1, 2, 4), Fragment(1, 0, b"ab"), Leave, Fragment(1, 1, b"cd")]), @"
        begun (4 bytes)
        Waiting (4 bytes)
        left (0 bytes)
        Ignored (0 bytes)
        ");
}

#[test]
fn a_batch_without_progress_expires_and_may_be_sent_again() {
    assert_snapshot!(check(&[Header(1, 2, 4), Wait(9), Fragment(1, 0, b"ab"), Wait(9), Wait(1), Fragment(1, 1, b"cd")]), @r#"
        begun (4 bytes)
        expired [] (4 bytes)
        Waiting (4 bytes)
        expired [] (4 bytes)
        expired [(%LOR, "Note/1", 0101010101010101)] (0 bytes)
        Ignored (0 bytes)
        "#);
    assert_snapshot!(check(&[Header(1, 1, 2), Wait(10), Header(1, 1, 2), Fragment(1, 0, b"ab")]), @r#"
        begun (2 bytes)
        expired [(%LOR, "Note/1", 0101010101010101)] (0 bytes)
        begun (2 bytes)
        Complete(b"ab") (0 bytes)
        "#);
}

#[test]
fn the_next_deadline_is_that_of_the_batch_waiting_longest() {
    let start = Instant::now();
    let mut reassembler = Reassembler::new(LIMITS);
    assert_eq!(reassembler.next_deadline(), None);
    for number in [1, 2] {
        let now = start + Duration::from_secs(u64::from(number));
        reassembler.begin(Magic::Document, &room(), id(number), 1, 1, now).expect("two batches are allowed");
    }
    assert_eq!(reassembler.next_deadline(), Some(start + Duration::from_secs(11)));
}

#[test]
fn rooms_of_another_kind_or_name_are_other_batches() {
    let mut reassembler = Reassembler::new(LIMITS);
    let now = Instant::now();
    reassembler.begin(Magic::Document, &room(), id(1), 1, 1, now).expect("within limits");
    let presence = reassembler.accept(Magic::Ephemeral, &room(), id(1), 0, b"a", now);
    assert_eq!(presence, Err(ReassemblyError::UnknownBatch));
    let document = reassembler.accept(Magic::Document, &room(), id(1), 0, b"a", now);
    assert_eq!(document, Ok(Progress::Complete(Bytes::from_static(b"a"))));
}

proptest! {
    /// Whatever the pieces and their order, they join to the update, in no more memory than it takes.
    #[test]
    fn any_cut_in_any_order_joins_to_the_update(
        (pieces, order) in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..90), 1..10)
            .prop_flat_map(|pieces| {
                let order: Vec<usize> = (0..pieces.len()).collect();
                (Just(pieces), Just(order).prop_shuffle())
            })
    ) {
        let update = pieces.concat();
        let mut reassembler = Reassembler::new(LIMITS);
        let now = Instant::now();
        reassembler
            .begin(Magic::Document, &room(), id(1), wide(pieces.len()), wide(update.len()), now)
            .expect("within limits");
        let (last, first) = order.split_last().expect("there is a piece");
        for index in first {
            let progress =
                reassembler.accept(Magic::Document, &room(), id(1), wide(*index), &pieces[*index], now);
            prop_assert_eq!(progress, Ok(Progress::Waiting));
            let batch = reassembler.batches.values().next().expect("one is under way");
            let early: usize = batch.early.values().map(|chunk| chunk.len()).sum();
            prop_assert!(batch.joined.capacity() <= update.len());
            prop_assert_eq!(batch.joined.len() + early, batch.received_bytes);
        }
        let progress = reassembler.accept(Magic::Document, &room(), id(1), wide(*last), &pieces[*last], now);
        prop_assert_eq!(progress, Ok(Progress::Complete(update.into())));
        prop_assert_eq!(reassembler.declared_bytes(), 0);
    }

    /// Whatever is sent, nothing panics, the limits hold, and the sums are right.
    #[test]
    fn any_steps_keep_the_limits(
        steps in prop::collection::vec((0_u8..4, 0_u64..4, 0_u64..700, 0_usize..300, 0_u64..4), 0..80)
    ) {
        let mut reassembler = Reassembler::new(LIMITS);
        let mut now = Instant::now();
        for (batch, number, total, length, wait) in steps {
            now += Duration::from_secs(wait);
            reassembler.expire(now);
            if length < 100 {
                let _ = reassembler.begin(Magic::Document, &room(), id(batch), number, total, now);
            } else {
                let chunk = vec![batch; length - 100];
                let _ = reassembler.accept(Magic::Document, &room(), id(batch), number, &chunk, now);
            }
            let declared: usize = reassembler.batches.values().map(|batch| batch.total_bytes).sum();
            prop_assert_eq!(declared, reassembler.declared_bytes());
            prop_assert!(declared <= LIMITS.max_bytes);
            prop_assert!(reassembler.batches.len() <= LIMITS.max_batches);
            prop_assert!(reassembler.settled.len() <= REMEMBERED_BATCHES);
            for batch in reassembler.batches.values() {
                prop_assert!(batch.received_bytes <= batch.total_bytes);
            }
        }
    }
}
