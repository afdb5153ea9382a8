//! Everything that is written: commits, folds, projections.

use corella_manifest::{EntityName, FieldName};
use corella_query::Identifier;
use corella_rowdoc::{Projection, RowId, RowKey};
use rusqlite::{
    Connection, Error, ErrorCode, OptionalExtension as _, Params, ToSql, Transaction, TransactionBehavior,
};

use super::{
    bind::{Bound, is_full, unavailable},
    history, references,
    tables::{Table, Tables},
};
use crate::faults::{KillPoint, point};
use crate::port::{BackendError, Fold, OutcomeWrite, RowWrite, Seq, Unit, UnitOutcome, checksum};

/// Commits `units` in one transaction.
pub(super) fn commit(
    connection: &mut Connection,
    tables: &Tables,
    units: &[Unit],
) -> Result<Vec<UnitOutcome>, BackendError> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
    let mut next = last_seq(&transaction).map_err(unavailable)?;
    let mut outcomes = Vec::with_capacity(units.len());
    for unit in units {
        outcomes.push(apply(&transaction, tables, unit, &mut next).map_err(unavailable)?);
    }
    point(KillPoint::MidCommit);
    transaction.commit().map_err(|error| {
        // Without room not even the mark that ends the transaction was written.
        if is_full(&error) {
            return BackendError::Full(Box::new(error));
        }
        BackendError::Unknown(Box::new(error))
    })?;
    Ok(outcomes)
}

fn last_seq(connection: &Connection) -> Result<Seq, Error> {
    connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM corella_changes")?
        .query_row([], |row| row.get(0).map(Seq))
}

/// Why a unit is taken back while its neighbours stay.
pub(super) enum Halt {
    Outcome(UnitOutcome),
    Error(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Writes one unit; what it had written is taken back when it cannot be written whole.
fn apply(
    transaction: &Transaction<'_>,
    tables: &Tables,
    unit: &Unit,
    next: &mut Seq,
) -> Result<UnitOutcome, Error> {
    run(transaction, "SAVEPOINT unit", ())?;
    let outcome = match write_unit(transaction, tables, unit, *next) {
        Ok(seqs) => {
            *next = seqs.last().copied().unwrap_or(*next);
            UnitOutcome::Committed(seqs)
        }
        Err(Halt::Outcome(outcome)) => {
            run(transaction, "ROLLBACK TO unit", ())?;
            outcome
        }
        // The whole transaction is taken back.
        Err(Halt::Error(error)) => return Err(error),
    };
    run(transaction, "RELEASE unit", ())?;
    Ok(outcome)
}

fn write_unit(connection: &Connection, tables: &Tables, unit: &Unit, last: Seq) -> Result<Vec<Seq>, Halt> {
    let at = unit.at.as_microsecond();
    let mut seqs = Vec::with_capacity(unit.writes.len());
    if unit.writes.len() > 1 {
        clear_lines(connection, tables, unit)?;
    }
    for write in &unit.writes {
        let seq = Seq(last.0 + 1 + i64::try_from(seqs.len()).unwrap_or(i64::MAX));
        write_row(connection, tables, write, seq, at)?;
        seqs.push(seq);
    }
    references::check(connection, tables, unit)?;
    for outcome in &unit.outcomes {
        write_outcome(connection, outcome, seqs.last().copied().unwrap_or(last), at)?;
    }
    Ok(seqs)
}

/// Takes the lines out that are about to be written, where values must be unique: one may pass from row to row.
fn clear_lines(connection: &Connection, tables: &Tables, unit: &Unit) -> Result<(), Error> {
    for RowWrite { key, .. } in unit.writes.iter().filter(|write| !write.late) {
        if let Ok(table) = tables.get(&key.entity)
            && !table.unique.is_empty()
        {
            run(connection, &table.delete, (key.tenant.as_str(), key.id.as_str()))?;
        }
    }
    Ok(())
}

fn write_row(
    connection: &Connection,
    tables: &Tables,
    write: &RowWrite,
    seq: Seq,
    at: i64,
) -> Result<(), Halt> {
    let RowKey { tenant, entity, id } = &write.key;
    let (tenant, entity, id) = (tenant.as_str(), entity.as_str(), id.as_str());
    let moved = run(
        connection,
        "INSERT INTO corella_rows (tenant, entity, row_id, head_seq, head_version, snapshot_seq, \
         snapshot_version, projected_seq, deleted, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, x'', \
         iif(?9, 0, ?4), ?6, ?7) \
         ON CONFLICT (tenant, entity, row_id) DO UPDATE SET head_seq = excluded.head_seq, \
         head_version = excluded.head_version, \
         projected_seq = iif(?9, projected_seq, excluded.projected_seq), \
         deleted = excluded.deleted WHERE head_seq = ?8",
        (
            tenant,
            entity,
            id,
            seq.0,
            &write.version[..],
            write.projection.deleted,
            at,
            write.known_head.0,
            write.late,
        ),
    )?;
    if moved == 0 {
        return Err(stale(connection, write)?);
    }
    run(
        connection,
        "INSERT INTO corella_tail (tenant, entity, row_id, seq, delta, checksum, author, at, about, ends) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            tenant,
            entity,
            id,
            seq.0,
            &write.delta[..],
            checksum(&write.delta),
            write.author.as_deref(),
            at,
            write.about.to_text(),
            &write.ends[..],
        ),
    )?;
    run(
        connection,
        "INSERT INTO corella_changes (seq, tenant, entity, row_id, kind, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (seq.0, tenant, entity, id, write.kind.as_str(), at),
    )?;
    if write.late {
        return Ok(());
    }
    let table = tables
        .get(&write.key.entity)
        .map_err(|error| Halt::Error(Error::ToSqlConversionFailure(Box::new(error))))?;
    match project(connection, table, &write.key, &write.projection) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(Halt::Outcome(not_unique(connection, table, &write.key, &write.projection)?))
        }
        other => Ok(other?),
    }
}

