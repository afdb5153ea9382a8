//! Values on their way into PostgreSQL and back.

use std::io;

use corella_manifest::{Entity, EntityName, FieldType, Value};
use corella_rowdoc::{RowId, RowKey, Tenant};
use jiff::Timestamp;
use serde::Serialize as _;
use serde_json::ser::{CompactFormatter, Formatter};
use sqlx_core::{
    arguments::Arguments as _,
    encode::{Encode, IsNull},
    error::{BoxDynError, Error},
    row::Row as _,
    types::Type,
    value::ValueRef as _,
};
use sqlx_postgres::{
    PgArgumentBuffer, PgArguments, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, Postgres, types::Oid,
};

use crate::port::TableRow;

/// The start of the year 2000, from which PostgreSQL counts, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// A point in time as `timestamptz`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Moment {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Moment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_microsecond() - EPOCH;
        buffer.extend(micros.to_be_bytes());
        Ok(IsNull::No)
    }
}

/// A JSON text as `jsonb`.
#[derive(Debug, Clone)]
pub(super) struct JsonText(Vec<u8>);

impl JsonText {
    fn new(json: &serde_json::Value) -> Self {
        let mut text = Vec::new();
        let mut writer = serde_json::Serializer::with_formatter(&mut text, FloatsStayFloats);
        json.serialize(&mut writer).expect("a JSON value can be written to memory");
        Self(text)
    }
}

impl Type<Postgres> for JsonText {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(3802))
    }
}

impl PgHasArrayType for JsonText {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(3807))
    }
}

impl Encode<'_, Postgres> for JsonText {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The version of the binary form.
        buffer.push(1);
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

/// Writes floats so that they are floats when they come back.
///
/// `jsonb` keeps numbers as decimals: of `1e16` it makes `10000000000000000`, which reads as a whole number, but of
/// `10000000000000000.0` it keeps the fraction. What is larger than a whole number can be reads as a float anyway.
struct FloatsStayFloats;

impl Formatter for FloatsStayFloats {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, float: f64) -> io::Result<()> {
        if (1e16..2e19).contains(&float.abs()) {
            return write!(writer, "{float:.1}");
        }
        CompactFormatter.write_f64(writer, float)
    }
}

/// One column of several rows, as an array.
#[derive(Debug)]
pub(super) enum Cells {
    Text(Vec<Option<String>>),
    Time(Vec<Option<Moment>>),
    Int(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Bool(Vec<Option<bool>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Json(Vec<Option<JsonText>>),
}

impl Cells {
    /// An empty column of that type, with room for `rows`.
    pub(super) fn of(ty: &FieldType, rows: usize) -> Self {
        match ty {
            FieldType::String | FieldType::Enum(_) | FieldType::Id(_) => Self::Text(Vec::with_capacity(rows)),
            FieldType::Richtext | FieldType::Document => Self::Text(Vec::with_capacity(rows)),
            FieldType::Datetime => Self::Time(Vec::with_capacity(rows)),
            FieldType::Int => Self::Int(Vec::with_capacity(rows)),
            FieldType::Float => Self::Float(Vec::with_capacity(rows)),
            FieldType::Bool => Self::Bool(Vec::with_capacity(rows)),
            FieldType::Bytes => Self::Bytes(Vec::with_capacity(rows)),
            FieldType::Json => Self::Json(Vec::with_capacity(rows)),
        }
    }

    /// Adds a row's value; one of another type, which no projection has, counts as none.
    pub(super) fn push(&mut self, value: &Value) {
        match (self, value) {
            (Self::Text(cells), Value::Text(text)) => cells.push(Some(text.to_string())),
            (Self::Time(cells), Value::Time(time)) => cells.push(Some(Moment(*time))),
            (Self::Int(cells), Value::Int(int)) => cells.push(Some(*int)),
            (Self::Float(cells), Value::Float(float)) => cells.push(Some(*float)),
            (Self::Bool(cells), Value::Bool(bool)) => cells.push(Some(*bool)),
            (Self::Bytes(cells), Value::Bytes(bytes)) => cells.push(Some(bytes.to_vec())),
            (Self::Json(cells), Value::Json(json)) => cells.push(Some(JsonText::new(json))),
            (cells, Value::Null | Value::Text(_) | Value::Time(_) | Value::Int(_)) => cells.push_none(),
            (cells, Value::Float(_) | Value::Bool(_) | Value::Bytes(_) | Value::Json(_)) => {
                cells.push_none();
            }
        }
    }

    fn push_none(&mut self) {
        match self {
            Self::Text(cells) => cells.push(None),
            Self::Time(cells) => cells.push(None),
            Self::Int(cells) => cells.push(None),
            Self::Float(cells) => cells.push(None),
            Self::Bool(cells) => cells.push(None),
            Self::Bytes(cells) => cells.push(None),
            Self::Json(cells) => cells.push(None),
        }
    }

    /// Adds the column to a statement's parameters.
    pub(super) fn bind(self, arguments: &mut PgArguments) -> Result<(), Error> {
        match self {
            Self::Text(cells) => arguments.add(cells),
            Self::Time(cells) => arguments.add(cells),
            Self::Int(cells) => arguments.add(cells),
            Self::Float(cells) => arguments.add(cells),
            Self::Bool(cells) => arguments.add(cells),
            Self::Bytes(cells) => arguments.add(cells),
            Self::Json(cells) => arguments.add(cells),
        }
        .map_err(Error::Encode)
    }
}

/// A query's values as a statement's parameters.
pub(super) fn parameters(values: &[Value]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Null => arguments.add(None::<String>),
            Value::Text(text) => arguments.add(&**text),
            Value::Time(time) => arguments.add(Moment(*time)),
            Value::Int(int) => arguments.add(*int),
            Value::Float(float) => arguments.add(*float),
            Value::Bool(bool) => arguments.add(*bool),
            Value::Bytes(bytes) => arguments.add(&**bytes),
            Value::Json(json) => arguments.add(JsonText::new(json)),
        }
        .map_err(Error::Encode)?;
    }
    Ok(arguments)
}

