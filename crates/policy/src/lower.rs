//! Saying an expression as a filter for the database.
//!
//! An expression is true, false, or ends in an error, which SQL's third value is not. So each part is lowered to two
//! filters: the rows for which it is true and the rows for which it is false; a row in neither ends in an error. What
//! cannot be said as a filter stays open: then both filters have every row, and the rows that come have to be asked
//! one by one.

use std::sync::Arc;

use cel::{
    IdedExpr, Value as Cel,
    common::ast::{EntryExpr, Expr, operators},
};
use corella_manifest::{Entity, Value};
use corella_query::{Case, Column, ColumnType, Comparison, Filter, Pattern, Related, Test, Tie};

use crate::{
    check::key,
    evaluate::{Frame, Truth, has_memberships, names},
    values::{Literal, literal},
};

/// The rows for which a condition is true, and those for which it is false.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lowered {
    pub(crate) holds: Filter,
    pub(crate) fails: Filter,
    /// Whether the two are exact; else they have all such rows and perhaps more.
    pub(crate) exact: bool,
}

impl Lowered {
    fn exact(holds: Filter, fails: Filter) -> Self {
        Self { holds, fails, exact: true }
    }

    fn known(truth: Truth) -> Self {
        match truth {
            Truth::Yes => Self::exact(Filter::everything(), Filter::nothing()),
            Truth::No => Self::exact(Filter::nothing(), Filter::everything()),
            Truth::Unknown => Self::exact(Filter::nothing(), Filter::nothing()),
        }
    }

    /// Nothing is known before the row is asked.
    fn open() -> Self {
        Self { holds: Filter::everything(), fails: Filter::everything(), exact: false }
    }

    /// A test that ends in an error where there is no value.
    fn of_value(column: &Column, test: Test) -> Self {
        let holds = Filter::term(column.clone(), test);
        let has_value = Filter::negated(Filter::term(column.clone(), Test::IsNull));
        let fails = Filter::all([Filter::negated(holds.clone()), has_value]);
        Self::exact(holds, fails)
    }

    /// A test that is false where there is no value.
    fn of_any(filter: Filter) -> Self {
        Self::exact(filter.clone(), Filter::negated(filter))
    }

    fn not(self) -> Self {
        Self { holds: self.fails, fails: self.holds, exact: self.exact }
    }

    fn and(self, other: Self) -> Self {
        Self {
            holds: Filter::all([self.holds, other.holds]),
            fails: Filter::any([self.fails, other.fails]),
            exact: self.exact && other.exact,
        }
    }
}

/// Lowers expressions about `data` for one caller.
pub(crate) struct Lowering<'a> {
    pub(crate) entity: &'a Entity,
    /// Without a row: what does not speak of one is worked out at once.
    pub(crate) frame: &'a Frame<'a>,
}

