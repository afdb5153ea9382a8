//! Why somebody may do something, or may not.

use std::fmt;

use cel::{
    IdedExpr,
    common::ast::{Expr, operators},
};
use corella_manifest::{Entity, FieldName};
use corella_query::RowView;
use jiff::Timestamp;

use crate::{
    caller::Caller,
    evaluate::{Frame, Memberships, Truth, has_memberships, mentions},
    policies::{Asking, Policies},
    question::{Action, Images},
    rule::Rule,
    text::{Writer, value_text},
};

/// The names whose values come from the caller.
const OF_CALLER: &[&str] = &["auth"];
/// The names whose values are known once there is a row.
const OF_ALL: &[&str] = &["auth", "data", "next", "now"];

/// Which row stood in the place of `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedOf {
    /// The row as it is stored.
    Stored,
    /// The row as it would be.
    Changed,
}

/// What one expression came to, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Where the expression stands, such as `policy "owner"` or `field Note.author`.
    pub place: String,
    /// The field of which it speaks; `None` for one that speaks of the row.
    pub field: Option<FieldName>,
    /// The key in which the expression stands, such as `allowRead`.
    pub key: &'static str,
    /// The expression.
    pub expression: String,
    /// The expression with what is known of the caller.
    pub folded: String,
    /// `true`, `false`, or `None` when it ended in an error.
    pub outcome: Option<bool>,
    /// The row of which it was asked last.
    pub asked_of: AskedOf,
    /// The parts that decided.
    pub reasons: Vec<Reason>,
}

/// A part of an expression that decided what the whole came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The part as it was written.
    pub part: String,
    /// `true`, `false`, or `None` when it ended in an error.
    pub outcome: Option<bool>,
    /// Why: the values that it looked at, the row that is there or is not, the error.
    pub because: String,
}

impl fmt::Display for Ruling {
    /// Several lines, without a line's end at the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, expression, folded, outcome, asked_of, reasons, field: _ } = self;
        write!(f, "{place}, {key}: {}", outcome_text(*outcome))?;
        match asked_of {
            AskedOf::Stored => {}
            AskedOf::Changed => write!(f, ", asked of the row as it would be")?,
        }
        write!(f, "\n    {}", expression.trim())?;
        if folded != expression.trim() {
            write!(f, "\n  for this caller\n    {folded}")?;
        }
        write!(f, "\n  because")?;
        for Reason { part, outcome, because } in reasons {
            write!(f, "\n    {part}")?;
            write!(f, " is {}: {because}", outcome_text(*outcome))?;
        }
        Ok(())
    }
}

fn outcome_text(outcome: Option<bool>) -> &'static str {
    match outcome {
        Some(true) => "true",
        Some(false) => "false",
        None => "an error",
    }
}

fn outcome(truth: Truth) -> Option<bool> {
    match truth {
        Truth::Yes => Some(true),
        Truth::No => Some(false),
        Truth::Unknown => None,
    }
}

type Row<'r> = &'r (dyn RowView + Sync);

impl Policies {
    /// What each expression that speaks of `action` comes to, in the order in which they are asked, and then those of
    /// fields.
    ///
    /// # Errors
    /// When memberships cannot be looked up.
    pub async fn explain<M: Memberships + ?Sized>(
        &self,
        caller: &Caller,
        entity: &Entity,
        action: Action,
        images: Images<'_>,
        now: Timestamp,
        memberships: &M,
    ) -> Result<Vec<Ruling>, M::Error> {
        let asking = Asking { manifest: self.manifest(), entity, caller, now };
        let mut rulings = Vec::new();
        for rule in self.rules(entity, action) {
            rulings.push(asking.rule(rule, action, images, memberships).await?);
        }
        for (field, rule) in self.field_rules(entity, action) {
            let data = images.before.or(images.after);
            let of = if images.before.is_some() { AskedOf::Stored } else { AskedOf::Changed };
            let mut ruling = asking.trace(rule, (data, images.after), of, memberships).await?;
            ruling.field = entity.fields.get(*field).map(|field| field.name.clone());
            rulings.push(ruling);
        }
        Ok(rulings)
    }
}

