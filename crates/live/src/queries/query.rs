//! One query that is kept true, for all who follow it.

use std::{collections::HashSet, sync::Arc, time::Instant};

use corella_query::{
    ColumnMask, Query, Truth,
    maintain::{Held, Lookup, MatchIndex, QueryId},
};
use corella_rowdoc::Tenant;
use corella_store::{SourceId, port::Seq};
use corella_wire::control::{Difference, Since};

use super::{
    answer::{Answer, Extent},
    image::Image,
    parts::Parts,
    steps::{Doubt, Step},
};

/// A change of one row, as queries take it in.
#[derive(Debug, Clone)]
pub(super) struct RowChange {
    pub(super) seq: Seq,
    pub(super) id: Arc<str>,
    /// The row afterwards; `None` when it is gone.
    pub(super) row: Option<Image>,
    /// The columns that changed.
    pub(super) mask: ColumnMask,
}

/// What a query asks for, as a hash that nobody can make collide: whoever shares a query sees its rows.
pub(super) type Identity = [u8; 32];

/// One query that is kept true.
pub(super) struct LiveQuery {
    pub(super) id: QueryId,
    pub(super) tenant: Tenant,
    pub(super) identity: Identity,
    pub(super) query: Query,
    /// By which of its values a row is found to concern it, where that is not what its condition says by itself.
    pub(super) lookup: Option<Box<Lookup>>,
    /// Its conditions on rows of other entities.
    pub(super) steps: Vec<Step>,
    /// What its rows bring with them.
    pub(super) parts: Parts,
    /// What has to be looked up before its answer is known to be right; seldom anything.
    pub(super) doubt: Option<Box<Doubt>>,
    pub(super) mask: ColumnMask,
    /// Where every change of a row's document is told: which have changed since the last time.
    pub(super) documents: Option<Box<ChangedDocuments>>,
    /// The columns whose texts are searched.
    pub(super) words: ColumnMask,
    /// The columns that decide whether a row is in the answer, and where.
    pub(super) placing: ColumnMask,
    pub(super) extent: Extent,
    /// The answer; `None` until its rows are read for the first time.
    pub(super) answer: Option<Answer>,
    /// While the rows are being read: what happened since the reading began.
    pub(super) reading: Option<Box<Noted>>,
    /// Whether its rows are to be read once it is its turn.
    pub(super) is_queued: bool,
    /// Whether the rows have to be read once more when that is done.
    pub(super) read_again: bool,
    /// The last change that was in the rows when they were read.
    pub(super) read_at: Seq,
    /// Whether the answer is wrong until its rows are read again.
    pub(super) is_astray: bool,
    /// Nothing is told before all changes up to this one are taken in: the rows have some of them already.
    pub(super) settled_from: Seq,
    /// Those who hear of every change.
    pub(super) followers: Vec<Follower>,
    /// Those who wait for the answer.
    pub(super) waiting: Vec<Waiting>,
    /// Since when nobody follows it.
    pub(super) idle_since: Option<Instant>,
    /// About how many bytes its rows take.
    pub(super) bytes: usize,
}

/// The rows held whose documents have changed since they were last told of; in a place of its own, because few ask for it.
#[derive(Debug, Default)]
pub(super) struct ChangedDocuments(HashSet<Arc<str>>);

/// What happened while the rows of a query were being read.
#[derive(Default)]
pub(super) struct Noted {
    /// Every change of its entity.
    pub(super) changes: Vec<RowChange>,
    /// What changes of other entities have put in doubt.
    pub(super) doubt: Doubt,
}

/// A subscription of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Subscription {
    pub(super) source: SourceId,
    pub(super) reference: Arc<str>,
}

/// A subscription that hears of every change.
pub(super) struct Follower {
    pub(super) subscription: Subscription,
    pub(super) standing: Standing,
}

/// Whether a subscription has been sent everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    /// It has missed changes, and is sent the whole answer once its connection's outbox drains.
    Behind,
}

/// A subscription that waits for the answer.
pub(super) struct Waiting {
    pub(super) subscription: Subscription,
    pub(super) kept: Kept,
}

/// What a client has of the answer already.
pub(super) enum Kept {
    /// Nothing that helps.
    Nothing,
    /// Rows as of a change; what happened since has to be looked up.
    Unsure(Since),
    /// The log is being read.
    Asked(Since),
    /// Rows of which it is known which changed up to a change.
    Known { ids: HashSet<String>, changed: HashSet<Arc<str>>, upto: Seq },
}

impl LiveQuery {
    /// Takes in a change; says what it did to the rows that are held.
    ///
    /// Where that depends on rows of other entities of which nothing is known, the row is put in doubt.
    pub(super) fn apply(&mut self, change: &RowChange) -> Held {
        let concerns = self.documents.is_some() || change.mask.meets(self.mask);
        if self.answer.is_none() || change.seq <= self.read_at || !concerns {
            return Held::default();
        }
        match change.row.as_ref().map_or(Truth::No, |row| self.judge(row)) {
            Truth::Yes if self.query.search().is_some() => self.apply_worded(change),
            Truth::Yes => self.put(&change.id, change.row.clone()),
            Truth::No => self.put(&change.id, None),
            Truth::Unknown => {
                self.open_doubt().rows.insert(Arc::clone(&change.id), change.clone());
                Held::default()
            }
        }
    }

