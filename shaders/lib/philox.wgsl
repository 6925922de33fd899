// philox.wgsl — the counter-based generator Philox4x32-10 of Salmon, Moraes, Dror and Shaw (2011).
//
// Four random words from a counter of four words and a key of two. Integers only: every device gives the same bits, and so
// does `philox4x32_10` in ops/random.rs.

// High word of a b, by 16-bit halves: the language has no wide product.
fn mul_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let mid = ah * bl + ((al * bl) >> 16u);
    let low = al * bh + (mid & 0xffffu);
    return ah * bh + (mid >> 16u) + (low >> 16u);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let h0 = mul_high(0xD2511F53u, c.x);
        let h1 = mul_high(0xCD9E8D57u, c.z);
        c = vec4(h1 ^ c.y ^ k.x, 0xCD9E8D57u * c.z, h0 ^ c.w ^ k.y, 0xD2511F53u * c.x);
        k += vec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

// In (0, 1): 23 bits and a half, exact in f32, so neither end occurs and no device rounds.
fn unit(word: u32) -> f32 {
    return (f32(word >> 9u) + 0.5) * 1.1920928955078125e-7;
}

// Two normal numbers from two words (Box and Muller).
fn normal_pair(a: u32, b: u32) -> vec2<f32> {
    let angle = sincos_turns(unit(b));
    return sqrt(-2.0 * ln(unit(a))) * vec2(angle.y, angle.x);
}
