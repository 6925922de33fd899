//! Register-tiled convolutions: which tile, which packing, which dispatches.
//!
//! One kernel serves ordinary and transposed convolutions, dense layers and stacks of matrix products (`conv.wgsl`); another
//! makes weight gradients (`conv_weight.wgsl`). Weights are repacked first, so that a lane reads four channels at once
//! (`pack.wgsl`); a sum over many inputs with few results is split into parts that `sum_parts.wgsl` joins.

use super::conv::{Conv, Extents, Makes};
use crate::Result;
use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Lowering, Slot};

params! {
    /// See `conv.wgsl`.
    ConvParams {
        batch: u32, inputs: u32, outputs: u32,
        in_d: u32, in_h: u32, in_w: u32,
        out_d: u32, out_h: u32, out_w: u32,
        kernel_d: u32, kernel_h: u32, kernel_w: u32,
        stride_d: u32, stride_h: u32, stride_w: u32,
        pad_d: u32, pad_h: u32, pad_w: u32,
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
    /// See `sum_parts.wgsl`.
    SumPartsParams { parts: u32, channels: u32, columns: u32, size: u32, has_bias: u32, slope: f32 }
}

const CONV_SOURCE: &str = wgsl!("conv.wgsl");
const PACK_SOURCE: &str = wgsl!("pack.wgsl");
/// The number of columns is a multiple of four.
static CONV: Kernel = Kernel::new::<ConvParams>(
    "conv.wgsl",
    CONV_SOURCE,
    "conv",
    &[
        read(1, "x"),
        read(2, "x4"),
        read(3, "wt"),
        read(4, "bias"),
        write(5, "y4"),
    ],
);
static CONV_ANY: Kernel = Kernel::new::<ConvParams>(
    "conv.wgsl",
    CONV_SOURCE,
    "conv_any",
    &[
        read(1, "x"),
        read(2, "x4"),
        read(3, "wt"),
        read(4, "bias"),
        write(5, "y"),
    ],
);
static CONV_WEIGHT: Kernel = Kernel::new::<ConvWeightParams>(
    "conv_weight.wgsl",
    wgsl!("conv_weight.wgsl"),
    "conv_weight",
    &[
        read(1, "dy"),
        read(2, "dy4"),
        read(3, "x"),
        read(4, "x4"),
        write(5, "dw"),
    ],
);
static PACK: Kernel = Kernel::new::<PackParams>(
    "pack.wgsl",
    PACK_SOURCE,
    "pack",
    &[read(1, "src"), write(2, "dst")],
);
static PACK_QUADS: Kernel = Kernel::new::<PackParams>(
    "pack.wgsl",
    PACK_SOURCE,
    "pack_quads",
    &[read(1, "src"), write(2, "dst4")],
);
static SUM_PARTS: Kernel = Kernel::new::<SumPartsParams>(
    "sum_parts.wgsl",
    wgsl!("sum_parts.wgsl"),
    "sum_parts",
    &[read(1, "part"), read(2, "bias"), write(3, "y")],
);

pub(super) static KERNELS: &[&Kernel] = &[
    &CONV,
    &CONV_ANY,
    &CONV_WEIGHT,
    &PACK,
    &PACK_QUADS,
    &SUM_PARTS,
];

/// Columns up to which a dense weight gradient is a product of packed operands.
const FEW_COLUMNS: usize = 1024;

/// What suits the device.
#[derive(Clone, Copy, Debug)]
struct Device {
    /// Lanes of a workgroup: the vector width of software Vulkan, two subgroups of a GPU.
    wg: u32,
    /// Workgroups that keep it busy.
    wanted: u32,
    /// The same for weight gradients.
    weight_wg: u32,
    weight_wanted: u32,
}

impl Device {
    fn of(l: &Lowering<'_>) -> Self {
        if l.on_cpu() {
            Self {
                wg: 8,
                wanted: 4,
                weight_wg: 8,
                weight_wanted: 16,
            }
        } else {
            Self {
                wg: 64,
                wanted: 256,
                weight_wg: 32,
                weight_wanted: 512,
            }
        }
    }
}

/// What a lane computes: `4 quads` output channels of `4 groups` columns.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tile {
    wg: u32,
    quads: u32,
    groups: u32,
    /// The sum over inputs is split into so many parts.
    parts: u32,
    /// Terms of the sum taken at once: inputs, or with `along_w` taps along w.
    unroll: u32,
    along_w: bool,
    /// With `along_w`, where neighbouring outputs read neighbouring inputs: a loaded element serves several taps.
    share: bool,
}

