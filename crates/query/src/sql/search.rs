//! Looking for words, as SQL.
//!
//! In PostgreSQL an entity's table has a column with the words of its texts. In SQLite these lie in a full-text index of
//! their own, which knows rows by numbers; a table beside it says which row a number means.

use corella_manifest::{Entity, EntityName, Language, Value};

use super::{Dialect, Identifier, writer::Writer};
use crate::{
    Column, Filter, Query, Search, Test,
    search::{Ending, Sought},
};

/// Most characters of a row's texts that are searched: a `tsvector` of PostgreSQL holds one MiB, of which the words of
/// so many characters take four fifths at the most.
const MAX_CHARACTERS: usize = 200_000;

/// The ASCII signs that part words, each of them for a blank.
const SIGNS: &str = r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;

/// What a database has so that an entity's rows can be searched for words.
#[derive(Debug, Clone)]
pub struct SearchDesign {
    pub(super) table: Identifier,
    /// The words: an index of SQLite, a column's index of PostgreSQL.
    pub(super) words: Identifier,
    /// Which row a number means; in SQLite alone.
    pub(super) places: Identifier,
    /// The texts by number; in SQLite alone.
    pub(super) texts: Identifier,
    /// What keeps them true; in SQLite alone.
    pub(super) triggers: [Identifier; 3],
}

/// The words of a statement, as SQL.
#[derive(Debug, Clone)]
pub(super) struct Words {
    /// That a row has them.
    condition: String,
    /// How well it fits.
    rank: String,
}

/// Which rows a statement that looks for words starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Those that have the words.
    Words,
    /// Those of some ids.
    Rows,
}

impl SearchDesign {
    /// What belongs to the table of `entity`.
    #[must_use]
    pub fn of(entity: &EntityName) -> Self {
        let name = |part: &str| Identifier::index(entity, &format!("search {part}"));
        Self {
            table: Identifier::from(entity),
            words: name("words"),
            places: name("places"),
            texts: name("texts"),
            triggers: [name("insert"), name("update"), name("delete")],
        }
    }

    /// The column with the words in PostgreSQL.
    pub(super) fn column() -> Identifier {
        Identifier::fixed("corella_search")
    }

    /// The statements that make it and fill it from the table; nothing when `entity` declares no search.
    #[must_use]
    pub fn make(&self, dialect: Dialect, entity: &Entity) -> Vec<String> {
        let Some(search) = Search::of(entity) else { return Vec::new() };
        let mut statements = self.remove(dialect);
        match dialect {
            Dialect::Sqlite => statements.extend(self.make_index(&search)),
            Dialect::Postgres => statements.extend(self.make_column(&search)),
        }
        statements
    }

    /// The statements that take away what there is of it.
    #[must_use]
    pub fn remove(&self, dialect: Dialect) -> Vec<String> {
        let Self { table, words, places, texts, triggers } = self;
        match dialect {
            Dialect::Sqlite => triggers
                .iter()
                .map(|trigger| format!("DROP TRIGGER IF EXISTS {trigger}"))
                .chain([
                    format!("DROP TABLE IF EXISTS {words}"),
                    format!("DROP VIEW IF EXISTS {texts}"),
                    format!("DROP TABLE IF EXISTS {places}"),
                ])
                .collect(),
            // Its index goes with it.
            Dialect::Postgres => {
                vec![format!("ALTER TABLE {table} DROP COLUMN IF EXISTS {}", Self::column())]
            }
        }
    }

