//! Where the operations of an import may land.

use std::{collections::HashMap, slice};

use loro::{
    Container, ContainerID, ContainerTrait, ContainerType, ID, IdSpan, ImportStatus, JsonListOp, JsonMapOp,
    JsonMovableListOp, JsonOpContent, JsonTextOp, LoroDoc, LoroValue, ValueOrContainer,
};
// Loro's public face has no way from a container to the one that holds it, living or not.
use loro_internal::handler::HandlerTrait as _;

use crate::{
    Change, Form, Refusal, RowShape,
    doc::{DELETED, META, ROW},
    project::{describe, read_register},
    read::nesting,
};

/// The plain values of the root maps before an import, to tell which of them it changed.
///
/// Keys that the entity once declared and no longer does stay in its documents; only what an import changes
/// is held against it.
pub(crate) struct Before {
    row: HashMap<String, LoroValue>,
    meta: HashMap<String, LoroValue>,
}

impl Before {
    pub(crate) fn of(doc: &LoroDoc) -> Self {
        Self { row: root_values(doc, ROW), meta: root_values(doc, META) }
    }
}

/// Checks what an import changed, and answers with it.
pub(crate) fn check(
    doc: &LoroDoc,
    shape: &RowShape,
    before: &Before,
    status: &ImportStatus,
    levels: usize,
) -> Result<Change, Refusal> {
    let mut change = Change::default();
    // Comparing values, and much else, recurses into them, so that their depth comes first.
    let touched = touched(doc, status, levels)?;
    if touched.is_empty() {
        return Ok(change);
    }
    let after = Before::of(doc);
    check_row(doc, shape, before, &after, &mut change)?;
    check_meta(before, &after, &mut change)?;

    let mut homes = Homes { doc, known: HashMap::new(), levels };
    for (id, nesting) in &touched {
        let Some((home, level)) = homes.find(id)? else { continue };
        if level + nesting > levels {
            return Err(Refusal::TooDeep { most: levels });
        }
        match home {
            Home::Row | Home::Meta => {}
            Home::Field { key, kind } => match shape.field_index(&key) {
                Some(index) => {
                    check_kind(&shape.fields()[index], kind)?;
                    change.fields.insert(index);
                }
                None if shape.is_open() => {}
                None => return Err(unknown(shape, &key)),
            },
            Home::Elsewhere { .. } if shape.is_open() => {}
            Home::Elsewhere { path } => return Err(unknown(shape, &path)),
        }
    }
    let about_values = |id: &ContainerID| !matches!(id, ContainerID::Root { name, .. } if &**name == META);
    change.open = shape.is_open() && touched.keys().any(about_values);
    Ok(change)
}

/// The containers that the imported operations edit, each with how deep the plain values nest that they put
/// there.
fn touched(
    doc: &LoroDoc,
    status: &ImportStatus,
    levels: usize,
) -> Result<HashMap<ContainerID, usize>, Refusal> {
    let mut touched = HashMap::new();
    for (peer, (start, end)) in status.success.iter() {
        let count = usize::try_from(i64::from(*end) - i64::from(*start)).unwrap_or(0);
        // Unlike the operations below, this says so when a part of the history is not readable.
        let containers = doc
            .try_get_changed_containers_in(ID::new(*peer, *start), count)
            .map_err(|error| Refusal::InvalidUpdate { reason: error.to_string() })?;
        touched.extend(containers.into_iter().map(|id| (id, 0)));
        for operation in
            doc.export_json_in_id_span(IdSpan::new(*peer, *start, *end)).iter().flat_map(|c| &c.ops)
        {
            let deepest =
                values(&operation.content).iter().map(|value| nesting(value, levels)).max().unwrap_or(0);
            if deepest > levels {
                return Err(Refusal::TooDeep { most: levels });
            }
            let known = touched.entry(operation.container.clone()).or_insert(0);
            *known = deepest.max(*known);
        }
    }
    Ok(touched)
}

