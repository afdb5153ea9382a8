//! Inputs made of others.

use corella_testkit::Random;

/// Most bytes of an input.
const MOST_BYTES: usize = 16 * 1024;
/// What numbers go wrong with: the ends of their ranges, and long ones in seven bits a byte.
const NUMBERS: [&[u8]; 12] = [
    &[0],
    &[1],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0xff, 0x7f],
    &[0x80, 0x80, 0x04],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x20],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff, 0xff, 0xff, 0x7f],
];

/// Changes inputs at random.
pub(crate) struct Mutator {
    random: Random,
    /// Words that mean something to the target.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub(crate) fn new(random: Random, words: &[String]) -> Self {
        Self { random, words: words.iter().map(|word| word.as_bytes().to_vec()).collect() }
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("a number of bytes");
        usize::try_from(self.random.within(0..end)).expect("a number of bytes")
    }

    /// Another input, made of one of `seeds` and sometimes of a piece of a second.
    pub(crate) fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(5) {
            self.change(&mut input, seeds);
        }
        input.truncate(MOST_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let some = at..(at + 1 + self.below(16)).min(input.len()).max(at);
        match self.below(9) {
            0 | 1 if at < input.len() => {
                let bit = self.below(8);
                input[at] ^= 1 << bit;
            }
            2 if at < input.len() => input[at] = u8::try_from(self.below(256)).expect("a byte"),
            3 => drop(input.splice(some, NUMBERS[self.below(NUMBERS.len())].iter().copied())),
            4 => drop(input.splice(at..at, NUMBERS[self.below(NUMBERS.len())].iter().copied())),
            5 => drop(input.drain(some)),
            6 => {
                let piece = input[some].to_vec();
                drop(input.splice(at..at, piece.repeat(1 + self.below(40))));
            }
            7 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let to = (from + 1 + self.below(64)).min(other.len());
                drop(input.splice(some, other[from..to].iter().copied()));
            }
            8 if !self.words.is_empty() => {
                let place = self.below(self.words.len());
                let word = self.words[place].clone();
                drop(input.splice(some, word));
            }
            _ => input.truncate(at),
        }
    }
}
