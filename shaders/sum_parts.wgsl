// sum_parts.wgsl — finishes a sum that was split into parts: y[z,c,m] = act(bias[c] + sum_s part[s][z][c][m]), s upwards.
//   act(r) = r for r >= 0, slope * r below (slope 1: identity). One lane computes one element.

struct SumPartsParams { parts: u32, channels: u32, columns: u32, size: u32, has_bias: u32, slope: f32 }

@group(0) @binding(0) var<uniform> p: SumPartsParams;
@group(0) @binding(1) var<storage, read> part: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WG: u32;

@compute @workgroup_size(WG)
fn sum_parts(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) t: u32) {
    let at = group_index(wid, groups) * WG + t;
    if at >= p.size { return; }
    var r = 0.0;
    for (var s = 0u; s < p.parts; s++) { r += part[s * p.size + at]; }
    if p.has_bias != 0u { r += bias[(at / p.columns) % p.channels]; }
    y[at] = select(r * p.slope, r, r >= 0.0);
}
