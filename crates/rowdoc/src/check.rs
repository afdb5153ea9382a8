//! Where the operations of an import may land.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loro::{
    Container, ContainerID, ContainerTrait, ContainerType, ID, IdSpan, ImportStatus, LoroDoc, LoroValue,
    ValueOrContainer,
};
// Loro's public face has no way from a container to the one that holds it, living or not.
use loro_internal::handler::HandlerTrait as _;

use crate::{
    Change, Form, PeerId, Refusal, RowShape, ShapeField, container,
    doc::{DELETED, META, ROW},
    former,
    landed::{self, Fault, Landed},
    project::{describe, read_field, read_register},
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
    let Touched { containers: touched, peers } = touched(doc, shape, status, levels)?;
    change.peers = peers;
    if touched.is_empty() {
        return Ok(change);
    }
    let after = Before::of(doc);
    check_row(doc, shape, before, &after, &mut change)?;
    check_meta(before, &after, &mut change)?;

    let mut homes = Homes::new(doc, levels);
    for (id, Editing { landed, by }) in &touched {
        let Some((home, level)) = homes.find(id)? else { continue };
        if level + landed.nesting > levels {
            return Err(Refusal::TooDeep { most: levels });
        }
        match home {
            Home::Row | Home::Meta => {}
            Home::Field { key, kind } => match shape.key_index(&key) {
                Some(index) => {
                    let field = &shape.fields()[index];
                    check_kind(field, kind)?;
                    check_content(field, id, level, *landed)?;
                    change.fields.insert(index);
                    for peer in by {
                        change.peers.entry(*peer).or_default().insert(index);
                    }
                }
                None if shape.is_open() => {}
                None => return Err(unknown(shape, &key)),
            },
            Home::Elsewhere { .. } if shape.is_open() => {}
            Home::Elsewhere { path } => return Err(unknown(shape, &path)),
        }
    }
    // Nodes lie below one another without lying in one another, so that their depth shows only now.
    for index in &change.fields {
        let field = &shape.fields()[*index];
        if field.form == Form::Tree {
            read_field(&doc.get_map(ROW), field)?;
        }
    }
    let about_values = |id: &ContainerID| !matches!(id, ContainerID::Root { name, .. } if &**name == META);
    change.open = shape.is_open() && touched.keys().any(about_values);
    Ok(change)
}

/// What the imported operations are about.
#[derive(Default)]
struct Touched {
    /// The containers that they edit.
    containers: HashMap<ContainerID, Editing>,
    /// Who made them, each with the fields that it wrote as plain values.
    peers: BTreeMap<PeerId, BTreeSet<usize>>,
}

/// What the imported operations do to a container.
#[derive(Default)]
struct Editing {
    /// What they put there.
    landed: Landed,
    /// Who made them.
    by: BTreeSet<PeerId>,
}

