//! One expression of a policy, parsed and checked.

use std::collections::BTreeSet;

use cel::{
    IdedExpr, ParseErrors,
    common::ast::{CallExpr, Expr, SelectExpr, SourceInfo, operators},
};
use corella_manifest::{Entity, Manifest};

use crate::{
    check,
    evaluate::{self, ENVIRONMENT},
    named::Named,
    problem::PolicyProblem,
};

/// Longest expression, in bytes.
const MOST_BYTES: usize = 4 * 1024;
/// Deepest nesting of an expression.
const MOST_DEPTH: u16 = 48;

/// What may be named in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Whether there is a row after the change.
    pub(crate) next: bool,
}

/// One expression of a policy.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The policy or the field in which it stands.
    pub(crate) place: String,
    /// The key in which it stands, such as `allowRead`.
    pub(crate) key: &'static str,
    /// As it was written.
    pub(crate) text: String,
    pub(crate) expression: IdedExpr,
    /// Whether it speaks of the row after the change.
    pub(crate) names_next: bool,
    /// What it names beside fields.
    pub(crate) named: Named,
    /// The declared fields that it looks at, by their place in the entity.
    pub(crate) columns: BTreeSet<usize>,
}

/// Where an expression stands, to tell of mistakes in it.
pub(crate) struct Source<'a> {
    pub(crate) path: String,
    pub(crate) text: &'a str,
    info: Option<SourceInfo>,
}

/// An expression that was read, and is yet to be checked: reading takes longer, and what may be named differs by action.
pub(crate) struct Parsed<'a> {
    place: &'a str,
    key: &'static str,
    source: Source<'a>,
    expression: IdedExpr,
}

impl<'a> Parsed<'a> {
    /// Reads an expression.
    pub(crate) fn new(place: &'a str, key: &'static str, text: &'a str) -> Result<Self, Vec<PolicyProblem>> {
        let mut source = Source { path: format!("{place}, {key}"), text, info: None };
        if text.len() > MOST_BYTES {
            let found = format!("one of {}", text.len());
            return Err(vec![source.whole(format!("an expression of at most {MOST_BYTES} bytes"), found)]);
        }
        let parser = ENVIRONMENT.parser().max_recursion_depth(MOST_DEPTH);
        let (mut expression, info) = match parser.parse_with_source_info(text) {
            Ok(parsed) => parsed,
            Err(errors) => return Err(source.unparsed(&errors)),
        };
        source.info = Some(info);
        presence_as_comparison(&mut expression);
        Ok(Self { place, key, source, expression })
    }

    /// The rule that it is, if it is true or false of rows of `entity`.
    pub(crate) fn rule(
        &self,
        manifest: &Manifest,
        entity: &Entity,
        scope: Scope,
    ) -> Result<Rule, Vec<PolicyProblem>> {
        let Self { place, key, source, expression } = self;
        let names_next = check::check(manifest, entity, scope, source, expression)?;
        Ok(Rule {
            place: (*place).to_owned(),
            key,
            text: source.text.to_owned(),
            expression: expression.clone(),
            names_next,
            named: Named::of(expression),
            columns: columns(entity, expression),
        })
    }
}

impl Source<'_> {
    fn whole(&self, expected: impl Into<String>, found: impl Into<String>) -> PolicyProblem {
        self.problem(0, 1, expected.into(), found.into())
    }

    /// A problem with one node of the expression.
    pub(crate) fn at(
        &self,
        node: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> PolicyProblem {
        let (start, stop) = self.info.as_ref().and_then(|info| info.offset_for(node)).unwrap_or_default();
        let start = usize::try_from(start).unwrap_or(0);
        let stop = usize::try_from(stop).unwrap_or(0);
        // The parser counts characters, and names the last one, not the one after it.
        self.problem(start, (stop + 1).saturating_sub(start).max(1), expected.into(), found.into())
    }

    /// A problem at a character of the text.
    fn problem(&self, start: usize, width: usize, expected: String, found: String) -> PolicyProblem {
        let mut column = start;
        let mut line = "";
        for candidate in self.text.split('\n') {
            line = candidate;
            let length = candidate.chars().count();
            if column <= length {
                break;
            }
            column -= length + 1;
        }
        let room = line.chars().count().saturating_sub(column).max(1);
        PolicyProblem {
            path: self.path.clone(),
            line: line.to_owned(),
            column,
            width: width.min(room),
            expected,
            found,
            nearest: None,
        }
    }

    fn unparsed(&self, errors: &ParseErrors) -> Vec<PolicyProblem> {
        let problem = |error: &cel::ParseError| {
            let (line, column) = error.pos;
            let before: usize = usize::try_from(line - 1)
                .map(|lines| self.text.split('\n').take(lines).map(|line| line.chars().count() + 1).sum())
                .unwrap_or(0);
            let start = before + usize::try_from(column - 1).unwrap_or(0);
            self.problem(start, 1, "a CEL expression".into(), format!("a mistake: {}", error.msg))
        };
        let mut problems: Vec<PolicyProblem> = errors.errors.iter().map(problem).collect();
        problems.truncate(1);
        if problems.is_empty() {
            problems.push(self.whole("a CEL expression", "a text that is none"));
        }
        problems
    }
}

/// The declared fields of `data` and `next` that the expression looks at.
fn columns(entity: &Entity, expression: &IdedExpr) -> BTreeSet<usize> {
    let mut columns = BTreeSet::new();
    let mut named = 0;
    let mut selected = 0;
    evaluate::walk(expression, &mut |node| match &node.expr {
        Expr::Ident(name) if is_row(name) => named += 1,
        Expr::Select(select) if matches!(&select.operand.expr, Expr::Ident(name) if is_row(name)) => {
            selected += 1;
            columns.extend(entity.fields.iter().position(|field| field.name.as_str() == select.field));
        }
        Expr::Unspecified | Expr::Ident(_) | Expr::Select(_) | Expr::Literal(_) => {}
        Expr::Call(_) | Expr::Comprehension(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => {}
    });
    // A row that is named by itself, as in `data['title']`, may be asked for any of its fields.
    if named > selected { (0..entity.fields.len()).collect() } else { columns }
}

fn is_row(name: &str) -> bool {
    name == "data" || name == "next"
}

/// Makes `has(data.field)` ask whether the field has a value: every row has every field, some without a value.
fn presence_as_comparison(expression: &mut IdedExpr) {
    evaluate::walk_mut(expression, &mut |node| {
        if let Expr::Select(select) = &mut node.expr
            && select.test
            && matches!(&select.operand.expr, Expr::Ident(name) if is_row(name))
        {
            let operand = std::mem::take(&mut select.operand);
            let field = std::mem::take(&mut select.field);
            let value =
                IdedExpr { id: node.id, expr: Expr::Select(SelectExpr { operand, field, test: false }) };
            let null = IdedExpr { id: node.id, expr: Expr::Literal(cel::common::ast::LiteralValue::Null) };
            node.expr = Expr::Call(CallExpr {
                func_name: operators::NOT_EQUALS.to_owned(),
                target: None,
                args: vec![value, null],
            });
        }
    });
}
