//! Encoder, decoder, latent critic and post processor.

use super::BibAe;
use super::config::{Conv, Post};
use crate::nn::Net;
use crate::ops::ConvSpec;
use crate::tape::Var;

/// Slope of the leaky ReLUs of the latent critic, of the post processor, and of what embeds differences of statistics.
pub(super) const GENTLE: f32 = 0.01;

impl BibAe {
    /// Mean and logarithm of the variance of the encoded values, `[encoded, N]` each, of showers `[Z,X,Y,N]` as networks
    /// see them and energies `[1,N]` in units of `energy_scale`.
    pub(super) fn encoder<'t>(
        &self,
        net: &Net<'t>,
        x: Var<'t>,
        energy: Var<'t>,
    ) -> (Var<'t>, Var<'t>) {
        let c = &self.config;
        let mut h = volume(self.extended(x));
        for (i, conv) in c.encoder.convs.iter().enumerate() {
            h = layer(net, &format!("conv{i}"), conv, h).leaky_relu(c.slope);
        }
        h = Var::concat(&[h.flatten(), energy], 0);
        for (i, &width) in c.encoder.dense.iter().enumerate() {
            h = net
                .linear(&format!("dense{i}"), h, width)
                .leaky_relu(c.slope);
        }
        (
            net.linear("mu", h, c.encoded),
            net.linear("logvar", h, c.encoded),
        )
    }

    /// Showers as networks see them from latent values `[latent, N]` and what it sees beside them.
    pub(super) fn decoder<'t>(&self, net: &Net<'t>, z: Var<'t>, condition: Var<'t>) -> Var<'t> {
        let c = &self.config;
        let [channels, depth, height, width] = c.decoder.start;
        let n = z.extent(1);
        let mut h = Var::concat(&[z, condition], 0);
        let to_start = channels * depth * height * width;
        let widths = c.decoder.dense.iter().copied().chain([to_start]);
        for (i, outputs) in widths.enumerate() {
            h = net
                .linear(&format!("dense{i}"), h, outputs)
                .leaky_relu(c.slope);
        }
        h = h.reshape(&[channels, depth, height, width, n]);
        let last = c.decoder.convs.len() - 1;
        for (i, conv) in c.decoder.convs.iter().enumerate() {
            h = layer(net, &format!("conv{i}"), conv, h);
            h = if i == last {
                h.relu()
            } else {
                h.leaky_relu(c.slope)
            };
        }
        let [z, x, y] = c.padded.unwrap_or(c.shape);
        let whole = h.reshape(&[z, x, y, n]);
        let [z, x, y] = c.shape;
        match c.padded {
            Some(_) => whole.crop(&[0; 4], &[z, x, y, n]),
            None => whole,
        }
    }

    /// With empty cells behind the last up to `padded`.
    fn extended<'t>(&self, x: Var<'t>) -> Var<'t> {
        let Some(padded) = self.config.padded else {
            return x;
        };
        let more = |i: usize| (0, padded[i] - self.config.shape[i]);
        x.pad(&[more(0), more(1), more(2), (0, 0)], 0.0)
    }

    /// One value for each latent value `[L, N]`: `[1, L, N]`.
    pub(super) fn latent_critic<'t>(&self, net: &Net<'t>, widths: &[usize], z: Var<'t>) -> Var<'t> {
        let mut h = z.reshape(&[1, z.extent(0), z.extent(1)]);
        for (i, &width) in widths.iter().enumerate() {
            h = net
                .linear(&format!("dense{i}"), h, width)
                .leaky_relu(GENTLE);
        }
        net.linear("score", h, 1)
    }

    /// Showers `[Z,X,Y,N]` as networks see them, cell by cell, with what all cells sum up to.
    ///
    /// As published: what sum and energy add to the second convolution is the same at every voxel, and the norm behind it
    /// takes that away again.
    pub(super) fn post<'t>(&self, net: &Net<'t>, p: &Post, x: Var<'t>, energy: Var<'t>) -> Var<'t> {
        let sum = x.flatten().sum_keep(&[0]) * p.sum_scale;
        let mut features = Var::concat(&[sum, energy], 0);
        for i in 0..3 {
            features = net
                .linear(&format!("feature{i}"), features, p.channels / 2)
                .leaky_relu(GENTLE);
        }
        let spec = ConvSpec {
            stride: [1; 3],
            padding: [0; 3],
        };
        let mut h = volume(x);
        for i in 0..p.layers - 1 {
            let name = format!("conv{i}");
            h = if i == 1 {
                net.pointwise3d_with(&name, h, features, p.channels)
            } else {
                net.conv3d(&name, h, p.channels, [1; 3], &spec, true)
            };
            if i < p.layers - 2 {
                h = net.norm(&format!("{name}_norm"), h, crate::nn::Norm::Voxel);
            }
            h = h.leaky_relu(GENTLE);
        }
        let name = format!("conv{}", p.layers - 1);
        let y = net
            .conv3d(&name, h, 1, [1; 3], &spec, false)
            .reshape(&x.shape());
        if p.residual { x + y } else { y }
    }
}

/// `[Z,X,Y,N]` as `[1,Z,X,Y,N]`.
pub(super) fn volume(x: Var<'_>) -> Var<'_> {
    let shape = x.shape();
    x.reshape(&[&[1], &shape[..]].concat())
}

/// A convolution with its norm.
pub(super) fn layer<'t>(net: &Net<'t>, name: &str, conv: &Conv, x: Var<'t>) -> Var<'t> {
    let spec = conv.spec();
    let y = match conv.transposed {
        Some(more) => {
            let how = (&spec, more);
            net.conv_transpose3d(name, x, conv.channels, conv.kernel, how, false)
        }
        None => net.conv3d(name, x, conv.channels, conv.kernel, &spec, false),
    };
    match conv.norm {
        Some(norm) => net.norm(&format!("{name}_norm"), y, norm),
        None => y,
    }
}
