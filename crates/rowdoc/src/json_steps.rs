//! What a patch wants of a list or a map: a whole value, or operations.

use loro::{LoroMap, LoroResult, ValueOrContainer};
use serde_json::{Map, Value as Json};

use crate::{
    Refusal, given,
    json_edit::{self, Sequence},
    operation::{Asked, Step},
    read::Levels,
};

pub(crate) const OF_LISTS: [&str; 5] = ["$push", "$insert", "$move", "$remove", "$set"];
pub(crate) const OF_MAPS: [&str; 3] = ["$set", "$remove", "$merge"];

/// What a patch wants of a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ListEdit {
    To(Vec<Json>),
    Steps(Vec<(String, ListStep)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ListStep {
    Push(Json),
    Insert(usize, Json),
    Move(usize, usize),
    Remove(usize),
    Set(usize, Json),
}

/// What a patch wants of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MapEdit {
    To(Map<String, Json>),
    Steps(Vec<MapStep>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MapStep {
    Set(String, Json),
    Remove(String),
    Merge(Map<String, Json>),
}

impl ListEdit {
    pub(crate) fn read(field: &str, asked: &Asked<'_>) -> Result<Self, Refusal> {
        match asked {
            Asked::Whole(Json::Null) => Ok(Self::To(Vec::new())),
            Asked::Whole(json @ Json::Array(_)) => given::items(field, json).map(Self::To),
            Asked::Whole(json) => {
                let expected = format!("a list, or an operation ({})", OF_LISTS.join(", "));
                Err(Refusal::value(field, expected, given::found(json)))
            }
            Asked::Steps(steps) => {
                steps.iter().map(ListStep::read).collect::<Result<_, _>>().map(Self::Steps)
            }
        }
    }

    /// Finds out before the first operation whether all places exist.
    ///
    /// `earlier` is what the field held before it became a list.
    pub(crate) fn check(&self, list: Option<&Sequence>, earlier: Option<&Json>) -> Result<(), Refusal> {
        let Self::Steps(steps) = self else { return Ok(()) };
        // Plain lists cannot move a container: it would be another one afterwards.
        let is_fixed = |item: &ValueOrContainer| {
            matches!((item, list), (ValueOrContainer::Container(_), Some(Sequence::List(_))))
        };
        let mut fixed: Vec<bool> = match (list, earlier) {
            (None, Some(Json::Array(items))) => vec![false; items.len()],
            (list, _) => list.map(Sequence::items).unwrap_or_default().iter().map(is_fixed).collect(),
        };
        for (path, step) in steps {
            match step {
                ListStep::Push(_) => fixed.push(false),
                ListStep::Insert(index, _) => {
                    within(path, *index, fixed.len() + 1)?;
                    fixed.insert(*index, false);
                }
                ListStep::Remove(index) => {
                    within(path, *index, fixed.len())?;
                    fixed.remove(*index);
                }
                ListStep::Set(index, _) => {
                    within(path, *index, fixed.len())?;
                    fixed[*index] = false;
                }
                ListStep::Move(from, to) => {
                    within(path, *from, fixed.len())?;
                    within(path, *to, fixed.len())?;
                    if fixed[*from] {
                        let expected = "an item that is a plain value (`crdt: movable-list` moves any)";
                        return Err(Refusal::value(path, expected, "a container"));
                    }
                    let item = fixed.remove(*from);
                    fixed.insert(*to, item);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn apply(&self, list: &Sequence) -> LoroResult<()> {
        match self {
            Self::To(wanted) => json_edit::bring_list(list, wanted),
            Self::Steps(steps) => steps.iter().try_for_each(|(_, step)| match step {
                ListStep::Push(item) => list.insert(list.len(), item),
                ListStep::Insert(index, item) => list.insert(*index, item),
                ListStep::Remove(index) => list.delete(*index, 1),
                ListStep::Set(index, item) => list.set(*index, item),
                ListStep::Move(from, to) => list.shift(*from, *to),
            }),
        }
    }
}

/// Refuses a place beyond the list's `count` places.
fn within(path: &str, index: usize, count: usize) -> Result<(), Refusal> {
    if index < count {
        return Ok(());
    }
    let expected = match count {
        0 => "an item, but the list is empty".to_owned(),
        1 => "the place 0".to_owned(),
        count => format!("a place from 0 to {}", count - 1),
    };
    Err(Refusal::value(path, expected, index.to_string()))
}

impl ListStep {
    fn read(step: &Step<'_>) -> Result<(String, Self), Refusal> {
        let Step { name, operand, path } = step;
        let levels = Levels::ALL.down()?;
        let read = match *name {
            "$push" => Self::Push(given::value(path, operand, levels)?),
            "$insert" | "$set" => {
                let (index, item) = given::pair(path, operand, "[place, value]")?;
                let index = given::index(path, index)?;
                let item = given::value(path, item, levels)?;
                if *name == "$set" { Self::Set(index, item) } else { Self::Insert(index, item) }
            }
            "$move" => {
                let (from, to) = given::pair(path, operand, "[from, to]")?;
                Self::Move(given::index(path, from)?, given::index(path, to)?)
            }
            _ => Self::Remove(given::index(path, operand)?),
        };
        Ok((path.clone(), read))
    }
}

impl MapEdit {
    pub(crate) fn read(field: &str, asked: &Asked<'_>) -> Result<Self, Refusal> {
        match asked {
            Asked::Whole(Json::Null) => Ok(Self::To(Map::new())),
            Asked::Whole(json @ Json::Object(_)) => given::entries(field, json).map(Self::To),
            Asked::Whole(json) => {
                let expected = format!("an object, or an operation ({})", OF_MAPS.join(", "));
                Err(Refusal::value(field, expected, given::found(json)))
            }
            Asked::Steps(steps) => steps.iter().map(MapStep::read).collect::<Result<_, _>>().map(Self::Steps),
        }
    }

    pub(crate) fn apply(&self, map: &LoroMap) -> LoroResult<()> {
        match self {
            Self::To(wanted) => json_edit::bring_map(map, wanted),
            Self::Steps(steps) => steps.iter().try_for_each(|step| match step {
                MapStep::Set(key, value) => json_edit::set_entry(map, key, value),
                MapStep::Remove(key) => match map.get(key) {
                    Some(_) => map.delete(key),
                    None => Ok(()),
                },
                MapStep::Merge(entries) => {
                    entries.iter().try_for_each(|(key, value)| json_edit::set_entry(map, key, value))
                }
            }),
        }
    }
}

impl MapStep {
    fn read(step: &Step<'_>) -> Result<Self, Refusal> {
        let Step { name, operand, path } = step;
        let key = |json: &Json| match json.as_str() {
            Some(key) => given::key(path, key),
            None => Err(Refusal::value(path, "a key as a string", given::found(json))),
        };
        Ok(match *name {
            "$set" => {
                let (name, value) = given::pair(path, operand, "[key, value]")?;
                Self::Set(key(name)?, given::value(path, value, Levels::ALL.down()?)?)
            }
            "$merge" => Self::Merge(given::entries(path, operand)?),
            _ => Self::Remove(key(operand)?),
        })
    }
}
