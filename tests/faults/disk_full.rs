//! The disk is full: reads go on, writes are refused, and all is well once there is room.

use std::{fs, path::PathBuf, process::Command};

use corella_testkit::{Installation, SAMPLE};
use serde_json::json;

use crate::work::ROWS;

/// A file system of 2 MB at the data folder; taken away when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where mounting is not permitted: only root may.
    fn mount(installation: &Installation) -> Option<Self> {
        let folder = installation.data();
        fs::create_dir_all(&folder).expect("the data folder can be made");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&folder).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_and_writes_come_back() {
    let installation = Installation::new(SAMPLE);
    let Some(disk) = SmallDisk::mount(&installation) else {
        println!("mounting is not permitted here: run this test as root");
        return;
    };
    // What somebody can delete when the disk is full.
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![0; 700 << 10]).unwrap();
    let token = installation.token("ada").await;
    let server = installation.serve().await;
    let http = server.http(&token);
    let note = |id: &str| json!({ "id": id, "title": id, "body": id.repeat(4_000) });
    let mut stored = 0;
    let refused = loop {
        let answer = http.post(ROWS, note(&format!("n{stored:03}"))).await;
        if answer.status != 201 {
            break answer.problem();
        }
        stored += 1;
        assert!(stored < 500, "the disk does not get full");
    };
    assert_eq!(refused, "507 storage_full");
    assert!(stored > 3, "only {stored} rows fit");
    // Refused is refused: the row is not there, and whatever else is written gets the same answer.
    let missing = format!("{ROWS}/n{stored:03}");
    assert_eq!(http.get(&missing).await.problem(), "404 row_not_found");
    // A little room may be left for less than a whole note; it does not last.
    let mut body = "n000".repeat(4_000);
    let mut refusals = 0;
    for round in 0.. {
        let more = format!("{round} ").repeat(4_000);
        let answer = http.patch(&format!("{ROWS}/n000"), json!({ "body": more })).await;
        if answer.status == 200 {
            body = more;
            refusals = 0;
        } else {
            assert_eq!(answer.problem(), "507 storage_full");
            refusals += 1;
        }
        if refusals == 3 {
            break;
        }
        assert!(round < 500, "the disk does not stay full");
    }
    // Reads of tables and of documents go on.
    let rows = http.get(&format!("{ROWS}?limit=10000")).await.expect(200);
    assert_eq!(rows["rows"].as_array().map(Vec::len), Some(stored));
    assert_eq!(rows["rows"][0]["body"], body);
    assert_eq!(http.get(&format!("{ROWS}/n000")).await.expect(200)["row"]["body"], body);
    assert_eq!(http.get(&format!("{ROWS}/n001/doc")).await.status, 200);

    fs::remove_file(&ballast).unwrap();
    http.post(ROWS, note(&format!("n{stored:03}"))).await.expect(201);
    http.patch(&format!("{ROWS}/n000"), json!({ "title": "after" })).await.expect(200);
    assert_eq!(http.get(&format!("{ROWS}/n000")).await.expect(200)["row"]["title"], "after");
    server.kill().await;
    let server = installation.serve().await;
    assert_eq!(server.http(&token).get(&missing).await.expect(200)["row"]["title"], format!("n{stored:03}"));
    assert_eq!(installation.check_clean().await, stored as u64 + 1);
    server.stop().await;
    drop(disk);
}
