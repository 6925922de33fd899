// conv_matrix.wgsl — convolution and transposed convolution on cooperative matrices: f16 operands, f32 sums.
//
// x is [I][D][H][W][N], y is [O][D'][H'][W'][N], as in conv.wgsl, which defines what is computed. Here it is a product
//   y[o,m] = act(bias[o] + sum_k wt[o,k] x_k[m]),   k = (tap, i), m = (voxel of one phase, shower) in memory order.
// A kernel has at most 31 taps an axis. The host lists the rows k of each phase once: rows[first + k] = (address of x_k from
// that of the voxel, the tap's step d + 2^5 h + 2^10 w, where its weight stands, 1), and behind them (0, 2^15 - 1, 0, 0), as
// many as a stage may read;
// rows[phase] = (first, matrices along k, first matrix of weights, 0).
// wt is packed by pack_matrix.wgsl: per phase [o / T][k / T][o % T][k % T], zeros beyond O and K.
//
// A subgroup computes ROWS * COLS matrices of T outputs x T columns; ACROSS subgroups lie side by side along the columns,
// the others along the outputs. The columns of DEPTH * T rows at a time are gathered, with zeros beyond the border, into
// workgroup memory as f16, while the ones before are multiplied: two stages, one barrier each. Weights come straight from
// memory, a matrix in one piece. Sums leave through workgroup memory, for bias, activation and any shape.
// One workgroup is (product z, block of columns, phase, tile of outputs), flattened over the grid, the tile fastest.
// The order of a sum is that of k whatever the tile, so every tile gives the same bits.
enable f16;
enable wgpu_cooperative_matrix;

struct ConvMatrixParams {
    batch: u32, outputs: u32,
    in_d: u32, in_h: u32, in_w: u32,
    out_d: u32, out_h: u32, out_w: u32,
    stride_d: u32, stride_h: u32, stride_w: u32,
    pad_d: u32, pad_h: u32, pad_w: u32,
    transposed: u32, // 0 or 1
    tiles: u32,      // of outputs
    phases: u32,     // 1, or stride_d * stride_h * stride_w
    groups: u32,     // workgroups that have work
    blocks: u32,     // of columns, in the largest phase
    x_skip: u32,     // from one product of the batch z to the next, in elements; 0 to share the operand
    w_skip: u32,     // the same in wt, in matrices
    y_skip: u32,
    has_bias: u32,   // 0, 1, or 2: each output voxel has a bias of its own
    slope: f32,
}

@group(0) @binding(0) var<uniform> p: ConvMatrixParams;
@group(0) @binding(1) var<storage, read> x: array<Given>;
@group(0) @binding(2) var<storage, read> x4: array<vec4<Given>>; // the buffer of x once more
@group(0) @binding(3) var<storage, read> wt: array<Piece>;
@group(0) @binding(4) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<Made>;        // in conv_matrix_any
@group(0) @binding(6) var<storage, read_write> y4: array<vec4<Made>>; // in conv_matrix

override WG: u32;
override SUBGROUP: u32; // lanes of a subgroup, all of which exist
override SPARE: bool;   // subgroups may be smaller: then the last ones repeat what another does, and store nothing
override ROWS: u32;     // 1..4
override COLS: u32;     // 1, 2 or 4
override ACROSS: u32;   // a divisor of WG / SUBGROUP
override DEPTH: u32;    // matrices along k in a stage
override VECTOR: bool;  // N a multiple of 4: four neighbouring columns lie in one voxel of x
override WANTED: u32 = WG / SUBGROUP;            // subgroups
override DOWN: u32 = WANTED / ACROSS;
override WIDTH: u32 = ACROSS * COLS * T;         // columns of a workgroup
override PITCH: u32 = WIDTH + 8u;                // of a staged row: eight more against bank conflicts
override STAGE: u32 = DEPTH * T * PITCH;
override LANES: u32 = WIDTH / 4u;                // that stage one row
override PASSES: u32 = DEPTH * T * LANES / WG;   // 1..16
override SPAN: u32 = select(4u, 1u, VECTOR);     // positions of a lane
override PAIR: u32 = select(2u, 1u, COLS == 1u); // matrices that leave at once
override OUT: u32 = PAIR * T;                    // their columns
override PITCH_OUT: u32 = OUT + 4u;
override SLICE: u32 = T * PITCH_OUT;             // of workgroup memory, for a subgroup
override STAGED: u32 = 2u * STAGE / PIECE;
override SLICES: u32 = (WANTED + u32(SPARE)) * SLICE;

