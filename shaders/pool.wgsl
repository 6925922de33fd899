// pool.wgsl — sums and maxima over the windows of a volume, and their adjoints.
//
//   pool_sum      y[c,o,n]     = scale * sum of x[c,v,n] over the cells v of window o
//   pool_spread   y[c,v,n]     = scale * sum of x[c,o,n] over the windows o that hold cell v
//   pool_argmax   found[c,o,n] = the first cell v of window o with the largest x[c,v,n]
//   pool_pick     y[c,o,n]     = x[c, cell[c,o,n], n]
//   pool_put      y[c,v,n]     = sum of x[c,o,n] over the windows o that hold cell v and have cell[c,o,n] = v
//
// Cells v = (d, h, w) of a volume (id, ih, iw), counted d ih iw + h iw + w; windows o on a grid (od, oh, ow). Along each
// axis window o holds the cells o s - p .. o s - p + k - 1 that exist: padding adds nothing to a sum and is never the
// largest. p < k, so no window is empty. pool_sum and pool_spread are each other's adjoint, pool_pick and pool_put too.
// One lane makes SPAN elements along W (one in pool_pick); neighbouring lanes are neighbouring showers n.

override WG: u32;
override SPAN: u32;

struct PoolParams {
    count: u32, n: u32,
    id: u32, ih: u32, iw: u32,
    od: u32, oh: u32, ow: u32,
    kd: u32, kh: u32, kw: u32,
    sd: u32, sh: u32, sw: u32,
    pd: u32, ph: u32, pw: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: PoolParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> cell: array<u32>;
@group(0) @binding(4) var<storage, read_write> found: array<u32>;

// first .. end - 1 along one axis.
struct Range { first: u32, end: u32 }

// Cells of window o.
fn cells(o: u32, k: u32, s: u32, pad: u32, extent: u32) -> Range {
    let low = o * s;
    return Range(max(low, pad) - pad, min(low + k - pad, extent));
}

// a / b for coordinates, which are below 2^21: a vector of integer divisions is slow on some devices.
fn quotient(a: u32, b: u32) -> u32 {
    return u32((f32(a) + 0.5) / f32(b));
}

// Windows that hold cell v.
fn windows(v: u32, k: u32, s: u32, pad: u32, extent: u32) -> Range {
    let q = v + pad;
    return Range(quotient(max(q + s, k) - k, s), min(quotient(q, s) + 1u, extent));
}

// What a lane makes: elements first .. end - 1 of row (c, d, h) of shower n.
struct Lane { c: u32, d: u32, h: u32, first: u32, end: u32, n: u32 }

// On a grid (ed, eh, ew).
fn lane(i: u32, ed: u32, eh: u32, ew: u32) -> Lane {
    let spans = (ew + SPAN - 1u) / SPAN;
    let span = i / p.n;
    let row = span / spans;
    let plane = row / eh;
    let first = (span - row * spans) * SPAN;
    return Lane(plane / ed, plane % ed, row - plane * eh, first, min(first + SPAN, ew), i - span * p.n);
}

@compute @workgroup_size(WG)
fn pool_sum(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = lane(i, p.od, p.oh, p.ow);
    let rd = cells(at.d, p.kd, p.sd, p.pd, p.id);
    let rh = cells(at.h, p.kh, p.sh, p.ph, p.ih);
    for (var o = at.first; o < at.end; o++) {
        let rw = cells(o, p.kw, p.sw, p.pw, p.iw);
        var sum = 0.0;
        for (var d = rd.first; d < rd.end; d++) {
            for (var h = rh.first; h < rh.end; h++) {
                let row = ((at.c * p.id + d) * p.ih + h) * p.iw;
                for (var w = rw.first; w < rw.end; w++) { sum += x[(row + w) * p.n + at.n]; }
            }
        }
        y[(((at.c * p.od + at.d) * p.oh + at.h) * p.ow + o) * p.n + at.n] = p.scale * sum;
    }
}

@compute @workgroup_size(WG)
fn pool_spread(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = lane(i, p.id, p.ih, p.iw);
    let rd = windows(at.d, p.kd, p.sd, p.pd, p.od);
    let rh = windows(at.h, p.kh, p.sh, p.ph, p.oh);
    for (var v = at.first; v < at.end; v++) {
        let rw = windows(v, p.kw, p.sw, p.pw, p.ow);
        var sum = 0.0;
        for (var d = rd.first; d < rd.end; d++) {
            for (var h = rh.first; h < rh.end; h++) {
                let row = ((at.c * p.od + d) * p.oh + h) * p.ow;
                for (var w = rw.first; w < rw.end; w++) { sum += x[(row + w) * p.n + at.n]; }
            }
        }
        y[(((at.c * p.id + at.d) * p.ih + at.h) * p.iw + v) * p.n + at.n] = p.scale * sum;
    }
}

@compute @workgroup_size(WG)
fn pool_argmax(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = lane(i, p.od, p.oh, p.ow);
    let rd = cells(at.d, p.kd, p.sd, p.pd, p.id);
    let rh = cells(at.h, p.kh, p.sh, p.ph, p.ih);
    let volume = at.c * p.id * p.ih * p.iw;
    for (var o = at.first; o < at.end; o++) {
        let rw = cells(o, p.kw, p.sw, p.pw, p.iw);
        var best = (rd.first * p.ih + rh.first) * p.iw + rw.first;
        var most = x[(volume + best) * p.n + at.n];
        for (var d = rd.first; d < rd.end; d++) {
            for (var h = rh.first; h < rh.end; h++) {
                for (var w = rw.first; w < rw.end; w++) {
                    let v = (d * p.ih + h) * p.iw + w;
                    let value = x[(volume + v) * p.n + at.n];
                    // NaN is larger than any number, as in PyTorch.
                    if value > most || (is_nan(value) && !is_nan(most)) { most = value; best = v; }
                }
            }
        }
        found[(((at.c * p.od + at.d) * p.oh + at.h) * p.ow + o) * p.n + at.n] = best;
    }
}

@compute @workgroup_size(WG)
fn pool_pick(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let c = i / (p.od * p.oh * p.ow * p.n);
    y[i] = x[(c * p.id * p.ih * p.iw + cell[i]) * p.n + i % p.n];
}

@compute @workgroup_size(WG)
fn pool_put(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = lane(i, p.id, p.ih, p.iw);
    let rd = windows(at.d, p.kd, p.sd, p.pd, p.od);
    let rh = windows(at.h, p.kh, p.sh, p.ph, p.oh);
    for (var v = at.first; v < at.end; v++) {
        let chosen = (at.d * p.ih + at.h) * p.iw + v;
        let rw = windows(v, p.kw, p.sw, p.pw, p.ow);
        var sum = 0.0;
        for (var d = rd.first; d < rd.end; d++) {
            for (var h = rh.first; h < rh.end; h++) {
                let row = ((at.c * p.od + d) * p.oh + h) * p.ow;
                for (var w = rw.first; w < rw.end; w++) {
                    let o = (row + w) * p.n + at.n;
                    if cell[o] == chosen { sum += x[o]; }
                }
            }
        }
        y[(at.c * p.id * p.ih * p.iw + chosen) * p.n + at.n] = sum;
    }
}
