//! A tree field as JSON: nodes with their ids, data and children.

use loro::{LoroTree, TreeID, TreeParentId};
use serde_json::{Map, Value as Json, json};

use crate::{
    Refusal, given,
    read::{self, Levels, Texts, TooDeep},
};

/// Most levels of nodes below one another.
pub(crate) const MOST_DEPTH: usize = 40;
/// Levels that a node's data may nest, so that it can be read wherever in a tree it stands.
pub(crate) const DATA_LEVELS: Levels = Levels::some(16);

/// One node with all below it, as a patch wants it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    /// The node that it is; a new one when there is none.
    pub(crate) id: Option<TreeID>,
    pub(crate) data: Map<String, Json>,
    pub(crate) children: Vec<Branch>,
    /// Where it stands in the patch.
    pub(crate) path: String,
}

/// All nodes of the tree, each as `{"id", "data", "children"}`.
pub(crate) fn forest(tree: &LoroTree, levels: Levels) -> Result<Json, TooDeep> {
    nodes(tree, TreeParentId::Root, levels.down()?)
}

fn nodes(tree: &LoroTree, parent: TreeParentId, levels: Levels) -> Result<Json, TooDeep> {
    let levels = levels.down()?;
    let children = tree.children(parent).unwrap_or_default().into_iter().map(|id| {
        let levels = levels.down()?;
        Ok(json!({
            "id": id.to_string(),
            "data": read::read_meta(tree, id, Texts::Plain, levels)?,
            "children": nodes(tree, TreeParentId::Node(id), levels)?,
        }))
    });
    Ok(Json::Array(children.collect::<Result<_, _>>()?))
}

/// Reads a list of nodes, which stands `depth` levels below the roots.
pub(crate) fn branches(path: &str, json: &Json, depth: usize) -> Result<Vec<Branch>, Refusal> {
    let Json::Array(items) = json else {
        return Err(Refusal::value(path, "a list of nodes", given::found(json)));
    };
    items.iter().enumerate().map(|(index, item)| branch(format!("{path}[{index}]"), item, depth)).collect()
}

fn branch(path: String, json: &Json, depth: usize) -> Result<Branch, Refusal> {
    if depth >= MOST_DEPTH {
        let expected = format!("nodes at most {MOST_DEPTH} levels below one another");
        return Err(Refusal::value(path, expected, "deeper ones"));
    }
    let expected = r#"a node such as {"id": "…", "data": {…}, "children": […]}, all of them optional"#;
    let Json::Object(object) = json else { return Err(Refusal::value(path, expected, given::found(json))) };
    let (mut node_id, mut node_data, mut children) = (None, Map::new(), Vec::new());
    for (key, value) in object {
        match (key.as_str(), value) {
            ("id" | "data" | "children", Json::Null) => {}
            ("id", value) => node_id = Some(id(&format!("{path}.id"), value)?),
            ("data", value) => node_data = data(&format!("{path}.data"), value)?,
            ("children", value) => children = branches(&format!("{path}.children"), value, depth + 1)?,
            (other, _) => return Err(Refusal::value(path, expected, format!("the key {other:?}"))),
        }
    }
    Ok(Branch { id: node_id, data: node_data, children, path })
}

/// Reads a node's data.
pub(crate) fn data(path: &str, json: &Json) -> Result<Map<String, Json>, Refusal> {
    let entries = given::entries(path, json)?;
    match read::canonical(json, DATA_LEVELS) {
        Ok(_) => Ok(entries),
        Err(TooDeep { .. }) => Err(Refusal::value(path, "data nested at most 16 levels deep", "deeper ones")),
    }
}

/// Reads a node's id.
pub(crate) fn id(path: &str, json: &Json) -> Result<TreeID, Refusal> {
    json.as_str()
        .and_then(|text| TreeID::try_from(text).ok())
        .ok_or_else(|| Refusal::value(path, "the id of a node, such as \"0@1\"", given::found(json)))
}