/// A convolution from `inputs` to `outputs` channels, or a transposed one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    transposed: bool,
    batch: u32,
    inputs: u32,
    outputs: u32,
    input: [u32; 3],
    output: [u32; 3],
    kernel: [u32; 3],
    stride: [u32; 3],
    pad: [u32; 3],
}

/// A stack of `count` products whose operands lie so many elements apart.
#[derive(Clone, Copy, Debug)]
struct Stack {
    count: u32,
    x: u32,
    w: u32,
    y: u32,
}

const ONE: Stack = Stack {
    count: 1,
    x: 0,
    w: 0,
    y: 0,
};

/// `y[o,m] = sum over i of w[o,i] x[i,m]` as a problem.
fn dense(outputs: u32, inputs: u32, columns: u32, transposed: bool) -> Problem {
    let one = [1; 3];
    Problem {
        transposed,
        batch: columns,
        inputs,
        outputs,
        input: one,
        output: one,
        kernel: one,
        stride: one,
        pad: [0; 3],
    }
}

impl Problem {
    fn new(e: &Extents, transposed: bool) -> Self {
        let [large, small, kernel, stride, pad] =
            [e.large, e.small, e.kernel, e.spec.stride, e.spec.padding]
                .map(|a| a.map(|v| v as u32));
        let (s, l) = (e.small_channels as u32, e.large_channels as u32);
        let (inputs, outputs) = if transposed { (s, l) } else { (l, s) };
        let (input, output) = if transposed {
            (small, large)
        } else {
            (large, small)
        };
        let whole = Self {
            transposed,
            batch: e.batch as u32,
            inputs,
            outputs,
            input,
            output,
            kernel,
            stride,
            pad,
        };
        // A kernel of 1 is a dense layer over all voxels and showers: one long row suits every kernel.
        if kernel == [1; 3] && stride == [1; 3] && pad == [0; 3] {
            return dense(
                outputs,
                inputs,
                whole.batch * input.iter().product::<u32>(),
                transposed,
            );
        }
        whole
    }

    fn taps(&self) -> u32 {
        self.kernel.iter().product()
    }

    fn phases(&self) -> u32 {
        if self.transposed {
            self.stride.iter().product()
        } else {
            1
        }
    }

    /// Columns of the largest phase, in pieces that a lane takes along w.
    fn columns(&self, t: Tile) -> u64 {
        let step = if self.transposed { self.stride } else { [1; 3] };
        let across = if t.share { t.groups } else { 1 };
        let extent = |a: usize| u64::from(self.output[a].div_ceil(step[a]));
        extent(0) * extent(1) * extent(2).div_ceil(u64::from(across)) * u64::from(self.batch)
    }

    /// Inputs as packed: filled up to what is taken at once.
    fn padded(&self, t: Tile) -> u32 {
        if t.along_w {
            self.inputs
        } else {
            self.inputs.next_multiple_of(t.unroll)
        }
    }

    /// The tile to use without measuring. `split` allows a sum in parts, whose rounding depends on the batch.
    fn tile(&self, device: Device, split: bool) -> Tile {
        let quads = match self.outputs {
            0..=4 => 1,
            5..=8 => 2,
            _ => 4,
        };
        let step = if self.transposed { self.stride[2] } else { 1 };
        let taps = self.kernel[2].div_ceil(step); // along w, in one phase
        let width = self.output[2].div_ceil(step);
        let adjacent = self.transposed || self.stride[2] == 1;
        let plain = Tile {
            wg: device.wg,
            quads,
            groups: 2,
            parts: 1,
            unroll: 4,
            along_w: false,
            share: false,
        };
        let few = match taps {
            2..=5 => taps,
            t if t % 3 == 0 => 3,
            _ => 4,
        };
        let mut t = if adjacent && taps >= 3 && width >= 3 {
            let groups = if width.next_multiple_of(3) < width.next_multiple_of(4) {
                3
            } else {
                4
            };
            Tile {
                groups,
                unroll: few,
                along_w: true,
                share: true,
                ..plain
            }
        } else if self.inputs < 4 && taps > 1 {
            Tile {
                unroll: few,
                along_w: true,
                ..plain
            }
        } else {
            Tile {
                unroll: self.inputs.min(4),
                ..plain
            }
        };
        if !t.share && self.columns(t) <= u64::from(4 * t.wg) {
            t.groups = 1;
        }
        let groups = self.blocks(t) * u64::from(self.phases() * self.outputs.div_ceil(4 * quads));
        if split && groups < u64::from(device.wanted) {
            let most = u64::from(self.inputs / 64).clamp(1, 64);
            t.parts = u64::from(device.wanted).div_ceil(groups).min(most) as u32;
        }
        t
    }

