//! A row brought back to what it was, by new operations.
//!
//! Nothing is taken back: the operations since stay in the history, and what others write at the same time is merged
//! with the revert as with any other edit. So a collaborative field that was not there yet is emptied, not removed.

use corella_manifest::Value;
use loro::{
    Container, ContainerID, ContainerType, LoroDoc, LoroMap, LoroTree, TreeID,
    event::{Diff, DiffBatch},
};
use serde_json::Value as Json;

use crate::{
    Change, Form, Refusal, RowDoc, RowShape, ShapeField, Version,
    check::{Home, Homes},
    container, counter,
    doc::{ROW, commit},
    json_steps::{ListEdit, MapEdit},
    node_read,
    node_tree::Element,
    past::Past,
    project::read_field,
    read::{self, Levels, MOST_LEVELS, Texts},
    refusal::DocFault,
    rich::TextEdit,
    tree_steps::TreeEdit,
    tree_value::{self, Branch},
    wanted::Wanted,
};

impl RowDoc {
    /// Brings the row's fields, and whether it is deleted, to what they were at `version`.
    ///
    /// A required plain field that had no value then keeps the one that it has. Nodes of a tree that were deleted since
    /// come back as new ones.
    ///
    /// # Errors
    /// [`Refusal::HistoryTrimmed`] when the history that is kept starts later, [`Refusal::NoSuchVersion`] when the row
    /// never was at that version. The document is then as it was; only after [`Refusal::Poisoned`] it has to be
    /// dropped.
    pub fn revert(&mut self, version: &Version) -> Result<Change, Refusal> {
        let mut past = self.past().map_err(refusal)?;
        past.go_to(version).map_err(refusal)?;
        let shape = std::sync::Arc::clone(self.shape());
        let wanted = past.wanted(self)?;
        let others = if shape.is_open() { past.undeclared(self).map_err(refusal)? } else { None };
        let deleted = past.is_deleted();
        let mut change = self.edit(0, |doc, shape| crate::patch::apply(doc, shape, &wanted))?;
        if let Some(others) = others {
            let done = self.vessel.with(|doc| {
                let done = doc.apply_diff(others);
                commit(doc);
                done
            })?;
            if done.is_err() {
                return Err(self.poisoned());
            }
            change.open = true;
        }
        change.merge(&self.set_deleted(deleted)?);
        Ok(change)
    }
}

fn refusal(fault: DocFault) -> Refusal {
    match fault {
        DocFault::HistoryTrimmed => Refusal::HistoryTrimmed,
        DocFault::NoSuchVersion => Refusal::NoSuchVersion,
        DocFault::Unfit(refusal) => refusal,
        DocFault::Poisoned | DocFault::Export(_) => Refusal::Poisoned,
    }
}

impl Past {
    /// What the fields of `now` have to become to be as they are here.
    fn wanted(&self, now: &RowDoc) -> Result<Vec<(usize, Wanted)>, Refusal> {
        let shape = self.shape();
        // Read apart, since a document must not be asked for anything while another one is.
        let alive = now.vessel.with(|doc| {
            let row = doc.get_map(ROW);
            shape.fields().iter().map(|field| present(&row, field)).collect::<Vec<_>>()
        })?;
        self.doc().vessel.with(|doc| {
            let row = doc.get_map(ROW);
            let mut wanted = Vec::new();
            for (index, (field, now)) in shape.fields().iter().zip(&alive).enumerate() {
                wanted.extend(want(&row, field, now)?.map(|wanted| (index, wanted)));
            }
            Ok(wanted)
        })?
    }

    /// The edits that bring what no field declares to what it is here.
    fn undeclared(&self, now: &RowDoc) -> Result<Option<DiffBatch>, DocFault> {
        let shape = self.shape();
        let current = now.version();
        let start = self.doc().vessel.with(|doc| doc.try_vv_to_frontiers(current.vector()))?;
        let edits = self.doc().vessel.with(|doc| {
            let here = doc.state_frontiers();
            doc.diff(&start?, &here).map(|edits| undeclared(doc, shape, &edits))
        })?;
        edits.map_err(|error: loro::LoroError| DocFault::Export(error.to_string()))
    }
}

/// Whether the current document has the field's container, and which nodes live where it is a tree.
struct Present {
    container: bool,
    nodes: Vec<TreeID>,
}

fn present(row: &LoroMap, field: &ShapeField) -> Present {
    let slot = row.get(field.key.as_str());
    let container = container::present(field, slot.as_ref());
    let nodes = match &container {
        Some(Container::Tree(tree)) => living(tree),
        Some(_) | None => Vec::new(),
    };
    Present { container: container.is_some() || container::earlier(field, slot.as_ref()).is_some(), nodes }
}

fn living(tree: &LoroTree) -> Vec<TreeID> {
    let mut nodes = Vec::new();
    let mut waiting = tree.roots();
    while let Some(node) = waiting.pop() {
        waiting.extend(tree.children(node).unwrap_or_default());
        nodes.push(node);
    }
    nodes
}

