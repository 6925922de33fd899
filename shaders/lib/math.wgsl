// math.wgsl — elementary functions of our own, so that devices agree to rounding.
//
// WGSL leaves exp, log, sin and cos to the device, with errors up to 2^-11. These are within 2 units in the last place
// (exp, ln) or 1e-7 absolute (sincos) for f32, from polynomials after Cephes. Infinities and NaN come from bit patterns
// made at run time and are told by them: the language has no literals for them and may assume that they do not occur.

const LN2_HI = 0.693359375;
const LN2_LO = -2.12194440e-4;

// By its bits: drivers take `v != v` for false.
fn is_nan(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// e^v; 0 below -87.3, infinity above 88.7.
fn exp_(v: f32) -> f32 {
    let x = clamp(v, -87.336, 88.72283);
    let k = floor(x * 1.44269504088896341 + 0.5);
    let r = (x - k * LN2_HI) - k * LN2_LO;
    var q = 1.9875691500e-4;
    q = q * r + 1.3981999507e-3;
    q = q * r + 8.3334519073e-3;
    q = q * r + 4.1665795894e-2;
    q = q * r + 1.6666665459e-1;
    q = q * r + 5.0000001201e-1;
    // k reaches 128, one more than an exponent holds: scale in two steps.
    let half = i32(k) / 2;
    let low = bitcast<f32>(u32(half + 127) << 23u);
    let high = bitcast<f32>(u32(i32(k) - half + 127) << 23u);
    let y = ((q * r * r + r) + 1.0) * low * high;
    if v < -87.336 { return 0.0; }
    if v > 88.72283 { return bitcast<f32>((bitcast<u32>(v) & 0u) | 0x7f800000u); }
    if is_nan(v) { return v; }
    return y;
}

// ln(1 + f) - f for f in [sqrt(1/2) - 1, sqrt(2) - 1].
fn ln_tail(f: f32) -> f32 {
    let z = f * f;
    var q = 7.0376836292e-2;
    q = q * f - 1.1514610310e-1;
    q = q * f + 1.1676998740e-1;
    q = q * f - 1.2420140846e-1;
    q = q * f + 1.4249322787e-1;
    q = q * f - 1.6668057665e-1;
    q = q * f + 2.0000714765e-1;
    q = q * f - 2.4999993993e-1;
    q = q * f + 3.3333331174e-1;
    return f * z * q - 0.5 * z;
}

// Natural logarithm; -infinity at 0, NaN below.
fn ln(v: f32) -> f32 {
    var x = v;
    var shift = 0.0;
    if v < 1.17549435e-38 { x = v * 8388608.0; shift = -23.0; } // subnormal
    let bits = bitcast<u32>(x);
    var e = f32(i32(bits >> 23u) - 126) + shift;
    var m = bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u); // in [1/2, 1)
    if m < 0.70710678 {
        e = e - 1.0;
        m = m + m;
    }
    let f = m - 1.0;
    let y = f + (ln_tail(f) + e * LN2_LO) + e * LN2_HI;
    let sign_and_rest = bitcast<u32>(v);
    if (sign_and_rest & 0x7fffffffu) == 0u { return bitcast<f32>(0xff800000u | (sign_and_rest & 0x7fffffffu)); }
    if (sign_and_rest & 0x80000000u) != 0u { return bitcast<f32>(0x7fc00000u | (sign_and_rest & 1u)); }
    if (sign_and_rest & 0x7f800000u) == 0x7f800000u { return v; }
    return y;
}

// ln(1 + v), right to rounding for small v too. Undoing the rounding of 1 + v by (1 + v) - 1 is no way: WGSL lets a compiler
// make v of that.
fn ln_1p(v: f32) -> f32 {
    if v > -0.29289 && v < 0.41421 { return v + ln_tail(v); }
    return ln(1.0 + v);
}

// e^v - 1, right to rounding for small v too.
fn exp_m1(v: f32) -> f32 {
    if abs(v) < 0.35 {
        var q = 1.9841270e-4;
        q = q * v + 1.3888889e-3;
        q = q * v + 8.3333333e-3;
        q = q * v + 4.1666667e-2;
        q = q * v + 1.6666667e-1;
        q = q * v + 0.5;
        return q * v * v + v;
    }
    return exp_(v) - 1.0;
}

// (sin, cos) of 2 pi u for u in [0, 1): the argument is reduced exactly, in turns, before it is scaled.
fn sincos_turns(u: f32) -> vec2<f32> {
    let octant = floor(u * 4.0 + 0.5);
    let r = (u - octant * 0.25) * 6.28318530717958648;
    let z = r * r;
    let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
    let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
    switch u32(octant) & 3u {
        case 0u: { return vec2(s, c); }
        case 1u: { return vec2(c, -s); }
        case 2u: { return vec2(-s, -c); }
        default: { return vec2(-c, s); }
    }
}
