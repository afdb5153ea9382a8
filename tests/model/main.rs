//! Every kind of field under concurrency, through a started server: people on sockets, one over HTTP, and one whose
//! updates come late, twice and out of order. It ends the same everywhere, and as a model of the kinds says.
#![cfg(test)]

mod acts;
mod edges;

use corella_manifest::Manifest;
use corella_rowdoc::{PeerId, RowDoc, RowShape, Version};
use corella_testkit::{Database, Http, KINDS, Peer, Random, Stage, on_both};
use loro::{ExportMode, LoroDoc};
use serde_json::{Value as Json, json};

use self::acts::{Model, act, request};

const ITEM: &str = "/api/entities/Item/i1";
const ROOM: &str = "Item/i1";
/// Acts in one run; they take a few seconds.
const ACTS: usize = 120;

on_both!(everybody_ends_with_the_same);

async fn everybody_ends_with_the_same(database: Database) {
    let mut random = Random::new();
    println!("CORELLA_SEED={}", random.seed());
    let stage = Stage::on(database, KINDS).await;
    let ada = stage.ada();
    ada.post("/api/entities/Item", json!({ "id": "i1", "title": "start" })).await.expect(201);
    let mut peers = Vec::new();
    for _ in 0..random.within(2..5) {
        let peer = stage.connect().await;
        peer.join(ROOM).await;
        peers.push(peer);
    }
    peers[0].until(ROOM, "the row", |doc| corella_testkit::row::read(doc, "title") == "start").await;
    let away = LoroDoc::new();
    away.import(&peers[0].doc(ROOM).export(ExportMode::all_updates()).unwrap()).unwrap();
    let mut late = Vec::new();
    let mut model = Model::default();
    let mut waiting = Vec::new();
    for _ in 0..ACTS {
        match random.within(0..6) {
            0 => {
                let body = request(&mut random, &mut model, &ada.get(ITEM).await.expect(200)["row"]);
                ada.patch(ITEM, body).await.expect(200);
            }
            1 => {
                let before = away.oplog_vv();
                act(&away, &mut random, &mut model);
                away.commit();
                late.push(away.export(ExportMode::updates(&before)).unwrap());
            }
            _ => {
                let peer = &peers[usize::try_from(random.within(0..peers.len() as u64)).unwrap()];
                waiting.push((peer, peer.edit(ROOM, |doc| act(doc, &mut random, &mut model)).await));
            }
        }
    }
    for (peer, batch) in waiting {
        assert_eq!(peer.acked(batch).await, corella_wire::AckStatus::Ok);
    }
    deliver(&ada, &mut random, late).await;
    agree(&stage, &peers, &model).await;

    // The same after a crash: what is stored says the same as what was in memory.
    let before = ada.get(ITEM).await.expect(200)["row"].clone();
    let stage = stage.crash().await;
    assert_eq!(stage.ada().get(ITEM).await.expect(200)["row"], before);
    assert_eq!(stage.installation.check_clean().await, 1);
}

/// Brings updates in any order, some of them twice, until none waits for another one.
async fn deliver(http: &Http, random: &mut Random, mut late: Vec<Vec<u8>>) {
    while !late.is_empty() {
        let mut later = Vec::new();
        let before = late.len();
        while !late.is_empty() {
            let place = usize::try_from(random.within(0..late.len() as u64)).unwrap();
            let update = late.swap_remove(place);
            let mut times = 1 + random.within(0..2);
            while times > 0 {
                let answer =
                    http.send("POST".parse().unwrap(), &format!("{ITEM}/doc"), &[], update.clone()).await;
                match answer.status.as_u16() {
                    200 => times -= 1,
                    _ => {
                        assert_eq!(answer.problem(), "409 missing_dependencies");
                        later.push(update.clone());
                        break;
                    }
                }
            }
        }
        assert!(later.len() < before, "updates that the server never takes");
        late = later;
    }
}

/// All peers, the row's document on the server, its line in the table and the model say the same.
async fn agree(stage: &Stage, peers: &[Peer], model: &Model) {
    let ada = stage.ada();
    let bytes = ada.get(&format!("{ITEM}/doc")).await;
    assert_eq!(bytes.status.as_u16(), 200);
    let server = LoroDoc::new();
    server.import(&bytes.body).unwrap();
    for peer in peers {
        peer.until(ROOM, "all that the server has", |doc| doc.oplog_vv() == server.oplog_vv()).await;
        assert_eq!(peer.doc(ROOM).get_deep_value(), server.get_deep_value());
    }
    let manifest = Manifest::parse(KINDS).unwrap().manifest;
    let shape = RowShape::new(manifest.entity("Item").unwrap()).unwrap();
    let direct = RowDoc::load(shape.into(), PeerId(9), Some(&bytes.body), &[] as &[Vec<u8>]).unwrap();
    assert_eq!(direct.version(), Version::decode(&server.oplog_vv().encode()).unwrap());
    let mut row = ada.get(ITEM).await.expect(200)["row"].clone();
    row.as_object_mut().unwrap().remove("id");
    assert_eq!(row, Json::Object(direct.to_json().unwrap()), "the table and the document");
    model.check(&row);
}