/// What the imported operations are about.
fn touched(
    doc: &LoroDoc,
    shape: &RowShape,
    status: &ImportStatus,
    levels: usize,
) -> Result<Touched, Refusal> {
    let mut touched = Touched::default();
    for (peer, (start, end)) in status.success.iter() {
        let count = usize::try_from(i64::from(*end) - i64::from(*start)).unwrap_or(0);
        let by = PeerId(*peer);
        let written = touched.peers.entry(by).or_default();
        // Unlike the operations below, this says so when a part of the history is not readable.
        let containers = doc
            .try_get_changed_containers_in(ID::new(*peer, *start), count)
            .map_err(|error| Refusal::InvalidUpdate { reason: error.to_string() })?;
        for id in containers {
            touched.containers.entry(id).or_default().by.insert(by);
        }
        for operation in
            doc.export_json_in_id_span(IdSpan::new(*peer, *start, *end)).iter().flat_map(|c| &c.ops)
        {
            written.extend(landed::row_key(operation).and_then(|key| shape.key_index(key)));
            let Editing { landed, by: makers } =
                touched.containers.entry(operation.container.clone()).or_default();
            makers.insert(by);
            landed.add(&operation.content, levels);
            if landed.nesting > levels {
                return Err(Refusal::TooDeep { most: levels });
            }
            landed::check_counter(shape, *peer, operation)?;
        }
    }
    Ok(touched)
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
        let Some(index) = shape.key_index(key) else {
            if shape.is_open() {
                continue;
            }
            return Err(unknown(shape, key));
        };
        let field = &shape.fields()[index];
        change.fields.insert(index);
        let Some(slot) = row.get(key) else {
            // A key that went away is a field without a value, as before its first write.
            if field.form == Form::Register && !field.optional {
                return Err(Refusal::required(&field.name, "its removal"));
            }
            continue;
        };
        match (field.form, &slot) {
            // Whoever has not heard of a change of the field's type may go on writing as before.
            (Form::Register, slot)
                if read_register(field, Some(slot)).is_err() && former::accepts(field, slot) => {}
            (form, slot @ ValueOrContainer::Value(_))
                if form != Form::Register && former::accepts(field, slot) => {}
            (Form::Register, slot) => {
                let value =
                    read_register(field, Some(slot)).map_err(|e| Refusal::mismatch(&field.name, e))?;
                if landed::value_has_nul(&value) {
                    return Err(Fault::Nul.refusal(field.name.as_str()));
                }
                if value.is_null() && !field.optional {
                    return Err(Refusal::required(&field.name, "null"));
                }
            }
            (_, ValueOrContainer::Value(LoroValue::Null)) if field.optional => {}
            (_, ValueOrContainer::Container(container)) => {
                let id = container.id();
                if !id.is_mergeable() {
                    return Err(Refusal::value(&field.name, expected(field.form), describe(&slot)));
                }
                check_kind(field, id.container_type())?;
            }
            (_, ValueOrContainer::Value(_)) => {
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

fn check_kind(field: &ShapeField, kind: ContainerType) -> Result<(), Refusal> {
    let former = field.former.as_ref().and_then(|former| container::kind(former.field.form));
    if container::kind(field.form) == Some(kind) || former == Some(kind) {
        return Ok(());
    }
    Err(Refusal::value(&field.name, expected(field.form), format!("a container of type {kind}")))
}

/// Whether what landed in the container `id`, which is the field's own or lies under it, can be kept there.
fn check_content(field: &ShapeField, id: &ContainerID, level: usize, landed: Landed) -> Result<(), Refusal> {
    let kind = id.container_type();
    let is_own = level == 1;
    match field.form {
        Form::Register => {}
        Form::Counter if !is_own => {
            let found = format!("a container of type {kind}");
            return Err(Refusal::value(&field.name, "numbers only, each peer's total", found));
        }
        Form::List | Form::MovableList | Form::Map | Form::Tree
            if matches!(kind, ContainerType::Counter | ContainerType::Unknown(_)) =>
        {
            // Loro's counter adds doubles in the order of their arrival, so that replicas would differ.
            let expected = "values, maps, lists, movable lists, texts and trees";
            return Err(Refusal::value(&field.name, expected, format!("a container of type {kind}")));
        }
        Form::Text | Form::Document if landed.fault == Some(Fault::NotFinite) => {}
        Form::Text
        | Form::Document
        | Form::Counter
        | Form::List
        | Form::MovableList
        | Form::Map
        | Form::Tree => {
            if let Some(fault) = landed.fault {
                return Err(fault.refusal(field.name.as_str()));
            }
        }
    }
    Ok(())
}

fn expected(form: Form) -> &'static str {
    match form {
        Form::Register => "a plain value",
        Form::Text => "the mergeable text of that key (ensureMergeableText)",
        Form::Document | Form::Map => "the mergeable map of that key (ensureMergeableMap)",
        Form::Counter => "the mergeable map of that key (ensureMergeableMap) with a total for each peer",
        Form::List => "the mergeable list of that key (ensureMergeableList)",
        Form::MovableList => "the mergeable movable list of that key (ensureMergeableMovableList)",
        Form::Tree => "the mergeable tree of that key (ensureMergeableTree)",
    }
}

fn unknown(shape: &RowShape, path: &str) -> Refusal {
    Refusal::UnknownField { path: path.chars().take(80).collect(), nearest: shape.nearest_key(path) }
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
pub(crate) enum Home {
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
pub(crate) struct Homes<'a> {
    doc: &'a LoroDoc,
    known: HashMap<ContainerID, (Home, usize)>,
    levels: usize,
}

/// Longest accepted name of a root. Names of mergeable containers hold their path, and reading one costs the
/// square of its length.
const MOST_NAME_BYTES: usize = 4096;

impl<'a> Homes<'a> {
    pub(crate) fn new(doc: &'a LoroDoc, levels: usize) -> Self {
        Self { doc, known: HashMap::new(), levels }
    }

    /// The container's home and level; `None` for one that no path leads to, such as a paragraph that was
    /// removed meanwhile.
    pub(crate) fn find(&mut self, id: &ContainerID) -> Result<Option<(Home, usize)>, Refusal> {
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
