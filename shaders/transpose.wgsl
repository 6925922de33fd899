// transpose.wgsl — the last two axes exchanged: the border between the host's [N, M] and the device's [M, N].
//
//   y[b, c, r] = x[b, r, c]          x [B, R, C], y [B, C, R]
//
// One workgroup of 8 x TILE lanes moves a TILE x TILE tile through workgroup memory, so that both sides are coalesced.

const TILE = 16u;

struct TransposeParams { batch: u32, rows: u32, columns: u32 }

@group(0) @binding(0) var<uniform> p: TransposeParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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
            tile[j * (TILE + 1u) + i] = x[base + (r0 + j) * p.columns + c0 + i];
        }
    }
    workgroupBarrier();
    for (var j = tid / TILE; j < TILE; j += 8u) {
        if live && c0 + j < p.columns && r0 + i < p.rows {
            y[base + (c0 + j) * p.rows + r0 + i] = tile[i * (TILE + 1u) + j];
        }
    }
}
