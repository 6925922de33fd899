// conv_weight.wgsl — gradient of a convolution's weights.
//   dw[s,l,k] = sum_{o,n} dy[s,o,n] x[l, o * stride + k - pad, n]        positions outside x count as zero
// dy is [S][o][N] on the convolution's output side (o = d, h, w), x is [L][D][H][W][N] on its input side; for a
// transposed convolution x is the gradient of its output and dy its input. dw is PyTorch's [S][L][k].
//
// A row is all (w, n) of one (d, h) of dy; a unit is a piece of at most `piece` columns of a row. One workgroup is (tile
// of 4 * QUADS s, tile of 8 terms, part): it walks the units of its part. The terms are the pairs (k, l), l fastest.
// One lane adds all 4 * QUADS * 8 products over its own columns, four neighbours at a time; at the end the lanes'
// sums are added in workgroup memory in the order of the lanes. Part a writes to dw + a * S * L * K; sum_parts adds them.
// With VECTOR (N a multiple of 4) the four columns lie in one voxel and are one load.

struct ConvWeightParams {
    batch: u32, small: u32, large: u32, // N, S, L
    in_d: u32, in_h: u32, in_w: u32,    // extents of x
    out_d: u32, out_h: u32, out_w: u32, // extents of dy
    kernel_d: u32, kernel_h: u32, kernel_w: u32,
    stride_d: u32, stride_h: u32, stride_w: u32,
    pad_d: u32, pad_h: u32, pad_w: u32,
    tiles: u32,     // of s
    terms: u32,     // kernel_d * kernel_h * kernel_w * L
    term_tiles: u32,
    piece: u32,     // columns of a unit, a multiple of 4
    pieces: u32,    // units in a row
    units: u32,     // in all
    chunk: u32,     // units in a part
    groups: u32,    // workgroups that have work
    inverse: f32,   // 1 / N
}

@group(0) @binding(0) var<uniform> p: ConvWeightParams;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> dy4: array<Four>; // the buffer of dy once more
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> x4: array<Four>;  // the buffer of x once more
@group(0) @binding(5) var<storage, read_write> dw: array<f32>;

override WG: u32;
override QUADS: u32;       // 1, 2 or 4; WG * QUADS <= 128
override VECTOR: bool;
override ONE_TAP: bool; // L is a multiple of 8: the terms of a tile share their tap
override SPAN: u32 = select(4u, 1u, VECTOR);

var<workgroup> lanes: array<f32, WG * QUADS * 32u>; // [s][term][lane]

var<private> acc: array<f32, 128>;    // sums, [s][term]
var<private> g: array<vec4<f32>, 16>; // loaded dy, [s]
var<private> v: array<vec4<f32>, 8>;  // loaded x, [term]

fn add(q: u32) {
    for (var c = 0u; c < 4u; c++) {
        for (var k = 0u; k < 8u; k++) {
            let a = g[q * 4u + c];
            var r = acc[(q * 4u + c) * 8u + k];
            r = fma(a.x, v[k].x, r);
            r = fma(a.y, v[k].y, r);
            r = fma(a.z, v[k].z, r);
            acc[(q * 4u + c) * 8u + k] = fma(a.w, v[k].w, r);
        }
    }
}

fn share(q: u32, t: u32) {
    for (var k = 0u; k < 32u; k += 2u) {
        lanes[(q * 32u + k) * WG + t] = acc[q * 32u + k];
        lanes[(q * 32u + k + 1u) * WG + t] = acc[q * 32u + k + 1u];
    }
}