impl Asking<'_> {
    /// What a rule of the row comes to, asked as [`Policies::may`] asks it.
    async fn rule<M: Memberships + ?Sized>(
        &self,
        rule: &Rule,
        action: Action,
        Images { before, after }: Images<'_>,
        memberships: &M,
    ) -> Result<Ruling, M::Error> {
        match action {
            Action::Read | Action::Delete => {
                self.trace(rule, (before, None), AskedOf::Stored, memberships).await
            }
            Action::Insert => self.trace(rule, (after, after), AskedOf::Changed, memberships).await,
            Action::Update => {
                let first = self.trace(rule, (before, after), AskedOf::Stored, memberships).await?;
                let asks_again = !rule.names_next && !self.looks_the_same(rule, before, after);
                if first.outcome == Some(true) && asks_again {
                    return self.trace(rule, (after, after), AskedOf::Changed, memberships).await;
                }
                Ok(first)
            }
        }
    }

    async fn trace<M: Memberships + ?Sized>(
        &self,
        rule: &Rule,
        (data, next): (Option<Row<'_>>, Option<Row<'_>>),
        asked_of: AskedOf,
        memberships: &M,
    ) -> Result<Ruling, M::Error> {
        let looked = |row| (row as &dyn RowView, &rule.columns);
        let rows = (data.map(looked), next.map(looked));
        let frame = Frame::new(self.manifest, self.entity, &rule.named, self.caller, rows, self.now);
        let tracing = Tracing { frame: &frame, memberships };
        let (truth, reasons) = tracing.trace(&rule.expression).await?;
        Ok(Ruling {
            place: rule.place.clone(),
            field: None,
            key: rule.key,
            expression: rule.text.clone(),
            folded: Writer::new(&frame, OF_CALLER).write(&rule.expression),
            outcome: outcome(truth),
            asked_of,
            reasons,
        })
    }
}

/// Follows an expression to the parts that decide.
struct Tracing<'a, M: ?Sized> {
    frame: &'a Frame<'a>,
    memberships: &'a M,
}

type Traced = (Truth, Vec<Reason>);

