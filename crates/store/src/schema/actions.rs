//! The statements of a migration, made of what is there and what is wanted.

use std::collections::{HashMap, HashSet};

use corella_manifest::{Entity, EntityName, FieldName, SchemaChange, Step};
use corella_query::{Dialect, Identifier};

use super::{search, sql};
use crate::port::{KeptSchema, SchemaAction, TableDesign, TableRecord};

/// The sidecar tables that name an entity.
const OF_ENTITIES: [&str; 6] = [
    "corella_rows",
    "corella_snapshots",
    "corella_tail",
    "corella_changes",
    "corella_history",
    "corella_damaged",
];

/// What a database has.
pub(super) struct Standing {
    /// Its flavour of SQL.
    pub(super) dialect: Dialect,
    /// Its tables.
    pub(super) tables: Vec<TableRecord>,
    /// The entities that have documents.
    pub(super) documents: HashSet<String>,
    /// Whether it has recorded the schema that the steps start from.
    pub(super) is_known: bool,
}

/// A table that has to be filled from its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToFill {
    pub(crate) entity: EntityName,
    /// What of it is behind until then.
    pub(crate) behind: Behind,
}

/// What of a table is behind its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Lines may be missing.
    Lines,
    /// Any column of a line.
    AnyColumn,
    /// These columns.
    Columns(Vec<FieldName>),
}

/// What a migration does.
#[derive(Debug, Default)]
pub(super) struct Actions {
    pub(super) actions: Vec<SchemaAction>,
    /// What has to be filled afterwards.
    pub(super) fill: Vec<ToFill>,
    /// Why it cannot be done.
    pub(super) refused: Vec<String>,
}

impl Actions {
    fn run(&mut self, sql: String) {
        self.actions.push(SchemaAction::Run(sql));
    }

    fn keep(&mut self, sql: String) {
        self.actions.push(SchemaAction::Keep(sql));
    }
}

/// The way from what is `standing` to the tables of `wanted`.
pub(super) fn actions(
    standing: Standing,
    wanted: &[(&Entity, TableDesign)],
    steps: &[Step],
    schema: Option<&KeptSchema>,
) -> Actions {
    let Standing { dialect, tables, mut documents, is_known } = standing;
    let mut tables: HashMap<String, TableRecord> =
        tables.into_iter().map(|table| (table.entity.clone(), table)).collect();
    let mut actions = Actions::default();
    for step in steps {
        if let SchemaChange::RenameEntity { from } = &step.change {
            rename_entity(&mut actions, dialect, &mut tables, &mut documents, (from, &step.entity));
        }
        if step.change == SchemaChange::RemoveEntity
            && let Some(mut record) = tables.remove(step.entity.as_str())
        {
            search::remove(&mut actions.actions, dialect, &step.entity, &mut record);
            actions.run(format!("DROP TABLE {}", Identifier::from(&step.entity)));
            let entity = sql::quoted(step.entity.as_str());
            actions.keep(format!("DELETE FROM corella_tables WHERE entity = {entity}"));
        }
    }
    for step in steps {
        if let SchemaChange::RenameField { from, to } = &step.change
            && let Some(table) = tables.get_mut(step.entity.as_str())
        {
            search::remove(&mut actions.actions, dialect, &step.entity, table);
            let (from, to) = (Identifier::from(from), Identifier::from(to));
            let before = format!("{from} ");
            for line in &mut table.columns {
                if let Some(rest) = line.strip_prefix(&before) {
                    *line = format!("{to} {rest}");
                }
            }
            // What becomes of the table besides may be nothing.
            actions.keep(sql::record(table));
            actions
                .run(format!("ALTER TABLE {} RENAME COLUMN {from} TO {to}", Identifier::from(&step.entity)));
        }
    }
    for (entity, design) in wanted {
        let filling: Vec<&Step> =
            steps.iter().filter(|step| step.entity == entity.name && step.fills_the_table()).collect();
        let fields: Option<Vec<FieldName>> =
            filling.iter().map(|step| step.filled_field().cloned()).collect();
        let has_documents = documents.contains(entity.name.as_str());
        let record = tables.remove(entity.name.as_str());
        let was_stale = record.as_ref().is_some_and(|record| record.stale);
        let asked = Asked { dialect, fills: !filling.is_empty(), has_documents, is_known };
        let Some(missing) = reconcile(&mut actions, entity, design, record, asked) else { continue };
        let behind = match fields {
            _ if missing => Behind::Lines,
            Some(fields) if is_known && !was_stale => Behind::Columns(fields),
            Some(_) | None => Behind::AnyColumn,
        };
        actions.fill.push(ToFill { entity: entity.name.clone(), behind });
    }
    if let Some(schema) = schema {
        actions.keep(sql::keep_schema(schema));
    }
    actions
}

