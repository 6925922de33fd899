// map.wgsl — an elementwise expression of up to six broadcast inputs.
//
//   y[i] = f(x0[i0], .., x5[i5])
//
// with ij the element of input j that meets output element i. Bit j of FLAT: input j has the output's shape, ij = i.
// Otherwise i = (((c0 e1 + c1) e2 + c2) e3 + c3) e4 + c4 and ij = sum over d of c_d s<j><d>, the stride 0 along a
// stretched axis. One lane makes UNROLL elements, WG apart; `map_four` makes as many fours of neighbours along the last
// axis, where all strides but those of 1 and 0 along that axis are multiples of four. Bit j of SPLAT: stride 0 there. A
// workgroup of `map_rows` makes UNROLL rows of the last axis in fours: where a row begins and what is the same along it is
// found once for all lanes, as software Vulkan does what is uniform. Where rows are short, the lanes of `map_cells` walk
// along the axis before the last and hold what is the same in all its rows (bit j of STILL: input j has the stride 0 there).
//
// An index is divided by multiplication with the reciprocal f<d> of the extent, far cheaper than integer division on a CPU.
// DIVIDE 0: exact below 2^21 elements. 1: the rest of a first guess is divided again, exact for extents below 2^20. 2: by
// integers.

override WG: u32;
override INPUTS: u32;
override FLAT: u32;
override UNROLL: u32;
override DIVIDE: u32;
override RANK: u32;
override STILL: u32;

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
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<storage, read_write> y4: array<Four>;

fn divide(i: u32, extent: u32, inverse: f32) -> u32 {
    if DIVIDE == 0u { return u32((f32(i) + 0.5) * inverse); }
    if DIVIDE == 2u { return i / extent; }
    let q = u32(f32(i) * inverse);
    let rest = i32(i - q * extent);
    return u32(i32(q) + i32(floor((f32(rest) + 0.5) * inverse)));
}

// Coordinates of element i.
struct At { c0: u32, c1: u32, c2: u32, c3: u32, c4: u32 }

fn place(i: u32) -> At {
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
    return At(c0, c1, c2, c3, c4);
}

@compute @workgroup_size(WG)
fn map(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
       @builtin(local_invocation_index) tid: u32) {
    let first = group_index(wid, groups) * WG * UNROLL + tid;
    for (var u = 0u; u < UNROLL; u++) {
        let i = first + u * WG;
        if i >= p.count { return; }
        let c = place(i);
        var a0 = 0.0; var a1 = 0.0; var a2 = 0.0; var a3 = 0.0; var a4 = 0.0; var a5 = 0.0;
        if INPUTS > 0u { a0 = f32(x0[select(c.c0 * p.s00 + c.c1 * p.s01 + c.c2 * p.s02 + c.c3 * p.s03 + c.c4 * p.s04, i, (FLAT & 1u) != 0u)]); }
        if INPUTS > 1u { a1 = f32(x1[select(c.c0 * p.s10 + c.c1 * p.s11 + c.c2 * p.s12 + c.c3 * p.s13 + c.c4 * p.s14, i, (FLAT & 2u) != 0u)]); }
        if INPUTS > 2u { a2 = f32(x2[select(c.c0 * p.s20 + c.c1 * p.s21 + c.c2 * p.s22 + c.c3 * p.s23 + c.c4 * p.s24, i, (FLAT & 4u) != 0u)]); }
        if INPUTS > 3u { a3 = f32(x3[select(c.c0 * p.s30 + c.c1 * p.s31 + c.c2 * p.s32 + c.c3 * p.s33 + c.c4 * p.s34, i, (FLAT & 8u) != 0u)]); }
        if INPUTS > 4u { a4 = f32(x4[select(c.c0 * p.s40 + c.c1 * p.s41 + c.c2 * p.s42 + c.c3 * p.s43 + c.c4 * p.s44, i, (FLAT & 16u) != 0u)]); }
        if INPUTS > 5u { a5 = f32(x5[select(c.c0 * p.s50 + c.c1 * p.s51 + c.c2 * p.s52 + c.c3 * p.s53 + c.c4 * p.s54, i, (FLAT & 32u) != 0u)]); }
        y[i] = f32(evaluate(a0, a1, a2, a3, a4, a5));
    }
}

