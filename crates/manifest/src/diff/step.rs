//! One step from a manifest to the next, in words.

use std::fmt;

use crate::{Crdt, EntityName, Field, FieldName, FieldType, History, Index, Search, history};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The entity that it is about, by the name that it has afterwards; by its last name when it goes.
    pub entity: EntityName,
    /// What happens.
    pub change: SchemaChange,
}

/// What a step asks of a database and of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepClass {
    /// Nothing is lost, and the tables are as they should be at once.
    Safe,
    /// Nothing is lost, and columns are filled again from the documents.
    Rebuild,
    /// Something cannot be read any more, although the documents keep it.
    Destructive,
}

/// How a changed field reads what was written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As it is.
    AsItIs,
    /// By the conversion that the manifest declares.
    Converted,
    /// Not at all.
    Lost,
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are a few of them, once in a start")]
pub enum SchemaChange {
    /// An entity comes.
    AddEntity {
        /// Whether an earlier manifest had it.
        returns: bool,
    },
    /// An entity goes.
    RemoveEntity,
    /// An entity takes another name.
    RenameEntity {
        /// The name that it had.
        from: EntityName,
    },
    /// A field comes.
    AddField {
        /// The field.
        field: Field,
        /// Whether its column has to be filled from documents.
        fills: bool,
    },
    /// A field goes.
    RemoveField {
        /// Its name.
        field: FieldName,
        /// What it held.
        ty: FieldType,
    },
    /// A field takes another name.
    RenameField {
        /// The name that it had.
        from: FieldName,
        /// The name that it has.
        to: FieldName,
    },
    /// A field is looked for under another key of the documents.
    ChangeKey {
        /// The field.
        field: FieldName,
        /// The key that it had.
        from: FieldName,
        /// The key that it has.
        to: FieldName,
    },
    /// A field takes another type or merge rule.
    Retype {
        /// The field.
        field: FieldName,
        /// How it was declared.
        from: String,
        /// How it is declared.
        to: String,
        /// What becomes of its values.
        reading: Reading,
    },
    /// A field reads former values in another way.
    ChangeConversion {
        /// The field.
        field: FieldName,
        /// Whether there was a conversion before.
        loses: bool,
    },
    /// An enum takes more variants.
    AddVariants {
        /// The field.
        field: FieldName,
        /// The new ones.
        variants: Vec<String>,
    },
    /// An enum takes fewer variants.
    RemoveVariants {
        /// The field.
        field: FieldName,
        /// Those that go.
        variants: Vec<String>,
        /// What becomes of them where they stand.
        reading: Reading,
    },
    /// A field becomes required.
    Require {
        /// The field.
        field: FieldName,
        /// Whether lines change.
        fills: bool,
    },
    /// A field becomes optional.
    Relax {
        /// The field.
        field: FieldName,
        /// Whether lines change.
        fills: bool,
    },
    /// No two rows may hold the same value in a field any more.
    AddUnique {
        /// The field.
        field: FieldName,
    },
    /// Rows may hold the same value in a field.
    RemoveUnique {
        /// The field.
        field: FieldName,
    },
    /// An index comes.
    AddIndex {
        /// The index.
        index: Index,
    },
    /// An index goes.
    RemoveIndex {
        /// Its name.
        name: String,
    },
    /// Rows can be searched for words.
    AddSearch {
        /// What of them.
        search: Search,
    },
    /// Something else of rows can be searched for words, or in another language.
    ChangeSearch {
        /// What can be from now on.
        search: Search,
    },
    /// Rows cannot be searched for words any more.
    RemoveSearch,
    /// Documents may hold what is not declared.
    Open,
    /// Documents may hold only what is declared.
    Close,
    /// Rows are no documents any more.
    BecomePlainRows,
    /// Rows become documents.
    BecomeDocuments,
    /// More or less of the documents' history is kept.
    KeepHistory {
        /// How much was.
        from: History,
        /// How much is.
        to: History,
    },
    /// A relation comes.
    AddRelation {
        /// Its name.
        name: String,
    },
    /// A relation leads elsewhere.
    ChangeRelation {
        /// Its name.
        name: String,
    },
    /// A relation goes.
    RemoveRelation {
        /// Its name.
        name: String,
    },
}

impl Step {
    /// What the step asks of a database and of its owner.
    #[must_use]
    pub fn class(&self) -> StepClass {
        use SchemaChange as C;
        let fills = |fills: bool| if fills { StepClass::Rebuild } else { StepClass::Safe };
        let reads = |reading: Reading| match reading {
            Reading::AsItIs | Reading::Converted => StepClass::Rebuild,
            Reading::Lost => StepClass::Destructive,
        };
        match &self.change {
            C::AddEntity { returns } => fills(*returns),
            C::AddField { fills: asked, .. } | C::Require { fills: asked, .. } => fills(*asked),
            C::Relax { fills: asked, .. } => fills(*asked),
            C::Retype { reading, .. } | C::RemoveVariants { reading, .. } => reads(*reading),
            C::ChangeConversion { loses, .. } => {
                if *loses {
                    StepClass::Destructive
                } else {
                    StepClass::Rebuild
                }
            }
            C::RemoveEntity | C::RemoveField { .. } | C::ChangeKey { .. } => StepClass::Destructive,
            C::Close | C::BecomePlainRows | C::BecomeDocuments => StepClass::Destructive,
            C::Open | C::AddVariants { .. } => StepClass::Rebuild,
            C::RenameEntity { .. } | C::RenameField { .. } | C::KeepHistory { .. } => StepClass::Safe,
            C::AddUnique { .. } | C::RemoveUnique { .. } => StepClass::Safe,
            C::AddIndex { .. } | C::RemoveIndex { .. } => StepClass::Safe,
            C::AddSearch { .. } | C::ChangeSearch { .. } | C::RemoveSearch => StepClass::Safe,
            C::AddRelation { .. } | C::ChangeRelation { .. } | C::RemoveRelation { .. } => StepClass::Safe,
        }
    }

