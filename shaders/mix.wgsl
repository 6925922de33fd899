// mix.wgsl — a layer of kernel 1 with few channels on an elementwise expression: what stands before the layer, such as a
// norm, is computed where it is read and never stored.
//
//   y[o, c] = act(bias[o] + sum_i w[o, i] f(x0[..], .., x5[..])[i, c])
//   act(r) = r for r >= 0, slope * r below
//
// The column c runs over voxels and showers (extents a1..a3 behind the slowest). Input j of channel i lies at i * c<j> + the
// sum of the column's coordinates times s<j>0..3. wt is packed by pack.wgsl: [i][4 * QUADS outputs]. `mix`: one lane a
// column; `mix_four`: four neighbours along the last axis, where all strides but those of 1 and 0 along it are multiples of
// four (bit j of SPLAT: 0). With BY_ROW a workgroup makes a whole row of the last axis, where what is the same along it is
// found once for all lanes, as software Vulkan does what is uniform. A bias takes the place of the sixth input.

override WG: u32;
override INPUTS: u32;
override CHANNELS: u32; // 1..16
override OUTPUTS: u32;  // 1..16
override QUADS: u32;    // OUTPUTS / 4, rounded up
override BY_ROW: bool;

struct MixParams {
    columns: u32, a1: u32, a2: u32, a3: u32, has_bias: u32, slope: f32,
    c0: u32, c1: u32, c2: u32, c3: u32, c4: u32, c5: u32,
    s00: u32, s01: u32, s02: u32, s03: u32,
    s10: u32, s11: u32, s12: u32, s13: u32,
    s20: u32, s21: u32, s22: u32, s23: u32,
    s30: u32, s31: u32, s32: u32, s33: u32,
    s40: u32, s41: u32, s42: u32, s43: u32,
    s50: u32, s51: u32, s52: u32, s53: u32,
    k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
    l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
}

@group(0) @binding(0) var<uniform> p: MixParams;
@group(0) @binding(7) var<storage, read> wt: array<Four>;
@group(0) @binding(8) var<storage, read_write> y: array<f32>;
@group(0) @binding(8) var<storage, read_write> y4: array<Four>;

fn activated(r: vec4<f32>) -> vec4<f32> {
    return select(r * p.slope, r, r >= vec4<f32>());
}

@compute @workgroup_size(WG)
fn mix_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) tid: u32) {
    let g = group_index(wid, groups);
    let across = p.a3 / 4u;
    let i = g * WG + tid;
    let row = select(i / across, g, BY_ROW);
    let q = select(i % across, tid, BY_ROW);
    if row >= p.columns / p.a3 { return; }
    if q < across {
        let at = kept(row * p.a3);
        var acc: array<vec4<f32>, 16>;
        for (var c = 0u; c < CHANNELS; c++) {
            var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>();
            var a3 = vec4<f32>(); var a4 = vec4<f32>(); var a5 = vec4<f32>();
            if INPUTS > 0u { let e = at.o0 + c * p.c0; a0 = spread(four(q0[e / 4u + along(q, 0u)]), e, 0u); }
            if INPUTS > 1u { let e = at.o1 + c * p.c1; a1 = spread(four(q1[e / 4u + along(q, 1u)]), e, 1u); }
            if INPUTS > 2u { let e = at.o2 + c * p.c2; a2 = spread(four(q2[e / 4u + along(q, 2u)]), e, 2u); }
            if INPUTS > 3u { let e = at.o3 + c * p.c3; a3 = spread(four(q3[e / 4u + along(q, 3u)]), e, 3u); }
            if INPUTS > 4u { let e = at.o4 + c * p.c4; a4 = spread(four(q4[e / 4u + along(q, 4u)]), e, 4u); }
            if INPUTS > 5u { let e = at.o5 + c * p.c5; a5 = spread(four(q5[e / 4u + along(q, 5u)]), e, 5u); }
            let f = evaluate_four(a0, a1, a2, a3, a4, a5);
            for (var j = 0u; j < QUADS; j++) {
                let w = four(wt[c * QUADS + j]);
                for (var o = 0u; o < 4u; o++) {
                    if j * 4u + o < OUTPUTS { acc[j * 4u + o] = fma(vec4(w[o]), f, acc[j * 4u + o]); }
                }
            }
        }
        for (var o = 0u; o < OUTPUTS; o++) {
            var shift = vec4<f32>();
            if p.has_bias != 0u {
                let b = four(q5[o / 4u]);
                shift = vec4(b[o % 4u]);
            }
            y4[(o * p.columns + row * p.a3) / 4u + q] = of_four(activated(acc[o] + shift));
        }
    }
}

@compute @workgroup_size(WG)
fn mix(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
       @builtin(local_invocation_index) tid: u32) {
    let column = group_index(wid, groups) * WG + tid;
    if column >= p.columns { return; }
    let at = kept(column);
    var acc: array<f32, 16>;
    for (var c = 0u; c < CHANNELS; c++) {
        var a0 = 0.0; var a1 = 0.0; var a2 = 0.0; var a3 = 0.0; var a4 = 0.0; var a5 = 0.0;
        if INPUTS > 0u { a0 = f32(x0[at.o0 + c * p.c0]); }
        if INPUTS > 1u { a1 = f32(x1[at.o1 + c * p.c1]); }
        if INPUTS > 2u { a2 = f32(x2[at.o2 + c * p.c2]); }
        if INPUTS > 3u { a3 = f32(x3[at.o3 + c * p.c3]); }
        if INPUTS > 4u { a4 = f32(x4[at.o4 + c * p.c4]); }
        if INPUTS > 5u { a5 = f32(x5[at.o5 + c * p.c5]); }
        let f = evaluate(a0, a1, a2, a3, a4, a5);
        for (var j = 0u; j < QUADS; j++) {
            let w = four(wt[c * QUADS + j]);
            for (var o = 0u; o < 4u; o++) {
                if j * 4u + o < OUTPUTS { acc[j * 4u + o] = fma(w[o], f, acc[j * 4u + o]); }
            }
        }
    }
    for (var o = 0u; o < OUTPUTS; o++) {
        var shift = 0.0;
        if p.has_bias != 0u { shift = f32(x5[o]); }
        y[o * p.columns + column] = f32(activated(vec4(acc[o] + shift)).x);
    }
}
