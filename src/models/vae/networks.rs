//! Encoder, decoder and critic.

use super::Vae;
use super::config::Conv;
use crate::losses;
use crate::nn::{Init, Net, Window};
use crate::tape::Var;

/// Slope of the critic's leaky ReLUs.
const SLOPE: f32 = 0.2;

impl Conv {
    fn window(&self) -> Window {
        Window {
            kernel: [self.kernel; 2],
            stride: [self.stride; 2],
            padding: [self.padding; 2],
        }
    }

    /// Extent of what it makes of `extent`.
    fn out(&self, extent: usize) -> usize {
        let room = (extent + 2 * self.padding).saturating_sub(self.kernel);
        room / self.stride + 1
    }
}

/// What the encoder says of an image.
pub(super) struct Code<'t> {
    /// Mean of each latent, `[latent,N]`.
    pub mean: Var<'t>,
    /// Logarithm of their variance.
    pub log_variance: Var<'t>,
    /// Predicted energy, `[1,N]`, of a conditional model.
    pub energy: Option<Var<'t>>,
}

impl Vae {
    /// An image `[Z,H,W,N]` as networks see it, with its energy `[1,N]` if the model is conditional.
    pub(super) fn encode<'t>(
        &self,
        net: &Net<'t>,
        image: Var<'t>,
        energy: Option<Var<'t>>,
    ) -> Code<'t> {
        let c = &self.config.networks;
        let mut x = image;
        for (i, k) in c.convs.iter().enumerate() {
            let name = format!("conv{i}");
            x = net
                .conv2d(&name, x, k.channels, k.window(), true)
                .leaky_relu(c.slope);
        }
        x = beside(x.flatten(), energy);
        for (i, &width) in c.hidden.iter().enumerate() {
            x = net
                .linear(&format!("dense{i}"), x, width)
                .leaky_relu(c.slope);
        }
        Code {
            mean: net.linear("mean", x, self.config.latent),
            log_variance: net.linear("log_variance", x, self.config.latent),
            energy: energy.map(|_| net.linear("energy", x, 1)),
        }
    }

    /// The image `[Z,H,W,N]` of a latent `[latent,N]`, with the energy's if the model is conditional.
    pub(super) fn decode<'t>(
        &self,
        net: &Net<'t>,
        latent: Var<'t>,
        energy: Option<Var<'t>>,
    ) -> Var<'t> {
        let c = &self.config.networks;
        let [layers, rows, columns] = self.config.shape;
        let mut extents = vec![[rows, columns]];
        for (i, k) in c.convs.iter().enumerate() {
            let larger = extents[i];
            extents.push(larger.map(|e| k.out(e)));
        }
        let mut x = beside(latent, energy);
        for (i, &width) in c.hidden.iter().rev().enumerate() {
            x = net
                .linear(&format!("dense{i}"), x, width)
                .leaky_relu(c.slope);
        }
        let channels = c.convs.last().map_or(layers, |k| k.channels);
        let [h, w] = extents[c.convs.len()];
        let name = format!("dense{}", c.hidden.len());
        // Pixels start above 0: where the last ReLU is flat a pixel would stay empty for good.
        let above = Init::Constant(0.5);
        let usual = Init::fan_in(x.extent(0));
        let bias = if c.convs.is_empty() { above } else { usual };
        x = net
            .linear_starting(&name, x, channels * h * w, usual, bias)
            .reshape(&[channels, h, w, latent.extent(1)]);
        for (i, k) in c.convs.iter().enumerate().rev() {
            x = x.leaky_relu(c.slope);
            let channels = match i {
                0 => layers,
                _ => c.convs[i - 1].channels,
            };
            // The rows that the stride rounded away.
            let more = [0, 1].map(|axis| {
                let least = (extents[i + 1][axis] - 1) * k.stride + k.kernel;
                (extents[i][axis] + 2 * k.padding).saturating_sub(least)
            });
            let window = (k.window(), more);
            x = net.conv_transpose2d(&format!("up{i}"), x, channels, window, i > 0);
        }
        if !c.convs.is_empty() {
            x = net.untied_bias_starting("pixels", x, above);
        }
        x.relu()
    }

    /// The critic's value of a candidate `[Z,H,W,N]` for an image, `[1,N]`.
    pub(super) fn judge<'t>(
        &self,
        net: &Net<'t>,
        image: Var<'t>,
        candidate: Var<'t>,
        energy: Option<Var<'t>>,
    ) -> Var<'t> {
        let Some(a) = &self.config.adversary else {
            return candidate;
        };
        let mut x = match a.pairs {
            true => Var::concat(&[image, candidate], 0),
            false => candidate,
        };
        for (i, k) in a.convs.iter().enumerate() {
            let name = format!("conv{i}");
            x = net
                .conv2d(&name, x, k.channels, k.window(), true)
                .leaky_relu(SLOPE);
        }
        x = beside(x.flatten(), energy);
        if a.observables {
            x = beside(x, Some(self.observables(candidate)));
        }
        for (i, &width) in a.hidden.iter().enumerate() {
            x = net.linear(&format!("dense{i}"), x, width).leaky_relu(SLOPE);
        }
        net.linear("value", x, 1)
    }

    /// What a critic is shown of an image beside it, each of the size of one: `[rings + 2, N]`.
    fn observables<'t>(&self, seen: Var<'t>) -> Var<'t> {
        let pixels: usize = self.config.shape.iter().product();
        let n = seen.extent(3);
        // Bounded, so that a wild cell of an untrained decoder does not overflow.
        let cells = match self.config.preprocess.log {
            true => seen.clamp(-1.0, 12.0).expm1(),
            false => seen,
        };
        let t = &self.config.losses;
        let (hit, width) = self.hit_seen();
        let hits = losses::soft_occupancy(seen, hit, width).reshape(&[1, n]);
        Var::concat(
            &[
                losses::radial_profile(cells.sum(&[0]), t.rings).log1p(),
                cells.sum(&[0, 1, 2]).reshape(&[1, n]).log1p(),
                hits * (10.0 / pixels as f32),
            ],
            0,
        )
    }

    /// The energy of a hit and a quarter of it, as networks see them at incident energy 1.
    fn hit_seen(&self) -> (f32, f32) {
        let p = &self.config.preprocess;
        let hit = p.seen(self.config.losses.hit / p.unit);
        (hit, 0.25 * hit)
    }
}

/// `x` with `more` below it.
fn beside<'t>(x: Var<'t>, more: Option<Var<'t>>) -> Var<'t> {
    match more {
        Some(more) => Var::concat(&[x, more], 0),
        None => x,
    }
}
