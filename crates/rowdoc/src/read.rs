//! Deep values within a depth bound.
//!
//! Loro's own deep readers recurse as deep as the document goes, and some thousand levels end the process.
//! Everything here stops at [`MOST_LEVELS`].

use corella_manifest::{Value, whole_float};
use loro::{Container, LoroDoc, LoroTree, LoroValue, TreeID, TreeParentId, ValueOrContainer};
use serde_json::{Map, Number, Value as Json, json};

/// Deepest nesting, containers and plain values together. Readers of JSON commonly stop at 128 levels.
pub(crate) const MOST_LEVELS: usize = 100;

/// Values lie deeper in one another than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooDeep {
    pub(crate) most: usize,
}

/// How texts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    /// As strings.
    Plain,
    /// As runs with their marks.
    Rich,
}

/// The levels that a reader may still go down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels(usize);

impl Levels {
    pub(crate) const ALL: Self = Self(MOST_LEVELS);

    pub(crate) const fn some(levels: usize) -> Self {
        Self(levels)
    }

    pub(crate) fn down(self) -> Result<Self, TooDeep> {
        self.0.checked_sub(1).map(Self).ok_or(TooDeep { most: MOST_LEVELS })
    }
}

/// The whole document, root by root, without the roots that `skip` names.
pub(crate) fn whole(doc: &LoroDoc, texts: Texts, skip: &[&str]) -> Result<Map<String, Json>, TooDeep> {
    let mut roots = Vec::new();
    if let LoroValue::Map(values) = doc.get_value() {
        for (name, value) in values.iter().filter(|(name, _)| !skip.contains(&name.as_str())) {
            if let LoroValue::Container(id) = value
                && let Some(container) = doc.get_container(id.clone())
            {
                roots.push((name.clone(), read_container(&container, texts, Levels::ALL)?));
            }
        }
    }
    // Loro's maps come in no particular order; the same document should read the same everywhere.
    roots.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(roots.into_iter().collect())
}

/// A plain value as JSON. Numbers that JSON lacks become `null`, bytes base64.
pub(crate) fn plain(value: &LoroValue, levels: Levels) -> Result<Json, TooDeep> {
    Ok(match value {
        LoroValue::Null | LoroValue::Container(_) => Json::Null,
        LoroValue::Bool(bool) => Json::Bool(*bool),
        LoroValue::Double(double) => number(*double).map_or(Json::Null, Json::Number),
        LoroValue::I64(int) => Json::Number((*int).into()),
        LoroValue::Binary(bytes) => Value::Bytes(bytes.as_slice().into()).to_json(),
        LoroValue::String(text) => Json::String(text.to_string()),
        LoroValue::List(items) => {
            let levels = levels.down()?;
            Json::Array(items.iter().map(|item| plain(item, levels)).collect::<Result<_, _>>()?)
        }
        LoroValue::Map(entries) => {
            let levels = levels.down()?;
            let entries = entries.iter().map(|(key, value)| Ok((key.clone(), plain(value, levels)?)));
            sorted(entries.collect::<Result<_, _>>()?)
        }
    })
}

/// A double as JSON; a whole one as a whole number, since JavaScript and databases do not tell them apart.
fn number(double: f64) -> Option<Number> {
    const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
    if double.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(&double) {
        #[expect(clippy::cast_possible_truncation, reason = "whole and of 64 bits, checked above")]
        let whole = double as i64;
        return Some(whole.into());
    }
    if double.fract() == 0.0 && (TWO_TO_63..2.0 * TWO_TO_63).contains(&double) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, positive and of 64 bits, checked above"
        )]
        let whole = double as u64;
        return Some(whole.into());
    }
    Number::from_f64(double)
}

/// JSON as it reads once it has been in a document: numbers and the order of keys have one spelling.
pub(crate) fn canonical(json: &Json, levels: Levels) -> Result<Json, TooDeep> {
    plain(&to_loro(json, levels)?, levels)
}

/// JSON as a plain value. Whole numbers stay whole.
pub(crate) fn to_loro(json: &Json, levels: Levels) -> Result<LoroValue, TooDeep> {
    Ok(match json {
        Json::Null => LoroValue::Null,
        Json::Bool(bool) => LoroValue::Bool(*bool),
        Json::Number(number) => match number.as_i64() {
            Some(int) => LoroValue::I64(int),
            None => number.as_f64().map_or(LoroValue::Null, |double| match whole_float(double) {
                Some(int) => LoroValue::I64(int),
                None => LoroValue::Double(double),
            }),
        },
        Json::String(text) => LoroValue::String(text.as_str().into()),
        Json::Array(items) => {
            let levels = levels.down()?;
            let items = items.iter().map(|item| to_loro(item, levels)).collect::<Result<Vec<_>, _>>()?;
            LoroValue::List(items.into())
        }
        Json::Object(entries) => {
            let levels = levels.down()?;
            let entries = entries.iter().map(|(key, value)| Ok((key.clone(), to_loro(value, levels)?)));
            LoroValue::Map(entries.collect::<Result<Vec<_>, _>>()?.into())
        }
    })
}

