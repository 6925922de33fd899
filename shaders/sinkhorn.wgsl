// sinkhorn.wgsl — entropic optimal transport between x [D, N] and y [D, M] by Sinkhorn's iteration in the log domain.
//
//   C_ij = |x_i - y_j|² / 2 (power 2) or |x_i - y_j| (power 1), at most 1e25
//   softmin_i(h) = -eps ln sum_j b_j exp((h_j - C_ij) / eps)
//   step: f <- (f + softmin(g)) / 2, g <- (g + softmin(f)) / 2, both from the old values
//   gradient: dx_i = df_i sum_j P_ij dC(x_i, y_j)/dx_i with P_ij = b_j exp((f_i + g_j - C_ij) / eps)
//
// Four problems at a time, `problem` in the grid: rows x against columns y, y against x, and for the debiased divergence x
// against x and y against y. Rows go in quads, a vec4 a lane, and columns four a block, so that one load of four
// potentials serves sixteen pairs. Extents are padded to quads: points with 0, potentials with NEVER, which no exponential
// survives, so that no loop tests for the end.
//
//   points     [D][quads of x], then [D][quads of y], packed by sinkhorn_pack
//   potential  [pairs][quads of x, quads of y]: f and g, then those of x and of y with themselves
//   cost       one block a problem, [tiles of TILE row quads][columns][TILE], by sinkhorn_cost: a workgroup of a step
//              walks through one stretch of memory; used where STORED, else computed again
//   log_weight [N + M]: binary logarithms of the weights a and b; used where WEIGHTED, else a = 1/N, b = 1/M
//
// With kappa = 1/(eps ln 2) all exponentials are powers of two. WG = TILE SPLIT: SPLIT lanes share a row's columns and join
// their running (largest, sum) in a tree. moved[t] is the largest change of a potential in step t over eps, that is, the logarithm of the
// worst ratio of a marginal to what it should be; once it is at most `tolerance`, later steps copy and leave.

override WG: u32;
override TILE: u32;
override SPLIT: u32;
override DIMS: u32;
override STORED: bool;
override WEIGHTED: bool;

struct SinkhornParams {
    n: u32, m: u32, d: u32, nq: u32, mq: u32, pairs: u32, power: u32, steps: u32,
    mode: u32, step: u32, kappa: f32, tolerance: f32, side: u32,
}

const NEVER = -1e30;
const LARGEST_COST = 1e25;
// Of `mode`: the first soft-min, a step, and a step that may be the last.
const START = 0u;
const STEP = 1u;
const WATCHED = 2u;
const STOPPING = 3u;
const LAST = 4u;

@group(0) @binding(0) var<uniform> p: SinkhornParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> packed: array<f32>;
@group(0) @binding(4) var<storage, read_write> start: array<f32>;
@group(0) @binding(5) var<storage, read_write> moved: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read> points: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> cost: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> matrix: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read> log_weight: array<f32>;
@group(0) @binding(10) var<storage, read> before: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> after: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WG)
fn sinkhorn_pack(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                 @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    let wide = 4u * p.nq;
    let all = 4u * (p.nq + p.mq);
    if i < p.d * wide {
        let c = i % wide;
        packed[i] = 0.0;
        if c < p.n { packed[i] = x[i / wide * p.n + c]; }
    } else if i < p.d * all {
        let j = i - p.d * wide;
        let c = j % (4u * p.mq);
        packed[i] = 0.0;
        if c < p.m { packed[i] = y[j / (4u * p.mq) * p.m + c]; }
    }
    if i < p.pairs * all {
        let c = i % all;
        start[i] = select(NEVER, 0.0, c < p.n || (c >= wide && c - wide < p.m));
    }
    if i < p.steps { atomicStore(&moved[i], 0u); }
}

// Whose points are rows and columns of a problem (0 x, 1 y), how many, and where things lie, in quads.
struct Problem {
    rows: u32, row_quads: u32, columns: u32, column_quads: u32,
    row_points: u32, column_points: u32, row_potential: u32, column_potential: u32, cost: u32, weight: u32,
}

fn tiles(quads: u32) -> u32 {
    return (quads + TILE - 1u) / TILE;
}

fn problem(q: u32) -> Problem {
    let y_rows = (q & 1u) == 1u;
    let y_columns = q == 0u || q == 3u;
    let pair = (q >> 1u) * (p.nq + p.mq);
    // Quads of a matrix of x rows, of y rows, and what lies before.
    let xs = 4u * tiles(p.nq) * TILE;
    let ys = 4u * tiles(p.mq) * TILE;
    var first = 0u;
    if q > 0u { first += xs * p.mq; }
    if q > 1u { first += ys * p.nq; }
    if q > 2u { first += xs * p.nq; }
    return Problem(
        select(p.n, p.m, y_rows), select(p.nq, p.mq, y_rows),
        select(p.n, p.m, y_columns), select(p.nq, p.mq, y_columns),
        select(0u, p.d * p.nq, y_rows), select(0u, p.d * p.nq, y_columns),
        pair + select(0u, p.nq, y_rows), pair + select(0u, p.nq, y_columns),
        first, select(0u, p.n, y_columns),
    );
}