fn run(connection: &Connection, sql: &str, parameters: impl Params) -> Result<usize, Error> {
    connection.prepare_cached(sql)?.execute(parameters)
}

/// Brings a row's line in its table to `projection`.
pub(super) fn project(
    connection: &Connection,
    table: &Table,
    key: &RowKey,
    projection: &Projection,
) -> Result<(), Error> {
    let (tenant, id) = (key.tenant.as_str(), key.id.as_str());
    if projection.deleted {
        return run(connection, &table.delete, (tenant, id)).map(drop);
    }
    let bound: Vec<Bound<'_>> = projection.values.iter().map(Bound).collect();
    let mut parameters: Vec<&dyn ToSql> = Vec::with_capacity(bound.len() + 2);
    parameters.push(&tenant);
    parameters.push(&id);
    parameters.extend(bound.iter().map(|value| value as &dyn ToSql));
    run(connection, &table.upsert, &parameters[..]).map(drop)
}

/// What the row got that the writer had not seen.
fn stale(connection: &Connection, write: &RowWrite) -> Result<Halt, Error> {
    let unseen = super::read::tail(connection, &write.key, write.known_head)?;
    Ok(Halt::Outcome(UnitOutcome::Stale(vec![(write.key.clone(), unseen)])))
}

/// Finds the fields in which a row clashes with another, and that row.
pub(super) fn not_unique(
    connection: &Connection,
    table: &Table,
    key: &RowKey,
    projection: &Projection,
) -> Result<UnitOutcome, Error> {
    for fields in &table.unique {
        let (wanted, holder) = holder(connection, table, fields, key, projection)?;
        if holder.is_some() {
            return Ok(UnitOutcome::NotUnique { fields: wanted, holder });
        }
    }
    Ok(UnitOutcome::NotUnique { fields: Vec::new(), holder: None })
}

fn holder(
    connection: &Connection,
    table: &Table,
    fields: &[FieldName],
    key: &RowKey,
    projection: &Projection,
) -> Result<(Vec<String>, Option<RowId>), Error> {
    let names = fields.iter().map(ToString::to_string).collect();
    let mut sql = format!("SELECT id FROM {} WHERE corella_tenant = ?1 AND id <> ?2", table.name());
    let mut bound = Vec::with_capacity(fields.len());
    for field in fields {
        let place = bound.len() + 3;
        sql.push_str(&format!(" AND {} = ?{place}", Identifier::from(field)));
        let index = table.position(field).unwrap_or(usize::MAX);
        bound.extend(projection.values.get(index).map(Bound));
    }
    let (tenant, id) = (key.tenant.as_str(), key.id.as_str());
    let mut parameters: Vec<&dyn ToSql> = vec![&tenant, &id];
    parameters.extend(bound.iter().map(|value| value as &dyn ToSql));
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_map(&parameters[..], |row| row.get::<_, String>(0))?.next().transpose()?;
    Ok((names, found.and_then(|id| RowId::new(&id).ok())))
}

