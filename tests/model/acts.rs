//! What people do to a field of each kind, and what must come of it whatever order it arrives in.

use std::collections::BTreeSet;

use corella_testkit::{Random, row::fields};
use loro::{LoroDoc, LoroMap, LoroValue, TreeParentId, UpdateOptions, ValueOrContainer};
use serde_json::{Value as Json, json};

/// What can be said of the row without knowing who was first.
#[derive(Debug, Default)]
pub(crate) struct Model {
    likes: i64,
    score: f64,
    /// Items that were added to lists, and nodes and keys that were made; nobody removes these.
    kept: BTreeSet<String>,
    /// Words that were written into texts; nobody deletes these.
    words: BTreeSet<String>,
    /// All values that somebody set a plain field to: one of them is there.
    titles: BTreeSet<String>,
    statuses: BTreeSet<String>,
    next: u64,
}

impl Model {
    fn name(&mut self) -> String {
        self.next += 1;
        format!("n{}", self.next)
    }

    /// Compares the row with what is known of it.
    pub(crate) fn check(&self, row: &Json) {
        assert_eq!(row["likes"], self.likes, "the sum of all that was counted");
        let score = row["score"].as_f64().unwrap_or(0.0);
        assert!((score - self.score).abs() < 1e-6, "{score} and {}", self.score);
        let whole = row.to_string();
        for name in &self.kept {
            assert_eq!(whole.matches(&format!("\"{name}\"")).count(), 1, "{name} is there once: {whole}");
        }
        for word in &self.words {
            assert!(whole.contains(word.as_str()), "the word {word} is there: {whole}");
        }
        let one_of = |field: &str, known: &BTreeSet<String>, first: &str| {
            let value = row[field].as_str().unwrap();
            assert!(known.contains(value) || (known.is_empty() && value == first), "{field}: {value}");
        };
        one_of("title", &self.titles, "start");
        one_of("status", &self.statuses, "open");
    }
}

fn map(doc: &LoroDoc, field: &str) -> LoroMap {
    fields(doc).ensure_mergeable_map(field).unwrap()
}

/// Adds to the total that this peer alone writes.
fn count(doc: &LoroDoc, field: &str, step: impl FnOnce(Option<LoroValue>) -> LoroValue) {
    let (totals, own) = (map(doc, field), doc.peer_id().to_string());
    let before = match totals.get(&own) {
        Some(ValueOrContainer::Value(value)) => Some(value),
        Some(ValueOrContainer::Container(_)) | None => None,
    };
    totals.insert(&own, step(before)).unwrap();
}

