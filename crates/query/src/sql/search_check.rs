//! Whether an index of words is as the table says, as SQL.

use corella_manifest::Entity;

use super::{Dialect, search::SearchDesign};
use crate::Search;

/// The statements that compare an index of words with its table, all to be run on one connection, as of one moment.
///
/// They change nothing but tables of the connection's own.
#[derive(Debug, Clone)]
pub struct SearchCheck {
    /// How many parts there are of the index: one number.
    pub parts: String,
    /// How many there should be; the rest is to be run only where they are.
    pub expected: i64,
    /// What has to be there for the comparison.
    pub prepare: Vec<String>,
    /// The tenant and id of each row that has other words in the index than in its texts; both are null for words of no row.
    pub astray: String,
    /// Takes away what was prepared.
    pub tidy: Vec<String>,
}

impl SearchDesign {
    /// The statements that compare it with its table; nothing when `entity` declares no search.
    #[must_use]
    pub fn check(&self, dialect: Dialect, entity: &Entity) -> Option<SearchCheck> {
        let search = Search::of(entity)?;
        Some(match dialect {
            Dialect::Sqlite => self.check_index(&search),
            Dialect::Postgres => self.check_column(&search),
        })
    }

    fn check_index(&self, search: &Search) -> SearchCheck {
        let Self { table, words, places, texts, triggers } = self;
        let names: Vec<String> = [words, places, texts]
            .into_iter()
            .chain(triggers)
            .map(|name| format!("'{}'", name.as_str().replace('\'', "''")))
            .collect();
        // The same texts, entered into an index of the connection's own.
        let prepare = vec![
            format!(
                "CREATE VIRTUAL TABLE temp.corella_fresh USING fts5(words, content='', {})",
                Self::tokenizer(search)
            ),
            format!("INSERT INTO temp.corella_fresh (rowid, words) SELECT place, words FROM main.{texts}"),
            format!("CREATE VIRTUAL TABLE temp.corella_found USING fts5vocab(main, {words}, instance)"),
            "CREATE VIRTUAL TABLE temp.corella_wanted USING fts5vocab(temp, corella_fresh, instance)".into(),
        ];
        let instances = |from: &str| format!("SELECT doc, term, offset FROM temp.{from}");
        let (found, wanted) = (instances("corella_found"), instances("corella_wanted"));
        let keys = |from: &str| format!("SELECT corella_tenant, id FROM main.{from}");
        let (lines, placed) = (keys(&table.to_string()), keys(&places.to_string()));
        let astray = format!(
            "WITH wrong (doc) AS (SELECT doc FROM ({found} EXCEPT {wanted}) UNION SELECT doc FROM ({wanted} EXCEPT {found})) \
             SELECT p.corella_tenant, p.id FROM wrong LEFT JOIN main.{places} AS p ON p.place = wrong.doc \
             UNION SELECT * FROM ({lines} EXCEPT {placed}) UNION SELECT * FROM ({placed} EXCEPT {lines})"
        );
        let tidy = ["corella_found", "corella_wanted", "corella_fresh"];
        SearchCheck {
            parts: format!("SELECT count(*) FROM sqlite_schema WHERE name IN ({})", names.join(", ")),
            expected: 6,
            prepare,
            astray,
            tidy: tidy.map(|name| format!("DROP TABLE IF EXISTS temp.{name}")).into(),
        }
    }

    fn check_column(&self, search: &Search) -> SearchCheck {
        let Self { table, words, .. } = self;
        let quoted = |name: &str| format!("'{}'", name.replace('\'', "''"));
        let (column, of_table) = (Self::column(), quoted(&table.to_string()));
        SearchCheck {
            parts: format!(
                "SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass({of_table}) AND attname = {} \
                 AND attgenerated = 's' AND NOT attisdropped) + (SELECT count(*) FROM pg_index \
                 WHERE indrelid = to_regclass({of_table}) AND indexrelid = to_regclass({}) AND indisvalid)",
                quoted(column.as_str()),
                quoted(&words.to_string())
            ),
            expected: 2,
            prepare: Vec::new(),
            astray: format!(
                "SELECT corella_tenant, id FROM {table} WHERE {column} IS DISTINCT FROM {}",
                Self::words_of_line(search)
            ),
            tidy: Vec::new(),
        }
    }
}