/// What the field has to become to be as it is in `row`; nothing when it stays as it is.
fn want(row: &LoroMap, field: &ShapeField, now: &Present) -> Result<Option<Wanted>, Refusal> {
    let slot = row.get(field.key.as_str());
    if field.form == Form::Register {
        let value = read_field(row, field)?;
        let stays = value == Value::Null && !field.optional;
        return Ok((!stays).then_some(Wanted::Register(value)));
    }
    let earlier = container::earlier(field, slot.as_ref());
    let container = container::present(field, slot.as_ref());
    if container.is_none() && earlier.is_none() && !now.container {
        return Ok(None);
    }
    let json = match (&container, earlier) {
        (Some(container), _) => read::read_container(container, Texts::Plain, Levels::ALL)?,
        (None, Some(earlier)) => earlier,
        (None, None) => Json::Null,
    };
    let items = |json: Json| match json {
        Json::Array(items) => items,
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => Vec::new(),
    };
    Ok(Some(match (field.form, &container) {
        (Form::Register, _) => return Ok(None),
        (Form::Text, Some(Container::Text(text))) => {
            Wanted::Text(TextEdit::ToRuns(node_read::runs(text, Levels::ALL)?.settled()))
        }
        (Form::Text, _) => Wanted::Text(TextEdit::To(json.as_str().unwrap_or_default().to_owned())),
        (Form::Document, Some(Container::Map(map))) => Wanted::Nodes(node_read::element(map, Levels::ALL)?),
        (Form::Document, _) => match json.as_str() {
            Some(text) => Wanted::Lines(text.to_owned()),
            None => Wanted::Nodes(Element::empty_document()),
        },
        (Form::Counter, Some(Container::Map(map))) => Wanted::Counter(counter::to_total(&field.ty, map)),
        (Form::Counter, _) => {
            Wanted::Counter(counter::start(field, &json).unwrap_or_else(|| counter::to_zero(field)))
        }
        (Form::List | Form::MovableList, _) => Wanted::List(ListEdit::To(items(json))),
        (Form::Map, _) => Wanted::Map(MapEdit::To(json.as_object().cloned().unwrap_or_default())),
        (Form::Tree, Some(Container::Tree(tree))) => {
            let forest = tree_value::forest(tree, Levels::ALL)?;
            let mut branches = tree_value::branches(field.name.as_str(), &forest, 0)?;
            let living = now.nodes.iter().copied().collect();
            forget_dead(&mut branches, &living);
            Wanted::Tree(TreeEdit::To(branches))
        }
        (Form::Tree, _) => Wanted::Tree(TreeEdit::To(Vec::new())),
    }))
}

/// Nodes that do not live any more are to be made anew, and with them all that lies below.
fn forget_dead(branches: &mut [Branch], living: &std::collections::HashSet<TreeID>) {
    for branch in branches {
        branch.id = branch.id.filter(|id| living.contains(id));
        if branch.id.is_none() {
            forget_all(&mut branch.children);
        } else {
            forget_dead(&mut branch.children, living);
        }
    }
}

fn forget_all(branches: &mut [Branch]) {
    for branch in branches {
        branch.id = None;
        forget_all(&mut branch.children);
    }
}

/// The edits among `edits` of what no field declares; nothing when there are none.
fn undeclared(doc: &LoroDoc, shape: &RowShape, edits: &DiffBatch) -> Option<DiffBatch> {
    let mut homes = Homes::new(doc, MOST_LEVELS);
    let mut kept = DiffBatch::default();
    for (id, diff) in edits.iter() {
        let diff = match homes.find(id).ok().flatten().map(|(home, _)| home) {
            Some(Home::Row) => keys_of_others(shape, diff),
            Some(Home::Field { key, .. }) if shape.key_index(&key).is_none() => Some(diff.clone()),
            Some(Home::Elsewhere { .. }) => Some(diff.clone()),
            Some(Home::Meta | Home::Field { .. }) | None => None,
        };
        if let Some(diff) = diff
            && !is_of_row_itself(id, &diff)
        {
            // Each container comes once.
            kept.push(id.clone(), diff).ok();
        }
    }
    kept.set_full_state(edits.is_full_state());
    let is_empty = kept.iter().next().is_none();
    (!is_empty).then_some(kept)
}

fn is_of_row_itself(id: &ContainerID, diff: &Diff<'_>) -> bool {
    let is_row =
        matches!(id, ContainerID::Root { name, container_type: ContainerType::Map } if &**name == ROW);
    is_row && matches!(diff, Diff::Map(map) if map.updated.is_empty())
}

fn keys_of_others(shape: &RowShape, diff: &Diff<'static>) -> Option<Diff<'static>> {
    let Diff::Map(map) = diff else { return None };
    let mut map = map.clone();
    map.updated.retain(|key, _| shape.key_index(key).is_none());
    Some(Diff::Map(map))
}
