//! A fast encoder of zlib streams (RFC 1950 and 1951) for shuffled energies.
//!
//! After HDF5's shuffle filter showers are planes of bytes: zeros in long runs, exponents of few values, and mantissas that
//! are noise. So the only matches looked for are runs of one byte, every part of a plane has a Huffman code of its own, and
//! what that hardly shrinks is stored as it is. Of Geant4's showers this makes smaller streams than zlib's level 9, as matches
//! of few bytes far back cost more than the bytes, and three to ten times as fast as its level 1; only of showers that repeat
//! one another, as a VAE's images do, zlib's high levels save up to 4 % more. The stream follows from the bytes alone.

use std::ops::Range;

use super::bits::Bits;
use super::huffman::{Header, code_lengths, codes};

/// Bytes of a block at most: what a stored one can hold.
const BLOCK: usize = 0xffff;

/// Shortest and longest run, and symbol that ends a block.
const SHORTEST: usize = 3;
const LONGEST: usize = 258;
const END: usize = 256;

/// Literals, the end, and lengths.
const SYMBOLS: usize = 286;

/// Bits of a code at most.
const LONGEST_CODE: u8 = 15;

/// Literals, then a run of the byte before: none where `run` is 0.
#[derive(Clone, Copy)]
struct Token {
    literals: u16,
    run: u16,
}

/// Appends the zlib stream of `bytes`, which are `planes` planes of equal length, one after the other.
pub(super) fn deflate(bytes: &[u8], planes: usize, out: &mut Vec<u8>) {
    out.extend([0x78, 0x01]);
    let mut bits = Bits::new(out);
    let mut tokens = Vec::new();
    let plane = bytes.len().div_ceil(planes.max(1)).max(1);
    // No block reaches over the end of a plane.
    let block = plane.div_ceil(plane.div_ceil(BLOCK));
    let ends = (0..bytes.len()).step_by(plane).flat_map(|from| {
        let to = (from + plane).min(bytes.len());
        (from..to).step_by(block).map(move |b| (b + block).min(to))
    });
    let mut from = 0;
    for to in ends {
        tokens.clear();
        runs(bytes, from..to, &mut tokens);
        encode(bytes, from..to, to == bytes.len(), &tokens, &mut bits);
        from = to;
    }
    if bytes.is_empty() {
        bits.stored(&[], true);
    }
    bits.align();
    out.extend(simd_adler32::adler32(&bytes).to_be_bytes());
}

/// Finds the runs of a block.
fn runs(bytes: &[u8], block: Range<usize>, tokens: &mut Vec<Token>) {
    const ONES: u64 = u64::MAX / 0xff;
    const LOW: u64 = ONES * 0x7f;
    let end = block.end;
    let (mut at, mut literal) = (block.start, block.start);
    let push = |tokens: &mut Vec<Token>, literals: usize, run: usize| {
        tokens.push(Token {
            literals: literals as u16,
            run: run as u16,
        });
    };
    if at == 0 {
        at = 1;
    }
    while let Some(word) = bytes[..end].get(at..at + 8) {
        let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
        // A byte is 0 where it equals the one before; then its upper bit alone is set.
        let change = word ^ (word << 8 | u64::from(bytes[at - 1]));
        let same = !(((change & LOW) + LOW) | change | LOW);
        let three = same & same >> 8 & same >> 16;
        if three == 0 {
            // A run may begin with the last two.
            at += 6;
            continue;
        }
        at += three.trailing_zeros() as usize / 8;
        let value = bytes[at - 1];
        let mut past = at + SHORTEST;
        let all = ONES * u64::from(value);
        loop {
            let Some(word) = bytes[..end].get(past..past + 8) else {
                past += bytes[past..end].iter().take_while(|&&b| b == value).count();
                break;
            };
            let other = u64::from_le_bytes(word.try_into().unwrap_or_default()) ^ all;
            if other != 0 {
                past += other.trailing_zeros() as usize / 8;
                break;
            }
            past += 8;
        }
        while past - at >= SHORTEST {
            let run = (past - at).min(LONGEST);
            push(tokens, at - literal, run);
            at += run;
            literal = at;
        }
        at = past;
    }
    if literal < end {
        push(tokens, end - literal, 0);
    }
}