    fn blocks(&self, t: Tile) -> u64 {
        self.columns(t)
            .div_ceil(u64::from(4 * t.wg * if t.share { 1 } else { t.groups }))
    }
}

/// Three axes of an array, repacked into tiles of one of them.
#[derive(Clone, Copy, Debug)]
struct Packing {
    count: u32,
    tile: u32,
    rows: u32,
    cols: u32,
    padded: u32,
    step: u32,
    outer: u32,
    inner: u32,
    skip: u32,
    stack: u32,
}

impl Packing {
    /// Elements of one packed array.
    fn words(&self) -> u32 {
        self.count.div_ceil(self.tile) * self.tile * self.rows * self.padded
    }

    /// PyTorch's weights `[S,L,k]`, or a stack of matrices, for a problem.
    fn weights(c: &Problem, t: Tile, stack: u32) -> Self {
        let k = c.taps();
        let (step, inner) = if c.transposed {
            (k, c.outputs * k)
        } else {
            (c.inputs * k, k)
        };
        Self {
            count: c.outputs,
            tile: 4 * t.quads,
            rows: k,
            cols: c.inputs,
            padded: c.padded(t),
            step,
            outer: 1,
            inner,
            skip: if stack > 1 {
                c.inputs * c.outputs * k
            } else {
                0
            },
            stack,
        }
    }

    fn dispatch(&self, l: &mut Lowering<'_>, src: Slot, dst: Slot) -> Result<()> {
        let total = u64::from(self.words()) * u64::from(self.stack);
        let (kernel, lanes) = if self.tile % 4 == 0 {
            let quads = self.count.div_ceil(self.tile) * (self.tile / 4);
            let columns =
                u64::from(self.rows) * u64::from(self.padded.div_ceil(4)) * u64::from(self.stack);
            (&PACK_QUADS, u64::from(quads) * columns)
        } else {
            (&PACK, total)
        };
        let Self {
            count,
            tile,
            rows,
            cols,
            padded,
            step,
            outer,
            inner,
            skip,
            ..
        } = *self;
        let params = PackParams {
            count,
            tile,
            rows,
            cols,
            padded,
            step,
            outer,
            inner,
            skip,
            total: total as u32,
        };
        l.dispatch(
            kernel,
            &params,
            &[("WG", 64.0)],
            &[src, dst],
            fold(lanes.div_ceil(64)),
        )
    }
}

/// Weights of `source` in the order that the tile reads, once per program and packing.
fn packed(l: &mut Lowering<'_>, source: Slot, packing: Packing) -> Result<Slot> {
    let words = packing.words() as usize * packing.stack as usize;
    l.derived(source, format!("{packing:?}"), words, |l, to| {
        packing.dispatch(l, source, to)
    })
}

/// What follows a sum.
#[derive(Clone, Copy)]
struct Finish {
    bias: Option<Slot>,
    slope: f32,
}

