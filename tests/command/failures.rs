//! What keeps a command from its work: one plain message and an exit code.

use corella_testkit::{Finished, Installation, NOTES, SAMPLE};
use tokio::net::TcpListener;

/// The exit code and the message, the temporary folder called `DIR`.
fn told(installation: &Installation, Finished { code, stdout, stderr }: Finished) -> String {
    assert_eq!(stdout, "", "a failure is not printed to the standard output");
    for noise in ["panicked", "RUST_BACKTRACE", "stack backtrace", "Error {", "Some("] {
        assert!(!stderr.contains(noise), "{noise} in the message:\n{stderr}");
    }
    let folder = installation.folder().to_str().expect("a path in UTF-8");
    format!("exit code {}\n{}", code.unwrap_or(-1), stderr.replace(folder, "DIR"))
}

/// What `corella serve` with this manifest ends with.
async fn check(manifest: &str) -> String {
    let installation = Installation::new(manifest);
    let finished = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    told(&installation, finished)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let installation = Installation::new(NOTES);
    let finished = installation.run(&["serve", "--listen", &address]).await;
    let told = told(&installation, finished).replace(&address, "ADDRESS");
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_a_file() {
    let installation = Installation::new(NOTES);
    std::fs::write(installation.data(), "a file").unwrap();
    let finished = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    insta::assert_snapshot!(told(&installation, finished));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_none() {
    let installation = Installation::new(NOTES);
    std::fs::create_dir(installation.data()).unwrap();
    std::fs::write(installation.database(), "not a database, but long enough to be taken for one".repeat(40))
        .unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"]] {
        let finished = installation.run(command).await;
        insta::assert_snapshot!(
            format!("a_database_that_is_none_{}", command[0]),
            told(&installation, finished)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_in_use() {
    let installation = Installation::new(NOTES);
    let server = installation.serve().await;
    let finished = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    insta::assert_snapshot!(told(&installation, finished));
    // The one that was there first serves on, and a check may run beside it.
    assert_eq!(server.stranger().get("/ready").await.status, 200);
    installation.check_clean().await;
    server.kill().await;
    // A crash leaves no lock behind.
    installation.serve().await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_check() {
    let installation = Installation::new(NOTES);
    let finished = installation.check().await;
    insta::assert_snapshot!(told(&installation, finished));
    assert!(!installation.data().exists(), "a check makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database() {
    let installation = Installation::new(NOTES);
    installation.serve().await.stop().await;
    let database = rusqlite::Connection::open(installation.database()).unwrap();
    database.pragma_update(None, "user_version", 1_000).unwrap();
    drop(database);
    let finished = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    let told = told(&installation, finished);
    let known =
        told.split("knows ").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default().to_owned();
    insta::assert_snapshot!(told.replace(&format!("knows {known}"), "knows N"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_too_short() {
    let installation = Installation::new(NOTES);
    let mut command = installation.command(["token", "--user", "ada", "--data"]);
    command.arg(installation.data()).env("CORELLA_JWT_SECRET", "too short");
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let finished =
        Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
    insta::assert_snapshot!(told(&installation, finished));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_not_there() {
    let installation = Installation::new(NOTES);
    std::fs::remove_file(installation.manifest()).unwrap();
    let finished = installation.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    insta::assert_snapshot!(told(&installation, finished));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_no_json() {
    insta::assert_snapshot!(check("{ \"name\": ").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_several_mistakes() {
    let manifest = r#"{
      "manifest_version": 1, "name": "app", "version": "1.0.0", "entitys": [],
      "entities": [
        { "name": "Note", "fields": [{ "name": "title", "type": "strin" }, { "name": "author", "type": "id(Usr)" }] },
        { "name": "User", "fields": [{ "name": "name", "type": "string" }, { "name": "name", "type": "bool" }],
          "indexes": [{ "name": "by_nam", "fields": ["nam"] }] }
      ]
    }"#;
    insta::assert_snapshot!(check(manifest).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_are_none() {
    let installation = Installation::new(SAMPLE);
    for arguments in [
        &["serve", "--listen", "nowhere"][..],
        &["serve", "--durability", "some"],
        &["serve", "--cache-bytes", "much"],
        &["token", "--user", "ada", "--ttl", "soon"],
        &["frobnicate"],
        &[],
    ] {
        let finished = installation.run(arguments).await;
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    }
    assert!(!installation.data().exists());
}