/// Appends a block with the code that suits it, or as it is.
fn encode(bytes: &[u8], block: Range<usize>, last: bool, tokens: &[Token], out: &mut Bits) {
    let bytes = &bytes[block];
    let (mut counts, mut extra) = ([0u32; SYMBOLS], 0);
    counts[END] = 1;
    let mut at = 0;
    for token in tokens {
        let literals = usize::from(token.literals);
        for &byte in &bytes[at..at + literals] {
            counts[usize::from(byte)] += 1;
        }
        if token.run > 0 {
            let (symbol, bits, _) = length_symbol(token.run.into());
            counts[symbol] += 1;
            // The distance, 1, is a bit.
            extra += bits as usize + 1;
        }
        at += literals + usize::from(token.run);
    }
    let lengths = code_lengths(&counts, LONGEST_CODE);
    let header = Header::new(&lengths);
    let coded: usize = counts
        .iter()
        .zip(&lengths)
        .map(|(&n, &l)| n as usize * l as usize)
        .sum();
    let total = header.bits + coded + extra;
    // What saves a thirty-second part is not worth the time of coding, and of decoding.
    if total > bytes.len() * 8 * 31 / 32 {
        return out.stored(bytes, last);
    }
    out.reserve(total);
    header.write(last, out);
    let codes = codes(&lengths);
    let mut of_run = [(0u64, 0u32); LONGEST + 1];
    for (run, code) in of_run.iter_mut().enumerate().skip(SHORTEST) {
        let (symbol, bits, value) = length_symbol(run);
        let (own, length) = codes[symbol];
        *code = (own | u64::from(value) << length, length + bits + 1);
    }
    let mut at = 0;
    for token in tokens {
        let literals = usize::from(token.literals);
        // Three codes of 15 bits, or one and a run, stay below 56 bits.
        for three in bytes[at..at + literals].chunks(3) {
            for &byte in three {
                out.put(codes[usize::from(byte)]);
            }
            out.flush();
        }
        if token.run > 0 {
            out.put(of_run[usize::from(token.run)]);
            out.flush();
        }
        at += literals + usize::from(token.run);
    }
    out.put(codes[END]);
    out.flush();
}

/// The symbol of the length of a run, the number of bits behind it, and their value.
fn length_symbol(length: usize) -> (usize, u32, u32) {
    match length - SHORTEST {
        255 => (285, 0, 0),
        small @ 0..=7 => (257 + small, 0, 0),
        rest => {
            let bits = rest.ilog2() - 2;
            (
                257 + 4 * bits as usize + (rest >> bits),
                bits,
                rest as u32 & ((1 << bits) - 1),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// The stream, once it is seen to be that of the bytes: by another library, check sum included, and to its last byte.
    fn checked(bytes: &[u8], planes: usize) -> Vec<u8> {
        let mut stream = vec![7];
        deflate(bytes, planes, &mut stream);
        assert_eq!(stream.remove(0), 7);
        let mut decoder = flate2::read::ZlibDecoder::new(&stream[..]);
        let mut back = Vec::new();
        decoder.read_to_end(&mut back).unwrap();
        assert!(back == bytes, "{} bytes in {planes} planes", bytes.len());
        assert_eq!(decoder.total_in() as usize, stream.len());
        stream
    }

    fn noise(seed: u64) -> impl FnMut() -> u32 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        }
    }

    #[test]
    fn bytes_come_back_whatever_they_are() {
        for planes in [1, 3, 4, 8] {
            for length in [0, 1, 2, 3, 8, 9, 10, 257, 65_535, 65_536, 200_003] {
                checked(&vec![0; length], planes);
                checked(&vec![200; length], planes);
                let mut next = noise(length as u64);
                checked(
                    &(0..length).map(|_| next() as u8).collect::<Vec<_>>(),
                    planes,
                );
                let few = (0..length).map(|_| (next() % 5 / 4 * next()) as u8);
                checked(&few.collect::<Vec<_>>(), planes);
            }
        }
    }

    /// Every length of a run, behind an equal byte, at every place within a word.
    #[test]
    fn runs_of_every_length() {
        let mut bytes = vec![0];
        for run in 1..800 {
            bytes.extend(std::iter::repeat_n((run % 3) as u8, run));
            bytes.extend((0..run % 11).map(|i| 100 + i as u8));
        }
        let stream = checked(&bytes, 1);
        assert!(stream.len() < bytes.len() / 30, "{} bytes", stream.len());
    }

    /// Weights for which a Huffman code is as long as can be: every limit is kept, and codes are complete.
    #[test]
    fn codes_keep_their_limit() {
        let mut counts = [0u32; 40];
        (counts[0], counts[1]) = (1, 1);
        for i in 2..40 {
            counts[i] = counts[i - 1] + counts[i - 2];
        }
        for limit in [6, 7, 15, 39] {
            let lengths = code_lengths(&counts, limit);
            assert!(lengths.iter().all(|&l| (1..=limit).contains(&l)));
            let sum: u64 = lengths.iter().map(|&l| 1 << (39 - l)).sum();
            assert_eq!(sum, 1 << 39, "limit {limit}: {lengths:?}");
        }
        // In a stream: the bytes so often, in an order without runs.
        let mut bytes: Vec<u8> = (0u8..20)
            .flat_map(|s| std::iter::repeat_n(s, counts[usize::from(s)] as usize))
            .collect();
        let mut next = noise(5);
        for i in (1..bytes.len()).rev() {
            bytes.swap(i, next() as usize % (i + 1));
        }
        let stream = checked(&bytes, 1);
        // Such counts, a geometric distribution, have an entropy of 2.5 bits a byte.
        assert!(stream.len() < bytes.len() * 3 / 8, "{}", stream.len());
    }

    #[test]
    fn noise_is_stored() {
        let mut next = noise(3);
        let bytes: Vec<u8> = (0..100_000).map(|_| next() as u8).collect();
        let stream = checked(&bytes, 4);
        assert_eq!(stream.len(), bytes.len() + 2 + 4 * 5 + 4);
    }
}
