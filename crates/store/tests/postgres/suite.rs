//! The acceptance suite of backends.

use std::sync::Arc;

use corella_store::postgres::{PostgresBackend, PostgresOptions};
use corella_testkit::{
    StartedPostgres,
    backend_suite::{self, Subject},
};

async fn open() -> Subject {
    let server = StartedPostgres::shared();
    let database = server.database();
    let address = server.address(&database).parse().expect("the address is right");
    let backend = PostgresBackend::open(&address, PostgresOptions::default())
        .await
        .expect("an empty database can be opened");
    Subject {
        backend: Arc::new(backend),
        damage: Box::new(move |key| {
            let sql = format!(
                "WITH harmed AS (UPDATE corella_tail SET delta = decode(repeat('00', length(delta)), 'hex') \
                 WHERE tenant = '{}' AND entity = '{}' AND row_id = '{}' RETURNING 1) SELECT count(*) FROM harmed",
                key.tenant.as_str(),
                key.entity,
                key.id.as_str()
            );
            let harmed = server.sql(&database, &sql);
            assert_ne!(harmed, "0", "{key} has no tail to harm");
            Box::pin(async {})
        }),
        keep: Box::new(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite_of_backends() {
    backend_suite::run(open).await;
}