    /// The field whose column the step fills; `None` when it is about more than one, or about none.
    #[must_use]
    pub fn filled_field(&self) -> Option<&FieldName> {
        use SchemaChange as C;
        match &self.change {
            C::AddField { field, .. } => Some(&field.name),
            C::ChangeKey { field, .. } | C::Retype { field, .. } | C::ChangeConversion { field, .. } => {
                Some(field)
            }
            C::AddVariants { field, .. } | C::RemoveVariants { field, .. } => Some(field),
            C::Require { field, .. } | C::Relax { field, .. } => Some(field),
            C::AddEntity { .. } | C::RemoveEntity | C::RenameEntity { .. } | C::RemoveField { .. } => None,
            C::RenameField { .. } | C::AddUnique { .. } | C::RemoveUnique { .. } | C::AddIndex { .. } => None,
            C::RemoveIndex { .. } | C::Open | C::Close | C::BecomePlainRows | C::BecomeDocuments => None,
            C::KeepHistory { .. } | C::AddRelation { .. } | C::ChangeRelation { .. } => None,
            C::RemoveRelation { .. } | C::AddSearch { .. } | C::ChangeSearch { .. } | C::RemoveSearch => None,
        }
    }

    /// Whether lines of the entity's table have to be written again from the documents, so that they say what these say
    /// under the new manifest.
    #[must_use]
    pub fn fills_the_table(&self) -> bool {
        use SchemaChange as C;
        match self.class() {
            StepClass::Safe => false,
            StepClass::Rebuild => true,
            StepClass::Destructive => match &self.change {
                C::Retype { .. } | C::RemoveVariants { .. } | C::ChangeKey { .. } => true,
                C::ChangeConversion { .. } | C::BecomeDocuments => true,
                C::RemoveEntity | C::RemoveField { .. } | C::Close | C::BecomePlainRows => false,
                C::AddEntity { .. } | C::RenameEntity { .. } | C::AddField { .. } => false,
                C::RenameField { .. } | C::AddVariants { .. } | C::Require { .. } | C::Relax { .. } => false,
                C::AddUnique { .. } | C::RemoveUnique { .. } | C::AddIndex { .. } => false,
                C::RemoveIndex { .. } | C::Open | C::KeepHistory { .. } => false,
                C::AddRelation { .. } | C::ChangeRelation { .. } | C::RemoveRelation { .. } => false,
                C::AddSearch { .. } | C::ChangeSearch { .. } | C::RemoveSearch => false,
            },
        }
    }

    /// Whether a client that was made for the manifest before it can no longer work after it: it would be refused what
    /// it writes, or misread what it reads.
    #[must_use]
    pub fn ends_older_clients(&self) -> bool {
        use SchemaChange as C;
        match &self.change {
            C::AddField { field, .. } => {
                !field.optional && field.default.is_none() && field.crdt == Crdt::Lww
            }
            C::RemoveEntity | C::RenameEntity { .. } | C::RemoveField { .. } | C::RenameField { .. } => true,
            C::ChangeKey { .. } | C::Retype { .. } | C::RemoveVariants { .. } | C::Require { .. } => true,
            C::Close | C::BecomePlainRows | C::BecomeDocuments => true,
            C::AddEntity { .. } | C::ChangeConversion { .. } | C::AddVariants { .. } => false,
            C::Relax { .. } | C::AddUnique { .. } | C::RemoveUnique { .. } => false,
            C::AddIndex { .. } | C::RemoveIndex { .. } | C::Open | C::KeepHistory { .. } => false,
            C::AddRelation { .. } | C::ChangeRelation { .. } | C::RemoveRelation { .. } => false,
            C::AddSearch { .. } | C::ChangeSearch { .. } | C::RemoveSearch => false,
        }
    }
}

impl fmt::Display for StepClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safe => "safe",
            Self::Rebuild => "rebuild",
            Self::Destructive => "destructive",
        })
    }
}

