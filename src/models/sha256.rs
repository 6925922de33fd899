//! SHA-256 (FIPS 180-4), by which weights are told apart: fifty lines in place of eight crates.

use std::sync::LazyLock;

const WORDS: usize = 64;

/// First 32 bits of the fractional part of the `root`-th root of each of the first primes, exactly.
fn fractions<const N: usize>(root: u32) -> [u32; N] {
    let mut primes = (2u128..).filter(|p| (2..*p).take_while(|d| d * d <= *p).all(|d| p % d != 0));
    std::array::from_fn(|_| {
        let prime = primes.next().unwrap_or_default() << (32 * root);
        // The largest x with x^root <= prime * 2^(32 root), bit by bit.
        let bits = (0..36).rev().fold(0u128, |x, bit| {
            let larger = x | 1 << bit;
            if larger.pow(root) <= prime { larger } else { x }
        });
        bits as u32
    })
}

static ROUND: LazyLock<[u32; WORDS]> = LazyLock::new(|| fractions(3));

/// The digest of `bytes` in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let mut state: [u32; 8] = fractions(2);
    let whole = bytes.chunks_exact(64);
    let mut last = whole.remainder().to_vec();
    last.push(0x80);
    last.resize((last.len() + 8).next_multiple_of(64) - 8, 0);
    last.extend((bytes.len() as u64 * 8).to_be_bytes());
    whole
        .chain(last.chunks_exact(64))
        .for_each(|block| compress(&mut state, block, &ROUND));
    state.map(|word| format!("{word:08x}")).concat()
}

fn compress(state: &mut [u32; 8], block: &[u8], round: &[u32; WORDS]) {
    let mut w = [0u32; WORDS];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().fold(0, |sum, &b| sum << 8 | u32::from(b));
    }
    for i in 16..WORDS {
        let (a, b) = (w[i - 15], w[i - 2]);
        let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        w[i] = [w[i - 16], s0, w[i - 7], s1]
            .into_iter()
            .fold(0, u32::wrapping_add);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..WORDS {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let t1 = [h, s1, choice, round[i], w[i]]
            .into_iter()
            .fold(0, u32::wrapping_add);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
        (d, c, b, a) = (c, b, a, t1.wrapping_add(s0).wrapping_add(majority));
    }
    for (sum, word) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *sum = sum.wrapping_add(word);
    }
}

#[cfg(test)]
mod tests {
    use super::sha256;

    /// Examples of FIPS 180-4 and of NIST's test vectors; lengths about the padding's edges against `sha256sum`.
    #[test]
    fn digests_are_those_of_the_standard() {
        let cases: [(Vec<u8>, &str); 5] = [
            (
                b"abc".to_vec(),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                Vec::new(),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".to_vec(),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (
                vec![b'a'; 1_000_000],
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            ),
            (
                vec![b'a'; 119],
                "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb",
            ),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(sha256(&bytes), wanted, "{} bytes", bytes.len());
        }
    }
}
