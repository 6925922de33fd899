//! Entropic optimal transport: potentials by Sinkhorn's iteration, all of it on the device.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Cost, Lowering, Op, Shape, Slot, Var, Vjp, shape};
use crate::{Error, Result};

params! {
    /// See `sinkhorn.wgsl`.
    SinkhornParams {
        n: u32, m: u32, d: u32, nq: u32, mq: u32, pairs: u32, power: u32, steps: u32,
        mode: u32, step: u32, kappa: f32, tolerance: f32, side: u32,
    }
}

const SOURCE: &str = wgsl!("sinkhorn.wgsl", "lib/index.wgsl", "lib/math.wgsl");
static PACK: Kernel = Kernel::new::<SinkhornParams>(
    "sinkhorn.wgsl",
    SOURCE,
    "sinkhorn_pack",
    &[
        read(1, "x"),
        read(2, "y"),
        write(3, "packed"),
        write(4, "start"),
        write(5, "moved"),
    ],
);
static COST: Kernel = Kernel::new::<SinkhornParams>(
    "sinkhorn.wgsl",
    SOURCE,
    "sinkhorn_cost",
    &[read(6, "points"), write(7, "cost")],
);
static STEP: Kernel = Kernel::new::<SinkhornParams>(
    "sinkhorn.wgsl",
    SOURCE,
    "sinkhorn_step",
    &[
        write(5, "moved"),
        read(6, "points"),
        read(8, "matrix"),
        read(9, "log_weight"),
        read(10, "before"),
        write(11, "after"),
    ],
);
static GRADIENT: Kernel = Kernel::new::<SinkhornParams>(
    "sinkhorn.wgsl",
    SOURCE,
    "sinkhorn_gradient",
    &[
        read(6, "points"),
        read(9, "log_weight"),
        read(10, "before"),
        read(12, "dy"),
        write(13, "dx"),
    ],
);

pub(super) static KERNELS: &[&Kernel] = &[&PACK, &COST, &STEP, &GRADIENT];

const WG: usize = 64;
/// Features of the gradient that a lane holds.
const DIMS: usize = 16;
/// Bytes of cost matrices up to which they are stored; beyond, each step computes them from the points. Every WebGPU
/// device can bind as much: four matrices of 2896 x 2896 showers.
pub(crate) const STORED_BYTES: u64 = 1 << 27;

/// What happens in a dispatch: `mode` of `sinkhorn.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Start,
    Step,
    /// Says how far it moved.
    Watched,
    /// The same, unless the step before it moved no more than the tolerance.
    Stopping,
    Last,
}

/// Optimal transport with entropy between x `[D, N]` and y `[D, M]`; a third input holds binary logarithms of weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transport {
    /// 1: cost |x - y|, 2: |x - y|² / 2.
    pub power: u32,
    /// Temperature of each step but the last ones.
    pub annealing: Vec<f32>,
    /// Temperature of the last steps and of the result.
    pub eps: f32,
    /// Steps at `eps`, at most.
    pub iterations: usize,
    /// The steps end when no marginal is off by more than this fraction.
    pub tolerance: f32,
    /// Also x with itself and y with itself.
    pub debias: bool,
}

/// The gradient of x (side 0) or of y (side 1). Inputs are those of the transport, its result and the result's gradient.
#[derive(Clone, Debug)]
struct Gradient {
    transport: Transport,
    side: usize,
}

impl Transport {
    /// Potentials of one pair of samples, padded to quads on either side.
    pub fn padded(n: usize, m: usize) -> usize {
        n.next_multiple_of(4) + m.next_multiple_of(4)
    }

    fn pairs(&self) -> usize {
        if self.debias { 2 } else { 1 }
    }

    fn params(&self, l: &Lowering<'_>) -> SinkhornParams {
        let (x, y) = (l.input_shape(0), l.input_shape(1));
        SinkhornParams {
            n: x[1] as u32,
            m: y[1] as u32,
            d: x[0] as u32,
            nq: x[1].div_ceil(4) as u32,
            mq: y[1].div_ceil(4) as u32,
            pairs: self.pairs() as u32,
            power: self.power,
            steps: (self.annealing.len() + self.iterations) as u32,
            kappa: kappa(self.eps),
            tolerance: self.tolerance,
            ..Default::default()
        }
    }

