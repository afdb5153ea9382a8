//! Filling tables while the store serves.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use corella_manifest::EntityName;

use crate::{
    schema::{self, Fill, FillError, FillStep, Pass},
    store::Inner,
};

/// How long to wait before a table that could not be filled is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The work of one manifest: it ends with the store, or with the next manifest.
struct Background {
    store: Arc<Inner>,
    generation: u64,
}

#[async_trait]
impl Fill for Background {
    async fn pass(&self) -> Option<Pass<'_>> {
        let serving = self.store.serving.read().await;
        let goes_on =
            !self.store.closing.is_cancelled() && self.store.model.load().generation == self.generation;
        goes_on.then_some(Pass(Some(serving)))
    }
}

impl Inner {
    /// Fills these tables, one after the other, in the background.
    pub(crate) fn fill_in_background(self: &Arc<Self>, entities: Vec<EntityName>) {
        if entities.is_empty() {
            return;
        }
        let (store, generation) = (Arc::clone(self), self.model.load().generation);
        self.tasks.spawn(async move {
            let work = Background { store: Arc::clone(&store), generation };
            for entity in &entities {
                while !store.fill(entity, &work).await {
                    tokio::select! {
                        () = tokio::time::sleep(TRY_AGAIN) => {}
                        () = store.closing.cancelled() => return,
                    }
                }
            }
        });
    }

    /// Fills one table; says whether nothing is left to do.
    async fn fill(&self, entity: &EntityName, work: &Background) -> bool {
        let Ok(model) = self.entity(entity.as_str()) else { return true };
        let mut on = |step: FillStep| match step {
            FillStep::Started { entity, rows } => {
                tracing::info!(%entity, rows, "the table is being filled from its documents");
                self.filling.expect(&entity, rows);
            }
            FillStep::Rows { entity, done } => self.filling.advance(&entity, done),
            FillStep::Told(row) => tracing::warn!(row = %row.key, "{}", row.what),
            FillStep::Done { entity, rows } => {
                tracing::info!(%entity, rows, "the table was filled again from its documents");
            }
        };
        match schema::fill(&*self.backend, &model, work, &mut on).await {
            Ok(report) => {
                for clash in report.clashes {
                    tracing::error!(%entity, "an index is left out: {clash}");
                }
                self.filling.end(entity);
                true
            }
            Err(FillError::Stopped) => true,
            Err(FillError::Backend(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(%entity, error, "the table could not be filled, it will be tried again");
                false
            }
        }
    }
}