/// The plain values that an operation puts into its container.
fn values(content: &JsonOpContent) -> &[LoroValue] {
    match content {
        JsonOpContent::Map(JsonMapOp::Insert { value, .. })
        | JsonOpContent::MovableList(JsonMovableListOp::Set { value, .. })
        | JsonOpContent::Text(JsonTextOp::Mark { style_value: value, .. }) => slice::from_ref(value),
        JsonOpContent::List(JsonListOp::Insert { value, .. })
        | JsonOpContent::MovableList(JsonMovableListOp::Insert { value, .. }) => value,
        JsonOpContent::Map(JsonMapOp::Delete { .. })
        | JsonOpContent::List(JsonListOp::Delete { .. })
        | JsonOpContent::MovableList(JsonMovableListOp::Delete { .. } | JsonMovableListOp::Move { .. })
        | JsonOpContent::Text(JsonTextOp::Insert { .. } | JsonTextOp::Delete { .. } | JsonTextOp::MarkEnd)
        | JsonOpContent::Tree(_)
        | JsonOpContent::Future(_) => &[],
    }
}

fn check_row(
    doc: &LoroDoc,
    shape: &RowShape,
    before: &Before,
    after: &Before,
    change: &mut Change,
) -> Result<(), Refusal> {
    let row = doc.get_map(ROW);
    for key in changed_keys(&before.row, &after.row) {
        let Some(index) = shape.field_index(key) else {
            if shape.is_open() {
                continue;
            }
            return Err(unknown(shape, key));
        };
        let field = &shape.fields()[index];
        change.fields.insert(index);
        // A key that went away is a field without a value, as before its first write; undoing that write
        // leads there.
        let Some(slot) = row.get(key) else { continue };
        match (field.form, &slot) {
            (Form::Register, slot) => {
                let value =
                    read_register(field, Some(slot)).map_err(|e| Refusal::mismatch(&field.name, e))?;
                if value.is_null() && !field.optional {
                    return Err(Refusal::value(&field.name, "a value, since the field is required", "null"));
                }
            }
            (Form::Text | Form::Document, ValueOrContainer::Value(LoroValue::Null)) if field.optional => {}
            (Form::Text | Form::Document, ValueOrContainer::Container(container)) => {
                let id = container.id();
                if !id.is_mergeable() {
                    return Err(Refusal::value(&field.name, expected(field.form), describe(&slot)));
                }
                check_kind(field, id.container_type())?;
            }
            (Form::Text | Form::Document, ValueOrContainer::Value(_)) => {
                return Err(Refusal::value(&field.name, expected(field.form), describe(&slot)));
            }
        }
    }
    Ok(())
}

fn check_meta(before: &Before, after: &Before, change: &mut Change) -> Result<(), Refusal> {
    for key in changed_keys(&before.meta, &after.meta) {
        if key != DELETED {
            return Err(Refusal::UnknownField { path: path(META, key), nearest: Some(path(META, DELETED)) });
        }
        match after.meta.get(key) {
            None | Some(LoroValue::Bool(_)) => change.liveness = true,
            Some(other) => {
                let found = describe(&ValueOrContainer::Value(other.clone()));
                return Err(Refusal::value(path(META, DELETED), "true or false", found));
            }
        }
    }
    Ok(())
}

fn check_kind(field: &crate::ShapeField, kind: ContainerType) -> Result<(), Refusal> {
    let fits = match field.form {
        Form::Register => false,
        Form::Text => kind == ContainerType::Text,
        Form::Document => kind == ContainerType::Map,
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::value(&field.name, expected(field.form), format!("a container of type {kind}")))
}

fn expected(form: Form) -> &'static str {
    match form {
        Form::Register => "a plain value",
        Form::Text => "the mergeable text of that key (ensureMergeableText)",
        Form::Document => "the mergeable map of that key (ensureMergeableMap)",
    }
}

fn unknown(shape: &RowShape, path: &str) -> Refusal {
    Refusal::UnknownField { path: path.chars().take(80).collect(), nearest: shape.nearest(path) }
}

fn path(root: &str, key: &str) -> String {
    format!("{root}.{}", key.chars().take(80).collect::<String>())
}

fn changed_keys<'a>(
    before: &'a HashMap<String, LoroValue>,
    after: &'a HashMap<String, LoroValue>,
) -> impl Iterator<Item = &'a String> {
    let set = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, _)| key);
    set.chain(before.keys().filter(|key| !after.contains_key(*key)))
}

fn root_values(doc: &LoroDoc, root: &str) -> HashMap<String, LoroValue> {
    match doc.get_map(root).get_value() {
        LoroValue::Map(values) => values.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        LoroValue::Null
        | LoroValue::Bool(_)
        | LoroValue::Double(_)
        | LoroValue::I64(_)
        | LoroValue::Binary(_)
        | LoroValue::String(_)
        | LoroValue::List(_)
        | LoroValue::Container(_) => HashMap::new(),
    }
}

