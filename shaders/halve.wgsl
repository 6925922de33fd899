// halve.wgsl — energies as float16, two in a word: half the bytes on the way to the host.
//
//   y[i] = half(x[2 i]) | half(x[2 i + 1]) << 16          x [COUNT], y [COUNT / 2], rounded up
//
// An energy that is below the threshold once rounded, or below 0, becomes 0; what is no finite number stays so.

override WG: u32;

struct HalveParams { count: u32 }

@group(0) @binding(0) var<uniform> p: HalveParams;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> threshold: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<u32>;

fn cut(i: u32) -> u32 {
    if i >= p.count { return 0u; }
    let h = half(x[i]);
    return select(0u, h, is_hit(widened(h), least_hit(threshold[0])));
}

@compute @workgroup_size(WG)
fn halve(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
         @builtin(local_invocation_index) tid: u32) {
    let i = group_index(wid, groups) * WG + tid;
    if 2u * i >= p.count { return; }
    y[i] = cut(2u * i) | (cut(2u * i + 1u) << 16u);
}
