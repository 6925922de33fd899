// update.wgsl — changes of states in place, elementwise: q the state, g what it follows, m and v moments.
//
// h = [learning rate, 1 - b1^t, 1 - b2^t]. One lane an element.

override WG: u32;

struct UpdateParams { count: u32, a: f32, b: f32, eps: f32 }

@group(0) @binding(0) var<uniform> p: UpdateParams;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> q: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<storage, read> h: array<f32>;

// q = g
@compute @workgroup_size(WG)
fn store(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
         @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i < p.count { q[i] = g[i]; }
}

// q += a (g - q)
@compute @workgroup_size(WG)
fn average(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i < p.count { q[i] += p.a * (g[i] - q[i]); }
}

// m = a m + g; q -= lr m
@compute @workgroup_size(WG)
fn sgd(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
       @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let d = p.a * m[i] + g[i];
    m[i] = d;
    q[i] -= h[0] * d;
}

// m = a m + (1 - a) g^2; q -= lr g / (sqrt(m) + eps)
@compute @workgroup_size(WG)
fn rmsprop(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let d = g[i];
    let s = p.a * m[i] + (1.0 - p.a) * d * d;
    m[i] = s;
    q[i] -= h[0] * d / (sqrt(s) + p.eps);
}

// m = a m + (1 - a) g; v = b v + (1 - b) g^2; q -= lr (m / (1 - a^t)) / (sqrt(v / (1 - b^t)) + eps)
@compute @workgroup_size(WG)
fn adam(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let d = g[i];
    let first = p.a * m[i] + (1.0 - p.a) * d;
    let second = p.b * v[i] + (1.0 - p.b) * d * d;
    m[i] = first;
    v[i] = second;
    q[i] -= h[0] * (first / h[1]) / (sqrt(second / h[2]) + p.eps);
}
