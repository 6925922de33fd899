// spread.wgsl — an expression and its inputs for fours of neighbours along the last axis.
//
// Bit j of SPLAT: input j is the same for all neighbours (its stride along the axis is 0), else they lie next to each other.

override SPLAT: u32;

// Four neighbours from `at` on, or four times the one there.
fn spread(v: vec4<f32>, at: u32, input: u32) -> vec4<f32> {
    if (SPLAT & (1u << input)) == 0u { return v; }
    return vec4(select(select(v.x, v.y, at % 4u == 1u), select(v.z, v.w, at % 4u == 3u), at % 4u >= 2u));
}

// How many fours behind the beginning of a row an input is read, for the q-th four of the row.
fn along(q: u32, input: u32) -> u32 {
    return select(q, 0u, (SPLAT & (1u << input)) != 0u);
}

// The expression for four neighbours.
fn evaluate_four(a0: vec4<f32>, a1: vec4<f32>, a2: vec4<f32>, a3: vec4<f32>, a4: vec4<f32>, a5: vec4<f32>) -> vec4<f32> {
    return vec4(
        evaluate(a0.x, a1.x, a2.x, a3.x, a4.x, a5.x),
        evaluate(a0.y, a1.y, a2.y, a3.y, a4.y, a5.y),
        evaluate(a0.z, a1.z, a2.z, a3.z, a4.z, a5.z),
        evaluate(a0.w, a1.w, a2.w, a3.w, a4.w, a5.w),
    );
}
