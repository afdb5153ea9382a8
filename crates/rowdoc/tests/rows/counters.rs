//! Counters: increments add up, exactly.

use corella_manifest::Value;
use corella_rowdoc::{PeerId, RowDoc};
use serde_json::{Value as Json, json};

use crate::support::{
    Client, json, kinds, kinds_refused, meet, new_kinds, object, patch_refused, patched, replica,
};

#[test]
fn values_and_increments() {
    let mut row = new_kinds();
    assert_eq!((json(&row, "likes"), json(&row, "score")), (json!(0), Json::Null));
    assert_eq!(patched(&mut row, "likes", json!({"$inc": 5})), 5);
    assert_eq!(patched(&mut row, "likes", json!({"$ops": [{"$inc": -2}, {"$inc": 4}]})), 7);
    assert_eq!(patched(&mut row, "likes", json!(3)), 3);
    assert_eq!(patched(&mut row, "likes", json!({"$value": 4})), 4);
    assert_eq!(patched(&mut row, "score", json!({"$inc": 0.1})), 0.1);
    assert_eq!(patched(&mut row, "score", json!(2)), 2.0);
    assert_eq!(patched(&mut row, "score", json!(null)), 0.0);
    let version = row.version();
    patched(&mut row, "likes", json!(4));
    patched(&mut row, "likes", json!({"$inc": 0}));
    assert_eq!(row.version(), version, "what changes nothing makes no operation");
}

#[test]
fn concurrent_increments_add_up() {
    let mut one = new_kinds();
    let mut two = replica(&one, 2);
    patched(&mut one, "likes", json!({"$inc": 3}));
    patched(&mut two, "likes", json!({"$inc": 4}));
    patched(&mut two, "likes", json!(10));
    meet(&mut one, &mut two);
    assert_eq!(json(&one, "likes"), 13, "a whole value is the step that leads there");
}

#[test]
fn whole_numbers_are_exact_to_the_last_bit() {
    let mut one = new_kinds();
    let mut two = replica(&one, 2);
    patched(&mut one, "likes", json!({"$inc": 9_007_199_254_740_993_i64}));
    patched(&mut two, "likes", json!({"$inc": "9007199254740993"}));
    meet(&mut one, &mut two);
    assert_eq!(json(&one, "likes"), "18014398509481986");
    assert_eq!(patched(&mut one, "likes", json!(i64::MAX)), i64::MAX.to_string());
    assert_eq!(patched(&mut one, "likes", json!({"$inc": -1})), (i64::MAX - 1).to_string());
}

#[test]
fn floats_end_the_same_in_any_order() {
    let steps = [0.1, 0.2, 0.3, 1e16, -1e16, 0.7];
    let mut replicas: Vec<RowDoc> = (1..=6).map(|peer| RowDoc::new(kinds(), PeerId(peer))).collect();
    let mut updates = Vec::new();
    for (row, step) in replicas.iter_mut().zip(steps) {
        patched(row, "score", json!({ "$inc": step }));
        updates.push(row.export_since(&corella_rowdoc::Version::empty()).unwrap());
    }
    for (index, row) in replicas.iter_mut().enumerate() {
        updates.rotate_left(index);
        for update in &updates {
            row.import(update).unwrap();
        }
        assert_eq!(row.project().unwrap().values[1], Value::Float(1.3));
    }
}

