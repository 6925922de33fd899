// half.wgsl — float32 bits to float16 bits, to nearest, ties to even: `pack2x16float` leaves rounding and overflow to the
// device. What rounds beyond the largest half becomes infinite; NaN stays NaN.

fn half(bits: u32) -> u32 {
    let sign = (bits >> 16u) & 0x8000u;
    let a = bits & 0x7fffffffu;
    if a > 0x7f800000u { return sign | 0x7e00u; }
    if a >= 0x477ff000u { return sign | 0x7c00u; } // half a step above 65504
    if a >= 0x38800000u { // normal: the exponent's bias is 112 smaller
        let r = a - 0x38000000u;
        return sign | ((r + 0xfffu + ((r >> 13u) & 1u)) >> 13u);
    }
    if a < 0x33000000u { return sign; } // less than half of the smallest, 2^-24
    let shift = 126u - (a >> 23u);
    let m = (a & 0x7fffffu) | 0x800000u;
    let q = m >> shift;
    let rest = m & ((1u << shift) - 1u);
    let tie = 1u << (shift - 1u);
    let up = rest > tie || (rest == tie && (q & 1u) == 1u);
    return sign | (q + select(0u, 1u, up));
}

// Float32 bits of a float16, exactly: its smallest number is a normal float32.
fn widened(h: u32) -> u32 {
    let sign = (h & 0x8000u) << 16u;
    let a = h & 0x7fffu;
    if a >= 0x7c00u { return sign | 0x7f800000u | ((a & 0x3ffu) << 13u); }
    if a >= 0x400u { return sign | ((a << 13u) + 0x38000000u); }
    return sign | bitcast<u32>(f32(a) * 0x1p-24);
}
