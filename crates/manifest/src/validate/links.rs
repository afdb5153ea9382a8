//! What an entity says of others and of its own fields: indexes, relations, `id(…)` types.

use super::{
    Draft,
    names::{Names, checked_name, quoted},
};
use crate::{
    Entity, Field, FieldName, FieldType, Index, Language, Relation, Search,
    problem::{Report, nearest},
    raw::{RawIndex, RawRelation, RawSearch},
    reader::At,
};

/// Checks what `draft` says of others and builds the entity; `None` when it has no name.
pub(crate) fn complete(draft: &Draft<'_>, drafts: &[Draft<'_>], report: &mut Report) -> Option<Entity> {
    let raw = &draft.raw.value;
    for At { path, value: field } in &draft.fields {
        let FieldType::Id(target) = &field.ty else { continue };
        if let Err(near) = find_entity(target.as_str(), drafts) {
            let near = near.map(|near| format!("id({near})"));
            let expected = "id(Entity) with the name of a declared entity";
            report.problem(&path.key("type"), expected, quoted(&field.ty.spelling()), near);
        }
    }
    let mut names = Names::default();
    let indexes = raw.indexes.iter().filter_map(|raw| index(&raw.value, draft, &mut names, report)).collect();
    let mut names = Names::default();
    let relations = raw
        .relations
        .iter()
        .filter_map(|raw| relation(&raw.value, draft, drafts, &mut names, report))
        .collect();
    let search = raw.search.as_ref().and_then(|raw| search(raw, draft, report));
    Some(Entity {
        name: draft.name.clone()?,
        fields: draft.fields.iter().map(|field| field.value.clone()).collect(),
        indexes,
        relations,
        search,
        open: raw.open,
        crdt: raw.crdt,
        history: draft.history,
        renamed_from: draft.renamed_from.clone(),
    })
}

/// Reports entities that claim the former name of another, or one that is still in use.
pub(crate) fn check_renames(drafts: &[Draft<'_>], report: &mut Report) {
    let mut names = Names::default();
    for draft in drafts {
        let Some(before) = &draft.raw.value.renamed_from else { continue };
        let is_before = |name: &At<String>| name.value.eq_ignore_ascii_case(&before.value);
        if drafts.iter().any(|draft| draft.raw.value.name.as_ref().is_some_and(is_before)) {
            let found = format!("{}, which is still an entity", quoted(&before.value));
            report.problem(&before.path, "the name of an entity that is no more", found, None);
        }
        names.claim(before, "a former name", report);
    }
}

/// The entity that `name` names, or a report that there is none.
pub(crate) fn entity_named<'d, 'r>(
    name: &At<String>,
    drafts: &'d [Draft<'r>],
    report: &mut Report,
) -> Option<&'d Draft<'r>> {
    find_entity(&name.value, drafts)
        .map_err(|near| {
            report.problem(&name.path, "the name of a declared entity", quoted(&name.value), near);
        })
        .ok()
}

/// The entity of that name, or the nearest name that there is.
fn find_entity<'d, 'r>(name: &str, drafts: &'d [Draft<'r>]) -> Result<&'d Draft<'r>, Option<String>> {
    let declared =
        || drafts.iter().filter_map(|draft| Some((draft.raw.value.name.as_ref()?.value.as_str(), draft)));
    let found = declared().find(|(candidate, _)| *candidate == name).map(|(_, draft)| draft);
    found.ok_or_else(|| nearest(name, declared().map(|(candidate, _)| candidate)))
}

/// The field of `draft` that `name` names. A field whose own declaration has a mistake is not reported again.
fn field_named<'d>(name: &At<String>, draft: &'d Draft<'_>, report: &mut Report) -> Option<&'d Field> {
    let At { path, value } = name;
    let found = draft.fields.iter().find(|field| field.value.name.as_str() == value);
    if let Some(field) = found {
        return Some(&field.value);
    }
    let declared: Vec<&str> = draft
        .raw
        .value
        .fields
        .iter()
        .filter_map(|field| Some(field.value.name.as_ref()?.value.as_str()))
        .collect();
    if !declared.contains(&value.as_str()) {
        let owner = draft.raw.value.name.as_ref().map_or("the entity", |name| name.value.as_str());
        let near = nearest(value, declared.iter().copied());
        report.problem(path, format!("the name of a declared field of {owner}"), quoted(value), near);
    }
    None
}