impl fmt::Display for Step {
    /// What happens, and what becomes of the rows that are there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use SchemaChange as C;
        let entity = &self.entity;
        match &self.change {
            C::AddEntity { returns: false } => write!(f, "add the entity {entity}"),
            C::AddEntity { returns: true } => {
                write!(f, "add the entity {entity} again: its table is filled from the documents that stayed")
            }
            C::RemoveEntity => write!(
                f,
                "remove the entity {entity}: its table goes, its documents stay and can come back with it"
            ),
            C::RenameEntity { from } => {
                write!(f, "rename the entity {from} to {entity}: its rows and its table take the new name")
            }
            C::AddField { field, fills } => {
                write!(f, "add the field {entity}.{} ({})", field.name, field.ty.spelling())?;
                match (fills, field.optional || field.crdt != Crdt::Lww) {
                    (true, _) => f.write_str(": its column is filled from the documents"),
                    (false, true) => Ok(()),
                    (false, false) => f.write_str(": rows that are there lack it, new ones must have it"),
                }
            }
            C::RemoveField { field, ty } => write!(
                f,
                "remove the field {entity}.{field} ({}): its column goes, its values stay in the documents and can come \
                 back with it",
                ty.spelling()
            ),
            C::RenameField { from, to } => write!(
                f,
                "rename the field {entity}.{from} to {to}: its column takes the new name, documents keep the key that \
                 they have"
            ),
            C::ChangeKey { field, from, to } => write!(
                f,
                "read the field {entity}.{field} from the key {to:?} of the documents: what lies under {from:?} is read \
                 no more (keep it with \"renamedFrom\": \"{from}\")"
            ),
            C::Retype { field, from, to, reading } => {
                write!(f, "make the field {entity}.{field} {to}, which was {from}: ")?;
                f.write_str(match reading {
                    Reading::AsItIs => "its values are read as they are",
                    Reading::Converted => "its values are converted when they are read",
                    Reading::Lost => {
                        "its values stay in the documents, but read as null (declare `convert` to read them)"
                    }
                })
            }
            C::ChangeConversion { field, loses: false } => {
                write!(f, "convert former values of the field {entity}.{field}")
            }
            C::ChangeConversion { field, loses: true } => write!(
                f,
                "convert former values of the field {entity}.{field} in another way: some may read as null that did not"
            ),
            C::AddVariants { field, variants } => {
                write!(f, "let the field {entity}.{field} hold {} too", variants.join(", "))
            }
            C::RemoveVariants { field, variants, reading } => {
                write!(f, "let the field {entity}.{field} hold {} no more: ", variants.join(", "))?;
                f.write_str(match reading {
                    Reading::Converted => "where one stands it is converted when it is read",
                    Reading::AsItIs | Reading::Lost => {
                        "where one stands it stays in the document, but reads as null (declare `convert` to read it)"
                    }
                })
            }
            C::Require { field, .. } => write!(
                f,
                "require the field {entity}.{field}: rows that lack it stay as they are, new ones must have it"
            ),
            C::Relax { field, .. } => write!(f, "let rows of {entity} lack the field {field}"),
            C::AddUnique { field } => {
                write!(f, "let no two rows of {entity} hold the same {field}: refused while two of them do")
            }
            C::RemoveUnique { field } => write!(f, "let rows of {entity} hold the same {field}"),
            C::AddIndex { index } => {
                let fields: Vec<&str> = index.fields.iter().map(AsRef::as_ref).collect();
                let kind = if index.unique { "the unique index" } else { "the index" };
                write!(f, "add {kind} {entity}.{} over {}", index.name, fields.join(", "))?;
                if index.unique { f.write_str(": refused while two rows agree in them") } else { Ok(()) }
            }
            C::RemoveIndex { name } => write!(f, "remove the index {entity}.{name}"),
            C::AddSearch { search } => {
                write!(f, "let the rows of {entity} be searched for words in {}", searched(search))
            }
            C::ChangeSearch { search } => write!(
                f,
                "search the rows of {entity} for words in {}: the index of words is built anew",
                searched(search)
            ),
            C::RemoveSearch => {
                write!(f, "search the rows of {entity} for words no more: the index of words goes")
            }
            C::Open => write!(f, "open the entity {entity}: its table gets a column with the whole document"),
            C::Close => write!(
                f,
                "close the entity {entity}: what its documents hold beside the declared fields stays, but is read no more"
            ),
            C::BecomePlainRows => {
                write!(f, "make the rows of {entity} plain: their documents stay, but are read no more")
            }
            C::BecomeDocuments => {
                write!(f, "make the rows of {entity} documents: the plain rows that are there are lost")
            }
            C::KeepHistory { from, to } => {
                write!(f, "keep {} of the history of {entity}, which was {}", kept(*to), kept(*from))
            }
            C::AddRelation { name } => write!(f, "add the relation {entity}.{name}"),
            C::ChangeRelation { name } => write!(f, "change the relation {entity}.{name}"),
            C::RemoveRelation { name } => write!(f, "remove the relation {entity}.{name}"),
        }
    }
}

fn searched(search: &Search) -> String {
    let text: Vec<&str> = search.text.iter().map(AsRef::as_ref).collect();
    format!("{} ({})", text.join(", "), search.language.word())
}

fn kept(history: History) -> String {
    match history {
        History::All => "all".into(),
        History::Latest => "the latest".into(),
        History::For(_) => history::spelling(history),
    }
}