fn write_outcome(connection: &Connection, outcome: &OutcomeWrite, seq: Seq, at: i64) -> Result<(), Halt> {
    let key = &outcome.key;
    let written = run(
        connection,
        "INSERT INTO corella_outcomes (tenant, author, key, request, seq, answer, at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        (key.tenant.as_str(), &*key.author, &*key.key, &outcome.request[..], seq.0, &outcome.answer, at),
    )?;
    if written == 0 { Err(Halt::Outcome(UnitOutcome::KeyUsed)) } else { Ok(()) }
}

/// Puts a snapshot in the place of the tail that it has.
pub(super) fn fold(connection: &mut Connection, fold: &Fold) -> Result<(), BackendError> {
    let mut work = || -> Result<(), Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let RowKey { tenant, entity, id } = &fold.key;
        let row = (tenant.as_str(), entity.as_str(), id.as_str());
        let mark = fold.mark.as_ref();
        let at = mark.map(|mark| mark.at.as_microsecond());
        let moved = run(
            &transaction,
            "UPDATE corella_rows SET snapshot_seq = ?4, snapshot_version = ?5, \
             mark_version = coalesce(?6, mark_version), mark_at = coalesce(?7, mark_at) \
             WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND snapshot_seq < ?4 AND head_seq >= ?4",
            (row.0, row.1, row.2, fold.upto.0, &fold.version[..], mark.map(|mark| &mark.version[..]), at),
        )?;
        if moved == 0 {
            return Ok(());
        }
        run(
            &transaction,
            "INSERT INTO corella_snapshots (tenant, entity, row_id, snapshot, checksum) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (tenant, entity, row_id) DO UPDATE SET snapshot = excluded.snapshot, \
             checksum = excluded.checksum",
            (row.0, row.1, row.2, &fold.snapshot[..], checksum(&fold.snapshot)),
        )?;
        point(KillPoint::MidFold);
        history::keep_of_tail(&transaction, &fold.key, fold.upto, &fold.version)?;
        if let Some(cut) = &fold.cut {
            history::cut(&transaction, &fold.key, cut)?;
        }
        run(
            &transaction,
            "DELETE FROM corella_tail WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq <= ?4",
            (row.0, row.1, row.2, fold.upto.0),
        )?;
        transaction.commit()
    };
    work().map_err(unavailable)
}

/// Records that a row's line has the change `seq` in it; says whether it had no later one.
fn advance(connection: &Connection, key: &RowKey, seq: Seq) -> Result<bool, Error> {
    let (tenant, entity, id) = (key.tenant.as_str(), key.entity.as_str(), key.id.as_str());
    let projected: Option<i64> = connection
        .prepare_cached(
            "SELECT projected_seq FROM corella_rows WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 \
             AND projected_seq <= ?4 AND head_seq >= ?4",
        )?
        .query_row((tenant, entity, id, seq.0), |row| row.get(0))
        .optional()?;
    // Most lines that are filled again have it already, and writing costs more than looking.
    if projected.is_some_and(|projected| projected < seq.0) {
        run(
            connection,
            "UPDATE corella_rows SET projected_seq = ?4 WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3",
            (tenant, entity, id, seq.0),
        )?;
    }
    Ok(projected.is_some())
}

/// Writes the columns of these rows again, leaving out those whose lines have moved on since.
pub(super) fn reproject(
    connection: &mut Connection,
    tables: &Tables,
    entity: &EntityName,
    rows: &[(RowKey, Seq, Projection)],
) -> Result<(), BackendError> {
    let table = tables.get(entity)?;
    let mut work = || -> Result<(), Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (key, seq, projection) in rows {
            if !advance(&transaction, key, *seq)? {
                continue;
            }
            match project(&transaction, table, key, projection) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    tracing::error!(
                        row = %key,
                        error = &error as &dyn std::error::Error,
                        "the table does not take a row, its line is left as it is"
                    );
                }
                other => other?,
            }
        }
        transaction.commit()
    };
    work().map_err(unavailable)
}
