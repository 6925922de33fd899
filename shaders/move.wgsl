// move.wgsl — a window of a strided tensor: slices, padding, cropping, permutation.
//
//   y[c] = x[sum over d of (c_d - low_d) step_d]   where every c_d - low_d lies in [0, have_d), else fill
//
// c are the coordinates in y (extents e0..e4, the last fastest). `move_into` writes to a window instead: y[i'] = x[i],
// where i' = first + outer part * jump + inner part, for concatenation. Where rows are whole, lie together and have a
// multiple of four elements, `move_window_four` and `move_into_four` move fours, which all parameters then count.

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
@group(0) @binding(1) var<storage, read> x4: array<Four>;
@group(0) @binding(2) var<storage, read_write> y4: array<Four>;

const NOWHERE = 0xffffffffu;

// Where element i of y lies in x.
fn source(i: u32) -> u32 {
    // Below the window the difference wraps to a huge number: one compare tests both ends.
    let c4 = i % p.e4 - p.low4;
    var rest = i / p.e4;
    let c3 = rest % p.e3 - p.low3; rest = rest / p.e3;
    let c2 = rest % p.e2 - p.low2; rest = rest / p.e2;
    let c1 = rest % p.e1 - p.low1;
    let c0 = rest / p.e1 - p.low0;
    if c0 < p.have0 && c1 < p.have1 && c2 < p.have2 && c3 < p.have3 && c4 < p.have4 {
        return c0 * p.step0 + c1 * p.step1 + c2 * p.step2 + c3 * p.step3 + c4 * p.step4;
    }
    return NOWHERE;
}

@compute @workgroup_size(WG)
fn move_window(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = source(i);
    var v = p.fill;
    if at != NOWHERE { v = f32(x[at]); }
    y[i] = f32(v);
}

@compute @workgroup_size(WG)
fn move_into(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    y[p.first + i / p.inner * p.jump + i % p.inner] = f32(x[i]);
}

@compute @workgroup_size(WG)
fn move_window_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                    @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let at = source(i);
    var v = vec4(p.fill);
    if at != NOWHERE { v = four(x4[at]); }
    y4[i] = of_four(v);
}

@compute @workgroup_size(WG)
fn move_into_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    y4[p.first + i / p.inner * p.jump + i % p.inner] = of_four(four(x4[i]));
}
