//! An editor's node tree as a value, in the shape of loro-prosemirror.

use serde_json::{Map, Value as Json, json};

use crate::read::{Levels, TooDeep};

/// Keys of a node's map in a document.
pub(crate) const NODE_NAME: &str = "nodeName";
pub(crate) const ATTRIBUTES: &str = "attributes";
pub(crate) const CHILDREN: &str = "children";

/// A node under a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// A node with a name.
    Element(Element),
    /// A text.
    Text(Runs),
    /// What no editor of this shape writes; it shows nothing.
    Foreign,
}

/// A node with a name, such as a paragraph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Map<String, Json>,
    pub(crate) children: Vec<Node>,
}

/// A text, cut where its marks change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Runs {
    pub(crate) runs: Vec<Run>,
    /// Whether the runs say which marks there are. Where they do not, the marks that are there stay.
    pub(crate) marked: bool,
}

/// A piece of text with its marks, by name, each with its attributes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) text: String,
    pub(crate) marks: Map<String, Json>,
}

/// JSON that is no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotANode {
    /// What came instead of what was expected.
    Shape(String),
    /// Nodes lie too deep in one another.
    TooDeep(TooDeep),
}

impl From<TooDeep> for NotANode {
    fn from(too_deep: TooDeep) -> Self {
        Self::TooDeep(too_deep)
    }
}

impl Runs {
    /// A text that says nothing about marks.
    pub(crate) fn unmarked(text: &str) -> Self {
        let runs = vec![Run { text: text.to_owned(), marks: Map::new() }];
        Self { runs: if text.is_empty() { Vec::new() } else { runs }, marked: false }
    }

    /// The same without marks that were taken away again, which read as null.
    pub(crate) fn settled(mut self) -> Self {
        for run in &mut self.runs {
            run.marks.retain(|_, value| !value.is_null());
        }
        self
    }

    pub(crate) fn text(&self) -> String {
        self.runs.iter().map(|run| run.text.as_str()).collect()
    }
}

impl Element {
    /// A document with one empty paragraph, as editors start from.
    pub(crate) fn empty_document() -> Self {
        Self {
            name: "doc".into(),
            attributes: Map::new(),
            children: vec![Node::Element(Self::paragraph(""))],
        }
    }

    /// A paragraph that has a text even when that is empty, so that two people who write its first letters at the
    /// same time write into one text.
    pub(crate) fn paragraph(text: &str) -> Self {
        let children = vec![Node::Text(Runs::unmarked(text))];
        Self { name: "paragraph".into(), attributes: Map::new(), children }
    }

    /// Reads `{"type" or "nodeName", "attrs" or "attributes", "content" or "children"}`, as ProseMirror and
    /// as loro-prosemirror write nodes.
    pub(crate) fn from_json(json: &Json, levels: Levels) -> Result<Self, NotANode> {
        let Json::Object(object) = json else {
            return Err(NotANode::Shape(format!("{json:.60}")));
        };
        let (mut name, mut attributes, mut children) = (None, Map::new(), Vec::new());
        let levels = levels.down()?.down()?;
        for (key, value) in object {
            match (key.as_str(), value) {
                ("type" | NODE_NAME, Json::String(text)) if !text.is_empty() => name = Some(text.clone()),
                ("attrs" | ATTRIBUTES, Json::Object(entries)) => {
                    crate::read::to_loro(value, levels)?;
                    attributes.clone_from(entries);
                    attributes.retain(|_, value| !value.is_null());
                }
                ("content" | CHILDREN, Json::Array(items)) => children = children_from_json(items, levels)?,
                ("attrs" | ATTRIBUTES | "content" | CHILDREN, Json::Null) => {}
                _ => return Err(NotANode::Shape(format!("{key:?}: {value:.60}"))),
            }
        }
        let name = name.ok_or_else(|| NotANode::Shape("a node without a type".into()))?;
        Ok(Self { name, attributes, children })
    }

    /// The document as plain text: blocks joined by line breaks.
    pub(crate) fn plain_text(&self) -> String {
        let mut lines = Vec::new();
        self.collect_lines(&mut lines);
        lines.join("\n")
    }

    /// Whether this is a line of text rather than a box of blocks.
    pub(crate) fn is_line(&self) -> bool {
        self.children.is_empty() || self.children.iter().any(|child| matches!(child, Node::Text(_)))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.collect_lines(&mut lines);
        lines
    }

    fn collect_lines(&self, lines: &mut Vec<String>) {
        if self.is_line() {
            let mut line = String::new();
            self.collect_inline(&mut line);
            lines.push(line);
            return;
        }
        for child in &self.children {
            if let Node::Element(element) = child {
                element.collect_lines(lines);
            }
        }
    }

