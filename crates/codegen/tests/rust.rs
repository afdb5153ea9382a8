//! What is generated as Rust, compiled and used.

#[rustfmt::skip]
#[path = "generated/sample.rs"]
#[expect(dead_code, unreachable_pub, reason = "nobody uses all of it, and no other crate any of it")]
mod sample;

use sample::{
    Board, CounterStep, Edit, Int, ListStep, MapStep, NewTask, NewUser, Task, TaskPatch, TaskState, TextStep,
    task,
};
use serde_json::json;

fn read() -> Task {
    let row = json!({
        "id": "t1", "heading": "h", "state": "in progress", "type": null, "owner": "u1", "dueAt": null,
        "effort": "9223372036854775807", "weight": 0.5, "pinned": true, "blob": null, "data": { "any": [1] },
        "votes": 3, "score": 1.5, "tags": ["a"], "steps": [], "settings": { "a": 1 },
        "outline": [{ "id": "0@1", "data": { "x": 1 }, "children": [] }], "summary": "", "body": null, "page": "",
    });
    serde_json::from_value(row).expect("a row as it is read")
}

#[test]
fn rows_are_read() {
    let task = read();
    assert_eq!((task.state, task.effort, task.r#type()), (TaskState::InProgress, Int(i64::MAX), None));
    assert_eq!((task.votes, task.outline[0].data["x"].clone()), (Int(3), json!(1)));
    let board: Board =
        serde_json::from_value(json!({ "id": "b", "title": null, "value": { "any": 1 } })).expect("a row");
    assert_eq!(board.value["any"], 1);
}

impl Task {
    /// The field whose name is a keyword.
    fn r#type(&self) -> Option<&str> {
        self.type_.as_deref()
    }
}

/// A task with what every new one needs.
fn new_task() -> NewTask {
    NewTask {
        heading: "h".into(),
        state: None,
        type_: None,
        owner: None,
        due_at: None,
        effort: Int(1 << 60),
        weight: None,
        pinned: None,
        blob: None,
        data: None,
        votes: None,
        score: None,
        tags: None,
        steps: None,
        settings: None,
        outline: None,
        summary: None,
        body: None,
        page: None,
    }
}

#[test]
fn insertions_leave_out_what_they_may() {
    let sent =
        serde_json::to_value(NewTask { state: Some(TaskState::InProgress), ..new_task() }).expect("JSON");
    assert_eq!(sent, json!({ "heading": "h", "state": "in progress", "effort": "1152921504606846976" }));
    assert_eq!(serde_json::to_value(NewUser { name: "ada".into() }).expect("JSON"), json!({ "name": "ada" }));
}

#[test]
fn patches_are_operations_or_whole_values() {
    let patch = TaskPatch {
        owner: Some(None),
        votes: Some(Edit::step(CounterStep::Inc(Int(2)))),
        tags: Some(Edit::Steps(vec![ListStep::Push(json!("a")), ListStep::Move(0, 1)])),
        settings: Some(Edit::step(MapStep::Set("k".into(), json!(1)))),
        summary: Some(Edit::whole("all of it")),
        body: Some(Some(Edit::step(TextStep::Delta(vec![json!({ "insert": "x" })])))),
        ..TaskPatch::default()
    };
    assert_eq!(
        serde_json::to_value(patch).expect("JSON"),
        json!({
            "owner": null,
            "votes": { "$ops": [{ "$inc": 2 }] },
            "tags": { "$ops": [{ "$push": "a" }, { "$move": [0, 1] }] },
            "settings": { "$ops": [{ "$set": ["k", 1] }] },
            "summary": "all of it",
            "body": { "$ops": [{ "$delta": [{ "insert": "x" }] }] },
        })
    );
}

#[test]
fn queries_know_their_columns() {
    let filter = task::STATE
        .eq(TaskState::Done)
        .and(task::EFFORT.gte(3).or(task::HEADING.contains("x")))
        .and(task::OWNER.exists(true).negated())
        .and(task::TAGS.has("urgent"));
    assert_eq!(
        serde_json::to_value(filter).expect("JSON"),
        json!({ "$and": [
            { "$and": [
                { "$and": [
                    { "state": { "$eq": "done" } },
                    { "$or": [{ "effort": { "$gte": 3 } }, { "heading": { "$contains": "x" } }] },
                ] },
                { "$not": { "owner": { "$exists": true } } },
            ] },
            { "tags": { "$contains": "urgent" } },
        ] })
    );
    assert_eq!(serde_json::to_value(task::DUE_AT.descending()).expect("JSON"), json!({ "dueAt": "desc" }));
}
