//! Elementwise expressions: what chains of elementwise ops become, and the kernel that runs them.

use crate::Result;
use crate::gpu::{Binding, Kernel, fold, params, write};
use crate::ops::elementwise::Function;
use crate::tape::{Cost, Lowering, Op, Shape, Slot, Var, Vjp, shape};

/// Inputs that an expression may have: with its output, seven of the eight storage bindings that WebGPU grants.
pub(crate) const MAX_INPUTS: usize = 6;
/// Steps that an expression may have.
pub(crate) const MAX_STEPS: usize = 12;

/// Where a step takes an operand from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Register {
    Input(usize),
    Step(usize),
}

/// An elementwise expression in steps; the last one is its value. No step: the first input.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expression {
    pub inputs: usize,
    pub steps: Vec<(Function, Vec<Register>)>,
}

impl Expression {
    /// The expression that is its input.
    pub fn identity() -> Self {
        Self {
            inputs: 1,
            steps: Vec::new(),
        }
    }

    pub fn flops(&self) -> f64 {
        self.steps.len() as f64
    }

    /// The text that takes the place of the identity in `lib/expression.wgsl`: one `let` a step.
    pub fn text(&self) -> String {
        let name = |r: &Register| match *r {
            Register::Input(i) => format!("x{i}"),
            Register::Step(i) => format!("r{i}"),
        };
        let mut text = String::from(
            "fn evaluate(x0: f32, x1: f32, x2: f32, x3: f32, x4: f32, x5: f32) -> f32 {\n",
        );
        for (i, (function, from)) in self.steps.iter().enumerate() {
            let x: Vec<String> = from.iter().map(name).collect();
            text.push_str(&format!("    let r{i} = {};\n", function.text(&x, i)));
        }
        let last = self
            .steps
            .len()
            .checked_sub(1)
            .map_or("x0".into(), |i| format!("r{i}"));
        text + &format!("    return {last};\n}}\n")
    }

    /// The two constants of each step, k of all and then l of all, as parameter blocks end with them.
    pub fn constants(&self) -> [u32; 2 * MAX_STEPS] {
        let mut words = [0; 2 * MAX_STEPS];
        for (i, (function, _)) in self.steps.iter().enumerate() {
            let (k, l) = function.constants();
            (words[i], words[MAX_STEPS + i]) = (k.to_bits(), l.to_bits());
        }
        words
    }
}

params! {
    /// See `map.wgsl`.
    MapParams {
        count: u32, e1: u32, e2: u32, e3: u32, e4: u32,
        f1: f32, f2: f32, f3: f32, f4: f32,
        s00: u32, s01: u32, s02: u32, s03: u32, s04: u32,
        s10: u32, s11: u32, s12: u32, s13: u32, s14: u32,
        s20: u32, s21: u32, s22: u32, s23: u32, s24: u32,
        s30: u32, s31: u32, s32: u32, s33: u32, s34: u32,
        s40: u32, s41: u32, s42: u32, s43: u32, s44: u32,
        s50: u32, s51: u32, s52: u32, s53: u32, s54: u32,
        k0: f32, k1: f32, k2: f32, k3: f32, k4: f32, k5: f32, k6: f32, k7: f32, k8: f32, k9: f32, k10: f32, k11: f32,
        l0: f32, l1: f32, l2: f32, l3: f32, l4: f32, l5: f32, l6: f32, l7: f32, l8: f32, l9: f32, l10: f32, l11: f32,
    }
}

/// The text of a kernel that computes an expression, with what that needs of the library.
macro_rules! expression_wgsl {
    ($($file:literal),+) => {
        $crate::gpu::wgsl!(
            $($file,)+
            "lib/index.wgsl",
            "lib/math.wgsl",
            "lib/functions.wgsl",
            "lib/four.wgsl",
            "lib/operands.wgsl",
            "lib/spread.wgsl",
            "lib/expression.wgsl"
        )
    };
}
pub(super) use expression_wgsl;

