//! Energies as float16 on their way to the host: half the bytes.

/// The number that the bits of a float16 are, exactly.
pub(super) fn from_half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let rest = u32::from(bits & 0x7fff);
    match rest {
        0x7c00.. => f32::from_bits(sign | 0x7f80_0000 | (rest & 0x3ff) << 13),
        0x400.. => f32::from_bits(sign | ((rest << 13) + 0x3800_0000)),
        // Subnormal: multiples of 2^-24.
        _ => f32::from_bits(sign | (rest as f32 / 16_777_216.0).to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_the_standard_says() {
        for (bits, value) in [
            (0x0000, 0.0f32),
            (0x0001, 2f32.powi(-24)),
            (0x03ff, 1023.0 * 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x3c00, 1.0),
            (0x3c01, 1.0 + 2f32.powi(-10)),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
            (0x8001, -(2f32.powi(-24))),
        ] {
            assert_eq!(from_half(bits).to_bits(), value.to_bits(), "{bits:04x}");
        }
        assert!(from_half(0x7e00).is_nan() && from_half(0xfc01).is_nan());
    }
}