@compute @workgroup_size(WG)
fn map_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let first = group_index(wid, groups) * WG * UNROLL + tid;
    for (var u = 0u; u < UNROLL; u++) {
        let i = 4u * (first + u * WG);
        if i >= p.count { return; }
        let c = place(i);
        var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>();
        var a3 = vec4<f32>(); var a4 = vec4<f32>(); var a5 = vec4<f32>();
        if INPUTS > 0u { let at = select(c.c0 * p.s00 + c.c1 * p.s01 + c.c2 * p.s02 + c.c3 * p.s03 + c.c4 * p.s04, i, (FLAT & 1u) != 0u); a0 = spread(four(q0[at / 4u]), at, 0u); }
        if INPUTS > 1u { let at = select(c.c0 * p.s10 + c.c1 * p.s11 + c.c2 * p.s12 + c.c3 * p.s13 + c.c4 * p.s14, i, (FLAT & 2u) != 0u); a1 = spread(four(q1[at / 4u]), at, 1u); }
        if INPUTS > 2u { let at = select(c.c0 * p.s20 + c.c1 * p.s21 + c.c2 * p.s22 + c.c3 * p.s23 + c.c4 * p.s24, i, (FLAT & 4u) != 0u); a2 = spread(four(q2[at / 4u]), at, 2u); }
        if INPUTS > 3u { let at = select(c.c0 * p.s30 + c.c1 * p.s31 + c.c2 * p.s32 + c.c3 * p.s33 + c.c4 * p.s34, i, (FLAT & 8u) != 0u); a3 = spread(four(q3[at / 4u]), at, 3u); }
        if INPUTS > 4u { let at = select(c.c0 * p.s40 + c.c1 * p.s41 + c.c2 * p.s42 + c.c3 * p.s43 + c.c4 * p.s44, i, (FLAT & 16u) != 0u); a4 = spread(four(q4[at / 4u]), at, 4u); }
        if INPUTS > 5u { let at = select(c.c0 * p.s50 + c.c1 * p.s51 + c.c2 * p.s52 + c.c3 * p.s53 + c.c4 * p.s54, i, (FLAT & 32u) != 0u); a5 = spread(four(q5[at / 4u]), at, 5u); }
        y4[i / 4u] = of_four(evaluate_four(a0, a1, a2, a3, a4, a5));
    }
}

// Where the row of element `i` begins in an input, given its coordinates.
fn begin(c: At, i: u32, input: u32, s: array<u32, 4>) -> u32 {
    return select(c.c0 * s[0] + c.c1 * s[1] + c.c2 * s[2] + c.c3 * s[3], i, (FLAT & (1u << input)) != 0u);
}

@compute @workgroup_size(WG)
fn map_rows(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let rows = p.count / p.e4;
    for (var u = 0u; u < UNROLL; u++) {
        let row = group_index(wid, groups) * UNROLL + u;
        if row >= rows { return; }
        var rest = row;
        var c = At(0u, 0u, 0u, 0u, 0u);
        if RANK > 2u { c.c3 = rest % p.e3; rest = rest / p.e3; }
        if RANK > 3u { c.c2 = rest % p.e2; rest = rest / p.e2; }
        if RANK > 4u { c.c1 = rest % p.e1; rest = rest / p.e1; }
        if RANK == 2u { c.c3 = rest; }
        if RANK == 3u { c.c2 = rest; }
        if RANK == 4u { c.c1 = rest; }
        if RANK == 5u { c.c0 = rest; }
        let i = row * p.e4;
        var o0 = 0u; var b0 = vec4<f32>();
        if INPUTS > 0u {
            o0 = begin(c, i, 0u, array(p.s00, p.s01, p.s02, p.s03));
            if (SPLAT & 1u) != 0u { b0 = spread(four(q0[o0 / 4u]), o0, 0u); }
        }
        var o1 = 0u; var b1 = vec4<f32>();
        if INPUTS > 1u {
            o1 = begin(c, i, 1u, array(p.s10, p.s11, p.s12, p.s13));
            if (SPLAT & 2u) != 0u { b1 = spread(four(q1[o1 / 4u]), o1, 1u); }
        }
        var o2 = 0u; var b2 = vec4<f32>();
        if INPUTS > 2u {
            o2 = begin(c, i, 2u, array(p.s20, p.s21, p.s22, p.s23));
            if (SPLAT & 4u) != 0u { b2 = spread(four(q2[o2 / 4u]), o2, 2u); }
        }
        var o3 = 0u; var b3 = vec4<f32>();
        if INPUTS > 3u {
            o3 = begin(c, i, 3u, array(p.s30, p.s31, p.s32, p.s33));
            if (SPLAT & 8u) != 0u { b3 = spread(four(q3[o3 / 4u]), o3, 3u); }
        }
        var o4 = 0u; var b4 = vec4<f32>();
        if INPUTS > 4u {
            o4 = begin(c, i, 4u, array(p.s40, p.s41, p.s42, p.s43));
            if (SPLAT & 16u) != 0u { b4 = spread(four(q4[o4 / 4u]), o4, 4u); }
        }
        var o5 = 0u; var b5 = vec4<f32>();
        if INPUTS > 5u {
            o5 = begin(c, i, 5u, array(p.s50, p.s51, p.s52, p.s53));
            if (SPLAT & 32u) != 0u { b5 = spread(four(q5[o5 / 4u]), o5, 5u); }
        }
        for (var q = tid; q < p.e4 / 4u; q += WG) {
            if INPUTS > 0u && (SPLAT & 1u) == 0u { b0 = four(q0[o0 / 4u + q]); }
            if INPUTS > 1u && (SPLAT & 2u) == 0u { b1 = four(q1[o1 / 4u + q]); }
            if INPUTS > 2u && (SPLAT & 4u) == 0u { b2 = four(q2[o2 / 4u + q]); }
            if INPUTS > 3u && (SPLAT & 8u) == 0u { b3 = four(q3[o3 / 4u + q]); }
            if INPUTS > 4u && (SPLAT & 16u) == 0u { b4 = four(q4[o4 / 4u + q]); }
            if INPUTS > 5u && (SPLAT & 32u) == 0u { b5 = four(q5[o5 / 4u + q]); }
            y4[i / 4u + q] = of_four(evaluate_four(b0, b1, b2, b3, b4, b5));
        }
    }
}