/// The bindings of an expression's six inputs, read as numbers ("x") or as fours ("q"), and those that follow.
macro_rules! expression_bindings {
    ($input:literal, $($further:expr),+) => {
        &[
            $crate::gpu::read(1, concat!($input, "0")).or_half(),
            $crate::gpu::read(2, concat!($input, "1")).or_half(),
            $crate::gpu::read(3, concat!($input, "2")).or_half(),
            $crate::gpu::read(4, concat!($input, "3")).or_half(),
            $crate::gpu::read(5, concat!($input, "4")).or_half(),
            $crate::gpu::read(6, concat!($input, "5")).or_half(),
            $($further),+
        ]
    };
}
pub(super) use expression_bindings;

const SOURCE: &str = expression_wgsl!("map.wgsl");
static MAP: Kernel = Kernel::new::<MapParams>("map.wgsl", SOURCE, "map", BINDINGS);
static MAP_FOUR: Kernel =
    Kernel::new::<MapParams>("map.wgsl", SOURCE, "map_four", BINDINGS_OF_FOUR);
static MAP_ROWS: Kernel =
    Kernel::new::<MapParams>("map.wgsl", SOURCE, "map_rows", BINDINGS_OF_FOUR);
static MAP_CELLS: Kernel =
    Kernel::new::<MapParams>("map.wgsl", SOURCE, "map_cells", BINDINGS_OF_FOUR);

/// Inputs and an output.
pub(super) const BINDINGS: &[Binding] = expression_bindings!("x", write(7, "y").or_half());
/// The same where four neighbours are taken at once.
pub(super) const BINDINGS_OF_FOUR: &[Binding] = expression_bindings!("q", write(7, "y4").or_half());
/// The same where their results are joined into one.
pub(super) const BINDINGS_OF_FOUR_TO_ONE: &[Binding] =
    expression_bindings!("q", write(7, "y").or_half());

pub(super) static KERNELS: &[&Kernel] = &[&MAP, &MAP_FOUR, &MAP_ROWS, &MAP_CELLS];

/// Whether a kernel can take four neighbours along the last of `axes` at once, `others` being further axes that it walks:
/// then a bit for each input that is the same for all four.
pub(super) fn fours(axes: &[(usize, Vec<usize>)], others: &[(usize, Vec<usize>)]) -> Option<u32> {
    let (last, before) = axes.split_last()?;
    let (extent, steps) = last;
    let mut splat = 0;
    for (input, &step) in steps.iter().enumerate() {
        let mut jumps = before.iter().chain(others).map(|(_, steps)| steps[input]);
        match step {
            0 => splat |= 1 << input,
            1 if jumps.all(|jump| jump.is_multiple_of(4)) => {}
            _ => return None,
        }
    }
    extent.is_multiple_of(4).then_some(splat)
}

/// `y[i] = expression(inputs broadcast to the shape)[i]`
#[derive(Clone, Debug)]
pub(crate) struct Map {
    pub expression: Expression,
    pub shape: Shape,
    /// Shapes of the inputs, which broadcast to `shape`.
    pub inputs: Vec<Shape>,
}

/// The axes of `shape` with the strides of each input, merged where possible; slowest first.
pub(crate) fn walk(shape: &[usize], inputs: &[Shape]) -> Vec<(usize, Vec<usize>)> {
    shape::collapse(&shape::axes(shape, inputs))
}

impl Map {
    /// Most axes, after merging, that the kernel can walk.
    pub const MAX_RANK: usize = 5;

    /// True if the kernel can walk these inputs.
    pub fn fits(shape: &[usize], inputs: &[Shape]) -> bool {
        inputs.len() <= MAX_INPUTS && walk(shape, inputs).len() <= Self::MAX_RANK
    }
}

