//! Energies as float16, two in a word.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{DType, Lowering, Op, Shape, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `halve.wgsl`.
    HalveParams { count: u32 }
}

static HALVE: Kernel = Kernel::new::<HalveParams>(
    "halve.wgsl",
    wgsl!(
        "halve.wgsl",
        "lib/index.wgsl",
        "lib/half.wgsl",
        "lib/hit.wgsl"
    ),
    "halve",
    &[read(1, "x"), read(2, "threshold"), write(3, "y")],
);

pub(super) static KERNELS: &[&Kernel] = &[&HALVE];

const WG: usize = 64;

#[derive(Debug)]
struct Halve;

impl Op for Halve {
    fn name(&self) -> &'static str {
        "halve"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        match x[1] {
            [1] => Ok(vec![shape::len(x[0]).div_ceil(2)]),
            _ => Err(Error::shape(
                self.name(),
                format!("wants a tensor and one threshold, got {x:?}"),
            )),
        }
    }

    fn dtype(&self) -> DType {
        DType::U32
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None, None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let count = shape::len(l.input_shape(0));
        let params = HalveParams {
            count: count as u32,
        };
        let grid = fold(count.div_ceil(2 * WG) as u64);
        let slots = [x[0], x[1], y];
        l.dispatch(&HALVE, &params, &[("WG", WG as f64)], &slots, grid)
    }
}

impl<'t> Var<'t> {
    /// The elements in order as float16, two in a word, the first in the low bits: an integer tensor of one axis. Each is
    /// rounded to the nearest, ties to even; then what is below 0 or below `threshold` `[1]` becomes 0. What is no finite
    /// number stays none, and what is rounded beyond 65504 becomes infinite.
    #[track_caller]
    pub fn to_half(self, threshold: Self) -> Self {
        self.tape.record(Halve, &[self, threshold])
    }
}
