//! Values on their way into SQLite and back.

use corella_manifest::{Entity, FieldType, Value, parse_time, time_text};
use corella_rowdoc::{RowId, RowKey, Tenant};
use rusqlite::{
    Error, ErrorCode, Row, ToSql,
    types::{ToSqlOutput, Type, Value as Owned, ValueRef},
};

use crate::port::{BackendError, TableRow};

/// A value as a statement's parameter.
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, Error> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Time(time) => ToSqlOutput::Owned(Owned::Text(time_text(*time))),
            Value::Int(int) => ToSqlOutput::Owned(Owned::Integer(*int)),
            Value::Float(float) => ToSqlOutput::Owned(Owned::Real(*float)),
            Value::Bool(bool) => ToSqlOutput::Owned(Owned::Integer((*bool).into())),
            Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Value::Json(json) => ToSqlOutput::Owned(Owned::Text(json.to_string())),
        })
    }
}

/// Reads a line of an entity's table: `id`, then the declared columns, from `offset` on.
pub(super) fn table_row(row: &Row<'_>, entity: &Entity, offset: usize) -> Result<TableRow, Error> {
    let id: String = row.get(offset)?;
    let types = entity.fields.iter().map(|field| &field.ty).chain(entity.open.then_some(&FieldType::Json));
    let mut cells = vec![Value::Text(id.into())];
    for (column, ty) in (offset + 1..).zip(types) {
        let cell = value(row.get_ref(column)?, ty);
        cells.push(
            cell.ok_or_else(|| Error::InvalidColumnType(column, ty.spelling(), row_type(row, column)))?,
        );
    }
    Ok(TableRow { cells })
}

/// As [`table_row`] from the first column on, for a line that others may have written to: a cell that is not of its
/// column's type comes as what it is.
pub(super) fn table_row_as_it_lies(row: &Row<'_>, entity: &Entity) -> Result<TableRow, Error> {
    let id: String = row.get(0)?;
    let types = entity.fields.iter().map(|field| &field.ty).chain(entity.open.then_some(&FieldType::Json));
    let mut cells = vec![Value::Text(id.into())];
    for (column, ty) in (1..).zip(types) {
        let stored = row.get_ref(column)?;
        cells.push(value(stored, ty).unwrap_or_else(|| match stored {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(int) => Value::Int(int),
            ValueRef::Real(real) => Value::Float(real),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).as_ref().into()),
            ValueRef::Blob(bytes) => Value::Bytes(bytes.into()),
        }));
    }
    Ok(TableRow { cells })
}

fn row_type(row: &Row<'_>, column: usize) -> Type {
    row.get_ref(column).map_or(Type::Null, |value| value.data_type())
}

/// The value in a column of that type, or nothing when the column holds something else.
fn value(stored: ValueRef<'_>, ty: &FieldType) -> Option<Value> {
    match (ty, stored) {
        (_, ValueRef::Null) => Some(Value::Null),
        (FieldType::Datetime, ValueRef::Text(text)) => {
            parse_time(std::str::from_utf8(text).ok()?).ok().map(Value::Time)
        }
        (FieldType::Json, ValueRef::Text(text)) => serde_json::from_slice(text).ok().map(Value::Json),
        (FieldType::Bool, ValueRef::Integer(int)) => Some(Value::Bool(int != 0)),
        (FieldType::Bytes, ValueRef::Blob(bytes)) => Some(Value::Bytes(bytes.into())),
        (FieldType::Int, ValueRef::Integer(int)) => Some(Value::Int(int)),
        (FieldType::Float, ValueRef::Real(float)) => Some(Value::Float(float)),
        (
            FieldType::String
            | FieldType::Enum(_)
            | FieldType::Id(_)
            | FieldType::Richtext
            | FieldType::Document,
            ValueRef::Text(text),
        ) => Some(Value::Text(std::str::from_utf8(text).ok()?.into())),
        (_, ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_)) => None,
    }
}

/// Reads `tenant, row_id` from `offset` on as a key of `entity`.
pub(super) fn row_key(row: &Row<'_>, entity: &Entity, offset: usize) -> Result<RowKey, Error> {
    let (tenant, id): (String, String) = (row.get(offset)?, row.get(offset + 1)?);
    let id = RowId::new(&id)
        .map_err(|error| Error::FromSqlConversionFailure(offset + 1, Type::Text, Box::new(error)))?;
    Ok(RowKey { tenant: Tenant::new(&tenant), entity: entity.name.clone(), id })
}

/// A failure of a statement that left nothing behind.
pub(super) fn unavailable(error: Error) -> BackendError {
    if is_full(&error) {
        return BackendError::Full(Box::new(error));
    }
    BackendError::Unavailable(Box::new(error))
}

/// Whether there is no room left: for the database and its log, or for the log's index, which SQLite tells apart.
pub(super) fn is_full(error: &Error) -> bool {
    let of_index =
        error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
    of_index || error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