/// Which part of a row a container belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Home {
    /// It is the map `row`.
    Row,
    /// It is the map `meta`.
    Meta,
    /// It is, or lies under, the mergeable child of `row` with that key; `kind` is that child's.
    Field { key: String, kind: ContainerType },
    /// It is, or lies under, another root, or something under `row` or `meta` that is no mergeable child.
    Elsewhere { path: String },
}

/// Finds homes, each container's parent asked for once.
struct Homes<'a> {
    doc: &'a LoroDoc,
    known: HashMap<ContainerID, (Home, usize)>,
    levels: usize,
}

/// Longest accepted name of a root. Names of mergeable containers hold their path, and reading one costs the
/// square of its length.
const MOST_NAME_BYTES: usize = 4096;

impl Homes<'_> {
    /// The container's home and level; `None` for one that no path leads to, such as a paragraph that was
    /// removed meanwhile.
    fn find(&mut self, id: &ContainerID) -> Result<Option<(Home, usize)>, Refusal> {
        let mut below = Vec::new();
        let mut at = id.clone();
        let (mut home, mut level) = loop {
            if let Some(found) = self.known.get(&at) {
                break found.clone();
            }
            match self.step(&at)? {
                Step::Home(home) => break (home, 0),
                Step::Parent(parent) => {
                    below.push(at);
                    at = parent;
                }
                Step::Nowhere => return Ok(None),
            }
            if below.len() > self.levels {
                return Err(Refusal::TooDeep { most: self.levels });
            }
        };
        self.known.insert(at, (home.clone(), level));
        for id in below.into_iter().rev() {
            level += 1;
            home = home.under(&id);
            if level > self.levels {
                return Err(Refusal::TooDeep { most: self.levels });
            }
            self.known.insert(id, (home.clone(), level));
        }
        Ok(Some((home, level)))
    }

    fn step(&self, id: &ContainerID) -> Result<Step, Refusal> {
        match id {
            ContainerID::Root { name, .. } if name.len() > MOST_NAME_BYTES => {
                Err(Refusal::TooDeep { most: self.levels })
            }
            ContainerID::Root { name, container_type } => {
                if let Some((parent, _, _)) = id.parse_mergeable() {
                    return Ok(Step::Parent(parent));
                }
                Ok(Step::Home(match (&**name, container_type) {
                    (ROW, ContainerType::Map) => Home::Row,
                    (META, ContainerType::Map) => Home::Meta,
                    (ROW | META, kind) => {
                        return Err(Refusal::value(
                            name,
                            "a root of type Map",
                            format!("one of type {kind}"),
                        ));
                    }
                    (other, _) => Home::Elsewhere { path: other.to_owned() },
                }))
            }
            ContainerID::Normal { .. } => Ok(match self.doc.get_container(id.clone()) {
                Some(container) => match parent(&container) {
                    Some(parent) => Step::Parent(parent),
                    None => Step::Nowhere,
                },
                None => Step::Nowhere,
            }),
        }
    }
}

enum Step {
    Home(Home),
    Parent(ContainerID),
    Nowhere,
}

impl Home {
    /// The home of the child `id` of a container whose home this is.
    fn under(self, id: &ContainerID) -> Self {
        match (self, id.parse_mergeable()) {
            (Self::Row, Some((_, key, kind))) => Self::Field { key, kind },
            (Self::Row, None) => Self::Elsewhere { path: format!("{ROW}.{id}") },
            (Self::Meta, _) => Self::Elsewhere { path: format!("{META}.{id}") },
            (home @ (Self::Field { .. } | Self::Elsewhere { .. }), _) => home,
        }
    }
}

/// The container that holds this one, or held it before it was removed.
fn parent(container: &Container) -> Option<ContainerID> {
    fn of<C: ContainerTrait>(container: &C) -> Option<ContainerID> {
        container.to_handler().parent().map(|parent| Container::from(parent).id())
    }
    match container {
        Container::List(list) => of(list),
        Container::Map(map) => of(map),
        Container::Text(text) => of(text),
        Container::Tree(tree) => of(tree),
        Container::MovableList(list) => of(list),
        Container::Counter(counter) => of(counter),
        Container::Unknown(unknown) => of(unknown),
    }
}