    /// Packs the points; gives them, the potentials to start with, and the word a step that tells how far it moved.
    fn pack(&self, l: &mut Lowering<'_>, p: &SinkhornParams, x: &[Slot]) -> Result<[Slot; 3]> {
        let all = 4 * (p.nq + p.mq) as usize;
        let lanes = (all * (p.d.max(p.pairs)) as usize).max(p.steps as usize);
        let made = [
            l.scratch(all * p.d as usize),
            l.scratch(all * p.pairs as usize),
            l.scratch(p.steps as usize),
        ];
        let slots = [x[0], x[1], made[0], made[1], made[2]];
        let grid = fold(lanes.div_ceil(WG) as u64);
        l.dispatch(&PACK, p, &[("WG", WG as f64)], &slots, grid)?;
        Ok(made)
    }

    /// The cost matrices, if they are stored.
    fn cost_matrices(
        &self,
        l: &mut Lowering<'_>,
        p: &SinkhornParams,
        points: Slot,
    ) -> Result<Option<Slot>> {
        let quads = row_quads(l);
        let columns = u64::from(p.mq + if self.debias { p.nq } else { 0 });
        let more = u64::from(p.nq + if self.debias { p.mq } else { 0 });
        let tile = |rows: u32| u64::from(rows.next_multiple_of(quads as u32));
        // Columns of x rows and of y rows; a quad of either side is four floats.
        let words = 16 * (tile(p.nq) * columns + tile(p.mq) * more);
        let limit = STORED_BYTES.min(l.capabilities().max_tensor_bytes());
        let widest = p.nq.max(p.mq);
        // A row of workgroups for each four points.
        let most = l.capabilities().limits.max_compute_workgroups_per_dimension;
        if l.plain() || words * 4 > limit || widest > most {
            return Ok(None);
        }
        let cost = l.scratch(words as usize);
        let overrides = [("WG", WG as f64), ("TILE", quads as f64)];
        let grid = [widest.div_ceil(WG as u32), widest, 2 * p.pairs];
        l.dispatch(&COST, p, &overrides, &[points, cost], grid)?;
        Ok(Some(cost))
    }
}

/// Row quads of a workgroup. On a CPU a workgroup is what a core takes; on a GPU loads shall be whole cache lines.
fn row_quads(l: &Lowering<'_>) -> usize {
    if l.on_cpu() { 8 } else { 16 }
}

/// `1 / (eps ln 2)`
fn kappa(eps: f32) -> f32 {
    std::f32::consts::LOG2_E / eps
}

