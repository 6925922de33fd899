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
override BY: u32; // lanes that make a result of `moments_join` together

var<workgroup> lanes: array<f32, WG>;

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
    y[i] = f32(all.mean.x);
    y[p.outputs * p.parts + i] = f32(all.m2.x);
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

// Of each of the BY lanes that share an output their numbers, added up in the order of the lanes.
fn shared_sum(value: f32, tid: u32) -> f32 {
    if BY == 1u { return value; }
    workgroupBarrier();
    lanes[tid] = value;
    workgroupBarrier();
    var sum = 0.0;
    for (var j = 0u; j < BY; j++) { sum += lanes[tid % (WG / BY) + j * (WG / BY)]; }
    return sum;
}

// Lanes next to each other make neighbouring outputs; lane j of those of an output takes parts j, j + BY, ..
@compute @workgroup_size(WG)
fn moments_join(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) tid: u32) {
    let mine = group_index(wid, groups) * (WG / BY) + tid % (WG / BY);
    let o = min(mine, p.outputs - 1u);
    let start = tid / (WG / BY);
    let first = f32(x0[o]);
    var away = 0.0;
    for (var h = start; h < p.parts; h += BY) {
        away = fma(length(h), f32(x0[h * p.outputs + o]) - first, away);
    }
    let mean = first + shared_sum(away, tid) / f32(p.terms);
    let writes = mine < p.outputs && start == 0u;
    if !VARIANCE {
        if writes { y[o] = f32(mean); }
        return;
    }
    var m2 = 0.0;
    for (var h = start; h < p.parts; h += BY) {
        let d = f32(x0[h * p.outputs + o]) - mean;
        m2 += fma(length(h) * d, d, f32(x0[(p.parts + h) * p.outputs + o]));
    }
    m2 = shared_sum(m2, tid);
    if writes { y[o] = f32(m2 / f32(p.terms)); }
}
