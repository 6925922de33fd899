// conv_matrix.wgsl — convolution and transposed convolution on cooperative matrices: f16 operands, f32 sums.
//
// x is [I][D][H][W][N], y is [O][D'][H'][W'][N], as in conv.wgsl, which defines what is computed. Here it is a product
//   y[o,m] = act(bias[o] + sum_k wt[o,k] x_k[m]),   k = (tap, i), m = (voxel of one phase, shower) in memory order.
// The host lists the rows k of each phase once: rows[first + k] = (address of x_k from that of the voxel, the tap's step
// d + 2^10 h + 2^20 w, where its weight stands, 1 if it exists). rows[phase] = (first, matrices along k, first weight, 0).
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
    w_skip: u32,
    y_skip: u32,
    has_bias: u32,   // 0, 1, or 2: each output voxel has a bias of its own
    slope: f32,
}

@group(0) @binding(0) var<uniform> p: ConvMatrixParams;
@group(0) @binding(1) var<storage, read> x: array<Given>;
@group(0) @binding(2) var<storage, read> x4: array<vec4<Given>>; // the buffer of x once more
@group(0) @binding(3) var<storage, read> wt: array<f16>;
@group(0) @binding(4) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<Made>;

override WG: u32;
override SUBGROUP: u32; // lanes of a subgroup, all of which exist
override ROWS: u32;     // 1..4
override COLS: u32;     // 1..4
override ACROSS: u32;   // a divisor of WG / SUBGROUP
override DEPTH: u32;    // matrices along k in a stage
override VECTOR: bool;  // N a multiple of 4: four neighbouring columns lie in one voxel
override DOWN: u32 = WG / SUBGROUP / ACROSS;
override WIDTH: u32 = ACROSS * COLS * T;         // columns of a workgroup
override PITCH: u32 = WIDTH + 8u;                // of a staged row: eight more against bank conflicts
override STAGE: u32 = DEPTH * T * PITCH;
override LANES: u32 = WIDTH / 4u;                // that stage one row
override PASSES: u32 = DEPTH * T * LANES / WG;   // 1..16
override SPAN: u32 = select(4u, 1u, VECTOR);     // positions of a lane
const SLICE = T * (T + 4u); // of workgroup memory, for a subgroup on the way out
override STAGED: u32 = 2u * STAGE / PIECE;
override SLICES: u32 = WG / SUBGROUP * SLICE;

var<workgroup> stage: array<Piece, STAGED>;
var<workgroup> slice: array<f32, SLICES>;
var<workgroup> to: array<u32, WIDTH>; // address of a column in channel 0 of y; 2^32 - 1 beyond the last one

const NONE = 0xffffffffu;

var<private> held: array<vec4<f16>, 16>; // gathered, on the way to workgroup memory
var<private> pd: array<u32, 4>;          // position in x of tap offset 0
var<private> ph: array<u32, 4>;
var<private> pw: array<u32, 4>;
var<private> at: array<u32, 4>;          // its address in channel 0

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

fn inside(s: u32, step: u32) -> bool {
    let d = step & 1023u;
    let h = (step >> 10u) & 1023u;
    let w = step >> 20u;
    if p.transposed != 0u { return pd[s] - d < p.in_d && ph[s] - h < p.in_h && pw[s] - w < p.in_w; }
    return pd[s] + d < p.in_d && ph[s] + h < p.in_h && pw[s] + w < p.in_w;
}

// Rows from `k` on of the lane's columns.
fn gather(first: u32, k: u32, count: u32, z: u32, t: u32) {
    for (var j = 0u; j < PASSES; j++) {
        let row = k + j * (WG / LANES) + t / LANES;
        var v = vec4<f16>();
        if row < count {
            let r = rows[first + row];
            if r.w != 0u {
                if VECTOR {
                    if inside(0u, r.y) { v = vec4<f16>(x4[(z * p.x_skip + at[0] + r.x) / 4u]); }
                } else {
                    for (var s = 0u; s < SPAN; s++) {
                        if inside(s, r.y) { v[s] = f16(x[z * p.x_skip + at[s] + r.x]); }
                    }
                }
            }
        }
        held[j] = v;
    }
}

