//! The guard's side: a process that decodes what it is sent until it is sent no more.

use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};

use corella_rowdoc::examine;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::frames::{MOST_BYTES, MOST_UPDATES, Verdict, push_verdict};

/// Most memory of a guard, in bytes; whoever asks for more dies of it.
const MOST_MEMORY: u64 = 2 << 30;
/// Updates after which a guard makes room for a fresh one, so that what Loro leaks does not add up.
const MOST_SERVED: usize = 1_000_000;

/// Serves the process that holds the other end of `input` and `output`, until it lets go of them.
///
/// # Errors
/// When they break, or say what no server says.
pub fn run(input: impl Read, output: impl Write) -> io::Result<()> {
    limit()?;
    serve(BufReader::new(input), BufWriter::new(output))
}

/// Bounds what this process may take.
fn limit() -> io::Result<()> {
    let most = |amount| Rlimit { current: Some(amount), maximum: Some(amount) };
    setrlimit(Resource::As, most(MOST_MEMORY))?;
    setrlimit(Resource::Core, most(0))?;
    Ok(())
}

fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut served = 0;
    while served < MOST_SERVED {
        let Some(count) = count(&mut input)? else { return Ok(()) };
        if count > MOST_UPDATES {
            return Err(invalid("a batch of more updates than there may be"));
        }
        let mut answer = Vec::with_capacity(count);
        for _ in 0..count {
            let length = self::count(&mut input)?.filter(|length| *length <= MOST_BYTES);
            let length = length.ok_or_else(|| invalid("an update longer than there may be"))?;
            let mut update = vec![0; length];
            input.read_exact(&mut update)?;
            let verdict = match examine(&update) {
                Ok(()) => Verdict::Sound,
                Err(refusal) => Verdict::Refused(refusal.to_string()),
            };
            push_verdict(&mut answer, &verdict);
        }
        output.write_all(&answer)?;
        output.flush()?;
        served += count;
    }
    Ok(())
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
    use super::{super::frames::batch, *};

    #[test]
    fn each_update_has_its_verdict() {
        let updates: [&[u8]; 2] = [b"nonsense", b""];
        let mut input = batch(updates.into_iter());
        input.extend(batch(std::iter::empty::<&[u8]>().collect::<Vec<_>>().into_iter()));
        let mut output = Vec::new();
        serve(&input[..], &mut output).expect("the input ends well");
        assert_eq!(output[0], 1);
        let reason = usize::from(u16::from_le_bytes([output[1], output[2]]));
        assert_eq!(output[3 + reason], 1, "the second follows the first");
    }

    #[test]
    fn what_no_server_says_ends_it() {
        for input in [&[255; 4][..], &[1, 0, 0, 0, 255, 255, 255, 255], &[1, 0, 0, 0, 9, 0, 0, 0, 1]] {
            assert!(serve(input, Vec::new()).is_err(), "{input:?}");
        }
        assert!(serve(&[1, 0][..], Vec::new()).is_ok(), "the end of the input");
    }
}
