//! Rows that name others.

use std::sync::Arc;

use corella_manifest::Value;
use corella_query::QueryTexts;
use corella_rowdoc::{Projection, RowKey};
use corella_store::port::{ChangeKind, Reference, RowWrite, Seq, Unit, UnitOutcome};

use super::{
    Subject,
    rows::{
        commit, ids, key, key_of, manifest, notes, put, seqs, shape, text, unit, values, write_of, write_slug,
    },
};

const TASKS: &str = r#"[
    { "name": "title", "type": "string" },
    { "name": "project", "type": "id(Project)", "optional": true }
]"#;
const PROJECTS: &str = r#"[{ "name": "title", "type": "string" }]"#;

fn task(id: &str, known: Seq, project: Option<&str>) -> RowWrite {
    let project = project.map_or(Value::Null, text);
    write_of(key_of("", "Task", id), known, id, vec![text("t"), project])
}

fn project(id: &str) -> RowWrite {
    write_of(key_of("", "Project", id), Seq::ZERO, id, vec![text("p")])
}

fn deleted(write: RowWrite, known_head: Seq) -> RowWrite {
    let projection = Arc::new(Projection { deleted: true, values: write.projection.values.clone() });
    RowWrite { known_head, projection, kind: ChangeKind::Delete, ..write }
}

fn naming(task: &str, project: RowKey) -> Reference {
    let field = corella_manifest::FieldName::new("project").expect("a field's name");
    Reference { holder: key_of(project.tenant.as_str(), "Task", task), field, target: project }
}

fn with(writes: Vec<RowWrite>, references: Vec<Reference>) -> Unit {
    Unit { references, ..unit(writes) }
}

pub(super) async fn a_row_names_one_that_is_there(Subject { backend, keep: _keep, .. }: Subject) {
    let backend = &*backend;
    shape(backend, &manifest(&[("Task", TASKS, ""), ("Project", PROJECTS, "")])).await;
    let (p1, p2) = (key_of("", "Project", "p1"), key_of("", "Project", "p2"));
    let elsewhere = RowKey { tenant: corella_rowdoc::Tenant::new("acme"), ..p1.clone() };
    put(backend, RowWrite { key: elsewhere, ..project("p1") }).await;
    let units = [
        // Only another tenant has it.
        with(vec![task("t1", Seq::ZERO, Some("p1"))], vec![naming("t1", p1.clone())]),
        // It comes with it, whichever is written first.
        with(vec![project("p1"), task("t2", Seq::ZERO, Some("p1"))], vec![naming("t2", p1.clone())]),
        // It came before, in the same commit.
        with(vec![task("t3", Seq::ZERO, Some("p1"))], vec![naming("t3", p1.clone())]),
        with(vec![task("t4", Seq::ZERO, Some("p2"))], vec![naming("t4", p2.clone())]),
        unit(vec![project("p2")]),
    ];
    let outcomes = commit(backend, &units).await;
    let UnitOutcome::Dangling(first) = &outcomes[0] else { unreachable!("{outcomes:?}") };
    assert_eq!(*first, naming("t1", p1.clone()));
    assert!(matches!(&outcomes[3], UnitOutcome::Dangling(missing) if missing.target == p2), "{outcomes:?}");
    let heads: Vec<Vec<Seq>> = [1, 2, 4].iter().map(|place| seqs(&outcomes[*place])).collect();
    for id in ["t1", "t4"] {
        let head = backend.head(&key_of("", "Task", id)).await.expect("reads go through");
        assert_eq!(head, None, "{id} was written");
    }
    // A row that is deleted is not there.
    let gone = put(backend, deleted(project("p2"), heads[2][0])).await;
    let outcomes =
        commit(backend, &[with(vec![task("t4", Seq::ZERO, Some("p2"))], vec![naming("t4", p2.clone())])])
            .await;
    assert!(matches!(&outcomes[0], UnitOutcome::Dangling(_)), "{outcomes:?}");
    // Nor is one that goes in the same unit, or before in the same commit.
    let back = RowWrite { kind: ChangeKind::Restore, known_head: gone, ..project("p2") };
    let head = put(backend, back).await;
    let going = with(
        vec![deleted(project("p2"), head), task("t4", Seq::ZERO, Some("p2"))],
        vec![naming("t4", p2.clone())],
    );
    let outcomes = commit(backend, &[going]).await;
    assert!(matches!(&outcomes[0], UnitOutcome::Dangling(_)), "{outcomes:?}");
}

