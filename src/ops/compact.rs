//! Showers as lists of their hits, so that on the way to the host a shower costs its hits and not its cells.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Cost, DType, Lowering, Op, Shape, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `compact.wgsl`.
    CompactParams { cells: u32, n: u32, run: u32, runs: u32 }
}

const SOURCE: &str = wgsl!(
    "compact.wgsl",
    "lib/index.wgsl",
    "lib/half.wgsl",
    "lib/hit.wgsl"
);
static COUNT: Kernel = Kernel::new::<CompactParams>(
    "compact.wgsl",
    SOURCE,
    "compact_count",
    &[read(1, "x"), read(2, "threshold"), write(3, "starts")],
);
static SCAN: Kernel = Kernel::new::<CompactParams>(
    "compact.wgsl",
    SOURCE,
    "compact_scan",
    &[write(3, "starts"), write(4, "y")],
);
static WRITE: Kernel = Kernel::new::<CompactParams>(
    "compact.wgsl",
    SOURCE,
    "compact_write",
    &[
        read(1, "x"),
        read(2, "threshold"),
        write(3, "starts"),
        write(4, "y"),
    ],
);

pub(super) static KERNELS: &[&Kernel] = &[&COUNT, &SCAN, &WRITE];

const WG: usize = 64;
/// Lanes of the one workgroup that adds up the counts.
const SCAN_WG: usize = 256;
/// Least cells in a run, and the number of runs of a batch beyond which they become longer: one workgroup adds them up.
const RUN: usize = 32;
const RUNS: usize = 1 << 15;
/// Cells that 16 bits tell apart.
const SHORT: usize = 1 << 16;

/// How a hit is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HitFormat {
    /// Two words: cell, energy as float32.
    Single,
    /// One word: the cell in the low 16 bits, the energy rounded to float16 above them. For up to 65,536 cells.
    Half,
}

impl HitFormat {
    /// Words of a hit.
    pub fn words(self) -> usize {
        match self {
            Self::Single => 2,
            Self::Half => 1,
        }
    }
}

#[derive(Debug)]
struct Compact(HitFormat);

/// Cells of a shower and showers.
fn extents(x: &[usize]) -> (usize, usize) {
    let n = x.last().copied().unwrap_or(1);
    (shape::len(x) / n, n)
}

impl Op for Compact {
    fn name(&self) -> &'static str {
        "compact"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let (cells, n) = extents(x[0]);
        if x[0].is_empty() || x[1] != [1] {
            let what = format!("wants [.., N] and one threshold, got {x:?}");
            return Err(Error::shape(self.name(), what));
        }
        if self.0 == HitFormat::Half && cells > SHORT {
            let what = format!("{cells} cells have no index of 16 bits");
            return Err(Error::shape(self.name(), what));
        }
        Ok(vec![n + 1 + self.0.words() * cells * n])
    }

    fn dtype(&self) -> DType {
        DType::U32
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None, None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let (cells, n) = extents(l.input_shape(0));
        let run = (cells * n).div_ceil(RUNS).max(RUN);
        let runs = cells.div_ceil(run);
        let starts = l.scratch(runs * n);
        let params = CompactParams {
            cells: cells as u32,
            n: n as u32,
            run: run as u32,
            runs: runs as u32,
        };
        let half = (
            "HALF",
            f64::from(u8::from(matches!(self.0, HitFormat::Half))),
        );
        let wide = [("WG", WG as f64), half];
        let grid = fold((runs * n).div_ceil(WG) as u64);
        l.dispatch(&COUNT, &params, &wide, &[x[0], x[1], starts], grid)?;
        let one = [("WG", SCAN_WG as f64), half];
        l.dispatch(&SCAN, &params, &one, &[starts, y], [1, 1, 1])?;
        l.dispatch(&WRITE, &params, &wide, &[x[0], x[1], starts, y], grid)
    }

    /// Reads every cell twice; what is written depends on the showers.
    fn cost(&self, x: &[&[usize]], _: &[usize]) -> Cost {
        Cost {
            flops: 0.0,
            bytes: 8.0 * shape::len(x[0]) as f64,
        }
    }
}

impl<'t> Var<'t> {
    /// The hits of showers `[.., N]`: cells above 0 and not below `threshold` `[1]`, which counts as 0 if it is negative or
    /// NaN. Cells that are no finite numbers are among them.
    ///
    /// An integer tensor with room for all cells. First N + 1 words, where each shower's hits begin and where the last one's
    /// end, counted in hits; then the hits, shower by shower with ascending cell, as `format` says. What lies behind them is
    /// undefined.
    #[track_caller]
    pub fn compact(self, threshold: Self, format: HitFormat) -> Self {
        self.tape.record(Compact(format), &[self, threshold])
    }
}
