//! A Loro document that may panic without harm to others.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use loro::{ExpandType, LoroDoc, StyleConfig, StyleConfigMap};

use crate::PeerId;

/// Loro panicked; the document must not be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Poisoned;

/// Holds a document, and leaks it once it has panicked.
///
/// A panic inside Loro leaves its locks poisoned, so that dropping the document panics again, which would
/// end the process. Some accepted updates panic only when they are read.
pub(crate) struct Vessel {
    /// `None` while it is being dropped, and in the place of a document that a row does not have.
    doc: Option<LoroDoc>,
    /// Set by any thread that saw the document panic; nothing waits for it.
    poisoned: AtomicBool,
}

impl Vessel {
    /// An empty document whose local operations carry `peer`.
    pub(crate) fn new(peer: PeerId) -> Self {
        let doc = LoroDoc::new();
        // The one id that Loro refuses is its own mark for "none"; the random id stays in its place.
        let _ = doc.set_peer_id(peer.0);
        doc.set_record_timestamp(false);
        doc.config_text_style(styles());
        doc.config_default_text_style(Some(StyleConfig { expand: ExpandType::After }));
        Self { doc: Some(doc), poisoned: AtomicBool::new(false) }
    }

    /// An empty document that is only decoded into: its texts have no styles of their own.
    pub(crate) fn bare() -> Self {
        Self { doc: Some(LoroDoc::new()), poisoned: AtomicBool::new(false) }
    }

    /// No document at all.
    pub(crate) fn none() -> Self {
        Self { doc: None, poisoned: AtomicBool::new(false) }
    }

    /// Does `work` with the document, unless it is poisoned.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&LoroDoc) -> R) -> Result<R, Poisoned> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Poisoned);
        }
        let doc = self.doc.as_ref().ok_or(Poisoned)?;
        catch_unwind(AssertUnwindSafe(|| work(doc))).map_err(|_| {
            self.poison();
            Poisoned
        })
    }

    /// Declares the document unusable.
    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }
}

/// Marks that end where they were put; what is written behind any other mark takes it on.
///
/// Loro keeps this with the instance, not with the document, so that each one is told anew.
fn styles() -> StyleConfigMap {
    let mut styles = StyleConfigMap::new();
    for name in ["link", "comment"] {
        styles.insert(name.into(), StyleConfig { expand: ExpandType::None });
    }
    styles
}

impl Drop for Vessel {
    fn drop(&mut self) {
        let Some(doc) = self.doc.take() else { return };
        let doc = ManuallyDrop::new(doc);
        if self.poisoned.load(Ordering::Acquire) {
            return;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| drop(ManuallyDrop::into_inner(doc))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_poisons_and_the_drop_is_quiet() {
        let vessel = Vessel::new(PeerId(1));
        assert_eq!(vessel.with(LoroDoc::len_ops), Ok(0));
        let result = vessel.with(|doc| {
            doc.with_state(|_| panic!("as a corrupt document would, holding the lock"));
        });
        assert_eq!(result, Err(Poisoned));
        assert_eq!(vessel.with(LoroDoc::len_ops), Err(Poisoned));
        drop(vessel);
    }
}
