//! Encoder, decoder and latent critic.

use super::BibAe;
use crate::models::volumes::volume;
use crate::nn::Net;
use crate::tape::Var;

/// Slope of the leaky ReLUs of the latent critic and of what embeds differences of statistics.
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
            h = conv.apply(net, &format!("conv{i}"), h).leaky_relu(c.slope);
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
            h = conv.apply(net, &format!("conv{i}"), h);
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
}
