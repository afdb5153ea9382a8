//! Asking an expression about one row.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use cel::{
    Context, Env, ExecutionError, IdedExpr, Value as Cel,
    common::ast::{EntryExpr, Expr, operators},
    extractors::This,
};
use corella_manifest::{Entity, EntityName, Manifest};
use corella_query::{Column, Filter, RowView, Test};
use jiff::Timestamp;

use crate::{
    caller::Caller,
    check::key,
    named::{HAS_ROLE, Named},
    text::value_text,
    values::{Literal, from_row, literal, time_to_cel},
};

/// CEL's own functions and macros, made once: that takes longer than reading an expression.
pub(crate) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Looks up whether rows exist, for `exists`.
#[async_trait]
pub trait Memberships: Sync {
    /// Why a look-up may fail.
    type Error: Send;

    /// Whether a row of `entity`, in the caller's tenant, meets `filter`.
    ///
    /// # Errors
    /// When the rows cannot be looked up.
    async fn exists(&self, entity: &EntityName, filter: Filter) -> Result<bool, Self::Error>;
}

/// No row exists.
#[derive(Debug, Clone, Copy)]
pub struct NoMemberships;

#[async_trait]
impl Memberships for NoMemberships {
    type Error = std::convert::Infallible;

    async fn exists(&self, _entity: &EntityName, _filter: Filter) -> Result<bool, Self::Error> {
        Ok(false)
    }
}

/// What a condition comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Yes,
    No,
    /// It ended in an error, which allows nothing, and neither does its opposite.
    Unknown,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

/// A condition of which only memberships are still open.
#[derive(Debug)]
pub(crate) enum Outline {
    Known(Truth),
    Exists(EntityName, Filter),
    Not(Box<Outline>),
    All(Vec<Outline>),
    Any(Vec<Outline>),
    If(Box<[Outline; 3]>),
}

impl Outline {
    /// Any of `parts`.
    pub(crate) fn any(parts: impl Iterator<Item = Self>) -> Self {
        Self::Any(parts.collect())
    }

    /// The rows that are looked up for it.
    pub(crate) fn memberships(&self, found: &mut Vec<(EntityName, Filter)>) {
        match self {
            Self::Known(_) => {}
            Self::Exists(entity, filter) => found.push((entity.clone(), filter.clone())),
            Self::Not(inner) => inner.memberships(found),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.memberships(found)),
            Self::If(parts) => parts.iter().for_each(|part| part.memberships(found)),
        }
    }

    /// Looks up what is open, and no more than it takes.
    pub(crate) async fn settle<M: Memberships + ?Sized>(&self, memberships: &M) -> Result<Truth, M::Error> {
        match self {
            Self::Known(truth) => Ok(*truth),
            Self::Exists(entity, filter) => memberships.exists(entity, filter.clone()).await.map(Truth::from),
            Self::Not(inner) => Ok(match Box::pin(inner.settle(memberships)).await? {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                Truth::Unknown => Truth::Unknown,
            }),
            Self::All(parts) => joined(parts, memberships, Truth::No, Truth::Yes).await,
            Self::Any(parts) => joined(parts, memberships, Truth::Yes, Truth::No).await,
            Self::If(parts) => {
                let [test, yes, no] = &**parts;
                match Box::pin(test.settle(memberships)).await? {
                    Truth::Yes => Box::pin(yes.settle(memberships)).await,
                    Truth::No => Box::pin(no.settle(memberships)).await,
                    Truth::Unknown => Ok(Truth::Unknown),
                }
            }
        }
    }
}

/// As CEL joins: one `decisive` part decides, whatever error the others end in.
async fn joined<M: Memberships + ?Sized>(
    parts: &[Outline],
    memberships: &M,
    decisive: Truth,
    otherwise: Truth,
) -> Result<Truth, M::Error> {
    let mut result = otherwise;
    for part in parts {
        let truth = Box::pin(part.settle(memberships)).await?;
        if truth == decisive {
            return Ok(decisive);
        }
        if truth == Truth::Unknown {
            result = Truth::Unknown;
        }
    }
    Ok(result)
}

/// A row, and the declared fields of it that an expression looks at.
pub(crate) type Looked<'a> = (&'a dyn RowView, &'a BTreeSet<usize>);

