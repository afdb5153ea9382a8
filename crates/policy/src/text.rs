//! Expressions as text again: as they were meant, or with everything filled in that is known.

use cel::{
    IdedExpr, Value as Cel,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, operators},
};

use crate::evaluate::{Frame, has_memberships, mentions};

/// Most elements of a list that are told.
const MOST_ELEMENTS: usize = 8;
/// Most characters of a text that are told.
const MOST_CHARACTERS: usize = 80;

/// How tightly the parts of an expression hold together; what holds less needs brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Choice,
    Or,
    And,
    Relation,
    Sum,
    Product,
    Unary,
    Whole,
}

/// A part of an expression as text.
struct Piece {
    text: String,
    level: Level,
    /// Whether it is known to be true, or false.
    known: Option<bool>,
}

impl Piece {
    fn new(text: String, level: Level) -> Self {
        Self { text, level, known: None }
    }

    fn known(truth: bool) -> Self {
        Self { text: truth.to_string(), level: Level::Whole, known: Some(truth) }
    }

    /// The text as it may stand where nothing may hold less than `level`.
    fn at(self, level: Level) -> String {
        if self.level < level { format!("({})", self.text) } else { self.text }
    }
}

/// Writes expressions.
pub(crate) struct Writer<'a> {
    frame: &'a Frame<'a>,
    /// The names whose values are filled in.
    known: &'a [&'a str],
}

impl<'a> Writer<'a> {
    /// Fills in what `frame` says of the names in `known`.
    pub(crate) fn new(frame: &'a Frame<'a>, known: &'a [&'a str]) -> Self {
        Self { frame, known }
    }

    /// The expression as text.
    pub(crate) fn write(&self, node: &IdedExpr) -> String {
        self.piece(node).text
    }

    /// What an expression is, where everything that it names is known.
    fn value(&self, node: &IdedExpr) -> Option<Cel> {
        let is_known = !has_memberships(node) && !mentions(node, &|name| !self.known.contains(&name));
        let names_something = mentions(node, &|_| true);
        (is_known && names_something).then(|| self.frame.value(node).ok()).flatten()
    }

    fn piece(&self, node: &IdedExpr) -> Piece {
        if let Some(value) = self.value(node) {
            if let Cel::Bool(truth) = value {
                return Piece::known(truth);
            }
            if let Some(text) = value_text(&value) {
                return Piece::new(text, Level::Whole);
            }
        }
        let whole = |text: String| Piece::new(text, Level::Whole);
        match &node.expr {
            Expr::Unspecified => whole("…".to_owned()),
            Expr::Ident(name) => whole(name.clone()),
            Expr::Literal(_) => match self.frame.value(node) {
                Ok(Cel::Bool(truth)) => Piece::known(truth),
                Ok(value) => whole(value_text(&value).unwrap_or_else(|| "…".to_owned())),
                Err(_) => whole("…".to_owned()),
            },
            Expr::Select(select) => {
                let text = format!("{}.{}", self.piece(&select.operand).at(Level::Whole), select.field);
                whole(if select.test { format!("has({text})") } else { text })
            }
            Expr::Call(call) => self.call(call),
            Expr::List(list) => whole(format!("[{}]", self.list(&list.elements))),
            Expr::Map(map) => whole(format!("{{{}}}", self.entries(&map.entries))),
            Expr::Struct(message) => {
                whole(format!("{}{{{}}}", message.type_name, self.entries(&message.entries)))
            }
            Expr::Comprehension(comprehension) => whole(self.comprehension(comprehension)),
        }
    }

    fn call(&self, call: &CallExpr) -> Piece {
        if let Some(target) = &call.target {
            let target = self.piece(target).at(Level::Whole);
            let text = format!("{target}.{}({})", call.func_name, self.list(&call.args));
            return Piece::new(text, Level::Whole);
        }
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (operators::LOGICAL_AND, parts) => self.joined(parts, " && ", Level::And, false),
            (operators::LOGICAL_OR, parts) => self.joined(parts, " || ", Level::Or, true),
            (operators::LOGICAL_NOT, [inner]) => {
                let inner = self.piece(inner);
                match inner.known {
                    Some(truth) => Piece::known(!truth),
                    None => Piece::new(format!("!{}", inner.at(Level::Unary)), Level::Unary),
                }
            }
            (operators::NEGATE, [inner]) => {
                Piece::new(format!("-{}", self.piece(inner).at(Level::Unary)), Level::Unary)
            }
            (operators::CONDITIONAL, [test, yes, no]) => {
                let test = self.piece(test);
                match test.known {
                    Some(true) => self.piece(yes),
                    Some(false) => self.piece(no),
                    None => {
                        let test = test.at(Level::Or);
                        let (yes, no) = (self.piece(yes).at(Level::Or), self.piece(no).at(Level::Choice));
                        Piece::new(format!("{test} ? {yes} : {no}"), Level::Choice)
                    }
                }
            }
            (operators::INDEX, [of, index]) => {
                let text = format!("{}[{}]", self.piece(of).at(Level::Whole), self.write(index));
                Piece::new(text, Level::Whole)
            }
            (_, [left, right]) => match infix(name) {
                Some((sign, level)) => {
                    // What stands to the right of a sign of its own level was bracketed.
                    let left = self.piece(left).at(level);
                    let above = if level == Level::Relation { Level::Sum } else { next(level) };
                    Piece::new(format!("{left} {sign} {}", self.piece(right).at(above)), level)
                }
                None => self.function(name, &call.args),
            },
            (_, arguments) => self.function(name, arguments),
        }
    }

    fn function(&self, name: &str, arguments: &[IdedExpr]) -> Piece {
        Piece::new(format!("{name}({})", self.list(arguments)), Level::Whole)
    }

    /// Parts of which one that is `decisive` decides, without those that are known not to.
    fn joined(&self, parts: &[IdedExpr], sign: &str, level: Level, decisive: bool) -> Piece {
        let mut left = Vec::new();
        for part in parts.iter().map(|part| self.piece(part)) {
            match part.known {
                Some(truth) if truth == decisive => return Piece::known(truth),
                Some(_) => {}
                None => left.push(part),
            }
        }
        match left.len() {
            0 => Piece::known(!decisive),
            1 => left.swap_remove(0),
            _ => {
                let parts: Vec<String> = left.into_iter().map(|part| part.at(level)).collect();
                Piece::new(parts.join(sign), level)
            }
        }
    }

    fn list(&self, nodes: &[IdedExpr]) -> String {
        nodes.iter().map(|node| self.write(node)).collect::<Vec<_>>().join(", ")
    }

    fn entries(&self, entries: &[IdedEntryExpr]) -> String {
        let entry = |entry: &IdedEntryExpr| match &entry.expr {
            EntryExpr::StructField(field) => format!("{}: {}", field.field, self.write(&field.value)),
            EntryExpr::MapEntry(entry) => {
                // The keys of an `exists` are names of fields.
                let key = if let Expr::Ident(name) = &entry.key.expr {
                    name.clone()
                } else {
                    self.write(&entry.key)
                };
                format!("{key}: {}", self.write(&entry.value))
            }
        };
        entries.iter().map(entry).collect::<Vec<_>>().join(", ")
    }

    /// A macro over a list, which the parser has taken apart.
    fn comprehension(&self, comprehension: &ComprehensionExpr) -> String {
        let ComprehensionExpr { iter_range, iter_var, loop_step, .. } = comprehension;
        let mut macro_of = ("map", None);
        if let Expr::Call(step) = &loop_step.expr {
            macro_of = match (step.func_name.as_str(), step.args.as_slice()) {
                (operators::LOGICAL_OR, [_, test]) => ("exists", Some(test)),
                (operators::LOGICAL_AND, [_, test]) => ("all", Some(test)),
                (operators::CONDITIONAL, [test, ..]) => ("filter", Some(test)),
                (_, _) => ("map", None),
            };
        }
        let (name, test) = macro_of;
        let test = test.map_or_else(|| "…".to_owned(), |test| self.write(test));
        format!("{}.{name}({iter_var}, {test})", self.piece(iter_range).at(Level::Whole))
    }
}