#[test]
fn what_does_not_fit_is_refused_where_it_is_asked_for() {
    let mut row = new_kinds();
    patched(&mut row, "likes", json!(i64::MAX));
    insta::assert_snapshot!(patch_refused(&mut row, "likes", json!({"$inc": 1})), @"expected increments that keep the counter within 64 bits in likes, found 9223372036854775808");
    insta::assert_snapshot!(patch_refused(&mut row, "likes", json!({"$inc": 0.5})), @"expected a whole number of 64 bits (as a string beyond 2^53) in likes.$inc, found 0.5");
    insta::assert_snapshot!(patch_refused(&mut row, "likes", json!("many")), @r#"expected a whole number of 64 bits (as a string beyond 2^53) in likes, found "many""#);
    insta::assert_snapshot!(patch_refused(&mut row, "likes", json!({"$push": 1})), @r#"expected $inc or $ops (a value of this shape is written {"$value": …}) in likes.$push, found $push"#);
    insta::assert_snapshot!(patch_refused(&mut row, "likes", json!({"$ops": [{"$inc": 1}, 2]})), @"expected an operation, $inc or $ops in likes.$ops[1], found 2");
    insta::assert_snapshot!(patch_refused(&mut row, "likes", json!(null)), @"expected a value in likes, since the field is required, found null");
    patched(&mut row, "score", json!(f64::MAX));
    assert_eq!(patched(&mut row, "score", json!({"$inc": 1e290})), f64::MAX, "rounded as doubles are");
    insta::assert_snapshot!(patch_refused(&mut row, "score", json!({"$inc": f64::MAX})), @"expected increments that keep the counter finite in score, found ones that do not");
}

/// Two increments that each fit may not fit together: the row stays, and says which field holds more.
#[test]
fn a_merge_beyond_the_column_is_kept_and_reported() {
    let mut one = new_kinds();
    let mut two = replica(&one, 2);
    for row in [&mut one, &mut two] {
        row.patch(&object(json!({"likes": i64::MAX - 1, "score": f64::MAX}))).unwrap();
        assert!(row.unfit().unwrap().is_empty());
    }
    meet(&mut one, &mut two);
    let values = one.project().unwrap().values;
    assert_eq!((&values[0], &values[1]), (&Value::Int(i64::MAX), &Value::Float(f64::MAX)));
    let told: Vec<String> = one.unfit().unwrap().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    likes stands at 18446744073709551612, which its column cannot hold; the table has the nearest value
    score stands at more than 1.8e308, which its column cannot hold; the table has the nearest value
    ");
    // Nothing was lost: what goes down comes back into the column.
    assert_eq!(patched(&mut one, "likes", json!(12)), 12);
    assert_eq!(one.unfit().unwrap().len(), 1);
}

#[test]
fn a_client_writes_its_own_total() {
    let mut row = new_kinds();
    patched(&mut row, "likes", json!(5));
    let mut client = Client::of(&row, 7);
    let likes = client.row().ensure_mergeable_map("likes").unwrap();
    likes.insert("7", 2).unwrap();
    let score = client.row().ensure_mergeable_map("score").unwrap();
    score.insert("7", 2).unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!((json(&row, "likes"), json(&row, "score")), (json!(7), json!(2.0)));
    likes.delete("7").unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!(json(&row, "likes"), 5);
}

#[test]
fn clients_that_break_a_counter_are_refused() {
    let counter = |client: &Client| client.row().ensure_mergeable_map("likes").unwrap();
    insta::assert_snapshot!(kinds_refused(|c| counter(c).insert("1", 9).unwrap()), @r#"expected the total of the peer that writes it, under the key "7" in likes, found the key "1""#);
    insta::assert_snapshot!(kinds_refused(|c| counter(c).insert("7", 0.5).unwrap()), @"expected int as a peer's total in likes, found 0.5");
    insta::assert_snapshot!(kinds_refused(|c| counter(c).insert("7", "1").unwrap()), @r#"expected int as a peer's total in likes, found "1""#);
    insta::assert_snapshot!(kinds_refused(|c| drop(counter(c).ensure_mergeable_map("7").unwrap())), @"expected int as a peer's total in likes, found 8 bytes");
    insta::assert_snapshot!(kinds_refused(|c| c.row().ensure_mergeable_map("score").unwrap().insert("7", f64::NAN).unwrap()), @"expected float as a peer's total in score, found NaN");
    insta::assert_snapshot!(kinds_refused(|c| c.row().ensure_mergeable_counter("likes").unwrap().increment(1.0).unwrap()), @"expected the mergeable map of that key (ensureMergeableMap) with a total for each peer in likes, found a container of type Counter");
}
