//! What a device can do at most: multiply-adds from registers, products of cooperative matrices, and copies. Benchmarks compare the other kernels with these.

use crate::gpu::{Element, Kernel, Tier, fold, params, read, wgsl, write};
use crate::tape::{Cost, Lowering, Op, Shape, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `ceiling.wgsl`.
    CeilingParams { count: u32, rounds: u32, k: f32, l: f32 }
}

params! {
    /// See `ceiling_matrix.wgsl`.
    CeilingMatrixParams { count: u32, rounds: u32 }
}

const SOURCE: &str = wgsl!("ceiling.wgsl", "lib/index.wgsl", "lib/four.wgsl");
static FMA: Kernel = Kernel::new::<CeilingParams>(
    "ceiling.wgsl",
    SOURCE,
    "ceiling_fma",
    &[read(1, "x"), write(2, "y")],
);
static COPY: Kernel = Kernel::new::<CeilingParams>(
    "ceiling.wgsl",
    SOURCE,
    "ceiling_copy",
    &[read(1, "x"), write(3, "copied")],
);

static MATRIX: Kernel = Kernel::new::<CeilingMatrixParams>(
    "ceiling_matrix.wgsl",
    wgsl!("ceiling_matrix.wgsl", "lib/matrix.wgsl"),
    "ceiling_matrix",
    &[read(1, "x"), write(2, "y")],
)
.of_tier(Tier::Matrix);

pub(super) static KERNELS: &[&Kernel] = &[&FMA, &COPY, &MATRIX];

const WG: usize = 64;
/// Chains of a lane.
const CHAINS: usize = 12;
/// Steps of a chain in a round.
const STEPS: usize = 16;

/// `y[i]` is the sum of twelve chains `v = v k + l`: see `ceiling.wgsl`.
#[derive(Debug)]
struct Chains {
    lanes: usize,
    rounds: usize,
    k: f32,
    l: f32,
}

impl Op for Chains {
    fn name(&self) -> &'static str {
        "ceiling_fma"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        if x[0] != [4] {
            let what = format!("wants four starting values, got {:?}", x[0]);
            return Err(Error::shape("multiply_adds", what));
        }
        Ok(vec![self.lanes])
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let params = CeilingParams {
            count: self.lanes as u32,
            rounds: self.rounds as u32,
            k: self.k,
            l: self.l,
        };
        l.dispatch(
            &FMA,
            &params,
            &[("WG", WG as f64)],
            &[x[0], y],
            fold(self.lanes.div_ceil(WG) as u64),
        )
    }

    fn cost(&self, _: &[&[usize]], y: &[usize]) -> Cost {
        let flops = (2 * CHAINS * STEPS * self.rounds) as f64 * self.lanes as f64;
        Cost::new(flops, &[], y)
    }
}

/// `y[s] = 16 rounds (x[0] + x[1]) (x[2] + x[3])`, one product after the other: see `ceiling_matrix.wgsl`.
#[derive(Debug)]
struct Products {
    subgroups: usize,
    rounds: usize,
}

impl Op for Products {
    fn name(&self) -> &'static str {
        "ceiling_matrix"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        match x[0] {
            [4, t, same] if t == same => Ok(vec![self.subgroups, *t, *t]),
            got => {
                let what = format!("wants four square matrices, got {got:?}");
                Err(Error::shape("matrix_products", what))
            }
        }
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let side = l.input_shape(0)[1];
        let Some(m) = l.matrix().filter(|m| m.size as usize == side) else {
            let what = format!("matrices of {side} in a program without them");
            return Err(Error::Config(what));
        };
        let params = CeilingMatrixParams {
            count: self.subgroups as u32,
            rounds: self.rounds as u32,
        };
        l.dispatch_with(
            &MATRIX,
            Some(m.text(Element::F32, Element::F32)),
            &params,
            &[("WG", f64::from(m.subgroup))],
            &[x[0], y],
            fold(self.subgroups as u64),
        )
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let products = (4 * STEPS * self.rounds * self.subgroups) as f64;
        Cost::new(2.0 * products * (x[0][1] as f64).powi(3), &[], y)
    }
}

/// The same elements in other memory.
#[derive(Debug)]
struct Copy;

impl Op for Copy {
    fn name(&self) -> &'static str {
        "ceiling_copy"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        if !shape::len(x[0]).is_multiple_of(4) {
            let what = format!("wants a multiple of four elements, got {:?}", x[0]);
            return Err(Error::shape("copy", what));
        }
        Ok(x[0].to_vec())
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![Some(at.dy)]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let count = shape::len(l.output_shape()) / 4;
        let params = CeilingParams {
            count: count as u32,
            ..Default::default()
        };
        l.dispatch(
            &COPY,
            &params,
            &[("WG", WG as f64)],
            &[x[0], y],
            fold(count.div_ceil(4 * WG) as u64),
        )
    }
}

impl Var<'_> {
    /// Multiply-adds from registers alone, to measure what the device can compute at most: `lanes` sums of twelve chains
    /// `v = v k + l` of `16 rounds` steps. Chain c of lane i starts at `self[c mod 4] + i mod 256 + c - c mod 4`.
    #[track_caller]
    pub fn multiply_adds(self, lanes: usize, rounds: usize, k: f32, l: f32) -> Self {
        let chains = Chains {
            lanes,
            rounds,
            k,
            l,
        };
        self.tape.record(chains, &[self])
    }

    /// Products of cooperative matrices from registers alone, to measure what the device can compute at most in the matrix
    /// tier: `16 rounds (x[0] + x[1]) (x[2] + x[3])` of `self` `[4,T,T]`, once a subgroup.
    #[track_caller]
    pub fn matrix_products(self, subgroups: usize, rounds: usize) -> Self {
        self.tape.record(Products { subgroups, rounds }, &[self])
    }

    /// A copy of a multiple of four elements, to measure what the device can move at most.
    #[track_caller]
    pub fn copied(self) -> Self {
        self.tape.record(Copy, &[self])
    }
}
