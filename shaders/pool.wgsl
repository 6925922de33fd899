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
// One lane makes SPAN elements along W of four neighbouring showers n (of one in pool_pick); neighbouring lanes are
// neighbouring showers. The entry points `.._four` load and store the four at once: their number N is a multiple of four.

override WG: u32;
override SPAN: u32;
override FOUR: bool; // an entry point `.._four`

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
@group(0) @binding(2) var<storage, read> x4: array<Four>; // the buffer of x once more
@group(0) @binding(3) var<storage, read> cell: array<u32>;
@group(0) @binding(4) var<storage, read> cell4: array<vec4<u32>>; // likewise
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> y4: array<Four>;
@group(0) @binding(5) var<storage, read_write> found: array<u32>;
@group(0) @binding(5) var<storage, read_write> found4: array<vec4<u32>>;

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

// What a lane makes: elements first .. end - 1 of row (c, d, h), of showers n .. n + left - 1; the row begins at element `row`
// of shower n. Along D and H what is summed for it stands in rd and rh.
struct Lane { c: u32, d: u32, h: u32, first: u32, end: u32, n: u32, left: u32, row: u32, rd: Range, rh: Range }

// On a grid (ed, eh, ew).
fn lane(i: u32, ed: u32, eh: u32, ew: u32) -> Lane {
    let fours = (p.n + 3u) / 4u;
    let spans = (ew + SPAN - 1u) / SPAN;
    let span = i / fours;
    let row = span / spans;
    let plane = row / eh;
    let first = (span - row * spans) * SPAN;
    let n = 4u * (i - span * fours);
    let left = min(4u, p.n - n);
    return Lane(plane / ed, plane % ed, row - plane * eh, first, min(first + SPAN, ew), n, left, row * ew * p.n + n, Range(), Range());
}

// A lane that makes something of windows.
fn window_lane(i: u32) -> Lane {
    var at = lane(i, p.od, p.oh, p.ow);
    at.rd = cells(at.d, p.kd, p.sd, p.pd, p.id);
    at.rh = cells(at.h, p.kh, p.sh, p.ph, p.ih);
    return at;
}

// A lane that makes something of cells.
fn cell_lane(i: u32) -> Lane {
    var at = lane(i, p.id, p.ih, p.iw);
    at.rd = windows(at.d, p.kd, p.sd, p.pd, p.od);
    at.rh = windows(at.h, p.kh, p.sh, p.ph, p.oh);
    return at;
}

// Where the lane's shower s stands: the last of them again beyond it.
fn shower(at: Lane, s: u32) -> u32 {
    return min(s, at.left - 1u);
}

// Element `i` of the lane's showers.
fn load(at: Lane, i: u32) -> vec4<f32> {
    let first = i * p.n + at.n;
    if FOUR { return four(x4[first / 4u]); }
    return vec4(x[first], x[first + shower(at, 1u)], x[first + shower(at, 2u)], x[first + shower(at, 3u)]);
}

fn load_cell(at: Lane, i: u32) -> vec4<u32> {
    let first = i * p.n + at.n;
    if FOUR { return cell4[first / 4u]; }
    return vec4(cell[first], cell[first + shower(at, 1u)], cell[first + shower(at, 2u)], cell[first + shower(at, 3u)]);
}

// Of window o of the lane's row.
fn window_sum(at: Lane, o: u32) -> vec4<f32> {
    let rw = cells(o, p.kw, p.sw, p.pw, p.iw);
    var sum = vec4<f32>();
    for (var d = at.rd.first; d < at.rd.end; d++) {
        for (var h = at.rh.first; h < at.rh.end; h++) {
            let row = ((at.c * p.id + d) * p.ih + h) * p.iw;
            for (var w = rw.first; w < rw.end; w++) { sum += load(at, row + w); }
        }
    }
    return p.scale * sum;
}

// Of cell v of the lane's row.
fn cell_sum(at: Lane, v: u32) -> vec4<f32> {
    let rw = windows(v, p.kw, p.sw, p.pw, p.ow);
    var sum = vec4<f32>();
    for (var d = at.rd.first; d < at.rd.end; d++) {
        for (var h = at.rh.first; h < at.rh.end; h++) {
            let row = ((at.c * p.od + d) * p.oh + h) * p.ow;
            for (var w = rw.first; w < rw.end; w++) { sum += load(at, row + w); }
        }
    }
    return p.scale * sum;
}

