//! The answer to a query, once.

use corella_query::{Query, maintain::QueryId};
use corella_rowdoc::Tenant;
use corella_store::{Page, Store, port::Seq};
use serde_json::{Map, Value as Json};

use super::{
    answer::{Answer, Extent},
    image::Image,
    limits::LiveLimits,
    parts::Parts,
    registry::Refused,
};

/// The answer to a query at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct OneAnswer {
    /// Its rows or groups, in their order.
    pub rows: Vec<Map<String, Json>>,
    /// Where the next page starts, if there is one.
    pub cursor: Option<String>,
    /// The last change that it has in it.
    pub seq: Seq,
}

/// Answers a query once, the same as a subscriber is told it.
///
/// # Errors
/// [`Refused`] when it is made of too many rows, or they cannot be read.
pub async fn answer_once(store: &Store, tenant: &Tenant, query: &Query) -> Result<OneAnswer, Refused> {
    let most = LiveLimits::default().grouped_rows;
    let read =
        async |asked: &Query| store.select(tenant, asked).await.map_err(|error| Refused::unreadable(&error));
    if query.aggregation().is_none() {
        let Page { rows, cursor, parts: read, seq } = read(query).await?;
        let rows: Vec<Image> = rows.into_iter().filter_map(|row| Image::of_table(row, seq)).collect();
        let mut parts = Parts::of(query, store, &mut || QueryId(0));
        parts.learn_page(rows.iter(), read, seq);
        let rows = rows.iter().map(|row| parts.show(query, row)).collect();
        return Ok(OneAnswer { rows, cursor, seq });
    }
    let asked = query.clone().with_rows(u32::try_from(most).unwrap_or(u32::MAX - 1));
    let Page { rows, cursor, seq, .. } = read(&asked).await?;
    if cursor.is_some() {
        return Err(Refused::too_large(most));
    }
    let rows = rows.into_iter().filter_map(|row| Image::of_table(row, seq)).collect();
    let answer = Answer::new(query, Extent::All(most), rows, false);
    Ok(OneAnswer { rows: answer.rows(query, &Parts::default()), cursor: None, seq })
}
