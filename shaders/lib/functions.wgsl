// functions.wgsl — elementwise functions that are more than an operator, for expressions.

// Neither branch overflows for large |v|.
fn sigmoid(v: f32) -> f32 {
    let e = exp_(-abs(v));
    return select(e, 1.0, v >= 0.0) / (1.0 + e);
}

fn tanh_(v: f32) -> f32 {
    let e = exp_m1(-2.0 * abs(v));
    let t = -e / (e + 2.0);
    return select(t, -t, v < 0.0);
}

fn softplus(v: f32) -> f32 {
    return max(v, 0.0) + ln_1p(exp_(-abs(v)));
}

// NaN stays NaN.
fn clamp_(v: f32, low: f32, high: f32) -> f32 {
    return select(clamp(v, low, high), v, is_nan(v));
}

// The larger and the smaller of two; NaN if either is, which drivers' own may drop.
fn larger(a: f32, b: f32) -> f32 {
    return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

fn smaller(a: f32, b: f32) -> f32 {
    return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));
}

// v^k; NaN for a negative v and a fractional exponent. Small whole exponents by multiplication.
fn power(v: f32, k: f32) -> f32 {
    if k == 0.0 { return 1.0; }
    if k == 1.0 { return v; }
    if k == 2.0 { return v * v; }
    if k == 3.0 { return v * v * v; }
    if k == -1.0 { return 1.0 / v; }
    let zero = bitcast<u32>(v) & 0u;
    if v == 0.0 { return select(0.0, bitcast<f32>(zero | 0x7f800000u), k < 0.0); }
    if v < 0.0 && floor(k) != k { return bitcast<f32>(zero | 0x7fc00000u); }
    let r = exp_(k * ln(abs(v)));
    let odd = floor(k * 0.5) * 2.0 != k;
    return select(r, -r, v < 0.0 && odd);
}

fn sign_(v: f32) -> f32 {
    return select(0.0, 1.0, v > 0.0) - select(0.0, 1.0, v < 0.0);
}

// 0 where a is below b. What is not finite stays, to be found; told by its bits, as drivers may take all numbers for finite.
fn cut_below(a: f32, b: f32) -> f32 {
    let finite = (bitcast<u32>(a) & 0x7fffffffu) < 0x7f800000u;
    return select(a, 0.0, finite && b > a);
}

fn truth(v: bool) -> f32 {
    return select(0.0, 1.0, v);
}
