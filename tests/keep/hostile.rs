//! Files from elsewhere whose blobs end the process that decodes them.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use corella_testkit::{Installation, SAMPLE, deadly_update};
use serde_json::{Value as Json, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::{done, file};

fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

/// The file with other bytes in the place of the first delta, and with every checksum as it has to be.
fn with_delta(file: &str, delta: &[u8]) -> String {
    let mut text = String::new();
    for line in file.lines() {
        let json: Json = serde_json::from_str(line).expect("a line of JSON");
        let (body, _) = line.rsplit_once(",\"checksum\":\"").expect("each line has its checksum");
        let quoted = |text: &Json| format!("\"{}\"", text.as_str().expect("a text"));
        let body = match json["kind"].as_str() {
            Some("row") => {
                let entry = &json["tail"][0];
                body.replace(&quoted(&entry["bytes"]), &format!("\"{}\"", BASE64.encode(delta)))
                    .replace(&quoted(&entry["xxh3"]), &format!("\"{}\"", hash(delta)))
            }
            Some("end") => body.replace(&quoted(&json["lines"]), &format!("\"{}\"", hash(text.as_bytes()))),
            _ => body.to_owned(),
        };
        text += &format!("{body},\"checksum\":\"{}\"}}\n", hash(body.as_bytes()));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_outlives_them() {
    let from = Installation::new(SAMPLE);
    let token = from.token("ada").await;
    let server = from.serve().await;
    server.http(&token).post("/api/entities/Note", json!({ "id": "n1", "title": "t" })).await.expect(201);
    server.stop().await;
    let export = file(&from, "rows.ndjson");
    done(&from, &["export", &export]).await;
    let exported = fs::read_to_string(&export).expect("the file is there");

    let to = Installation::new(SAMPLE);
    let path = file(&to, "rows.ndjson");
    // The tool is right about the checksums: what was exported comes in again when its own delta takes its own place.
    let delta = exported.lines().find_map(|line| {
        let json: Json = serde_json::from_str(line).expect("a line of JSON");
        json["tail"][0]["bytes"].as_str().map(|bytes| BASE64.decode(bytes).expect("base64"))
    });
    fs::write(&path, with_delta(&exported, &delta.expect("the row has a delta"))).unwrap();
    done(&to, &["import", &path]).await;

    fs::write(&path, with_delta(&exported, &deadly_update())).unwrap();
    let refused = to.run(&["import", &path]).await;
    assert!(refused.code.is_some_and(|code| code != 0), "it was ended, or took them: {refused:?}");
    assert!(refused.stderr.contains("Note/n1") && refused.stderr.contains("ends the process"), "{refused:?}");
    assert_eq!(to.check_clean().await, 1);
}