/// What an expression names, with its values.
pub(crate) struct Frame<'a> {
    pub(crate) manifest: &'a Manifest,
    context: Context<'static, 'static>,
    roles: &'a [Arc<str>],
}

impl<'a> Frame<'a> {
    pub(crate) fn new(
        manifest: &'a Manifest,
        entity: &Entity,
        named: &Named,
        caller: &'a Caller,
        (data, next): (Option<Looked<'_>>, Option<Looked<'_>>),
        now: Timestamp,
    ) -> Self {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        if let Some(fields) = &named.auth {
            context.add_variable_from_value("auth", caller.to_cel(fields));
        }
        if named.now {
            context.add_variable_from_value("now", time_to_cel(now));
        }
        if let Some((row, columns)) = data.filter(|_| named.data) {
            context.add_variable_from_value("data", from_row(entity, row, columns));
        }
        if let Some((row, columns)) = next.filter(|_| named.next) {
            context.add_variable_from_value("next", from_row(entity, row, columns));
        }
        if named.roles {
            let roles = caller.roles.clone();
            let has_role =
                move |_auth: This<Cel>, role: Arc<String>| roles.iter().any(|held| **held == **role);
            context.add_function(HAS_ROLE, has_role).expect("no other function has that name");
        }
        Self { manifest, context, roles: &caller.roles }
    }

    /// The caller's roles as text.
    pub(crate) fn roles(&self) -> Option<String> {
        let roles: Vec<Cel> = self.roles.iter().map(|role| Cel::from(&**role)).collect();
        value_text(&Cel::from(roles))
    }

    pub(crate) fn value(&self, node: &IdedExpr) -> Result<Cel, ExecutionError> {
        Cel::resolve(node, &self.context)
    }

    pub(crate) fn truth(&self, node: &IdedExpr) -> Truth {
        match self.value(node) {
            Ok(Cel::Bool(truth)) => truth.into(),
            Ok(_) | Err(_) => Truth::Unknown,
        }
    }

    /// The condition with everything settled that needs no look-up.
    pub(crate) fn outline(&self, node: &IdedExpr) -> Outline {
        if !has_memberships(node) {
            return Outline::Known(self.truth(node));
        }
        let Expr::Call(call) = &node.expr else { return Outline::Known(Truth::Unknown) };
        let parts = || call.args.iter().map(|arg| self.outline(arg)).collect();
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, _) => Outline::All(parts()),
            (operators::LOGICAL_OR, _) => Outline::Any(parts()),
            (operators::LOGICAL_NOT, [inner]) => Outline::Not(Box::new(self.outline(inner))),
            (operators::CONDITIONAL, [test, yes, no]) => {
                Outline::If(Box::new([self.outline(test), self.outline(yes), self.outline(no)]))
            }
            (operators::EXISTS, [of, fields]) => self.membership(of, fields),
            (_, _) => Outline::Known(Truth::Unknown),
        }
    }

    /// `exists(Entity, {field: value})` with its values filled in.
    pub(crate) fn membership(&self, of: &IdedExpr, fields: &IdedExpr) -> Outline {
        let (Expr::Ident(name), Expr::Map(fields)) = (&of.expr, &fields.expr) else {
            return Outline::Known(Truth::Unknown);
        };
        let Some(entity) = self.manifest.entity(name) else { return Outline::Known(Truth::Unknown) };
        let mut filters = Vec::new();
        for entry in &fields.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { return Outline::Known(Truth::Unknown) };
            let Some(column) = key(&entry.key).and_then(|name| Column::of(entity, name)) else {
                return Outline::Known(Truth::Unknown);
            };
            let Ok(value) = self.value(&entry.value) else { return Outline::Known(Truth::Unknown) };
            filters.push(match literal(column.ty(), &value) {
                Literal::Null => Filter::term(column, Test::IsNull),
                Literal::Value(value) => Filter::term(column, Test::Equal(value)),
                Literal::Never | Literal::Between => return Outline::Known(Truth::No),
            });
        }
        Outline::Exists(entity.name.clone(), Filter::all(filters))
    }
}

/// Whether anything in the expression asks for memberships.
pub(crate) fn has_memberships(node: &IdedExpr) -> bool {
    any(
        node,
        &|node| matches!(&node.expr, Expr::Call(call) if call.target.is_none() && call.func_name == operators::EXISTS),
    )
}

