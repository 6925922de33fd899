// four.wgsl — four neighbouring numbers as one load or store: x[i] of an array<Four>.
//
// What stands between the marks below is for any device. Software Vulkan gathers the lanes' numbers one by one, and takes as
// long for one of 16 or 32 bits as for one of 64: where it has 64-bit integers the engine puts two of them in the place of
// four numbers, and one in that of four f16 (`FOUR_AS_PAIRS` in gpu/kernel.rs).

//@four
alias Four = vec4<f32>;

fn four(v: Four) -> vec4<f32> {
    return v;
}

fn of_four(v: vec4<f32>) -> Four {
    return v;
}
//@end
