//! A cursor over untrusted bytes that says what it expected, and where.

use bytes::{Buf as _, Bytes};

/// What was expected at which byte, and what stood there instead.
#[derive(Debug)]
pub(crate) struct Mismatch {
    pub(crate) expected: &'static str,
    pub(crate) offset: usize,
    pub(crate) found: String,
}

pub(crate) struct Reader {
    rest: Bytes,
    offset: usize,
}

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// A mismatch at the present offset.
    pub(crate) fn mismatch(&self, expected: &'static str, found: impl Into<String>) -> Mismatch {
        Mismatch { expected, offset: self.offset, found: found.into() }
    }

    fn cut_short(&self, expected: &'static str) -> Mismatch {
        let found = match self.remaining() {
            0 => "the end of the frame".to_owned(),
            left => format!("{} and the end of the frame", byte_count(left)),
        };
        self.mismatch(expected, found)
    }

    pub(crate) fn byte(&mut self, expected: &'static str) -> Result<u8, Mismatch> {
        if self.rest.is_empty() {
            return Err(self.cut_short(expected));
        }
        self.offset += 1;
        Ok(self.rest.get_u8())
    }

    pub(crate) fn array<const LENGTH: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; LENGTH], Mismatch> {
        let Some(array) = self.rest.first_chunk::<LENGTH>().copied() else {
            return Err(self.cut_short(expected));
        };
        self.rest.advance(LENGTH);
        self.offset += LENGTH;
        Ok(array)
    }

    /// A LEB128 number of at most 64 bits.
    pub(crate) fn var_uint(&mut self, expected: &'static str) -> Result<u64, Mismatch> {
        let start = self.offset;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(expected)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Mismatch { expected, offset: start, found: "a number of more than 64 bits".to_owned() })
    }

    /// A length and that many bytes, as a slice of the frame.
    pub(crate) fn var_bytes(&mut self, expected: &'static str) -> Result<Bytes, Mismatch> {
        let start = self.offset;
        let claimed = self.var_uint(expected)?;
        let Some(length) = usize::try_from(claimed).ok().filter(|length| *length <= self.remaining()) else {
            let found = format!("a length of {claimed} with {} left", byte_count(self.remaining()));
            return Err(Mismatch { expected, offset: start, found });
        };
        self.offset += length;
        Ok(self.rest.split_to(length))
    }

    /// A length and that many bytes of UTF-8.
    pub(crate) fn var_text(&mut self, expected: &'static str) -> Result<String, Mismatch> {
        let start = self.offset;
        let bytes = self.var_bytes(expected)?;
        match str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => {
                let found = format!("bytes that are not UTF-8 from byte {} on", error.valid_up_to());
                Err(Mismatch { expected, offset: start, found })
            }
        }
    }

    /// That nothing is left.
    pub(crate) fn end(&self) -> Result<(), Mismatch> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.mismatch("the end of the frame", format!("{} more", byte_count(left)))),
        }
    }
}

fn byte_count(bytes: usize) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        bytes => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &'static [u8], expected: Result<u64, &str>) {
        let found = Reader::new(Bytes::from_static(bytes)).var_uint("a number").map_err(|error| error.found);
        assert_eq!(found, expected.map_err(str::to_owned), "{bytes:02x?}");
    }

    #[test]
    fn numbers_have_at_most_64_bits() {
        check(&[0x00], Ok(0));
        check(&[0x7f], Ok(127));
        check(&[0x80, 0x01], Ok(128));
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x20], Ok(1 << 40));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok(u64::MAX));
        check(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            Err("a number of more than 64 bits"),
        );
        check(&[0x80; 11], Err("a number of more than 64 bits"));
        check(&[0x80, 0x80], Err("the end of the frame"));
    }
}
