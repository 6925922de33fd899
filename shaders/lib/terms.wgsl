// terms.wgsl — operands of a reduction and its terms: an expression of up to six inputs, at a kept index and a reduced one.
//
// The reduced index r runs over extents p.b1, p.b2, p.b3 behind the slowest, RANK of them; input j lies at what `kept` says
// plus the sum of the reduced coordinates times p.s<j>4..7.

struct ReduceParams {
    outputs: u32, terms: u32, parts: u32, chunk: u32,
    a1: u32, a2: u32, a3: u32, b1: u32, b2: u32, b3: u32, scale: f32,
    s00: u32, s01: u32, s02: u32, s03: u32, s04: u32, s05: u32, s06: u32, s07: u32,
    s10: u32, s11: u32, s12: u32, s13: u32, s14: u32, s15: u32, s16: u32, s17: u32,
    s20: u32, s21: u32, s22: u32, s23: u32, s24: u32, s25: u32, s26: u32, s27: u32,
    s30: u32, s31: u32, s32: u32, s33: u32, s34: u32, s35: u32, s36: u32, s37: u32,
    s40: u32, s41: u32, s42: u32, s43: u32, s44: u32, s45: u32, s46: u32, s47: u32,
    s50: u32, s51: u32, s52: u32, s53: u32, s54: u32, s55: u32, s56: u32, s57: u32,
    k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
    l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
}

@group(0) @binding(0) var<uniform> p: ReduceParams;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<storage, read_write> y4: array<Four>;

// Where the reduced axes put term r.
struct Reduced { d0: u32, d1: u32, d2: u32, d3: u32 }

fn reduced(r: u32) -> Reduced {
    // Integer division is dear on a CPU, and mostly there is one reduced axis.
    var d0 = 0u; var d1 = 0u; var d2 = 0u; var d3 = r;
    if RANK > 1u { d2 = d3 / p.b3; d3 -= d2 * p.b3; }
    if RANK > 2u { d1 = d2 / p.b2; d2 -= d1 * p.b2; }
    if RANK > 3u { d0 = d1 / p.b1; d1 -= d0 * p.b1; }
    return Reduced(d0, d1, d2, d3);
}

fn term(k: Kept, r: u32) -> f32 {
    let d = reduced(r);
    var a0 = 0.0; var a1 = 0.0; var a2 = 0.0; var a3 = 0.0; var a4 = 0.0; var a5 = 0.0;
    if INPUTS > 0u { a0 = f32(x0[k.o0 + d.d0 * p.s04 + d.d1 * p.s05 + d.d2 * p.s06 + d.d3 * p.s07]); }
    if INPUTS > 1u { a1 = f32(x1[k.o1 + d.d0 * p.s14 + d.d1 * p.s15 + d.d2 * p.s16 + d.d3 * p.s17]); }
    if INPUTS > 2u { a2 = f32(x2[k.o2 + d.d0 * p.s24 + d.d1 * p.s25 + d.d2 * p.s26 + d.d3 * p.s27]); }
    if INPUTS > 3u { a3 = f32(x3[k.o3 + d.d0 * p.s34 + d.d1 * p.s35 + d.d2 * p.s36 + d.d3 * p.s37]); }
    if INPUTS > 4u { a4 = f32(x4[k.o4 + d.d0 * p.s44 + d.d1 * p.s45 + d.d2 * p.s46 + d.d3 * p.s47]); }
    if INPUTS > 5u { a5 = f32(x5[k.o5 + d.d0 * p.s54 + d.d1 * p.s55 + d.d2 * p.s56 + d.d3 * p.s57]); }
    return evaluate(a0, a1, a2, a3, a4, a5);
}

fn four_terms(k: Kept, r: u32) -> vec4<f32> {
    let d = reduced(r);
    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>();
    var a3 = vec4<f32>(); var a4 = vec4<f32>(); var a5 = vec4<f32>();
    if INPUTS > 0u { let at = k.o0 + d.d0 * p.s04 + d.d1 * p.s05 + d.d2 * p.s06 + d.d3 * p.s07; a0 = spread(four(q0[at / 4u]), at, 0u); }
    if INPUTS > 1u { let at = k.o1 + d.d0 * p.s14 + d.d1 * p.s15 + d.d2 * p.s16 + d.d3 * p.s17; a1 = spread(four(q1[at / 4u]), at, 1u); }
    if INPUTS > 2u { let at = k.o2 + d.d0 * p.s24 + d.d1 * p.s25 + d.d2 * p.s26 + d.d3 * p.s27; a2 = spread(four(q2[at / 4u]), at, 2u); }
    if INPUTS > 3u { let at = k.o3 + d.d0 * p.s34 + d.d1 * p.s35 + d.d2 * p.s36 + d.d3 * p.s37; a3 = spread(four(q3[at / 4u]), at, 3u); }
    if INPUTS > 4u { let at = k.o4 + d.d0 * p.s44 + d.d1 * p.s45 + d.d2 * p.s46 + d.d3 * p.s47; a4 = spread(four(q4[at / 4u]), at, 4u); }
    if INPUTS > 5u { let at = k.o5 + d.d0 * p.s54 + d.d1 * p.s55 + d.d2 * p.s56 + d.d3 * p.s57; a5 = spread(four(q5[at / 4u]), at, 5u); }
    return evaluate_four(a0, a1, a2, a3, a4, a5);
}

// Four neighbours of term r, q fours behind the begin of the row.
fn terms_of_row(k: Kept, r: u32, q: u32) -> vec4<f32> {
    let d = reduced(r);
    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>();
    var a3 = vec4<f32>(); var a4 = vec4<f32>(); var a5 = vec4<f32>();
    if INPUTS > 0u { let at = k.o0 + d.d0 * p.s04 + d.d1 * p.s05 + d.d2 * p.s06 + d.d3 * p.s07; a0 = spread(four(q0[at / 4u + along(q, 0u)]), at, 0u); }
    if INPUTS > 1u { let at = k.o1 + d.d0 * p.s14 + d.d1 * p.s15 + d.d2 * p.s16 + d.d3 * p.s17; a1 = spread(four(q1[at / 4u + along(q, 1u)]), at, 1u); }
    if INPUTS > 2u { let at = k.o2 + d.d0 * p.s24 + d.d1 * p.s25 + d.d2 * p.s26 + d.d3 * p.s27; a2 = spread(four(q2[at / 4u + along(q, 2u)]), at, 2u); }
    if INPUTS > 3u { let at = k.o3 + d.d0 * p.s34 + d.d1 * p.s35 + d.d2 * p.s36 + d.d3 * p.s37; a3 = spread(four(q3[at / 4u + along(q, 3u)]), at, 3u); }
    if INPUTS > 4u { let at = k.o4 + d.d0 * p.s44 + d.d1 * p.s45 + d.d2 * p.s46 + d.d3 * p.s47; a4 = spread(four(q4[at / 4u + along(q, 4u)]), at, 4u); }
    if INPUTS > 5u { let at = k.o5 + d.d0 * p.s54 + d.d1 * p.s55 + d.d2 * p.s56 + d.d3 * p.s57; a5 = spread(four(q5[at / 4u + along(q, 5u)]), at, 5u); }
    return evaluate_four(a0, a1, a2, a3, a4, a5);
}
