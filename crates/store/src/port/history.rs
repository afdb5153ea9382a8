//! What is told of each change of a row beside its bytes.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Seq;

/// What a change did, and why; stored as JSON text beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct About {
    /// How the change log names it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The fields that it changed, by their names at that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// What its author says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Arc<str>>,
    /// Who wrote which part, when several wrote what was committed together; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// What one author wrote of a change that several made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Who.
    pub author: Arc<str>,
    /// The fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// What the author says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Arc<str>>,
    /// As [`Reach::Ends`]: how far the part led, from the change's start.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub ends: Bytes,
}

fn to_base64<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map(Bytes::from).map_err(de::Error::custom)
}

impl About {
    /// As it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("keys are strings, and no value refuses to be written")
    }

    /// Reads what [`About::to_text`] wrote; what cannot be read says nothing.
    #[must_use]
    pub fn of_text(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// How far a change led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// As far as this delta, which was stored before more was known of changes.
    Delta(Bytes),
    /// An encoded part of the version: the peers whose operations it brought, each with how many there were then.
    Ends(Bytes),
    /// To this version, encoded.
    Whole(Bytes),
}

/// One change of a row, as its history tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// Its place in the order of all changes.
    pub seq: Seq,
    /// Who made it, if known.
    pub author: Option<Arc<str>>,
    /// When it was committed.
    pub at: Timestamp,
    /// What it did.
    pub about: About,
    /// How far it led.
    pub reach: Reach,
}

/// Which changes of a row are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryScope {
    /// Those after this one.
    pub after: Seq,
    /// Those before this one; all when there is none.
    pub before: Option<Seq>,
    /// Those up to this time; all when there is none.
    pub until: Option<Timestamp>,
    /// Which of them come first.
    pub order: HistoryOrder,
    /// At most so many.
    pub limit: usize,
}

/// Which changes come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryOrder {
    /// The newest.
    Newest,
    /// The oldest.
    Oldest,
}

impl HistoryOrder {
    /// How SQL calls it.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Newest => "DESC",
            Self::Oldest => "ASC",
        }
    }
}

/// What a fold leaves of the history before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryCut {
    /// The first change that is kept.
    pub from: Seq,
    /// The document's version after it, encoded.
    pub version: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_says_nothing() {
        let part = Part {
            author: "ada".into(),
            fields: vec!["title".into()],
            message: None,
            ends: Bytes::from_static(&[1, 2]),
        };
        let about = About {
            kind: "update".into(),
            fields: vec!["title".into(), "body".into()],
            message: Some("why \"so\"".into()),
            parts: vec![part],
        };
        assert_eq!(About::of_text(Some(&about.to_text())), about);
        let text = r#"{"kind":"update","fields":["title","body"],"message":"why \"so\"","parts":[{"author":"ada","fields":["title"],"ends":"AQI="}]}"#;
        assert_eq!(about.to_text(), text);
        assert_eq!(About::of_text(Some("{")), About::default());
        assert_eq!(About::of_text(None), About::default());
    }
}
