// gather.wgsl — elements along an axis by index, and the adjoint.
//
//   gather        y[o,q,i] = x[o, index[q'], i]                         0 where the index is not below EXTENT
//   scatter_add   y[o,e,i] = sum of x[o,q,i] over q with index[q'] = e
//   scatter       y[o, index[q'], i] = x[o,q,i]                         for an index that is a permutation
//
// The gathered side is [OUTER, EXTENT, INNER], the other [OUTER, PICKS, INNER]; q' = (o,q,i), or q for an index SHARED by
// all o and i. One lane an element of y (of x in `scatter`).

override WG: u32;
override SHARED: u32;

struct GatherParams { count: u32, extent: u32, picks: u32, inner: u32 }

@group(0) @binding(0) var<uniform> p: GatherParams;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> index: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WG)
fn gather(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
          @builtin(local_invocation_index) tid: u32) {
    let j = group_index(wid, groups) * WG + tid;
    if j >= p.count { return; }
    let e = index[select(j, j / p.inner % p.picks, SHARED == 1u)];
    var v = 0.0;
    if e < p.extent { v = x[(j / (p.picks * p.inner) * p.extent + e) * p.inner + j % p.inner]; }
    y[j] = v;
}

@compute @workgroup_size(WG)
fn scatter_add(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let j = group_index(wid, groups) * WG + tid;
    if j >= p.count { return; }
    let e = j / p.inner % p.extent;
    let first = j / (p.extent * p.inner) * p.picks * p.inner + j % p.inner;
    var sum = 0.0;
    for (var q = 0u; q < p.picks; q++) {
        let at = first + q * p.inner;
        if index[select(at, q, SHARED == 1u)] == e { sum += x[at]; }
    }
    y[j] = sum;
}

@compute @workgroup_size(WG)
fn scatter(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) tid: u32) {
    let j = group_index(wid, groups) * WG + tid;
    if j >= p.count { return; }
    let e = index[select(j, j / p.inner % p.picks, SHARED == 1u)];
    if e < p.extent { y[(j / (p.picks * p.inner) * p.extent + e) * p.inner + j % p.inner] = x[j]; }
}