impl Lowering<'_> {
    pub(crate) fn lower(&self, node: &IdedExpr) -> Lowered {
        if !names(node, "data") && !has_memberships(node) {
            return Lowered::known(self.frame.truth(node));
        }
        let Expr::Call(call) = &node.expr else { return self.flag(node) };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => self.lower(left).and(self.lower(right)),
            (operators::LOGICAL_OR, [left, right]) => {
                self.lower(left).not().and(self.lower(right).not()).not()
            }
            (operators::LOGICAL_NOT, [inner]) => self.lower(inner).not(),
            (operators::CONDITIONAL, [test, yes, no]) => {
                let test = self.lower(test);
                let yes = self.lower(yes);
                let no = self.lower(no);
                let either = |then: &Filter, other: &Filter| {
                    Filter::any([
                        Filter::all([test.holds.clone(), then.clone()]),
                        Filter::all([test.fails.clone(), other.clone()]),
                    ])
                };
                Lowered {
                    holds: either(&yes.holds, &no.holds),
                    fails: either(&yes.fails, &no.fails),
                    exact: test.exact && yes.exact && no.exact,
                }
            }
            (operators::EXISTS, [of, fields]) => match self.membership(of, fields) {
                Some(related) => Lowered::of_any(Filter::Related(Arc::new(related))),
                None if names(node, "data") => Lowered::open(),
                // A value that does not speak of the row ends in an error, and `exists` with it.
                None => Lowered::known(Truth::Unknown),
            },
            (name, args) => self.test(name, call.target.as_deref(), args).unwrap_or_else(Lowered::open),
        }
    }

    /// An `exists` whose fields are tied to fields of the row or compared with what is known.
    fn membership(&self, of: &IdedExpr, fields: &IdedExpr) -> Option<Related> {
        let (Expr::Ident(name), Expr::Map(fields)) = (&of.expr, &fields.expr) else { return None };
        let entity = self.frame.manifest.entity(name)?;
        let mut ties = Vec::new();
        let mut filters = Vec::new();
        for entry in &fields.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { return None };
            let theirs = key(&entry.key).and_then(|name| Column::of(entity, name))?;
            if let Some(own) = self.column(&entry.value) {
                if own.ty() != theirs.ty() || own.ty() == ColumnType::Json {
                    return None;
                }
                ties.push(Tie { own, theirs });
                continue;
            }
            filters.push(match literal(theirs.ty(), &self.constant(&entry.value)?) {
                Literal::Null => Filter::term(theirs, Test::IsNull),
                Literal::Value(value) => Filter::term(theirs, Test::Equal(value)),
                Literal::Never | Literal::Between => Filter::nothing(),
            });
        }
        Some(Related { entity: entity.name.clone(), ties, filter: Filter::all(filters) })
    }

    /// A bool field by itself.
    fn flag(&self, node: &IdedExpr) -> Lowered {
        match self.column(node) {
            Some(column) if column.ty() == ColumnType::Bool => {
                Lowered::of_value(&column, Test::Equal(Value::Bool(true)))
            }
            Some(_) | None => Lowered::open(),
        }
    }

    fn column(&self, node: &IdedExpr) -> Option<Column> {
        let Expr::Select(select) = &node.expr else { return None };
        let of_data = matches!(&select.operand.expr, Expr::Ident(name) if name == "data");
        (of_data && !select.test).then(|| Column::of(self.entity, &select.field)).flatten()
    }

    /// The value of what does not speak of the row; nothing when it does, or ends in an error.
    fn constant(&self, node: &IdedExpr) -> Option<Cel> {
        (!names(node, "data")).then(|| self.frame.value(node).ok()).flatten()
    }

    /// One test of one column; nothing when it cannot be said as a filter.
    fn test(&self, name: &str, target: Option<&IdedExpr>, args: &[IdedExpr]) -> Option<Lowered> {
        match (name, target, args) {
            (operators::EQUALS, None, [left, right]) => self.equal(left, right),
            (operators::NOT_EQUALS, None, [left, right]) => self.equal(left, right).map(Lowered::not),
            (operators::LESS, None, [left, right]) => self.compare(left, Comparison::Less, right),
            (operators::LESS_EQUALS, None, [left, right]) => {
                self.compare(left, Comparison::LessOrEqual, right)
            }
            (operators::GREATER, None, [left, right]) => self.compare(left, Comparison::Greater, right),
            (operators::GREATER_EQUALS, None, [left, right]) => {
                self.compare(left, Comparison::GreaterOrEqual, right)
            }
            (operators::IN, None, [element, list]) => self.one_of(element, list),
            ("contains" | "startsWith" | "endsWith", Some(target), [part]) => {
                self.part_of(name, target, part)
            }
            (_, _, _) => None,
        }
    }

    fn sides(&self, left: &IdedExpr, right: &IdedExpr) -> Option<(Column, Cel, bool)> {
        if let Some(column) = self.column(left) {
            return Some((column, self.constant(right)?, false));
        }
        Some((self.column(right)?, self.constant(left)?, true))
    }

    fn equal(&self, left: &IdedExpr, right: &IdedExpr) -> Option<Lowered> {
        let (column, value, _) = self.sides(left, right)?;
        match literal(column.ty(), &value) {
            Literal::Null => Some(Lowered::of_any(Filter::term(column, Test::IsNull))),
            Literal::Value(value) => Some(Lowered::of_any(Filter::term(column, Test::Equal(value)))),
            Literal::Never | Literal::Between => None,
        }
    }

    fn compare(&self, left: &IdedExpr, comparison: Comparison, right: &IdedExpr) -> Option<Lowered> {
        let (column, value, turned) = self.sides(left, right)?;
        let comparison = match (turned, comparison) {
            (false, comparison) => comparison,
            (true, Comparison::Less) => Comparison::Greater,
            (true, Comparison::LessOrEqual) => Comparison::GreaterOrEqual,
            (true, Comparison::Greater) => Comparison::Less,
            (true, Comparison::GreaterOrEqual) => Comparison::LessOrEqual,
        };
        match literal(column.ty(), &value) {
            Literal::Value(value) => Some(Lowered::of_value(&column, Test::Compare(comparison, value))),
            Literal::Null => Some(Lowered::known(Truth::Unknown)),
            Literal::Never | Literal::Between => None,
        }
    }

    fn one_of(&self, element: &IdedExpr, list: &IdedExpr) -> Option<Lowered> {
        let column = self.column(element)?;
        let Cel::List(items) = self.constant(list)? else { return None };
        let mut values = Vec::new();
        let mut filters = Vec::new();
        for item in items.iter() {
            match literal(column.ty(), item) {
                Literal::Null => filters.push(Filter::term(column.clone(), Test::IsNull)),
                Literal::Value(value) => values.push(value),
                Literal::Never | Literal::Between => return None,
            }
        }
        filters.push(Filter::term(column, Test::OneOf(values)));
        Some(Lowered::of_any(Filter::any(filters)))
    }

    fn part_of(&self, name: &str, target: &IdedExpr, part: &IdedExpr) -> Option<Lowered> {
        let column = self.column(target).filter(|column| column.ty() == ColumnType::Text)?;
        let Cel::String(part) = self.constant(part)? else { return None };
        // A pattern sees a text up to its first U+0000 only.
        if part.contains('\0') {
            return None;
        }
        let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let test = match name {
            "contains" => Test::Contains(part.as_str().into()),
            "startsWith" => Test::Like(Pattern::new(&format!("{escaped}%"), Case::Sensitive).ok()?),
            _ => Test::Like(Pattern::new(&format!("%{escaped}"), Case::Sensitive).ok()?),
        };
        Some(Lowered::of_value(&column, test))
    }
}
