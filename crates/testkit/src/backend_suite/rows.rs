//! The rows that the suite writes.

use std::sync::Arc;

use bytes::Bytes;
use corella_manifest::{EntityName, Manifest, Value};
use corella_query::{Query, QueryTexts};
use corella_rowdoc::{Projection, RowId, RowKey, Tenant};
use corella_store::{
    port::{
        About, Backend, ChangeKind, OutcomeKey, OutcomeWrite, RowWrite, Selected, Seq, Unit, UnitOutcome,
    },
    schema::{self, Consent},
};
use jiff::Timestamp;

/// A note's title, slug and stars; the slug is unique.
pub(super) const NOTES: &str = r#"[
    { "name": "title", "type": "string" },
    { "name": "slug", "type": "string", "optional": true, "unique": true },
    { "name": "stars", "type": "int", "optional": true }
]"#;

/// A manifest of these entities, each a name, its fields, and more of its keys.
pub(super) fn manifest(entities: &[(&str, &str, &str)]) -> Manifest {
    let entities: Vec<String> = entities
        .iter()
        .map(|(name, fields, more)| format!(r#"{{"name":"{name}","fields":{fields}{more}}}"#))
        .collect();
    let text = format!(
        r#"{{"manifest_version":1,"name":"suite","version":"1.0.0","entities":[{}]}}"#,
        entities.join(",")
    );
    Manifest::parse(&text).expect("the suite's manifest is right").manifest
}

/// The suite's usual manifest: `Note` alone.
pub(super) fn notes() -> Manifest {
    manifest(&[("Note", NOTES, "")])
}

/// Brings the tables to `manifest`; says what has to be filled again.
pub(super) async fn shape(backend: &dyn Backend, manifest: &Manifest) -> Vec<String> {
    let plan = schema::bring(backend, manifest, Consent::Destructive).await;
    let plan = plan.expect("the tables can be brought to the manifest");
    plan.fill.iter().map(ToString::to_string).collect()
}

pub(super) fn key_of(tenant: &str, entity: &str, id: &str) -> RowKey {
    RowKey {
        tenant: Tenant::new(tenant),
        entity: EntityName::new(entity).expect("an entity's name"),
        id: RowId::new(id).expect("a row's id"),
    }
}

/// A note without a tenant.
pub(super) fn key(id: &str) -> RowKey {
    key_of("", "Note", id)
}

/// A write of any row.
pub(super) fn write_of(key: RowKey, known_head: Seq, delta: &str, values: Vec<Value>) -> RowWrite {
    RowWrite {
        key,
        known_head,
        delta: Bytes::copy_from_slice(delta.as_bytes()),
        version: Bytes::from(format!("version of {delta}")),
        projection: Arc::new(Projection { deleted: false, values }),
        kind: if known_head == Seq::ZERO { ChangeKind::Insert } else { ChangeKind::Update },
        author: Some("ada".into()),
        about: About { kind: "update".into(), message: Some(delta.into()), ..About::default() },
        ends: Bytes::from(format!("ends of {delta}")),
        late: false,
    }
}

/// A note's columns.
pub(super) fn values(title: &str, slug: Option<&str>, stars: i64) -> Vec<Value> {
    vec![text(title), slug.map_or(Value::Null, text), Value::Int(stars)]
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A note's write; its delta is called after its title.
pub(super) fn write(id: &str, known_head: Seq, title: &str) -> RowWrite {
    write_of(key(id), known_head, title, values(title, None, 0))
}

/// A note's write with a slug.
pub(super) fn write_slug(id: &str, known_head: Seq, slug: &str) -> RowWrite {
    write_of(key(id), known_head, slug, values("t", Some(slug), 0))
}

pub(super) fn unit(writes: Vec<RowWrite>) -> Unit {
    Unit { writes, references: Vec::new(), outcomes: Vec::new(), at: Timestamp::UNIX_EPOCH }
}

pub(super) fn outcome_key(author: &str, key: &str) -> OutcomeKey {
    OutcomeKey { tenant: Tenant::none(), author: author.into(), key: key.into() }
}

pub(super) fn outcome(key: OutcomeKey, answer: &str) -> OutcomeWrite {
    OutcomeWrite { key, request: Bytes::from_static(b"request"), answer: answer.to_owned() }
}

/// Commits these units.
pub(super) async fn commit(backend: &dyn Backend, units: &[Unit]) -> Vec<UnitOutcome> {
    let outcomes = backend.commit(units).await.expect("the commit goes through");
    assert_eq!(outcomes.len(), units.len(), "each unit has its outcome");
    outcomes
}

/// Commits one write, which has to be taken; says its place.
pub(super) async fn put(backend: &dyn Backend, write: RowWrite) -> Seq {
    seqs(&commit(backend, &[unit(vec![write])]).await[0])[0]
}

/// The places of a unit that was committed.
pub(super) fn seqs(outcome: &UnitOutcome) -> Vec<Seq> {
    match outcome {
        UnitOutcome::Committed(seqs) => seqs.clone(),
        other @ (UnitOutcome::Stale(_)
        | UnitOutcome::NotUnique { .. }
        | UnitOutcome::Dangling(_)
        | UnitOutcome::Held(_)
        | UnitOutcome::KeyUsed
        | UnitOutcome::Unfit { .. }) => {
            unreachable!("the unit was not committed: {other:?}")
        }
    }
}

/// What stands in an entity's table: each row's id and columns, found by a query.
pub(super) async fn select(
    backend: &dyn Backend,
    manifest: &Manifest,
    entity: &str,
    tenant: &str,
    texts: QueryTexts<'_>,
) -> Selected {
    let parts = texts.read().expect("the suite's queries are right");
    let query = Query::parse(manifest, entity, parts).expect("the suite's queries are right");
    let entity = manifest.entity(entity).expect("the suite's queries are right");
    let statement = query.to_statement(backend.dialect(), tenant);
    backend.select(entity, statement).await.expect("the query goes through")
}

/// The ids that a query of `Note` finds.
pub(super) async fn ids(backend: &dyn Backend, texts: QueryTexts<'_>) -> Vec<String> {
    let found = select(backend, &notes(), "Note", "", texts).await;
    found.rows.iter().map(|row| row.id().to_owned()).collect()
}

/// A note's delta entries, oldest first.
pub(super) async fn tail(backend: &dyn Backend, key: &RowKey) -> Vec<(Seq, String)> {
    let row = backend.load(key).await.expect("the row can be loaded").expect("the row is there");
    let entries = row.tail.into_iter();
    entries.map(|entry| (entry.seq, String::from_utf8_lossy(&entry.delta).into_owned())).collect()
}