    fn make_index(&self, search: &Search) -> Vec<String> {
        let Self { table, words, places, texts, triggers: [insert, update, delete] } = self;
        let text = |row: &str| {
            let text = joined(&search.columns, &format!("{row}."));
            format!("substr({text}, 1, {MAX_CHARACTERS})")
        };
        let place = |row: &str| {
            format!(
                "(SELECT place FROM {places} WHERE corella_tenant = {row}.corella_tenant AND id = {row}.id)"
            )
        };
        let forget = format!(
            "INSERT INTO {words} ({words}, rowid, words) VALUES ('delete', {}, {});",
            place("old"),
            text("old")
        );
        let enter = format!("INSERT INTO {words} (rowid, words) VALUES ({}, {});", place("new"), text("new"));
        let differs: Vec<String> = (search.columns.iter().map(Identifier::from))
            .map(|column| format!("old.{column} IS NOT new.{column}"))
            .collect();
        vec![
            format!(
                "CREATE TABLE {places} (place INTEGER PRIMARY KEY, corella_tenant TEXT NOT NULL, id TEXT NOT NULL, \
                 UNIQUE (corella_tenant, id))"
            ),
            format!(
                "CREATE VIEW {texts} AS SELECT p.place AS place, {} AS words FROM {places} AS p JOIN {table} AS r \
                 ON r.corella_tenant = p.corella_tenant AND r.id = p.id",
                text("r")
            ),
            format!(
                "CREATE VIRTUAL TABLE {words} USING fts5(words, content='{}', content_rowid='place', \
                 {})",
                texts.as_str(),
                Self::tokenizer(search)
            ),
            format!(
                "CREATE TRIGGER {insert} AFTER INSERT ON {table} BEGIN INSERT INTO {places} (corella_tenant, id) \
                 VALUES (new.corella_tenant, new.id); {enter} END"
            ),
            format!(
                "CREATE TRIGGER {update} AFTER UPDATE ON {table} WHEN {} BEGIN {forget} {enter} END",
                differs.join(" OR ")
            ),
            format!(
                "CREATE TRIGGER {delete} AFTER DELETE ON {table} BEGIN {forget} DELETE FROM {places} \
                 WHERE corella_tenant = old.corella_tenant AND id = old.id; END"
            ),
            format!("INSERT INTO {places} (corella_tenant, id) SELECT corella_tenant, id FROM {table}"),
            format!("INSERT INTO {words} ({words}) VALUES ('rebuild')"),
        ]
    }

    /// How SQLite parts texts into words.
    pub(super) fn tokenizer(search: &Search) -> String {
        // English is the one language whose words SQLite brings to their stems.
        let stems = if search.language == Language::English { "porter " } else { "" };
        format!("tokenize='{stems}unicode61 remove_diacritics 0'")
    }

    /// The words of a line of PostgreSQL's table.
    pub(super) fn words_of_line(search: &Search) -> String {
        let (text, language) = (joined(&search.columns, ""), configuration(search.language));
        let signs = SIGNS.replace('\'', "''");
        let blanks = " ".repeat(SIGNS.len());
        format!("to_tsvector({language}, left(translate({text}, '{signs}', '{blanks}'), {MAX_CHARACTERS}))")
    }

    fn make_column(&self, search: &Search) -> Vec<String> {
        let Self { table, words, .. } = self;
        let column = Self::column();
        vec![
            format!(
                "ALTER TABLE {table} ADD COLUMN {column} tsvector GENERATED ALWAYS AS ({}) STORED",
                Self::words_of_line(search)
            ),
            format!("CREATE INDEX {words} ON {table} USING gin ({column})"),
        ]
    }
}

/// The texts of a row's columns, one behind the other.
fn joined(columns: &[Column], row: &str) -> String {
    let text = |column: &Column| format!("coalesce({row}{}, '')", Identifier::from(column));
    columns.iter().map(text).collect::<Vec<_>>().join(" || ' ' || ")
}

fn configuration(language: Language) -> String {
    format!("'pg_catalog.{}'::regconfig", language.word())
}

impl Writer {
    /// Binds the words that `query` looks for, if it does; to be called before anything is written of it.
    pub(super) fn look_for_words(&mut self, query: &Query) {
        let Some(search) = query.search() else { return };
        let words = match (search.sought.as_slice(), self.dialect()) {
            // In an order, a number by itself would be the place of a column.
            ([], _) => Words { condition: "1 = 0".into(), rank: "CAST(0 AS bigint)".into() },
            (sought, Dialect::Sqlite) => self.words_of_index(query, sought),
            (sought, Dialect::Postgres) => self.words_of_column(search, sought),
        };
        self.set_words(words);
    }

    fn words_of_index(&mut self, query: &Query, sought: &[Sought]) -> Words {
        let one = |Sought { words, ending }: &Sought| {
            let star = match ending {
                Ending::Whole => "",
                Ending::Open => "*",
            };
            // Words are of letters and digits: no quote is among them.
            format!("\"{}\"{star}", words.join(" "))
        };
        let expression = sought.iter().map(one).collect::<Vec<_>>().join(" AND ");
        let expression = self.bind(Value::Text(expression.into()));
        let expression = self.spelled(expression);
        let index = format!("m{}.{}", self.depth(), SearchDesign::of(query.entity()).words);
        let text = format!("m{}.words", self.depth());
        Words {
            condition: format!("{index} MATCH {expression}"),
            // How many words are found among how many characters. The usual measure would change with every other row.
            rank: format!(
                "((length(highlight({index}, 0, char(1), '')) - length({text})) * 1000000 / (200 + length({text})))"
            ),
        }
    }

