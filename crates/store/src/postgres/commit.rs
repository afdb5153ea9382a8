//! Group commit: the units of one transaction in a constant number of statements.

use std::{ops::Range, time::Duration};

use sqlx_core::{error::Error, query::query, raw_sql::raw_sql};
use sqlx_postgres::{PgConnection, Postgres};
use tokio::time::timeout;

use super::{
    append::{self, Answered, Placed},
    bind::Moment,
    failure::{is_clash, is_of_values, unavailable, unknown},
    gather, history,
    judge::Verdict,
    locks,
    tables::Tables,
    tenants::{self, ServingRole},
};
use crate::{
    faults::{KillPoint, point},
    port::{BackendError, Fold, Seq, Unit, UnitOutcome, checksum},
};

/// Bytes in one statement's parameters, about, before a batch is cut in two: PostgreSQL takes no message of a gigabyte.
const MOST_BYTES: usize = 64 << 20;
/// Said of a server that does not answer.
const SILENCE: &str = "the database does not answer";
/// Seconds that a snapshot's deltas stay beside it: other servers read them when they follow the log.
const LINGER_SECONDS: f64 = 10.0;

/// Commits `units` in one transaction, which sees and writes rows of their tenants alone.
///
/// A server that is gone without a word is waited for `limit` before and again at the transaction's end.
pub(super) async fn commit(
    connection: &mut PgConnection,
    tables: &Tables,
    role: ServingRole,
    units: &[Unit],
    limit: Duration,
) -> Result<Vec<UnitOutcome>, BackendError> {
    for write in units.iter().flat_map(|unit| &unit.writes) {
        tables.get(&write.key.entity)?;
    }
    let written = timeout(limit, write(connection, tables, role, units)).await;
    let outcomes = written.map_err(|_| BackendError::Unavailable(SILENCE.into()))?.map_err(unavailable)?;
    point(KillPoint::MidCommit);
    let ended = timeout(limit, raw_sql("COMMIT").execute(connection)).await;
    ended.map_err(|_| BackendError::Unknown(SILENCE.into()))?.map_err(unknown)?;
    Ok(outcomes)
}

/// Writes all units that can be written, and leaves the transaction open.
async fn write(
    connection: &mut PgConnection,
    tables: &Tables,
    role: ServingRole,
    units: &[Unit],
) -> Result<Vec<UnitOutcome>, Error> {
    let mut outcomes = Vec::with_capacity(units.len());
    let tenants = tenants::of(units);
    raw_sql(locks::BEGIN_COMMITTING).execute(&mut *connection).await?;
    let mut last = role.enter(connection, &tenants).await?;
    let failure = 'whole: {
        for range in cut(units) {
            match write_range(connection, tables, &units[range], &mut last).await {
                Ok(written) => outcomes.extend(written),
                Err(error) if is_of_values(&error) => break 'whole error,
                Err(error) => return Err(error),
            }
        }
        return Ok(outcomes);
    };
    tracing::debug!(
        error = &failure as &dyn std::error::Error,
        "a batch is taken apart to find the unit at fault"
    );
    raw_sql("ROLLBACK").execute(&mut *connection).await?;
    raw_sql(locks::BEGIN_COMMITTING).execute(&mut *connection).await?;
    let last = role.enter(connection, &tenants).await?;
    outcomes.clear();
    apart(connection, tables, units, last, &mut outcomes).await?;
    Ok(outcomes)
}

/// The units in their order, cut where the statements would become too large.
fn cut(units: &[Unit]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, unit) in units.iter().enumerate() {
        let more = unit.writes.iter().map(|write| write.delta.len() + weight(write)).sum::<usize>();
        if index > start && bytes + more > MOST_BYTES {
            ranges.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes += more;
    }
    if start < units.len() {
        ranges.push(start..units.len());
    }
    ranges
}

/// About how many bytes a write's columns have.
fn weight(write: &crate::port::RowWrite) -> usize {
    use corella_manifest::Value;
    let of = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        // Its text is about as long as the document that it was read from, whose delta has been counted.
        Value::Json(_) => 64,
        Value::Null | Value::Time(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => 8,
    };
    write.projection.values.iter().map(of).sum()
}

