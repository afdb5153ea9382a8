//! The policies of a manifest, and what they say about a caller and a row.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, LazyLock},
};

use corella_manifest::{Entity, FieldName, Manifest};
use corella_query::{Column, Filter, RowView};
use jiff::Timestamp;

use crate::{
    caller::Caller,
    evaluate::{Frame, Memberships, Outline, Truth, names},
    lower::Lowering,
    named::Named,
    problem::PolicyProblem,
    question::{Action, Images, Reach, Verdict},
    reading::Reading,
    rule::Rule,
    rules::{EntityRules, Sources},
    writing::Writing,
};

/// The policies of a manifest.
#[derive(Debug, Clone)]
pub struct Policies {
    manifest: Arc<Manifest>,
    entities: HashMap<String, EntityRules>,
}

static NO_RULES: LazyLock<EntityRules> = LazyLock::new(EntityRules::default);

impl Policies {
    /// Reads and checks the policies of `manifest`, and the rules of its fields.
    ///
    /// # Errors
    /// Every mistake that was found in their expressions.
    pub fn new(manifest: Arc<Manifest>) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems: Vec<PolicyProblem> = Vec::new();
        let mut entities = HashMap::new();
        for entity in &manifest.entities {
            let rules = EntityRules::read(&manifest, entity, &mut problems);
            entities.insert(entity.name.to_string(), rules);
        }
        if problems.is_empty() { Ok(Self { manifest, entities }) } else { Err(problems) }
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The rules that speak of an action to a row of `entity`, in the order in which they are asked.
    pub(crate) fn rules(&self, entity: &Entity, action: Action) -> &[Rule] {
        self.of(entity).of(action)
    }

    /// The rules of fields that are asked besides, with the fields' places.
    pub(crate) fn field_rules(&self, entity: &Entity, action: Action) -> &[(usize, Rule)] {
        match action {
            Action::Read => &self.of(entity).read_fields,
            Action::Insert | Action::Update => &self.of(entity).write_fields,
            Action::Delete => &[],
        }
    }

    fn of(&self, entity: &Entity) -> &EntityRules {
        self.entities.get(entity.name.as_str()).unwrap_or(&NO_RULES)
    }

    /// What the rules look at by which rows of `entity` are read.
    #[must_use]
    pub fn read_sources(&self, entity: &Entity) -> &Sources {
        &self.of(entity).reading
    }

    /// What the rules look at by which rows of `entity` are written.
    #[must_use]
    pub fn write_sources(&self, entity: &Entity) -> &Sources {
        &self.of(entity).writing
    }

    /// The fields of `entity` whose reading has rules of its own, by their place.
    pub fn guarded_fields(&self, entity: &Entity) -> impl Iterator<Item = usize> {
        self.of(entity).read_fields.iter().map(|(field, _)| *field)
    }