    fn collect_inline(&self, line: &mut String) {
        if is_line_break(&self.name) {
            line.push('\n');
        }
        for child in &self.children {
            match child {
                Node::Element(element) => element.collect_inline(line),
                Node::Text(runs) => line.extend(runs.runs.iter().map(|run| run.text.as_str())),
                Node::Foreign => {}
            }
        }
    }

    /// The element as ProseMirror writes it.
    pub(crate) fn to_json(&self) -> Json {
        let content: Vec<Json> = self.children.iter().flat_map(Node::to_json).collect();
        let mut object = Map::from_iter([("type".to_owned(), json!(self.name))]);
        if !self.attributes.is_empty() {
            object.insert("attrs".into(), Json::Object(self.attributes.clone()));
        }
        if !content.is_empty() {
            object.insert("content".into(), Json::Array(content));
        }
        Json::Object(object)
    }
}

impl Node {
    fn to_json(&self) -> Vec<Json> {
        match self {
            Self::Element(element) => vec![element.to_json()],
            Self::Foreign => Vec::new(),
            // ProseMirror has no empty texts.
            Self::Text(runs) => {
                runs.runs.iter().filter(|run| !run.text.is_empty()).map(Run::to_json).collect()
            }
        }
    }
}

impl Run {
    fn to_json(&self) -> Json {
        let mut object =
            Map::from_iter([("type".to_owned(), json!("text")), ("text".to_owned(), json!(self.text))]);
        if !self.marks.is_empty() {
            let marks = self.marks.iter().map(|(name, attributes)| match attributes {
                Json::Object(entries) if !entries.is_empty() => json!({"type": name, "attrs": entries}),
                Json::Object(_)
                | Json::Null
                | Json::Bool(_)
                | Json::Number(_)
                | Json::String(_)
                | Json::Array(_) => {
                    json!({"type": name})
                }
            });
            object.insert("marks".into(), marks.collect());
        }
        Json::Object(object)
    }
}

/// Whether nodes of that name break a line, in the schemas of ProseMirror and of TipTap.
pub(crate) fn is_line_break(name: &str) -> bool {
    matches!(name, "hard_break" | "hardBreak")
}

/// Neighbouring texts become one, since a document holds them as one text with marks.
fn children_from_json(items: &[Json], levels: Levels) -> Result<Vec<Node>, NotANode> {
    let mut children: Vec<Node> = Vec::new();
    for item in items {
        let Some(runs) = text_from_json(item, levels)? else {
            children.push(Node::Element(Element::from_json(item, levels)?));
            continue;
        };
        if let Some(Node::Text(before)) = children.last_mut() {
            before.marked |= runs.marked;
            before.runs.extend(runs.runs);
        } else {
            children.push(Node::Text(runs));
        }
    }
    Ok(children)
}

/// Reads a string, or `{"type": "text", "text": …, "marks": […]}`; `None` when `item` is no text.
fn text_from_json(item: &Json, levels: Levels) -> Result<Option<Runs>, NotANode> {
    let object = match item {
        Json::String(text) => return Ok(Some(Runs::unmarked(text))),
        Json::Object(object) if object.get("type").and_then(Json::as_str) == Some("text") => object,
        Json::Object(_) | Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => return Ok(None),
    };
    let Some(Json::String(text)) = object.get("text") else {
        return Err(NotANode::Shape("a text node without a text".into()));
    };
    if text.is_empty() {
        return Err(NotANode::Shape("a text node with an empty text".into()));
    }
    let marks = match object.get("marks") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Array(marks)) => {
            marks.iter().map(|mark| mark_from_json(mark, levels)).collect::<Result<_, _>>()?
        }
        Some(other) => return Err(NotANode::Shape(format!("\"marks\": {other:.60}"))),
    };
    Ok(Some(Runs { runs: vec![Run { text: text.clone(), marks }], marked: true }))
}

fn mark_from_json(mark: &Json, levels: Levels) -> Result<(String, Json), NotANode> {
    let Some(name) = mark.get("type").and_then(Json::as_str).filter(|name| !name.is_empty()) else {
        return Err(NotANode::Shape(format!("the mark {mark:.60}")));
    };
    let attributes = match mark.get("attrs") {
        None | Some(Json::Null) => json!({}),
        Some(attributes @ Json::Object(_)) => {
            crate::read::to_loro(attributes, levels)?;
            attributes.clone()
        }
        Some(other) => return Err(NotANode::Shape(format!("the mark attributes {other:.60}"))),
    };
    Ok((name.to_owned(), attributes))
}
