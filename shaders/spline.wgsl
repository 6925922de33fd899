// spline.wgsl — monotonic rational quadratic splines (arXiv:1906.04032) on [-bound, bound], the identity outside.
//
//   params [D, 3 BINS - 1, N]: BINS widths, BINS heights, BINS - 1 slopes at the inner knots, all unconstrained
//   w = min_width + (1 - BINS min_width) softmax(widths), heights alike; slope = min_slope + softplus, 1 at both ends
//   in the bin from (x0, y0), of width W, height H, s = H/W, slopes d0 and d1 at its ends:
//   t = (x - x0)/W,  q = d0 + d1 - 2 s,  den = s + q t(1-t),  y = y0 + H (s t² + d0 t(1-t)) / den
//   log|dy/dx| = 2 ln s + ln(d1 t² + 2 s t(1-t) + d0 (1-t)²) - 2 ln den
//
// spline_forward writes y and log|dy/dx|, [2, D, N]; of the inverse with INVERSE. spline_gradient writes the gradients of
// params and, as the last row, of x: [D, 3 BINS, N]. One lane an element, neighbours along N. The parameters are read
// several times instead of held: an array of BINS numbers has no place in registers.

override WG: u32;
override BINS: u32;
override INVERSE: bool;

struct SplineParams { count: u32, n: u32, bound: f32, min_width: f32, min_height: f32, min_slope: f32 }

@group(0) @binding(0) var<uniform> p: SplineParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> params: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> grad: array<f32>;

// Widths or heights: softmax(u)_j = e^(u_j - top) / sum.
struct Axis { first: u32, least: f32, top: f32, sum: f32 }

fn axis(first: u32, least: f32) -> Axis {
    var top = params[first];
    for (var j = 1u; j < BINS; j++) { top = max(top, params[first + j * p.n]); }
    var sum = 0.0;
    for (var j = 0u; j < BINS; j++) { sum += exp_(params[first + j * p.n] - top); }
    return Axis(first, least, top, sum);
}

fn share(a: Axis, j: u32) -> f32 {
    return exp_(params[a.first + j * p.n] - a.top) / a.sum;
}

// Length of bin j.
fn length_of(a: Axis, j: u32) -> f32 {
    return 2.0 * p.bound * (a.least + (1.0 - f32(BINS) * a.least) * share(a, j));
}

// A bin, where it begins and ends, and the shares before it.
struct Bin { index: u32, low: f32, high: f32 }

// The bin that holds v; the same sums on either axis and in either direction, so that knots are the same to the bit.
fn find(a: Axis, v: f32) -> Bin {
    var low = -p.bound;
    for (var j = 0u; j + 1u < BINS; j++) {
        let high = low + length_of(a, j);
        if v < high { return Bin(j, low, high); }
        low = high;
    }
    return Bin(BINS - 1u, low, p.bound);
}

fn bin(a: Axis, index: u32) -> Bin {
    var low = -p.bound;
    for (var j = 0u; j < index; j++) { low += length_of(a, j); }
    return Bin(index, low, select(p.bound, low + length_of(a, index), index + 1u < BINS));
}

// Slope at knot j of BINS + 1, its parameters beginning at `first`.
fn slope(first: u32, j: u32) -> f32 {
    if j == 0u || j == BINS { return 1.0; }
    return p.min_slope + softplus(params[first + (j - 1u) * p.n]);
}

// An element's bin and the place in it: everything that value and gradient are made of.
struct Place { wide: Axis, high: Axis, k: u32, x0: f32, w: f32, y0: f32, h: f32, d0: f32, d1: f32, t: f32 }

fn place(at: u32, v: f32) -> Place {
    var o: Place;
    o.wide = axis(at, p.min_width);
    o.high = axis(at + BINS * p.n, p.min_height);
    var bx: Bin;
    var by: Bin;
    if INVERSE {
        by = find(o.high, v);
        bx = bin(o.wide, by.index);
    } else {
        bx = find(o.wide, v);
        by = bin(o.high, bx.index);
    }
    o.k = bx.index;
    o.x0 = bx.low;
    o.w = bx.high - bx.low;
    o.y0 = by.low;
    o.h = by.high - by.low;
    o.d0 = slope(at + 2u * BINS * p.n, o.k);
    o.d1 = slope(at + 2u * BINS * p.n, o.k + 1u);
    if INVERSE {
        let s = o.h / o.w;
        let q = o.d0 + o.d1 - 2.0 * s;
        let r = v - o.y0;
        let a = o.h * (s - o.d0) + r * q;
        let b = o.h * o.d0 - r * q;
        let c = -s * r;
        // This form of the root does not cancel.
        o.t = 2.0 * c / (-b - sqrt(max(b * b - 4.0 * a * c, 0.0)));
    } else {
        o.t = (v - o.x0) / o.w;
    }
    return o;
}

