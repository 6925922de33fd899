//! Huffman codes of a deflate block: their lengths, the codes, and the header that sends them.

use super::bits::Bits;

/// Order in which the lengths of the code of code lengths are sent, and how long these may be.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];
const LONGEST: u8 = 7;

/// Fewest lengths of literals and of the code of code lengths that a header sends.
const LITERALS: usize = 257;
const FEWEST: usize = 4;

/// Lengths of a Huffman code of symbols that occur so often, none longer than `limit`; 0 for one that does not occur. At least
/// two must.
pub(super) fn code_lengths<const N: usize>(counts: &[u32; N], limit: u8) -> [u8; N] {
    let mut lengths = [0; N];
    let mut leaves: Vec<(u32, usize)> = (0..N)
        .filter(|&s| counts[s] > 0)
        .map(|s| (counts[s], s))
        .collect();
    leaves.sort_unstable();
    loop {
        // Nodes come with rising weights, so the two lightest are first among leaves or nodes that have no parent yet.
        let n = leaves.len();
        let mut weights: Vec<u32> = leaves.iter().map(|leaf| leaf.0).collect();
        let mut parents = vec![0; 2 * n - 1];
        let (mut leaf, mut node) = (0, n);
        for parent in n..2 * n - 1 {
            let mut weight = 0;
            for _ in 0..2 {
                let lightest = if leaf < n && (node == parent || weights[leaf] <= weights[node]) {
                    &mut leaf
                } else {
                    &mut node
                };
                weight += weights[*lightest];
                parents[*lightest] = parent;
                *lightest += 1;
            }
            weights.push(weight);
        }
        let mut depths = vec![0u8; 2 * n - 1];
        for i in (0..2 * n - 2).rev() {
            depths[i] = depths[parents[i]] + 1;
        }
        if depths[..n].iter().all(|&depth| depth <= limit) {
            for (&(_, symbol), &depth) in leaves.iter().zip(&depths) {
                lengths[symbol] = depth;
            }
            return lengths;
        }
        // Weights that differ less make codes that differ less.
        for leaf in &mut leaves {
            leaf.0 = leaf.0.div_ceil(2);
        }
    }
}

/// Codes of these lengths, as they are sent: the first bit lowest.
pub(super) fn codes<const N: usize>(lengths: &[u8; N]) -> [(u64, u32); N] {
    let mut used = [0u32; 16];
    for &length in lengths.iter().filter(|l| **l > 0) {
        used[usize::from(length)] += 1;
    }
    // The first code of each length follows the last one of the length before, with a 0 more.
    let mut next = [0u32; 16];
    for length in 1..next.len() {
        next[length] = (next[length - 1] + used[length - 1]) << 1;
    }
    let mut codes = [(0, 0); N];
    for (code, &length) in codes.iter_mut().zip(lengths).filter(|(_, l)| **l > 0) {
        let own = &mut next[usize::from(length)];
        let reversed = own.reverse_bits() >> (32 - u32::from(length));
        *code = (reversed.into(), length.into());
        *own += 1;
    }
    codes
}

/// The lengths of a block's codes, as they are sent.
pub(super) struct Header {
    /// Symbols of the code of code lengths, each with the bits behind it.
    symbols: Vec<(usize, u32, u32)>,
    lengths: [u8; 19],
    literals: usize,
    /// How many bits it takes.
    pub bits: usize,
}

impl Header {
    /// Of a block whose literals and lengths of runs have codes of these lengths, and whose distances are all 1.
    pub fn new(lengths: &[u8]) -> Self {
        let used = lengths.iter().rposition(|&l| l > 0).map_or(0, |i| i + 1);
        let literals = &lengths[..used.max(LITERALS)];
        let mut symbols = Vec::with_capacity(literals.len());
        // Two distances of one bit, of which the first is used: a lone code is not understood by all.
        let all: Vec<u8> = literals.iter().copied().chain([1, 1]).collect();
        for same in all.chunk_by(|a, b| a == b) {
            let (value, mut left) = (usize::from(same[0]), same.len());
            if value > 0 {
                symbols.push((value, 0, 0));
                left -= 1;
            }
            while left > 0 {
                let (symbol, bits, least, most) = match (value, left) {
                    (_, ..3) => (value, 0, 1, 1),
                    (0, 11..) => (18, 7, 11, 138),
                    (0, _) => (17, 3, 3, 10),
                    _ => (16, 2, 3, 6),
                };
                let run = left.min(most);
                symbols.push((symbol, bits, (run - least) as u32));
                left -= run;
            }
        }
        let mut counts = [0; 19];
        symbols.iter().for_each(|s| counts[s.0] += 1);
        let lengths = code_lengths(&counts, LONGEST);
        let sent = Self::sent(&lengths);
        let coded = symbols
            .iter()
            .map(|s| usize::from(lengths[s.0]) + s.1 as usize);
        Self {
            bits: 3 + 14 + 3 * sent + coded.sum::<usize>(),
            literals: literals.len(),
            symbols,
            lengths,
        }
    }

    /// How many lengths of the code of code lengths are sent.
    fn sent(lengths: &[u8; 19]) -> usize {
        ORDER
            .iter()
            .rposition(|&s| lengths[s] > 0)
            .map_or(FEWEST, |i| (i + 1).max(FEWEST))
    }

    pub fn write(&self, last: bool, out: &mut Bits) {
        let sent = Self::sent(&self.lengths);
        out.put((u64::from(last) | 2 << 1, 3));
        out.put(((self.literals - LITERALS) as u64, 5));
        out.put((2 - 1, 5));
        out.put(((sent - FEWEST) as u64, 4));
        out.flush();
        for &symbol in &ORDER[..sent] {
            out.put((self.lengths[symbol].into(), 3));
            out.flush();
        }
        let codes = codes(&self.lengths);
        for &(symbol, bits, value) in &self.symbols {
            out.put(codes[symbol]);
            out.put((value.into(), bits));
            out.flush();
        }
    }
}
