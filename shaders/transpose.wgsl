// transpose.wgsl — the last two axes exchanged: the border between the host's [N, M] and the device's [M, N].
//
//   y[b, c, r] = x[b, r, c]          x [B, R, C], y [B, C, R]
//
// `transpose`: one workgroup of 8 x TILE lanes moves a TILE x TILE tile through workgroup memory, so that both sides are
// coalesced. `transpose_four`: one lane moves 4 x 4 elements through registers, where R and C are multiples of four; on a
// CPU barriers cost more than strides.

const TILE = 16u;

struct TransposeParams { batch: u32, rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> p: TransposeParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x4: array<Four>;
@group(0) @binding(2) var<storage, read_write> y4: array<Four>;

var<workgroup> tile: array<f32, 272>; // TILE rows of TILE + 1

@compute @workgroup_size(128)
fn transpose(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) tid: u32) {
    let across = (p.columns + TILE - 1u) / TILE;
    let down = (p.rows + TILE - 1u) / TILE;
    let g = group_index(wid, groups);
    let live = g < p.batch * across * down;
    let c0 = g % across * TILE;
    let r0 = g / across % down * TILE;
    let base = g / (across * down) * p.rows * p.columns;
    let i = tid % TILE;
    for (var j = tid / TILE; j < TILE; j += 8u) {
        if live && r0 + j < p.rows && c0 + i < p.columns {
            tile[j * (TILE + 1u) + i] = f32(x[base + (r0 + j) * p.columns + c0 + i]);
        }
    }
    workgroupBarrier();
    for (var j = tid / TILE; j < TILE; j += 8u) {
        if live && c0 + j < p.columns && r0 + i < p.rows {
            y[base + (c0 + j) * p.rows + r0 + i] = f32(tile[i * (TILE + 1u) + j]);
        }
    }
}

@compute @workgroup_size(64)
fn transpose_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) tid: u32) {
    let across = p.columns / 4u;
    let down = p.rows / 4u;
    let g = group_index(wid, groups) * 64u + tid;
    if g >= p.batch * across * down { return; }
    // Neighbours read neighbouring rows of blocks: what they write lies together.
    let r = g % down;
    let c = g / down % across;
    let base = g / (across * down) * across * p.rows;
    let v = mat4x4<f32>(
        four(x4[base + (4u * r) * across + c]),
        four(x4[base + (4u * r + 1u) * across + c]),
        four(x4[base + (4u * r + 2u) * across + c]),
        four(x4[base + (4u * r + 3u) * across + c]),
    );
    for (var j = 0u; j < 4u; j++) {
        y4[base + (4u * c + j) * down + r] = of_four(vec4(v[0][j], v[1][j], v[2][j], v[3][j]));
    }
}
