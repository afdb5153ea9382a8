//! Somebody who follows queries and believes what is told.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use corella_live::{Hub, Interest, NewSubscription, Outbox, OutboxLimits, Work, answer_once};
use corella_query::Query;
use corella_rowdoc::Tenant;
use corella_store::{Access, Restricted, SourceId, Store, port::Seq};
use corella_testkit::within;
use corella_wire::ErrorCode;
use corella_wire::control::{
    AnswerChange, Changes, Difference, ErrorReply, PartChange, ServerMessage, Since, Snapshot, Upsert,
};
use serde_json::{Map, Value as Json, json};

use crate::house::{House, object};

pub(crate) type Row = Map<String, Json>;

/// An answer as it was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) query: Json,
    pub(crate) rows: Vec<Row>,
    pub(crate) seq: u64,
    pub(crate) epoch: String,
    /// Whole answers that came.
    pub(crate) snapshots: usize,
    /// Differences that came.
    pub(crate) differences: usize,
}

impl Answer {
    /// What somebody says who comes back with it.
    fn since(&self) -> Since {
        Since { epoch: self.epoch.clone(), seq: self.seq, ids: self.rows.iter().map(id).collect() }
    }
}

/// A connection that follows queries.
pub(crate) struct Follower {
    store: Store,
    hub: Arc<Hub>,
    tenant: Tenant,
    pub(crate) access: Access,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) answers: BTreeMap<String, Answer>,
    /// What came and was not asked for yet.
    pub(crate) errors: VecDeque<ErrorReply>,
    /// Answers that ended because another manifest is served.
    pub(crate) ended: BTreeMap<String, Answer>,
    /// All messages with changes.
    pub(crate) changes: Vec<Changes>,
    asked: u64,
}

impl Follower {
    pub(crate) fn new(house: &House, source: u64) -> Self {
        Self::with(house, source, OutboxLimits::default())
    }

    pub(crate) fn with(house: &House, source: u64, limits: OutboxLimits) -> Self {
        Self {
            store: house.store.clone(),
            hub: Arc::clone(&house.hub),
            tenant: house.tenant.clone(),
            access: Access::Everything,
            outbox: Arc::new(Outbox::new(SourceId(source), limits)),
            answers: BTreeMap::new(),
            errors: VecDeque::new(),
            ended: BTreeMap::new(),
            changes: Vec::new(),
            asked: 0,
        }
    }

    /// Follows a query without waiting for its answer.
    pub(crate) async fn subscribe(&mut self, reference: &str, query: &Json) {
        self.subscribe_since(reference, query, None).await;
        self.answers.insert(reference.to_owned(), Answer { query: query.clone(), ..Answer::default() });
    }

    /// Follows a query, if the manifest that is served can answer it; says whether it does.
    pub(crate) async fn try_subscribe(&mut self, reference: &str, query: &Json) -> bool {
        let can = self.try_restricted(query).is_some();
        if can {
            self.subscribe(reference, query).await;
        }
        can
    }

    /// Goes on with an answer that was kept, as far as that can be asked for.
    pub(crate) async fn resume(&mut self, reference: &str, kept: &Answer) {
        if self.try_restricted(&kept.query).is_some() {
            self.subscribe_since(reference, &kept.query, Some(kept.since())).await;
            let fresh = Answer { snapshots: 0, differences: 0, ..kept.clone() };
            self.answers.insert(reference.to_owned(), fresh);
        }
    }

    /// Follows a query and every change of its rows' documents; goes on with an answer that was kept.
    pub(crate) async fn subscribe_documents(&mut self, reference: &str, query: &Json, kept: Option<&Answer>) {
        self.subscribe_with(reference, query, Interest::Documents, kept.map(Answer::since)).await;
        let fresh = Answer { query: query.clone(), ..Answer::default() };
        let kept = kept.map(|kept| Answer { snapshots: 0, differences: 0, ..kept.clone() });
        self.answers.insert(reference.to_owned(), kept.unwrap_or(fresh));
    }

    async fn subscribe_since(&self, reference: &str, query: &Json, since: Option<Since>) {
        self.subscribe_with(reference, query, Interest::Columns, since).await;
    }

    async fn subscribe_with(&self, reference: &str, query: &Json, interest: Interest, since: Option<Since>) {
        let Restricted { query, asks_rows } = self.restricted(query);
        assert!(!asks_rows, "all policies can be said as conditions");
        self.hub.queries().subscribe(NewSubscription {
            outbox: Arc::clone(&self.outbox),
            reference: reference.to_owned(),
            tenant: self.tenant.clone(),
            query,
            interest,
            since,
        });
    }

    /// Comes back on another connection with what it had.
    pub(crate) async fn reconnect(&mut self, source: u64) {
        self.hub.queries().leave(self.outbox.source());
        self.outbox.close();
        self.outbox = Arc::new(Outbox::new(SourceId(source), OutboxLimits::default()));
        for (reference, answer) in &self.answers {
            self.subscribe_since(reference, &answer.query, Some(answer.since())).await;
        }
    }

    /// The query as this caller may ask it; nothing where the manifest cannot answer it live.
    fn try_restricted(&self, query: &Json) -> Option<Query> {
        let parsed = Query::read(&self.store.manifest(), query).ok()?;
        let restricted = self.store.restrict(&self.access, parsed).ok()?;
        (!restricted.asks_rows).then_some(restricted.query)
    }

