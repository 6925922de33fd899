// conv.wgsl — convolution and transposed convolution (which is the input gradient of the convolution).
//
// x is [I][D][H][W][N], y is [O][D'][H'][W'][N], N the batch, the fastest axis. Two-dimensional: D = 1.
//   conv            y[o,v,n] = act(bias[o] + sum_{i,k} w[o,i,k] x[i, v * stride + k - pad, n])
//   conv_transpose  y[o,v,n] = act(bias[o] + sum_{i,k} w[i,o,k] x[i, (v + pad - k) / stride, n]),
//                   k over the taps for which the division is exact; positions outside x count as zero
//   act(r) = r for r >= 0, slope * r below (slope 1: identity, 0: relu); with BY_CELL the bias is bias[o,v]
// wt is packed by pack.wgsl: [tile of 4 * QUADS outputs o][k in the order d, h, w][i][4 * QUADS], zeros beyond O.
// The axes may be walked in another order: below d, h, w are the axes in that order, and x_d, y_d, tap_d, .. say how far
// neighbours along each lie apart in x, y and among the taps.
//
// A transposed convolution falls apart into stride_d * stride_h * stride_w phases: the output voxels of one phase
// (v = phase mod stride) use one set of taps, so a phase is a convolution of stride 1 and nothing is multiplied by
// zero. The columns of a phase are its (voxel, shower) pairs in memory order.
// One lane computes 4 * QUADS output channels of GROUPS * 4 columns: group j of lane t holds the four neighbouring
// columns 4 * ((block * GROUPS + j) * WG + t) + 0..3; with SHARE the groups are GROUPS neighbours along w, in each of ROWS
// neighbours along h. With VECTOR (N a multiple of 4) the four lie in one voxel and are one load; otherwise each has a
// position of its own.
// One workgroup is (product z, block of columns, phase, part of the inputs i, tile of outputs), flattened over the grid,
// the tile fastest. With parts > 1 the plain sums of part s go to y + s * y_part, and sum_parts finishes them.
//
// A dense layer y[o,m] = act(bias[o] + sum_i w[o,i] x[i,m]) is the convolution with all extents 1 and N = all columns m;
// so are 1x1x1 convolutions (m = voxels x batch) and batches of matrix products (operands z * skip apart, biases one after
// the other).

struct ConvParams {
    batch: u32, inputs: u32, outputs: u32,
    in_d: u32, in_h: u32, in_w: u32,
    out_d: u32, out_h: u32, out_w: u32,
    kernel_d: u32, kernel_h: u32, kernel_w: u32,
    stride_d: u32, stride_h: u32, stride_w: u32,
    pad_d: u32, pad_h: u32, pad_w: u32,
    x_d: u32, x_h: u32, x_w: u32, // in elements
    y_d: u32, y_h: u32, y_w: u32,
    tap_d: u32, tap_h: u32, tap_w: u32,
    transposed: u32, // 0 or 1
    tiles: u32,      // of outputs
    phases: u32,     // 1, or stride_d * stride_h * stride_w
    parts: u32,      // of the inputs
    chunk: u32,      // inputs of one part
    groups: u32,     // workgroups that have work
    blocks: u32,     // of columns, in the largest phase
    x_skip: u32,     // from one product of the batch z to the next, in elements; 0 to share the operand
    w_skip: u32,     // the same in wt, in vec4s
    y_skip: u32,
    y_part: u32,     // from one part to the next in y
    taps: u32,       // kernel_d * kernel_h * kernel_w
    padded: u32,     // inputs, filled up to a multiple of DEEP
    has_bias: u32,   // 0 or 1
    slope: f32,
}

@group(0) @binding(0) var<uniform> p: ConvParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x4: array<Four>; // the buffer of x once more
@group(0) @binding(3) var<storage, read> wt: array<Four>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;        // in conv_any
@group(0) @binding(5) var<storage, read_write> y4: array<Four>; // in conv

