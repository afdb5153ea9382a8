//! A window that takes in changes shows what reading everything afresh would show.

use std::{collections::BTreeMap, sync::Arc};

use corella_manifest::Value;
use corella_query::{
    Column, Direction, OrderTerm, RowView,
    maintain::{Diff, Window, WindowRow, WindowSize},
};
use proptest::{collection::vec, prelude::*};

use crate::fixture::manifest;

#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: Arc<str>,
    cells: Vec<Value>,
}

impl RowView for Row {
    fn value(&self, column: &Column) -> &Value {
        self.cells.value(column)
    }
}

impl WindowRow for Row {
    fn id(&self) -> &Arc<str> {
        &self.id
    }
}

fn row(id: u8, count: i64) -> Row {
    let id: Arc<str> = format!("r{id}").into();
    let mut cells = vec![Value::Null; 12];
    cells[0] = Value::Text(Arc::clone(&id));
    // The column `count`, by which the rows are ordered; a few have none.
    cells[7] = if count == 0 { Value::Null } else { Value::Int(count) };
    Row { id, cells }
}

fn order(direction: Direction) -> Arc<[OrderTerm]> {
    let manifest = manifest();
    let note = manifest.entity("Note").expect("the fixture declares Note");
    let column = Column::of(note, "count").expect("the fixture declares count");
    [OrderTerm { column, direction }, OrderTerm { column: Column::id(), direction }].into()
}

/// All rows in their order, by hand.
fn sorted(table: &BTreeMap<u8, i64>, direction: Direction) -> Vec<Row> {
    let mut rows: Vec<(i64, String)> = table.iter().map(|(id, count)| (*count, format!("r{id}"))).collect();
    // A row without a value comes first.
    rows.sort_by_key(|(count, id)| ((*count != 0).then_some(*count), id.clone()));
    if direction == Direction::Descending {
        rows.reverse();
    }
    let numbers = rows.into_iter().map(|(count, id)| (count, id[1..].parse().expect("ids are numbers")));
    numbers.map(|(count, id)| row(id, count)).collect()
}

/// What somebody who only hears of differences has.
fn follow(list: &mut Vec<Row>, diff: Diff<Row>) {
    let moved =
        |id: &Arc<str>| diff.changed.iter().any(|changed| changed.at.is_some() && changed.row.id == *id);
    list.retain(|row| !diff.removed.contains(&row.id) && !moved(&row.id));
    for changed in diff.changed {
        match changed.at {
            Some(at) => list.insert(at, changed.row),
            None => {
                let known = list.iter_mut().find(|row| row.id == changed.row.id);
                *known.expect("a row without a place is known") = changed.row;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(u8, i64),
    Delete(u8),
    /// What changed is told.
    Tell,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..24_u8, 0..9_i64).prop_map(|(id, count)| Step::Write(id, count)),
        4 => (0..24_u8).prop_map(Step::Delete),
        3 => Just(Step::Tell),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_window_shows_what_a_fresh_answer_shows(
        initial in vec((0..24_u8, 0..9_i64), 0..24), steps in vec(step(), 0..80),
        shown in 1..6_usize, spare in 0..5_usize, unbounded in any::<bool>(), descending in any::<bool>()
    ) {
        let direction = if descending { Direction::Descending } else { Direction::Ascending };
        let size = if unbounded { WindowSize::unbounded() } else { WindowSize { shown, spare } };
        let mut table: BTreeMap<u8, i64> = initial.into_iter().collect();
        let read = |table: &BTreeMap<u8, i64>| {
            let mut rows = sorted(table, direction);
            let more = rows.len() > size.to_read();
            rows.truncate(size.to_read());
            (rows, more)
        };
        let (rows, more) = read(&table);
        let mut window = Window::new(order(direction), size, rows, more);
        let mut list = window.shown().to_vec();
        let mut held: Vec<Arc<str>> = window.held().iter().map(|row| row.id.clone()).collect();
        for step in steps {
            let (id, now) = match step {
                Step::Write(id, count) => {
                    table.insert(id, count);
                    (id, Some(row(id, count)))
                }
                Step::Delete(id) => {
                    table.remove(&id);
                    (id, None)
                }
                Step::Tell => {
                    follow(&mut list, window.take_diff());
                    prop_assert_eq!(&list, window.shown());
                    continue;
                }
            };
            let id: Arc<str> = format!("r{id}").into();
            let change = window.apply(&id, now);
            held.retain(|held| !change.left.contains(held));
            if change.entered {
                held.push(id);
            }
            if window.is_short() || (window.runs_low() && spare % 2 == 0) {
                let (rows, more) = read(&table);
                let (entered, left) = window.replace(rows, more);
                held.retain(|held| !left.contains(held));
                held.extend(entered);
            }
            let mut fresh = sorted(&table, direction);
            let has_more = fresh.len() > size.shown;
            prop_assert!(window.has_more() || !has_more, "more is not denied");
            let sees_behind = window.held().len() != size.shown;
            prop_assert!(window.has_more() == has_more || !sees_behind, "nor claimed against what is held");
            fresh.truncate(size.shown);
            prop_assert_eq!(window.shown(), &fresh[..]);
            held.sort();
            let mut expected: Vec<Arc<str>> = window.held().iter().map(|row| row.id.clone()).collect();
            expected.sort();
            prop_assert_eq!(&held, &expected);
        }
    }
}