var<workgroup> stage: array<Piece, STAGED>;
var<workgroup> slice: array<f32, SLICES>;
var<workgroup> to: array<u32, WIDTH>; // address of a column in channel 0 of y; 2^32 - 1 beyond the last one

const NONE = 0xffffffffu;

var<private> acc: array<Sum, 16>;          // [row of matrices][4]
var<private> held: array<vec4<Given>, 16>; // gathered, on the way to workgroup memory
var<private> on_d: array<u32, 4>;          // taps that meet x
var<private> on_h: array<u32, 4>;
var<private> on_w: array<u32, 4>;
var<private> at: array<u32, 4>;            // address in channel 0 of x of tap offset 0

// One axis of one phase: its number along the axis, its output voxels, and where tap offset 0 of the first one is.
struct Axis { phase: u32, extent: u32, offset: u32 }

fn axis(phase: u32, stride: u32, pad: u32, extent: u32) -> Axis {
    if p.transposed == 0u { return Axis(phase, extent, 0u - pad); }
    return Axis(phase, (max(extent, phase) - phase + stride - 1u) / stride, (phase + pad) / stride);
}

struct Axes { d: Axis, h: Axis, w: Axis }

fn axes(phase: u32) -> Axes {
    return Axes(axis(phase / (p.stride_w * p.stride_h), p.stride_d, p.pad_d, p.out_d),
                axis((phase / p.stride_w) % p.stride_h, p.stride_h, p.pad_h, p.out_h),
                axis(phase % p.stride_w, p.stride_w, p.pad_w, p.out_w));
}

// The taps of an axis that meet x from `position`, as bits 0 to 30.
fn taps(position: u32, extent: u32) -> u32 {
    let at = i32(position);
    let end = i32(extent);
    if p.transposed != 0u { return below(at + 1) & ~below(at - end + 1); }
    return below(end - at) & ~below(-at);
}

fn below(n: i32) -> u32 { return (1u << u32(clamp(n, 0, 31))) - 1u; }

// Whether a row with this step meets x at the lane's column s.
fn inside(s: u32, step: u32) -> bool {
    return ((on_d[s] >> (step & 31u)) & (on_h[s] >> ((step >> 5u) & 31u)) & (on_w[s] >> (step >> 10u)) & 1u) != 0u;
}

// Rows from `k` on of the lane's columns. No branches: all loads are on their way at once, and converted only in `put`, behind
// the products of the stage before.
fn gather(first: u32, k: u32, z: u32, t: u32) {
    for (var j = 0u; j < PASSES; j++) {
        let r = rows[first + k + j * (WG / LANES) + t / LANES];
        let away = z * p.x_skip + r.x;
        if VECTOR {
            let ok = inside(0u, r.y);
            held[j] = select(vec4<Given>(), x4[select(0u, away + at[0], ok) / 4u], ok);
        } else {
            for (var s = 0u; s < SPAN; s++) {
                let ok = inside(s, r.y);
                held[j][s] = select(Given(), x[select(0u, away + at[s], ok)], ok);
            }
        }
    }
}

fn put(buffer: u32, t: u32) {
    for (var j = 0u; j < PASSES; j++) {
        let row = j * (WG / LANES) + t / LANES;
        place(buffer * STAGE + row * PITCH + t % LANES * 4u, vec4<f16>(held[j]));
    }
}

struct Work { z: u32, phase: u32, tile: u32, block: u32 }

