//! A node tree out of a document.

use loro::{Container, LoroList, LoroMap, LoroText, LoroValue, ValueOrContainer};
use serde_json::{Map, Value as Json};

use crate::{
    node_tree::{ATTRIBUTES, CHILDREN, Element, NODE_NAME, Node, Run, Runs, is_line_break},
    read::{self, Levels, TooDeep},
};

/// The node that `map` holds; a map without a name, as before the first editor came, has the name `doc`.
pub(crate) fn element(map: &LoroMap, levels: Levels) -> Result<Element, TooDeep> {
    let levels = levels.down()?.down()?;
    let name = name(map).unwrap_or_else(|| "doc".into());
    let mut children = Vec::new();
    for item in children_list(map).map(|list| items(&list)).unwrap_or_default() {
        children.push(node(&item, levels)?);
    }
    Ok(Element { name, attributes: attributes(map, levels)?, children })
}

/// The node as plain text, as [`Element::plain_text`] gives it, without reading attributes and marks: this is
/// done for each change of a document.
pub(crate) fn plain_text(map: &LoroMap, levels: Levels) -> Result<String, TooDeep> {
    let mut lines = Vec::new();
    collect_lines(map, levels, &mut lines)?;
    Ok(lines.join("\n"))
}

fn collect_lines(map: &LoroMap, levels: Levels, lines: &mut Vec<String>) -> Result<(), TooDeep> {
    let levels = levels.down()?.down()?;
    let children = children_list(map).map(|list| items(&list)).unwrap_or_default();
    let is_text = |item: &ValueOrContainer| matches!(item, ValueOrContainer::Container(Container::Text(_)));
    if children.is_empty() || children.iter().any(is_text) {
        let mut line = String::new();
        collect_inline(map, &children, levels, &mut line)?;
        lines.push(line);
        return Ok(());
    }
    for child in &children {
        if let ValueOrContainer::Container(Container::Map(child)) = child {
            collect_lines(child, levels, lines)?;
        }
    }
    Ok(())
}

fn collect_inline(
    map: &LoroMap,
    children: &[ValueOrContainer],
    levels: Levels,
    line: &mut String,
) -> Result<(), TooDeep> {
    let levels = levels.down()?.down()?;
    if name(map).is_some_and(|name| is_line_break(&name)) {
        line.push('\n');
    }
    for child in children {
        match child {
            ValueOrContainer::Container(Container::Map(child)) => {
                let below = children_list(child).map(|list| items(&list)).unwrap_or_default();
                collect_inline(child, &below, levels, line)?;
            }
            ValueOrContainer::Container(Container::Text(text)) => line.push_str(&text.to_string()),
            ValueOrContainer::Container(_) | ValueOrContainer::Value(_) => {}
        }
    }
    Ok(())
}

fn name(map: &LoroMap) -> Option<String> {
    match map.get(NODE_NAME) {
        Some(ValueOrContainer::Value(LoroValue::String(name))) => Some(name.to_string()),
        _ => None,
    }
}

/// The list that holds the children of the node in `map`.
pub(crate) fn children_list(map: &LoroMap) -> Option<LoroList> {
    match map.get(CHILDREN) {
        Some(ValueOrContainer::Container(Container::List(list))) => Some(list),
        _ => None,
    }
}

/// The map that holds the attributes of the node in `map`.
pub(crate) fn attributes_map(map: &LoroMap) -> Option<LoroMap> {
    match map.get(ATTRIBUTES) {
        Some(ValueOrContainer::Container(Container::Map(attributes))) => Some(attributes),
        _ => None,
    }
}

fn attributes(map: &LoroMap, levels: Levels) -> Result<Map<String, Json>, TooDeep> {
    let mut values = Vec::new();
    if let Some(attributes) = attributes_map(map) {
        attributes.for_each(|key, value| {
            if let ValueOrContainer::Value(value) = value {
                values.push((key.to_owned(), value));
            }
        });
    }
    values.sort_by(|one, other| one.0.cmp(&other.0));
    values.into_iter().map(|(key, value)| Ok((key, read::plain(&value, levels)?))).collect()
}

fn items(list: &LoroList) -> Vec<ValueOrContainer> {
    let mut items = Vec::with_capacity(list.len());
    list.for_each(|item| items.push(item));
    items
}

fn node(item: &ValueOrContainer, levels: Levels) -> Result<Node, TooDeep> {
    match item {
        ValueOrContainer::Container(Container::Map(map)) => Ok(Node::Element(element(map, levels)?)),
        ValueOrContainer::Container(Container::Text(text)) => Ok(Node::Text(runs(text, levels)?)),
        ValueOrContainer::Container(_) | ValueOrContainer::Value(_) => Ok(Node::Foreign),
    }
}

/// A text with its marks.
pub(crate) fn runs(text: &LoroText, levels: Levels) -> Result<Runs, TooDeep> {
    let LoroValue::List(pieces) = text.get_richtext_value() else {
        return Ok(Runs { runs: Vec::new(), marked: true });
    };
    let mut runs = Vec::with_capacity(pieces.len());
    for piece in pieces.iter() {
        let LoroValue::Map(piece) = piece else { continue };
        let Some(LoroValue::String(text)) = piece.get("insert") else { continue };
        let marks = match piece.get(ATTRIBUTES).map(|marks| read::plain(marks, levels)).transpose()? {
            Some(Json::Object(marks)) => marks,
            Some(_) | None => Map::new(),
        };
        runs.push(Run { text: text.to_string(), marks });
    }
    Ok(Runs { runs, marked: true })
}