impl Op for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn shape(&self, _: &[&[usize]]) -> Result<Shape> {
        Ok(self.shape.clone())
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        unreachable!("maps are made by the compiler, after differentiation")
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let count = shape::len(&self.shape);
        let axes = walk(&self.shape, &self.inputs);
        if axes.len() > Self::MAX_RANK {
            let what = format!(
                "more than {} axes of different strides: {:?} to {:?}",
                Self::MAX_RANK,
                self.inputs,
                self.shape
            );
            return Err(crate::Error::shape("map", what));
        }
        let lead = Self::MAX_RANK - axes.len();
        let mut extents = [1u32; Self::MAX_RANK];
        let mut strides = [[0u32; Self::MAX_RANK]; MAX_INPUTS];
        let (mut flat, mut still) = (0, 0);
        for (d, (extent, steps)) in axes.iter().enumerate() {
            extents[lead + d] = *extent as u32;
            for (input, step) in steps.iter().enumerate() {
                strides[input][lead + d] = *step as u32;
            }
        }
        for (i, s) in self.inputs.iter().enumerate() {
            if shape::len(s) == count {
                flat |= 1u32 << i;
            }
            if strides[i][Self::MAX_RANK - 2] == 0 {
                still |= 1u32 << i;
            }
        }
        let mut words = vec![count as u32];
        words.extend(&extents[1..]);
        words.extend(extents[1..].iter().map(|&e| (1.0 / e as f32).to_bits()));
        words.extend(strides.as_flattened());
        words.extend(self.expression.constants());
        let params: MapParams = bytemuck::pod_read_unaligned(bytemuck::cast_slice(&words));
        // Inputs that are read as the output is written are marked as such.
        let splat = fours(&axes, &[]).map(|s| s & !flat);
        let row = extents[Self::MAX_RANK - 1] as usize;
        let rows = l.on_cpu() && axes.len() > 1 && (32..=4096).contains(&row);
        let cells = extents[Self::MAX_RANK - 2] as usize;
        let strips = l.on_cpu() && row < 32 && cells >= 64 && still != 0;
        let (kernel, wg, unroll, groups) = match splat {
            Some(_) if rows => {
                let unroll = if count >= 1 << 14 { 16 } else { 1 };
                let wg = (row / 4).next_power_of_two().min(64);
                (&MAP_ROWS, wg, unroll, (count / row).div_ceil(unroll))
            }
            Some(_) if strips => {
                let strips = cells.div_ceil(64 * 4);
                (&MAP_CELLS, 64, 4, count / (row * cells) * strips)
            }
            _ => {
                let (kernel, lanes) = match splat {
                    Some(_) => (&MAP_FOUR, count / 4),
                    None => (&MAP, count),
                };
                let unroll = if lanes >= 1 << 14 { 4 } else { 1 };
                (kernel, 64, unroll, lanes.div_ceil(64 * unroll))
            }
        };
        let divide = match extents.iter().all(|&e| e < 1 << 20) {
            _ if count < 1 << 21 => 0,
            true => 1,
            false => 2,
        };
        let overrides = [
            ("WG", wg as f64),
            ("INPUTS", self.inputs.len() as f64),
            ("FLAT", f64::from(flat)),
            ("UNROLL", unroll as f64),
            ("DIVIDE", f64::from(divide)),
            ("RANK", axes.len() as f64),
            ("SPLAT", f64::from(splat.unwrap_or(0))),
            ("STILL", f64::from(still)),
        ];
        let mut slots = input_slots(x);
        slots.push(y);
        l.dispatch_with(
            kernel,
            Some(self.expression.text()),
            &params,
            &overrides,
            &slots,
            fold(groups as u64),
        )
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        Cost::new(self.expression.flops() * shape::len(y) as f64, x, y)
    }
}

/// A slot for each binding of an input. Unused bindings repeat the first input.
pub(crate) fn input_slots(x: &[Slot]) -> Vec<Slot> {
    (0..MAX_INPUTS)
        .map(|i| *x.get(i).unwrap_or(&x[0]))
        .collect()
}
