//! Values on their way into expressions and out of them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cel::Value as Cel;
use chrono::DateTime;
use corella_manifest::{Entity, Value};
use corella_query::{Column, ColumnType, RowView};
use serde_json::{Map, Value as Json};

/// A row as an expression sees it that looks at these declared fields: a map with them and `id`.
pub(crate) fn from_row(entity: &Entity, row: &dyn RowView, columns: &BTreeSet<usize>) -> Cel {
    let fields =
        columns.iter().filter_map(|place| Column::of(entity, entity.fields.get(*place)?.name.as_str()));
    let fields: HashMap<String, Cel> = std::iter::once(Column::id())
        .chain(fields)
        .map(|column| (column.name().to_owned(), from_value(row.value(&column))))
        .collect();
    Cel::from(fields)
}

pub(crate) fn from_value(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Text(text) => Cel::from(&**text),
        Value::Time(time) => time_to_cel(*time),
        Value::Int(int) => Cel::Int(*int),
        Value::Float(float) => Cel::Float(*float),
        Value::Bool(bool) => Cel::Bool(*bool),
        Value::Bytes(bytes) => Cel::Bytes(Arc::new(bytes.to_vec())),
        Value::Json(json) => from_json(json),
    }
}

pub(crate) fn time_to_cel(time: jiff::Timestamp) -> Cel {
    const A_SECOND: i128 = 1_000_000_000;
    let nanoseconds = time.as_nanosecond();
    let seconds = i64::try_from(nanoseconds.div_euclid(A_SECOND)).ok();
    let rest = u32::try_from(nanoseconds.rem_euclid(A_SECOND)).ok();
    seconds
        .zip(rest)
        .and_then(|(seconds, rest)| DateTime::from_timestamp(seconds, rest))
        .map_or(Cel::Null, |time| Cel::Timestamp(time.fixed_offset()))
}

pub(crate) fn from_json(json: &Json) -> Cel {
    match json {
        Json::Null => Cel::Null,
        Json::Bool(bool) => Cel::Bool(*bool),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Cel::Int(int),
            (None, Some(float)) => Cel::Float(float),
            (None, None) => Cel::Null,
        },
        Json::String(text) => Cel::from(text.as_str()),
        Json::Array(items) => Cel::from(items.iter().map(from_json).collect::<Vec<Cel>>()),
        Json::Object(map) => from_object(map),
    }
}

pub(crate) fn from_object(map: &Map<String, Json>) -> Cel {
    Cel::from(
        map.iter().map(|(key, value)| (key.clone(), from_json(value))).collect::<HashMap<String, Cel>>(),
    )
}

/// What stands in the place of a literal that a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// No value.
    Null,
    /// A value of the column's own type.
    Value(Value),
    /// A value that the column never has.
    Never,
    /// A value for which the column has no exact counterpart, although it may stand before or after the column's.
    Between,
}

/// `value` as one that can be compared with what is in a column of type `ty`.
pub(crate) fn literal(ty: ColumnType, value: &Cel) -> Literal {
    const EXACT: i64 = 1 << 53;
    match (ty, value) {
        (_, Cel::Null) => Literal::Null,
        (ColumnType::Text, Cel::String(text)) => Literal::Value(Value::Text(text.as_str().into())),
        (ColumnType::Int, Cel::Int(int)) => Literal::Value(Value::Int(*int)),
        (ColumnType::Int, Cel::UInt(int)) => {
            i64::try_from(*int).map_or(Literal::Between, |int| Literal::Value(Value::Int(int)))
        }
        (ColumnType::Float, Cel::Float(float)) if float.is_finite() => {
            Literal::Value(Value::Float(if *float == 0.0 { 0.0 } else { *float }))
        }
        #[expect(clippy::cast_precision_loss, reason = "the bound makes it exact")]
        (ColumnType::Float, Cel::Int(int)) if (-EXACT..=EXACT).contains(int) => {
            Literal::Value(Value::Float(*int as f64))
        }
        (ColumnType::Int, Cel::Float(_))
        | (ColumnType::Float, Cel::Float(_) | Cel::Int(_) | Cel::UInt(_)) => Literal::Between,
        (ColumnType::Bool, Cel::Bool(bool)) => Literal::Value(Value::Bool(*bool)),
        (ColumnType::Bytes, Cel::Bytes(bytes)) => Literal::Value(Value::Bytes(bytes.as_slice().into())),
        (ColumnType::Time, Cel::Timestamp(time)) => {
            let nanoseconds = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default();
            jiff::Timestamp::new(time.timestamp(), nanoseconds)
                .map_or(Literal::Between, |time| Literal::Value(Value::Time(time)))
        }
        (ColumnType::Json, _) => Literal::Between,
        (
            ColumnType::Text
            | ColumnType::Int
            | ColumnType::Float
            | ColumnType::Bool
            | ColumnType::Bytes
            | ColumnType::Time,
            _,
        ) => Literal::Never,
    }
}
