//! The losses of a reconstruction.

use super::config::{Mmd, Terms};
use crate::losses;
use crate::tape::Var;

/// Keeps shares and logarithms of an empty image finite, in the file's unit.
const FLOOR: f32 = 1e-3;
/// Least pixel whose logarithm is summed over a batch.
const BATCH_FLOOR: f32 = 1e-4;

/// A loss: its name, weight and value.
pub(super) type Term<'t> = (&'static str, f32, Var<'t>);

/// An image and its reconstruction, `[Z,H,W,N]`.
#[derive(Clone, Copy)]
pub(super) struct Pair<'t> {
    /// The image.
    pub real: Var<'t>,
    /// The reconstruction.
    pub made: Var<'t>,
}

impl<'t> Pair<'t> {
    fn map(self, f: impl Fn(Var<'t>) -> Var<'t>) -> Self {
        Self {
            real: f(self.real),
            made: f(self.made),
        }
    }

    fn mse(self) -> Var<'t> {
        losses::mse(self.made, self.real)
    }

    fn l1(self) -> Var<'t> {
        losses::l1(self.made, self.real)
    }

    fn mmd(self, mmd: &Mmd) -> Var<'t> {
        let scaled = self.map(|v| v * mmd.scale);
        losses::mmd_gaussian(scaled.real, scaled.made, &mmd.alphas)
    }
}

impl Terms {
    /// Every loss with a weight that compares images: `seen` as networks see them, `cells` in the file's unit.
    pub(super) fn compare<'t>(&self, seen: Pair<'t>, cells: Pair<'t>) -> Vec<Term<'t>> {
        let rank = cells.real.shape();
        let [layers, rows, columns, n] = rank[..] else {
            return Vec::new();
        };
        let pixels = layers * rows * columns;
        let sum = |x: Var<'t>| x.sum(&[0, 1, 2]);
        let scaled = |x: Var<'t>| sum(x) * self.sum_scale;
        let above = |x: Var<'t>| sum(x.cut_below(x.tape().full(self.cutoff, &[])));
        let shares = |x: Var<'t>| {
            let rings = losses::radial_profile(x.sum(&[0]), self.rings);
            rings / (sum(x) + FLOOR)
        };
        let hits = |x: Var<'t>| {
            let hit = self.hit.ln_1p();
            losses::soft_occupancy(x.log1p(), hit, 0.25 * hit) * (1.0 / pixels as f32)
        };
        let over_batch = |x: Var<'t>| x.sum(&[3]);
        let sorted = |x: Var<'t>| x.flatten().sort_descending(0).0;
        let mut terms: Vec<Term<'t>> = Vec::new();
        let mut term = |name, weight: f32, value: &dyn Fn() -> Var<'t>| {
            if weight != 0.0 {
                terms.push((name, weight, value()));
            }
        };
        term("mse", self.mse, &|| seen.mse());
        let share = self.pooled.iter().map(|p| p.weight).sum::<f32>();
        term("pooled", share, &|| {
            let mut all = seen.real.tape().full(0.0, &[]);
            for p in &self.pooled {
                let pool = |x: Var<'t>| x.avg_pool2d([p.kernel; 2], [p.stride; 2], [0; 2], true);
                all = all + seen.map(pool).mse() * (p.weight / share);
            }
            all
        });
        term("energy_sum", self.energy_sum, &|| cells.map(scaled).mse());
        term("energy_sum_l1", self.energy_sum_l1, &|| {
            cells.map(scaled).l1()
        });
        term("energy_log_sum", self.energy_log_sum, &|| {
            cells.map(|x| (sum(x) + FLOOR).log()).mse()
        });
        term("energy_sum_log", self.energy_sum_log, &|| {
            seen.map(sum).mse()
        });
        term("cut_sum", self.cut_sum, &|| cells.map(above).mse());
        term("cut_sum_l1", self.cut_sum_l1, &|| cells.map(above).l1());
        term("radial_mmd", self.radial_mmd.weight, &|| {
            cells.map(shares).mmd(&self.radial_mmd)
        });
        term("energy_mmd", self.energy_mmd.weight, &|| {
            cells
                .map(|x| scaled(x).reshape(&[1, n]))
                .mmd(&self.energy_mmd)
        });
        term("pixel_variance", self.pixel_variance, &|| {
            seen.map(|x| x.var_keep(&[3])).mse()
        });
        term("sort_mse", self.sort_mse, &|| seen.map(sorted).mse());
        term("sort_mae", self.sort_mae, &|| seen.map(sorted).l1());
        term("batch_sum", self.batch_sum, &|| seen.map(over_batch).mse());
        term("batch_sum_log", self.batch_sum_log, &|| {
            seen.map(|x| over_batch(x.clamp(BATCH_FLOOR, f32::MAX).log()))
                .mse()
        });
        term("occupancy", self.occupancy, &|| cells.map(hits).mse());
        terms
    }
}