    /// The query as this caller may ask it.
    fn restricted(&self, query: &Json) -> Restricted {
        let parsed = Query::read(&self.store.manifest(), query)
            .unwrap_or_else(|error| unreachable!("{query}: {error}"));
        self.store.restrict(&self.access, parsed).unwrap()
    }

    pub(crate) fn unsubscribe(&mut self, reference: &str) {
        self.hub.queries().unsubscribe(self.outbox.source(), reference);
        self.answers.remove(reference);
    }

    /// Waits until every answer has the change `seq` in it.
    pub(crate) async fn settle(&mut self, seq: i64) {
        self.asked += 1;
        let asked = format!("await {}", self.asked);
        self.hub.queries().await_seq(&self.outbox, asked.clone(), Seq(seq));
        let outbox = Arc::clone(&self.outbox);
        let reached = async {
            loop {
                match outbox.take(usize::MAX) {
                    Some(Work::Text(text)) => {
                        if self.hear(&text) == Some(asked.clone()) {
                            return;
                        }
                    }
                    Some(Work::Answer(reference)) => {
                        self.hub.queries().catch_up(outbox.source(), reference);
                    }
                    Some(other) => unreachable!("{other:?}"),
                    None => outbox.filled().await,
                }
            }
        };
        within(&format!("change {seq} in all answers"), reached).await;
    }

    /// Takes in a message; gives back what it answers to when it is the end of an `await`.
    fn hear(&mut self, text: &str) -> Option<String> {
        match serde_json::from_str(text).unwrap() {
            ServerMessage::Snapshot(Snapshot { reference, seq, epoch, rows, cursor: _ }) => {
                // What was under way when the query was let go of.
                let answer = self.answers.get_mut(&reference)?;
                answer.snapshots += 1;
                (answer.rows, answer.seq, answer.epoch) = (rows, seq, epoch);
            }
            ServerMessage::Changes(changes) => {
                for AnswerChange { reference, difference } in &changes.answers {
                    let Some(answer) = self.answers.get_mut(reference) else { continue };
                    assert!(answer.seq <= changes.seq, "versions only go up");
                    answer.seq = changes.seq;
                    answer.differences += 1;
                    take_in(&mut answer.rows, difference);
                }
                self.changes.push(changes);
            }
            ServerMessage::Reached(reached) => return Some(reached.reference),
            ServerMessage::Error(error) => {
                let reference = error.reference.clone().unwrap_or_default();
                let answer = self.answers.remove(&reference);
                match answer {
                    Some(answer) if error.code == ErrorCode::QueryEnded => {
                        self.ended.insert(reference, answer);
                    }
                    Some(_) | None => self.errors.push_back(error),
                }
            }
            other @ (ServerMessage::Hello(_) | ServerMessage::Auth(_) | ServerMessage::Result(_)) => {
                unreachable!("{other:?}")
            }
        }
        None
    }

    /// Asserts that each answer is what a fresh query finds now.
    pub(crate) async fn check(&self) {
        let answers = self.answers.values().map(|answer| self.fresh(&answer.query));
        let fresh = futures_util::future::join_all(answers).await;
        for ((reference, answer), fresh) in self.answers.iter().zip(fresh) {
            assert_eq!(json!(answer.rows), json!(fresh), "{reference}: {}", answer.query);
        }
    }

    async fn fresh(&self, query: &Json) -> Vec<Row> {
        let mut parsed = self.restricted(query).query;
        if !parsed.is_limited() {
            parsed = parsed.with_rows(10_000);
        }
        answer_once(&self.store, &self.tenant, &parsed).await.unwrap().rows
    }
}

/// Takes in what became of rows.
fn take_in(rows: &mut Vec<Row>, difference: &Difference) {
    let takes_out = |row: &Row| {
        let is_moved = |upsert: &Upsert| upsert.at.is_some() && upsert.id == id(row);
        difference.remove.contains(&id(row)) || difference.upsert.iter().any(is_moved)
    };
    let mut taken: Vec<Row> = rows.extract_if(.., |row| takes_out(row)).collect();
    for upsert in &difference.upsert {
        match upsert.at {
            Some(at) => {
                let known = taken.iter().position(|row| id(row) == upsert.id);
                let mut row = known.map(|at| taken.swap_remove(at)).unwrap_or_default();
                change(&mut row, upsert);
                rows.insert(at, row);
            }
            None => {
                let known = rows.iter_mut().find(|row| id(row) == upsert.id);
                change(known.expect("a row without a place is known"), upsert);
            }
        }
    }
}

/// Takes in what became of a row and of what it brings.
fn change(row: &mut Row, upsert: &Upsert) {
    row.extend(upsert.row.clone());
    for (name, part) in &upsert.parts {
        let part_of_row = row.get_mut(name).expect("a row has all of its parts");
        let is_list = part_of_row.is_array();
        let mut rows: Vec<Row> = match part_of_row.take() {
            Json::Array(rows) => rows.into_iter().map(object).collect(),
            Json::Null => Vec::new(),
            row @ (Json::Object(_) | Json::Bool(_) | Json::Number(_) | Json::String(_)) => vec![object(row)],
        };
        match part {
            PartChange::Whole { rows: all } => rows.clone_from(all),
            PartChange::Some(difference) => take_in(&mut rows, difference),
        }
        *part_of_row = match is_list {
            true => json!(rows),
            false => rows.pop().map_or(Json::Null, Json::Object),
        };
    }
}

fn id(row: &Row) -> String {
    row.get("id").and_then(Json::as_str).unwrap_or_default().to_owned()
}