// Of a row quad with four columns.
struct Block { c0: vec4<f32>, c1: vec4<f32>, c2: vec4<f32>, c3: vec4<f32> }

fn finish(s: vec4<f32>) -> vec4<f32> {
    if p.power == 1u { return min(sqrt(s), vec4(LARGEST_COST)); }
    return min(0.5 * s, vec4(LARGEST_COST));
}

fn distances(o: Problem, row: u32, block: u32) -> Block {
    var s0 = vec4(0.0); var s1 = vec4(0.0); var s2 = vec4(0.0); var s3 = vec4(0.0);
    var r = o.row_points + row;
    var c = o.column_points + block;
    for (var d = 0u; d < p.d; d++) {
        let a = points[r];
        let b = points[c];
        let e0 = a - b.x; let e1 = a - b.y; let e2 = a - b.z; let e3 = a - b.w;
        s0 += e0 * e0; s1 += e1 * e1; s2 += e2 * e2; s3 += e3 * e3;
        r += o.row_quads;
        c += o.column_quads;
    }
    return Block(finish(s0), finish(s1), finish(s2), finish(s3));
}

// Of the first column of a block; the others follow at distances of TILE.
fn place(o: Problem, row: u32, block: u32) -> u32 {
    return o.cost + (row / TILE * o.column_quads + block) * 4u * TILE + row % TILE;
}

@compute @workgroup_size(WG)
fn sinkhorn_cost(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let o = problem(wid.z);
    let row = wid.x * WG + tid;
    if row >= o.row_quads || wid.y >= o.column_quads { return; }
    let b = distances(o, row, wid.y);
    let at = place(o, row, wid.y);
    cost[at] = b.c0;
    cost[at + TILE] = b.c1;
    cost[at + 2u * TILE] = b.c2;
    cost[at + 3u * TILE] = b.c3;
}

// log2 of b_j for four columns; the padding's does not matter.
fn weights(o: Problem, block: u32) -> vec4<f32> {
    let j = 4u * block;
    let last = o.columns - 1u;
    let w = o.weight;
    return vec4(log_weight[w + j], log_weight[w + min(j + 1u, last)],
                log_weight[w + min(j + 2u, last)], log_weight[w + min(j + 3u, last)]);
}

var<workgroup> tops: array<vec4<f32>, WG>;
var<workgroup> sums: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn sinkhorn_step(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let o = problem(wid.y);
    let row = wid.x * TILE + tid % TILE;
    let share = tid / TILE;
    let live = row < o.row_quads;
    var stopped = false;
    if p.mode == STOPPING { stopped = bitcast<f32>(atomicLoad(&moved[p.step - 1u])) <= p.tolerance; }
    let length = (o.column_quads + SPLIT - 1u) / SPLIT;
    var block = share * length;
    var end = min(block + length, o.column_quads);
    if !live || stopped { end = 0u; }

    var top = vec4(-3e38);
    var sum = vec4(0.0);
    for (; block < end; block++) {
        var b: Block;
        if STORED {
            let at = place(o, row, block);
            b = Block(matrix[at], matrix[at + TILE], matrix[at + 2u * TILE], matrix[at + 3u * TILE]);
        } else {
            b = distances(o, row, block);
        }
        let h = before[o.column_potential + block];
        var w = vec4(0.0);
        if WEIGHTED { w = weights(o, block); }
        let v0 = (h.x - b.c0) * p.kappa + w.x;
        let v1 = (h.y - b.c1) * p.kappa + w.y;
        let v2 = (h.z - b.c2) * p.kappa + w.z;
        let v3 = (h.w - b.c3) * p.kappa + w.w;
        let higher = max(top, max(max(v0, v1), max(v2, v3)));
        sum = sum * power_of_two(top - higher) + power_of_two(v0 - higher) + power_of_two(v1 - higher)
            + power_of_two(v2 - higher) + power_of_two(v3 - higher);
        top = higher;
    }
    if SPLIT > 1u {
        tops[tid] = top;
        sums[tid] = sum;
        for (var s = SPLIT / 2u; s > 0u; s = s >> 1u) {
            workgroupBarrier();
            if share < s {
                let other = tops[tid + s * TILE];
                let higher = max(tops[tid], other);
                sums[tid] = sums[tid] * power_of_two(tops[tid] - higher)
                    + sums[tid + s * TILE] * power_of_two(other - higher);
                tops[tid] = higher;
            }
        }
        top = tops[tid];
        sum = sums[tid];
    }
    if !live || share > 0u { return; }

    let at = o.row_potential + row;
    let old = before[at];
    if stopped {
        after[at] = old;
        return;
    }
    // Without weights b_j = 1 / columns.
    var total = top + vec4(ln(sum.x), ln(sum.y), ln(sum.z), ln(sum.w)) * 1.4426950408889634;
    if !WEIGHTED { total -= ln(f32(o.columns)) * 1.4426950408889634; }
    let rows = vec4(4u * row) + vec4(0u, 1u, 2u, 3u);
    let inside = rows < vec4(o.rows);
    let found = select(vec4(NEVER), -total / p.kappa, inside);
    if p.mode == LAST {
        after[at] = old;
        after[p.pairs * (p.nq + p.mq) + at] = found;
        return;
    }
    after[at] = select(0.5 * (old + found), found, p.mode == START);
    if p.mode >= WATCHED {
        let change = select(vec4(0.0), abs(found - old), inside) * (p.kappa * 0.6931471805599453);
        atomicMax(&moved[p.step], bitcast<u32>(max(max(change.x, change.y), max(change.z, change.w))));
    }
}

