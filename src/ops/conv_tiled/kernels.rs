//! The kernels and their parameter blocks.

use crate::gpu::{Kernel, Tier, params, read, wgsl, write};

params! {
    /// See `conv.wgsl`.
    ConvParams {
        batch: u32, inputs: u32, outputs: u32,
        in_d: u32, in_h: u32, in_w: u32,
        out_d: u32, out_h: u32, out_w: u32,
        kernel_d: u32, kernel_h: u32, kernel_w: u32,
        stride_d: u32, stride_h: u32, stride_w: u32,
        pad_d: u32, pad_h: u32, pad_w: u32,
        x_d: u32, x_h: u32, x_w: u32,
        y_d: u32, y_h: u32, y_w: u32,
        tap_d: u32, tap_h: u32, tap_w: u32,
        transposed: u32, tiles: u32, phases: u32, parts: u32, chunk: u32, groups: u32, blocks: u32,
        x_skip: u32, w_skip: u32, y_skip: u32, y_part: u32,
        taps: u32, padded: u32, has_bias: u32, slope: f32,
    }
}
params! {
    /// See `conv_weight.wgsl`.
    ConvWeightParams {
        batch: u32, small: u32, large: u32,
        in_d: u32, in_h: u32, in_w: u32,
        out_d: u32, out_h: u32, out_w: u32,
        kernel_d: u32, kernel_h: u32, kernel_w: u32,
        stride_d: u32, stride_h: u32, stride_w: u32,
        pad_d: u32, pad_h: u32, pad_w: u32,
        tiles: u32, terms: u32, term_tiles: u32, piece: u32, pieces: u32, units: u32, chunk: u32, groups: u32,
        inverse: f32,
    }
}
params! {
    /// See `pack.wgsl`.
    PackParams {
        count: u32, tile: u32, rows: u32, cols: u32, padded: u32,
        step: u32, outer: u32, inner: u32, skip: u32, total: u32,
    }
}
params! {
    /// See `conv_matrix.wgsl`.
    ConvMatrixParams {
        batch: u32, outputs: u32,
        in_d: u32, in_h: u32, in_w: u32,
        out_d: u32, out_h: u32, out_w: u32,
        stride_d: u32, stride_h: u32, stride_w: u32,
        pad_d: u32, pad_h: u32, pad_w: u32,
        transposed: u32, tiles: u32, phases: u32, groups: u32, blocks: u32,
        x_skip: u32, w_skip: u32, y_skip: u32, has_bias: u32, slope: f32,
    }
}
params! {
    /// See `pack_matrix.wgsl`.
    PackMatrixParams {
        outputs: u32, size: u32, across: u32, first: u32, step: u32, skip: u32,
        at: u32, stride: u32, pairs: u32, total: u32,
    }
}
params! {
    /// See `sum_parts.wgsl`.
    SumPartsParams { parts: u32, channels: u32, columns: u32, size: u32, has_bias: u32, slope: f32 }
}

const CONV_SOURCE: &str = wgsl!("conv.wgsl", "lib/index.wgsl", "lib/four.wgsl");
const PACK_SOURCE: &str = wgsl!("pack.wgsl", "lib/index.wgsl");
/// The number of columns is a multiple of four.
pub(super) static CONV: Kernel = Kernel::new::<ConvParams>(
    "conv.wgsl",
    CONV_SOURCE,
    "conv",
    &[
        read(1, "x").or_half(),
        read(2, "x4").or_half(),
        read(3, "wt"),
        read(4, "bias"),
        write(5, "y4").or_half(),
    ],
);
pub(super) static CONV_ANY: Kernel = Kernel::new::<ConvParams>(
    "conv.wgsl",
    CONV_SOURCE,
    "conv_any",
    &[
        read(1, "x").or_half(),
        read(2, "x4").or_half(),
        read(3, "wt"),
        read(4, "bias"),
        write(5, "y").or_half(),
    ],
);
pub(super) static CONV_WEIGHT: Kernel = Kernel::new::<ConvWeightParams>(
    "conv_weight.wgsl",
    wgsl!("conv_weight.wgsl", "lib/index.wgsl", "lib/four.wgsl"),
    "conv_weight",
    &[
        read(1, "dy"),
        read(2, "dy4"),
        read(3, "x"),
        read(4, "x4"),
        write(5, "dw"),
    ],
);
const MATRIX_SOURCE: &str = wgsl!("conv_matrix.wgsl", "lib/index.wgsl", "lib/matrix.wgsl");
/// The number of columns is a multiple of four.
pub(super) static CONV_MATRIX: Kernel = Kernel::new::<ConvMatrixParams>(
    "conv_matrix.wgsl",
    MATRIX_SOURCE,
    "conv_matrix",
    &[
        read(1, "x").or_half(),
        read(2, "x4").or_half(),
        read(3, "wt"),
        read(4, "rows"),
        read(5, "bias"),
        write(6, "y4").or_half(),
    ],
)
.of_tier(Tier::Matrix);
pub(super) static CONV_MATRIX_ANY: Kernel = Kernel::new::<ConvMatrixParams>(
    "conv_matrix.wgsl",
    MATRIX_SOURCE,
    "conv_matrix_any",
    &[
        read(1, "x").or_half(),
        read(2, "x4").or_half(),
        read(3, "wt"),
        read(4, "rows"),
        read(5, "bias"),
        write(6, "y").or_half(),
    ],
)
.of_tier(Tier::Matrix);
pub(super) static PACK_MATRIX: Kernel = Kernel::new::<PackMatrixParams>(
    "pack_matrix.wgsl",
    wgsl!("pack_matrix.wgsl", "lib/index.wgsl"),
    "pack_matrix",
    &[read(1, "src"), read(2, "rows"), write(3, "dst")],
)
.of_tier(Tier::Matrix);
pub(super) static PACK: Kernel = Kernel::new::<PackParams>(
    "pack.wgsl",
    PACK_SOURCE,
    "pack",
    &[read(1, "src"), write(2, "dst")],
);
pub(super) static PACK_QUADS: Kernel = Kernel::new::<PackParams>(
    "pack.wgsl",
    PACK_SOURCE,
    "pack_quads",
    &[read(1, "src"), write(2, "dst4")],
);
pub(super) static SUM_PARTS: Kernel = Kernel::new::<SumPartsParams>(
    "sum_parts.wgsl",
    wgsl!("sum_parts.wgsl", "lib/index.wgsl"),
    "sum_parts",
    &[read(1, "part"), read(2, "bias"), write(3, "y")],
);

pub(in crate::ops) static KERNELS: &[&Kernel] = &[
    &CONV,
    &CONV_ANY,
    &CONV_MATRIX,
    &CONV_MATRIX_ANY,
    &CONV_WEIGHT,
    &PACK,
    &PACK_MATRIX,
    &PACK_QUADS,
    &SUM_PARTS,
];