/// Whether it names anything that `wanted` holds for, other than what a macro of its own has named.
pub(crate) fn mentions(node: &IdedExpr, wanted: &dyn Fn(&str) -> bool) -> bool {
    let mut own = Vec::new();
    walk(node, &mut |node| {
        if let Expr::Comprehension(comprehension) = &node.expr {
            own.extend([comprehension.iter_var.clone(), comprehension.accu_var.clone()]);
            own.extend(comprehension.iter_var2.clone());
        }
    });
    let is_own = |name: &String| own.contains(name);
    any(node, &|node| matches!(&node.expr, Expr::Ident(name) if !is_own(name) && wanted(name)))
}

/// Whether a name stands anywhere in the expression.
pub(crate) fn names(node: &IdedExpr, name: &str) -> bool {
    any(node, &|node| matches!(&node.expr, Expr::Ident(ident) if ident == name))
}

/// Shows `look` the node, then each below it.
pub(crate) fn walk(node: &IdedExpr, look: &mut dyn FnMut(&IdedExpr)) {
    let look = RefCell::new(look);
    any(node, &|node| {
        look.borrow_mut()(node);
        false
    });
}

/// The entities of which the expression asks whether they have rows.
pub(crate) fn membership_entities(manifest: &Manifest, node: &IdedExpr) -> Vec<EntityName> {
    let mut entities = Vec::new();
    walk(node, &mut |node| {
        if let Expr::Call(call) = &node.expr
            && call.target.is_none()
            && call.func_name == operators::EXISTS
            && let Some(Expr::Ident(name)) = call.args.first().map(|of| &of.expr)
        {
            entities.extend(manifest.entity(name).map(|entity| entity.name.clone()));
        }
    });
    entities
}

/// Whether `wanted` holds for the node or any below it.
fn any(node: &IdedExpr, wanted: &dyn Fn(&IdedExpr) -> bool) -> bool {
    if wanted(node) {
        return true;
    }
    let entry = |entry: &cel::common::ast::IdedEntryExpr| match &entry.expr {
        EntryExpr::StructField(field) => any(&field.value, wanted),
        EntryExpr::MapEntry(entry) => any(&entry.key, wanted) || any(&entry.value, wanted),
    };
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => false,
        Expr::Call(call) => {
            call.target.as_deref().is_some_and(|target| any(target, wanted))
                || call.args.iter().any(|arg| any(arg, wanted))
        }
        Expr::Comprehension(comprehension) => [
            &comprehension.iter_range,
            &comprehension.accu_init,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ]
        .into_iter()
        .any(|part| any(part, wanted)),
        Expr::List(list) => list.elements.iter().any(|element| any(element, wanted)),
        Expr::Map(map) => map.entries.iter().any(entry),
        Expr::Select(select) => any(&select.operand, wanted),
        Expr::Struct(message) => message.entries.iter().any(entry),
    }
}

/// Shows `change` the node, then each below it.
pub(crate) fn walk_mut(node: &mut IdedExpr, change: &mut dyn FnMut(&mut IdedExpr)) {
    change(node);
    let mut entry = |entry: &mut cel::common::ast::IdedEntryExpr| match &mut entry.expr {
        EntryExpr::StructField(field) => walk_mut(&mut field.value, change),
        EntryExpr::MapEntry(entry) => {
            walk_mut(&mut entry.key, change);
            walk_mut(&mut entry.value, change);
        }
    };
    match &mut node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Map(map) => map.entries.iter_mut().for_each(entry),
        Expr::Struct(message) => message.entries.iter_mut().for_each(&mut entry),
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| walk_mut(target, change));
            call.args.iter_mut().for_each(|arg| walk_mut(arg, change));
        }
        Expr::Comprehension(comprehension) => {
            walk_mut(&mut comprehension.iter_range, change);
            walk_mut(&mut comprehension.accu_init, change);
            walk_mut(&mut comprehension.loop_cond, change);
            walk_mut(&mut comprehension.loop_step, change);
            walk_mut(&mut comprehension.result, change);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(|element| walk_mut(element, change)),
        Expr::Select(select) => walk_mut(&mut select.operand, change),
    }
}
