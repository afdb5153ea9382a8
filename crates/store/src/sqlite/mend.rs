//! Damaged rows made whole: what is replaced is set aside first.

use corella_manifest::Entity;
use corella_query::Identifier;
use corella_rowdoc::RowKey;
use jiff::Timestamp;
use rusqlite::{
    Connection, Error, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, types::ValueRef,
};
use serde_json::{Map, Value as Json};

use super::{
    bind::unavailable,
    commit::{not_unique, project},
    dump, history, migrate,
    read::{last_seq_of, place},
    tables::{Table, Tables},
};
use crate::port::{BackendError, KeptRow, Mend, MendOutcome, REPAIR, Seq, UnitOutcome, checksum};

/// A stored piece on its way out.
struct Aside<'a> {
    key: &'a RowKey,
    piece: &'static str,
    seq: Seq,
    bytes: &'a [u8],
    checksum: i64,
    what: &'a str,
    at: Timestamp,
}

impl Aside<'_> {
    fn keep(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let (tenant, entity, id) = place(self.key);
        let at = self.at.as_microsecond();
        transaction
            .prepare_cached(
                "INSERT INTO corella_damaged (tenant, entity, row_id, piece, seq, bytes, checksum, what, at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((tenant, entity, id, self.piece, self.seq.0, self.bytes, self.checksum, self.what, at))
            .map(drop)
    }
}

/// Puts a mended row in the place of a damaged one.
pub(super) fn mend(
    connection: &mut Connection,
    tables: &Tables,
    mend: &Mend,
) -> Result<MendOutcome, BackendError> {
    let table = tables.get(&mend.key.entity)?;
    let mut work = || -> Result<MendOutcome, Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(row) = dump::row(&transaction, &mend.key)?.filter(|row| row.head.head == mend.known_head)
        else {
            return Ok(MendOutcome::Stale);
        };
        set_aside(&transaction, &row, mend)?;
        let seq = Seq(last_seq_of(&transaction)?.0 + 1);
        replace(&transaction, mend, seq)?;
        match project(&transaction, table, &mend.key, &mend.projection) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                return clash(&transaction, table, mend);
            }
            other => other?,
        }
        transaction.commit()?;
        Ok(MendOutcome::Mended(seq))
    };
    work().map_err(unavailable)
}

fn clash(connection: &Connection, table: &Table, mend: &Mend) -> Result<MendOutcome, Error> {
    Ok(match not_unique(connection, table, &mend.key, &mend.projection)? {
        UnitOutcome::NotUnique { fields, holder } => MendOutcome::NotUnique { fields, holder },
        UnitOutcome::Committed(_)
        | UnitOutcome::Stale(_)
        | UnitOutcome::Dangling(_)
        | UnitOutcome::Held(_)
        | UnitOutcome::KeyUsed
        | UnitOutcome::Unfit { .. } => MendOutcome::NotUnique { fields: Vec::new(), holder: None },
    })
}

fn set_aside(transaction: &Transaction<'_>, row: &KeptRow, mend: &Mend) -> Result<(), Error> {
    let aside = |piece, seq, sealed: &crate::port::Sealed| {
        let (bytes, checksum) = (&sealed.bytes[..], sealed.checksum);
        Aside { key: &row.key, piece, seq, bytes, checksum, what: &mend.fault, at: mend.at }.keep(transaction)
    };
    if let Some(snapshot) = &row.snapshot {
        aside("snapshot", row.head.snapshot, snapshot)?;
    }
    row.tail.iter().try_for_each(|entry| aside("delta", entry.seq, &entry.delta))
}

fn replace(transaction: &Transaction<'_>, mend: &Mend, seq: Seq) -> Result<(), Error> {
    let (tenant, entity, id) = place(&mend.key);
    history::keep_of_tail(transaction, &mend.key, Seq(i64::MAX), &[])?;
    history::put(transaction, &mend.key, &mend.line(seq))?;
    transaction.execute(
        "DELETE FROM corella_tail WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3",
        (tenant, entity, id),
    )?;
    transaction.execute(
        "INSERT INTO corella_snapshots (tenant, entity, row_id, snapshot, checksum) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (tenant, entity, row_id) DO UPDATE SET snapshot = excluded.snapshot, \
         checksum = excluded.checksum",
        (tenant, entity, id, &mend.snapshot[..], checksum(&mend.snapshot)),
    )?;
    transaction.execute(
        "UPDATE corella_rows SET head_seq = ?4, head_version = ?5, snapshot_seq = ?4, snapshot_version = ?5, \
         projected_seq = ?4, deleted = ?6 WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3",
        (tenant, entity, id, seq.0, &mend.version[..], mend.projection.deleted),
    )?;
    transaction.execute(
        "INSERT INTO corella_changes (seq, tenant, entity, row_id, kind, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (seq.0, tenant, entity, id, REPAIR, mend.at.as_microsecond()),
    )?;
    Ok(())
}

/// Takes lines out of an entity's table.
pub(super) fn take_out(
    connection: &mut Connection,
    tables: &Tables,
    entity: &Entity,
    keys: &[RowKey],
    what: &str,
) -> Result<(), BackendError> {
    let table = tables.get(&entity.name)?;
    let mut work = || -> Result<(), Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for key in keys {
            if let Some(line) = line_json(&transaction, table.name(), key)? {
                let bytes = line.to_string().into_bytes();
                let (sum, at) = (checksum(&bytes), Timestamp::now());
                Aside { key, piece: "line", seq: Seq::ZERO, bytes: &bytes, checksum: sum, what, at }
                    .keep(&transaction)?;
            }
            transaction.prepare_cached(&table.delete)?.execute((key.tenant.as_str(), key.id.as_str()))?;
        }
        transaction.commit()
    };
    work().map_err(unavailable)
}

/// A table's line as JSON, whatever its columns hold.
fn line_json(connection: &Connection, table: &Identifier, key: &RowKey) -> Result<Option<Json>, Error> {
    let mut statement =
        connection.prepare(&format!("SELECT * FROM {table} WHERE corella_tenant = ?1 AND id = ?2"))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    statement
        .query_row((key.tenant.as_str(), key.id.as_str()), |row| {
            let mut line = Map::new();
            for (column, name) in names.iter().enumerate() {
                line.insert(name.clone(), cell_json(row.get_ref(column)?));
            }
            Ok(Json::Object(line))
        })
        .optional()
}

fn cell_json(cell: ValueRef<'_>) -> Json {
    match cell {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(int) => int.into(),
        ValueRef::Real(real) => real.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}

/// Gives the server another peer id.
pub(super) fn renew_peer(connection: &mut Connection) -> Result<(), BackendError> {
    let mut work = || -> Result<(), Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM corella_meta WHERE name = 'server_peer'", [])?;
        migrate::name_peer(&transaction)?;
        transaction.commit()
    };
    work().map_err(unavailable)
}
