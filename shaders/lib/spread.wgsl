// spread.wgsl — the inputs of an expression as fours of neighbours along the last axis.
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
