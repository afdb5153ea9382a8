//! The index of words of an entity's table, on its way from one schema to the next.
//!
//! It is made from the lines of the table, in the transaction of the migration, and kept true by the database itself
//! whenever a line changes, whatever changes it. So a table that is still being filled has it already.

use corella_manifest::{Entity, EntityName};
use corella_query::{Dialect, Identifier, SearchDesign};

use crate::port::{SchemaAction, TableRecord};

/// How a record of a table begins the line about its index of words; the number goes up when the index changes its form.
const MARK: &str = "SEARCH 1 ";
const ANY_MARK: &str = "SEARCH ";

/// The line of a table's record that says what can be searched.
fn line(entity: &Entity) -> Option<String> {
    let search = entity.search.as_ref()?;
    let columns: Vec<String> = search.text.iter().map(|field| Identifier::from(field).to_string()).collect();
    Some(format!("{MARK}{} {}", search.language.word(), columns.join(" ")))
}

/// Whether a table has the index of words that `entity` wants.
pub(crate) fn has_words_of(record: &TableRecord, entity: &Entity) -> bool {
    line(entity).is_some_and(|line| record.indexes.contains(&line))
}

/// Whether a line of a table's record is about its index of words.
pub(super) fn is_about_words(line: &str) -> bool {
    line.starts_with(ANY_MARK)
}

/// Takes the index of words away, if the table has one, before something happens to the table.
pub(super) fn remove(
    actions: &mut Vec<SchemaAction>,
    dialect: Dialect,
    name: &EntityName,
    record: &mut TableRecord,
) {
    let before = record.indexes.len();
    record.indexes.retain(|line| !is_about_words(line));
    if record.indexes.len() < before {
        actions.extend(SearchDesign::of(name).remove(dialect).into_iter().map(SchemaAction::Run));
    }
}

/// Takes the index of words away where it is not the one that `entity` wants, or covers a column that goes.
pub(super) fn remove_unwanted(
    actions: &mut Vec<SchemaAction>,
    dialect: Dialect,
    entity: &Entity,
    record: &mut TableRecord,
    goes: &[&str],
) {
    let wanted = line(entity);
    let stays = |line: &String| {
        Some(line) == wanted.as_ref()
            && !goes.iter().any(|column| line.split(' ').any(|word| word == *column))
    };
    let has_wanted = record.indexes.iter().filter(|line| is_about_words(line)).all(stays);
    if !has_wanted {
        remove(actions, dialect, &entity.name, record);
    }
}

/// Makes the index of words that `entity` wants, unless the table has it.
pub(super) fn make(
    actions: &mut Vec<SchemaAction>,
    dialect: Dialect,
    entity: &Entity,
    record: &mut TableRecord,
) {
    let Some(line) = line(entity).filter(|line| !record.indexes.contains(line)) else { return };
    let statements = SearchDesign::of(&entity.name).make(dialect, entity);
    actions.extend(statements.into_iter().map(SchemaAction::Run));
    record.indexes.push(line);
}
