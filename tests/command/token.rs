//! `corella token`.

use std::fs;

use corella_testkit::{Installation, SAMPLE};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_made_before_the_server_ever_ran_is_good() {
    let installation = Installation::new(SAMPLE);
    let token = installation.token("ada").await;
    let server = installation.serve().await;
    server.http(&token).get("/api/entities/Note").await.expect(200);
    // The secret is nobody else's to read, and stays.
    let secret = installation.data().join("jwt.secret");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = fs::read(&secret).unwrap();
    server.stop().await;
    let server = installation.serve().await;
    assert_eq!(fs::read(&secret).unwrap(), before);
    server.http(&token).get("/api/entities/Note").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_installation_is_not() {
    let foreign = Installation::new(SAMPLE).token("ada").await;
    let server = Installation::new(SAMPLE);
    let server = server.serve().await;
    assert_eq!(server.http(&foreign).get("/api/entities/Note").await.problem(), "401 unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flag_is_taken() {
    let installation = Installation::new(SAMPLE);
    let arguments =
        ["token", "--user", "ada", "--role", "editor", "--role", "reader", "--admin", "--ttl", "30d"];
    let finished = installation.run(&arguments).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.stdout.trim().split('.').count(), 3, "{}", finished.stdout);
}
