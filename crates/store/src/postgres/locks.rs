//! The locks that the servers of one database share, as statements.
//!
//! They are PostgreSQL's advisory locks. Their keys are two numbers, the first of which says that they are Corella's.

/// Begins a transaction that commits rows, and waits until it is the only one: so changes are numbered in the order in
/// which they become visible, without gaps. It ends with the transaction.
pub(super) const BEGIN_COMMITTING: &str = "BEGIN; SELECT pg_advisory_xact_lock(1129271884, 1)";

/// Waits until no other server is starting; ends with the connection.
pub(super) const STARTING: &str = "SELECT pg_advisory_lock(1129271884, 2)";

/// The same, ending with the transaction.
pub(super) const STARTING_IN_TRANSACTION: &str = "SELECT pg_advisory_xact_lock(1129271884, 3)";

/// Begins a transaction that changes accounts, and waits until it is the only one: so changes of access are numbered in the
/// order in which they become visible.
pub(super) const BEGIN_ACCOUNTS: &str = "BEGIN; SELECT pg_advisory_xact_lock(1129271884, 4)";