// DIMS features of the gradient of a row quad, min(D, 16), wid.y counts such slices. `before` holds the potentials before
// the last soft-min and after it; `side` is 0 for x and 1 for y.
@compute @workgroup_size(WG)
fn sinkhorn_gradient(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) tid: u32) {
    let row = wid.x * WG + tid;
    let first = DIMS * wid.y;
    let half = p.pairs * (p.nq + p.mq);
    let own = problem(p.side);
    if row >= own.row_quads { return; }
    var a: array<vec4<f32>, 16>;
    var sum: array<vec4<f32>, 16>;
    for (var d = 0u; d < DIMS; d++) {
        a[d] = points[own.row_points + min(first + d, p.d - 1u) * own.row_quads + row];
    }
    for (var q = p.side; q < 2u * p.pairs; q += 2u) {
        let o = problem(q);
        let f = before[half + o.row_potential + row];
        let df = dy[half + o.row_potential + row];
        let even = -ln(f32(o.columns)) * 1.4426950408889634;
        for (var block = 0u; block < o.column_quads; block++) {
            var b: Block;
            if p.d > DIMS {
                b = distances(o, row, block);
            } else {
                for (var d = 0u; d < DIMS; d++) {
                    let c = points[o.column_points + d * o.column_quads + block];
                    let e0 = a[d] - c.x; let e1 = a[d] - c.y; let e2 = a[d] - c.z; let e3 = a[d] - c.w;
                    b.c0 += e0 * e0; b.c1 += e1 * e1; b.c2 += e2 * e2; b.c3 += e3 * e3;
                }
                b = Block(finish(b.c0), finish(b.c1), finish(b.c2), finish(b.c3));
            }
            let h = before[o.column_potential + block];
            var w = vec4(even);
            if WEIGHTED { w = weights(o, block); }
            // At most 1 but for rounding: f is the soft-min of h.
            var w0 = df * power_of_two(min((f + (h.x - b.c0)) * p.kappa + w.x, vec4(1.0)));
            var w1 = df * power_of_two(min((f + (h.y - b.c1)) * p.kappa + w.y, vec4(1.0)));
            var w2 = df * power_of_two(min((f + (h.z - b.c2)) * p.kappa + w.z, vec4(1.0)));
            var w3 = df * power_of_two(min((f + (h.w - b.c3)) * p.kappa + w.w, vec4(1.0)));
            if p.power == 1u {
                // The slope of a distance has length 1, and none at 0.
                w0 = select(vec4(0.0), w0 / b.c0, b.c0 > vec4(0.0));
                w1 = select(vec4(0.0), w1 / b.c1, b.c1 > vec4(0.0));
                w2 = select(vec4(0.0), w2 / b.c2, b.c2 > vec4(0.0));
                w3 = select(vec4(0.0), w3 / b.c3, b.c3 > vec4(0.0));
            }
            for (var d = 0u; d < DIMS; d++) {
                let c = points[o.column_points + min(first + d, p.d - 1u) * o.column_quads + block];
                sum[d] += w0 * (a[d] - c.x) + w1 * (a[d] - c.y) + w2 * (a[d] - c.z) + w3 * (a[d] - c.w);
            }
        }
    }
    for (var d = 0u; d < DIMS; d++) {
        for (var r = 0u; r < 4u; r++) {
            let i = 4u * row + r;
            if first + d < p.d && i < own.rows { dx[(first + d) * own.rows + i] = sum[d][r]; }
        }
    }
}

// 2^v for v up to 127; below 2^-126 it stays there. To 2 units in the last place, after Cephes.
fn power_of_two(v: vec4<f32>) -> vec4<f32> {
    let x = max(v, vec4(-126.0));
    let k = floor(x + 0.5);
    let r = x - k;
    var q = vec4(1.535336188319500e-4);
    q = q * r + 1.339887440266574e-3;
    q = q * r + 9.618437357674640e-3;
    q = q * r + 5.550332471162809e-2;
    q = q * r + 2.402264791363012e-1;
    q = q * r + 6.931472028550421e-1;
    return (q * r + 1.0) * bitcast<vec4<f32>>(vec4<u32>(vec4<i32>(k) + 127) << vec4(23u));
}