fn largest_cell(at: Lane, o: u32) -> vec4<u32> {
    let rw = cells(o, p.kw, p.sw, p.pw, p.iw);
    let volume = at.c * p.id * p.ih * p.iw;
    let start = (at.rd.first * p.ih + at.rh.first) * p.iw + rw.first;
    var best = vec4(start);
    var most = load(at, volume + start);
    for (var d = at.rd.first; d < at.rd.end; d++) {
        for (var h = at.rh.first; h < at.rh.end; h++) {
            for (var w = rw.first; w < rw.end; w++) {
                let v = (d * p.ih + h) * p.iw + w;
                let value = load(at, volume + v);
                // NaN is larger than any number, as in PyTorch.
                for (var s = 0u; s < 4u; s++) {
                    if value[s] > most[s] || (is_nan(value[s]) && !is_nan(most[s])) { most[s] = value[s]; best[s] = v; }
                }
            }
        }
    }
    return best;
}

fn chosen_sum(at: Lane, v: u32) -> vec4<f32> {
    let rw = windows(v, p.kw, p.sw, p.pw, p.ow);
    let here = vec4((at.d * p.ih + at.h) * p.iw + v);
    var sum = vec4<f32>();
    for (var d = at.rd.first; d < at.rd.end; d++) {
        for (var h = at.rh.first; h < at.rh.end; h++) {
            let row = ((at.c * p.od + d) * p.oh + h) * p.ow;
            for (var w = rw.first; w < rw.end; w++) {
                sum += select(vec4<f32>(), load(at, row + w), load_cell(at, row + w) == here);
            }
        }
    }
    return sum;
}

fn store(at: Lane, i: u32, v: vec4<f32>) {
    for (var s = 0u; s < at.left; s++) { y[at.row + i * p.n + s] = v[s]; }
}

@compute @workgroup_size(WG)
fn pool_sum(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = window_lane(i);
    for (var j = at.first; j < at.end; j++) { store(at, j, window_sum(at, j)); }
}

@compute @workgroup_size(WG)
fn pool_sum_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = window_lane(i);
    for (var j = at.first; j < at.end; j++) { y4[(at.row + j * p.n) / 4u] = of_four(window_sum(at, j)); }
}

@compute @workgroup_size(WG)
fn pool_spread(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = cell_lane(i);
    for (var j = at.first; j < at.end; j++) { store(at, j, cell_sum(at, j)); }
}

@compute @workgroup_size(WG)
fn pool_spread_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                    @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = cell_lane(i);
    for (var j = at.first; j < at.end; j++) { y4[(at.row + j * p.n) / 4u] = of_four(cell_sum(at, j)); }
}

@compute @workgroup_size(WG)
fn pool_put(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = cell_lane(i);
    for (var j = at.first; j < at.end; j++) { store(at, j, chosen_sum(at, j)); }
}

@compute @workgroup_size(WG)
fn pool_put_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = cell_lane(i);
    for (var j = at.first; j < at.end; j++) { y4[(at.row + j * p.n) / 4u] = of_four(chosen_sum(at, j)); }
}

@compute @workgroup_size(WG)
fn pool_argmax(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = window_lane(i);
    for (var j = at.first; j < at.end; j++) {
        let best = largest_cell(at, j);
        for (var s = 0u; s < at.left; s++) { found[at.row + j * p.n + s] = best[s]; }
    }
}

@compute @workgroup_size(WG)
fn pool_argmax_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                    @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = window_lane(i);
    for (var j = at.first; j < at.end; j++) { found4[(at.row + j * p.n) / 4u] = largest_cell(at, j); }
}

@compute @workgroup_size(WG)
fn pool_pick(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let c = i / (p.od * p.oh * p.ow * p.n);
    y[i] = x[(c * p.id * p.ih * p.iw + cell[i]) * p.n + i % p.n];
}