impl Op for Transport {
    fn name(&self) -> &'static str {
        "sinkhorn"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        let fits = match *x {
            [&[d, _], &[e, _]] => d == e,
            [&[d, n], &[e, m], &[weights]] => d == e && weights == n + m,
            _ => false,
        };
        if !fits {
            let what = format!("wants x [D, N], y [D, M] and weights [N + M] if any, got {x:?}");
            return Err(Error::shape(self.name(), what));
        }
        Ok(vec![2, self.pairs(), Self::padded(x[0][1], x[1][1])])
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let mut inputs = at.inputs.clone();
        inputs.extend([at.output, at.dy]);
        let side = |side| {
            let op = Gradient {
                transport: self.clone(),
                side,
            };
            at.want(side, || at.dy.tape().record(op, &inputs))
        };
        let mut all = vec![side(0), side(1), None];
        all.truncate(at.inputs.len());
        all
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let p = self.params(l);
        let [points, start, moved] = self.pack(l, &p, x)?;
        let cost = self.cost_matrices(l, &p, points)?;
        let widest = p.nq.max(p.mq) as usize;
        let rows = 2 * self.pairs() * widest;
        // Lanes that fill the device: where rows are fewer, several lanes share one.
        let busy = if l.on_cpu() { 64 } else { 1 << 16 };
        let quads = row_quads(l);
        let split = (busy / rows).clamp(1, 16).next_power_of_two();
        let overrides = [
            ("WG", (quads * split) as f64),
            ("TILE", quads as f64),
            ("SPLIT", split as f64),
            ("STORED", f64::from(u8::from(cost.is_some()))),
            ("WEIGHTED", f64::from(u8::from(x.len() > 2))),
        ];
        let grid = [widest.div_ceil(quads) as u32, 2 * p.pairs, 1];
        let (matrix, weights) = (cost.unwrap_or(points), x.get(2).copied().unwrap_or(points));
        let words = shape::len(l.output_shape()) / 2;
        let mut turns = [start, l.scratch(words)];
        let mut step = |l: &mut Lowering<'_>, mode, step: usize, eps, to: Option<Slot>| {
            let p = SinkhornParams {
                mode: mode as u32,
                step: step as u32,
                kappa: kappa(eps),
                ..p
            };
            let slots = [
                moved,
                points,
                matrix,
                weights,
                turns[0],
                to.unwrap_or(turns[1]),
            ];
            turns.swap(0, 1);
            l.dispatch(&STEP, &p, &overrides, &slots, grid)
        };
        let first = self.annealing.first().copied().unwrap_or(self.eps);
        step(l, Mode::Start, 0, first, None)?;
        for (i, &eps) in self.annealing.iter().enumerate() {
            step(l, Mode::Step, i, eps, None)?;
        }
        for i in 0..self.iterations {
            let mode = if i == 0 {
                Mode::Watched
            } else {
                Mode::Stopping
            };
            step(l, mode, self.annealing.len() + i, self.eps, None)?;
        }
        step(l, Mode::Last, 0, self.eps, Some(y))
    }

    fn cost(&self, x: &[&[usize]], _: &[usize]) -> Cost {
        let (d, n, m) = (x[0][0] as f64, x[0][1] as f64, x[1][1] as f64);
        let pairs = 2.0 * n * m + if self.debias { n * n + m * m } else { 0.0 };
        let steps = (self.annealing.len() + self.iterations + 2) as f64;
        // The distances once; in a step a power of two (14), and subtracting, scaling, comparing and adding around it.
        Cost {
            flops: pairs * (3.0 * d + 20.0 * steps),
            bytes: 4.0 * pairs * (1.0 + steps),
        }
    }
}

impl Op for Gradient {
    fn name(&self) -> &'static str {
        "sinkhorn_gradient"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        Ok(x[self.side].to_vec())
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let what = "has first derivatives only";
        let bad = at.dy.tape().fail(Error::shape("sinkhorn", what));
        at.wants.iter().map(|w| w.then_some(bad)).collect()
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let p = SinkhornParams {
            side: self.side as u32,
            ..self.transport.params(l)
        };
        let [points, _, _] = self.transport.pack(l, &p, x)?;
        let (weights, found, dy) = match *x {
            [_, _, weights, found, dy] => (weights, found, dy),
            _ => (points, x[2], x[3]),
        };
        let wg = if l.on_cpu() { 8 } else { WG };
        let dims = DIMS.min(p.d as usize);
        let overrides = [
            ("WG", wg as f64),
            ("TILE", row_quads(l) as f64),
            ("DIMS", dims as f64),
            ("WEIGHTED", f64::from(u8::from(x.len() == 5))),
        ];
        let rows = if self.side == 0 { p.nq } else { p.mq };
        let grid = [rows.div_ceil(wg as u32), p.d.div_ceil(dims as u32), 1];
        l.dispatch(
            &GRADIENT,
            &p,
            &overrides,
            &[points, weights, found, dy, y],
            grid,
        )
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        let (d, n, m) = (x[0][0] as f64, x[0][1] as f64, x[1][1] as f64);
        let own = y[1] as f64;
        let pairs = own * (if self.side == 0 { m } else { n } + own);
        Cost {
            flops: pairs * ((d / DIMS as f64).ceil() * (3.0 * d + 20.0) + 3.0 * d),
            bytes: 4.0 * x.iter().map(|s| shape::len(s)).sum::<usize>() as f64,
        }
    }
}
