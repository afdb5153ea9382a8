//! What is written comes back, and nothing else does.

use std::sync::Arc;

use bytes::Bytes;
use corella_manifest::EntityName;
use corella_rowdoc::{RowId, RowKey, Tenant};
use jiff::Timestamp;
use serde_json::json;

use super::{ArchiveCounts, ArchiveError, ArchiveHeader, ArchiveReader, ArchiveWriter, Piece};
use crate::port::{
    About, Account, HistoryLine, Identity, KeptDelta, KeptOutcome, KeptRow, Outcome, OutcomeKey, Reach,
    Sealed, Seq, StoredHead,
};

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

fn header() -> ArchiveHeader {
    ArchiveHeader {
        app: "notes".into(),
        fingerprint: "f".into(),
        epoch: "e".into(),
        seq: Seq(9),
        at: time(9),
    }
}

fn told(seq: i64, whole: bool) -> HistoryLine {
    let about = About { kind: "update".into(), message: Some("why".into()), ..About::default() };
    let reach = Bytes::from_static(&[1, 2]);
    let reach = if whole { Reach::Whole(reach) } else { Reach::Ends(reach) };
    HistoryLine { seq: Seq(seq), author: Some("ada".into()), at: time(seq), about, reach }
}

fn row(id: &str) -> KeptRow {
    let delta = |seq, author: Option<&str>| KeptDelta {
        seq: Seq(seq),
        delta: Sealed::new(Bytes::from(format!("delta {seq}"))),
        author: author.map(Arc::from),
        at: time(seq),
        about: author.map(|_| About {
            kind: "update".into(),
            fields: vec!["title".into()],
            ..About::default()
        }),
        ends: author.map(|_| Bytes::from_static(&[1, 9])),
    };
    KeptRow {
        key: RowKey {
            tenant: Tenant::new("acme \"ä\""),
            entity: EntityName::new("Note").expect("a name"),
            id: RowId::new(id).expect("an id"),
        },
        head: StoredHead {
            head: Seq(7),
            head_version: Bytes::from_static(&[1, 2, 3]),
            snapshot: Seq(5),
            snapshot_version: Bytes::from_static(&[1, 2]),
            deleted: true,
            mark: None,
        },
        created_at: time(1),
        snapshot: Some(Sealed::new(Bytes::from_static(&[0, 255, 10, 13]))),
        tail: vec![delta(6, Some("ada")), delta(7, None)],
        history: vec![told(4, false), told(5, true)],
    }
}

fn outcome() -> KeptOutcome {
    KeptOutcome {
        key: OutcomeKey { tenant: Tenant::none(), author: "ada".into(), key: "k".into() },
        outcome: Outcome { request: Bytes::from_static(b"r"), seq: Seq(7), answer: "{\"id\":1}".into() },
        at: time(2),
    }
}

fn account() -> Account {
    Account {
        tenant: Tenant::new("acme"),
        id: "u1".into(),
        email: Some("ada@example.com".into()),
        password: Some("$argon2id$".into()),
        identity: Some(Identity { issuer: "https://id.example.com".into(), subject: "7".into() }),
        roles: vec!["editor".into()],
        admin: false,
        disabled: true,
        created_at: time(3),
    }
}

/// A row without a snapshot, one whose snapshot is missing, one whose bytes are harmed.
fn rows() -> Vec<KeptRow> {
    let mut young = row("young");
    (young.snapshot, young.head.snapshot, young.head.snapshot_version) = (None, Seq::ZERO, Bytes::new());
    young.history.clear();
    let mut missing = row("missing");
    missing.snapshot = None;
    let mut harmed = row("harmed");
    harmed.tail[0].delta.bytes = Bytes::from_static(b"other");
    vec![row("whole"), young, missing, harmed]
}

fn written() -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new(), &header()).expect("memory takes everything");
    for row in rows() {
        let fields = json!({ "title": "for the eye" }).as_object().cloned();
        writer.row(&row, fields).expect("memory takes everything");
    }
    writer.outcome(&outcome()).expect("memory takes everything");
    writer.account(&account()).expect("memory takes everything");
    let (bytes, counts) = writer.finish().expect("memory takes everything");
    assert_eq!(counts, ArchiveCounts { rows: 4, outcomes: 1, accounts: 1 });
    bytes
}

