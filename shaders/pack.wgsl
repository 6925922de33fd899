// pack.wgsl — repacks an array of three axes into tiles of one of them, so that a tile is read as vec4s.
//   dst[z][c / tile][row][col][c % tile] = src[z * skip + c * step + row * outer + col * inner]
// row < rows, col < padded; zero for c >= count and for col >= cols. Weights [S][L][k] (K taps) become
//   conv:            c = s, row = k, col = l: step = L * K, outer = 1, inner = K
//   conv_transpose:  c = l, row = k, col = s: step = K,     outer = 1, inner = L * K
// A matrix [count][cols] is transposed to [cols][count] with tile = count, step = cols, rows = 1, inner = 1.
// pack: one lane computes one element of dst. pack_quads: sixteen.

struct PackParams {
    count: u32, tile: u32, rows: u32, cols: u32, padded: u32,
    step: u32, outer: u32, inner: u32, skip: u32,
    total: u32, // elements of dst
}

@group(0) @binding(0) var<uniform> p: PackParams;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

override WG: u32;

@compute @workgroup_size(WG)
fn pack(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) t: u32) {
    let at = group_index(wid, groups) * WG + t;
    if at >= p.total { return; }
    let lane = at % p.tile;
    let k = at / p.tile;
    let col = k % p.padded;
    let row = (k / p.padded) % p.rows;
    let b = k / (p.padded * p.rows);
    let tiles = (p.count + p.tile - 1u) / p.tile;
    let c = (b % tiles) * p.tile + lane;
    var v = 0.0;
    if c < p.count && col < p.cols { v = src[(b / tiles) * p.skip + c * p.step + row * p.outer + col * p.inner]; }
    dst[at] = v;
}

// The same for a tile that is a multiple of 4: one lane computes 4 c of 4 neighbouring cols, dst as vec4s.
@group(0) @binding(2) var<storage, read_write> dst4: array<vec4<f32>>;

@compute @workgroup_size(WG)
fn pack_quads(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) t: u32) {
    let at = group_index(wid, groups) * WG + t;
    let across = (p.padded + 3u) / 4u;
    let quads = (p.count + p.tile - 1u) / p.tile * (p.tile / 4u); // of one array
    let by_c = p.step < p.inner; // neighbouring lanes follow the axis along which src is contiguous
    let first = select(across, quads, by_c);
    let k = at / first;
    let second = select(quads, across, by_c);
    let quad = select(k % second, at % first, by_c);
    let col0 = select(at % first, k % second, by_c) * 4u;
    let row = (k / second) % p.rows;
    let z = k / (second * p.rows);
    if z * quads * p.rows * p.padded * 4u >= p.total { return; }
    let width = p.tile / 4u;
    let tile = quad / width;
    let base = z * p.skip + row * p.outer;
    for (var j = 0u; j < 4u; j++) {
        let col = col0 + j;
        if col < p.padded {
            var v = vec4<f32>();
            for (var i = 0u; i < 4u; i++) {
                let c = quad * 4u + i;
                let r = src[base + min(c, p.count - 1u) * p.step + min(col, p.cols - 1u) * p.inner];
                v[i] = select(0.0, r, c < p.count && col < p.cols);
            }
            dst4[((z * quads / width + tile) * p.rows * p.padded + row * p.padded + col) * width + quad % width] = v;
        }
    }
}
