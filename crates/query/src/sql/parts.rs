//! The rows that an answer's rows bring with them, as one statement for each part.

use corella_manifest::Value;

use super::{order_by, writer::Writer};
use crate::{Column, Include, Query};

/// To which rows a part belongs.
#[derive(Debug, Clone, Copy)]
pub enum PartOf<'a> {
    /// Those of a page of the query.
    Page(&'a Query),
    /// Those with one of these values.
    Keys(&'a [Value]),
}

/// The columns that a statement shows.
#[derive(Clone, Copy)]
enum Shown<'a> {
    /// All of the entity's.
    Row(&'a Query),
    One(&'a Column),
}

/// Writes the last part of `chain`, with one row more than `most` when there are more.
pub(super) fn part(writer: &mut Writer, of: PartOf<'_>, chain: &[&Include], most: u32) {
    let Some((include, before)) = chain.split_last() else { return };
    rows(writer, Shown::Row(&include.query), of, include, before);
    order_by(writer, &include.query);
    writer.push(" LIMIT ");
    writer.value(Value::Int(i64::from(most) + 1));
}

fn rows(writer: &mut Writer, shown: Shown<'_>, of: PartOf<'_>, include: &Include, before: &[&Include]) {
    show(writer, shown);
    if !include.query.is_limited() {
        return condition(writer, of, include, before);
    }
    let depth = writer.depth();
    writer.push(" FROM (");
    writer.nested(|writer| {
        writer.push("SELECT ");
        writer.alias(writer.depth());
        writer.push(".*, ROW_NUMBER() OVER (PARTITION BY ");
        writer.column(&include.tie.theirs);
        order_by(writer, &include.query);
        writer.push(") AS corella_place");
        condition(writer, of, include, before);
    });
    writer.push(") AS ");
    writer.alias(depth);
    writer.push(" WHERE ");
    writer.fixed("corella_place");
    writer.push(" <= ");
    writer.value(Value::Int(i64::from(include.query.limit().get())));
}

/// The rows that belong to those of `of`, from the table on.
fn condition(writer: &mut Writer, of: PartOf<'_>, include: &Include, before: &[&Include]) {
    writer.rows_of(&include.query);
    writer.push(" AND ");
    writer.column(&include.tie.theirs);
    writer.push(" IN (");
    match (before.split_last(), of) {
        (Some((last, before)), of) => {
            writer.nested(|writer| rows(writer, Shown::One(&include.tie.own), of, last, before));
        }
        (None, PartOf::Page(query)) => writer.nested(|writer| {
            writer.look_for_words(query);
            show(writer, Shown::One(&include.tie.own));
            writer.rows_of(query);
            if let Some(cursor) = query.after() {
                writer.push(" AND ");
                writer.keyset(query.order(), cursor.values());
            }
            order_by(writer, query);
            writer.push(" LIMIT ");
            writer.value(Value::Int(i64::from(query.limit().get())));
        }),
        (None, PartOf::Keys([])) => writer.push("NULL"),
        (None, PartOf::Keys(keys)) => {
            for (at, key) in keys.iter().enumerate() {
                if at > 0 {
                    writer.push(", ");
                }
                writer.value(key.clone());
            }
        }
    }
    writer.push(")");
}

fn show(writer: &mut Writer, shown: Shown<'_>) {
    writer.push("SELECT ");
    match shown {
        Shown::One(column) => writer.column(column),
        Shown::Row(query) => super::columns(writer, query),
    }
}
