//! The rules of one entity.

use std::collections::{BTreeSet, HashMap};

use corella_manifest::{Entity, EntityName, Manifest};

use crate::{
    evaluate::{membership_entities, names},
    problem::PolicyProblem,
    question::Action,
    rule::{Parsed, Rule, Scope},
};

/// Every rule that speaks of one entity.
#[derive(Debug, Clone, Default)]
pub(crate) struct EntityRules {
    actions: HashMap<Action, Vec<Rule>>,
    /// Those of fields, with the field's place in the entity.
    pub(crate) read_fields: Vec<(usize, Rule)>,
    pub(crate) write_fields: Vec<(usize, Rule)>,
    /// What the rules of reading look at.
    pub(crate) reading: Sources,
    /// What the rules of writing look at.
    pub(crate) writing: Sources,
}

/// What rules look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Declared fields of the row itself, by their place in the entity.
    pub fields: BTreeSet<usize>,
    /// Entities of which they ask whether they have rows.
    pub memberships: BTreeSet<EntityName>,
    /// Whether they look at the time.
    pub time: bool,
}

impl Sources {
    fn add(&mut self, manifest: &Manifest, rule: &Rule) {
        self.fields.extend(&rule.columns);
        self.memberships.extend(membership_entities(manifest, &rule.expression));
        self.time |= names(&rule.expression, "now");
    }
}

/// What was read without a mistake; mistakes are told once.
fn sound<T>(read: Result<T, Vec<PolicyProblem>>, problems: &mut Vec<PolicyProblem>) -> Option<T> {
    match read {
        Ok(sound) => Some(sound),
        Err(found) => {
            for problem in found {
                // `allow` is checked once for each action, and so are its mistakes.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            None
        }
    }
}

impl EntityRules {
    /// Reads the rules of `entity`; what is wrong goes to `problems`.
    pub(crate) fn read(manifest: &Manifest, entity: &Entity, problems: &mut Vec<PolicyProblem>) -> Self {
        let mut rules = Self::default();
        for policy in manifest.policies.iter().filter(|policy| policy.entity.as_ref() == Some(&entity.name)) {
            let place = format!("policy {:?}", policy.name);
            let mut read = HashMap::new();
            for action in Action::ALL {
                let Some((key, text)) = action.expression(policy) else { continue };
                let parsed =
                    read.entry(key).or_insert_with(|| sound(Parsed::new(&place, key, text), problems));
                let scope = Scope { next: action.has_next() };
                let rule =
                    parsed.as_ref().and_then(|parsed| sound(parsed.rule(manifest, entity, scope), problems));
                rules.actions.entry(action).or_default().extend(rule);
            }
        }
        for (index, field) in entity.fields.iter().enumerate() {
            let place = format!("field {}.{}", entity.name, field.name);
            let mut parse = |key, text: &Option<String>, next| {
                let text = text.as_ref()?;
                let parsed = Parsed::new(&place, key, text);
                sound(parsed.and_then(|parsed| parsed.rule(manifest, entity, Scope { next })), problems)
            };
            let read = parse("allowRead", &field.allow_read, false);
            let write = parse("allowWrite", &field.allow_write, true);
            rules.read_fields.extend(read.map(|rule| (index, rule)));
            rules.write_fields.extend(write.map(|rule| (index, rule)));
        }
        rules.note_sources(manifest);
        rules
    }

    fn note_sources(&mut self, manifest: &Manifest) {
        for (action, rules) in &self.actions {
            let sources = match action {
                Action::Read => &mut self.reading,
                Action::Insert | Action::Update | Action::Delete => &mut self.writing,
            };
            rules.iter().for_each(|rule| sources.add(manifest, rule));
        }
        self.read_fields.iter().for_each(|(_, rule)| self.reading.add(manifest, rule));
        self.write_fields.iter().for_each(|(_, rule)| self.writing.add(manifest, rule));
    }

    pub(crate) fn of(&self, action: Action) -> &[Rule] {
        self.actions.get(&action).map_or(&[], Vec::as_slice)
    }
}