/// Reads a line of an entity's table: `id`, then the declared columns, from `offset` on; nothing when there is no line.
pub(super) fn table_row(row: &PgRow, entity: &Entity, offset: usize) -> Result<Option<TableRow>, Error> {
    let Some(id) = row.try_get::<Option<&str>, _>(offset)? else { return Ok(None) };
    let types = entity.fields.iter().map(|field| &field.ty).chain(entity.open.then_some(&FieldType::Json));
    let mut cells = vec![Value::Text(id.into())];
    for (column, ty) in (offset + 1..).zip(types) {
        cells.push(cell(row, column, ty)?);
    }
    Ok(Some(TableRow { cells }))
}

fn cell(row: &PgRow, column: usize, ty: &FieldType) -> Result<Value, Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let unfit = |source: BoxDynError| Error::ColumnDecode { index: column.to_string(), source };
    let found = raw.type_info().into_owned();
    if raw.format() != PgValueFormat::Binary || found != column_type(ty) {
        return Err(unfit(format!("expected a column of type {}, found {found}", column_type(ty)).into()));
    }
    value(raw.as_bytes().map_err(unfit)?, ty).map_err(unfit)
}

fn column_type(ty: &FieldType) -> PgTypeInfo {
    match ty {
        FieldType::String | FieldType::Enum(_) | FieldType::Id(_) => <String as Type<Postgres>>::type_info(),
        FieldType::Richtext | FieldType::Document => <String as Type<Postgres>>::type_info(),
        FieldType::Datetime => Moment::type_info(),
        FieldType::Int => <i64 as Type<Postgres>>::type_info(),
        FieldType::Float => <f64 as Type<Postgres>>::type_info(),
        FieldType::Bool => <bool as Type<Postgres>>::type_info(),
        FieldType::Bytes => <Vec<u8> as Type<Postgres>>::type_info(),
        FieldType::Json => JsonText::type_info(),
    }
}

/// The value that these bytes are in PostgreSQL's binary form.
fn value(bytes: &[u8], ty: &FieldType) -> Result<Value, BoxDynError> {
    Ok(match ty {
        FieldType::String
        | FieldType::Enum(_)
        | FieldType::Id(_)
        | FieldType::Richtext
        | FieldType::Document => Value::Text(std::str::from_utf8(bytes)?.into()),
        FieldType::Datetime => {
            let micros = i64::from_be_bytes(bytes.try_into()?).saturating_add(EPOCH);
            Value::Time(Timestamp::from_microsecond(micros)?)
        }
        FieldType::Int => Value::Int(i64::from_be_bytes(bytes.try_into()?)),
        FieldType::Float => Value::Float(f64::from_be_bytes(bytes.try_into()?)),
        FieldType::Bool => Value::Bool(bytes != [0]),
        FieldType::Bytes => Value::Bytes(bytes.into()),
        FieldType::Json => match bytes {
            [1, text @ ..] => Value::Json(serde_json::from_slice(text)?),
            _ => return Err("expected jsonb of version 1".into()),
        },
    })
}

/// A key of `entity` from its tenant and id.
pub(super) fn row_key(entity: &EntityName, tenant: &str, id: &str) -> Result<RowKey, Error> {
    let id = RowId::new(id).map_err(|error| Error::Decode(error.into()))?;
    Ok(RowKey { tenant: Tenant::new(tenant), entity: entity.clone(), id })
}
