//! How long one hostile connection, whatever it sends, keeps another one waiting.

use std::time::{Duration, Instant};

use corella_testkit::{Harm, SAMPLE, Stage, row::append};
use corella_wire::AckStatus;

use super::{Besiegers, Figures, room};

/// How long each kind of harm is done.
const SPAN: Duration = Duration::from_secs(4);
/// How long after one edit the next is due.
const EVERY: Duration = Duration::from_millis(10);

pub(super) async fn measure() {
    println!(
        "one editor, an edit every {} ms, in a row of its own, and in one that is attacked",
        EVERY.as_millis()
    );
    println!(
        "| one hostile connection | inputs | own row: p50 | longest, ms | attacked row: p50 | longest, ms |"
    );
    println!("|---|---|---|---|---|---|");
    let kinds = std::iter::once(None).chain(Harm::ALL.into_iter().map(Some));
    for harm in kinds {
        let stage = Stage::new(SAMPLE).await;
        let besiegers = match harm {
            Some(harm) => Some(Besiegers::begin(&stage, [harm]).await),
            None => None,
        };
        let attacked = room(0);
        let (own, attacked) = tokio::join!(edit(&stage, "Note/quiet"), edit(&stage, &attacked));
        let inputs = match besiegers {
            Some(besiegers) => besiegers.end().await,
            None => 0,
        };
        let name = harm.map_or_else(|| "none".to_owned(), |harm| format!("{harm:?}"));
        println!(
            "| {name} | {inputs} | {:.1} | {:.1} | {:.1} | {:.1} |",
            own.median, own.longest, attacked.median, attacked.longest
        );
    }
}

async fn edit(stage: &Stage, room: &str) -> Figures {
    let peer = stage.connect().await;
    peer.join(room).await;
    let mut times = Vec::new();
    let start = Instant::now();
    let mut due = start;
    while start.elapsed() < SPAN {
        tokio::time::sleep_until(due.into()).await;
        assert_eq!(peer.change(room, |doc| append(doc, "body", "w ")).await, AckStatus::Ok);
        times.push(due.elapsed());
        due += EVERY;
    }
    Figures::of(times)
}