pub(super) async fn a_row_that_is_named_stays(Subject { backend, keep: _keep, .. }: Subject) {
    let backend = &*backend;
    shape(backend, &manifest(&[("Task", TASKS, ""), ("Project", PROJECTS, "")])).await;
    let p1 = put(backend, project("p1")).await;
    let t1 = put(backend, task("t1", Seq::ZERO, Some("p1"))).await;
    let t2 = put(backend, task("t2", Seq::ZERO, Some("p1"))).await;
    let elsewhere = RowWrite { key: key_of("acme", "Task", "t9"), ..task("t9", Seq::ZERO, Some("p2")) };
    put(backend, elsewhere).await;
    let p2 = put(backend, project("p2")).await;

    let delete_p1 = || deleted(project("p1"), p1);
    let outcomes = commit(
        backend,
        &[
            unit(vec![delete_p1()]),
            // One of two lets go of it.
            unit(vec![delete_p1(), task("t1", t1, None)]),
            // Named by a row of another tenant only.
            unit(vec![deleted(project("p2"), p2)]),
        ],
    )
    .await;
    let UnitOutcome::Held(held) = &outcomes[0] else { unreachable!("{outcomes:?}") };
    assert_eq!(
        (held.holder.entity.as_str(), held.field.as_str(), held.target.id.as_str()),
        ("Task", "project", "p1")
    );
    let UnitOutcome::Held(held) = &outcomes[1] else { unreachable!("{outcomes:?}") };
    assert_eq!(held.holder.id.as_str(), "t2");
    seqs(&outcomes[2]);
    let head = backend.head(&key_of("", "Task", "t1")).await.expect("reads go through");
    assert_eq!(head.map(|head| head.head), Some(t1), "the refused unit left something");

    // A row that comes to name it earlier in the same commit holds it; one that lets go of it frees it.
    let outcomes = commit(
        backend,
        &[
            with(vec![task("t3", Seq::ZERO, Some("p1"))], vec![naming("t3", key_of("", "Project", "p1"))]),
            unit(vec![delete_p1(), deleted(task("t1", t1, Some("p1")), t1), task("t2", t2, None)]),
        ],
    )
    .await;
    let t3 = seqs(&outcomes[0])[0];
    assert!(
        matches!(&outcomes[1], UnitOutcome::Held(held) if held.holder.id.as_str() == "t3"),
        "{outcomes:?}"
    );
    let outcomes = commit(
        backend,
        &[
            unit(vec![task("t3", t3, None)]),
            unit(vec![delete_p1(), deleted(task("t1", t1, Some("p1")), t1), task("t2", t2, None)]),
        ],
    )
    .await;
    assert_eq!(seqs(&outcomes[1]).len(), 3);
}

pub(super) async fn a_unique_value_passes_within_a_unit(Subject { backend, keep: _keep, .. }: Subject) {
    let backend = &*backend;
    shape(backend, &notes()).await;
    let one = put(backend, write_slug("n1", Seq::ZERO, "a")).await;
    let other = put(backend, write_slug("n2", Seq::ZERO, "b")).await;
    let swap = unit(vec![write_slug("n1", one, "b"), write_slug("n2", other, "a")]);
    let heads = seqs(&commit(backend, &[swap]).await[0]);
    let taken = unit(vec![write_slug("n1", heads[0], "c"), write_slug("n2", heads[1], "c")]);
    let outcomes = commit(backend, &[taken]).await;
    assert!(matches!(&outcomes[0], UnitOutcome::NotUnique { .. }), "{outcomes:?}");
    let asked = QueryTexts { where_: Some(r#"{"slug":"b"}"#), ..QueryTexts::default() };
    assert_eq!(ids(backend, asked).await, ["n1"]);
    // What was taken back holds nothing.
    put(backend, write_of(key("n3"), Seq::ZERO, "d", values("t", Some("c"), 0))).await;
}