impl<M: Memberships + ?Sized> Tracing<'_, M> {
    async fn trace(&self, node: &IdedExpr) -> Result<Traced, M::Error> {
        let Expr::Call(call) = &node.expr else { return self.part(node).await };
        if call.target.is_some() {
            return self.part(node).await;
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, parts) => self.joined(parts, Truth::No, Truth::Yes).await,
            (operators::LOGICAL_OR, parts) => self.joined(parts, Truth::Yes, Truth::No).await,
            (operators::LOGICAL_NOT, [inner]) => {
                let (truth, reasons) = Box::pin(self.trace(inner)).await?;
                let opposite = match truth {
                    Truth::Yes => Truth::No,
                    Truth::No => Truth::Yes,
                    Truth::Unknown => Truth::Unknown,
                };
                Ok((opposite, reasons))
            }
            (operators::CONDITIONAL, [test, yes, no]) => {
                let (truth, mut reasons) = Box::pin(self.trace(test)).await?;
                let chosen = match truth {
                    Truth::Yes => yes,
                    Truth::No => no,
                    Truth::Unknown => return Ok((truth, reasons)),
                };
                let (truth, more) = Box::pin(self.trace(chosen)).await?;
                reasons.extend(more);
                Ok((truth, reasons))
            }
            (_, _) => self.part(node).await,
        }
    }

    /// As CEL joins: one `decisive` part decides; else the first error does, and else all of them do.
    async fn joined(
        &self,
        parts: &[IdedExpr],
        decisive: Truth,
        otherwise: Truth,
    ) -> Result<Traced, M::Error> {
        let mut all = Vec::new();
        let mut error = None;
        for part in parts {
            let (truth, reasons) = Box::pin(self.trace(part)).await?;
            if truth == decisive {
                return Ok((truth, reasons));
            }
            if truth == Truth::Unknown {
                error.get_or_insert(reasons);
            } else {
                all.extend(reasons);
            }
        }
        Ok(match error {
            Some(reasons) => (Truth::Unknown, reasons),
            None => (otherwise, all),
        })
    }

    /// A part that is not taken apart.
    async fn part(&self, node: &IdedExpr) -> Result<Traced, M::Error> {
        let truth = self.frame.outline(node).settle(self.memberships).await?;
        let part = Writer::new(self.frame, &[]).write(node);
        let because = if has_memberships(node) {
            match truth {
                Truth::Yes => format!("there is a {}", self.wanted(node)),
                Truth::No => format!("there is no {}", self.wanted(node)),
                Truth::Unknown => self.because(node),
            }
        } else {
            self.because(node)
        };
        Ok((truth, vec![Reason { part, outcome: outcome(truth), because }]))
    }

    /// The row that an `exists` asks for, with its values filled in.
    fn wanted(&self, node: &IdedExpr) -> String {
        let writer = Writer::new(self.frame, OF_ALL);
        if let Expr::Call(call) = &node.expr
            && let [of, fields] = call.args.as_slice()
        {
            return format!("{} with {}", writer.write(of), writer.write(fields));
        }
        format!("row for {}", writer.write(node))
    }

    /// The values that a part looks at, or the error that it ends in.
    fn because(&self, node: &IdedExpr) -> String {
        let mut looked_at = Vec::new();
        self.look(node, &mut looked_at);
        let values: Vec<String> =
            looked_at.into_iter().map(|(name, value)| format!("{name} is {value}")).collect();
        match self.frame.value(node) {
            Err(error) if !has_memberships(node) => {
                let values =
                    if values.is_empty() { String::new() } else { format!("; {}", values.join(", ")) };
                format!("{error}{values}")
            }
            Ok(_) | Err(_) if values.is_empty() => "it names nothing that changes".to_owned(),
            Ok(_) | Err(_) => values.join(", "),
        }
    }

    /// The names that a part looks at, with their values, each once.
    fn look(&self, node: &IdedExpr, found: &mut Vec<(String, String)>) {
        if is_path(node) && !matches!(&node.expr, Expr::Ident(name) if name == "data" || name == "next") {
            // What is asked of the caller as a whole is asked of its roles.
            let is_caller = matches!(&node.expr, Expr::Ident(name) if name == "auth");
            let (name, shown) = if is_caller {
                ("auth.roles".to_owned(), self.frame.roles())
            } else {
                let value = self.frame.value(node).ok().as_ref().and_then(value_text);
                (Writer::new(self.frame, &[]).write(node), value)
            };
            let value = shown.unwrap_or_else(|| "a value too long to show".to_owned());
            if found.iter().all(|(known, _)| *known != name) {
                found.push((name, value));
            }
            return;
        }
        children(node, &mut |child| self.look(child, found));
    }
}

/// Whether it names something the way `data.title` does.
fn is_path(node: &IdedExpr) -> bool {
    match &node.expr {
        Expr::Ident(name) => OF_ALL.contains(&name.as_str()),
        Expr::Select(select) => !select.test && is_path(&select.operand),
        Expr::Unspecified | Expr::Call(_) | Expr::Comprehension(_) | Expr::List(_) => false,
        Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) => false,
    }
}

/// Shows `look` what stands directly below a node, and names something.
fn children(node: &IdedExpr, look: &mut dyn FnMut(&IdedExpr)) {
    let mut look = |child: &IdedExpr| {
        if mentions(child, &|_| true) {
            look(child);
        }
    };
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) => {}
        Expr::Select(select) => look(&select.operand),
        Expr::Call(call) => {
            call.target.iter().for_each(|target| look(target));
            call.args.iter().for_each(look);
        }
        Expr::List(list) => list.elements.iter().for_each(look),
        Expr::Comprehension(comprehension) => {
            look(&comprehension.iter_range);
            look(&comprehension.loop_step);
        }
    }
}
