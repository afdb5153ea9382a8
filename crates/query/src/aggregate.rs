//! What is counted and added up of the rows that meet a condition.

use corella_manifest::Value;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{Column, ColumnMask, RowView};

/// What is asked about groups of rows instead of the rows themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// What the rows of one group have in common; without any, all rows are one group.
    pub(crate) groups: Vec<GroupTerm>,
    /// What is asked about each group, by name.
    pub(crate) measures: Vec<Measure>,
}

/// A column whose values part the rows into groups.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupTerm {
    /// The column.
    pub column: Column,
    /// How long a time is one group; `None` takes each value for itself.
    pub bucket: Option<Bucket>,
}

/// A stretch of time in UTC, which goes by its first moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// From January on.
    Year,
    /// From its first day on.
    Month,
    /// From Monday on.
    Week,
    /// From midnight on.
    Day,
    /// From its first minute on.
    Hour,
}

/// Something that is asked about a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What the answer calls it.
    pub name: String,
    /// What is asked.
    pub kind: MeasureKind,
    /// About which column; `None` only where rows are counted.
    pub column: Option<Column>,
}

/// What can be asked about a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeasureKind {
    /// How many rows there are, or how many of them have a value; 0 without any.
    Count,
    /// The sum of the values; 0 without any.
    Sum,
    /// Their average; null without any.
    Average,
    /// The least of them; null without any.
    Least,
    /// The greatest of them; null without any.
    Greatest,
}

impl Aggregation {
    /// What the rows of one group have in common.
    #[must_use]
    pub fn groups(&self) -> &[GroupTerm] {
        &self.groups
    }

    /// What is asked about each group.
    #[must_use]
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The columns by whose values rows are grouped, and which are measured.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        let measured = self.measures.iter().filter_map(|measure| measure.column.as_ref());
        self.groups.iter().map(|term| &term.column).chain(measured)
    }

    /// The columns on which the answer depends, those of the condition aside.
    pub(crate) fn mask(&self) -> ColumnMask {
        self.columns().collect()
    }

    /// The group that a row belongs to.
    pub(crate) fn group_of<R: RowView + ?Sized>(&self, row: &R) -> Vec<Value> {
        self.groups.iter().map(|term| term.value(row.value(&term.column))).collect()
    }

    /// What a row brings to each measure; a count of rows takes nothing.
    pub(crate) fn measured<R: RowView + ?Sized>(&self, row: &R) -> Vec<Value> {
        let value = |measure: &Measure| {
            measure.column.as_ref().map_or(Value::Bool(true), |column| row.value(column).clone())
        };
        self.measures.iter().map(value).collect()
    }
}

impl GroupTerm {
    fn value(&self, value: &Value) -> Value {
        match (self.bucket, value) {
            (Some(bucket), Value::Time(time)) => Value::Time(bucket.start(*time)),
            (_, value) => value.clone(),
        }
    }
}

impl Bucket {
    pub(crate) const WORDS: [&'static str; 5] = ["year", "month", "week", "day", "hour"];

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        match word {
            "year" => Some(Self::Year),
            "month" => Some(Self::Month),
            "week" => Some(Self::Week),
            "day" => Some(Self::Day),
            "hour" => Some(Self::Hour),
            _ => None,
        }
    }

    /// The first moment of the stretch that has `time` in it.
    fn start(self, time: Timestamp) -> Timestamp {
        let moment = time.to_zoned(TimeZone::UTC).datetime();
        let date = moment.date();
        let first = |date: Date| date.at(0, 0, 0, 0);
        let start = match self {
            Self::Year => first(date.first_of_year()),
            Self::Month => first(date.first_of_month()),
            Self::Week => {
                let back = i64::from(date.weekday().to_monday_zero_offset());
                // Before the first Monday of all time the first moment stands for its week.
                first(date.checked_sub(jiff::Span::new().days(back)).unwrap_or(Date::MIN))
            }
            Self::Day => first(date),
            Self::Hour => date.at(moment.hour(), 0, 0, 0),
        };
        start.to_zoned(TimeZone::UTC).map_or(time, |zoned| zoned.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_time_start_where_the_calendar_says() {
        let time: Timestamp = "2026-03-04T15:16:17.000018Z".parse().unwrap();
        let starts = [Bucket::Year, Bucket::Month, Bucket::Week, Bucket::Day, Bucket::Hour]
            .map(|bucket| bucket.start(time).to_string());
        assert_eq!(
            starts,
            [
                "2026-01-01T00:00:00Z",
                "2026-03-01T00:00:00Z",
                "2026-03-02T00:00:00Z",
                "2026-03-04T00:00:00Z",
                "2026-03-04T15:00:00Z"
            ]
        );
    }
}