@compute @workgroup_size(WG)
fn spline_forward(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let v = x[i];
    // Written so that a NaN stays one.
    if !(abs(v) < p.bound) {
        y[i] = v;
        y[p.count + i] = 0.0;
        return;
    }
    let o = place(i / p.n * (3u * BINS - 1u) * p.n + i % p.n, v);
    let s = o.h / o.w;
    let z = o.t * (1.0 - o.t);
    let den = s + (o.d0 + o.d1 - 2.0 * s) * z;
    let m = o.d1 * o.t * o.t + 2.0 * s * z + o.d0 * (1.0 - o.t) * (1.0 - o.t);
    let slope = 2.0 * ln(s) + ln(m) - 2.0 * ln(den);
    y[i] = select(o.y0 + o.h * (s * o.t * o.t + o.d0 * z) / den, o.x0 + o.t * o.w, INVERSE);
    y[p.count + i] = select(slope, -slope, INVERSE);
}

// Gradient of the parameters of an axis: g0 is that of where bin k begins, gl that of its length.
fn pull_axis(a: Axis, k: u32, g0: f32, gl: f32, to: u32) {
    let scale = 2.0 * p.bound * (1.0 - f32(BINS) * a.least);
    var mean = 0.0;
    for (var j = 0u; j <= k; j++) { mean += share(a, j) * select(g0, gl, j == k); }
    for (var j = 0u; j < BINS; j++) {
        var g = 0.0;
        if j <= k { g = select(g0, gl, j == k); }
        grad[to + j * p.n] = scale * share(a, j) * (g - mean);
    }
}

@compute @workgroup_size(WG)
fn spline_gradient(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                   @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let v = x[i];
    let d = i / p.n;
    let n = i % p.n;
    let to = d * 3u * BINS * p.n + n;
    let last = to + (3u * BINS - 1u) * p.n;
    let slopes = to + 2u * BINS * p.n;
    for (var j = 0u; j + 1u < BINS; j++) { grad[slopes + j * p.n] = 0.0; }
    if !(abs(v) < p.bound) {
        for (var j = 0u; j < 2u * BINS; j++) { grad[to + j * p.n] = 0.0; }
        grad[last] = dy[i];
        return;
    }
    let at = d * (3u * BINS - 1u) * p.n + n;
    let o = place(at, v);
    let t = o.t;
    let u = 1.0 - t;
    let z = t * u;
    let s = o.h / o.w;
    let q = o.d0 + o.d1 - 2.0 * s;
    let den = s + q * z;
    let num = s * t * t + o.d0 * z;
    let m = o.d1 * t * t + 2.0 * s * z + o.d0 * u * u;
    let den2 = den * den;
    // Of y and l = log|dy/dx| by t.
    let y_t = o.h * s * m / den2;
    let l_t = 2.0 * (o.d1 * t + s * (1.0 - 2.0 * t) - o.d0 * u) / m - 2.0 * q * (1.0 - 2.0 * t) / den;
    // Cotangents of y and l as functions of x and the parameters. The inverse solves y(x) = v: its x moves by
    // -(dy/dparams) / (dy/dx), and its log-determinant is -l at the moved x.
    var gy = dy[i];
    var gl = dy[p.count + i];
    if INVERSE {
        gy = -(gy - gl * l_t / o.w) * o.w / y_t;
        gl = -gl;
    }
    let gt = gy * y_t + gl * l_t;
    let gs = gy * o.h * (t * t * den - num * (1.0 - 2.0 * z)) / den2
        + gl * (2.0 / s + 2.0 * z / m - 2.0 * (1.0 - 2.0 * z) / den);
    grad[last] = select(gt / o.w, -gy, INVERSE);
    pull_axis(o.wide, o.k, -gt / o.w, -(gt * t + gs * s) / o.w, to);
    pull_axis(o.high, o.k, gy, gy * num / den + gs / o.w, to + BINS * p.n);
    let g0 = gy * o.h * z * (den - num) / den2 + gl * (u * u / m - 2.0 * z / den);
    let g1 = -gy * o.h * z * num / den2 + gl * (t * t / m - 2.0 * z / den);
    let raw = at + 2u * BINS * p.n;
    if o.k > 0u { grad[slopes + (o.k - 1u) * p.n] = g0 * sigmoid(params[raw + (o.k - 1u) * p.n]); }
    if o.k + 1u < BINS { grad[slopes + o.k * p.n] = g1 * sigmoid(params[raw + o.k * p.n]); }
}