    /// Takes in a changed row that meets the condition, the words that are looked for aside.
    ///
    /// Which words a row has, and how well it fits, only the database knows: the row is put in doubt, unless what was
    /// known of it still holds.
    fn apply_worded(&mut self, change: &RowChange) -> Held {
        let (Some(answer), Some(row)) = (&self.answer, &change.row) else { return Held::default() };
        let in_doubt = self.doubt.as_ref().is_some_and(|doubt| doubt.rows.contains_key(&change.id));
        if !in_doubt && answer.holds(&change.id) && !change.mask.meets(self.words) {
            let row = match answer {
                Answer::Rows(window) => window.get(&change.id).map(|held| row.ranked_as(held)),
                Answer::Groups(_) => Some(row.clone()),
            };
            return self.put(&change.id, row);
        }
        if !in_doubt && !answer.holds(&change.id) && !change.mask.meets(self.placing) {
            // It was left out before, and nothing has changed in what that was for.
            return Held::default();
        }
        self.open_doubt().rows.insert(Arc::clone(&change.id), change.clone());
        Held::default()
    }

    /// What is in doubt, to put more into it.
    pub(super) fn open_doubt(&mut self) -> &mut Doubt {
        self.doubt.get_or_insert_default()
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.as_ref().is_some_and(|doubt| !doubt.is_empty())
    }

    /// Has the index of its entity find it no more.
    pub(super) fn leave_index(&self, index: &mut MatchIndex) {
        match &self.lookup {
            Some(lookup) => index.remove(self.id, lookup),
            None => index.remove(self.id, &Lookup::of(self.query.filter())),
        }
    }

    /// Whether a row meets the condition, as far as is known.
    pub(super) fn judge(&self, row: &Image) -> Truth {
        if self.steps.is_empty() {
            return self.query.matches(row).into();
        }
        self.query.judge(row, &|related, row| {
            let is_it = |step: &&Step| step.outer.is_none() && Arc::ptr_eq(&step.related, related);
            self.steps.iter().find(is_it).map_or(Truth::Unknown, |step| step.truth(row))
        })
    }

    /// Takes in how the row of this id is now; `None` when it does not belong to the answer.
    pub(super) fn put(&mut self, id: &Arc<str>, row: Option<Image>) -> Held {
        // What was in doubt about it is settled.
        if let Some(doubt) = &mut self.doubt {
            doubt.rows.remove(id);
        }
        let Some(answer) = &mut self.answer else { return Held::default() };
        let weight = row.as_ref().map_or(0, Image::weight);
        let missing = match &row {
            Some(row) if !self.parts.is_empty() => self.parts.missing(row),
            Some(_) | None => Vec::new(),
        };
        let held = answer.apply(id, row);
        if let Some(documents) = &mut self.documents {
            for gone in &held.left {
                documents.0.remove(gone);
            }
            if answer.holds(id) {
                documents.0.insert(Arc::clone(id));
            }
        }
        if answer.holds(id) {
            for (part, key) in missing {
                self.open_doubt().add_lists(part, &[key]);
            }
        }
        if held.entered {
            self.bytes += weight;
        }
        held
    }

    /// Notes that any document may have changed.
    pub(super) fn doubt_documents(&mut self) {
        if let (Some(documents), Some(answer)) = (&mut self.documents, &self.answer) {
            documents.0.extend(answer.held());
        }
    }

    /// What became of the answer since the last time; nothing when nothing that is told did.
    pub(super) fn difference(&mut self) -> Option<Difference> {
        let documents = self.documents.as_deref_mut().map(std::mem::take).unwrap_or_default();
        self.answer.as_mut()?.difference(&self.query, &self.parts, &documents.0)
    }

    /// Forgets what has changed: whoever follows is told the whole answer.
    pub(super) fn forget_diff(&mut self) {
        self.answer.iter_mut().for_each(Answer::forget_diff);
        self.documents.iter_mut().for_each(|documents| documents.0.clear());
    }

    /// By which of its values a row is found to concern it.
    pub(super) fn present_lookup(&self) -> Lookup {
        // While its rows are read, it notes every change.
        if self.steps.iter().any(Step::is_unread) {
            return Lookup::By(Vec::new());
        }
        Lookup::with(self.query.filter(), &|related| {
            self.steps.iter().find(|step| Arc::ptr_eq(&step.related, related)).and_then(Step::all)
        })
    }

    /// Whether its answer is whole and of one moment, once all changes up to `position` are taken in.
    pub(super) fn is_settled(&self, position: Seq) -> bool {
        self.settled_from <= position
            && !self.is_in_doubt()
            && !self.is_astray
            && self.answer.as_ref().is_some_and(|answer| !answer.is_short())
    }

    /// The last change that the answer has in it.
    pub(super) fn version(&self, position: Seq) -> Seq {
        position.max(self.read_at)
    }
}
