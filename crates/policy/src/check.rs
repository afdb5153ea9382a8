//! Checking an expression against the fields that are declared, before it ever runs.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators},
};
use corella_manifest::{Crdt, Entity, FieldType, Manifest};
use corella_query::Column;

use crate::{
    caller::Caller,
    problem::{PolicyProblem, nearest},
    rule::{Scope, Source},
    types::Type,
};

const FUNCTIONS: [&str; 26] = [
    "size",
    "string",
    "int",
    "double",
    "bool",
    "bytes",
    "timestamp",
    "duration",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "hasRole",
    "exists",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "min",
    "max",
];

/// Checks that `expression` is a condition; what comes back is whether it names `next`.
pub(crate) fn check(
    manifest: &Manifest,
    entity: &Entity,
    scope: Scope,
    source: &Source<'_>,
    expression: &IdedExpr,
) -> Result<bool, Vec<PolicyProblem>> {
    let mut checker = Checker {
        manifest,
        entity,
        scope,
        source,
        variables: Vec::new(),
        names_next: false,
        problems: Vec::new(),
    };
    checker.condition(expression);
    if checker.problems.is_empty() { Ok(checker.names_next) } else { Err(checker.problems) }
}

struct Checker<'a> {
    manifest: &'a Manifest,
    entity: &'a Entity,
    scope: Scope,
    source: &'a Source<'a>,
    /// The variables of the macros around, the innermost last.
    variables: Vec<(String, Type)>,
    names_next: bool,
    problems: Vec<PolicyProblem>,
}