fn index(raw: &RawIndex, draft: &Draft<'_>, names: &mut Names, report: &mut Report) -> Option<Index> {
    let name = raw.name.as_ref().and_then(|name| {
        let unique = names.claim(name, "an index name", report);
        // Indexes and fields follow the same rules for names.
        checked_name(name, FieldName::new, report).filter(|_| unique)
    });
    let mut fields_seen = Names::default();
    let mut fields = Vec::with_capacity(raw.fields.len());
    for text in &raw.fields {
        let once = fields_seen.claim(text, "a field name", report);
        let Some(field) = field_named(text, draft, report).filter(|_| once) else { continue };
        if field.ty.is_comparable() {
            fields.push(field.name.clone());
        } else {
            let found = format!("{}, which is of type {}", quoted(&text.value), field.ty.spelling());
            report.problem(&text.path, "a field with a comparable column", found, None);
        }
    }
    Some(Index { name: name?.to_string(), fields, unique: raw.unique })
}

fn search(raw: &At<RawSearch>, draft: &Draft<'_>, report: &mut Report) -> Option<Search> {
    let RawSearch { text, language } = &raw.value;
    let mut fields_seen = Names::default();
    let mut fields = Vec::with_capacity(text.len());
    for text in text {
        let once = fields_seen.claim(text, "a field name", report);
        let Some(field) = field_named(text, draft, report).filter(|_| once) else { continue };
        if field.ty.is_searchable() {
            fields.push(field.name.clone());
        } else {
            let found = format!("{}, which is of type {}", quoted(&text.value), field.ty.spelling());
            report.problem(&text.path, "a field of type string, richtext or document", found, None);
        }
    }
    let language = language.as_ref().map_or(Some(Language::default()), |At { path, value }| {
        Language::of_word(value).or_else(|| {
            let words = Language::ALL.map(Language::word);
            let near = nearest(&value.to_ascii_lowercase(), words);
            report.problem(path, format!("one of {}", words.join(", ")), quoted(value), near);
            None
        })
    });
    (!fields.is_empty()).then_some(Search { text: fields, language: language? })
}

fn relation(
    raw: &RawRelation,
    draft: &Draft<'_>,
    drafts: &[Draft<'_>],
    names: &mut Names,
    report: &mut Report,
) -> Option<Relation> {
    let name = raw.name.as_ref().and_then(|name| {
        let unique = names.claim(name, "a relation name", report);
        let taken =
            draft.fields.iter().any(|field| field.value.name.as_str().eq_ignore_ascii_case(&name.value));
        if taken {
            let found = format!("{}, which is a field already", quoted(&name.value));
            report.problem(&name.path, "a relation name that no field has", found, None);
        }
        checked_name(name, FieldName::new, report).filter(|_| unique)
    });
    let target = raw.target.as_ref().and_then(|target| entity_named(target, drafts, report))?;
    let text = raw.field.as_ref()?;
    let (holder, leads_to) = if raw.many { (target, draft) } else { (draft, target) };
    let field = field_named(text, holder, report)?;
    let (target_name, leads_to) = (target.name.clone()?, leads_to.name.as_ref()?);
    if !matches!(&field.ty, FieldType::Id(entity) if entity == leads_to) {
        let holder = holder.name.as_ref()?;
        let expected = format!("a field of {holder} of type id({leads_to})");
        let found = format!("{}, which is of type {}", quoted(&text.value), field.ty.spelling());
        report.problem(&text.path, expected, found, None);
    }
    Some(Relation { name: name?.to_string(), target: target_name, field: field.name.clone(), many: raw.many })
}
