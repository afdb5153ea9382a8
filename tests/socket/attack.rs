//! Honest editors at work while others do their worst.

use corella_testkit::{
    Harm, Peer, SAMPLE, Siege, Stage,
    row::{append, read},
};
use corella_wire::AckStatus;
use loro::LoroDoc;

const ROOMS: [&str; 4] = ["Note/r0", "Note/r1", "Note/r2", "Note/r3"];
const EDITORS: usize = 12;
const EDITS: usize = 15;

#[tokio::test(flavor = "multi_thread")]
async fn honest_editors_lose_nothing_and_agree() {
    let stage = Stage::with(SAMPLE, &["--updates-per-second", "400"]).await;
    let mut harms = Vec::new();
    for harm in Harm::ALL {
        harms.push((harm, stage.installation.token(&format!("mallory-{harm:?}")).await));
    }
    let siege = Siege::begin(stage.address(), &ROOMS, harms);

    let mut editors = Vec::new();
    for number in 0..EDITORS {
        let peer = stage.connect().await;
        let room = ROOMS[number % ROOMS.len()];
        peer.join(room).await;
        editors.push(tokio::spawn(async move {
            for edit in 0..EDITS {
                let word = format!("e{number}x{edit} ");
                assert_eq!(
                    peer.change(room, |doc| append(doc, "body", &word)).await,
                    AckStatus::Ok,
                    "{word}"
                );
            }
            (peer, room, number)
        }));
    }
    let mut honest = Vec::new();
    for editor in editors {
        honest.push(editor.await.expect("an honest editor is never refused"));
    }
    for harm in Harm::ALL {
        // Who is cut off comes back, and goes on.
        siege.until(harm, 64).await;
    }
    drop(siege);

    for (peer, room, number) in &honest {
        let of_room: Vec<&Peer> =
            honest.iter().filter(|(_, other, _)| other == room).map(|(peer, _, _)| peer).collect();
        let words: Vec<String> = (0..EDITS).map(|edit| format!("e{number}x{edit} ")).collect();
        for other in of_room {
            let has_all = |doc: &LoroDoc| {
                words.iter().all(|word| read(doc, "body").matches(word.as_str()).count() == 1)
            };
            other.until(room, "every word of the others", has_all).await;
        }
        // The connection was never closed: it still answers.
        peer.ping().await;
    }
    let id = |room: &str| room.trim_start_matches("Note/").to_owned();
    for room in ROOMS {
        let (peer, ..) = honest.iter().find(|(_, other, _)| *other == room).expect("each room has editors");
        let row = stage.ada().get(&format!("/api/entities/Note/{}", id(room))).await.expect(200);
        assert_eq!(row["row"]["body"], read(&peer.doc(room), "body"));
    }
    stage.installation.check_clean().await;
}
