//! Where in a request the reader stands, for its errors.

use std::fmt::{self, Write as _};

use crate::error::shown;

/// The way from the root of a request to the place that is being read.
pub(crate) struct Path<'a> {
    root: &'static str,
    segments: Vec<Segment<'a>>,
}

enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) fn new(root: &'static str) -> Self {
        Self { root, segments: Vec::new() }
    }

    pub(crate) fn push_key(&mut self, key: &'a str) {
        self.segments.push(Segment::Key(key));
    }

    pub(crate) fn push_index(&mut self, index: usize) {
        self.segments.push(Segment::Index(index));
    }

    pub(crate) fn pop(&mut self) {
        self.segments.pop();
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root)?;
        for segment in &self.segments {
            match segment {
                Segment::Key(key) => {
                    f.write_char('.')?;
                    f.write_str(&shown(key))?;
                }
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