fn rename_entity(
    actions: &mut Actions,
    dialect: Dialect,
    tables: &mut HashMap<String, TableRecord>,
    documents: &mut HashSet<String>,
    (from, to): (&EntityName, &EntityName),
) {
    if documents.contains(to.as_str()) {
        actions.refused.push(format!(
            "{from} cannot become {to}: an entity of that name was removed before, and its documents are still there"
        ));
        return;
    }
    if documents.remove(from.as_str()) {
        documents.insert(to.to_string());
    }
    if let Some(mut record) = tables.remove(to.as_str()) {
        search::remove(&mut actions.actions, dialect, to, &mut record);
        actions.run(format!("DROP TABLE {}", Identifier::from(to)));
        actions.keep(format!("DELETE FROM corella_tables WHERE entity = {}", sql::quoted(to.as_str())));
    }
    let (old, new) = (sql::quoted(from.as_str()), sql::quoted(to.as_str()));
    if let Some(mut table) = tables.remove(from.as_str()) {
        search::remove(&mut actions.actions, dialect, from, &mut table);
        actions.run(format!("ALTER TABLE {} RENAME TO {}", Identifier::from(from), Identifier::from(to)));
        actions.keep(format!("UPDATE corella_tables SET entity = {new} WHERE entity = {old}"));
        let table = TableRecord { entity: to.to_string(), ..table };
        actions.keep(sql::record(&table));
        tables.insert(to.to_string(), table);
    }
    for table in OF_ENTITIES {
        actions.keep(format!("UPDATE {table} SET entity = {new} WHERE entity = {old}"));
    }
}

/// What is known of an entity besides its table.
#[derive(Debug, Clone, Copy)]
struct Asked {
    dialect: Dialect,
    /// Whether a step asks for its table to be filled.
    fills: bool,
    /// Whether it has documents to fill it from.
    has_documents: bool,
    /// Whether the steps are all there is to know.
    is_known: bool,
}

/// Says whether the table has to be filled, and if so, whether lines may be missing until then.
fn reconcile(
    actions: &mut Actions,
    entity: &Entity,
    design: &TableDesign,
    record: Option<TableRecord>,
    asked: Asked,
) -> Option<bool> {
    let table = &design.name;
    let wanted: Vec<String> = design.columns.iter().map(|column| column.sql.clone()).collect();
    let mut next = match &record {
        Some(record) => record.clone(),
        None => {
            actions.run(design.create.clone());
            TableRecord {
                entity: entity.name.to_string(),
                columns: wanted.clone(),
                indexes: Vec::new(),
                stale: asked.has_documents,
                missing: asked.has_documents,
            }
        }
    };
    let goes: Vec<String> = next.columns.iter().filter(|line| !wanted.contains(line)).cloned().collect();
    let going: Vec<&str> = goes.iter().map(|line| column_name(line)).collect();
    search::remove_unwanted(&mut actions.actions, asked.dialect, entity, &mut next, &going);
    let is_kept = |line: &String| {
        if search::is_about_words(line) {
            return true;
        }
        let touches = |column: &String| line.contains(&format!(", {}", column_name(column)));
        design.indexes.iter().any(|index| index.sql == *line) && !goes.iter().any(touches)
    };
    for line in next.indexes.extract_if(.., |line| !is_kept(line)) {
        if let Some(name) = index_name(&line) {
            actions.run(format!("DROP INDEX {name}"));
        }
    }
    let mut changed = false;
    for line in &goes {
        actions.run(format!("ALTER TABLE {table} DROP COLUMN {}", column_name(line)));
    }
    for line in wanted.iter().filter(|line| !next.columns.contains(line)) {
        changed = true;
        actions.run(format!("ALTER TABLE {table} ADD COLUMN {line}"));
    }
    next.columns = wanted;
    search::make(&mut actions.actions, asked.dialect, entity, &mut next);
    next.stale |= asked.has_documents && (asked.fills || (changed && !asked.is_known));
    for index in &design.indexes {
        // Filling a table is quicker without; and what it is filled with may clash until all of it is there.
        if next.indexes.contains(&index.sql) || next.stale {
            continue;
        }
        actions.actions.extend(make_index(entity, design, index));
        next.indexes.push(index.sql.clone());
    }
    if record.as_ref() != Some(&next) {
        actions.keep(sql::record(&next));
    }
    next.stale.then_some(next.missing)
}

fn make_index(
    entity: &Entity,
    design: &TableDesign,
    index: &crate::port::IndexDesign,
) -> impl Iterator<Item = SchemaAction> {
    let check = index.unique.then(|| SchemaAction::Check {
        sql: sql::clashes(&design.name, index),
        entity: entity.name.to_string(),
        fields: index.fields.iter().map(ToString::to_string).collect(),
    });
    check.into_iter().chain([SchemaAction::Run(index.sql.clone())])
}

/// The quoted name of a recorded column.
fn column_name(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(name, _)| name)
}

/// The quoted name in a statement that makes an index.
fn index_name(sql: &str) -> Option<&str> {
    let (_, rest) = sql.split_once("INDEX ")?;
    rest.split_once(" ON ").map(|(name, _)| name)
}

/// What is left to do once a table is filled.
pub(super) fn filled(entity: &Entity, design: &TableDesign, record: &TableRecord) -> Vec<SchemaAction> {
    let missing = design.indexes.iter().filter(|index| !record.indexes.contains(&index.sql));
    let mut actions: Vec<SchemaAction> =
        missing.clone().flat_map(|index| make_index(entity, design, index)).collect();
    let indexes = record.indexes.iter().cloned().chain(missing.map(|index| index.sql.clone())).collect();
    actions.push(SchemaAction::Keep(sql::record(&TableRecord { indexes, ..as_filled(record) })));
    actions
}

/// The table as it is once it is filled, its missing indexes still missing.
pub(super) fn as_filled(record: &TableRecord) -> TableRecord {
    TableRecord { stale: false, missing: false, ..record.clone() }
}
