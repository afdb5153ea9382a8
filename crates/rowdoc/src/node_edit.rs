//! A node tree into a document, by few operations.

use loro::{LoroList, LoroMap, LoroResult, LoroText, LoroValue, TextDelta};
use serde_json::{Map, Value as Json};

use crate::{
    node_read,
    node_tree::{ATTRIBUTES, CHILDREN, Element, NODE_NAME, Node, Runs},
    read::{self, Levels},
    text,
};

/// Where a node's own containers come from when they are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The document's root: two replicas that make them at once make the same ones.
    Root,
    /// A node below it, which one replica alone has made.
    Below,
}

/// Edits the node in `map`, which reads as `old`, until it reads as `new`. Equal parts are left alone.
pub(crate) fn bring_to(map: &LoroMap, place: Place, old: &Element, new: &Element) -> LoroResult<()> {
    if old.name != new.name || map.get(NODE_NAME).is_none() {
        map.insert(NODE_NAME, new.name.as_str())?;
    }
    let attributes = match node_read::attributes_map(map) {
        Some(attributes) => attributes,
        None if place == Place::Root => map.ensure_mergeable_map(ATTRIBUTES)?,
        None => map.insert_container(ATTRIBUTES, LoroMap::new())?,
    };
    bring_attributes(&attributes, &old.attributes, &new.attributes)?;
    let children = match node_read::children_list(map) {
        Some(children) => children,
        None if place == Place::Root => map.ensure_mergeable_list(CHILDREN)?,
        None => map.insert_container(CHILDREN, LoroList::new())?,
    };
    bring_children(&children, &old.children, &new.children)
}

/// The document `old` with its lines replaced by those of `text`; blocks whose lines stay, stay as they are.
pub(crate) fn with_lines(old: &Element, text: &str) -> Element {
    let lines: Vec<&str> = text.split('\n').collect();
    let blocks: Vec<(&Node, Vec<String>)> = old
        .children
        .iter()
        .map(|child| match child {
            Node::Element(element) => (child, element.lines()),
            Node::Text(runs) => (child, vec![runs.text()]),
            Node::Foreign => (child, Vec::new()),
        })
        .collect();

    let (mut first_block, mut first_line) = (0, 0);
    while let Some((_, own)) = blocks.get(first_block)
        && lines[first_line..].starts_with(&own.iter().map(String::as_str).collect::<Vec<_>>())
    {
        first_block += 1;
        first_line += own.len();
    }
    let (mut last_block, mut last_line) = (blocks.len(), lines.len());
    while last_block > first_block
        && lines[first_line..last_line]
            .ends_with(&blocks[last_block - 1].1.iter().map(String::as_str).collect::<Vec<_>>())
    {
        last_block -= 1;
        last_line -= blocks[last_block].1.len();
    }

    let kept =
        |blocks: &[(&Node, Vec<String>)]| blocks.iter().map(|(node, _)| (*node).clone()).collect::<Vec<_>>();
    let mut children = kept(&blocks[..first_block]);
    let middle = &blocks[first_block..last_block];
    children.extend(lines[first_line..last_line].iter().enumerate().map(|(index, line)| {
        match middle.get(index).map(|(node, _)| *node) {
            Some(Node::Element(block)) if block.is_line() => {
                Node::Element(Element { children: Element::paragraph(line).children, ..block.clone() })
            }
            Some(Node::Element(_) | Node::Text(_) | Node::Foreign) | None => {
                Node::Element(Element::paragraph(line))
            }
        }
    }));
    children.extend(kept(&blocks[last_block..]));
    if children.is_empty() {
        children.push(Node::Element(Element::paragraph("")));
    }
    Element { children, ..old.clone() }
}

/// Puts all of `runs` into an empty text, or edits a text until it reads so.
pub(crate) fn bring_text(target: &LoroText, runs: &Runs) -> LoroResult<()> {
    let wanted = runs.text();
    if target.to_string() != wanted {
        text::bring_to(target, &wanted)?;
    }
    if !runs.marked {
        return Ok(());
    }
    let Ok(current) = node_read::runs(target, Levels::ALL) else { return Ok(()) };
    let delta = marks_delta(&current, runs);
    if delta.iter().any(|piece| matches!(piece, TextDelta::Retain { attributes: Some(_), .. })) {
        target.apply_delta(&delta)?;
    }
    Ok(())
}

