//! Sinkhorn divergence and entropic optimal transport between samples, as in GeomLoss.

use crate::Error;
use crate::ops::Transport;
use crate::tape::Var;

/// How transport with entropy is computed: cost `|x-y|²/2` (p = 2) or `|x-y|` (p = 1), temperature `blur^p`.
///
/// The temperature falls from `diameter^p` by `scaling^p` a step to `blur^p` (GeomLoss' schedule), where up to `iterations`
/// steps follow. The number of steps is fixed when the tape is compiled, and so is the temperature of each: a schedule that
/// followed the data would make the loss jump between training steps, whenever it gained or lost a step. `diameter` is
/// hence a bound on the distances between points that training will meet. Too large costs few steps (ten for a factor of
/// 10, with scaling 0.8); beyond it the result is still an iterate towards the right one, reached less closely. All
/// steps are one submission; those that are not needed, because no marginal is off by more than `tolerance`, end at once
/// on the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinkhorn {
    /// Power of the distance: 1 or 2.
    pub p: u32,
    /// Length below which differences blur, in the unit of the samples.
    pub blur: f32,
    /// Ratio of successive lengths, below 1. GeomLoss' 0.5 is coarse enough to give slightly negative divergences.
    pub scaling: f32,
    /// Bound on the distances between points, in the unit of the samples.
    pub diameter: f32,
    /// Steps at the final temperature, at most; GeomLoss makes one.
    pub iterations: usize,
    /// The steps end when every marginal of the plan is right to this fraction.
    pub tolerance: f32,
}

impl Default for Sinkhorn {
    fn default() -> Self {
        Self {
            p: 2,
            blur: 0.05,
            scaling: 0.8,
            diameter: 10.0,
            iterations: 20,
            tolerance: 1e-3,
        }
    }
}

impl Sinkhorn {
    fn transport(&self, debias: bool) -> Option<Transport> {
        let right = (self.p == 1 || self.p == 2)
            && self.blur > 0.0
            && self.diameter.is_finite()
            && self.scaling > 0.0
            && self.scaling < 1.0
            && self.iterations > 0;
        let power = |length: f64| length.powi(self.p as i32) as f32;
        let (blur, ratio) = (f64::from(self.blur), f64::from(self.scaling));
        let diameter = f64::from(self.diameter).max(blur);
        let steps = ((blur / diameter).ln() / ratio.ln() - 1e-9).ceil().max(0.0);
        let lengths = (0..steps as i32).map(|k| diameter * ratio.powi(k));
        right.then(|| Transport {
            power: self.p,
            // The first temperature twice: once for the start, as GeomLoss does.
            annealing: std::iter::once(diameter)
                .chain(lengths)
                .map(power)
                .collect(),
            eps: power(blur),
            iterations: self.iterations,
            tolerance: self.tolerance,
            debias,
        })
    }
}

/// Debiased Sinkhorn divergence `OT(x,y) - OT(x,x)/2 - OT(y,y)/2` of samples `[D, N]` and `[D, M]`, a scalar: 0 for equal
/// samples, between an MMD (large blur) and optimal transport (small blur). arXiv:1810.08278.
///
/// `OT(x,y) = min over plans P of <P, C> + blur^p KL(P | a b)`, each point weighing the same. The gradient is that of the
/// last soft-min with the potentials as constants, `sum over j of P_ij dC/dx_i`: exact once the steps have converged. It
/// flows to both samples. First derivatives only.
#[track_caller]
pub fn sinkhorn_divergence<'t>(x: Var<'t>, y: Var<'t>, spec: &Sinkhorn) -> Var<'t> {
    Solved::new(x, y, None, spec, true).map_or_else(|bad| bad, |s| s.value())
}

/// The same of weighted points: `a` `[N]` and `b` `[M]`, not negative and of sum 1. The gradient with respect to the weights
/// is the potentials'.
#[track_caller]
pub fn weighted_sinkhorn_divergence<'t>(
    (x, a): (Var<'t>, Var<'t>),
    (y, b): (Var<'t>, Var<'t>),
    spec: &Sinkhorn,
) -> Var<'t> {
    Solved::new(x, y, Some((a, b)), spec, true).map_or_else(|bad| bad, |s| s.value())
}

