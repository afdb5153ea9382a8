//! One guard as the server sees it: a child process behind two pipes.

use std::{
    ffi::OsString,
    io::{self, ErrorKind, Read as _, Write as _},
    os::fd::AsFd as _,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionbio,
};

use super::frames::{Blob, BlobKind, Verdict, batch, verdicts};

/// How long a fresh guard may take to give its first answer.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// How guards are to be run.
#[derive(Debug, Clone)]
pub struct GuardPoolOptions {
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// How many look at blobs at the same time.
    pub count: usize,
}

/// Whether a guard has answered.
pub(super) enum Answer {
    Whole(Vec<Verdict>),
    /// Not within the time given; it may still.
    Awaited,
}

/// A child process; dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// What has come of the answer that is awaited.
    answer: Vec<u8>,
}

impl Process {
    pub(super) fn start(options: &GuardPoolOptions) -> io::Result<Self> {
        metrics::counter!("corella_guards_started_total").increment(1);
        let mut child = Command::new(&options.program)
            .args(&options.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let gone = || io::Error::other("the guard has no pipes");
        let (input, output) = (child.stdin.take().ok_or_else(gone)?, child.stdout.take().ok_or_else(gone)?);
        ioctl_fionbio(&input, true)?;
        ioctl_fionbio(&output, true)?;
        let mut process = Self { child, input, output, answer: Vec::new() };
        process.probe()?;
        Ok(process)
    }

    /// Asks for a verdict that is known, so that what is no guard, or cannot work here, is not held against a blob.
    fn probe(&mut self) -> io::Result<()> {
        let until = Instant::now() + PROBE_TIME;
        let probe = Blob { kind: BlobKind::Kept, bytes: Bytes::new() };
        self.send(&batch([&probe].into_iter()), until)?;
        match self.receive(1, until)? {
            Answer::Whole(verdicts) if matches!(verdicts[..], [Verdict::Refused(_)]) => Ok(()),
            Answer::Whole(_) => Err(io::Error::other("it takes what is no update for one")),
            Answer::Awaited => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// Sends a batch; to be called once the batch before is answered.
    pub(super) fn send(&mut self, mut batch: &[u8], until: Instant) -> io::Result<()> {
        self.answer.clear();
        while !batch.is_empty() {
            match self.input.write(batch) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => batch = &batch[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !ready(&PollFd::new(&self.input, PollFlags::OUT), until)? {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for the verdicts on a batch of `count` blobs.
    pub(super) fn receive(&mut self, count: usize, until: Instant) -> io::Result<Answer> {
        let mut piece = [0; 1024];
        loop {
            if !ready(&PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN), until)? {
                return Ok(Answer::Awaited);
            }
            let length = match self.output.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.answer.extend_from_slice(&piece[..length]);
            let read = verdicts(&self.answer, count);
            let read = read.map_err(|_| io::Error::new(ErrorKind::InvalidData, "a verdict that is none"))?;
            if let Some(verdicts) = read {
                return Ok(Answer::Whole(verdicts));
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until a pipe can be used, or has broken; false when the time has come before.
fn ready(pipe: &PollFd<'_>, until: Instant) -> io::Result<bool> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match poll(&mut [pipe.clone()], Some(&timespec(left))) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    let tv_sec = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: duration.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_guard_is_not_started() {
        for program in ["true", "cat", "no-such-program"] {
            let options = GuardPoolOptions { program: program.into(), arguments: Vec::new(), count: 1 };
            assert!(Process::start(&options).is_err(), "{program}");
        }
    }
}
