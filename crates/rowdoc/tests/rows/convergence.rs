//! Equal versions mean equal values, in any order of delivery.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::support::{Room, new_note, object};

#[derive(Debug, Clone)]
enum Act {
    Patch(Json),
    Delete(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let text = "[abc\n]{0,8}";
    prop_oneof![
        text.prop_map(|text| Act::Patch(json!({ "title": text }))),
        text.prop_map(|text| Act::Patch(json!({ "summary": text }))),
        text.prop_map(|text| Act::Patch(json!({ "body": text, "pinned": true }))),
        text.prop_map(|text| Act::Patch(json!({ "page": text }))),
        prop::option::of(any::<i64>())
            .prop_map(|count| Act::Patch(json!({ "count": count.map(|c| c.to_string()) }))),
        any::<bool>().prop_map(Act::Delete),
    ]
}

/// Who acts, what they do, and whose updates they take in afterwards.
fn steps() -> impl Strategy<Value = Vec<(usize, Act, Option<usize>)>> {
    prop::collection::vec((0..3_usize, act(), prop::option::of(0..3_usize)), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn replicas_converge(steps in steps(), order in any::<prop::sample::Index>(), rotate in 0..40_usize) {
        let mut room = Room::of(&new_note(), 3);
        for (who, act, from) in steps {
            room.act(who, |row| {
                Some(match act {
                    Act::Patch(patch) => row.patch(&object(patch)).unwrap(),
                    Act::Delete(deleted) => row.set_deleted(deleted).unwrap(),
                })
            });
            room.take_in(who, from);
        }
        room.meets_everywhere(order, rotate);
    }
}
