//! What `--help` says.

use corella_testkit::{Installation, NOTES};

async fn check(arguments: &[&str]) -> String {
    let finished = Installation::new(NOTES).run(arguments).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    // The settings of the test's own environment are shown as they are; they are no part of the text.
    let shown = |line: &str| {
        let line = line.trim_end();
        match line.find("[env: ") {
            Some(at) => match line[at..].find('=') {
                Some(equals) => format!("{}=]", &line[..at + equals]),
                None => line.to_owned(),
            },
            None => line.to_owned(),
        }
    };
    finished.stdout.lines().map(shown).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_binary() {
    insta::assert_snapshot!(check(&["--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_serve() {
    insta::assert_snapshot!(check(&["serve", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_dev() {
    insta::assert_snapshot!(check(&["dev", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_token() {
    insta::assert_snapshot!(check(&["token", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_check() {
    insta::assert_snapshot!(check(&["check", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_keeps_and_moves_data() {
    for command in ["backup", "restore", "export", "import", "repair"] {
        insta::assert_snapshot!(format!("of_{command}"), check(&[command, "--help"]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_migrate() {
    insta::assert_snapshot!(check(&["migrate", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_migrate_plan() {
    insta::assert_snapshot!(check(&["migrate", "plan", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_migrate_apply() {
    insta::assert_snapshot!(check(&["migrate", "apply", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_reproject() {
    insta::assert_snapshot!(check(&["reproject", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_codegen() {
    insta::assert_snapshot!(check(&["codegen", "--help"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_user() {
    insta::assert_snapshot!(check(&["user", "--help"]).await);
}
