//! Checks that what a manifest says fits together, and builds the [`Manifest`].

mod convert;
mod field;
mod links;
mod names;

use crate::{
    EntityName, Field, History, Manifest, Policy, Tenancy, history,
    problem::Report,
    raw::{RawEntity, RawHistory, RawManifest, RawPolicy},
    reader::At,
};
use names::{Names, checked_name};

/// Builds the manifest, as far as the mistakes in it allow; each is added to `report`.
///
/// What comes back may be used only when there are no problems in `report`.
pub(crate) fn validate(raw: &RawManifest, report: &mut Report) -> Option<Manifest> {
    let mut names = Names::default();
    let drafts: Vec<Draft<'_>> =
        raw.entities.iter().map(|entity| draft(entity, &mut names, report)).collect();
    links::check_renames(&drafts, report);
    let entities = drafts.iter().filter_map(|draft| links::complete(draft, &drafts, report)).collect();
    let mut policy_names = Names::default();
    let policies =
        raw.policies.iter().filter_map(|raw| policy(raw, &drafts, &mut policy_names, report)).collect();
    let default_entity =
        raw.default_entity.as_ref().and_then(|name| links::entity_named(name, &drafts, report)?.name.clone());
    let tenancy = raw.tenancy.as_ref().and_then(|tenancy| {
        let claim = non_empty(tenancy.value.claim.as_ref(), "the name of a claim", report)?;
        Some(Tenancy { claim })
    });
    for not_served in [&raw.queries, &raw.actions, &raw.routes].into_iter().filter_map(|list| list.first()) {
        report.warnings.push(crate::Warning {
            path: not_served.path.parent().to_owned(),
            message: "accepted, but not served yet".to_owned(),
            nearest: None,
        });
    }
    let name = non_empty(raw.name.as_ref(), "the name of the app", report);
    let version = non_empty(raw.version.as_ref(), "the app's version, such as \"0.1.0\"", report);
    Some(Manifest { name: name?, version: version?, entities, default_entity, policies, tenancy })
}

/// An entity whose own names and fields have been checked, but not yet what it says of others.
struct Draft<'r> {
    raw: &'r At<RawEntity>,
    name: Option<EntityName>,
    fields: Vec<At<Field>>,
    history: History,
    renamed_from: Option<EntityName>,
}

fn draft<'r>(raw: &'r At<RawEntity>, names: &mut Names, report: &mut Report) -> Draft<'r> {
    let At { path, value: entity } = raw;
    let name = entity.name.as_ref().and_then(|name| {
        let unique = names.claim(name, "an entity name", report);
        checked_name(name, EntityName::new, report).filter(|_| unique)
    });
    if entity.open && !entity.crdt {
        let expected = "true for an open entity, whose rows are always documents";
        report.problem(&path.key("crdt"), expected, "false", None);
    }
    let mut field_names = Names::default();
    let fields = entity.fields.iter();
    let mut former = Names::default();
    let fields =
        fields.filter_map(|raw| field::field(raw, entity, &mut field_names, &mut former, report)).collect();
    let history = entity.history.as_ref().map_or(History::All, |raw| keep(&raw.value, report));
    let renamed_from =
        entity.renamed_from.as_ref().and_then(|before| checked_name(before, EntityName::new, report));
    Draft { raw, name, fields, history, renamed_from }
}

fn keep(raw: &RawHistory, report: &mut Report) -> History {
    let Some(At { path, value: text }) = &raw.keep else { return History::All };
    history::parse(text).unwrap_or_else(|| {
        let near = crate::problem::nearest(text, ["all", "latest"]);
        report.problem(path, history::EXPECTED, names::quoted(text), near);
        History::All
    })
}

fn policy(
    raw: &At<RawPolicy>,
    drafts: &[Draft<'_>],
    names: &mut Names,
    report: &mut Report,
) -> Option<Policy> {
    let At { path, value: policy } = raw;
    let name = non_empty(policy.name.as_ref(), "the name of the policy", report);
    if let Some(name) = &policy.name {
        names.claim(name, "a policy name", report);
    }
    let subject = "one of the keys `entity` and `action`";
    match (&policy.entity, &policy.action) {
        (Some(_), Some(_)) => report.problem(path, subject, "both", None),
        (None, None) => report.problem(path, subject, "neither", None),
        (Some(_), None) | (None, Some(_)) => {}
    }
    let entity =
        policy.entity.as_ref().and_then(|name| links::entity_named(name, drafts, report)?.name.clone());
    let action = non_empty(policy.action.as_ref(), "the name of an action", report);
    let mut expression = |text: &Option<At<String>>| non_empty(text.as_ref(), "a CEL expression", report);
    Some(Policy {
        entity,
        action,
        allow: expression(&policy.allow),
        allow_read: expression(&policy.allow_read),
        allow_write: expression(&policy.allow_write),
        allow_insert: expression(&policy.allow_insert),
        allow_update: expression(&policy.allow_update),
        allow_delete: expression(&policy.allow_delete),
        name: name?,
    })
}

/// The text, if there is one; a blank one is reported.
fn non_empty(text: Option<&At<String>>, expected: &str, report: &mut Report) -> Option<String> {
    let At { path, value } = text?;
    if value.trim().is_empty() {
        report.problem(path, expected, names::quoted(value), None);
        return None;
    }
    Some(value.clone())
}