/// One act of a client on its own copy.
pub(crate) fn act(doc: &LoroDoc, random: &mut Random, model: &mut Model) {
    let row = fields(doc);
    let name = model.name();
    match random.within(0..14) {
        0 => {
            let step = i64::try_from(random.within(0..2_000)).unwrap() - 1_000;
            model.likes += step;
            count(doc, "likes", |before| match before {
                Some(LoroValue::I64(before)) => (before + step).into(),
                _ => step.into(),
            });
        }
        1 => {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let step = random.within(0..100) as f64 / 8.0;
            model.score += step;
            count(doc, "score", |before| match before {
                Some(LoroValue::Double(before)) => (before + step).into(),
                Some(LoroValue::I64(before)) => {
                    #[expect(clippy::cast_precision_loss, reason = "a small number")]
                    let before = before as f64;
                    (before + step).into()
                }
                _ => step.into(),
            });
        }
        2 => {
            let list = row.ensure_mergeable_list("tags").unwrap();
            let place = usize::try_from(random.within(0..list.len() as u64 + 1)).unwrap();
            list.insert(place, name.as_str()).unwrap();
            model.kept.insert(name);
        }
        3 => {
            let list = row.ensure_mergeable_movable_list("steps").unwrap();
            let place = usize::try_from(random.within(0..list.len() as u64 + 1)).unwrap();
            list.insert(place, name.as_str()).unwrap();
            model.kept.insert(name);
        }
        4 => {
            let list = row.ensure_mergeable_movable_list("steps").unwrap();
            if list.len() > 1 {
                let mut place = || usize::try_from(random.within(0..list.len() as u64)).unwrap();
                list.mov(place(), place()).unwrap();
            }
        }
        5 => {
            map(doc, "settings").insert(&name, true).unwrap();
            model.kept.insert(name);
        }
        6 => {
            let tree = row.ensure_mergeable_tree("outline").unwrap();
            let node = tree.create(TreeParentId::Root).unwrap();
            tree.get_meta(node).unwrap().insert("name", name.as_str()).unwrap();
            model.kept.insert(name);
        }
        7 => {
            // Moves that go round in a circle when they meet are undone by everybody alike.
            let tree = row.ensure_mergeable_tree("outline").unwrap();
            let nodes: Vec<_> = tree.get_nodes(false).iter().map(|node| node.id).collect();
            if nodes.len() > 1 {
                let mut node = || nodes[usize::try_from(random.within(0..nodes.len() as u64)).unwrap()];
                tree.mov(node(), node()).ok();
            }
        }
        8 | 9 => {
            let text = row.ensure_mergeable_text("body").unwrap();
            let place = usize::try_from(random.within(0..text.len_unicode() as u64 + 1)).unwrap();
            // Between words, so that none is torn by another one.
            let place = text.to_string().char_indices().take(place).filter(|(_, c)| *c == ' ').count();
            let at = text.to_string().split_inclusive(' ').take(place).map(|word| word.chars().count()).sum();
            text.insert(at, &format!("{name} ")).unwrap();
            model.words.insert(format!("{name} "));
        }
        10 => {
            let text = row.ensure_mergeable_text("body").unwrap();
            if text.len_unicode() > 1 {
                let end = usize::try_from(random.within(1..text.len_unicode() as u64)).unwrap();
                text.mark(0..end, "bold", true).unwrap();
            }
        }
        11 => {
            let text = row.ensure_mergeable_text("summary").unwrap();
            let now = format!("{name} {text}", text = text.to_string());
            text.update(&now, UpdateOptions::default()).unwrap();
        }
        12 => {
            row.insert("title", name.as_str()).unwrap();
            model.titles.insert(name);
        }
        _ => {
            let status = ["open", "done"][usize::try_from(random.within(0..2)).unwrap()];
            row.insert("status", status).unwrap();
            row.insert("amount", i64::try_from(model.next).unwrap()).unwrap();
            row.insert("pinned", model.next.is_multiple_of(2)).unwrap();
            row.insert("icon", LoroValue::Binary(name.into_bytes().into())).unwrap();
            model.statuses.insert(status.to_owned());
        }
    }
}

/// One act over HTTP, where the row is as it is.
pub(crate) fn request(random: &mut Random, model: &mut Model, row: &Json) -> Json {
    let name = model.name();
    let length = |field: &str| row[field].as_array().map_or(0, Vec::len) as u64;
    match random.within(0..8) {
        0 => {
            let step = i64::try_from(random.within(0..2_000)).unwrap() - 1_000;
            model.likes += step;
            json!({ "likes": { "$inc": step } })
        }
        1 => {
            model.score += 0.5;
            json!({ "score": { "$inc": 0.5 } })
        }
        2 => {
            let place = random.within(0..length("tags") + 1);
            model.kept.insert(name.clone());
            json!({ "tags": { "$insert": [place, name] } })
        }
        3 => {
            model.kept.insert(name.clone());
            json!({ "steps": { "$push": name }, "settings": { "$set": [format!("k{name}"), 1] } })
        }
        4 => {
            model.kept.insert(name.clone());
            json!({ "outline": { "$create": { "data": { "name": name } } } })
        }
        5 => {
            model.words.insert(format!("{name} "));
            json!({ "body": { "$delta": [{ "insert": format!("{name} ") }] } })
        }
        6 => {
            json!({ "page": format!("line\n{name}"), "due": "2026-02-28T23:30:00-05:00", "data": { "n": name } })
        }
        _ => {
            model.titles.insert(name.clone());
            json!({ "title": name })
        }
    }
}
