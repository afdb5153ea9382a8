//! Who wrote what stands in a field.

use std::{collections::HashMap, sync::Arc};

use corella_rowdoc::{Form, PeerId, RowKey, TextRuns, Version};
use jiff::Timestamp;

use super::{
    HistoryError,
    lines::{Told, step},
    newest,
};
use crate::{
    error::ReadError,
    port::{HistoryLine, HistoryScope, Seq},
    store::Store,
};

/// Changes that are looked through; what is older has no author here.
const MOST_CHANGES: usize = 20_000;
/// Changes looked through at once.
const PAGE: usize = 512;

/// Who wrote something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blamed {
    /// The change.
    pub seq: Seq,
    /// Who made it, if known.
    pub author: Option<Arc<str>>,
    /// When it was committed.
    pub at: Timestamp,
    /// What its author says of it.
    pub message: Option<Arc<str>>,
}

/// Characters that stand side by side and came with one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlameRun {
    /// The characters.
    pub text: String,
    /// Who wrote them; `None` when the history that is kept does not say.
    pub by: Option<Blamed>,
}

/// Who wrote what stands in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// A text, run by run.
    Text {
        /// The runs, as they stand in the text.
        runs: Vec<BlameRun>,
        /// The character at which the next runs start; `None` at the end.
        next: Option<usize>,
    },
    /// Any other field: who changed it last; `None` when the history that is kept does not say.
    Field(Option<Blamed>),
}

impl Store {
    /// Who wrote what stands in `field`: of a text the runs from its character `from` on, at most `most` characters.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such row or field, or its bytes are damaged.
    pub async fn blame(
        &self,
        key: &RowKey,
        field: &str,
        from: usize,
        most: usize,
    ) -> Result<Blame, HistoryError> {
        let shape = self.0.entity(key.entity.as_str())?.shape;
        let unknown = || HistoryError::UnknownField(field.chars().take(80).collect());
        let index = shape.field_index(field).ok_or_else(unknown)?;
        if shape.fields()[index].form != Form::Text {
            return self.last_change_of(key, field).await.map(Blame::Field);
        }
        let name = field.to_owned();
        let found = self.look_back(key, move |past| past.text_runs(&name, from, most)).await?;
        let TextRuns { runs, rest } = found.unwrap_or_default();
        let (start, lines) = self.lines(key, HistoryScope { limit: MOST_CHANGES, ..newest() }).await?;
        let origins = Origins::of(key, start, lines)?;
        let mut blamed: Vec<BlameRun> = Vec::new();
        let mut count = 0;
        for run in runs {
            for (character, counter) in run.text.chars().zip(run.counter..) {
                count += 1;
                let by = origins.of_operation(run.peer, counter);
                match blamed.last_mut() {
                    Some(last) if last.by.as_ref() == by => last.text.push(character),
                    Some(_) | None => blamed.push(BlameRun { text: character.into(), by: by.cloned() }),
                }
            }
        }
        Ok(Blame::Text { runs: blamed, next: (rest > 0).then_some(from + count) })
    }

    async fn last_change_of(&self, key: &RowKey, field: &str) -> Result<Option<Blamed>, HistoryError> {
        let mut before = None;
        let mut seen = 0;
        while seen < MOST_CHANGES {
            let told = self.told(key, HistoryScope { before, limit: PAGE, ..newest() }).await?;
            if told.is_empty() && before.is_none() {
                return Err(self.out_of_reach(key).await?);
            }
            seen += told.len();
            before = told.last().map(|told| told.line.seq);
            let is_last = told.len() < PAGE;
            if let Some(found) = told.into_iter().find_map(|told| changed(told, field)) {
                return Ok(Some(found));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }
}

/// Who changed the field with this change, if anybody did.
fn changed(Told { line, .. }: Told, field: &str) -> Option<Blamed> {
    let names = |fields: &[String]| fields.iter().any(|name| name == field);
    if !names(&line.about.fields) {
        return None;
    }
    let part = line.about.parts.into_iter().rev().find(|part| names(&part.fields));
    let (author, message) = match part {
        Some(part) => (Some(part.author), part.message),
        None => (line.author, line.about.message),
    };
    Some(Blamed { seq: line.seq, author, at: line.at, message })
}

/// With which change each operation came.
struct Origins {
    by: Vec<Option<Blamed>>,
    /// Of each peer how many operations there were after a change, and which change that was, the oldest first.
    ends: HashMap<PeerId, Vec<(i32, usize)>>,
}

impl Origins {
    /// From changes, the oldest first, and the version before the first.
    fn of(key: &RowKey, start: Option<Version>, lines: Vec<HistoryLine>) -> Result<Self, ReadError> {
        let mut origins = Self { by: Vec::new(), ends: HashMap::new() };
        if let Some(start) = &start {
            origins.add(start, None);
        }
        let mut version = start;
        for line in lines {
            let before = version.clone();
            step(key, &mut version, &line)?;
            let Some(after) = &version else { continue };
            let (seq, at) = (line.seq, line.at);
            for part in line.about.parts {
                // A part that cannot be read leaves its operations to the whole.
                let Ok(ends) = Version::decode(&part.ends) else { continue };
                origins
                    .add(&ends, Some(Blamed { seq, author: Some(part.author), at, message: part.message }));
            }
            let by = Blamed { seq, author: line.author, at, message: line.about.message };
            match &before {
                Some(before) => origins.add(&after.since(before), Some(by)),
                // What came before it is not told apart from it.
                None => origins.add(after, None),
            }
        }
        Ok(origins)
    }

    fn add(&mut self, ends: &Version, by: Option<Blamed>) {
        for (peer, end) in ends.ends() {
            self.ends.entry(peer).or_default().push((end, self.by.len()));
        }
        self.by.push(by);
    }

    fn of_operation(&self, peer: PeerId, counter: i32) -> Option<&Blamed> {
        let ends = self.ends.get(&peer)?;
        let (_, place) = ends.get(ends.partition_point(|(end, _)| *end <= counter))?;
        self.by[*place].as_ref()
    }
}
