//! What every database behind the store has to do.
//!
//! A backend's own tests call [`run`] with a way to open a fresh database. The documents' bytes mean nothing to a
//! backend, so that the suite makes them up.

mod accounts;
mod changes;
mod commits;
mod damage;
mod folds;
mod keep;
mod late;
mod outcomes;
mod peers;
mod reads;
mod references;
mod related;
mod rows;
mod shapes;
mod uniqueness;
mod words;

use std::{any::Any, future::Future, sync::Arc};

use corella_rowdoc::RowKey;
use corella_store::port::Backend;
use futures_util::future::BoxFuture;

/// Spoils the stored bytes of one row behind the backend's back, leaving their checksum as it was.
pub type Damage = Box<dyn Fn(RowKey) -> BoxFuture<'static, ()> + Send + Sync>;

/// A fresh and empty database, which one case has to itself.
pub struct Subject {
    /// The backend over it.
    pub backend: Arc<dyn Backend>,
    /// Harms one row.
    pub damage: Damage,
    /// Whatever has to live as long as the database does, such as a temporary folder.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// Runs every case, each on a database of its own.
///
/// # Panics
/// When the backend does not do what the port says.
pub async fn run<F: Future<Output = Subject>>(open: impl Fn() -> F) {
    commits::an_empty_database_has_nothing(open().await).await;
    commits::a_write_is_loaded_as_it_was_committed(open().await).await;
    commits::units_of_one_commit_keep_their_order(open().await).await;
    commits::a_unit_is_written_whole_or_not_at_all(open().await).await;
    commits::a_stale_writer_is_told_what_it_has_not_seen(open().await).await;
    commits::tenants_are_apart(open().await).await;

    uniqueness::a_clash_names_the_holder_and_harms_no_neighbour(open().await).await;
    uniqueness::what_does_not_clash(open().await).await;
    uniqueness::a_clash_of_several_fields_names_them_all(open().await).await;

    related::rows_are_found_by_others_and_bring_them_along(open().await).await;

    words::rows_are_found_by_their_words(open().await).await;
    words::what_is_found_follows_the_lines(open().await).await;
    words::the_best_come_first(open().await).await;
    words::an_index_that_is_missing_is_told(open().await).await;
    words::what_is_searched_comes_and_goes(open().await).await;

    references::a_row_names_one_that_is_there(open().await).await;
    references::a_row_that_is_named_stays(open().await).await;
    references::a_unique_value_passes_within_a_unit(open().await).await;

    outcomes::an_answer_is_kept_with_its_commit(open().await).await;
    outcomes::a_used_key_halts_its_unit(open().await).await;

    peers::a_peer_id_is_its_first_users(open().await).await;

    accounts::an_account_is_its_tenants_and_found_by_its_names(open().await).await;
    accounts::a_session_ends_as_asked_and_is_told(open().await).await;
    accounts::accounts_are_dumped_without_their_sessions(open().await, open().await).await;

    folds::a_fold_takes_the_place_of_what_it_has(open().await).await;
    folds::a_mark_is_remembered_until_the_next(open().await).await;
    folds::an_older_fold_is_passed_over(open().await).await;
    folds::what_is_told_of_changes_outlives_their_bytes(open().await).await;

    reads::every_value_comes_back_as_it_went_in(open().await).await;
    reads::a_query_finds_orders_and_ends(open().await).await;
    reads::a_scan_goes_through_all_rows_in_pages(open().await).await;

    changes::the_log_has_every_change_in_order(open().await).await;
    changes::a_row_is_projected_again_unless_it_has_moved_on(open().await).await;

    late::a_late_line_stays_as_it_is_until_it_is_written(open().await).await;
    late::a_late_line_is_done_with_a_full_write(open().await).await;

    damage::harmed_bytes_are_told_and_neighbours_are_fine(open().await).await;

    keep::a_dump_has_everything_of_one_moment(open().await).await;
    keep::a_dump_is_not_moved_by_later_writes(open().await).await;
    keep::a_restore_is_what_was_dumped(open().await, open().await).await;
    keep::a_restore_spares_what_is_there(open().await, open().await).await;
    keep::a_mend_replaces_a_damaged_row(open().await).await;
    keep::lines_without_a_document_are_taken_out(open().await).await;

    shapes::a_new_column_is_filled_again(open().await).await;
    shapes::columns_that_go_or_change_their_type(open().await).await;
    shapes::a_rebuild_is_asked_for_until_it_is_done(open().await).await;
    shapes::entities_come_and_go(open().await).await;
    shapes::names_change_and_lines_stay(open().await).await;
    shapes::what_rows_forbid_is_refused_whole(open().await).await;
}