fn work(id: u32) -> Work {
    let tile = id % p.tiles;
    let phase = (id / p.tiles) % p.phases;
    let block = (id / (p.tiles * p.phases)) % p.blocks;
    return Work(id / (p.tiles * p.phases * p.blocks), phase, tile, block);
}

// Where the workgroup's columns are in x and y, of `count` in this phase.
fn columns(here: Work, a: Axes, count: u32, t: u32) {
    let wide = p.transposed != 0u;
    let in_step = select(vec3<u32>(p.stride_d, p.stride_h, p.stride_w), vec3<u32>(1u), wide);
    let out_step = select(vec3<u32>(1u), vec3<u32>(p.stride_d, p.stride_h, p.stride_w), wide);
    for (var s = 0u; s < 4u; s++) {
        let c = t % LANES * 4u + s;
        let m = here.block * WIDTH + c; // those beyond the last one compute something, and store nothing
        let n = m % p.batch;
        let vw = (m / p.batch) % max(a.w.extent, 1u);
        let row = m / (p.batch * max(a.w.extent, 1u));
        let vh = row % max(a.h.extent, 1u);
        let vd = min(row / max(a.h.extent, 1u), max(a.d.extent, 1u) - 1u);
        let position = vec3<u32>(vd, vh, vw) * in_step + vec3<u32>(a.d.offset, a.h.offset, a.w.offset);
        on_d[s] = taps(position.x, p.in_d);
        on_h[s] = taps(position.y, p.in_h);
        on_w[s] = taps(position.z, p.in_w);
        at[s] = ((position.x * p.in_h + position.y) * p.in_w + position.z) * p.batch + n;
        let d = vd * out_step.x + a.d.phase;
        let h = vh * out_step.y + a.h.phase;
        let v = (d * p.out_h + h) * p.out_w + vw * out_step.z + a.w.phase;
        if t < LANES { to[c] = select(NONE, v * p.batch + n, m < count); }
    }
}

// What a subgroup has computed, and where its way out leads through workgroup memory.
struct Sums { z: u32, first: u32 /* of its matrices along o */, begin: u32 /* of its columns */, own: u32, stores: bool }

fn sums(here: Work, t: u32, subgroup: u32) -> Sums {
    let sub = select(subgroup, min(subgroup, WANTED - 1u), SPARE);
    let a = axes(here.phase);
    let count = a.d.extent * a.h.extent * a.w.extent * p.batch;
    columns(here, a, count, t);
    let head = rows[here.phase];
    let first = (here.tile * DOWN + sub / ACROSS) * ROWS;
    let last = (p.outputs + T - 1u) / T - 1u;
    let begin = sub % ACROSS * COLS * T;
    let weights = here.z * p.w_skip + head.z;
    let across = select(0u, head.y, here.block * WIDTH < count); // matrices along k
    gather(head.x, 0u, here.z, t);
    put(0u, t);
    workgroupBarrier();
    var buffer = 0u;
    for (var k = 0u; k < across; k += DEPTH) {
        let more = k + DEPTH < across;
        if more { gather(head.x, (k + DEPTH) * T, here.z, t); }
        // Beyond the last matrix stand columns of zeros, so that the loop is of one length.
        for (var d = 0u; d < DEPTH; d++) {
            var b: array<Right, 4>;
            for (var c = 0u; c < COLS; c++) {
                let i = (buffer * STAGE + d * T * PITCH + begin + c * T) / PIECE;
                b[c] = coopLoadT<Right>(&stage[i], PITCH / PIECE);
            }
            for (var r = 0u; r < ROWS; r++) {
                let i = weights + min(first + r, last) * across + min(k + d, across - 1u);
                let a = coopLoadT<Left>(&wt[i * (T * T / PIECE)], T / PIECE);
                for (var c = 0u; c < COLS; c++) { acc[r * 4u + c] = coopMultiplyAdd(a, b[c], acc[r * 4u + c]); }
            }
        }
        if more { put(1u - buffer, t); }
        buffer = 1u - buffer;
        workgroupBarrier();
    }
    // Those that are not wanted share a slice that nobody reads.
    return Sums(here.z, first, begin, select(sub, min(subgroup, WANTED), SPARE) * SLICE, !SPARE || subgroup < WANTED);
}