override WG: u32;
override QUADS: u32;  // 1, 2, 3, 4 or 8: a lane has 4 * QUADS output channels
override GROUPS: u32; // 1..8, QUADS * GROUPS <= 16
override ROWS: u32;   // 1 or 2; 2 where SHARE, QUADS = 1 and no stride along h, LAST * 2 * GROUPS <= 32
override LAST: u32;   // outputs of the last quad that exist: fewer than 4 only with a single tile
override VECTOR: bool;
// TAPS * DEEP terms of the sum at once: a sum's round trip through a loop costs more than a term.
override TAPS: u32; // 1..9, along w
override EXACT: bool; // TAPS divides the number of taps along w in every phase
override DEEP: u32; // 1..4 inputs
override BY_CELL: bool; // each output voxel has a bias of its own
override SHARE: bool; // the groups are neighbours along w and share loads
override APART: u32;  // where SHARE: how far apart these read along w
override SPAN: u32 = select(4u, 1u, VECTOR); // positions in a group
override WINDOW: u32 = select(GROUPS, 1u, SHARE); // positions loaded for a tap
override ALL: u32 = ROWS * GROUPS; // groups of a lane
override LOADS: u32 = TAPS + select(0u, APART * (GROUPS - 1u), SHARE); // for an input: the taps, and further groups
override NEXT: u32 = select(1u, APART, SHARE); // loads from one group to the next
override UNIT: u32 = select(1u, 4u, VECTOR); // elements in a load

// One axis of one phase: its taps are first, first + step, ...; tap number a reads x at position + offset + a * turn.
struct Axis { count: u32, first: u32, step: u32, offset: u32, turn: u32, extent: u32 }

fn axis(phase: u32, kernel: u32, stride: u32, pad: u32, extent: u32) -> Axis {
    if p.transposed == 0u {
        return Axis(kernel, 0u, 1u, 0u - pad, 1u, extent);
    }
    let first = (phase + pad) % stride;
    let count = (max(kernel, first) - first + stride - 1u) / stride;
    return Axis(count, first, stride, (phase + pad) / stride, 0u - 1u, (max(extent, phase) - phase + stride - 1u) / stride);
}

// What a lane holds.
var<private> acc: array<vec4<f32>, 64>; // sums, [channel][row][group]
var<private> v: array<vec4<f32>, 32>;   // loaded x, [input][tap][position]
var<private> y_at: u32;                 // where this part and z begin in y
var<private> bias_at: u32;              // and in bias
var<private> to: array<u32, 32>;        // address in channel 0 of y; 2^32 - 1 beyond the last column
var<private> cell: array<u32, 32>;      // voxel of y, where BY_CELL

// The weights of one trip's taps.
struct Taps {
    at: u32,    // of the first tap in row 0 of taps
    step: u32,  // from tap to tap along w
    last: u32,  // number of the last tap along w
    down: u32,  // from row to row of taps
    row: u32,   // the row of taps that the first row of y meets here
    count: u32, // rows of taps
}

// Outputs that a lane computes of quad q.
fn outputs(q: u32) -> u32 {
    return select(4u, LAST, q + 1u == QUADS);
}

// The loops below are short on purpose: Mesa unrolls a loop of up to some 800 instructions and keeps a local array in
// registers only when every loop that indexes it is unrolled. Hence one call a quad of channels, not a loop over quads, and one
// a row.
fn add(q: u32, row: u32, taps: Taps) {
    let tap_h = taps.row - select(row, ROWS - 1u - row, p.transposed != 0u);
    let on = ROWS == 1u || tap_h < taps.count;
    let at = taps.at + select(0u, tap_h, on) * taps.down;
    var k: array<vec4<f32>, 16>;
    for (var d = 0u; d < DEEP; d++) {
        for (var u = 0u; u < TAPS; u++) {
            let tap = select(u, TAPS - 1u - u, SHARE && p.transposed != 0u);
            let w = four(wt[at + select(min(tap, taps.last), tap, EXACT) * taps.step + d * QUADS + q]);
            k[d * TAPS + u] = select(vec4<f32>(), w, on && (EXACT || tap <= taps.last));
        }
    }
    for (var c = 0u; c < outputs(q); c++) {
        for (var j = 0u; j < GROUPS; j++) {
            var r = acc[(q * 4u + c) * ALL + row * GROUPS + j];
            for (var d = 0u; d < DEEP; d++) {
                for (var u = 0u; u < TAPS; u++) {
                    r = fma(vec4<f32>(k[d * TAPS + u][c]), v[(d * LOADS + u) * WINDOW + j * NEXT], r);
                }
            }
            acc[(q * 4u + c) * ALL + row * GROUPS + j] = r;
        }
    }
}

fn finish(q: u32, tile: u32) {
    for (var c = 0u; c < outputs(q); c++) {
        let o = bias_at + min((tile * QUADS + q) * 4u + c, p.outputs - 1u);
        var shift = vec4<f32>();
        if !BY_CELL && p.has_bias != 0u { shift = vec4<f32>(bias[o]); }
        for (var j = 0u; j < ALL; j++) {
            if BY_CELL {
                for (var s = 0u; s < SPAN; s++) { shift[s] = bias[o * (p.out_d * p.out_h * p.out_w) + cell[j * SPAN + s]]; }
                if SPAN == 1u { shift = vec4<f32>(shift.x); }
            }
            let r = acc[(q * 4u + c) * ALL + j] + shift;
            acc[(q * 4u + c) * ALL + j] = select(r * p.slope, r, r >= vec4<f32>());
        }
    }
}