/// All pieces up to the end, or the first error.
fn read(bytes: &[u8]) -> Result<Vec<Piece>, ArchiveError> {
    let mut reader = ArchiveReader::new(bytes)?;
    let mut pieces = Vec::new();
    loop {
        let piece = reader.next_piece()?;
        let last = matches!(piece, Piece::End(_));
        pieces.push(piece);
        if last {
            return Ok(pieces);
        }
    }
}

#[test]
fn what_is_written_comes_back() {
    let bytes = written();
    let reader = ArchiveReader::new(&bytes[..]).expect("it has a header");
    assert_eq!(reader.header(), &header());
    let mut expected: Vec<Piece> = rows().into_iter().map(Piece::Row).collect();
    expected.push(Piece::Outcome(outcome()));
    expected.push(Piece::Account(account()));
    expected.push(Piece::End(ArchiveCounts { rows: 4, outcomes: 1, accounts: 1 }));
    assert_eq!(read(&bytes).expect("it is whole"), expected);
}

#[test]
fn every_cut_is_seen() {
    let bytes = written();
    for length in 0..bytes.len() {
        let error = read(&bytes[..length]).expect_err("it is cut off");
        let first_line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or_default();
        match error {
            ArchiveError::NoArchive { .. } => assert!(length <= first_line),
            ArchiveError::CutOff { .. } => assert!(length > first_line),
            other @ (ArchiveError::Read { .. }
            | ArchiveError::Newer { .. }
            | ArchiveError::Line { .. }
            | ArchiveError::Differs { .. }) => unreachable!("{length}: {other}"),
        }
    }
}

#[test]
fn every_flipped_bit_is_seen() {
    let bytes = written();
    for offset in 0..bytes.len() {
        let mut hurt = bytes.clone();
        hurt[offset] ^= 1 << (offset % 8);
        assert!(read(&hurt).is_err(), "{offset}: {}", String::from_utf8_lossy(&hurt));
    }
}

#[test]
fn a_lost_line_is_seen() {
    let bytes = written();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for lost in 1..lines.len() - 1 {
        let rest: Vec<u8> = lines
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != lost)
            .flat_map(|(_, line)| *line)
            .copied()
            .collect();
        assert!(matches!(read(&rest), Err(ArchiveError::Differs { .. })), "line {lost}");
    }
    let swapped: Vec<u8> = [0, 2, 1, 3, 4, 5, 6, 7].iter().flat_map(|at| lines[*at]).copied().collect();
    assert!(matches!(read(&swapped), Err(ArchiveError::Differs { .. })));
    let more = [&bytes[..], b"\n"].concat();
    assert!(matches!(read(&more), Err(ArchiveError::Line { line: 9, .. })));
}

#[test]
fn a_wrong_line_can_be_passed_over() {
    let bytes = written();
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines[2] = b"{\"kind\":\"row\"}\n".to_vec();
    let bytes = lines.concat();
    let mut reader = ArchiveReader::new(&bytes[..]).expect("it has a header");
    assert!(matches!(reader.next_piece(), Ok(Piece::Row(_))));
    let error = reader.next_piece().expect_err("the line is wrong");
    assert_eq!(
        error.to_string(),
        r#"line 3: expected a JSON object that ends with its checksum, found "{\"kind\":\"row\"}""#
    );
    let mut rest = 0;
    while !matches!(reader.next_piece().expect("the others are right"), Piece::End(_)) {
        rest += 1;
    }
    assert_eq!((rest, reader.line()), (4, 8));
}

#[test]
fn what_is_no_file_of_rows_says_so() {
    let check = |text: &str| read(text.as_bytes()).expect_err("it is none").to_string();
    let expected = "expected a file of rows, whose first line says \"format\":\"corella-rows\"; ";
    assert_eq!(check(""), format!("{expected}found no whole line"));
    assert_eq!(check("id,title\n1,one\n"), format!("{expected}the first line is \"id,title\""));
    assert_eq!(
        check("{\"kind\":\"header\",\"format\":\"corella-rows\",\"version\":3}\n"),
        "the file was written by a newer Corella (format version 3, this binary knows 2); use that one"
    );
}
