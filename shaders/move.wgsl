// move.wgsl — a window of a strided tensor: slices, padding, cropping, permutation.
//
//   y[c] = x[offset + sum over d of (c_d - low_d) step_d]   where every c_d - low_d lies in [0, have_d), else fill
//
// c are the coordinates in y (extents e0..e4, the last fastest). `move_into` writes to a window instead: y[i'] = x[i],
// where i' = first + outer part * jump + inner part, for concatenation.

override WG: u32;

struct MoveParams {
    count: u32, e1: u32, e2: u32, e3: u32, e4: u32,
    step0: u32, step1: u32, step2: u32, step3: u32, step4: u32,
    low0: u32, low1: u32, low2: u32, low3: u32, low4: u32,
    have0: u32, have1: u32, have2: u32, have3: u32, have4: u32,
    fill: f32, first: u32, inner: u32, jump: u32,
}

@group(0) @binding(0) var<uniform> p: MoveParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn move_window(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    // Below the window the difference wraps to a huge number: one compare tests both ends.
    let c4 = i % p.e4 - p.low4;
    var rest = i / p.e4;
    let c3 = rest % p.e3 - p.low3; rest = rest / p.e3;
    let c2 = rest % p.e2 - p.low2; rest = rest / p.e2;
    let c1 = rest % p.e1 - p.low1;
    let c0 = rest / p.e1 - p.low0;
    var v = p.fill;
    if c0 < p.have0 && c1 < p.have1 && c2 < p.have2 && c3 < p.have3 && c4 < p.have4 {
        v = x[c0 * p.step0 + c1 * p.step1 + c2 * p.step2 + c3 * p.step3 + c4 * p.step4];
    }
    y[i] = v;
}

@compute @workgroup_size(WG)
fn move_into(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    y[p.first + i / p.inner * p.jump + i % p.inner] = x[i];
}