@compute @workgroup_size(WG)
fn conv_weight(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) t: u32) {
    let id = group_index(wid, groups);
    let tile = id % p.tiles;
    let term0 = ((id / p.tiles) % p.term_tiles) * 8u;
    let part = id / (p.tiles * p.term_tiles);
    let row_size = p.out_w * p.batch;
    let plane = p.in_d * p.in_h * p.in_w * p.batch;
    let out_plane = p.out_d * p.out_h * row_size;

    var kd: array<u32, 8>; // what a term adds to a position in x
    var kh: array<u32, 8>;
    var kw: array<u32, 8>;
    var shift: array<u32, 8>; // its address
    for (var k = 0u; k < 8u; k++) {
        let term = min(term0 + k, p.terms - 1u);
        let tap = term / p.large;
        kd[k] = tap / (p.kernel_h * p.kernel_w) - p.pad_d;
        kh[k] = (tap / p.kernel_w) % p.kernel_h - p.pad_h;
        kw[k] = tap % p.kernel_w - p.pad_w;
        shift[k] = (term % p.large) * plane + ((kd[k] * p.in_h + kh[k]) * p.in_w + kw[k]) * p.batch;
    }
    var source: array<u32, 16>; // where an s begins in dy
    for (var s = 0u; s < 4u * QUADS; s++) { source[s] = min(tile * 4u * QUADS + s, p.small - 1u) * out_plane; }

    let end = select(0u, min((part + 1u) * p.chunk, p.units), id < p.groups);
    for (var unit = part * p.chunk; unit < end; unit++) {
        let row = unit / p.pieces;
        let begin = (unit % p.pieces) * p.piece;
        let d = (row / p.out_h) * p.stride_d;
        let h = (row % p.out_h) * p.stride_h;
        let row_at = (d * p.in_h + h) * p.in_w * p.batch;
        let outside = ONE_TAP && (d + kd[0] >= p.in_d || h + kh[0] >= p.in_h);
        let stop = select(min(begin + p.piece, row_size), 0u, outside);
        for (var m = begin + 4u * t; m < stop; m += 4u * WG) {
            if VECTOR {
                let w = min(u32((f32(m) + 0.5) * p.inverse), p.out_w - 1u);
                let at = row_at + w * p.stride_w * p.batch + m - w * p.batch;
                for (var k = 0u; k < 8u; k++) {
                    let live = d + kd[k] < p.in_d && h + kh[k] < p.in_h && w * p.stride_w + kw[k] < p.in_w;
                    v[k] = select(vec4<f32>(), four(x4[select(0u, at + shift[k], live) / 4u]), live);
                }
                for (var s = 0u; s < 4u * QUADS; s++) { g[s] = four(dy4[(source[s] + row * row_size + m) / 4u]); }
            } else {
                for (var c = 0u; c < 4u; c++) {
                    let mc = min(m + c, row_size - 1u);
                    let w = min(u32((f32(mc) + 0.5) * p.inverse), p.out_w - 1u);
                    let at = row_at + w * p.stride_w * p.batch + mc - w * p.batch;
                    for (var k = 0u; k < 8u; k++) {
                        let live = d + kd[k] < p.in_d && h + kh[k] < p.in_h && w * p.stride_w + kw[k] < p.in_w && m + c < stop;
                        v[k][c] = select(0.0, x[select(0u, at + shift[k], live)], live);
                    }
                    for (var s = 0u; s < 4u * QUADS; s++) { g[s][c] = dy[source[s] + row * row_size + mc]; }
                }
            }
            add(0u);
            if QUADS > 1u { add(1u); }
            if QUADS > 2u { add(2u); add(3u); }
        }
    }

    share(0u, t);
    if QUADS > 1u { share(1u, t); }
    if QUADS > 2u { share(2u, t); share(3u, t); }
    workgroupBarrier();
    if id >= p.groups { return; }
    let taps = p.kernel_d * p.kernel_h * p.kernel_w;
    for (var e = t; e < QUADS * 32u; e += WG) {
        var r = 0.0;
        // Each lane begins at its own number: side by side they would all wait for one bank of the memory.
        for (var j = 0u; j < WG; j++) { r += lanes[e * WG + (j + t) % WG]; }
        let s = tile * 4u * QUADS + e / 8u;
        let term = term0 + e % 8u;
        if s < p.small && term < p.terms {
            dw[((part * p.small + s) * p.large + term % p.large) * taps + term / p.large] = r;
        }
    }
}
