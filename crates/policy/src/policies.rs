//! The policies of a manifest, and what they say about a caller and a row.

use std::{collections::HashMap, fmt, sync::Arc};

use corella_manifest::{Entity, Manifest, Policy};
use corella_query::{Filter, RowView};
use jiff::Timestamp;

use crate::{
    caller::Caller,
    evaluate::{Frame, Memberships, Truth},
    lower::Lowering,
    problem::PolicyProblem,
    rule::{Rule, Scope},
};

/// What somebody wants to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See it.
    Read,
    /// Make it.
    Insert,
    /// Change it; bringing a deleted row back is one, too.
    Update,
    /// Delete it.
    Delete,
}

impl Action {
    const ALL: [Self; 4] = [Self::Read, Self::Insert, Self::Update, Self::Delete];

    /// The keys of a policy that may speak of it, the first that is there counts.
    fn expression(self, policy: &Policy) -> Option<(&'static str, &str)> {
        fn said<'p>(name: &'static str, text: Option<&'p String>) -> Option<(&'static str, &'p str)> {
            text.map(|text| (name, text.as_str()))
        }
        let allow = || said("allow", policy.allow.as_ref());
        let write = || said("allowWrite", policy.allow_write.as_ref()).or_else(allow);
        match self {
            Self::Read => said("allowRead", policy.allow_read.as_ref()).or_else(allow),
            Self::Insert => said("allowInsert", policy.allow_insert.as_ref()).or_else(write),
            Self::Update => said("allowUpdate", policy.allow_update.as_ref()).or_else(write),
            Self::Delete => said("allowDelete", policy.allow_delete.as_ref()).or_else(write),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// A row before and after what somebody wants to do with it.
#[derive(Clone, Copy, Default)]
pub struct Images<'a> {
    /// As it is stored; `None` for an insert.
    pub before: Option<&'a dyn RowView>,
    /// As it would be; `None` for reading and deleting.
    pub after: Option<&'a dyn RowView>,
}

/// Whether somebody may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No.
    Denied,
}

/// What one expression came to, for those who ask why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// The policy's name.
    pub policy: String,
    /// The key in which the expression stands, such as `allowRead`.
    pub key: &'static str,
    /// The expression.
    pub expression: String,
    /// `true`, `false`, or `None` when it ended in an error.
    pub outcome: Option<bool>,
}

/// The rows of an entity that a caller may read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// They are all among those that meet this.
    pub filter: Filter,
    /// Whether they are exactly those; else each row has to be asked of ([`Policies::may`]).
    pub is_exact: bool,
}

/// The policies of a manifest.
#[derive(Debug, Clone)]
pub struct Policies {
    manifest: Arc<Manifest>,
    entities: HashMap<String, HashMap<Action, Vec<Rule>>>,
}

impl Policies {
    /// Reads and checks the policies of `manifest`.
    ///
    /// # Errors
    /// Every mistake that was found in their expressions.
    pub fn new(manifest: Arc<Manifest>) -> Result<Self, Vec<PolicyProblem>> {
        let mut entities: HashMap<String, HashMap<Action, Vec<Rule>>> = HashMap::new();
        let mut problems: Vec<PolicyProblem> = Vec::new();
        for policy in &manifest.policies {
            let Some(entity) = policy.entity.as_ref().and_then(|name| manifest.entity(name.as_str())) else {
                continue;
            };
            let rules = entities.entry(entity.name.to_string()).or_default();
            for action in Action::ALL {
                let Some((key, text)) = action.expression(policy) else { continue };
                let scope = Scope { next: matches!(action, Action::Insert | Action::Update) };
                match Rule::parse(&manifest, entity, &policy.name, key, text, scope) {
                    Ok(rule) => rules.entry(action).or_default().push(rule),
                    Err(found) => {
                        for problem in found {
                            // `allow` is read once for each action, and so are its mistakes.
                            if !problems.contains(&problem) {
                                problems.push(problem);
                            }
                        }
                    }
                }
            }
        }
        if problems.is_empty() { Ok(Self { manifest, entities }) } else { Err(problems) }
    }

    fn rules(&self, entity: &Entity, action: Action) -> &[Rule] {
        self.entities
            .get(entity.name.as_str())
            .and_then(|actions| actions.get(&action))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether `caller` may do `action` to a row of `entity`.
    ///
    /// # Errors
    /// When memberships cannot be looked up.
    pub async fn may<M: Memberships + ?Sized>(
        &self,
        caller: &Caller,
        entity: &Entity,
        action: Action,
        images: Images<'_>,
        now: Timestamp,
        memberships: &M,
    ) -> Result<Verdict, M::Error> {
        if caller.is_admin {
            return Ok(Verdict::Allowed);
        }
        for rule in self.rules(entity, action) {
            if self.asked(rule, caller, entity, action, images, now, memberships).await? == Truth::Yes {
                return Ok(Verdict::Allowed);
            }
        }
        Ok(Verdict::Denied)
    }

    /// What each expression that speaks of `action` comes to, in the order in which they are asked.
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
        let mut rulings = Vec::new();
        for rule in self.rules(entity, action) {
            let truth = self.asked(rule, caller, entity, action, images, now, memberships).await?;
            rulings.push(Ruling {
                policy: rule.policy.clone(),
                key: rule.key,
                expression: rule.text.clone(),
                outcome: match truth {
                    Truth::Yes => Some(true),
                    Truth::No => Some(false),
                    Truth::Unknown => None,
                },
            });
        }
        Ok(rulings)
    }

    #[expect(clippy::too_many_arguments, reason = "they are what the two public questions have in common")]
    async fn asked<M: Memberships + ?Sized>(
        &self,
        rule: &Rule,
        caller: &Caller,
        entity: &Entity,
        action: Action,
        Images { before, after }: Images<'_>,
        now: Timestamp,
        memberships: &M,
    ) -> Result<Truth, M::Error> {
        let ask = |data: Option<&dyn RowView>, next: Option<&dyn RowView>| {
            Frame::new(&self.manifest, entity, caller, data, next, now).outline(&rule.expression)
        };
        match action {
            Action::Read | Action::Delete => ask(before, None).settle(memberships).await,
            Action::Insert => ask(after, after).settle(memberships).await,
            Action::Update => {
                let first = ask(before, after);
                // A rule that does not look at what becomes of the row must hold for that, too.
                let second = (!rule.names_next).then(|| ask(after, after));
                match (first.settle(memberships).await?, second) {
                    (Truth::Yes, Some(second)) => second.settle(memberships).await,
                    (truth, _) => Ok(truth),
                }
            }
        }
    }

    /// The rows of `entity` that `caller` may read.
    ///
    /// # Errors
    /// When memberships cannot be looked up.
    pub async fn reach<M: Memberships + ?Sized>(
        &self,
        caller: &Caller,
        entity: &Entity,
        now: Timestamp,
        memberships: &M,
    ) -> Result<Reach, M::Error> {
        if caller.is_admin {
            return Ok(Reach { filter: Filter::everything(), is_exact: true });
        }
        let mut filters = Vec::new();
        let mut is_exact = true;
        for rule in self.rules(entity, Action::Read) {
            let lowered = {
                let frame = Frame::new(&self.manifest, entity, caller, None, None, now);
                Lowering { entity, frame: &frame, memberships }.lower(&rule.expression).await?
            };
            is_exact &= lowered.exact;
            filters.push(lowered.holds);
        }
        Ok(Reach { filter: Filter::any(filters), is_exact })
    }
}
