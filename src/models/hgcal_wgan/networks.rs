//! The networks of the HGCAL WGAN.

use super::config::conv;
use super::{HgcalWgan, SLOPE};
use crate::nn::{Init, Net, Norm};
use crate::tape::Var;

impl HgcalWgan {
    /// With the published initial weights, where they are wanted.
    fn starting<'t>(&self, net: &Net<'t>) -> Net<'t> {
        let bound = self.config.init;
        net.starting((bound > 0.0).then_some(Init::Uniform(bound)))
    }

    /// `[latent + 3, N]` to showers `[Z,X,Y,N]` as networks see them.
    pub(super) fn generator<'t>(&self, net: &Net<'t>, noise: Var<'t>, labels: Var<'t>) -> Var<'t> {
        let (net, g) = (&self.starting(net), &self.config.generator);
        let seed = Var::concat(&[noise, labels], 0);
        let towers: Vec<_> = (0..g.towers)
            .map(|i| self.tower(net, &format!("tower{i}"), seed))
            .collect();
        let mut h = Var::concat(&towers, 0);
        for (i, c) in g.trunk.iter().enumerate() {
            let name = format!("trunk{i}");
            h = net
                .before_batch_norm()
                .conv2d(&name, h, c.channels, c.window(), true);
            h = net
                .batch_norm(&format!("{name}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        let [z, x, y] = self.config.shape;
        h = if g.locally_connected {
            let h = net.locally_connected2d("cells", h, z, [3, 3]);
            net.untied_bias("cells_bias", h)
        } else {
            net.conv2d("cells", h, z, conv(z, [3, 3], 1, [1, 1]).window(), true)
        };
        if self.config.mask {
            let (mask, _) = net.statistic("mask.mask", &[z, x, y], 1.0);
            h = h * mask.unsqueeze_to(4);
        }
        h.relu()
    }

    fn tower<'t>(&self, net: &Net<'t>, name: &str, seed: Var<'t>) -> Var<'t> {
        let g = &self.config.generator;
        let [rows, columns] = g.start;
        let mut h = net
            .linear(&format!("{name}_dense0"), seed, g.hidden)
            .leaky_relu(SLOPE);
        h = net
            .linear(&format!("{name}_dense1"), h, g.channels[0] * rows * columns)
            .leaky_relu(SLOPE);
        h = h.reshape(&[g.channels[0], rows, columns, seed.extent(1)]);
        let doubling = conv(0, [3, 3], 2, [1, 1]).window();
        for (i, &channels) in g.channels.iter().enumerate().skip(1) {
            let name = format!("{name}_up{i}");
            // As published, the last doubling before a convolution has no bias.
            let bias = !(g.untied && i + 1 == g.channels.len());
            let tied = bias && !g.untied;
            h = net.before_batch_norm().conv_transpose2d(
                &name,
                h,
                channels,
                (doubling, [1, 1]),
                tied,
            );
            if bias && g.untied {
                h = net.untied_bias(&format!("{name}_bias"), h);
            }
            h = net
                .batch_norm(&format!("{name}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        if let Some(kernel) = g.tower_kernel {
            let name = format!("{name}_layer");
            let window = conv(1, kernel, 1, [0, 0]).window();
            h = net
                .before_batch_norm()
                .conv2d(&name, h, 1, window, !g.untied);
            if g.untied {
                h = net.untied_bias(&format!("{name}_bias"), h);
            }
            h = net
                .batch_norm(&format!("{name}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        h
    }

    /// One value a shower, `[1,N]`.
    pub(super) fn critic<'t>(&self, net: &Net<'t>, showers: Var<'t>, labels: Var<'t>) -> Var<'t> {
        let (net, c) = (&self.starting(net), &self.config.critic);
        let [_, x, y] = self.config.shape;
        let n = labels.extent(1);
        let mut plane = net.linear("label0", labels, c.label).leaky_relu(SLOPE);
        plane = net
            .linear("label1", plane, x * y)
            .leaky_relu(SLOPE)
            .reshape(&[1, x, y, n]);
        let mut h = Var::concat(&[showers, plane], 0);
        for (i, k) in c.convs.iter().enumerate() {
            h = net.conv2d(&format!("conv{i}"), h, k.channels, k.window(), true);
            if i > 0 {
                h = net.norm(&format!("conv{i}_norm"), h, Norm::Layer);
            }
            h = h.leaky_relu(SLOPE);
        }
        h = h.flatten();
        if c.observables {
            h = Var::concat(&[h, self.sums(showers), self.soft_hits(showers)], 0);
        }
        // As published, a hundredth of the others' start.
        let last = |name, x: Var<'t>, outputs| match self.config.init {
            bound if bound > 0.0 => {
                let (weight, bias) = (Init::Uniform(0.01 * bound), Init::Constant(0.0));
                net.linear_starting(name, x, outputs, weight, bias)
            }
            _ => net.linear(name, x, outputs),
        };
        h = last("dense0", h, c.hidden).leaky_relu(SLOPE);
        last("dense1", h, 1)
    }

    /// Energy of each layer, `[Z,N]`, of the size of one.
    fn sums<'t>(&self, showers: Var<'t>) -> Var<'t> {
        let p = &self.config.preprocess;
        // Bounded, so that a wild cell of an untrained generator does not overflow.
        let cells = if p.log {
            showers.clamp(-1.0, 7.0).expm1()
        } else {
            showers
        };
        cells.sum(&[1, 2]) * (1.0 / p.scale)
    }

    /// A smooth number of hits of each layer, `[Z,N]`, of the size of one.
    fn soft_hits<'t>(&self, showers: Var<'t>) -> Var<'t> {
        const EDGE: f32 = 0.4;
        ((showers - EDGE) * 10.0).sigmoid().sum(&[1, 2]) * (1.0 / 30.0)
    }

    /// Reconstructs labels from showers: energy `[1,N]` (`outputs` 1, not negative) or position `[2,N]`.
    pub(super) fn constrainer<'t>(
        &self,
        net: &Net<'t>,
        showers: Var<'t>,
        outputs: usize,
        channels: [usize; 6],
    ) -> Var<'t> {
        let net = &self.starting(net);
        let [z, x, y] = self.config.shape;
        let n = showers.extent(3);
        let mut h = showers.reshape(&[1, z, x, y, n]);
        let spec = |padding| crate::ops::ConvSpec {
            stride: [1; 3],
            padding,
        };
        h = net.conv3d("conv0", h, channels[0], [3, 3, 3], &spec([1; 3]), false);
        h = net.batch_norm("conv0_norm", h, 0.1).leaky_relu(SLOPE);
        for (i, &c) in channels.iter().enumerate().take(5).skip(1) {
            h = net.conv3d(&format!("conv{i}"), h, c, [2, 3, 3], &spec([0; 3]), false);
            h = net
                .batch_norm(&format!("conv{i}_norm"), h, 0.1)
                .leaky_relu(SLOPE);
        }
        h = net.conv3d("conv5", h, channels[5], [2, 3, 5], &spec([0; 3]), false);
        h = net.untied_bias("conv5_bias", h).leaky_relu(SLOPE).flatten();
        if outputs > 1 {
            return net.linear("dense", h, outputs);
        }
        // Starts above 0, where the last ReLU has a slope.
        net.linear_starting(
            "dense",
            h,
            outputs,
            Init::fan_in(h.extent(0)),
            Init::Constant(1.0),
        )
        .relu()
    }
}
