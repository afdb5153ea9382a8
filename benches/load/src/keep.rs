//! What is still there after a power cut.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::{
    client,
    server::{Home, Kind},
    track::Track,
};

/// How many edits are made.
pub(crate) const EDITS: usize = 500;

/// How many of the edits that everybody had seen are found when a server is killed this long after the last one, and
/// started again.
pub(crate) async fn found(kind: Kind, after: Duration) -> usize {
    let home = Home::new(kind);
    let server = home.start(kind).await;
    let document = kind.document(0);
    let beginning = kind.language().beginning(&document, 1_000);
    let url = server.url(&document);
    let mut reader = beginning.reader();
    let (mut sender, mut receiver, _) = client::enter(&url, &mut *reader).await;
    let (mut speech, (_, mut pen)) = (beginning.reader(), beginning.writer(1));
    let (mut writing, mut answers, _) = client::enter(&url, &mut *speech).await;
    writing.send(beginning.fill().0).await;
    tokio::spawn(async move {
        // What it is told is read, so that the server is not held up.
        while let Some(frame) = answers.next().await {
            drop(speech.hear(frame));
        }
    });
    let track = Track::default();
    let mut ticks = interval(Duration::from_millis(2));
    for _ in 0..EDITS {
        ticks.tick().await;
        let (frames, end) = pen.write();
        track.sends(end);
        writing.send(frames).await;
    }
    let seen = async {
        loop {
            let heard = reader.hear(receiver.next().await.expect("the server lives"));
            sender.send(heard.answer).await;
            if heard.reached.iter().any(|(writer, end)| *writer == 1 && track.reached(*end) == EDITS) {
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), seen).await.expect("every edit reaches the reader");
    tokio::time::sleep(after).await;
    server.kill().await;

    let server = home.start(kind).await;
    let mut found = 0;
    if kind != Kind::Relay {
        let mut reader = beginning.reader();
        let (mut sender, mut receiver, mut heard) = client::enter(&server.url(&document), &mut *reader).await;
        loop {
            let ends = heard.reached.iter().filter(|(writer, _)| *writer == 1);
            found = ends.map(|(_, end)| track.reached(*end)).max().unwrap_or_default().max(found);
            // A server that has nothing says nothing more.
            let Ok(Some(frame)) = timeout(Duration::from_secs(2), receiver.next()).await else { break };
            heard = reader.hear(frame);
            sender.send(std::mem::take(&mut heard.answer)).await;
        }
    }
    server.kill().await;
    found
}
