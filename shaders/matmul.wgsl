// matmul.wgsl — a stack of matrix products.
//
//   y[z,i,j] = sum_k a[z,i,k] b[z,k,j]          a [Z,N,K], b [Z,K,M], y [Z,N,M]
//
// One workgroup of 8 x 8 lanes makes a 16 x 16 tile; one lane makes rows i, i + 8 of columns j, j + 8. Rows of `a` are the
// same for eight lanes, columns of `b` lie next to each other.

struct MatmulParams { batch: u32, n: u32, k: u32, m: u32 }

@group(0) @binding(0) var<uniform> p: MatmulParams;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(8, 8)
fn matmul(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_id) lane: vec3<u32>) {
    let across = (p.m + 15u) / 16u;
    let down = (p.n + 15u) / 16u;
    let g = group_index(wid, groups);
    let z = g / (across * down);
    if z >= p.batch { return; }
    let j = g % across * 16u + lane.x;
    let i = g / across % down * 16u + lane.y;
    // Beyond the edge the last row or column is computed again and not stored.
    let r0 = (z * p.n + min(i, p.n - 1u)) * p.k;
    let r1 = (z * p.n + min(i + 8u, p.n - 1u)) * p.k;
    let c0 = z * p.k * p.m + min(j, p.m - 1u);
    let c1 = z * p.k * p.m + min(j + 8u, p.m - 1u);
    var s00 = 0.0; var s01 = 0.0; var s10 = 0.0; var s11 = 0.0;
    for (var k = 0u; k < p.k; k++) {
        let u = a[r0 + k];
        let v = a[r1 + k];
        let s = b[c0 + k * p.m];
        let t = b[c1 + k * p.m];
        s00 = fma(u, s, s00); s01 = fma(u, t, s01);
        s10 = fma(v, s, s10); s11 = fma(v, t, s11);
    }
    let to = (z * p.n + i) * p.m + j;
    if i < p.n && j < p.m { y[to] = s00; }
    if i < p.n && j + 8u < p.m { y[to + 8u] = s01; }
    if i + 8u < p.n && j < p.m { y[to + 8u * p.m] = s10; }
    if i + 8u < p.n && j + 8u < p.m { y[to + 8u * p.m + 8u] = s11; }
}
