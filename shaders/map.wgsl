// map.wgsl — an elementwise expression of up to six broadcast inputs.
//
//   y[i] = f(x0[i0], .., x5[i5])
//
// with ij the element of input j that meets output element i. Bit j of FLAT: input j has the output's shape, ij = i.
// Otherwise i = (((c0 e1 + c1) e2 + c2) e3 + c3) e4 + c4 and ij = sum over d of c_d s<j><d>, the stride 0 along a
// stretched axis. One lane makes UNROLL elements, WG apart. Below 2^21 elements an index is divided by multiplication with
// the reciprocal f<d> of the extent, which is exact there and far cheaper than integer division on a CPU.

override WG: u32;
override INPUTS: u32;
override FLAT: u32;
override UNROLL: u32;
override SMALL: bool;
override RANK: u32;

struct MapParams {
    count: u32, e1: u32, e2: u32, e3: u32, e4: u32,
    f1: f32, f2: f32, f3: f32, f4: f32,
    s00: u32, s01: u32, s02: u32, s03: u32, s04: u32,
    s10: u32, s11: u32, s12: u32, s13: u32, s14: u32,
    s20: u32, s21: u32, s22: u32, s23: u32, s24: u32,
    s30: u32, s31: u32, s32: u32, s33: u32, s34: u32,
    s40: u32, s41: u32, s42: u32, s43: u32, s44: u32,
    s50: u32, s51: u32, s52: u32, s53: u32, s54: u32,
    k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
    l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
}

@group(0) @binding(0) var<uniform> p: MapParams;
@group(0) @binding(1) var<storage, read> x0: array<f32>;
@group(0) @binding(2) var<storage, read> x1: array<f32>;
@group(0) @binding(3) var<storage, read> x2: array<f32>;
@group(0) @binding(4) var<storage, read> x3: array<f32>;
@group(0) @binding(5) var<storage, read> x4: array<f32>;
@group(0) @binding(6) var<storage, read> x5: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

fn divide(i: u32, extent: u32, inverse: f32) -> u32 {
    if SMALL { return u32((f32(i) + 0.5) * inverse); }
    return i / extent;
}

@compute @workgroup_size(WG)
fn map(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
       @builtin(local_invocation_index) tid: u32) {
    let first = group_index(wid, groups) * WG * UNROLL + tid;
    for (var u = 0u; u < UNROLL; u++) {
        let i = first + u * WG;
        if i >= p.count { return; }
        var c0 = 0u; var c1 = 0u; var c2 = 0u; var c3 = 0u; var c4 = 0u;
        if FLAT != (1u << INPUTS) - 1u {
            var rest = i;
            if RANK > 1u { let q = divide(rest, p.e4, p.f4); c4 = rest - q * p.e4; rest = q; }
            if RANK > 2u { let q = divide(rest, p.e3, p.f3); c3 = rest - q * p.e3; rest = q; }
            if RANK > 3u { let q = divide(rest, p.e2, p.f2); c2 = rest - q * p.e2; rest = q; }
            if RANK > 4u { let q = divide(rest, p.e1, p.f1); c1 = rest - q * p.e1; rest = q; }
            // What is left is the slowest axis that there is.
            if RANK == 1u { c4 = rest; }
            if RANK == 2u { c3 = rest; }
            if RANK == 3u { c2 = rest; }
            if RANK == 4u { c1 = rest; }
            if RANK == 5u { c0 = rest; }
        }
        var a0 = 0.0; var a1 = 0.0; var a2 = 0.0; var a3 = 0.0; var a4 = 0.0; var a5 = 0.0;
        if INPUTS > 0u { a0 = x0[select(c0 * p.s00 + c1 * p.s01 + c2 * p.s02 + c3 * p.s03 + c4 * p.s04, i, (FLAT & 1u) != 0u)]; }
        if INPUTS > 1u { a1 = x1[select(c0 * p.s10 + c1 * p.s11 + c2 * p.s12 + c3 * p.s13 + c4 * p.s14, i, (FLAT & 2u) != 0u)]; }
        if INPUTS > 2u { a2 = x2[select(c0 * p.s20 + c1 * p.s21 + c2 * p.s22 + c3 * p.s23 + c4 * p.s24, i, (FLAT & 4u) != 0u)]; }
        if INPUTS > 3u { a3 = x3[select(c0 * p.s30 + c1 * p.s31 + c2 * p.s32 + c3 * p.s33 + c4 * p.s34, i, (FLAT & 8u) != 0u)]; }
        if INPUTS > 4u { a4 = x4[select(c0 * p.s40 + c1 * p.s41 + c2 * p.s42 + c3 * p.s43 + c4 * p.s44, i, (FLAT & 16u) != 0u)]; }
        if INPUTS > 5u { a5 = x5[select(c0 * p.s50 + c1 * p.s51 + c2 * p.s52 + c3 * p.s53 + c4 * p.s54, i, (FLAT & 32u) != 0u)]; }
        y[i] = evaluate(a0, a1, a2, a3, a4, a5);
    }
}