fn store_quad(q: u32, id: u32) {
    let plane = p.out_d * p.out_h * p.out_w * p.batch;
    for (var c = 0u; c < outputs(q); c++) {
        let o = ((id % p.tiles) * QUADS + q) * 4u + c;
        let base = y_at + o * plane;
        for (var j = 0u; j < ALL; j++) {
            if o < p.outputs && to[j] != 0xffffffffu { y4[(base + to[j]) / 4u] = of_four(acc[(q * 4u + c) * ALL + j]); }
        }
    }
}

fn store_any(q: u32, id: u32) {
    let plane = p.out_d * p.out_h * p.out_w * p.batch;
    for (var c = 0u; c < outputs(q); c++) {
        let o = ((id % p.tiles) * QUADS + q) * 4u + c;
        let base = y_at + o * plane;
        for (var j = 0u; j < ALL; j++) {
            for (var s = 0u; s < 4u; s++) {
                let k = j * SPAN + s % SPAN;
                if o < p.outputs && to[k] != 0xffffffffu { y[base + to[k]] = f32(acc[(q * 4u + c) * ALL + j][s]); }
            }
        }
    }
}

// Fills acc; false where the workgroup has nothing to do.
fn sums(id: u32, t: u32) -> bool {
    if id >= p.groups { return false; }
    let tile = id % p.tiles;
    let part = (id / p.tiles) % p.parts;
    let phase = (id / (p.tiles * p.parts)) % p.phases;
    let block = (id / (p.tiles * p.parts * p.phases)) % p.blocks;
    let z = id / (p.tiles * p.parts * p.phases * p.blocks);
    y_at = part * p.y_part + z * p.y_skip;
    bias_at = z * p.outputs;

    // the phase, and its columns
    let wide = p.transposed != 0u;
    let phase_w = phase % p.stride_w;
    let phase_h = (phase / p.stride_w) % p.stride_h;
    let phase_d = phase / (p.stride_w * p.stride_h);
    let ad = axis(phase_d, p.kernel_d, p.stride_d, p.pad_d, p.out_d);
    let ah = axis(phase_h, p.kernel_h, p.stride_h, p.pad_h, p.out_h);
    let aw = axis(phase_w, p.kernel_w, p.stride_w, p.pad_w, p.out_w);
    let in_step = select(vec3<u32>(p.stride_d, p.stride_h, p.stride_w), vec3<u32>(1u), wide);
    let out_step = select(vec3<u32>(1u), vec3<u32>(p.stride_d, p.stride_h, p.stride_w), wide);
    let across = select(1u, GROUPS, SHARE); // voxels of a lane along w
    let wide_w = (aw.extent + across - 1u) / across;
    let tall_h = (ah.extent + ROWS - 1u) / ROWS;
    let columns = ad.extent * tall_h * wide_w * p.batch;
    if block * (GROUPS / across) * WG * 4u >= columns { return false; }

    var pd: array<u32, 32>; // position in x of tap offset 0
    var ph: array<u32, 32>;
    var pw: array<u32, 32>;
    var at: array<u32, 32>; // its address in channel 0
    for (var g = 0u; g < ALL; g++) {
        for (var s = 0u; s < SPAN; s++) {
            let j = g % GROUPS;
            let m = 4u * (select(block * GROUPS + j, block, SHARE) * WG + t) + s;
            let n = m % p.batch;
            let vw = (m / p.batch) % wide_w * across + select(0u, j, SHARE);
            let row = m / (p.batch * wide_w);
            let vh = row % tall_h * ROWS + g / GROUPS;
            let vd = row / tall_h;
            let k = g * SPAN + s;
            pd[k] = vd * in_step.x + ad.offset;
            ph[k] = vh * in_step.y + ah.offset;
            pw[k] = vw * in_step.z + aw.offset;
            at[k] = pd[k] * p.x_d + ph[k] * p.x_h + pw[k] * p.x_w + n;
            let v = (vd * out_step.x + phase_d) * p.y_d + (vh * out_step.y + phase_h) * p.y_h + (vw * out_step.z + phase_w) * p.y_w;
            to[k] = select(0xffffffffu, v + n, m < columns && vh < ah.extent && vw < aw.extent);
            if BY_CELL { cell[k] = select(0u, v / p.batch, to[k] != 0xffffffffu); }
        }
    }

    let i0 = part * p.chunk;
    let i1 = min(i0 + p.chunk, p.inputs);
    let plane = p.in_d * p.in_h * p.in_w * p.batch / UNIT;
    let step = p.padded * QUADS; // from tap to tap in wt
    for (var a = 0u; a < ad.count; a++) {
        let od = a * ad.turn;
        let tap0 = (ad.first + a * ad.step) * p.tap_d + ah.first * p.tap_h + aw.first * p.tap_w;
        // A row of x is tap b of the first row of y, b - 1 of the next; transposed the other way round.
        for (var b = 0u; b < ah.count + ROWS - 1u; b++) {
            let oh = b * ah.turn + select(0u, ROWS - 1u, wide);
            for (var e0 = 0u; e0 < aw.count; e0 += TAPS) {
                var src: array<u32, 128>; // [tap][position]
                var live: array<bool, 128>;
                for (var u = 0u; u < LOADS; u++) {
                    let ow = (e0 + select(u, TAPS - 1u - u, SHARE && wide)) * aw.turn;
                    let shift = od * p.x_d + oh * p.x_h + ow * p.x_w;
                    for (var j = 0u; j < WINDOW; j++) {
                        for (var s = 0u; s < SPAN; s++) {
                            let k = j * SPAN + s;
                            let ok = pd[k] + od < p.in_d && ph[k] + oh < p.in_h && pw[k] + ow < p.in_w;
                            live[u * WINDOW * SPAN + k] = ok;
                            src[u * WINDOW * SPAN + k] = (z * p.x_skip + select(0u, at[k] + shift, ok)) / UNIT;
                        }
                    }
                }
                for (var i = i0; i < i1; i += DEEP) {
                    for (var d = 0u; d < DEEP; d++) {
                        let first = min(i + d, p.inputs - 1u) * plane;
                        for (var g = 0u; g < LOADS * WINDOW; g++) {
                            if VECTOR {
                                v[d * LOADS * WINDOW + g] = select(vec4<f32>(), four(x4[src[g] + first]), live[g]);
                            } else {
                                for (var s = 0u; s < 4u; s++) {
                                    let k = g * SPAN + s % SPAN;
                                    v[d * LOADS * WINDOW + g][s] = select(0.0, f32(x[src[k] + first]), live[k]);
                                }
                            }
                        }
                    }
                    let w0 = z * p.w_skip + ((tile * p.taps + tap0 + e0 * aw.step * p.tap_w) * p.padded + i) * QUADS;
                    let last = select(aw.count - e0, 1u, TAPS == 1u) - 1u;
                    let taps = Taps(w0, aw.step * p.tap_w * step, last, ah.step * p.tap_h * step, b, ah.count);
                    add(0u, 0u, taps);
                    if QUADS > 1u { add(1u, 0u, taps); }
                    if QUADS > 2u { add(2u, 0u, taps); }
                    if QUADS > 3u { add(3u, 0u, taps); }
                    if QUADS > 4u { add(4u, 0u, taps); add(5u, 0u, taps); }
                    if QUADS > 6u { add(6u, 0u, taps); add(7u, 0u, taps); }
                    if ROWS > 1u { add(0u, 1u, taps); }
                }
            }
        }
    }
    finish(0u, tile);
    if QUADS > 1u { finish(1u, tile); }
    if QUADS > 2u { finish(2u, tile); }
    if QUADS > 3u { finish(3u, tile); }
    if QUADS > 4u { finish(4u, tile); finish(5u, tile); }
    if QUADS > 6u { finish(6u, tile); finish(7u, tile); }
    return true;
}

// N a multiple of 4.
@compute @workgroup_size(WG)
fn conv(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) t: u32) {
    let id = group_index(wid, groups);
    if !sums(id, t) { return; }
    store_quad(0u, id);
    if QUADS > 1u { store_quad(1u, id); }
    if QUADS > 2u { store_quad(2u, id); }
    if QUADS > 3u { store_quad(3u, id); }
    if QUADS > 4u { store_quad(4u, id); store_quad(5u, id); }
    if QUADS > 6u { store_quad(6u, id); store_quad(7u, id); }
}

// Any N.
@compute @workgroup_size(WG)
fn conv_any(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) t: u32) {
    let id = group_index(wid, groups);
    if !sums(id, t) { return; }
    store_any(0u, id);
    if QUADS > 1u { store_any(1u, id); }
    if QUADS > 2u { store_any(2u, id); }
    if QUADS > 3u { store_any(3u, id); }
    if QUADS > 4u { store_any(4u, id); store_any(5u, id); }
    if QUADS > 6u { store_any(6u, id); store_any(7u, id); }
}
