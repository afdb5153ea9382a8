//! A row finds every query that it belongs to by its own values.

use corella_query::maintain::{Lookup, MatchIndex, QueryId};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value as Json, json};

use crate::{
    fixture::{parse, row},
    generate::{condition, rows},
};

fn lookup(where_: &Json) -> Lookup {
    Lookup::of(parse(where_.clone(), Json::Null, 10, None).expect("the query is valid").filter())
}

#[test]
fn a_row_finds_nothing_but_what_it_is_asked_for() {
    let mut index = MatchIndex::default();
    for id in 0..1_000 {
        let where_ = json!({"author": format!("u{id}"), "pinned": true, "count": {"$gte": id}});
        index.insert(QueryId(id), &lookup(&where_));
    }
    let size = index.size();
    assert_eq!((size.templates, size.scanned), (1, 0));
    let find = |fields: Json| {
        let mut found = Vec::new();
        index.find(&row("a", &fields), &mut found);
        found
    };
    assert_eq!(find(json!({"author": "u7", "pinned": true, "count": 7})), [QueryId(7)]);
    assert_eq!(find(json!({"author": "u7", "pinned": true, "count": 6})), []);
    assert_eq!(find(json!({"author": "u7", "pinned": false, "count": 7})), []);
    assert_eq!(find(json!({"author": "u7", "count": 7})), []);
}

#[test]
fn what_cannot_be_looked_up_is_known() {
    for where_ in [
        json!({}),
        json!({"title": {"$like": "a%"}}),
        json!({"$not": {"pinned": true}}),
        json!({"$or": [{"pinned": true}, {"title": {"$contains": "a"}}]}),
    ] {
        assert_eq!(lookup(&where_), Lookup::Scan, "{where_}");
    }
    for where_ in [
        json!({"title": {"$like": "a%"}, "pinned": true}),
        json!({"$or": [{"pinned": true}, {"author": "u1", "count": {"$lt": 3}}]}),
        json!({"pinned": true, "$or": [{"title": {"$contains": "a"}}, {"count": 1}]}),
        json!({"color": {"$in": ["red", "green"]}, "count": {"$exists": false}}),
    ] {
        assert!(matches!(lookup(&where_), Lookup::By(_)), "{where_}");
    }
}

proptest! {
    #[test]
    fn no_row_misses_a_query_that_it_belongs_to(
        wheres in vec(condition(), 0..40), gone in vec(any::<prop::sample::Index>(), 0..20), rows in rows()
    ) {
        let mut queries = Vec::new();
        let mut index = MatchIndex::default();
        for (id, where_) in (0..).map(QueryId).zip(wheres) {
            let query = parse(where_, Json::Null, 10, None).expect("the query is valid");
            index.insert(id, &Lookup::of(query.filter()));
            queries.push((id, query));
        }
        for gone in gone {
            if !queries.is_empty() {
                let (id, query) = queries.swap_remove(gone.index(queries.len()));
                index.remove(id, &Lookup::of(query.filter()));
            }
        }
        for row in &rows {
            let mut found = Vec::new();
            index.find(row, &mut found);
            prop_assert!(found.is_sorted_by(|one, other| one < other), "each once");
            for (id, query) in &queries {
                prop_assert!(!query.matches(row) || found.contains(id), "{:?} misses {:?}", row, query.filter());
                prop_assert!(queries.iter().any(|(known, _)| known == id));
            }
            prop_assert!(found.iter().all(|id| queries.iter().any(|(known, _)| known == id)));
        }
        for (id, query) in &queries {
            index.remove(*id, &Lookup::of(query.filter()));
        }
        prop_assert!(index.is_empty());
    }
}
