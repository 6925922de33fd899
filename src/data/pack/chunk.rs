//! What is done to the bytes of a chunk: HDF5's shuffle and deflate filters.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::deflate::deflate;

/// What the values of a dataset are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::data) enum Kind {
    /// Energies and labels: noise but for zeros and exponents.
    #[default]
    Real,
    /// Indices, of which sequences come again.
    Index,
}

/// How the chunks of a dataset are packed.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::data) struct Packing {
    pub kind: Kind,
    /// Bytes of a value.
    pub size: usize,
    /// 0, not at all, to 9: see [`Storage`](crate::data::Storage).
    pub level: u8,
}

/// A chunk's values as they are in memory, and what is written in their place.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub packing: Packing,
    pub bytes: Vec<u8>,
    pub packed: Vec<u8>,
}

/// Packs a chunk; `shuffled` is memory that may be used.
pub(super) fn pack(chunk: &mut Chunk, shuffled: &mut Vec<u8>) -> io::Result<()> {
    let Packing { kind, size, level } = chunk.packing;
    shuffle(&chunk.bytes, size, shuffled);
    let packed = &mut chunk.packed;
    packed.clear();
    if kind == Kind::Real {
        deflate(shuffled, size, packed);
        if level == 1 {
            return Ok(());
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level.into()));
    encoder.write_all(shuffled)?;
    let other = encoder.finish()?;
    if packed.is_empty() || other.len() < packed.len() {
        *packed = other;
    }
    Ok(())
}

/// HDF5's shuffle filter: the first bytes of all values, then the second ones, and so on.
fn shuffle(bytes: &[u8], size: usize, out: &mut Vec<u8>) {
    out.clear();
    let (words, rest) = bytes.as_chunks::<4>();
    if size == 4 && rest.is_empty() {
        for plane in 0..4 {
            let of_word = |w: &[u8; 4]| (u32::from_le_bytes(*w) >> (8 * plane)) as u8;
            out.extend(words.iter().map(of_word));
        }
        return;
    }
    for plane in 0..size {
        out.extend(bytes.iter().skip(plane).step_by(size));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_the_same_byte_of_all_values() {
        let mut out = vec![9];
        for size in [1, 3, 4, 8] {
            let values = 37;
            let bytes: Vec<u8> = (0..size * values).map(|i| (i * 7 + i / 5) as u8).collect();
            shuffle(&bytes, size, &mut out);
            assert_eq!(out.len(), bytes.len());
            for (i, &byte) in bytes.iter().enumerate() {
                assert_eq!(
                    out[i % size * values + i / size],
                    byte,
                    "byte {i} of {size}"
                );
            }
        }
    }

    /// Whatever the level, no chunk is larger than at a lower one.
    #[test]
    fn levels_do_not_make_chunks_larger() {
        let mut state = 1u64;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u32
        };
        // Noise, noise that comes again, and zeros with few values between them.
        let noise: Vec<u32> = (0..5_001).map(|_| next()).collect();
        let again: Vec<u32> = (0..20_003).map(|i| noise[i % 997]).collect();
        let few = (0..20_003).map(|_| if next() % 9 == 0 { next() } else { 0 });
        for values in [noise, again, few.collect()] {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
            for kind in [Kind::Real, Kind::Index] {
                let sizes = [1, 2, 9].map(|level| {
                    let packing = Packing {
                        kind,
                        size: 4,
                        level,
                    };
                    let mut chunk = Chunk {
                        packing,
                        bytes: bytes.clone(),
                        packed: vec![1, 2, 3],
                    };
                    let mut shuffled = Vec::new();
                    pack(&mut chunk, &mut shuffled).unwrap();
                    let mut back = Vec::new();
                    flate2::write::ZlibDecoder::new(&mut back)
                        .write_all(&chunk.packed)
                        .unwrap();
                    assert!(back == shuffled, "{kind:?} at level {level}");
                    chunk.packed.len()
                });
                assert!(sizes.is_sorted_by(|a, b| a >= b), "{kind:?}: {sizes:?}");
            }
        }
    }
}
