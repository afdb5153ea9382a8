//! How a client speaks to each kind of server: what it says at first, how it sends an edit, what it hears.

mod loro;
mod relay;
mod yjs;

use bytes::Bytes;

/// What a server is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// Opaque frames, which the server hands on unread.
    Relay,
    /// The Loro Syncing Protocol, version 1.
    Loro,
    /// The Yjs sync protocol, one document for each connection.
    Yjs,
    /// The Yjs sync protocol in Hocuspocus' frames.
    Hocuspocus,
}

/// Who wrote something: the first writer of a document, who fills it, is 0.
pub(crate) type WriterNumber = u64;

/// What a frame tells.
#[derive(Default)]
pub(crate) struct Heard {
    /// Up to where on its own clock each of these writers' edits are known now.
    pub(crate) reached: Vec<(WriterNumber, u64)>,
    /// What is to be said in answer.
    pub(crate) answer: Vec<Bytes>,
    /// The changes of the document that it brings.
    pub(crate) updates: Vec<Bytes>,
}

/// One client of one document.
pub(crate) trait Speech: Send {
    /// What is said first.
    fn hello(&self) -> Vec<Bytes>;

    /// Takes in what was received.
    fn hear(&mut self, frame: Bytes) -> Heard;
}

/// A document that is written to.
pub(crate) trait Pen: Send {
    /// Takes in what others wrote; whoever types sees it, and what is typed comes after it.
    fn take_in(&mut self, updates: Vec<Bytes>);

    /// Writes one character, as someone who types: the frames that carry it, and where it ends on the writer's clock.
    fn write(&mut self) -> (Vec<Bytes>, u64);
}

/// A text that all writers of a document start from.
pub(crate) struct Beginning {
    language: Language,
    document: String,
    /// The update that makes it.
    update: Bytes,
    end: u64,
}

impl Language {
    pub(crate) fn beginning(self, document: &str, characters: usize) -> Beginning {
        let text = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ";
        let text: String = text.chars().cycle().take(characters).collect();
        let (update, end) = match self {
            Self::Relay => (Bytes::new(), 0),
            Self::Loro => loro::beginning(&text),
            Self::Yjs | Self::Hocuspocus => yjs::beginning(&text),
        };
        Beginning { language: self, document: document.to_owned(), update, end }
    }

    /// The path that a document is reached at.
    pub(crate) fn path(self, document: &str) -> String {
        match self {
            Self::Relay | Self::Yjs => format!("/{document}"),
            Self::Loro | Self::Hocuspocus => "/".to_owned(),
        }
    }
}

impl Beginning {
    /// The same text in another document.
    pub(crate) fn in_document(&self, document: &str) -> Self {
        Self { document: document.to_owned(), update: self.update.clone(), ..*self }
    }

    /// The frames by which the first writer fills the document, and where they end on its clock.
    pub(crate) fn fill(&self) -> (Vec<Bytes>, u64) {
        let frames = match self.language {
            Language::Relay => Vec::new(),
            Language::Loro => loro::update(&self.document, &self.update, 0),
            Language::Yjs => vec![yjs::update(None, &self.update)],
            Language::Hocuspocus => vec![yjs::update(Some(&self.document), &self.update)],
        };
        (frames, self.end)
    }

    /// A client who has nothing yet.
    pub(crate) fn reader(&self) -> Box<dyn Speech> {
        match self.language {
            Language::Relay => Box::new(relay::Client),
            Language::Loro => Box::new(loro::Client::new(&self.document, None)),
            Language::Yjs => Box::new(yjs::Client::new(None, None)),
            Language::Hocuspocus => Box::new(yjs::Client::new(Some(&self.document), None)),
        }
    }

    /// A client who has the beginning already, and its pen.
    pub(crate) fn writer(&self, number: WriterNumber) -> (Box<dyn Speech>, Box<dyn Pen>) {
        let update = Some(&self.update);
        match self.language {
            Language::Relay => (Box::new(relay::Client), Box::new(relay::Pen::new(number))),
            Language::Loro => (
                Box::new(loro::Client::new(&self.document, update)),
                Box::new(loro::Pen::new(&self.document, &self.update, number)),
            ),
            Language::Yjs => (
                Box::new(yjs::Client::new(None, update)),
                Box::new(yjs::Pen::new(None, &self.update, number)),
            ),
            Language::Hocuspocus => {
                let document = Some(&*self.document);
                (
                    Box::new(yjs::Client::new(document, update)),
                    Box::new(yjs::Pen::new(document, &self.update, number)),
                )
            }
        }
    }
}