/// Writes the units of which one is at fault: half by half, until that one is alone and left out.
async fn apart(
    connection: &mut PgConnection,
    tables: &Tables,
    units: &[Unit],
    mut last: Seq,
    outcomes: &mut Vec<UnitOutcome>,
) -> Result<(), Error> {
    // The last is the next.
    let mut ranges = Vec::from([Range { start: 0, end: units.len() }]);
    while let Some(range) = ranges.pop() {
        raw_sql("SAVEPOINT part").execute(&mut *connection).await?;
        match write_range(connection, tables, &units[range.clone()], &mut last).await {
            Ok(written) => {
                raw_sql("RELEASE SAVEPOINT part").execute(&mut *connection).await?;
                outcomes.extend(written);
            }
            Err(error) if is_of_values(&error) => {
                raw_sql("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
                    .execute(&mut *connection)
                    .await?;
                if range.len() == 1 {
                    outcomes.push(fault(&error));
                } else {
                    let middle = range.start + range.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What to answer a unit whose values the database does not take.
fn fault(error: &Error) -> UnitOutcome {
    if is_clash(error) {
        return UnitOutcome::NotUnique { fields: Vec::new(), holder: None };
    }
    let what = match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    };
    UnitOutcome::Unfit { what }
}

/// Judges units and writes those that were accepted, behind the `last` change of all, which they move on.
async fn write_range(
    connection: &mut PgConnection,
    tables: &Tables,
    units: &[Unit],
    last_of_all: &mut Seq,
) -> Result<Vec<UnitOutcome>, Error> {
    let mut last = *last_of_all;
    let mut facts = gather::facts(connection, tables, units, last).await?;
    let verdicts = facts.judge(tables, units);
    let mut writes = Vec::new();
    let mut answers = Vec::new();
    for (unit, verdict) in units.iter().zip(&verdicts) {
        let Verdict::Accepted(seqs) = verdict else { continue };
        let at = unit.at;
        let several = unit.writes.len() > 1;
        let placed = |(seq, write): (&Seq, _)| Placed { seq: *seq, at, write, several };
        writes.extend(seqs.iter().zip(&unit.writes).map(placed));
        last = seqs.last().copied().unwrap_or(last);
        answers.extend(unit.outcomes.iter().map(|outcome| Answered { seq: last, at, outcome }));
    }
    append::rows(connection, tables, &writes).await?;
    append::outcomes(connection, &answers).await?;
    let outcomes = tell(connection, verdicts).await?;
    *last_of_all = last;
    Ok(outcomes)
}

/// The outcomes of verdicts, with what stale writers have not seen.
async fn tell(connection: &mut PgConnection, verdicts: Vec<Verdict>) -> Result<Vec<UnitOutcome>, Error> {
    let stale: Vec<_> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Stale { key, known } => Some((key, *known)),
            Verdict::Accepted(_) | Verdict::NotUnique { .. } | Verdict::KeyUsed => None,
            Verdict::Dangling(_) | Verdict::Held(_) => None,
        })
        .collect();
    let mut unseen = gather::unseen(connection, &stale).await?.into_iter();
    let outcome = |verdict| match verdict {
        Verdict::Accepted(seqs) => UnitOutcome::Committed(seqs),
        Verdict::Stale { key, .. } => UnitOutcome::Stale(vec![(key, unseen.next().unwrap_or_default())]),
        Verdict::NotUnique { fields, holder } => UnitOutcome::NotUnique { fields, holder: Some(holder) },
        Verdict::Dangling(reference) => UnitOutcome::Dangling(reference),
        Verdict::Held(reference) => UnitOutcome::Held(reference),
        Verdict::KeyUsed => UnitOutcome::KeyUsed,
    };
    Ok(verdicts.into_iter().map(outcome).collect())
}

/// Puts a snapshot in the place of the tail that it has.
pub(super) async fn fold(connection: &mut PgConnection, fold: &Fold) -> Result<(), Error> {
    let (tenant, entity, id) = (fold.key.tenant.as_str(), fold.key.entity.as_str(), fold.key.id.as_str());
    raw_sql("BEGIN").execute(&mut *connection).await?;
    let moved = query::<Postgres>(
        "UPDATE corella_rows SET snapshot_seq = $4, snapshot_version = $5, \
         mark_version = coalesce($6, mark_version), mark_at = coalesce($7, mark_at) \
         WHERE tenant = $1 AND entity = $2 AND row_id = $3 AND snapshot_seq < $4 AND head_seq >= $4",
    )
    .bind(tenant)
    .bind(entity)
    .bind(id)
    .bind(fold.upto.0)
    .bind(&fold.version[..])
    .bind(fold.mark.as_ref().map(|mark| &mark.version[..]))
    .bind(fold.mark.as_ref().map(|mark| Moment(mark.at)))
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() > 0 {
        query::<Postgres>(
            "INSERT INTO corella_snapshots (tenant, entity, row_id, snapshot, checksum) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant, entity, row_id) DO UPDATE SET snapshot = excluded.snapshot, \
             checksum = excluded.checksum",
        )
        .bind(tenant)
        .bind(entity)
        .bind(id)
        .bind(&fold.snapshot[..])
        .bind(checksum(&fold.snapshot))
        .execute(&mut *connection)
        .await?;
        point(KillPoint::MidFold);
        history::keep_of_tail(connection, &fold.key, fold.upto, &fold.version).await?;
        if let Some(cut) = &fold.cut {
            history::cut(connection, &fold.key, cut).await?;
        }
        query::<Postgres>(
            "DELETE FROM corella_tail WHERE tenant = $1 AND entity = $2 AND row_id = $3 AND seq <= $4 \
             AND at < now() - make_interval(secs => $5)",
        )
        .bind(tenant)
        .bind(entity)
        .bind(id)
        .bind(fold.upto.0)
        .bind(LINGER_SECONDS)
        .execute(&mut *connection)
        .await?;
    }
    raw_sql("COMMIT").execute(connection).await.map(drop)
}