fn infix(name: &str) -> Option<(&'static str, Level)> {
    Some(match name {
        operators::EQUALS => ("==", Level::Relation),
        operators::NOT_EQUALS => ("!=", Level::Relation),
        operators::LESS => ("<", Level::Relation),
        operators::LESS_EQUALS => ("<=", Level::Relation),
        operators::GREATER => (">", Level::Relation),
        operators::GREATER_EQUALS => (">=", Level::Relation),
        operators::IN => ("in", Level::Relation),
        operators::ADD => ("+", Level::Sum),
        operators::SUBSTRACT => ("-", Level::Sum),
        operators::MULTIPLY => ("*", Level::Product),
        operators::DIVIDE => ("/", Level::Product),
        operators::MODULO => ("%", Level::Product),
        _ => return None,
    })
}

fn next(level: Level) -> Level {
    match level {
        Level::Choice => Level::Or,
        Level::Or => Level::And,
        Level::And => Level::Relation,
        Level::Relation => Level::Sum,
        Level::Sum => Level::Product,
        Level::Product => Level::Unary,
        Level::Unary | Level::Whole => Level::Whole,
    }
}

/// A value as an expression names it; nothing where that would be long or cannot be said.
pub(crate) fn value_text(value: &Cel) -> Option<String> {
    match value {
        Cel::Null => Some("null".to_owned()),
        Cel::Bool(bool) => Some(bool.to_string()),
        Cel::Int(int) => Some(int.to_string()),
        Cel::UInt(int) => Some(format!("{int}u")),
        Cel::Float(float) => Some(format!("{float:?}")),
        Cel::String(text) => {
            let mut shown: String = text.chars().take(MOST_CHARACTERS).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            Some(format!("'{}'", shown.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")))
        }
        Cel::Timestamp(time) => Some(format!("timestamp('{}')", time.to_rfc3339())),
        Cel::List(list) if list.len() <= MOST_ELEMENTS => {
            let elements: Option<Vec<String>> = list.iter().map(value_text).collect();
            elements.map(|elements| format!("[{}]", elements.join(", ")))
        }
        Cel::List(_) | Cel::Map(_) | Cel::Bytes(_) | Cel::Duration(_) => None,
        Cel::Function(..) | Cel::Opaque(_) | Cel::Struct(_) => None,
    }
}