/// How many levels a plain value nests, counted to just beyond `most`; looks without recursion.
pub(crate) fn nesting(value: &LoroValue, most: usize) -> usize {
    let mut deepest = 0;
    let mut waiting = vec![(value, 0)];
    while let Some((value, level)) = waiting.pop() {
        deepest = deepest.max(level);
        if deepest > most {
            break;
        }
        match value {
            LoroValue::List(items) => waiting.extend(items.iter().map(|item| (item, level + 1))),
            LoroValue::Map(entries) => waiting.extend(entries.values().map(|value| (value, level + 1))),
            LoroValue::Null
            | LoroValue::Bool(_)
            | LoroValue::Double(_)
            | LoroValue::I64(_)
            | LoroValue::Binary(_)
            | LoroValue::String(_)
            | LoroValue::Container(_) => {}
        }
    }
    deepest
}

/// A container and all below it.
pub(crate) fn read_container(container: &Container, texts: Texts, levels: Levels) -> Result<Json, TooDeep> {
    let levels = levels.down()?;
    match container {
        Container::Map(map) => {
            let mut entries = Vec::new();
            map.for_each(|key, value| entries.push((key.to_owned(), value)));
            let entries =
                entries.into_iter().map(|(key, value)| Ok((key, read_item(&value, texts, levels)?)));
            Ok(sorted(entries.collect::<Result<_, _>>()?))
        }
        Container::List(list) => {
            let mut items = Vec::new();
            list.for_each(|value| items.push(value));
            read_items(&items, texts, levels)
        }
        Container::MovableList(list) => {
            let mut items = Vec::new();
            list.for_each(|value| items.push(value));
            read_items(&items, texts, levels)
        }
        Container::Text(text) => match texts {
            Texts::Plain => Ok(Json::String(text.to_string())),
            Texts::Rich => plain(&text.get_richtext_value(), levels),
        },
        Container::Tree(tree) => read_nodes(tree, TreeParentId::Root, texts, levels),
        Container::Counter(counter) => plain(&LoroValue::Double(counter.get_value()), levels),
        Container::Unknown(_) => Ok(Json::Null),
    }
}

pub(crate) fn read_items(items: &[ValueOrContainer], texts: Texts, levels: Levels) -> Result<Json, TooDeep> {
    Ok(Json::Array(items.iter().map(|item| read_item(item, texts, levels)).collect::<Result<_, _>>()?))
}

/// An item of a list, or a value of a map.
pub(crate) fn read_item(item: &ValueOrContainer, texts: Texts, levels: Levels) -> Result<Json, TooDeep> {
    match item {
        ValueOrContainer::Value(value) => plain(value, levels),
        ValueOrContainer::Container(container) => read_container(container, texts, levels),
    }
}

/// The nodes under `parent`, in the shape that Loro's own `toJSON` gives them.
fn read_nodes(tree: &LoroTree, parent: TreeParentId, texts: Texts, levels: Levels) -> Result<Json, TooDeep> {
    let levels = levels.down()?;
    let parent_json = match parent {
        TreeParentId::Node(id) => Json::String(id.to_string()),
        TreeParentId::Root | TreeParentId::Deleted | TreeParentId::Unexist => Json::Null,
    };
    let nodes = tree.children(parent).unwrap_or_default();
    let nodes = nodes.into_iter().enumerate().map(|(index, id)| {
        Ok(json!({
            "id": id.to_string(),
            "parent": parent_json,
            "index": index,
            "fractional_index": tree.fractional_index(id),
            "meta": read_meta(tree, id, texts, levels)?,
            "children": read_nodes(tree, TreeParentId::Node(id), texts, levels.down()?)?,
        }))
    });
    Ok(Json::Array(nodes.collect::<Result<_, _>>()?))
}

/// The data of a tree's node.
pub(crate) fn read_meta(tree: &LoroTree, id: TreeID, texts: Texts, levels: Levels) -> Result<Json, TooDeep> {
    match tree.get_meta(id) {
        Ok(map) => read_container(&Container::Map(map), texts, levels),
        Err(_) => Ok(Json::Null),
    }
}

fn sorted(mut entries: Vec<(String, Json)>) -> Json {
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    Json::Object(entries.into_iter().collect())
}