/// Entropic optimal transport `OT(x,y)` of [`sinkhorn_divergence`], a scalar; not 0 for equal samples.
#[track_caller]
pub fn entropic_transport<'t>(x: Var<'t>, y: Var<'t>, spec: &Sinkhorn) -> Var<'t> {
    Solved::new(x, y, None, spec, false).map_or_else(|bad| bad, |s| s.value())
}

/// The dual potentials f `[N]` and g `[M]` of [`entropic_transport`]: the plan is
/// `P_ij = exp((f_i + g_j - C_ij) / blur^p) / (N M)`.
#[track_caller]
pub fn transport_potentials<'t>(x: Var<'t>, y: Var<'t>, spec: &Sinkhorn) -> (Var<'t>, Var<'t>) {
    match Solved::new(x, y, None, spec, false) {
        Err(bad) => (bad, bad),
        Ok(solved) => {
            let (n, m) = (solved.n, solved.m);
            let all = solved.potentials.reshape(&[Transport::padded(n, m)]);
            let second = n.next_multiple_of(4);
            (all.slice(0, 0, n), all.slice(0, second, second + m))
        }
    }
}

/// Potentials `[pairs, padded]` after the last soft-min, and the weight of each.
struct Solved<'t> {
    potentials: Var<'t>,
    weights: Var<'t>,
    n: usize,
    m: usize,
}

impl<'t> Solved<'t> {
    #[track_caller]
    fn new(
        x: Var<'t>,
        y: Var<'t>,
        weights: Option<(Var<'t>, Var<'t>)>,
        spec: &Sinkhorn,
        debias: bool,
    ) -> Result<Self, Var<'t>> {
        let tape = x.tape();
        let Some(transport) = spec.transport(debias) else {
            let what = format!("cannot be done with {spec:?}");
            return Err(tape.fail(Error::shape("sinkhorn", what)));
        };
        let pairs = if debias { 2 } else { 1 };
        let (n, m) = (x.extent(1), y.extent(1));
        let (nq, mq) = (n.next_multiple_of(4), m.next_multiple_of(4));
        let mut inputs = vec![x, y];
        let weights = match weights {
            None => {
                let side = |count: usize, padded: usize| {
                    let weight = 1.0 / count as f32;
                    (0..padded).map(move |i| if i < count { weight } else { 0.0 })
                };
                let weights: Vec<f32> = side(n, nq).chain(side(m, mq)).collect();
                tape.constant(&weights, &[nq + mq])
            }
            Some((a, b)) => {
                let logs = Var::concat(&[a, b], 0).detach();
                // Instead of minus infinity, from which differences would be NaN.
                let none = tape.full(-1e5, &logs.shape());
                let logs = logs
                    .greater(tape.full(0.0, &logs.shape()))
                    .select(logs.log(), none);
                inputs.push(logs * std::f32::consts::LOG2_E);
                let padded = [a.pad(&[(0, nq - n)], 0.0), b.pad(&[(0, mq - m)], 0.0)];
                Var::concat(&padded, 0)
            }
        };
        let all = tape.record(transport, &inputs);
        if all.rank() != 3 {
            return Err(all);
        }
        let potentials = all.slice(0, 1, 2).reshape(&[pairs, nq + mq]);
        Ok(Self {
            potentials,
            weights,
            n,
            m,
        })
    }

    /// `sum a (f - p) + sum b (g - q)`, the differences first: they are small, and 0 for equal samples.
    #[track_caller]
    fn value(self) -> Var<'t> {
        let potentials = match self.potentials.extent(0) {
            1 => self.potentials,
            _ => {
                let signs = self.potentials.tape().constant(&[1.0, -1.0], &[2, 1]);
                (self.potentials * signs).sum_keep(&[0])
            }
        };
        (potentials * self.weights).sum_all()
    }
}
