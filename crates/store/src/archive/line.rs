//! The lines of a file of rows, apart from what they are made of and made into.

use std::sync::Arc;

use corella_manifest::EntityName;
use corella_rowdoc::{RowId, RowKey, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    ArchiveHeader, FORMAT, VERSION,
    encoding::{Base64, Hex, Time},
};
use crate::port::{
    About, Account, HistoryLine, Identity, KeptDelta, KeptOutcome, KeptRow, Outcome, OutcomeKey, Reach,
    Sealed, Seq, StoredHead,
};

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Line {
    Header(HeaderLine),
    Row(Box<RowLine>),
    Outcome(OutcomeLine),
    Account(AccountLine),
    End(EndLine),
}

#[derive(Serialize, Deserialize)]
pub(super) struct HeaderLine {
    pub(super) format: String,
    pub(super) version: u32,
    app: String,
    fingerprint: String,
    epoch: String,
    seq: i64,
    at: Time,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RowLine {
    tenant: String,
    entity: String,
    id: String,
    head: i64,
    version: Base64,
    deleted: bool,
    created: Time,
    snapshot: Option<SnapshotLine>,
    tail: Vec<DeltaLine>,
    /// What is told of the changes that the snapshot has swallowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<ChangeLine>,
    /// For the reader's eye; never read back.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) fields: Option<Map<String, Json>>,
}

/// A row may be said to have a snapshot whose bytes are missing; then there are none here, either.
#[derive(Serialize, Deserialize)]
struct SnapshotLine {
    seq: i64,
    version: Base64,
    #[serde(flatten)]
    sealed: Option<SealedLine>,
}

#[derive(Serialize, Deserialize)]
struct SealedLine {
    bytes: Base64,
    xxh3: Hex,
}

#[derive(Serialize, Deserialize)]
struct DeltaLine {
    seq: i64,
    author: Option<String>,
    at: Time,
    bytes: Base64,
    xxh3: Hex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    about: Option<About>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Base64>,
}

#[derive(Serialize, Deserialize)]
struct ChangeLine {
    seq: i64,
    author: Option<String>,
    at: Time,
    about: About,
    ends: Base64,
    /// Whether `ends` is the whole version.
    #[serde(default)]
    whole: bool,
}

impl From<&HistoryLine> for ChangeLine {
    fn from(line: &HistoryLine) -> Self {
        let (ends, whole) = match &line.reach {
            Reach::Whole(version) => (version, true),
            Reach::Ends(bytes) | Reach::Delta(bytes) => (bytes, false),
        };
        Self {
            seq: line.seq.0,
            author: line.author.as_deref().map(str::to_owned),
            at: Time(line.at),
            about: line.about.clone(),
            ends: Base64(ends.clone()),
            whole,
        }
    }
}

impl From<ChangeLine> for HistoryLine {
    fn from(line: ChangeLine) -> Self {
        Self {
            seq: Seq(line.seq),
            author: line.author.map(Arc::from),
            at: line.at.0,
            about: line.about,
            reach: if line.whole { Reach::Whole(line.ends.0) } else { Reach::Ends(line.ends.0) },
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct OutcomeLine {
    tenant: String,
    author: String,
    key: String,
    request: Base64,
    seq: i64,
    answer: String,
    at: Time,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AccountLine {
    tenant: String,
    id: String,
    email: Option<String>,
    /// The password's hash.
    password: Option<String>,
    identity: Option<Identity>,
    roles: Vec<String>,
    admin: bool,
    disabled: bool,
    created: Time,
}

#[derive(Serialize, Deserialize)]
pub(super) struct EndLine {
    pub(super) rows: u64,
    pub(super) outcomes: u64,
    #[serde(default)]
    pub(super) accounts: u64,
    /// The checksum of all lines before.
    pub(super) lines: Hex,
}

impl From<&ArchiveHeader> for HeaderLine {
    fn from(header: &ArchiveHeader) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            app: header.app.clone(),
            fingerprint: header.fingerprint.clone(),
            epoch: header.epoch.clone(),
            seq: header.seq.0,
            at: Time(header.at),
        }
    }
}

impl From<HeaderLine> for ArchiveHeader {
    fn from(line: HeaderLine) -> Self {
        Self {
            app: line.app,
            fingerprint: line.fingerprint,
            epoch: line.epoch,
            seq: Seq(line.seq),
            at: line.at.0,
        }
    }
}

fn sealed(sealed: &Sealed) -> SealedLine {
    SealedLine { bytes: Base64(sealed.bytes.clone()), xxh3: Hex::of_stored(sealed.checksum) }
}

fn unsealed(line: SealedLine) -> Sealed {
    Sealed { bytes: line.bytes.0, checksum: line.xxh3.stored() }
}

impl From<&KeptRow> for RowLine {
    fn from(row: &KeptRow) -> Self {
        let head = &row.head;
        let snapshot = (head.snapshot != Seq::ZERO || row.snapshot.is_some()).then(|| SnapshotLine {
            seq: head.snapshot.0,
            version: Base64(head.snapshot_version.clone()),
            sealed: row.snapshot.as_ref().map(sealed),
        });
        let delta = |entry: &KeptDelta| {
            let SealedLine { bytes, xxh3 } = sealed(&entry.delta);
            let author = entry.author.as_deref().map(str::to_owned);
            let (about, ends) = (entry.about.clone(), entry.ends.clone().map(Base64));
            DeltaLine { seq: entry.seq.0, author, at: Time(entry.at), bytes, xxh3, about, ends }
        };
        Self {
            tenant: row.key.tenant.as_str().into(),
            entity: row.key.entity.to_string(),
            id: row.key.id.as_str().into(),
            head: head.head.0,
            version: Base64(head.head_version.clone()),
            deleted: head.deleted,
            created: Time(row.created_at),
            snapshot,
            tail: row.tail.iter().map(delta).collect(),
            history: row.history.iter().map(ChangeLine::from).collect(),
            fields: None,
        }
    }
}

impl RowLine {
    /// The row; or what is wrong with its names.
    pub(super) fn into_row(self) -> Result<KeptRow, String> {
        let key = RowKey {
            tenant: Tenant::new(&self.tenant),
            entity: EntityName::new(&self.entity).map_err(|error| error.to_string())?,
            id: RowId::new(&self.id).map_err(|error| error.to_string())?,
        };
        let (snapshot, snapshot_version, bytes) = match self.snapshot {
            None => (Seq::ZERO, bytes::Bytes::new(), None),
            Some(line) => (Seq(line.seq), line.version.0, line.sealed.map(unsealed)),
        };
        let delta = |line: DeltaLine| KeptDelta {
            seq: Seq(line.seq),
            delta: unsealed(SealedLine { bytes: line.bytes, xxh3: line.xxh3 }),
            author: line.author.map(Arc::from),
            at: line.at.0,
            about: line.about,
            ends: line.ends.map(|ends| ends.0),
        };
        Ok(KeptRow {
            key,
            head: StoredHead {
                head: Seq(self.head),
                head_version: self.version.0,
                snapshot,
                snapshot_version,
                deleted: self.deleted,
                // Where it is brought in, the time for which history is kept begins anew.
                mark: None,
            },
            created_at: self.created.0,
            snapshot: bytes,
            tail: self.tail.into_iter().map(delta).collect(),
            history: self.history.into_iter().map(HistoryLine::from).collect(),
        })
    }
}

impl From<&KeptOutcome> for OutcomeLine {
    fn from(kept: &KeptOutcome) -> Self {
        Self {
            tenant: kept.key.tenant.as_str().into(),
            author: (*kept.key.author).into(),
            key: (*kept.key.key).into(),
            request: Base64(kept.outcome.request.clone()),
            seq: kept.outcome.seq.0,
            answer: kept.outcome.answer.clone(),
            at: Time(kept.at),
        }
    }
}

impl From<OutcomeLine> for KeptOutcome {
    fn from(line: OutcomeLine) -> Self {
        Self {
            key: OutcomeKey {
                tenant: Tenant::new(&line.tenant),
                author: line.author.into(),
                key: line.key.into(),
            },
            outcome: Outcome { request: line.request.0, seq: Seq(line.seq), answer: line.answer },
            at: line.at.0,
        }
    }
}

impl From<&Account> for AccountLine {
    fn from(account: &Account) -> Self {
        Self {
            tenant: account.tenant.as_str().into(),
            id: (*account.id).into(),
            email: account.email.clone(),
            password: account.password.clone(),
            identity: account.identity.clone(),
            roles: account.roles.clone(),
            admin: account.admin,
            disabled: account.disabled,
            created: Time(account.created_at),
        }
    }
}

impl From<AccountLine> for Account {
    fn from(line: AccountLine) -> Self {
        Self {
            tenant: Tenant::new(&line.tenant),
            id: line.id.into(),
            email: line.email,
            password: line.password,
            identity: line.identity,
            roles: line.roles,
            admin: line.admin,
            disabled: line.disabled,
            created_at: line.created.0,
        }
    }
}
