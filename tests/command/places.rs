//! Where the rows are: one place, and no word of its password.

use corella_testkit::{Database, Finished, Installation, NOTES};

const PASSWORD: &str = "opensesame";

/// Runs `corella check` with these variables, and gives what it said; it has to fail with the code 4.
async fn check(installation: &Installation, variables: &[(&str, &str)]) -> String {
    let mut command = installation.command(["check", "--manifest"]);
    command.arg(installation.manifest()).envs(variables.iter().copied());
    let output = command.output().await.expect("the binary can be run");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("the binary writes text");
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_has_to_be_given() {
    let installation = Installation::new(NOTES);
    let said = check(&installation, &[]).await;
    assert!(said.contains("expected a place for the rows, found none"), "{said}");
    let both = [("CORELLA_DATA", "data"), ("CORELLA_DATABASE", "postgres://u:opensesame@127.0.0.1/x")];
    let said = check(&installation, &both).await;
    assert!(said.contains("expected one place for the rows, found two"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_is_repeated_with_its_password() {
    let installation = Installation::new(NOTES);
    for (address, expected) in [
        ("mysql://u:opensesame@127.0.0.1/x", "it does not start with postgres://"),
        ("postgres://u:opensesame@127.0.0.1", "the database's name is missing"),
        ("postgres://u:opensesame@127.0.0.1:port/x", "no user, host, port, name or setting"),
        ("postgres://u:opensesame@127.0.0.1:1/x", "the database x at 127.0.0.1:1 cannot be opened"),
    ] {
        let said = check(&installation, &[("CORELLA_DATABASE", address)]).await;
        assert!(said.contains(expected), "{address}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_rows_has_nothing_to_check() {
    let installation = Installation::on(Database::Postgres, NOTES);
    let Finished { code, stderr, .. } = installation.check().await;
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("no rows of Corella's yet"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_keeps_no_secret() {
    let installation = Installation::on(Database::Postgres, NOTES);
    let mut command = installation.command(["token", "--user", "ada"]);
    let output = command.env_remove("CORELLA_JWT_SECRET").output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("CORELLA_JWT_SECRET: expected a secret"), "{said}");
}
