//! What an expression names, so that no more is made for it than it looks at.

use std::collections::BTreeSet;

use cel::{IdedExpr, common::ast::Expr};

use crate::{caller::Caller, evaluate::walk};

/// The one function of `auth`.
pub(crate) const HAS_ROLE: &str = "hasRole";

/// What an expression names beside the fields of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The fields of `auth`; `None` when it does not come up.
    pub(crate) auth: Option<BTreeSet<&'static str>>,
    /// Whether somebody is asked for roles.
    pub(crate) roles: bool,
    pub(crate) now: bool,
    pub(crate) data: bool,
    pub(crate) next: bool,
}

impl Named {
    /// All that there is.
    pub(crate) fn everything() -> Self {
        Self { auth: Some(Caller::FIELDS.into()), roles: true, now: true, data: true, next: true }
    }

    /// What stands in an expression, or perhaps more: a variable of a macro's own may have the same name.
    pub(crate) fn of(expression: &IdedExpr) -> Self {
        let mut named = Self { auth: None, roles: false, now: false, data: false, next: false };
        let mut fields = BTreeSet::new();
        // How often `auth` stands there, and how often as that of which a field or the roles are asked.
        let (mut stands, mut asked) = (0, 0);
        walk(expression, &mut |node| match &node.expr {
            Expr::Ident(name) => match name.as_str() {
                "auth" => stands += 1,
                "now" => named.now = true,
                "data" => named.data = true,
                "next" => named.next = true,
                _ => {}
            },
            Expr::Select(select) if is_auth(&select.operand) => {
                asked += 1;
                fields.extend(Caller::FIELDS.into_iter().find(|field| *field == select.field));
            }
            Expr::Call(call) if call.func_name == HAS_ROLE => {
                named.roles = true;
                asked += usize::from(call.target.as_deref().is_some_and(is_auth));
            }
            Expr::Unspecified | Expr::Select(_) | Expr::Literal(_) | Expr::Call(_) => {}
            Expr::Comprehension(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => {}
        });
        if stands > asked {
            fields = Caller::FIELDS.into();
        }
        named.auth = (stands > 0).then_some(fields);
        named
    }
}

fn is_auth(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == "auth")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::ENVIRONMENT;

    fn named(text: &str) -> Named {
        Named::of(&ENVIRONMENT.parser().parse(text).unwrap())
    }

    #[test]
    fn what_is_named_is_found_wherever_it_stands() {
        let auth = |fields: &[&'static str]| Some(fields.iter().copied().collect());
        let nothing = named("1 == 1");
        assert_eq!(nothing, Named { auth: None, roles: false, now: false, data: false, next: false });
        assert_eq!(named("auth.userId != null"), Named { auth: auth(&["userId"]), ..nothing.clone() });
        let roles = Named { auth: auth(&[]), roles: true, ..nothing.clone() };
        assert_eq!(named("auth.hasRole('editor')"), roles);
        let many = named("data.ids.exists(id, id == auth.userId) && (now > next.at || auth.claims.a == 1)");
        let expected =
            Named { auth: auth(&["userId", "claims"]), roles: false, now: true, data: true, next: true };
        assert_eq!(many, expected);
        assert_eq!(named("auth['userId'] == 'a'").auth, auth(&Caller::FIELDS), "any of its fields");
        assert_eq!(named("exists(Member, {userId: auth.userId})").auth, auth(&["userId"]));
    }
}
