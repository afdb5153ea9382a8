//! Which operation wrote each character of a text.

use loro::{Container, LoroDoc, LoroText, cursor::Side};

use crate::{Form, RowDoc, container, doc::ROW, refusal::DocFault};

/// Characters of a text that one replica wrote one after the other, and that still stand side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRun {
    /// The characters.
    pub text: String,
    /// Who wrote them.
    pub peer: crate::PeerId,
    /// The place of the first of them among all operations of that peer; the others follow it.
    pub counter: i32,
}

/// Some of a text's runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextRuns {
    /// The runs, as they stand in the text.
    pub runs: Vec<TextRun>,
    /// How many characters come after them.
    pub rest: usize,
}

impl RowDoc {
    /// Who wrote the characters of a text from its character `from` on, at most `most` of them; `None` when the field
    /// is no text, or has none yet.
    ///
    /// # Errors
    /// [`DocFault::Poisoned`] when Loro fails from within.
    pub fn text_runs(&self, field: &str, from: usize, most: usize) -> Result<Option<TextRuns>, DocFault> {
        let Some(field) = self.shape.field_index(field).map(|index| &self.shape.fields()[index]) else {
            return Ok(None);
        };
        if field.form != Form::Text {
            return Ok(None);
        }
        Ok(self.vessel.with(|doc: &LoroDoc| {
            let slot = doc.get_map(ROW).get(field.key.as_str());
            match container::present(field, slot.as_ref()) {
                Some(Container::Text(text)) => Some(runs(&text, from, most)),
                Some(_) | None => None,
            }
        })?)
    }
}

fn runs(text: &LoroText, from: usize, most: usize) -> TextRuns {
    let characters = text.to_string();
    let mut found: Vec<(TextRun, i32)> = Vec::new();
    let mut left = characters.chars().skip(from);
    for (place, character) in (from..).zip(left.by_ref().take(most)) {
        let Some(id) = text.get_cursor(place, Side::Middle).and_then(|cursor| cursor.id) else { continue };
        match found.last_mut() {
            Some((run, next)) if run.peer.0 == id.peer && *next == id.counter => {
                run.text.push(character);
                *next += 1;
            }
            Some(_) | None => {
                let run =
                    TextRun { text: character.into(), peer: crate::PeerId(id.peer), counter: id.counter };
                found.push((run, id.counter.saturating_add(1)));
            }
        }
    }
    TextRuns { runs: found.into_iter().map(|(run, _)| run).collect(), rest: left.count() }
}