fn run(
    l: &mut Lowering<'_>,
    c: &Problem,
    t: Tile,
    z: Stack,
    x: Slot,
    wt: Slot,
    finish: Finish,
    y: Slot,
) -> Result<()> {
    let tiles = c.outputs.div_ceil(4 * t.quads);
    let step = if t.along_w { 1 } else { t.unroll };
    let blocks = c.blocks(t);
    let groups = blocks * u64::from(tiles * c.phases() * t.parts) * u64::from(z.count);
    let voxels: u32 = c.output.iter().product();
    let y_part = voxels * c.outputs * c.batch * z.count;
    let vector = c.batch % 4 == 0 && z.x % 4 == 0 && z.y % 4 == 0;
    let last = t.parts == 1;
    let bias = finish.bias.filter(|_| last);
    let [
        [in_d, in_h, in_w],
        [out_d, out_h, out_w],
        [kernel_d, kernel_h, kernel_w],
    ] = [c.input, c.output, c.kernel];
    let [[stride_d, stride_h, stride_w], [pad_d, pad_h, pad_w]] = [c.stride, c.pad];
    let params = ConvParams {
        batch: c.batch,
        inputs: c.inputs,
        outputs: c.outputs,
        in_d,
        in_h,
        in_w,
        out_d,
        out_h,
        out_w,
        kernel_d,
        kernel_h,
        kernel_w,
        stride_d,
        stride_h,
        stride_w,
        pad_d,
        pad_h,
        pad_w,
        transposed: u32::from(c.transposed),
        tiles,
        phases: c.phases(),
        parts: t.parts,
        chunk: c.inputs.div_ceil(t.parts).next_multiple_of(step),
        groups: groups as u32,
        blocks: blocks as u32,
        x_skip: z.x,
        w_skip: z.w / 4,
        y_skip: z.y,
        y_part,
        taps: c.taps(),
        padded: c.padded(t),
        has_bias: u32::from(bias.is_some()),
        slope: if last { finish.slope } else { 1.0 },
    };
    let flag = |b: bool| f64::from(u8::from(b));
    let overrides = [
        ("WG", f64::from(t.wg)),
        ("QUADS", f64::from(t.quads)),
        ("GROUPS", f64::from(t.groups)),
        ("LIVE", f64::from(c.outputs.min(4))),
        ("UNROLL", f64::from(t.unroll)),
        ("TAPS", flag(t.along_w)),
        ("SHARE", flag(t.share)),
        ("VECTOR", flag(vector)),
    ];
    let target = if last {
        y
    } else {
        l.scratch(y_part as usize * t.parts as usize)
    };
    let kernel = if vector { &CONV } else { &CONV_ANY };
    l.dispatch(
        kernel,
        &params,
        &overrides,
        &[x, x, wt, bias.unwrap_or(x), target],
        fold(groups),
    )?;
    if !last {
        sum_parts(
            l,
            t.parts,
            c.outputs,
            voxels * c.batch,
            y_part,
            target,
            finish,
            y,
        )?;
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn sum_parts(
    l: &mut Lowering<'_>,
    parts: u32,
    channels: u32,
    columns: u32,
    size: u32,
    from: Slot,
    finish: Finish,
    y: Slot,
) -> Result<()> {
    let has_bias = u32::from(finish.bias.is_some());
    let params = SumPartsParams {
        parts,
        channels,
        columns,
        size,
        has_bias,
        slope: finish.slope,
    };
    let slots = [from, finish.bias.unwrap_or(from), y];
    l.dispatch(
        &SUM_PARTS,
        &params,
        &[("WG", 64.0)],
        &slots,
        fold(u64::from(size).div_ceil(64)),
    )
}

/// Lowers one of the three maps.
pub(super) fn lower(
    op: &Conv,
    l: &mut Lowering<'_>,
    x: &[Slot],
    y: Slot,
    e: &Extents,
) -> Result<()> {
    if op.makes == Makes::Weight {
        return weight(l, x[0], x[1], y, e);
    }
    let c = Problem::new(e, op.makes == Makes::Large);
    let t = c.tile(Device::of(l), !l.per_shower());
    let wt = packed(l, x[1], Packing::weights(&c, t, 1))?;
    run(
        l,
        &c,
        t,
        ONE,
        x[0],
        wt,
        Finish {
            bias: x.get(2).copied(),
            slope: op.slope,
        },
        y,
    )
}

/// `y[z,i,j] = sum over k of a[z,i,k] b[z,k,j]`
pub(super) fn matmul(
    l: &mut Lowering<'_>,
    [z, n, k, m]: [usize; 4],
    a: Slot,
    b: Slot,
    y: Slot,
) -> Result<()> {
    let c = dense(n as u32, k as u32, m as u32, false);
    let t = c.tile(Device::of(l), !l.per_shower());
    let packing = Packing::weights(&c, t, z as u32);
    let wt = packed(l, a, packing)?;
    let stack = Stack {
        count: z as u32,
        x: (k * m) as u32,
        w: packing.words(),
        y: (n * m) as u32,
    };
    run(
        l,
        &c,
        t,
        stack,
        b,
        wt,
        Finish {
            bias: None,
            slope: 1.0,
        },
        y,
    )
}

fn weight(l: &mut Lowering<'_>, large: Slot, small: Slot, dw: Slot, e: &Extents) -> Result<()> {
    let device = Device::of(l);
    let c = Problem::new(e, false);
    let no = Finish {
        bias: None,
        slope: 1.0,
    };
    if c.taps() == 1 && c.stride == [1; 3] && c.pad == [0; 3] && (c.batch as usize) <= FEW_COLUMNS {
        // dw[o,i] = sum over m of dy[o,m] x[i,m], with x transposed.
        let (outputs, inputs, columns) = (c.outputs, c.inputs, c.batch);
        let product = dense(outputs, columns, inputs, false);
        let t = product.tile(device, true);
        let wt = packed(l, small, Packing::weights(&product, t, 1))?;
        let transposition = Packing {
            count: inputs,
            tile: inputs,
            rows: 1,
            cols: columns,
            padded: columns,
            step: columns,
            outer: 0,
            inner: 1,
            skip: 0,
            stack: 1,
        };
        let x = packed(l, large, transposition)?;
        return run(l, &product, t, ONE, x, wt, no, dw);
    }
    let quads = match c.outputs {
        0..=4 => 1,
        5..=8 => 2,
        _ => 4,
    };
    let terms = c.taps() * c.inputs;
    let (tiles, term_tiles) = (c.outputs.div_ceil(4 * quads), terms.div_ceil(8));
    // A part's share of x and dy, read by every tile, should stay in a cache.
    let bytes = |v: [u32; 3], channels: u32| {
        v.iter().map(|&e| u64::from(e)).product::<u64>()
            * u64::from(channels)
            * u64::from(c.batch)
            * 4
    };
    let cached = ((bytes(c.input, c.inputs) + bytes(c.output, c.outputs)) >> 20).min(32) as u32;
    let wg = device.weight_wg;
    let row = c.output[2] * c.batch;
    let rows = c.output[0] * c.output[1] * row.div_ceil(256 * wg);
    let parts = device
        .weight_wanted
        .div_ceil(tiles * term_tiles)
        .max(cached)
        .min(rows)
        .max(1);
    let piece = row.next_multiple_of(4).min(64 * 4 * wg);
    let pieces = row.div_ceil(piece);
    let units = c.output[0] * c.output[1] * pieces;
    let groups = u64::from(tiles) * u64::from(term_tiles) * u64::from(parts);
    let [
        [in_d, in_h, in_w],
        [out_d, out_h, out_w],
        [kernel_d, kernel_h, kernel_w],
    ] = [c.input, c.output, c.kernel];
    let [[stride_d, stride_h, stride_w], [pad_d, pad_h, pad_w]] = [c.stride, c.pad];
    let params = ConvWeightParams {
        batch: c.batch,
        small: c.outputs,
        large: c.inputs,
        in_d,
        in_h,
        in_w,
        out_d,
        out_h,
        out_w,
        kernel_d,
        kernel_h,
        kernel_w,
        stride_d,
        stride_h,
        stride_w,
        pad_d,
        pad_h,
        pad_w,
        tiles,
        terms,
        term_tiles,
        piece,
        pieces,
        units,
        chunk: units.div_ceil(parts),
        groups: groups as u32,
        inverse: 1.0 / c.batch as f32,
    };
    let flag = |b: bool| f64::from(u8::from(b));
    let overrides = [
        ("WG", f64::from(wg)),
        ("QUADS", f64::from(quads)),
        ("VECTOR", flag(c.batch % 4 == 0)),
        ("ONE_TAP", flag(c.inputs % 8 == 0)),
    ];
    let words = c.outputs * c.inputs * c.taps();
    let target = if parts > 1 {
        l.scratch(words as usize * parts as usize)
    } else {
        dw
    };
    l.dispatch(
        &CONV_WEIGHT,
        &params,
        &overrides,
        &[small, small, large, large, target],
        fold(groups),
    )?;
    if parts > 1 {
        sum_parts(l, parts, words, 1, words, target, no, dw)?;
    }
    Ok(())
}
