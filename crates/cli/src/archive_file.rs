//! Files of rows: whole or not there, compressed by their name.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{failure::Failure, progress::Progress};

/// How hard zstd tries: its own default, fast enough that the disk is what a backup waits for.
const LEVEL: i32 = 3;
/// What stands for the standard input or output.
const STANDARD: &str = "-";

/// Whether rows are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Zstd,
}

impl Compression {
    /// As the file's name asks.
    pub(crate) fn by_name(path: &Path) -> Self {
        if path.extension().is_some_and(|extension| extension == "zst") { Self::Zstd } else { Self::None }
    }
}

/// A file under a temporary name, which gets its own once it is complete; dropped before, it is removed.
#[derive(Debug)]
pub(crate) struct NewFile {
    draft: PathBuf,
    path: PathBuf,
    /// `None` for the standard output.
    file: Option<File>,
}

impl NewFile {
    /// Starts a file that is to stand at `path`; `-` is the standard output.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}.part", Uuid::new_v4().simple()));
        let draft = PathBuf::from(draft);
        let file = match path.to_str() {
            Some(STANDARD) => None,
            Some(_) | None => Some(File::create_new(&draft).map_err(|source| Failure::File {
                what: "write",
                path: path.to_owned(),
                source,
            })?),
        };
        Ok(Self { draft, path: path.to_owned(), file })
    }

    /// Where its contents go.
    pub(crate) fn output(&self, compression: Compression) -> io::Result<Output> {
        let inner: Box<dyn Write> = match &self.file {
            Some(file) => Box::new(BufWriter::with_capacity(1 << 20, file.try_clone()?)),
            None => Box::new(BufWriter::new(io::stdout())),
        };
        Ok(match compression {
            Compression::None => Output::Plain(inner),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(inner, LEVEL)?;
                encoder.include_checksum(true)?;
                Output::Zstd(encoder)
            }
        })
    }

    /// Gives the file its name, once it is on the disk.
    pub(crate) fn keep(mut self, output: Output) -> io::Result<()> {
        match output {
            Output::Plain(mut inner) => inner.flush()?,
            Output::Zstd(encoder) => encoder.finish()?.flush()?,
        }
        let Some(file) = self.file.take() else { return Ok(()) };
        file.sync_all()?;
        fs::rename(&self.draft, &self.path)?;
        // The name is on the disk once its folder is.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            fs::remove_file(&self.draft).ok();
        }
    }
}

/// Contents on their way into a file.
pub(crate) enum Output {
    Plain(Box<dyn Write>),
    Zstd(zstd::Encoder<'static, Box<dyn Write>>),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(inner) => inner.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// The first bytes of what zstd has compressed.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Opens a file of rows, compressed or not; `-` is the standard input. `progress` follows how far it is read.
pub(crate) fn open(path: &Path, progress: &Progress) -> Result<Box<dyn BufRead + Send>, Failure> {
    let failed = |source| Failure::File { what: "read", path: path.to_owned(), source };
    let input: Box<dyn Read + Send> = match path.to_str() {
        Some(STANDARD) => Box::new(io::stdin()),
        Some(_) | None => Box::new(File::open(path).map_err(failed)?),
    };
    let mut input = BufReader::with_capacity(1 << 20, progress.follow(input));
    // What it is is seen from its first bytes, whatever it is called.
    if input.fill_buf().map_err(failed)?.starts_with(&ZSTD_MAGIC) {
        let decoder = zstd::Decoder::with_buffer(input).map_err(failed)?;
        return Ok(Box::new(BufReader::with_capacity(1 << 20, decoder)));
    }
    Ok(Box::new(input))
}

/// Whether that is the standard input or output, which can be read once only.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.to_str() == Some(STANDARD)
}
