// matrix.wgsl — the cooperative matrices of a kernel: T x T, f16 operands and f32 sums, and pieces of workgroup memory.
//
// What stands behind the mark below is for matrices of 8 x 8 and f32 in memory, as on Metal, which loads no matrix from
// vectors. The engine puts the device's own in its place (`Matrix::text` in gpu/tier.rs).

//@matrix
alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
const T = 8u;
alias Given = f32; // elements of the operand x and of the result y in memory
alias Made = f32;
alias Piece = f16;
const PIECE = 1u; // elements in a piece

fn place(i: u32, v: vec4<f16>) {
    for (var s = 0u; s < 4u; s++) { stage[i + s] = v[s]; }
}