// Two matrices side by side on their way out. Numbers, not r and c: where the loops over these are not unrolled, sums with a
// variable index would be kept in memory.
fn leave(r: u32, c: u32, own: u32) {
    switch r * 2u + c / 2u {
        case 0u: { leave_pair(acc[0], acc[1], own); }
        case 1u: { leave_pair(acc[2], acc[3], own); }
        case 2u: { leave_pair(acc[4], acc[5], own); }
        case 3u: { leave_pair(acc[6], acc[7], own); }
        case 4u: { leave_pair(acc[8], acc[9], own); }
        case 5u: { leave_pair(acc[10], acc[11], own); }
        case 6u: { leave_pair(acc[12], acc[13], own); }
        default: { leave_pair(acc[14], acc[15], own); }
    }
}

fn leave_pair(a: Sum, b: Sum, own: u32) {
    coopStoreT(a, &slice[own], PITCH_OUT);
    if COLS > 1u { coopStoreT(b, &slice[own + T], PITCH_OUT); }
}

// Bias of output o of product z at address v of its channel.
fn shift(z: u32, o: u32, v: u32) -> f32 {
    switch p.has_bias {
        case 0u: { return 0.0; }
        case 1u: { return bias[z * p.outputs + o]; }
        default: { return bias[((z * p.outputs + o) * plane() + v) / p.batch]; }
    }
}

fn plane() -> u32 { return p.out_d * p.out_h * p.out_w * p.batch; }

// Number e of what leaves with matrix i: its output o, its address v in the channel and y in all of y, its place k in `slice`.
struct Leaving { o: u32, v: u32, y: u32, k: u32 }

fn leaving(made: Sums, i: u32, e: u32) -> Leaving {
    let o = (made.first + i / COLS) * T + e / OUT;
    let v = to[made.begin + i % COLS * T + e % OUT];
    return Leaving(o, v, made.z * p.y_skip + o * plane() + v, made.own + e / OUT * PITCH_OUT + e % OUT);
}

// N a multiple of 4: four columns leave at once.
@compute @workgroup_size(WG)
fn conv_matrix(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) t: u32, @builtin(subgroup_id) sub: u32,
               @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) size: u32) {
    let id = group_index(wid, groups);
    if id >= p.groups { return; }
    let made = sums(work(id), t, sub);
    for (var i = 0u; i < ROWS * COLS; i += PAIR) {
        leave(i / COLS, i % COLS, made.own);
        workgroupBarrier();
        for (var e = select(T * OUT, lane * 4u, made.stores); e < T * OUT; e += 4u * select(SUBGROUP, size, SPARE)) {
            let l = leaving(made, i, e);
            if l.o < p.outputs && l.v != NONE {
                let sum = vec4<f32>(slice[l.k], slice[l.k + 1u], slice[l.k + 2u], slice[l.k + 3u]);
                let s = sum + shift(made.z, l.o, l.v);
                y4[l.y / 4u] = vec4<Made>(select(s * p.slope, s, s >= vec4<f32>()));
            }
        }
        workgroupBarrier();
    }
}

@compute @workgroup_size(WG)
fn conv_matrix_any(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                   @builtin(local_invocation_index) t: u32, @builtin(subgroup_id) sub: u32,
                   @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) size: u32) {
    let id = group_index(wid, groups);
    if id >= p.groups { return; }
    let made = sums(work(id), t, sub);
    for (var i = 0u; i < ROWS * COLS; i += PAIR) {
        leave(i / COLS, i % COLS, made.own);
        workgroupBarrier();
        for (var e = select(T * OUT, lane, made.stores); e < T * OUT; e += select(SUBGROUP, size, SPARE)) {
            let l = leaving(made, i, e);
            if l.o < p.outputs && l.v != NONE {
                let s = slice[l.k] + shift(made.z, l.o, l.v);
                y[l.y] = Made(select(s * p.slope, s, s >= 0.0));
            }
        }
        workgroupBarrier();
    }
}
