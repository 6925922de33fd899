//! Register-tiled convolutions: which tile, which packing, which dispatches.
//!
//! One kernel serves ordinary and transposed convolutions, dense layers and stacks of matrix products (`conv.wgsl`); another
//! makes weight gradients (`conv_weight.wgsl`). Weights are repacked first, so that a lane reads four channels at once
//! (`pack.wgsl`); a sum over many inputs with few results is split into parts that `sum_parts.wgsl` joins. In the matrix tier
//! layers that fill cooperative matrices are computed by them instead (`conv_matrix.wgsl`, `matrix.rs`).

mod kernels;
mod matrix;
mod packing;
mod problem;
mod weight;

pub(super) use kernels::KERNELS;
use kernels::*;
pub(super) use packing::packed_layer;
use packing::{Packing, packed};
pub(crate) use problem::FEW_OUTPUTS;
use problem::{Problem, Tile, dense};

use super::conv::{Conv, Extents, Makes};
use crate::Result;
use crate::gpu::{Kernel, fold};
use crate::tape::{Lowering, Slot};

/// What suits the device.
#[derive(Clone, Copy, Debug)]
struct Device {
    /// Lanes of a workgroup: the vector width of software Vulkan, two subgroups of a GPU.
    wg: u32,
    /// Lanes of a workgroup that are worth a try.
    wgs: [u32; 2],
    /// Taps taken at once, at most.
    taps: u32,
    /// The same in layers of few outputs.
    few_taps: u32,
    /// Inputs taken at once with three taps along w.
    deep: u32,
    /// Sums of a lane, in fours: what its registers hold beside operands.
    sums: u32,
    /// Groups of a lane whose four columns are loaded one by one, at most: a compiler that does not unroll the loops over
    /// these keeps what they index in memory.
    singles: u32,
    /// Workgroups that keep it busy.
    wanted: u32,
    /// The same for weight gradients.
    weight_wg: u32,
    weight_wanted: u32,
}

impl Device {
    fn of(l: &Lowering<'_>) -> Self {
        if l.on_cpu() {
            let about = l.capabilities();
            let wg = about.subgroup.map_or(8, |(_, largest)| largest);
            // LLVM 15 keeps the sums of a longer loop body in memory.
            let (taps, deep) = if about.driver.contains("LLVM 15") {
                (5, 1)
            } else {
                (6, 2)
            };
            Self {
                wg,
                wgs: [wg, 2 * wg],
                taps,
                few_taps: 9,
                deep,
                sums: 64,
                singles: 8,
                wanted: 4,
                weight_wg: wg,
                weight_wanted: 16,
            }
        } else {
            let registers = l.capabilities().registers;
            Self {
                wg: 64,
                wgs: [64, 128],
                taps: 5,
                few_taps: if registers < 256 { 5 } else { 9 },
                deep: 1,
                // Half of the registers: the other half holds operands and addresses.
                sums: registers / 8,
                singles: 2,
                wanted: 256,
                weight_wg: 32,
                weight_wanted: 512,
            }
        }
    }
}

/// A stack of `count` products whose operands lie so many elements apart; their biases follow each other.
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

/// What follows a sum.
#[derive(Clone, Copy)]
struct Finish {
    bias: Option<Slot>,
    /// The bias has a number for each output voxel, not only for each channel.
    by_cell: bool,
    slope: f32,
}

impl Finish {
    const NONE: Self = Self {
        bias: None,
        by_cell: false,
        slope: 1.0,
    };
}

/// The kernel for a stack: of fours of neighbours where all rows begin at one.
fn kernel(c: &Problem, z: Stack) -> &'static Kernel {
    match [c.batch, z.x, z.y].iter().all(|n| n.is_multiple_of(4)) {
        true => &CONV,
        false => &CONV_ANY,
    }
}

/// The tile for the products from `x` to `y`: by rule, or the fastest of those that give the same bits, if they were timed.
fn tile(l: &mut Lowering<'_>, c: &Problem, z: Stack, (x, y): (Slot, Slot)) -> Tile {
    let device = Device::of(l);
    let t = c.tile(device, !l.per_shower());
    if !l.per_shower() || t.parts > 1 {
        return t;
    }
    let tiles = c.candidates(t, device);
    let words = tiles.iter().map(|t| vec![t.wg, t.quads, t.groups]);
    let shape = format!("{c:?} {}{}", z.count, l.element_key(&[x, y]));
    let taken = l.choose(kernel(c, z), &shape, words.collect());
    Tile {
        wg: taken[0],
        quads: taken[1],
        groups: taken[2],
        ..t
    }
}

