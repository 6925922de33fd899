//! What a device can do at most: multiply-adds from registers, and copies. Benchmarks compare the other kernels with these.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Cost, Lowering, Op, Shape, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `ceiling.wgsl`.
    CeilingParams { count: u32, rounds: u32, k: f32, l: f32 }
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

pub(super) static KERNELS: &[&Kernel] = &[&FMA, &COPY];

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
        Cost {
            flops: (2 * CHAINS * STEPS * self.rounds) as f64 * self.lanes as f64,
            bytes: 4.0 * shape::len(y) as f64,
        }
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

    /// A copy of a multiple of four elements, to measure what the device can move at most.
    #[track_caller]
    pub fn copied(self) -> Self {
        self.tape.record(Copy, &[self])
    }
}
