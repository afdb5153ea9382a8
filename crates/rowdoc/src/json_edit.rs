//! Maps and lists of JSON brought to wanted values by few operations.
//!
//! What is written here are plain values. Where a client has put a container in the place of one, it is edited in
//! place as long as the wanted value is of its kind.

use loro::{Container, LoroList, LoroMap, LoroMovableList, LoroResult, LoroValue, ValueOrContainer};
use serde_json::{Map, Value as Json};

use crate::{
    read::{self, Levels, Texts},
    sequence::{Moves, Origin, origins},
    text,
};

/// A list of either kind.
#[derive(Debug, Clone)]
pub(crate) enum Sequence {
    List(LoroList),
    Movable(LoroMovableList),
}

impl Sequence {
    pub(crate) fn items(&self) -> Vec<ValueOrContainer> {
        let mut items = Vec::new();
        match self {
            Self::List(list) => list.for_each(|item| items.push(item)),
            Self::Movable(list) => list.for_each(|item| items.push(item)),
        }
        items
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Movable(list) => list.len(),
        }
    }

    pub(crate) fn insert(&self, index: usize, item: &Json) -> LoroResult<()> {
        match self {
            Self::List(list) => list.insert(index, plain(item)),
            Self::Movable(list) => list.insert(index, plain(item)),
        }
    }

    pub(crate) fn delete(&self, index: usize, count: usize) -> LoroResult<()> {
        match self {
            Self::List(list) => list.delete(index, count),
            Self::Movable(list) => list.delete(index, count),
        }
    }

    /// Puts another value in an item's place; in a plain list it is another item.
    pub(crate) fn set(&self, index: usize, item: &Json) -> LoroResult<()> {
        match self {
            Self::List(list) => {
                list.delete(index, 1)?;
                list.insert(index, plain(item))
            }
            Self::Movable(list) => list.set(index, plain(item)),
        }
    }

    /// Moves an item; in a plain list it is another item afterwards, and one that is a container stays where it is.
    pub(crate) fn shift(&self, from: usize, to: usize) -> LoroResult<()> {
        match self {
            Self::List(list) => match list.get(from) {
                Some(ValueOrContainer::Value(value)) if from != to => {
                    list.delete(from, 1)?;
                    list.insert(to, value)
                }
                Some(_) | None => Ok(()),
            },
            Self::Movable(list) => list.mov(from, to),
        }
    }

    fn moves(&self) -> Moves {
        match self {
            Self::List(_) => Moves::None,
            Self::Movable(_) => Moves::Allowed,
        }
    }
}

/// Edits the list until it reads as `wanted`.
pub(crate) fn bring_list(list: &Sequence, wanted: &[Json]) -> LoroResult<()> {
    let items = list.items();
    let spelling = |item: &ValueOrContainer| match read::read_item(item, Texts::Plain, Levels::ALL) {
        Ok(json) => json.to_string(),
        Err(_) => String::new(),
    };
    let old: Vec<String> = items.iter().map(spelling).collect();
    let new: Vec<String> = wanted.iter().map(Json::to_string).collect();
    let origins = origins(&old, &new, list.moves());

    let mut stays = vec![false; items.len()];
    for origin in &origins {
        if let Origin::Kept(place) | Origin::Edited(place) | Origin::Moved(place) = origin {
            stays[*place] = true;
        }
    }
    remove_others(list, &stays)?;

    // Which old item stands where by now; `None` for new ones.
    let mut present: Vec<Option<usize>> = (0..items.len()).filter(|place| stays[*place]).map(Some).collect();
    // Behind the last item that is in its place.
    let mut at = 0;
    for (origin, item) in origins.iter().zip(wanted) {
        match *origin {
            Origin::Kept(place) => at = position(&present, at, place) + 1,
            Origin::Edited(place) => {
                let index = position(&present, at, place);
                if !bring_item(&items[place], item)? {
                    list.set(index, item)?;
                }
                at = index + 1;
            }
            Origin::Moved(place) => {
                let from = position(&present, 0, place);
                let to = if from < at { at - 1 } else { at };
                list.shift(from, to)?;
                let moved = present.remove(from);
                present.insert(to, moved);
                at = to + 1;
            }
            Origin::New => {
                list.insert(at, item)?;
                present.insert(at, None);
                at += 1;
            }
        }
    }
    Ok(())
}

/// Removes what does not stay, neighbours together.
fn remove_others(list: &Sequence, stays: &[bool]) -> LoroResult<()> {
    let mut end = stays.len();
    while end > 0 {
        if stays[end - 1] {
            end -= 1;
            continue;
        }
        let start = stays[..end].iter().rposition(|stays| *stays).map_or(0, |kept| kept + 1);
        list.delete(start, end - start)?;
        end = start;
    }
    Ok(())
}

fn position(present: &[Option<usize>], from: usize, place: usize) -> usize {
    present[from..].iter().position(|item| *item == Some(place)).map_or(from, |offset| from + offset)
}

/// Edits the map until it reads as `wanted`; keys that are not in it go.
pub(crate) fn bring_map(map: &LoroMap, wanted: &Map<String, Json>) -> LoroResult<()> {
    let mut others = Vec::new();
    map.for_each(|key, _| {
        if !wanted.contains_key(key) {
            others.push(key.to_owned());
        }
    });
    // Loro's maps come in no particular order; the same patch should make the same operations.
    others.sort_unstable();
    for key in others {
        map.delete(&key)?;
    }
    wanted.iter().try_for_each(|(key, value)| set_entry(map, key, value))
}

/// Brings one key of the map to `wanted`.
pub(crate) fn set_entry(map: &LoroMap, key: &str, wanted: &Json) -> LoroResult<()> {
    let slot = map.get(key);
    if let Some(slot) = &slot {
        let same = read::read_item(slot, Texts::Plain, Levels::ALL).is_ok_and(|current| current == *wanted);
        if same || bring_item(slot, wanted)? {
            return Ok(());
        }
    }
    map.insert(key, plain(wanted))
}

/// Edits what is there, if it is a container of the wanted value's kind.
fn bring_item(slot: &ValueOrContainer, wanted: &Json) -> LoroResult<bool> {
    let ValueOrContainer::Container(container) = slot else { return Ok(false) };
    match (container, wanted) {
        (Container::Map(map), Json::Object(entries)) => bring_map(map, entries)?,
        (Container::List(list), Json::Array(items)) => bring_list(&Sequence::List(list.clone()), items)?,
        (Container::MovableList(list), Json::Array(items)) => {
            bring_list(&Sequence::Movable(list.clone()), items)?;
        }
        (Container::Text(target), Json::String(text)) => text::bring_to(target, text)?,
        (
            Container::Map(_)
            | Container::List(_)
            | Container::MovableList(_)
            | Container::Text(_)
            | Container::Tree(_)
            | Container::Counter(_)
            | Container::Unknown(_),
            _,
        ) => return Ok(false),
    }
    Ok(true)
}

/// Depth was checked when the JSON came in.
fn plain(json: &Json) -> LoroValue {
    read::to_loro(json, Levels::ALL).unwrap_or(LoroValue::Null)
}
