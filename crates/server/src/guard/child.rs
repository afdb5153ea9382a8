//! The guard's side: a process that decodes what it is sent until it is sent no more.

use std::io::{self, BufReader, ErrorKind, Read, Write};

use corella_rowdoc::{examine, examine_kept};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::frames::{BlobKind, MOST_BLOBS, MOST_BYTES, Verdict, push_verdict};

/// Most memory of a guard, in bytes; whoever asks for more dies of it.
const MOST_MEMORY: u64 = 2 << 30;
/// Blobs after which a guard makes room for a fresh one, so that what Loro leaks does not add up.
const MOST_SERVED: usize = 1_000_000;
/// Bytes that are read at once.
const READ_BUFFER: usize = 64 * 1024;

/// Serves the process that holds the other end of `input` and `output`, until it lets go of them.
///
/// # Errors
/// When they break, or say what no server says.
pub fn run(input: impl Read, output: impl Write) -> io::Result<()> {
    limit()?;
    serve(BufReader::with_capacity(READ_BUFFER, input), output)
}

/// Bounds what this process may take.
fn limit() -> io::Result<()> {
    let most = |amount| Rlimit { current: Some(amount), maximum: Some(amount) };
    setrlimit(Resource::As, most(MOST_MEMORY))?;
    setrlimit(Resource::Core, most(0))?;
    // It writes to its pipe and nowhere else.
    setrlimit(Resource::Fsize, most(0))?;
    Ok(())
}

fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut served = 0;
    let (mut blob, mut answer) = (Vec::new(), Vec::new());
    while served < MOST_SERVED {
        let Some(count) = count(&mut input)? else { return Ok(()) };
        if count > MOST_BLOBS {
            return Err(invalid("a batch of more blobs than there may be"));
        }
        answer.clear();
        for _ in 0..count {
            push_verdict(&mut answer, &next(&mut input, &mut blob)?);
        }
        output.write_all(&answer)?;
        output.flush()?;
        served += count;
    }
    Ok(())
}

/// Reads a blob and looks at it.
fn next(input: &mut impl Read, blob: &mut Vec<u8>) -> io::Result<Verdict> {
    let mut kind = [0];
    input.read_exact(&mut kind)?;
    let kind = BlobKind::of(kind[0]).ok_or_else(|| invalid("a blob of an unknown kind"))?;
    let length = count(input)?.filter(|length| *length <= MOST_BYTES);
    blob.resize(length.ok_or_else(|| invalid("a blob longer than there may be"))?, 0);
    input.read_exact(blob)?;
    let outcome = match kind {
        BlobKind::Update => examine(blob),
        BlobKind::Kept => examine_kept(blob),
    };
    Ok(match outcome {
        Ok(()) => Verdict::Sound,
        Err(refusal) => Verdict::Refused(refusal.to_string()),
    })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// A number; nothing where the input ends before it.
fn count(input: &mut impl Read) -> io::Result<Option<usize>> {
    let mut bytes = [0; 4];
    match input.read_exact(&mut bytes) {
        Ok(()) => Ok(usize::try_from(u32::from_le_bytes(bytes)).ok()),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{
        super::frames::{Blob, batch, verdicts},
        *,
    };

    #[test]
    fn each_blob_has_its_verdict() {
        let blob = |kind, bytes| Blob { kind, bytes: Bytes::from_static(bytes) };
        let blobs = [blob(BlobKind::Update, b"nonsense"), blob(BlobKind::Kept, b"")];
        let mut input = batch(blobs.iter());
        input.extend(batch([].iter()));
        let mut output = Vec::new();
        serve(&input[..], &mut output).expect("the input ends well");
        let said = verdicts(&output, 2).expect("verdicts").expect("two of them");
        assert!(said.iter().all(|verdict| matches!(verdict, Verdict::Refused(_))), "{said:?}");
    }

    #[test]
    fn what_no_server_says_ends_it() {
        let wrong: [&[u8]; 4] = [
            &[255; 4],
            &[1, 0, 0, 0, 9],
            &[1, 0, 0, 0, 0, 255, 255, 255, 255],
            &[1, 0, 0, 0, 0, 9, 0, 0, 0, 1],
        ];
        for input in wrong {
            assert!(serve(input, Vec::new()).is_err(), "{input:?}");
        }
        assert!(serve(&[1, 0][..], Vec::new()).is_ok(), "the end of the input");
    }
}
