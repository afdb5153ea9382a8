//! `docs/accounts.md` says what works: its examples are run as they stand.

use std::process::Stdio;

use corella_testkit::{Database, within};
use tokio::process::Command;

use super::House;

/// The examples that are marked to be run.
fn examples() -> Vec<&'static str> {
    let page = include_str!("../../../docs/accounts.md");
    let blocks = page.split("<!-- run -->\n```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_work_as_they_stand() {
    let house = House::new(Database::Sqlite, &[]).await;
    let examples = examples();
    assert!(examples.len() >= 5, "the page has its examples");
    for example in examples {
        // The binary is found by its name, as whoever copies this has it.
        let script = format!("set -eu\ncorella() {{ \"$CORELLA_PATH\" \"$@\"; }}\n{example}");
        let mut command = Command::new("bash");
        command
            .args(["-o", "pipefail", "-c", &script])
            .current_dir(house.installation.folder())
            .env("CORELLA_PATH", corella_testkit::binary())
            .env("CORELLA_MANIFEST", house.installation.manifest())
            .env("CORELLA_DATA", house.installation.data())
            .env("URL", format!("http://{}", house.server.address()))
            .env_remove("CORELLA_DATABASE")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = within("the end of an example", command.output()).await.expect("there is bash");
        let told = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(ended.status.success(), "{example}\n{}\n{}", told[0], told[1]);
        assert!(!told[0].contains("\"code\""), "{example}\n{}", told[0]);
    }
}
