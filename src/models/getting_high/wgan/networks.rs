//! Generator, critic and constrainer.

use super::Wgan;
use super::config::{Constrainer, Stage};
use crate::models::Build;
use crate::models::getting_high::{SLOPE, rise, start, starting};
use crate::models::regressor::{self, Layers};
use crate::models::volumes::{Conv, volume};
use crate::nn::{Init, Net, Norm};
use crate::tape::Var;

impl Wgan {
    /// Showers `[Z,X,Y,N]` as networks see them of noise `[latent,N]` and energy `[1,N]`.
    pub(super) fn generator<'t>(&self, net: &Net<'t>, noise: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let (net, c) = (&starting(net, self.config.init), &self.config);
        let of_energy = start(net, "start_energy", energy, c.start_channels, c.start);
        let of_noise = start(net, "start_noise", noise, c.start_channels, c.start);
        rise(net, Var::concat(&[of_energy, of_noise], 0), &c.generator)
    }

    /// One value a shower, `[1,N]`.
    pub(super) fn critic<'t>(&self, net: &Net<'t>, showers: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let k = &self.config.critic;
        let residual = !k.residual.is_empty();
        let usual = starting(net, self.config.init);
        let (net, convs) = match residual {
            true => (net.starting(None), net.starting(Some(Init::FanOut))),
            false => (usual, usual),
        };
        let mut h = volume(showers);
        for (i, conv) in k.convs.iter().enumerate() {
            h = conv.apply(&convs, &format!("conv{i}"), h);
            if conv.norm.is_some() {
                h = h.leaky_relu(k.slope);
            }
        }
        if residual {
            h = stages(&convs, &k.residual, h);
        }
        h = Var::concat(&[h.flatten(), energy], 0);
        for (i, &width) in k.dense.iter().enumerate() {
            h = net
                .linear(&format!("dense{i}"), h, width)
                .leaky_relu(k.slope);
        }
        net.linear("value", h, 1)
    }

    /// Energy `[1,N]`, as networks see it, of showers `[Z,X,Y,N]` in the file's unit; `build` where dropout is to act.
    pub(super) fn reconstruct<'t>(
        &self,
        net: &Net<'t>,
        build: Option<&Build<'t>>,
        k: &Constrainer,
        showers: Var<'t>,
    ) -> Var<'t> {
        let layers = Layers {
            convs: &k.convs,
            norm: Norm::Voxel,
            dense: &k.dense,
            dense_norms: k.dense_norms,
            dropout: &k.dropout,
            slope: SLOPE,
        };
        let [_, energy] =
            regressor::network(&starting(net, self.config.init), build, showers, &layers);
        energy
    }
}

/// The largest of windows, stages of residual blocks, and the mean over voxels `[C,1,1,1,N]`.
fn stages<'t>(net: &Net<'t>, stages: &[Stage], x: Var<'t>) -> Var<'t> {
    let mut h = x.max_pool3d([3; 3], [2; 3], [1; 3]);
    for (i, stage) in stages.iter().enumerate() {
        for j in 0..stage.blocks {
            let stride = if j == 0 { stage.stride } else { 1 };
            let name = format!("stage{i}_block{j}");
            h = block(net, &name, h, stage.channels, stride);
        }
    }
    h.mean_keep(&[1, 2, 3])
}

/// A basic residual block: two convolutions, and beside them the input, brought to their shape by a third where that differs.
fn block<'t>(net: &Net<'t>, name: &str, x: Var<'t>, channels: usize, stride: usize) -> Var<'t> {
    let conv = |what: &str, x: Var<'t>, kernel: usize, stride: usize| {
        let conv = Conv {
            channels,
            kernel: [kernel; 3],
            stride: [stride; 3],
            padding: [kernel / 2; 3],
            transposed: None,
            norm: Some(Norm::Instance),
        };
        conv.apply(net, &format!("{name}_{what}"), x)
    };
    let h = conv("conv0", x, 3, stride).relu();
    let h = conv("conv1", h, 3, 1);
    let beside = match stride == 1 && x.extent(0) == channels {
        true => x,
        false => conv("beside", x, 1, stride),
    };
    (h + beside).relu()
}