    /// Whether `caller` may do `action` to a row of `entity`; for writes, see also [`Policies::denied_field`].
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
        let question = Asking { manifest: &self.manifest, entity, caller, now };
        for rule in self.of(entity).of(action) {
            if question.ask(rule, action, images, memberships).await? == Truth::Yes {
                return Ok(Verdict::Allowed);
            }
        }
        Ok(Verdict::Denied)
    }

    /// The first of the `touched` fields that `caller` may not write in a change of a row of `entity`.
    ///
    /// Its rule is asked once: `data` is the row before the change, or, for a new row, as it would be.
    ///
    /// # Errors
    /// When memberships cannot be looked up.
    pub async fn denied_field<'e, M: Memberships + ?Sized>(
        &self,
        caller: &Caller,
        entity: &'e Entity,
        touched: &BTreeSet<usize>,
        images: Images<'_>,
        now: Timestamp,
        memberships: &M,
    ) -> Result<Option<&'e FieldName>, M::Error> {
        if caller.is_admin {
            return Ok(None);
        }
        let question = Asking { manifest: &self.manifest, entity, caller, now };
        for (field, rule) in &self.of(entity).write_fields {
            if !touched.contains(field) {
                continue;
            }
            let outline = question.outline(rule, images.before.or(images.after), images.after);
            if outline.settle(memberships).await? != Truth::Yes {
                return Ok(entity.fields.get(*field).map(|field| &field.name));
            }
        }
        Ok(None)
    }

    /// The question what `caller` sees of a row of `entity`.
    #[must_use]
    pub fn reading(
        &self,
        caller: &Caller,
        entity: &Entity,
        row: &(dyn RowView + Sync),
        now: Timestamp,
    ) -> Reading {
        if caller.is_admin {
            return Reading { row: None, fields: Vec::new() };
        }
        let rules = self.of(entity);
        let question = Asking { manifest: &self.manifest, entity, caller, now };
        let outline = |rule| question.outline(rule, Some(row), None);
        Reading {
            row: Some(Outline::any(rules.of(Action::Read).iter().map(outline))),
            fields: rules.read_fields.iter().map(|(field, rule)| (*field, outline(rule))).collect(),
        }
    }

    /// The question whether `caller` may write to a row of `entity`, or make one where there is none.
    #[must_use]
    pub fn writing(
        &self,
        caller: &Caller,
        entity: &Entity,
        row: Option<&(dyn RowView + Sync)>,
        now: Timestamp,
    ) -> Writing {
        let mut writing = Writing { is_certain: caller.is_admin, now: Vec::new(), perhaps: Vec::new() };
        let question = Asking { manifest: &self.manifest, entity, caller, now };
        let actions: &[Action] = match row {
            Some(_) => &[Action::Update, Action::Delete],
            None => &[Action::Insert],
        };
        for rule in actions.iter().flat_map(|action| self.of(entity).of(*action)) {
            let outline = question.outline(rule, row, None);
            let depends = rule.names_next || (row.is_none() && names(&rule.expression, "data"));
            if depends { writing.perhaps.push(outline) } else { writing.now.push(outline) }
        }
        writing
    }

    /// The rows of `entity` that `caller` may read, and in which it may read each of `fields`, by their place.
    ///
    /// Memberships are a part of the filter, and nothing is looked up.
    #[must_use]
    pub fn reach(&self, caller: &Caller, entity: &Entity, fields: &BTreeSet<usize>, now: Timestamp) -> Reach {
        if caller.is_admin {
            return Reach { filter: Filter::everything(), is_exact: true };
        }
        let rules = self.of(entity);
        let frame = Frame::new(&self.manifest, entity, &Named::everything(), caller, (None, None), now);
        let lowering = Lowering { entity, frame: &frame };
        let mut is_exact = true;
        let mut readable = Vec::new();
        for rule in rules.of(Action::Read) {
            let lowered = lowering.lower(&rule.expression);
            is_exact &= lowered.exact;
            readable.push(lowered.holds);
        }
        let mut filters = vec![Filter::any(readable)];
        for (_, rule) in rules.read_fields.iter().filter(|(field, _)| fields.contains(field)) {
            let lowered = lowering.lower(&rule.expression);
            is_exact &= lowered.exact;
            filters.push(lowered.holds);
        }
        Reach { filter: Filter::all(filters), is_exact }
    }
}

/// Who asks about rows of which entity, and when.
pub(crate) struct Asking<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) entity: &'a Entity,
    pub(crate) caller: &'a Caller,
    pub(crate) now: Timestamp,
}

impl Asking<'_> {
    fn outline<'r>(
        &self,
        rule: &Rule,
        data: Option<&'r (dyn RowView + Sync)>,
        next: Option<&'r (dyn RowView + Sync)>,
    ) -> Outline {
        let looked = |row: &'r (dyn RowView + Sync)| (row as &dyn RowView, &rule.columns);
        let rows = (data.map(looked), next.map(looked));
        let frame = Frame::new(self.manifest, self.entity, &rule.named, self.caller, rows, self.now);
        frame.outline(&rule.expression)
    }

    async fn ask<M: Memberships + ?Sized>(
        &self,
        rule: &Rule,
        action: Action,
        Images { before, after }: Images<'_>,
        memberships: &M,
    ) -> Result<Truth, M::Error> {
        match action {
            Action::Read | Action::Delete => self.outline(rule, before, None).settle(memberships).await,
            Action::Insert => self.outline(rule, after, after).settle(memberships).await,
            Action::Update => {
                let first = self.outline(rule, before, after);
                // A rule that does not look at what becomes of the row must hold for that, too.
                let second = (!rule.names_next && !self.looks_the_same(rule, before, after))
                    .then(|| self.outline(rule, after, after));
                match (first.settle(memberships).await?, second) {
                    (Truth::Yes, Some(second)) => second.settle(memberships).await,
                    (truth, _) => Ok(truth),
                }
            }
        }
    }

    /// Whether two images of a row are the same in all that the rule looks at.
    pub(crate) fn looks_the_same(
        &self,
        rule: &Rule,
        before: Option<&(dyn RowView + Sync)>,
        after: Option<&(dyn RowView + Sync)>,
    ) -> bool {
        let (Some(before), Some(after)) = (before, after) else { return false };
        rule.columns.iter().all(|place| {
            let field = self.entity.fields.get(*place);
            let column = field.and_then(|field| Column::of(self.entity, field.name.as_str()));
            column.is_none_or(|column| before.value(&column) == after.value(&column))
        })
    }
}
