//! A live query as its caller may follow it.

use std::sync::Arc;

use corella_live::{Interest, NewSubscription, Outbox};
use corella_query::Query;
use corella_store::Restricted;
use corella_wire::{ErrorCode, control::Since};

use crate::{App, Failure, Principal};

/// What a connection wants to follow.
pub(crate) struct Wanted {
    /// What messages about the answer name.
    pub(crate) reference: String,
    pub(crate) query: Query,
    /// Which changes of its rows are told; of documents only where the caller may have them whole.
    pub(crate) interest: Interest,
    /// The answer that the client has already.
    pub(crate) since: Option<Since>,
}

/// Lets a connection follow the answer to a query, as far as `principal` may see it.
///
/// # Errors
/// When the policies cannot be said as a condition, by which live queries are kept true.
pub(crate) fn follow(
    app: &App,
    principal: &Principal,
    outbox: &Arc<Outbox>,
    Wanted { reference, query, interest, since }: Wanted,
) -> Result<(), Failure> {
    let interest = match interest {
        Interest::Documents if query.aggregation().is_some() => {
            let detail =
                "expected documents where the answer is rows, found an aggregate, whose rows are groups";
            return Err(Failure::new(ErrorCode::InvalidQuery, detail));
        }
        // That something has changed in a field is not for those who may not see it.
        Interest::Documents if !app.store.guarded_fields(query.entity(), &principal.access())?.is_empty() => {
            Interest::Columns
        }
        interest @ (Interest::Documents | Interest::Columns) => interest,
    };
    let Restricted { query, .. } = restricted(app, principal, query)?;
    app.hub.queries().subscribe(NewSubscription {
        outbox: Arc::clone(outbox),
        reference,
        tenant: principal.tenant.clone(),
        query,
        interest,
        since,
    });
    Ok(())
}

/// The query as `principal` may ask it where rows are not asked about one by one.
///
/// # Errors
/// When the policies cannot be said as a condition.
pub(crate) fn restricted(app: &App, principal: &Principal, query: Query) -> Result<Restricted, Failure> {
    let access = principal.access();
    // Whether a field may be seen can differ from row to row, and change without the row.
    let guarded = app.store.guarded_fields(query.entity(), &access)?;
    let restricted = app.store.restrict(&access, query.without_fields(&guarded))?;
    if restricted.asks_rows {
        let detail = format!(
            "the policies of {} cannot be said as a condition for you, as live queries and aggregates need: ask for a list \
             instead, or tie `exists` to one field of the row",
            restricted.query.entity()
        );
        return Err(Failure::new(ErrorCode::Forbidden, detail));
    }
    Ok(restricted)
}
