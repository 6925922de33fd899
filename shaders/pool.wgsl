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
// One lane makes one element; neighbouring lanes are neighbouring showers n.

override WG: u32;

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

// Windows that hold cell v.
fn windows(v: u32, k: u32, s: u32, pad: u32, extent: u32) -> Range {
    let q = v + pad;
    // Windows o with o s > q - k; the wrapped value of a small q is not used.
    return Range(select(0u, (q + s - k) / s, q >= k), min(q / s + 1u, extent));
}

struct Place { c: u32, d: u32, h: u32, w: u32, n: u32 }

fn place(i: u32, eh: u32, ew: u32, ed: u32) -> Place {
    let n = i % p.n;
    var rest = i / p.n;
    let w = rest % ew; rest = rest / ew;
    let h = rest % eh; rest = rest / eh;
    return Place(rest / ed, rest % ed, h, w, n);
}

@compute @workgroup_size(WG)
fn pool_sum(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = place(i, p.oh, p.ow, p.od);
    let rd = cells(at.d, p.kd, p.sd, p.pd, p.id);
    let rh = cells(at.h, p.kh, p.sh, p.ph, p.ih);
    let rw = cells(at.w, p.kw, p.sw, p.pw, p.iw);
    var sum = 0.0;
    for (var d = rd.first; d < rd.end; d++) {
        for (var h = rh.first; h < rh.end; h++) {
            let row = ((at.c * p.id + d) * p.ih + h) * p.iw;
            for (var w = rw.first; w < rw.end; w++) { sum += x[(row + w) * p.n + at.n]; }
        }
    }
    y[i] = p.scale * sum;
}

@compute @workgroup_size(WG)
fn pool_spread(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = place(i, p.ih, p.iw, p.id);
    let rd = windows(at.d, p.kd, p.sd, p.pd, p.od);
    let rh = windows(at.h, p.kh, p.sh, p.ph, p.oh);
    let rw = windows(at.w, p.kw, p.sw, p.pw, p.ow);
    var sum = 0.0;
    for (var d = rd.first; d < rd.end; d++) {
        for (var h = rh.first; h < rh.end; h++) {
            let row = ((at.c * p.od + d) * p.oh + h) * p.ow;
            for (var w = rw.first; w < rw.end; w++) { sum += x[(row + w) * p.n + at.n]; }
        }
    }
    y[i] = p.scale * sum;
}

@compute @workgroup_size(WG)
fn pool_argmax(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = place(i, p.oh, p.ow, p.od);
    let rd = cells(at.d, p.kd, p.sd, p.pd, p.id);
    let rh = cells(at.h, p.kh, p.sh, p.ph, p.ih);
    let rw = cells(at.w, p.kw, p.sw, p.pw, p.iw);
    let volume = at.c * p.id * p.ih * p.iw;
    var best = (rd.first * p.ih + rh.first) * p.iw + rw.first;
    var most = x[(volume + best) * p.n + at.n];
    for (var d = rd.first; d < rd.end; d++) {
        for (var h = rh.first; h < rh.end; h++) {
            for (var w = rw.first; w < rw.end; w++) {
                let v = (d * p.ih + h) * p.iw + w;
                let value = x[(volume + v) * p.n + at.n];
                if value > most { most = value; best = v; }
            }
        }
    }
    found[i] = best;
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
    let at = place(i, p.ih, p.iw, p.id);
    let v = (at.d * p.ih + at.h) * p.iw + at.w;
    let rd = windows(at.d, p.kd, p.sd, p.pd, p.od);
    let rh = windows(at.h, p.kh, p.sh, p.ph, p.oh);
    let rw = windows(at.w, p.kw, p.sw, p.pw, p.ow);
    var sum = 0.0;
    for (var d = rd.first; d < rd.end; d++) {
        for (var h = rh.first; h < rh.end; h++) {
            let row = ((at.c * p.od + d) * p.oh + h) * p.ow;
            for (var w = rw.first; w < rw.end; w++) {
                let o = (row + w) * p.n + at.n;
                if cell[o] == v { sum += x[o]; }
            }
        }
    }
    y[i] = sum;
}