    fn words_of_column(&mut self, search: &Search, sought: &[Sought]) -> Words {
        let language = configuration(search.language);
        let mut all = Vec::with_capacity(sought.len());
        for Sought { words, ending } in sought {
            let (last, before) = match (ending, words.split_last()) {
                (Ending::Open, Some((last, before))) => (Some(last), before),
                (Ending::Whole, _) | (Ending::Open, None) => (None, words.as_slice()),
            };
            let mut parts = Vec::new();
            if !before.is_empty() {
                let phrase = self.bind(Value::Text(before.join(" ").into()));
                parts.push(format!("phraseto_tsquery({language}, {})", self.spelled(phrase)));
            }
            if let Some(last) = last {
                let word = self.bind(Value::Text(format!("'{last}':*").into()));
                parts.push(format!("to_tsquery({language}, {})", self.spelled(word)));
            }
            all.push(format!("({})", parts.join(" <-> ")));
        }
        let wanted = format!("({})", all.join(" && "));
        let column = format!("{}.{}", self.alias_at(self.depth()), SearchDesign::column());
        Words {
            condition: format!("{column} @@ {wanted}"),
            // How often the words are found among how many different ones.
            rank: format!(
                "(ts_rank({column}, {wanted})::double precision * 1000000000000 / (50 + length({column})))::bigint"
            ),
        }
    }

    /// The table of a query's rows, from `FROM` on, with the tenant's condition and the query's own.
    pub(super) fn rows_of(&mut self, query: &Query) {
        let table = Identifier::from(query.entity()).to_string();
        let row = self.alias_at(self.depth());
        let is_joined = self.dialect() == Dialect::Sqlite
            && query.search().is_some_and(|search| !search.sought.is_empty());
        if is_joined {
            let SearchDesign { words, places, .. } = SearchDesign::of(query.entity());
            let (word, place) = (format!("m{}", self.depth()), format!("p{}", self.depth()));
            // SQLite takes the tables of a cross join in the order in which they are written.
            let same_row = format!("{row}.corella_tenant = {place}.corella_tenant AND {row}.id = {place}.id");
            let same_place = format!("{word}.rowid = {place}.place");
            self.push(&match start(query.filter()) {
                Start::Words => format!(
                    " FROM {words} AS {word} CROSS JOIN {places} AS {place} ON {same_place} \
                     CROSS JOIN {table} AS {row} ON {same_row}"
                ),
                Start::Rows => format!(
                    " FROM {table} AS {row} CROSS JOIN {places} AS {place} ON {same_row} \
                     CROSS JOIN {words} AS {word} ON {same_place}"
                ),
            });
        } else {
            self.push(&format!(" FROM {table} AS {row}"));
        }
        self.push(" WHERE ");
        self.of_tenant();
        if let Some(Words { condition, .. }) = query.search().and_then(|_| self.words()) {
            self.push(" AND ");
            self.push(&condition);
        }
        if *query.filter() != Filter::everything() {
            self.push(" AND ");
            self.filter(query.filter());
        }
    }

    /// How well a row fits.
    pub(super) fn rank(&mut self) {
        if let Some(Words { rank, .. }) = self.words() {
            self.push(&rank);
        }
    }
}

/// Where to start: a condition that names rows leaves fewer than any word.
fn start(filter: &Filter) -> Start {
    let names_rows = |filter: &Filter| match filter {
        Filter::Term(term) => {
            term.column == Column::id() && matches!(term.test, Test::Equal(_) | Test::OneOf(_))
        }
        Filter::All(_) | Filter::Any(_) | Filter::Not(_) | Filter::Related(_) => false,
    };
    let names = match filter {
        Filter::All(filters) => filters.iter().any(names_rows),
        other @ (Filter::Any(_) | Filter::Not(_) | Filter::Term(_) | Filter::Related(_)) => names_rows(other),
    };
    if names { Start::Rows } else { Start::Words }
}