fn put(buffer: u32, t: u32) {
    for (var j = 0u; j < PASSES; j++) {
        let row = j * (WG / LANES) + t / LANES;
        place(buffer * STAGE + row * PITCH + t % LANES * 4u, held[j]);
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
        pd[s] = vd * in_step.x + a.d.offset;
        ph[s] = vh * in_step.y + a.h.offset;
        pw[s] = vw * in_step.z + a.w.offset;
        at[s] = ((pd[s] * p.in_h + ph[s]) * p.in_w + pw[s]) * p.batch + n;
        let d = vd * out_step.x + a.d.phase;
        let h = vh * out_step.y + a.h.phase;
        let v = (d * p.out_h + h) * p.out_w + vw * out_step.z + a.w.phase;
        if t < LANES { to[c] = select(NONE, v * p.batch + n, m < count); }
    }
}

@compute @workgroup_size(WG)
fn conv_matrix(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) nwg: vec3<u32>,
               @builtin(local_invocation_index) t: u32, @builtin(subgroup_id) sub: u32,
               @builtin(subgroup_invocation_id) lane: u32) {
    let id = wg.y * nwg.x + wg.x;
    if id >= p.groups { return; }
    let here = work(id);
    let a = axes(here.phase);
    let count = a.d.extent * a.h.extent * a.w.extent * p.batch;
    columns(here, a, count, t);

    // the product
    let head = rows[here.phase];
    let first = (here.tile * DOWN + sub / ACROSS) * ROWS; // of the subgroup's matrices along o
    let last = (p.outputs + T - 1u) / T - 1u;
    let begin = sub % ACROSS * COLS * T; // of the subgroup's columns
    let weights = here.z * p.w_skip + head.z;
    let across = select(0u, head.y, here.block * WIDTH < count); // matrices along k
    var acc: array<Sum, 16>;
    gather(head.x, 0u, across * T, here.z, t);
    put(0u, t);
    workgroupBarrier();
    var buffer = 0u;
    for (var k = 0u; k < across; k += DEPTH) {
        let more = k + DEPTH < across;
        if more { gather(head.x, (k + DEPTH) * T, across * T, here.z, t); }
        for (var d = 0u; d < min(DEPTH, across - k); d++) {
            var b: array<Right, 4>;
            for (var c = 0u; c < COLS; c++) {
                let i = (buffer * STAGE + d * T * PITCH + begin + c * T) / PIECE;
                b[c] = coopLoadT<Right>(&stage[i], PITCH / PIECE);
            }
            for (var r = 0u; r < ROWS; r++) {
                let i = weights + (min(first + r, last) * across + k + d) * T * T;
                let a = coopLoadT<Left>(&wt[i], T);
                for (var c = 0u; c < COLS; c++) { acc[r * 4u + c] = coopMultiplyAdd(a, b[c], acc[r * 4u + c]); }
            }
        }
        if more { put(1u - buffer, t); }
        buffer = 1u - buffer;
        workgroupBarrier();
    }

    // its way out, a matrix at a time
    let plane = p.out_d * p.out_h * p.out_w * p.batch;
    for (var r = 0u; r < ROWS; r++) {
        for (var c = 0u; c < COLS; c++) {
            let own = sub * SLICE;
            let sum = acc[r * 4u + c];
            coopStoreT(sum, &slice[own], T + 4u);
            workgroupBarrier();
            for (var e = lane; e < T * T; e += SUBGROUP) {
                let o = (first + r) * T + e / T;
                let v = to[begin + c * T + e % T];
                if o < p.outputs && v != NONE {
                    var s = slice[own + e / T * (T + 4u) + e % T];
                    if p.has_bias == 1u { s += bias[here.z * p.outputs + o]; }
                    if p.has_bias == 2u { s += bias[((here.z * p.outputs + o) * plane + v) / p.batch]; }
                    y[here.z * p.y_skip + o * plane + v] = Made(select(s * p.slope, s, s >= 0.0));
                }
            }
            workgroupBarrier();
        }
    }
}
