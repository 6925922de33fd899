//! Damage at random.

/// Numbers by Marsaglia's xorshift64*: the same for a seed on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `n`; 0 for none.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n.max(1)
    }

    /// One of a list.
    pub fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Numbers that readers forget.
const EXTENTS: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    u64::MAX - 7,
    u64::MAX,
];

/// The same in text, and what stands around them.
const WORDS: [&str; 30] = [
    "0",
    "-1",
    "1",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999",
    "1e300",
    "1e-300",
    "-0.0",
    "nan",
    "NaN",
    "inf",
    "null",
    "true",
    "[]",
    "{}",
    "[[",
    "\"\"",
    "\"",
    "{",
    "}",
    ",",
    ":",
    "=",
    "\u{0}",
    "\u{fffd}",
    "\n",
    "F16",
    "<f8",
];

/// A copy of one of the seeds with some damage.
pub fn damaged(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.of(seeds).clone();
    for _ in 0..1 + random.below(6) {
        damage(random, &mut bytes, seeds);
    }
    bytes
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.below(bytes.len());
    let end = bytes.len().min(at + 1 + random.below(64));
    match random.below(10) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = random.next() as u8,
        3 => {
            let value = random.of(&EXTENTS).to_le_bytes();
            let size = *random.of(&[1, 2, 4, 8]);
            for (to, from) in bytes[at..].iter_mut().zip(&value[..size]) {
                *to = *from;
            }
        }
        4 => {
            bytes.drain(at..end);
        }
        5 => {
            let part = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, part);
        }
        6 => {
            let other = random.of(seeds);
            let from = random.below(other.len());
            let part = other[from..other.len().min(from + 1 + random.below(256))].to_vec();
            let to = end.min(at + part.len());
            bytes.splice(at..to, part);
        }
        7 if random.once_in(4) => bytes.truncate(at),
        8 | 9 => number(random, bytes, at),
        _ => {}
    }
}

/// Puts a word for the first number of the text from `at` on, or there.
fn number(random: &mut Random, bytes: &mut Vec<u8>, at: usize) {
    let digit = |b: &u8| b.is_ascii_digit();
    let near = &bytes[at..bytes.len().min(at + 256)];
    let (from, to) = match near.iter().position(digit) {
        Some(first) => {
            let rest = near[first..].iter().take_while(|b| digit(b)).count();
            (at + first, at + first + rest)
        }
        None => (at, at),
    };
    bytes.splice(from..to, random.of(&WORDS).bytes());
}
