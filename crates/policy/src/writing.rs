//! Whether a caller may write to a row at all.

use crate::evaluate::{Memberships, Outline, Truth};

/// The question whether a caller may write to a row, of which only memberships are still open.
///
/// What is to be written is not known yet: a rule that looks at it may allow it unless it is false whatever that is.
#[derive(Debug)]
pub struct Writing {
    /// Whether the answer is yes, whatever rules say.
    pub(crate) is_certain: bool,
    /// Rules that go by the row as it is.
    pub(crate) now: Vec<Outline>,
    /// Rules that go by what is written, too, as far as they can be told without.
    pub(crate) perhaps: Vec<Outline>,
}

impl Writing {
    /// Looks up what is open.
    ///
    /// # Errors
    /// When memberships cannot be looked up.
    pub async fn settle<M: Memberships + ?Sized>(&self, memberships: &M) -> Result<bool, M::Error> {
        if self.is_certain {
            return Ok(true);
        }
        for outline in &self.now {
            if outline.settle(memberships).await? == Truth::Yes {
                return Ok(true);
            }
        }
        for outline in &self.perhaps {
            if outline.settle(memberships).await? != Truth::No {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
