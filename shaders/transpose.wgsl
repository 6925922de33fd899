// transpose.wgsl — the last two axes exchanged: the border between the host's [N, M] and the device's [M, N].
//
//   y[b, c, r] = f(x0[..], .., x5[..])          y [B, C, R]
//
// Input j is read at b * b<j> + r * r<j> + c * c<j>: x0 [B, R, C] alone where nothing is computed on the way.
// `transpose`: one workgroup of 8 x TILE lanes moves a TILE x TILE tile through workgroup memory, so that both sides are
// coalesced. `transpose_four`: one lane moves 4 x 4 elements through registers, where R, C and all strides but those of 1 and
// 0 along c are multiples of four (bit j of SPLAT: 0); on a CPU barriers cost more than strides.

const TILE = 16u;

override INPUTS: u32;

struct TransposeParams {
    batch: u32, rows: u32, columns: u32,
    b0: u32, r0: u32, c0: u32,
    b1: u32, r1: u32, c1: u32,
    b2: u32, r2: u32, c2: u32,
    b3: u32, r3: u32, c3: u32,
    b4: u32, r4: u32, c4: u32,
    b5: u32, r5: u32, c5: u32,
    k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
    l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
}

@group(0) @binding(0) var<uniform> p: TransposeParams;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;
@group(0) @binding(7) var<storage, read_write> y4: array<Four>;

var<workgroup> tile: array<f32, 272>; // TILE rows of TILE + 1

fn value(b: u32, r: u32, c: u32) -> f32 {
    var a0 = 0.0; var a1 = 0.0; var a2 = 0.0; var a3 = 0.0; var a4 = 0.0; var a5 = 0.0;
    if INPUTS > 0u { a0 = f32(x0[b * p.b0 + r * p.r0 + c * p.c0]); }
    if INPUTS > 1u { a1 = f32(x1[b * p.b1 + r * p.r1 + c * p.c1]); }
    if INPUTS > 2u { a2 = f32(x2[b * p.b2 + r * p.r2 + c * p.c2]); }
    if INPUTS > 3u { a3 = f32(x3[b * p.b3 + r * p.r3 + c * p.c3]); }
    if INPUTS > 4u { a4 = f32(x4[b * p.b4 + r * p.r4 + c * p.c4]); }
    if INPUTS > 5u { a5 = f32(x5[b * p.b5 + r * p.r5 + c * p.c5]); }
    return evaluate(a0, a1, a2, a3, a4, a5);
}

@compute @workgroup_size(128)
fn transpose(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
             @builtin(local_invocation_index) tid: u32) {
    let across = (p.columns + TILE - 1u) / TILE;
    let down = (p.rows + TILE - 1u) / TILE;
    let g = group_index(wid, groups);
    let live = g < p.batch * across * down;
    let c0 = g % across * TILE;
    let r0 = g / across % down * TILE;
    let b = g / (across * down);
    let i = tid % TILE;
    for (var j = tid / TILE; j < TILE; j += 8u) {
        if live && r0 + j < p.rows && c0 + i < p.columns {
            tile[j * (TILE + 1u) + i] = value(b, r0 + j, c0 + i);
        }
    }
    workgroupBarrier();
    for (var j = tid / TILE; j < TILE; j += 8u) {
        if live && c0 + j < p.columns && r0 + i < p.rows {
            y[(b * p.columns + c0 + j) * p.rows + r0 + i] = f32(tile[i * (TILE + 1u) + j]);
        }
    }
}

// Row r, columns c to c + 3.
fn four_values(b: u32, r: u32, c: u32) -> vec4<f32> {
    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>();
    var a3 = vec4<f32>(); var a4 = vec4<f32>(); var a5 = vec4<f32>();
    if INPUTS > 0u { let at = b * p.b0 + r * p.r0 + c * p.c0; a0 = spread(four(q0[at / 4u]), at, 0u); }
    if INPUTS > 1u { let at = b * p.b1 + r * p.r1 + c * p.c1; a1 = spread(four(q1[at / 4u]), at, 1u); }
    if INPUTS > 2u { let at = b * p.b2 + r * p.r2 + c * p.c2; a2 = spread(four(q2[at / 4u]), at, 2u); }
    if INPUTS > 3u { let at = b * p.b3 + r * p.r3 + c * p.c3; a3 = spread(four(q3[at / 4u]), at, 3u); }
    if INPUTS > 4u { let at = b * p.b4 + r * p.r4 + c * p.c4; a4 = spread(four(q4[at / 4u]), at, 4u); }
    if INPUTS > 5u { let at = b * p.b5 + r * p.r5 + c * p.c5; a5 = spread(four(q5[at / 4u]), at, 5u); }
    return evaluate_four(a0, a1, a2, a3, a4, a5);
}

@compute @workgroup_size(64)
fn transpose_four(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                  @builtin(local_invocation_index) tid: u32) {
    let across = p.columns / 4u;
    let down = p.rows / 4u;
    let g = group_index(wid, groups) * 64u + tid;
    if g >= p.batch * across * down { return; }
    // Neighbours read neighbouring rows of blocks: what they write lies together.
    let r = g % down;
    let c = g / down % across;
    let b = g / (across * down);
    let v = mat4x4<f32>(
        four_values(b, 4u * r, 4u * c),
        four_values(b, 4u * r + 1u, 4u * c),
        four_values(b, 4u * r + 2u, 4u * c),
        four_values(b, 4u * r + 3u, 4u * c),
    );
    for (var j = 0u; j < 4u; j++) {
        y4[(b * p.columns + 4u * c + j) * down + r] = of_four(vec4(v[0][j], v[1][j], v[2][j], v[3][j]));
    }
}
