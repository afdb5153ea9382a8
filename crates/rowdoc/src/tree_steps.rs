//! What a patch wants of a tree: a whole value, or operations.

use std::collections::{HashMap, HashSet};

use loro::{LoroResult, LoroTree, TreeID, TreeParentId};
use serde_json::{Map, Value as Json};

use crate::{
    Refusal, given, json_edit,
    operation::{Asked, Step},
    tree_edit,
    tree_value::{self, Branch, MOST_DEPTH},
};

pub(crate) const OPERATIONS: [&str; 5] = ["$create", "$move", "$delete", "$set", "$merge"];

/// What a patch wants of a tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TreeEdit {
    To(Vec<Branch>),
    Steps(Vec<(String, TreeStep)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TreeStep {
    /// At the end when there is no index.
    Create {
        parent: TreeParentId,
        index: Option<usize>,
        branch: Branch,
    },
    Move {
        id: TreeID,
        parent: TreeParentId,
        index: Option<usize>,
    },
    Delete(TreeID),
    Set(TreeID, Map<String, Json>),
    Merge(TreeID, Map<String, Json>),
}

impl TreeEdit {
    pub(crate) fn read(field: &str, asked: &Asked<'_>) -> Result<Self, Refusal> {
        match asked {
            Asked::Whole(Json::Null) => Ok(Self::To(Vec::new())),
            Asked::Whole(json @ Json::Array(_)) => tree_value::branches(field, json, 0).map(Self::To),
            Asked::Whole(json) => {
                let expected = format!("a list of nodes, or an operation ({})", OPERATIONS.join(", "));
                Err(Refusal::value(field, expected, given::found(json)))
            }
            Asked::Steps(steps) => {
                steps.iter().map(TreeStep::read).collect::<Result<_, _>>().map(Self::Steps)
            }
        }
    }

    /// Finds out before the first operation whether all nodes and places exist.
    pub(crate) fn check(&self, tree: Option<&LoroTree>) -> Result<(), Refusal> {
        let mut outline = Outline::of(tree);
        match self {
            Self::To(wanted) => {
                let mut seen = HashSet::new();
                wanted.iter().try_for_each(|branch| check_branch(branch, &outline, &mut seen))
            }
            Self::Steps(steps) => steps.iter().try_for_each(|(path, step)| outline.follow(path, step)),
        }
    }

    pub(crate) fn apply(&self, tree: &LoroTree) -> LoroResult<()> {
        match self {
            Self::To(wanted) => tree_edit::bring_to(tree, wanted),
            Self::Steps(steps) => steps.iter().try_for_each(|(_, step)| step.apply(tree)),
        }
    }
}

fn check_branch(branch: &Branch, outline: &Outline, seen: &mut HashSet<TreeID>) -> Result<(), Refusal> {
    if let Some(id) = branch.id {
        let path = format!("{}.id", branch.path);
        outline.expect(&path, id)?;
        if !seen.insert(id) {
            return Err(Refusal::value(path, "each node once", format!("{id} a second time")));
        }
    }
    branch.children.iter().try_for_each(|child| check_branch(child, outline, seen))
}

impl TreeStep {
    fn read(step: &Step<'_>) -> Result<(String, Self), Refusal> {
        let Step { name, operand, path } = step;
        let read = match *name {
            "$create" => {
                let object = members(path, operand, &["parent", "index", "data", "children"])?;
                let (parent, index) = (object.parent()?, object.index()?);
                let data = object.get("data").map(|json| tree_value::data(&object.at("data"), json));
                let children =
                    object.get("children").map(|json| tree_value::branches(&object.at("children"), json, 1));
                let branch = Branch {
                    id: None,
                    data: data.transpose()?.unwrap_or_default(),
                    children: children.transpose()?.unwrap_or_default(),
                    path: path.clone(),
                };
                if let Some(id) = first_id(&branch.children) {
                    return Err(Refusal::value(
                        path,
                        "new nodes, which have no ids yet",
                        format!("the id {id}"),
                    ));
                }
                Self::Create { parent, index, branch }
            }
            "$move" => {
                let object = members(path, operand, &["id", "parent", "index"])?;
                Self::Move { id: object.id()?, parent: object.parent()?, index: object.index()? }
            }
            "$set" | "$merge" => {
                let object = members(path, operand, &["id", "data"])?;
                let data = object.get("data").unwrap_or(&Json::Null);
                let (id, data) = (object.id()?, tree_value::data(&object.at("data"), data)?);
                if *name == "$set" { Self::Set(id, data) } else { Self::Merge(id, data) }
            }
            _ => Self::Delete(tree_value::id(path, operand)?),
        };
        Ok((path.clone(), read))
    }

    fn apply(&self, tree: &LoroTree) -> LoroResult<()> {
        match self {
            Self::Create { parent, index, branch } => {
                let end = tree.children_num(*parent).unwrap_or(0);
                tree_edit::create(tree, *parent, index.unwrap_or(end), branch).map(drop)
            }
            Self::Move { id, parent, index } => match index {
                Some(index) => tree.mov_to(*id, *parent, *index),
                None => {
                    let others = tree.children(*parent).unwrap_or_default();
                    let end = others.iter().filter(|other| *other != id).count();
                    tree.mov_to(*id, *parent, end)
                }
            },
            Self::Delete(id) => tree.delete(*id),
            Self::Set(id, data) => json_edit::bring_map(&tree.get_meta(*id)?, data),
            Self::Merge(id, data) => {
                let meta = tree.get_meta(*id)?;
                data.iter().try_for_each(|(key, value)| json_edit::set_entry(&meta, key, value))
            }
        }
    }
}

fn first_id(branches: &[Branch]) -> Option<TreeID> {
    branches.iter().find_map(|branch| branch.id.or_else(|| first_id(&branch.children)))
}

/// The operand of an operation, which is an object with known keys.
struct Members<'a> {
    path: &'a str,
    object: &'a Map<String, Json>,
}