/// The delta that gives a text the marks of `wanted`; both have the same characters.
fn marks_delta(current: &Runs, wanted: &Runs) -> Vec<TextDelta> {
    let mut delta = Vec::new();
    let lengths = |runs: &Runs| runs.runs.iter().map(|run| run.text.chars().count()).collect::<Vec<_>>();
    let (current_lengths, wanted_lengths) = (lengths(current), lengths(wanted));
    let (mut at_current, mut at_wanted, mut used_current, mut used_wanted) = (0, 0, 0, 0);
    while at_current < current_lengths.len() && at_wanted < wanted_lengths.len() {
        let retain =
            (current_lengths[at_current] - used_current).min(wanted_lengths[at_wanted] - used_wanted);
        let changes = mark_changes(&current.runs[at_current].marks, &wanted.runs[at_wanted].marks);
        if retain > 0 {
            let attributes = (!changes.is_empty()).then(|| changes.into_iter().collect());
            delta.push(TextDelta::Retain { retain, attributes });
        }
        used_current += retain;
        used_wanted += retain;
        if used_current == current_lengths[at_current] {
            (at_current, used_current) = (at_current + 1, 0);
        }
        if used_wanted == wanted_lengths[at_wanted] {
            (at_wanted, used_wanted) = (at_wanted + 1, 0);
        }
    }
    delta
}

fn mark_changes(current: &Map<String, Json>, wanted: &Map<String, Json>) -> Vec<(String, LoroValue)> {
    let set = wanted
        .iter()
        .filter(|(name, value)| current.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), plain_value(value)));
    let removed = current
        .iter()
        .filter(|(name, value)| !value.is_null() && !wanted.contains_key(*name))
        .map(|(name, _)| (name.clone(), LoroValue::Null));
    set.chain(removed).collect()
}

/// Depth was checked when the JSON was read as a node.
fn plain_value(json: &Json) -> LoroValue {
    read::to_loro(json, Levels::ALL).unwrap_or(LoroValue::Null)
}

fn bring_attributes(target: &LoroMap, old: &Map<String, Json>, new: &Map<String, Json>) -> LoroResult<()> {
    for (key, value) in new {
        if old.get(key) != Some(value) {
            target.insert(key, plain_value(value))?;
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        target.delete(key)?;
    }
    Ok(())
}

fn bring_children(list: &LoroList, old: &[Node], new: &[Node]) -> LoroResult<()> {
    let shorter = old.len().min(new.len());
    let start = old.iter().zip(new).take_while(|(old, new)| reads_as(old, new)).count();
    let end = old.iter().rev().zip(new.iter().rev()).take(shorter - start);
    let end = end.take_while(|(old, new)| reads_as(old, new)).count();
    let old_middle = &old[start..old.len() - end];
    let new_middle = &new[start..new.len() - end];
    let paired = old_middle.len().min(new_middle.len());

    for (offset, (old, new)) in old_middle.iter().zip(new_middle).enumerate() {
        let position = start + offset;
        if !bring_child(list, position, old, new)? {
            list.delete(position, 1)?;
            insert(list, position, new)?;
        }
    }
    if old_middle.len() > paired {
        list.delete(start + paired, old_middle.len() - paired)?;
    }
    for (offset, node) in new_middle[paired..].iter().enumerate() {
        insert(list, start + paired + offset, node)?;
    }
    Ok(())
}

/// Edits the child at `position` in place; `false` when it is of another kind than `new`.
fn bring_child(list: &LoroList, position: usize, old: &Node, new: &Node) -> LoroResult<bool> {
    use loro::{Container, ValueOrContainer};
    match (list.get(position), old, new) {
        (Some(ValueOrContainer::Container(Container::Map(map))), Node::Element(old), Node::Element(new))
            if old.name == new.name =>
        {
            bring_to(&map, Place::Below, old, new)?;
            Ok(true)
        }
        (Some(ValueOrContainer::Container(Container::Text(text))), Node::Text(_), Node::Text(new)) => {
            bring_text(&text, new)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn insert(list: &LoroList, position: usize, node: &Node) -> LoroResult<()> {
    match node {
        Node::Element(element) => {
            let map = list.insert_container(position, LoroMap::new())?;
            let nothing = Element { name: String::new(), attributes: Map::new(), children: Vec::new() };
            bring_to(&map, Place::Below, &nothing, element)
        }
        Node::Text(runs) => {
            let target = list.insert_container(position, LoroText::new())?;
            bring_text(&target, runs)
        }
        // None comes out of JSON, and those of the document itself are kept, not made.
        Node::Foreign => list.insert(position, LoroValue::Null),
    }
}

/// Whether nothing needs to be done for `old` to read as `new`.
fn reads_as(old: &Node, new: &Node) -> bool {
    match (old, new) {
        (Node::Element(old), Node::Element(new)) => {
            old.name == new.name
                && old.attributes == new.attributes
                && old.children.len() == new.children.len()
                && old.children.iter().zip(&new.children).all(|(old, new)| reads_as(old, new))
        }
        (Node::Text(old), Node::Text(new)) if new.marked => old.runs == new.runs,
        (Node::Text(old), Node::Text(new)) => old.text() == new.text(),
        (Node::Foreign, Node::Foreign) => true,
        (Node::Element(_) | Node::Text(_) | Node::Foreign, _) => false,
    }
}