impl Checker<'_> {
    fn report(&mut self, node: &IdedExpr, expected: impl Into<String>, found: impl Into<String>) -> Type {
        self.problems.push(self.source.at(node.id, expected, found));
        Type::Any
    }

    fn report_name<'n>(
        &mut self,
        node: &IdedExpr,
        expected: &str,
        name: &str,
        candidates: impl IntoIterator<Item = &'n str>,
    ) -> Type {
        let mut problem = self.source.at(node.id, expected, format!("`{name}`"));
        problem.nearest = nearest(name, candidates);
        self.problems.push(problem);
        Type::Any
    }

    /// An expression that is true or false, and may be an `exists`.
    fn condition(&mut self, node: &IdedExpr) {
        if let Expr::Call(call) = &node.expr
            && call.target.is_none()
        {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_AND | operators::LOGICAL_OR, args) => {
                    return args.iter().for_each(|arg| self.condition(arg));
                }
                (operators::LOGICAL_NOT, [inner]) => return self.condition(inner),
                (operators::CONDITIONAL, [test, yes, no]) => {
                    self.condition(test);
                    self.condition(yes);
                    return self.condition(no);
                }
                (operators::EXISTS, args) => return self.membership(node, args),
                (_, _) => {}
            }
        }
        self.expect(node, &[Type::Bool], "a condition");
    }

    fn expect(&mut self, node: &IdedExpr, types: &[Type], what: &str) -> Type {
        let ty = self.value(node);
        if ty != Type::Any && !types.contains(&ty) {
            return self.report(node, what, ty.to_string());
        }
        ty
    }

    fn value(&mut self, node: &IdedExpr) -> Type {
        match &node.expr {
            Expr::Unspecified => self.report(node, "an expression", "nothing"),
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::Text,
            },
            Expr::Ident(name) => self.name(node, name),
            Expr::Select(select) => match (&select.operand.expr, select.field.as_str()) {
                (Expr::Ident(name), field) if name == "data" || name == "next" => {
                    self.name(&select.operand, name);
                    self.field(node, field)
                }
                (Expr::Ident(name), field) if name == "auth" => self.of_auth(node, field, select.test),
                (_, _) => {
                    self.expect(&select.operand, &[Type::Map], "a map");
                    if select.test { Type::Bool } else { Type::Any }
                }
            },
            Expr::List(list) => {
                let types: Vec<Type> = list.elements.iter().map(|element| self.value(element)).collect();
                let same = types.windows(2).all(|pair| pair[0] == pair[1]);
                let element = types.into_iter().next().filter(|_| same).unwrap_or(Type::Any);
                Type::List(Box::new(element))
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.value(&entry.key);
                        self.value(&entry.value);
                    }
                }
                Type::Map
            }
            Expr::Struct(message) => {
                self.report(node, "a value", format!("the message type `{}`", message.type_name))
            }
            Expr::Comprehension(comprehension) => {
                let range = self.value(&comprehension.iter_range);
                let element = match range.element() {
                    // A macro goes through the keys of a map.
                    Some(_) if range == Type::Map => Type::Text,
                    Some(element) => element,
                    None => self.report(&comprehension.iter_range, "a list or a map", range.to_string()),
                };
                let initial = self.value(&comprehension.accu_init);
                let result =
                    if matches!(initial, Type::List(_)) { Type::List(Box::new(Type::Any)) } else { initial };
                let before = self.variables.len();
                self.variables.push((comprehension.iter_var.clone(), element));
                self.variables.extend(comprehension.iter_var2.clone().map(|name| (name, Type::Any)));
                self.variables.push((comprehension.accu_var.clone(), result.clone()));
                self.value(&comprehension.loop_cond);
                self.value(&comprehension.loop_step);
                let result = self.value(&comprehension.result);
                self.variables.truncate(before);
                result
            }
            Expr::Call(call) => self.call(node, call),
        }
    }

    fn name(&mut self, node: &IdedExpr, name: &str) -> Type {
        if let Some((_, ty)) = self.variables.iter().rev().find(|(variable, _)| variable == name) {
            return ty.clone();
        }
        match name {
            "auth" | "data" => Type::Map,
            "now" => Type::Time,
            "next" if self.scope.next => {
                self.names_next = true;
                Type::Map
            }
            "next" => {
                self.report(node, "`data`, for nothing comes after reading or deleting a row", "`next`")
            }
            unknown => {
                self.report_name(node, "auth, data, next or now", unknown, ["auth", "data", "next", "now"])
            }
        }
    }

    fn field(&mut self, node: &IdedExpr, name: &str) -> Type {
        let entity = self.entity;
        if name == Column::ID {
            return Type::Text;
        }
        match entity.field(name) {
            Some(field) => Type::of(&field.ty),
            None => {
                let columns = entity.fields.iter().map(|field| field.name.as_str()).chain([Column::ID]);
                self.report_name(node, &format!("a field of {}", entity.name), name, columns)
            }
        }
    }

    fn of_auth(&mut self, node: &IdedExpr, name: &str, test: bool) -> Type {
        let ty = match name {
            "userId" | "tenant" => Type::Text,
            "roles" => Type::List(Box::new(Type::Text)),
            "isAdmin" => Type::Bool,
            "claims" => Type::Map,
            unknown => {
                self.report_name(node, "userId, roles, tenant, isAdmin or claims", unknown, Caller::FIELDS)
            }
        };
        if test { Type::Bool } else { ty }
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Type {
        if let Some(target) = &call.target {
            return self.member_call(node, target, call);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, args) => {
                for arg in args {
                    self.expect(arg, &[Type::Bool], "a condition");
                }
                Type::Bool
            }
            (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [inner]) => {
                self.expect(inner, &[Type::Bool], "a condition");
                Type::Bool
            }
            (operators::CONDITIONAL, [test, yes, no]) => {
                self.expect(test, &[Type::Bool], "a condition");
                let (yes, no) = (self.value(yes), self.value(no));
                if yes == no { yes } else { Type::Any }
            }
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                let (left_type, right_type) = (self.value(left), self.value(right));
                if !left_type.may_equal(&right_type) {
                    self.report(right, format!("{left_type}, as on the other side"), right_type.to_string());
                }
                self.variant(left, right);
                self.variant(right, left);
                Type::Bool
            }
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [left, right],
            ) => {
                let (left_type, right_type) = (self.value(left), self.value(right));
                if !left_type.may_compare(&right_type) {
                    let found = format!("{left_type} and {right_type}");
                    self.report(node, "two values with an order, such as two numbers", found);
                }
                Type::Bool
            }
            (operators::IN, [element, list]) => {
                let element_type = self.value(element);
                let list_type = self.value(list);
                match list_type.element() {
                    Some(of) if !of.may_equal(&element_type) => {
                        self.report(element, format!("{of}, as in the list"), element_type.to_string());
                    }
                    Some(_) => {}
                    None => {
                        self.report(list, "a list", list_type.to_string());
                    }
                }
                if let Expr::List(items) = &list.expr {
                    items.elements.iter().for_each(|item| self.variant(element, item));
                }
                Type::Bool
            }
            (operators::INDEX, [of, index]) => {
                self.value(index);
                let of_type = self.value(of);
                of_type.element().unwrap_or_else(|| self.report(of, "a list or a map", of_type.to_string()))
            }
            (operators::NEGATE, [inner]) => self.expect(inner, &[Type::Int, Type::Double], "a number"),
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO,
                [left, right],
            ) => self.arithmetic(node, left, right),
            (operators::EXISTS, _) => {
                let places = "`exists` where a condition stands: alone, or joined by &&, ||, ! and ?:";
                self.report(node, places, "it inside another expression")
            }
            (name, args) => {
                args.iter().for_each(|arg| drop(self.value(arg)));
                self.result_of(node, name)
            }
        }
    }

    fn arithmetic(&mut self, node: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Type {
        match (self.value(left), self.value(right)) {
            (Type::Time, Type::Time) => Type::Duration,
            (Type::Time, Type::Duration) | (Type::Duration, Type::Time) => Type::Time,
            (left, right) if left == right && !matches!(left, Type::Bool | Type::Null | Type::Map) => left,
            (Type::Any, _) | (_, Type::Any) => Type::Any,
            (left, right) => self.report(node, "two values of one type", format!("{left} and {right}")),
        }
    }

    fn member_call(&mut self, node: &IdedExpr, target: &IdedExpr, call: &CallExpr) -> Type {
        call.args.iter().for_each(|arg| drop(self.value(arg)));
        let on_auth = matches!(&target.expr, Expr::Ident(name) if name == "auth");
        match (call.func_name.as_str(), on_auth) {
            ("hasRole", true) => match call.args.as_slice() {
                [role] => {
                    self.expect(role, &[Type::Text], "the name of a role");
                    Type::Bool
                }
                args => {
                    self.report(node, "one role, as in auth.hasRole('editor')", format!("{}", args.len()))
                }
            },
            ("hasRole", false) => {
                self.report(target, "`auth`, as in auth.hasRole('editor')", "something else")
            }
            ("contains" | "startsWith" | "endsWith" | "matches", false) => {
                self.expect(target, &[Type::Text], "a string");
                Type::Bool
            }
            (name, _) => {
                self.value(target);
                self.result_of(node, name)
            }
        }
    }

    fn result_of(&mut self, node: &IdedExpr, name: &str) -> Type {
        match name {
            "string" => Type::Text,
            "size" | "int" => Type::Int,
            "double" => Type::Double,
            "bool" | "contains" | "startsWith" | "endsWith" | "matches" => Type::Bool,
            "bytes" => Type::Bytes,
            "timestamp" => Type::Time,
            "duration" => Type::Duration,
            "min" | "max" => Type::Any,
            getter if getter.starts_with("get") && FUNCTIONS.contains(&getter) => Type::Int,
            unknown => self.report_name(node, "a function that there is", unknown, FUNCTIONS),
        }
    }

    /// `exists(Entity, {field: value})`
    fn membership(&mut self, node: &IdedExpr, args: &[IdedExpr]) {
        const FORM: &str = "an entity and its fields, as in exists(Member, {user: auth.userId})";
        let [of, fields] = args else {
            self.report(node, FORM, format!("{} arguments", args.len()));
            return;
        };
        let (Expr::Ident(name), Expr::Map(fields)) = (&of.expr, &fields.expr) else {
            self.report(node, FORM, "something else");
            return;
        };
        let Some(entity) = self.manifest.entity(name) else {
            let names = self.manifest.entities.iter().map(|entity| entity.name.as_str());
            self.report_name(of, "the name of an entity", name, names);
            return;
        };
        for entry in &fields.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let ty = self.value(&entry.value);
            let Some(name) = key(&entry.key) else {
                self.report(&entry.key, "the name of a field", "something else");
                continue;
            };
            let Some(column) = Column::of(entity, name) else {
                let columns = entity.fields.iter().map(|field| field.name.as_str()).chain([Column::ID]);
                self.report_name(&entry.key, &format!("a field of {}", entity.name), name, columns);
                continue;
            };
            let field = entity.field(column.name());
            if let Some(field) = field.filter(|field| !matches!(field.crdt, Crdt::Lww | Crdt::Counter)) {
                let found = format!("{name}, which is `crdt: {}`", field.crdt.word());
                self.report(&entry.key, "a field with one plain value", found);
                continue;
            }
            let expected = field.map_or(Type::Text, |field| Type::of(&field.ty));
            if !expected.may_equal(&ty) {
                self.report(&entry.value, expected.to_string(), ty.to_string());
            }
        }
    }

    /// A text that an enum is compared with has to be one of its variants.
    fn variant(&mut self, column: &IdedExpr, literal: &IdedExpr) {
        let Expr::Select(select) = &column.expr else { return };
        let Expr::Ident(name) = &select.operand.expr else { return };
        let Expr::Literal(LiteralValue::String(text)) = &literal.expr else { return };
        if name != "data" && name != "next" {
            return;
        }
        let entity = self.entity;
        let Some(FieldType::Enum(variants)) = entity.field(&select.field).map(|field| &field.ty) else {
            return;
        };
        let text = text.inner();
        if !variants.iter().any(|variant| variant.as_str() == text) {
            let names = variants.iter().map(String::as_str);
            let expected = format!("one of {}", names.clone().collect::<Vec<_>>().join(", "));
            self.report_name(literal, &expected, text, names);
        }
    }
}

/// The field that a key of `exists` names.
pub(crate) fn key(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Ident(name) => Some(name),
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        Expr::Literal(_) | Expr::Unspecified | Expr::Call(_) | Expr::Comprehension(_) => None,
        Expr::List(_) | Expr::Map(_) | Expr::Select(_) | Expr::Struct(_) => None,
    }
}
