//! The post processor of generated showers ("Getting High", arXiv:2005.05334): corrects cell energies one at a time.

use serde::{Deserialize, Serialize};

use super::schedule::Decaying;
use super::spectrum::Spectrum;
use super::volumes::volume;
use super::{Build, require};
use crate::Result;
use crate::losses;
use crate::nn::{Mode, Net, Norm};
use crate::ops::ConvSpec;
use crate::tape::Var;

/// Slope of its leaky ReLUs.
const SLOPE: f32 = 0.01;
/// Names of the discrepancies of [`Post::kernels`] among the losses.
const KERNELS: [&str; 3] = ["sorted_kernel", "sorted_kernel_2", "sorted_kernel_3"];

/// The post processor: convolutions of kernel 1 that see one cell, the sum of all and the energy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// Channels of the convolutions; half as many features come from sum and energy.
    pub channels: usize,
    /// Number of convolutions; all but the last two are normalised.
    pub layers: usize,
    /// Factor of the sum.
    pub sum_scale: f32,
    /// Gives a correction that is added to its input, rather than the output itself.
    pub residual: bool,
    /// Epochs in which it learns to give back its input, nothing else.
    pub copy_epochs: f64,
    /// Epochs after these.
    pub epochs: f64,
    /// Whether encoder, decoder and critics go on learning beside it.
    pub joint: bool,
    /// Learning rate, which shrinks after every epoch: of the whole training where other rates do (BIB-AE), else of its own.
    pub rate: Decaying,
    /// Weight of the mean squared difference to its input.
    pub mse: f32,
    /// Sorted-kernel discrepancies between its output and the showers of the data.
    pub kernels: Vec<Spectrum>,
    /// Weight of the mean squared difference to the data, cells sorted.
    pub sorted_mse: f32,
    /// Weight of the mean absolute difference to the data, cells sorted.
    pub sorted_mae: f32,
    /// Weight of the squared difference to the data of each cell's sum over the batch, mean over cells.
    pub batch_sum: f32,
}

impl Post {
    /// That of photon showers as published: its discrepancy begins a window every `stride` ranks.
    pub fn photons(stride: usize, rate: Decaying) -> Self {
        Self {
            channels: 128,
            layers: 6,
            sum_scale: 1.0,
            residual: false,
            copy_epochs: 1.0,
            epochs: 3.0,
            joint: false,
            rate,
            mse: 1.0,
            kernels: vec![Spectrum::new(5.0, 200.0, [100, stride, 2000])],
            sorted_mse: 0.0,
            sorted_mae: 0.0,
            batch_sum: 0.0,
        }
    }

    /// The same, narrow and short, for cells that are logarithms: a correction of its input.
    pub fn narrow(self, epochs: f64, rate: Decaying) -> Self {
        Self {
            channels: 8,
            layers: 4,
            sum_scale: 1e-3,
            residual: true,
            copy_epochs: 0.2,
            epochs,
            joint: false,
            rate,
            kernels: vec![Spectrum::new(5.0, 20.0, [25, 25, 1000])],
            ..self
        }
    }

    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with what makes no sense.
    pub fn check(&self) -> Result<()> {
        require(
            (4..=100).contains(&self.layers) && self.channels >= 2,
            "post.layers must be 4 to 100 and post.channels at least 2",
        )?;
        let right = |k: &Spectrum| k.size * k.stride * k.limit > 0;
        require(
            self.kernels.len() <= KERNELS.len() && self.kernels.iter().all(right),
            "post.kernels must be three at most, with size, stride and limit of at least 1",
        )
    }

    /// Epochs in which it learns.
    pub fn span(&self) -> f64 {
        self.copy_epochs + self.epochs
    }

    /// Showers `[Z,X,Y,N]` as networks see them, cell by cell, with what all cells sum up to.
    ///
    /// As published: what sum and energy add to the second convolution is the same at every voxel, and the norm behind it
    /// takes that away again.
    pub fn network<'t>(&self, net: &Net<'t>, x: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let sum = x.flatten().sum_keep(&[0]) * self.sum_scale;
        let mut features = Var::concat(&[sum, energy], 0);
        for i in 0..3 {
            features = net
                .linear(&format!("feature{i}"), features, self.channels / 2)
                .leaky_relu(SLOPE);
        }
        let spec = ConvSpec {
            stride: [1; 3],
            padding: [0; 3],
        };
        let mut h = volume(x);
        for i in 0..self.layers - 1 {
            let name = format!("conv{i}");
            h = if i == 1 {
                net.pointwise3d_with(&name, h, features, self.channels)
            } else {
                net.conv3d(&name, h, self.channels, [1; 3], &spec, true)
            };
            if i < self.layers - 2 {
                h = net.norm(&format!("{name}_norm"), h, Norm::Voxel);
            }
            h = h.leaky_relu(SLOPE);
        }
        let name = format!("conv{}", self.layers - 1);
        let y = net
            .conv3d(&name, h, 1, [1; 3], &spec, false)
            .reshape(&x.shape());
        if self.residual { x + y } else { y }
    }

    /// What its step minimises on generated showers `made` where the data have `real`, both `[Z,X,Y,N]` as networks see them:
    /// it learns to give back its input and, unless `copy`, to give it the data's cell energies. What made the showers is
    /// left as it is.
    pub fn losses<'t>(
        &self,
        copy: bool,
        build: &Build<'t>,
        [made, real]: [Var<'t>; 2],
        energy: Var<'t>,
    ) -> Vec<(&'static str, Var<'t>)> {
        let made = made.detach();
        let y = self.network(&build.net("post", Mode::Train), made, energy);
        let copied = losses::mse(y, made);
        if copy {
            return vec![("copy", copied)];
        }
        let mut loss = copied * self.mse;
        let mut noted = vec![("post_mse", copied)];
        let mut add = |weight: f32, name, value| {
            loss = loss + value * weight;
            noted.push((name, value));
        };
        let (cells, wanted) = (y.flatten(), real.flatten());
        for (k, name) in self.kernels.iter().zip(KERNELS) {
            let value = losses::sorted_kernel_mmd(cells, wanted, &k.windows());
            add(k.weight, name, value);
        }
        let sorted = |x: Var<'t>| x.sort_descending(0).0;
        if self.sorted_mse > 0.0 {
            let value = losses::mse(sorted(cells), sorted(wanted));
            add(self.sorted_mse, "sorted_mse", value);
        }
        if self.sorted_mae > 0.0 {
            let value = losses::l1(sorted(cells), sorted(wanted));
            add(self.sorted_mae, "sorted_mae", value);
        }
        if self.batch_sum > 0.0 {
            let value = losses::mse(cells.sum(&[1]), wanted.sum(&[1]));
            add(self.batch_sum, "batch_sum", value);
        }
        noted.insert(0, ("post", loss));
        noted
    }
}
