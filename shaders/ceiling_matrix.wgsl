// ceiling_matrix.wgsl — what a device's cooperative matrices can do at most: products from registers alone.
//
//   y[s] = 16 rounds (x[0] + x[1]) (x[2] + x[3])     x: four matrices T x T, y: one a subgroup s
//
// Four sums in turn, x[i] x[2 + j] each, hide the latency of a product. One workgroup is one subgroup; where subgroups turn
// out smaller than they may be, each of its two does the same, and the device seems half as fast.
enable f16;
enable wgpu_cooperative_matrix;

override WG: u32; // lanes of a subgroup, at most

struct CeilingMatrixParams { count: u32, rounds: u32 }

@group(0) @binding(0) var<uniform> p: CeilingMatrixParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const CELLS = T * T;
var<workgroup> stage: array<Piece, 4u * CELLS / PIECE>;

@compute @workgroup_size(WG)
fn ceiling_matrix(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) t: u32) {
    let s = wid.x + wid.y * groups.x; // not by `group_index`: to naga no call is uniform, as the matrices below need it
    if s >= p.count { return; }
    for (var i = 4u * t; i < 4u * CELLS; i += 4u * WG) {
        place(i, vec4<f16>(vec4<f32>(x[i], x[i + 1u], x[i + 2u], x[i + 3u])));
    }
    workgroupBarrier();
    let a0 = coopLoadT<Left>(&stage[0], T / PIECE);
    let a1 = coopLoadT<Left>(&stage[CELLS / PIECE], T / PIECE);
    let b0 = coopLoadT<Right>(&stage[2u * CELLS / PIECE], T / PIECE);
    let b1 = coopLoadT<Right>(&stage[3u * CELLS / PIECE], T / PIECE);
    var c00 = Sum();
    var c01 = Sum();
    var c10 = Sum();
    var c11 = Sum();
    for (var round = 0u; round < p.rounds; round++) {
        for (var step = 0u; step < 16u; step++) {
            c00 = coopMultiplyAdd(a0, b0, c00);
            c01 = coopMultiplyAdd(a0, b1, c01);
            c10 = coopMultiplyAdd(a1, b0, c10);
            c11 = coopMultiplyAdd(a1, b1, c11);
        }
    }
    let sum = c00 + c01 + c10 + c11;
    let to = s * CELLS;
    coopStoreT(sum, &y[to], T);
}
