// pack_matrix.wgsl — weights as the matrices of conv_matrix.wgsl: f16.
//   dst[z][o / T][k / T][o % T][k % T] = src[z * skip + o * step + rows[first + k].z], zero for o >= outputs and where
//   rows[first + k].w = 0; one phase of a transposed convolution is one dispatch, `at` pairs from the beginning of dst
// One lane computes two neighbours along k.
enable f16;

struct PackMatrixParams {
    outputs: u32, size: u32, // T
    across: u32,             // matrices along k
    first: u32, step: u32, skip: u32,
    at: u32, stride: u32,    // pairs before the phase, and from one z to the next
    pairs: u32,              // of one z and phase
    total: u32,              // of the phase
}

@group(0) @binding(0) var<uniform> p: PackMatrixParams;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec2<f16>>;

override WG: u32;

fn weight(base: u32, o: u32, k: u32) -> f32 {
    let r = rows[p.first + k];
    if o >= p.outputs || r.w == 0u { return 0.0; }
    return src[base + o * p.step + r.z];
}

@compute @workgroup_size(WG)
fn pack_matrix(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
               @builtin(local_invocation_index) t: u32) {
    let i = group_index(wid, groups) * WG + t;
    if i >= p.total { return; }
    let z = i / p.pairs;
    let e = i % p.pairs;
    let half = p.size / 2u;
    let tile = e / (half * p.size);
    let o = tile / p.across * p.size + e / half % p.size;
    let k = tile % p.across * p.size + e % half * 2u;
    let base = z * p.skip;
    dst[p.at + z * p.stride + e] = vec2<f16>(vec2<f32>(weight(base, o, k), weight(base, o, k + 1u)));
}
