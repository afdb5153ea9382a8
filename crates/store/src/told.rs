//! What a row's history is told of the writes that were committed together.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::{Change, Version};

use crate::{
    batch::Accepted,
    job::Job,
    model::EntityModel,
    port::{About, ChangeKind, Part},
};

/// Who wrote what.
pub(crate) struct Writer {
    pub(crate) author: Arc<str>,
    pub(crate) message: Option<Arc<str>>,
    pub(crate) change: Change,
    /// The document's version before it, where somebody else wrote what came before it.
    pub(crate) before: Option<Version>,
}

impl From<&Accepted> for Writer {
    fn from(accepted: &Accepted) -> Self {
        Self {
            author: Arc::clone(&accepted.job.author.user),
            message: accepted.job.message.clone(),
            change: accepted.trace.change.clone(),
            before: accepted.trace.before.clone(),
        }
    }
}

/// Whether `job` is written by somebody else, or said something else of, than what was accepted last.
pub(crate) fn seam(accepted: &[Accepted], job: &Job) -> bool {
    accepted.last().is_some_and(|last| is_seam(&last.job, job))
}

/// Whether `next` is written by somebody else, or said something else of, than `last`.
pub(crate) fn is_seam(last: &Job, next: &Job) -> bool {
    last.author.user != next.author.user || last.message != next.message
}

/// What is told of a change that led a row from one version to another, and that these made one after the other.
pub(crate) fn about(
    model: &EntityModel,
    kind: ChangeKind,
    change: &Change,
    from: &Version,
    to: &Version,
    writers: &[Writer],
) -> About {
    let mut parts: Vec<(&Writer, Change)> = Vec::new();
    for writer in writers {
        match parts.last_mut() {
            Some((_, change)) if writer.before.is_none() => change.merge(&writer.change),
            Some(_) | None => parts.push((writer, writer.change.clone())),
        }
    }
    let seams = parts.iter().skip(1).map(|(next, _)| next.before.as_ref().unwrap_or(to));
    let ends: Vec<Bytes> =
        seams.chain(std::iter::once(to)).map(|end| end.since(from).encode().into()).collect();
    let told = parts.iter().zip(ends).map(|((first, change), ends)| Part {
        author: Arc::clone(&first.author),
        fields: names(model, change),
        message: first.message.clone(),
        ends,
    });
    About {
        kind: kind.as_str().into(),
        fields: names(model, change),
        message: writers.iter().rev().find_map(|writer| writer.message.clone()),
        parts: if parts.len() > 1 { told.collect() } else { Vec::new() },
    }
}

fn names(model: &EntityModel, change: &Change) -> Vec<String> {
    let fields = model.shape.fields();
    let declared =
        change.fields.iter().filter_map(|index| fields.get(*index)).map(|field| field.name.to_string());
    declared.chain(change.open.then(|| "value".to_owned())).collect()
}