/// Runs the kernel on `x` and packed weights `wt`, all `z` products of a stack.
fn run(
    l: &mut Lowering<'_>,
    (c, t, z): (&Problem, Tile, Stack),
    (x, wt): (Slot, Slot),
    finish: Finish,
    y: Slot,
) -> Result<()> {
    let tiles = c.outputs.div_ceil(4 * t.quads);
    let blocks = c.blocks(t);
    let groups = blocks * u64::from(tiles * c.phases() * t.parts) * u64::from(z.count);
    let voxels: u32 = c.output.iter().product();
    let y_part = voxels * c.outputs * c.batch * z.count;
    let kernel = kernel(c, z);
    let vector = std::ptr::eq(kernel, &CONV);
    let last = t.parts == 1;
    assert!(
        last || !finish.by_cell,
        "made for fixed weights alone, where no sum is cut"
    );
    assert!(vector || t.rows == 1, "addresses of one row alone");
    let bias = finish.bias.filter(|_| last);
    let mut words = vec![c.batch, c.inputs, c.outputs];
    words.extend(c.words());
    words.extend(c.steps());
    words.extend([u32::from(c.transposed), tiles, c.phases(), t.parts]);
    words.push(c.inputs.div_ceil(t.parts).next_multiple_of(t.deep));
    words.extend([groups as u32, blocks as u32, z.x, z.w / 4, z.y, y_part]);
    words.extend([c.taps(), c.padded(t), u32::from(bias.is_some())]);
    words.push(if last { finish.slope } else { 1.0 }.to_bits());
    let params: ConvParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
    let flag = |b: bool| f64::from(u8::from(b));
    let overrides = [
        ("WG", f64::from(t.wg)),
        ("QUADS", f64::from(t.quads)),
        ("GROUPS", f64::from(t.groups)),
        ("ROWS", f64::from(t.rows)),
        ("LAST", f64::from(t.last(c.outputs))),
        ("TAPS", f64::from(t.taps)),
        ("EXACT", flag(c.exact(t))),
        ("DEEP", f64::from(t.deep)),
        ("SHARE", flag(t.share)),
        ("APART", f64::from(c.apart(2))),
        ("VECTOR", flag(vector)),
        ("BY_CELL", flag(finish.by_cell)),
    ];
    let target = if last {
        y
    } else {
        l.scratch(y_part as usize * t.parts as usize)
    };
    l.dispatch(
        kernel,
        &params,
        &overrides,
        &[x, x, wt, bias.unwrap_or(x), target],
        fold(groups),
    )?;
    if !last {
        let (parts, channels, columns) = (t.parts, c.outputs * z.count, voxels * c.batch);
        sum_parts(
            l,
            Partial {
                parts,
                channels,
                columns,
                size: y_part,
            },
            target,
            finish,
            y,
        )?;
    }
    Ok(())
}

/// Partial sums `[parts, stack, channels, columns]`, each part of `size` elements.
struct Partial {
    parts: u32,
    channels: u32,
    columns: u32,
    size: u32,
}

/// Joins partial sums and finishes them.
fn sum_parts(
    l: &mut Lowering<'_>,
    sums: Partial,
    from: Slot,
    finish: Finish,
    y: Slot,
) -> Result<()> {
    let Partial {
        parts,
        channels,
        columns,
        size,
    } = sums;
    let has_bias = u32::from(finish.bias.is_some());
    let slope = finish.slope;
    let params = SumPartsParams {
        parts,
        channels,
        columns,
        size,
        has_bias,
        slope,
    };
    let slots = [from, finish.bias.unwrap_or(from), y];
    let groups = fold(u64::from(size).div_ceil(64));
    l.dispatch(&SUM_PARTS, &params, &[("WG", 64.0)], &slots, groups)
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
        return weight::weight(l, x[0], x[1], y, e);
    }
    let c = Problem::new(e, op.makes == Makes::Large, x.len() > 2);
    let finish = Finish {
        bias: x.get(2).copied(),
        by_cell: op.bias_by_cell,
        slope: op.slope,
    };
    let voxels = |extent: [u32; 3]| extent.iter().product::<u32>() * c.batch;
    let stack = Stack {
        count: op.groups as u32,
        x: c.inputs * voxels(c.input),
        w: 0,
        y: c.outputs * voxels(c.output),
    };
    product(l, (&c, stack), (x[0], x[1]), finish, y)
}

/// Lowers a stack of products with their weights not yet packed.
fn product(
    l: &mut Lowering<'_>,
    (c, stack): (&Problem, Stack),
    (x, w): (Slot, Slot),
    finish: Finish,
    y: Slot,
) -> Result<()> {
    if matrix::lower(l, (c, stack), (x, w), finish, y)? {
        return Ok(());
    }
    let c = c.turned();
    let t = tile(l, &c, stack, (x, y));
    let packing = Packing::weights(&c, t, stack.count);
    let wt = packed(l, w, packing)?;
    let stack = Stack {
        w: packing.words(),
        ..stack
    };
    run(l, (&c, t, stack), (x, wt), finish, y)
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
    let stack = Stack {
        count: z as u32,
        x: (k * m) as u32,
        w: 0,
        y: (n * m) as u32,
    };
    product(l, (&c, stack), (b, a), Finish::NONE, y)
}