fn members<'a>(path: &'a str, json: &'a Json, keys: &[&str]) -> Result<Members<'a>, Refusal> {
    let expected = || format!("an object with the keys {}", keys.join(", "));
    let Json::Object(object) = json else { return Err(Refusal::value(path, expected(), given::found(json))) };
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(other) => Err(Refusal::value(path, expected(), format!("the key {other:?}"))),
        None => Ok(Members { path, object }),
    }
}

impl<'a> Members<'a> {
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn get(&self, key: &str) -> Option<&'a Json> {
        self.object.get(key).filter(|json| !json.is_null())
    }

    fn id(&self) -> Result<TreeID, Refusal> {
        tree_value::id(&self.at("id"), self.get("id").unwrap_or(&Json::Null))
    }

    fn parent(&self) -> Result<TreeParentId, Refusal> {
        match self.get("parent") {
            None => Ok(TreeParentId::Root),
            Some(json) => tree_value::id(&self.at("parent"), json).map(TreeParentId::Node),
        }
    }

    fn index(&self) -> Result<Option<usize>, Refusal> {
        self.get("index").map(|json| given::index(&self.at("index"), json)).transpose()
    }
}

/// Which nodes stand where, followed through operations before any is made.
#[derive(Default)]
struct Outline {
    parents: HashMap<TreeID, TreeParentId>,
    children: HashMap<TreeParentId, Vec<TreeID>>,
    /// How many nodes each parent gets that have no ids yet.
    made: HashMap<TreeParentId, usize>,
}

impl Outline {
    fn of(tree: Option<&LoroTree>) -> Self {
        let mut outline = Self::default();
        let Some(tree) = tree else { return outline };
        let mut waiting = vec![TreeParentId::Root];
        while let Some(parent) = waiting.pop() {
            let children = tree.children(parent).unwrap_or_default();
            for id in &children {
                outline.parents.insert(*id, parent);
                waiting.push(TreeParentId::Node(*id));
            }
            outline.children.insert(parent, children);
        }
        outline
    }

    fn expect(&self, path: &str, id: TreeID) -> Result<(), Refusal> {
        if self.parents.contains_key(&id) {
            return Ok(());
        }
        Err(Refusal::value(path, "the id of a node of this tree", format!("{id}, which there is none of")))
    }

