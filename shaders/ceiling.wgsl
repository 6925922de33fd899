// ceiling.wgsl — what a device can do at most, for other kernels to be compared with.
//
//   ceiling_fma    y[i] = the sum of twelve chains v = v k + l of 16 `rounds` steps each, from registers alone;
//                  chain c starts at x[c mod 4] + i mod 256 + c - c mod 4
//   ceiling_copy   y[i] = x[i], four elements a load
//
// Twelve independent chains hide the latency of a multiply-add, and fit the sixteen vector registers of a CPU together
// with their two constants. `k` and `l` come from the parameters, and the sum is stored, so that nothing is computed
// beforehand or left out. A lane of the copy moves four vectors, WG apart.

override WG: u32;

struct CeilingParams { count: u32, rounds: u32, k: f32, l: f32 }

@group(0) @binding(0) var<uniform> p: CeilingParams;
@group(0) @binding(1) var<storage, read> x: array<Four>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read_write> copied: array<Four>;

@compute @workgroup_size(WG)
fn ceiling_fma(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if i >= p.count { return; }
    let k = vec4<f32>(p.k);
    let l = vec4<f32>(p.l);
    var a0 = four(x[0]) + f32(i & 255u);
    var a1 = a0 + 4.0;
    var a2 = a0 + 8.0;
    for (var round = 0u; round < p.rounds; round++) {
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
        a0 = fma(a0, k, l); a1 = fma(a1, k, l); a2 = fma(a2, k, l);
    }
    let sum = a0 + a1 + a2;
    y[i] = sum.x + sum.y + sum.z + sum.w;
}

@compute @workgroup_size(WG)
fn ceiling_copy(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                @builtin(local_invocation_index) tid: u32) {
    let first = group_index(wid, groups) * WG * 4u + tid;
    for (var u = 0u; u < 4u; u++) {
        let i = first + u * WG;
        if i < p.count { copied[i] = x[i]; }
    }
}
