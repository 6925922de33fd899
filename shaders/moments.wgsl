// moments.wgsl — mean and variance of an elementwise expression over some axes, in one pass over the memory.
//
//   y[0, h, o] = m = mean over r in part h of f(x0[..], .., x5[..]),    y[1, h, o] = sum over r in part h of (f - m)²
//
// Indices, inputs, parts and entry points are those of reduce.wgsl. Up to 16 terms are taken as differences from the first of
// them: with s1 and s2 the sums of these n differences and of their squares, m2 = s2 - s1²/n, and as the first is one of them,
// s2 is at most 17 m2: no more than that factor of the precision is lost. Such pieces are joined by
//   m = ma + (mb - ma) nb / n,    m2 = m2a + m2b + (mb - ma)² na nb / n    (Chan, Golub and LeVeque 1979)
//
// `moments_join` makes the mean, or with VARIANCE the variance, of all terms from x0 = y; it divides by the number of terms.

override WG: u32;
override INPUTS: u32;
override RANK: u32; // reduced axes
override VARIANCE: bool;

struct ReduceParams {
    outputs: u32, terms: u32, parts: u32, chunk: u32,
    a1: u32, a2: u32, a3: u32, b1: u32, b2: u32, b3: u32, scale: f32,
    s00: u32, s01: u32, s02: u32, s03: u32, s04: u32, s05: u32, s06: u32, s07: u32,
    s10: u32, s11: u32, s12: u32, s13: u32, s14: u32, s15: u32, s16: u32, s17: u32,
    s20: u32, s21: u32, s22: u32, s23: u32, s24: u32, s25: u32, s26: u32, s27: u32,
    s30: u32, s31: u32, s32: u32, s33: u32, s34: u32, s35: u32, s36: u32, s37: u32,
    s40: u32, s41: u32, s42: u32, s43: u32, s44: u32, s45: u32, s46: u32, s47: u32,
    s50: u32, s51: u32, s52: u32, s53: u32, s54: u32, s55: u32, s56: u32, s57: u32,
    k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
    l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
}

@group(0) @binding(0) var<uniform> p: ReduceParams;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read> x3: array<f32>;
@group(0) @binding(5) var<storage, read> x4: array<f32>;
@group(0) @binding(6) var<storage, read> x5: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
// The same buffers in moments_lane_four and moments_rows.
@group(0) @binding(1) var<storage, read> q0: array<Four>;
@group(0) @binding(2) var<storage, read> q1: array<Four>;
@group(0) @binding(3) var<storage, read> q2: array<Four>;
@group(0) @binding(4) var<storage, read> q3: array<Four>;
@group(0) @binding(5) var<storage, read> q4: array<Four>;
@group(0) @binding(6) var<storage, read> q5: array<Four>;
@group(0) @binding(7) var<storage, read_write> y4: array<Four>;

// Of the terms so far; `count` is the same for all four.
struct Moments { mean: vec4<f32>, m2: vec4<f32>, count: f32 }

fn joined(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let share = b.count / count;
    let away = b.mean - a.mean;
    return Moments(a.mean + away * share, a.m2 + b.m2 + away * away * (a.count * share), count);
}

// Moments of `n` terms from the first and the sums of differences from it.
fn piece(first: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, n: u32) -> Moments {
    let inverse = 1.0 / f32(n);
    return Moments(first + s1 * inverse, max(s2 - s1 * s1 * inverse, vec4<f32>()), f32(n));
}

@compute @workgroup_size(WG)
fn moments_lane(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.outputs * p.parts { return; }
    let h = i / p.outputs;
    let k = kept(i % p.outputs);
    let end = min(p.terms, (h + 1u) * p.chunk);
    var all = Moments(vec4<f32>(), vec4<f32>(), 0.0);
    var r = h * p.chunk;
    while r < end {
        let first = vec4(term(k, r));
        var s1 = vec4<f32>(); var s2 = vec4<f32>();
        var n = 1u;
        r++;
        for (; n < 16u && r < end; n++) {
            let d = vec4(term(k, r)) - first;
            s1 += d;
            s2 = fma(d, d, s2);
            r++;
        }
        all = joined(all, piece(first, s1, s2, n));
    }
    y[i] = all.mean.x;
    y[p.outputs * p.parts + i] = all.m2.x;
}

@compute @workgroup_size(WG)
fn moments_lane_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                     @builtin(local_invocation_index) tid: u32) {
    let i = 4u * (group_index(wid, groups) * WG + tid);
    if i >= p.outputs * p.parts { return; }
    let h = i / p.outputs;
    let k = kept(i % p.outputs);
    let end = min(p.terms, (h + 1u) * p.chunk);
    var all = Moments(vec4<f32>(), vec4<f32>(), 0.0);
    var r = h * p.chunk;
    while r < end {
        let first = four_terms(k, r);
        var s1 = vec4<f32>(); var s2 = vec4<f32>();
        var n = 1u;
        r++;
        for (; n < 16u && r < end; n++) {
            let d = four_terms(k, r) - first;
            s1 += d;
            s2 = fma(d, d, s2);
            r++;
        }
        all = joined(all, piece(first, s1, s2, n));
    }
    y4[i / 4u] = of_four(all.mean);
    y4[(p.outputs * p.parts + i) / 4u] = of_four(all.m2);
}

@compute @workgroup_size(WG)
fn moments_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) tid: u32) {
    let g = group_index(wid, groups);
    let rows = p.outputs / p.a3;
    if g >= rows * p.parts { return; }
    let h = g / rows;
    let k = kept(g % rows * p.a3);
    let end = min(p.terms, (h + 1u) * p.chunk);
    for (var q = tid; q < p.a3 / 4u; q += WG) {
        var all = Moments(vec4<f32>(), vec4<f32>(), 0.0);
        var r = h * p.chunk;
        while r < end {
            let first = terms_of_row(k, r, q);
            var s1 = vec4<f32>(); var s2 = vec4<f32>();
            var n = 1u;
            r++;
            for (; n < 16u && r < end; n++) {
                let d = terms_of_row(k, r, q) - first;
                s1 += d;
                s2 = fma(d, d, s2);
                r++;
            }
            all = joined(all, piece(first, s1, s2, n));
        }
        y4[g * (p.a3 / 4u) + q] = of_four(all.mean);
        y4[(g + rows * p.parts) * (p.a3 / 4u) + q] = of_four(all.m2);
    }
}

// Terms of part h.
fn length(h: u32) -> f32 {
    return f32(min(p.chunk, p.terms - h * p.chunk));
}

@compute @workgroup_size(WG)
fn moments_join(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) tid: u32) {
    let o = group_index(wid, groups) * WG + tid;
    if o >= p.outputs { return; }
    let first = f32(x0[o]);
    var away = 0.0;
    for (var h = 1u; h < p.parts; h++) {
        away = fma(length(h), f32(x0[h * p.outputs + o]) - first, away);
    }
    let mean = first + away / f32(p.terms);
    if !VARIANCE {
        y[o] = mean;
        return;
    }
    var m2 = 0.0;
    for (var h = 0u; h < p.parts; h++) {
        let d = f32(x0[h * p.outputs + o]) - mean;
        m2 += fma(length(h) * d, d, f32(x0[(p.parts + h) * p.outputs + o]));
    }
    y[o] = m2 / f32(p.terms);
}