    fn expect_parent(&self, path: &str, parent: TreeParentId) -> Result<(), Refusal> {
        match parent {
            TreeParentId::Node(id) => self.expect(&format!("{path}.parent"), id),
            TreeParentId::Root | TreeParentId::Deleted | TreeParentId::Unexist => Ok(()),
        }
    }

    fn expect_place(&self, path: &str, parent: TreeParentId, index: Option<usize>) -> Result<(), Refusal> {
        let known = self.children.get(&parent).map_or(0, Vec::len);
        let count = known + self.made.get(&parent).copied().unwrap_or(0);
        match index {
            Some(index) if index > count => {
                let expected = format!("a place from 0 to {count} among the children");
                Err(Refusal::value(format!("{path}.index"), expected, index.to_string()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn follow(&mut self, path: &str, step: &TreeStep) -> Result<(), Refusal> {
        match step {
            TreeStep::Create { parent, index, branch } => {
                self.expect_parent(path, *parent)?;
                self.expect_place(path, *parent, *index)?;
                shallow(path, self.depth(*parent) + height(std::slice::from_ref(branch)))?;
                *self.made.entry(*parent).or_insert(0) += 1;
            }
            TreeStep::Move { id, parent, index } => {
                self.expect(&format!("{path}.id"), *id)?;
                self.expect_parent(path, *parent)?;
                if self.is_below(*parent, *id) {
                    let expected = "a parent that does not lie below the node";
                    return Err(Refusal::value(format!("{path}.parent"), expected, "one that does"));
                }
                shallow(path, self.depth(*parent) + self.height(*id))?;
                self.take(*id);
                self.expect_place(path, *parent, *index)?;
                self.parents.insert(*id, *parent);
                self.children.entry(*parent).or_default().push(*id);
            }
            TreeStep::Delete(id) => {
                self.expect(path, *id)?;
                self.take(*id);
                let mut waiting = vec![*id];
                while let Some(id) = waiting.pop() {
                    self.parents.remove(&id);
                    waiting.extend(self.children.remove(&TreeParentId::Node(id)).unwrap_or_default());
                }
            }
            TreeStep::Set(id, _) | TreeStep::Merge(id, _) => self.expect(&format!("{path}.id"), *id)?,
        }
        Ok(())
    }

    fn take(&mut self, id: TreeID) {
        if let Some(parent) = self.parents.get(&id)
            && let Some(children) = self.children.get_mut(parent)
        {
            children.retain(|child| *child != id);
        }
    }

    /// How many nodes lie from a root to `at`, itself included.
    fn depth(&self, at: TreeParentId) -> usize {
        let mut depth = 0;
        let mut at = at;
        while let TreeParentId::Node(id) = at {
            depth += 1;
            at = self.parents.get(&id).copied().unwrap_or(TreeParentId::Root);
        }
        depth
    }

    fn is_below(&self, at: TreeParentId, id: TreeID) -> bool {
        let mut at = at;
        while let TreeParentId::Node(node) = at {
            if node == id {
                return true;
            }
            at = self.parents.get(&node).copied().unwrap_or(TreeParentId::Root);
        }
        false
    }

    /// How many levels of nodes there are from `id` down.
    fn height(&self, id: TreeID) -> usize {
        let mut deepest = 0;
        let mut waiting = vec![(id, 1)];
        while let Some((id, level)) = waiting.pop() {
            deepest = deepest.max(level);
            let children = self.children.get(&TreeParentId::Node(id)).into_iter().flatten();
            waiting.extend(children.map(|child| (*child, level + 1)));
        }
        deepest
    }
}

fn height(branches: &[Branch]) -> usize {
    branches.iter().map(|branch| 1 + height(&branch.children)).max().unwrap_or(0)
}

fn shallow(path: &str, depth: usize) -> Result<(), Refusal> {
    if depth <= MOST_DEPTH {
        return Ok(());
    }
    let expected = format!("nodes at most {MOST_DEPTH} levels below one another");
    Err(Refusal::value(path, expected, depth.to_string()))
}
