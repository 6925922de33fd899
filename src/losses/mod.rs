//! Losses over variables. Means are over showers, the last axis, unless a loss says otherwise.
//!
//! Distances between samples take them as `[D, N]`, features times showers.

mod mmd;
mod projections;
mod sinkhorn;
mod sorted_kernel;
mod wasserstein;

pub use mmd::{mmd_gaussian, mmd_imq, squared_distances};
pub use projections::{Projections, group_sums, layer_profile, radial_profile, soft_occupancy};
pub use sinkhorn::{
    Sinkhorn, entropic_transport, sinkhorn_divergence, transport_potentials,
    weighted_sinkhorn_divergence,
};
pub use sorted_kernel::{SortedKernel, sorted_kernel_mmd};
pub use wasserstein::{directions, sliced_wasserstein2, wasserstein1};

use crate::tape::Var;

/// Mean of (a - b)².
#[track_caller]
pub fn mse<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
    (a - b).square().mean_all()
}

/// Mean of |a - b|.
#[track_caller]
pub fn l1<'t>(a: Var<'t>, b: Var<'t>) -> Var<'t> {
    (a - b).abs().mean_all()
}

/// Mean of `max(x, 0) - x t + ln(1 + e^-|x|)`: cross entropy of the probability sigmoid(x) with target t.
#[track_caller]
pub fn bce_with_logits<'t>(x: Var<'t>, target: Var<'t>) -> Var<'t> {
    (x.relu() - x * target + (-x.abs()).exp().log1p()).mean_all()
}

/// Kullback-Leibler divergence of normal distributions from N(0,1), `-½ (1 + log σ² - μ² - σ²)` summed over latents: both
/// `[latent,N]`. arXiv:1312.6114, appendix B.
#[track_caller]
pub fn kld<'t>(mean: Var<'t>, log_variance: Var<'t>) -> Var<'t> {
    let each = log_variance + 1.0 - mean.square() - log_variance.exp();
    each.sum(&[0]).mean_all() * -0.5
}

/// How a gradient penalty takes the norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PenaltyNorm {
    /// Of each shower's gradient, as WGAN-GP defines it (arXiv:1704.00028).
    PerShower,
    /// Of the gradient of the whole batch at once: a quirk of the published HGCAL code.
    WholeBatch,
}

/// What the critic of a WGAN-GP minimises (arXiv:1704.00028), `weight penalty - estimate`, and both parts: the estimate
/// `E critic(real) - E critic(fake)` of the Wasserstein distance, and the gradient penalty at points between, `share` of the
/// way from `fake` to `real`. `share` is uniform, one number a shower.
#[track_caller]
pub fn wasserstein_critic<'t>(
    critic: impl Fn(Var<'t>) -> Var<'t>,
    [real, fake]: [Var<'t>; 2],
    share: Var<'t>,
    (weight, norm): (f32, PenaltyNorm),
) -> [Var<'t>; 3] {
    let penalty = gradient_penalty(fake + share * (real - fake), &critic, norm);
    let estimate = critic(real).mean_all() - critic(fake).mean_all();
    [penalty * weight - estimate, estimate, penalty]
}

/// Gradient penalty: mean over showers of (|d critic / d x| - 1)² at `x`, whose last axis is the shower.
///
/// `critic` maps x to one value a shower, `[1, N]` or `[N]`.
#[track_caller]
pub fn gradient_penalty<'t>(
    x: Var<'t>,
    critic: impl Fn(Var<'t>) -> Var<'t>,
    norm: PenaltyNorm,
) -> Var<'t> {
    let score = critic(x).sum_all();
    let slope = x.tape().gradients(score, &[x])[0];
    let voxels: Vec<usize> = (0..x.rank().saturating_sub(1)).collect();
    let square = match norm {
        PenaltyNorm::PerShower => slope.square().sum(&voxels),
        PenaltyNorm::WholeBatch => slope.square().sum_all(),
    };
    // The root has no slope at 0, where a critic that is constant would divide by it.
    ((square + 1e-12).sqrt() - 1.0).square().mean_all()
}