@compute @workgroup_size(WG)
fn map_cells(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) tid: u32) {
    let strips = (p.e3 + WG * UNROLL - 1u) / (WG * UNROLL);
    let g = group_index(wid, groups);
    let outer = g / strips;
    let first = g % strips * (WG * UNROLL) + tid;
    if outer >= p.count / (p.e3 * p.e4) { return; }
    var rest = outer;
    var c = At(0u, 0u, 0u, 0u, 0u);
    if RANK > 3u { c.c2 = rest % p.e2; rest = rest / p.e2; }
    if RANK > 4u { c.c1 = rest % p.e1; rest = rest / p.e1; }
    if RANK == 3u { c.c2 = rest; }
    if RANK == 4u { c.c1 = rest; }
    if RANK == 5u { c.c0 = rest; }
    let i = outer * p.e3 * p.e4;
    for (var q = 0u; q < p.e4 / 4u; q++) {
        var o0 = 0u; var b0 = vec4<f32>();
        if INPUTS > 0u {
            o0 = begin(c, i, 0u, array(p.s00, p.s01, p.s02, 0u)) + 4u * along(q, 0u);
            if (STILL & 1u) != 0u { b0 = spread(four(q0[o0 / 4u]), o0, 0u); }
        }
        var o1 = 0u; var b1 = vec4<f32>();
        if INPUTS > 1u {
            o1 = begin(c, i, 1u, array(p.s10, p.s11, p.s12, 0u)) + 4u * along(q, 1u);
            if (STILL & 2u) != 0u { b1 = spread(four(q1[o1 / 4u]), o1, 1u); }
        }
        var o2 = 0u; var b2 = vec4<f32>();
        if INPUTS > 2u {
            o2 = begin(c, i, 2u, array(p.s20, p.s21, p.s22, 0u)) + 4u * along(q, 2u);
            if (STILL & 4u) != 0u { b2 = spread(four(q2[o2 / 4u]), o2, 2u); }
        }
        var o3 = 0u; var b3 = vec4<f32>();
        if INPUTS > 3u {
            o3 = begin(c, i, 3u, array(p.s30, p.s31, p.s32, 0u)) + 4u * along(q, 3u);
            if (STILL & 8u) != 0u { b3 = spread(four(q3[o3 / 4u]), o3, 3u); }
        }
        var o4 = 0u; var b4 = vec4<f32>();
        if INPUTS > 4u {
            o4 = begin(c, i, 4u, array(p.s40, p.s41, p.s42, 0u)) + 4u * along(q, 4u);
            if (STILL & 16u) != 0u { b4 = spread(four(q4[o4 / 4u]), o4, 4u); }
        }
        var o5 = 0u; var b5 = vec4<f32>();
        if INPUTS > 5u {
            o5 = begin(c, i, 5u, array(p.s50, p.s51, p.s52, 0u)) + 4u * along(q, 5u);
            if (STILL & 32u) != 0u { b5 = spread(four(q5[o5 / 4u]), o5, 5u); }
        }
        for (var u = 0u; u < UNROLL; u++) {
            let cell = first + u * WG;
            if cell >= p.e3 { break; }
            if INPUTS > 0u && (STILL & 1u) == 0u { let at = o0 + cell * p.s03; b0 = spread(four(q0[at / 4u]), at, 0u); }
            if INPUTS > 1u && (STILL & 2u) == 0u { let at = o1 + cell * p.s13; b1 = spread(four(q1[at / 4u]), at, 1u); }
            if INPUTS > 2u && (STILL & 4u) == 0u { let at = o2 + cell * p.s23; b2 = spread(four(q2[at / 4u]), at, 2u); }
            if INPUTS > 3u && (STILL & 8u) == 0u { let at = o3 + cell * p.s33; b3 = spread(four(q3[at / 4u]), at, 3u); }
            if INPUTS > 4u && (STILL & 16u) == 0u { let at = o4 + cell * p.s43; b4 = spread(four(q4[at / 4u]), at, 4u); }
            if INPUTS > 5u && (STILL & 32u) == 0u { let at = o5 + cell * p.s53; b5 = spread(four(q5[at / 4u]), at, 5u); }
            y4[(i + cell * p.e4) / 4u + q] = of_four(evaluate_four(b0, b1, b2, b3, b4, b5));
        }
    }
}
