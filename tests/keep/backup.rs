//! Backups beside a server that writes.

use std::{fs, sync::Arc};

use corella_testkit::{Installation, SAMPLE, Stage};
use serde_json::json;
use tokio::sync::watch;

use crate::{database, done, file};

const NOTES: &str = "/api/entities/Note";

#[tokio::test(flavor = "multi_thread")]
async fn has_all_rows_as_of_one_moment() {
    let stage = Stage::with(SAMPLE, &["--durability", "relaxed"]).await;
    let ada = stage.ada();
    for id in ["a", "b"] {
        ada.post(NOTES, json!({ "id": id, "title": id, "stars": 0 })).await.expect(201);
    }
    // Other rows between them, so that a reading takes its time.
    for number in 0..300 {
        ada.post(NOTES, json!({ "id": format!("ab{number}"), "title": "between" })).await.expect(201);
    }
    // First `a`, then `b`, always to the same number: at every moment `a` is `b`, or one ahead.
    let (stop, stopped) = watch::channel(false);
    let written = Arc::new(watch::Sender::new(0_i64));
    let count = Arc::clone(&written);
    let writer = tokio::spawn(async move {
        let mut number = 0;
        while !*stopped.borrow() {
            number += 1;
            for id in ["a", "b"] {
                ada.patch(&format!("{NOTES}/{id}"), json!({ "stars": number })).await.expect(200);
            }
            count.send_replace(number);
        }
    });
    let mut heard = written.subscribe();
    let mut seen = Vec::new();
    for round in 0..4 {
        let from = *heard.borrow();
        heard.wait_for(|number| *number > from + 3).await.unwrap();
        let backup = file(&stage.installation, &format!("backup{round}.zst"));
        done(&stage.installation, &["backup", &backup]).await;

        let other = Installation::new(SAMPLE);
        done(&other, &["restore", &backup]).await;
        assert_eq!(other.check_clean().await, 302);
        let stars = |id: &str| -> i64 {
            let sql = "select stars from Note where id = ?1";
            database(&other).query_row(sql, [id], |row| row.get(0)).unwrap()
        };
        let (a, b) = (stars("a"), stars("b"));
        assert!(a == b || a == b + 1, "a is {a} and b is {b}: not of one moment");
        assert!(b >= from, "what was acknowledged before the backup is in it");
        seen.push(b);
    }
    assert!(seen.is_sorted_by(|before, after| before < after), "the writer went on: {seen:?}");
    stop.send_replace(true);
    writer.await.unwrap();
    let parts = fs::read_dir(stage.installation.folder()).unwrap();
    let parts = parts.filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "part"))
    });
    assert_eq!(parts.count(), 0, "drafts are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_fails_leaves_the_last_one_as_it_was() {
    let stage = Stage::new(SAMPLE).await;
    stage.ada().post(NOTES, json!({ "title": "t" })).await.expect(201);
    let backup = file(&stage.installation, "backup.ndjson");
    done(&stage.installation, &["backup", &backup]).await;
    let before = fs::read(&backup).unwrap();
    let nowhere = file(&stage.installation, "nowhere/backup.zst");
    let finished = stage.installation.run(&["backup", &nowhere]).await;
    assert_eq!(finished.code, Some(6), "{finished:?}");
    // The standard output may be full, too.
    let mut command = stage.installation.command(["backup", "-"]);
    command
        .env("CORELLA_MANIFEST", stage.installation.manifest())
        .env("CORELLA_DATA", stage.installation.data());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = command.stdout(full).status().await.unwrap();
    assert_eq!(status.code(), Some(6));
    assert_eq!(fs::read(&backup).unwrap(), before);
    assert!(String::from_utf8(before).unwrap().starts_with("{\"kind\":\"header\""), "it is not compressed");
}
