//! The networks of the conditional DCGAN.

use super::CondDcgan;
use crate::models::Build;
use crate::models::zdc::conditions::beside;
use crate::models::zdc::images::shrink;
use crate::nn::{Init, Net, Window};
use crate::tape::Var;

/// One run of a network: its layers take dropout streams one after the other from a start that no other run in the same
/// step has.
pub(super) struct Pass<'a, 't> {
    net: Net<'t>,
    build: Option<&'a Build<'t>>,
    stream: u32,
}

impl<'a, 't> Pass<'a, 't> {
    pub(super) fn new(net: Net<'t>, build: &'a Build<'t>, stream: u32) -> Self {
        Self {
            net,
            build: Some(build),
            stream,
        }
    }

    /// For a declaration, which draws nothing.
    pub(super) fn declared(net: &Net<'t>) -> Self {
        Self {
            net: *net,
            build: None,
            stream: 0,
        }
    }
}

impl CondDcgan {
    /// Batch norm, dropout and leaky ReLU: what stands behind every hidden layer.
    fn hidden<'t>(&self, pass: &mut Pass<'_, 't>, name: &str, x: Var<'t>) -> Var<'t> {
        let mut x = pass.net.batch_norm(&format!("{name}_norm"), x, 0.1);
        if let Some(build) = pass.build {
            x = build.dropout(&pass.net, x, self.config.dropout, pass.stream);
        }
        pass.stream += 1;
        x.leaky_relu(self.config.slope)
    }

    /// Noise `[latent,N]` and labels to images `[1,X,Y,N]` as networks see them.
    pub(super) fn generator<'t>(
        &self,
        mut pass: Pass<'_, 't>,
        noise: Var<'t>,
        conditions: Option<Var<'t>>,
    ) -> Var<'t> {
        let (net, g) = (pass.net, &self.config.generator);
        let before = net.before_batch_norm();
        let h = before.linear("dense0", beside(noise, conditions), g.dense);
        let h = self.hidden(&mut pass, "dense0", h);
        let [rows, columns] = g.start;
        let h = before.linear("dense1", h, g.channels * rows * columns);
        let h = self.hidden(&mut pass, "dense1", h);
        let mut h = h.reshape(&[g.channels, rows, columns, noise.extent(1)]);
        for (i, k) in g.convs.iter().enumerate() {
            let name = format!("conv{i}");
            h = unpadded(
                &net.before_batch_norm(),
                &name,
                h.upsample_nearest2d(k.upsample),
                k.channels,
                k.kernel,
            );
            h = self.hidden(&mut pass, &name, h);
        }
        let [_, x, y] = self.config.shape;
        shrink(&net, "image", h, [x, y]).relu()
    }

    /// The last hidden layer and `outputs` numbers for each of images `[1,X,Y,N]`: what discriminator and coordinate
    /// regressor have in common.
    pub(super) fn judge<'t>(
        &self,
        mut pass: Pass<'_, 't>,
        images: Var<'t>,
        conditions: Option<Var<'t>>,
        outputs: usize,
    ) -> [Var<'t>; 2] {
        let (net, d) = (pass.net, &self.config.discriminator);
        let mut h = images;
        for (i, k) in d.convs.iter().enumerate() {
            let name = format!("conv{i}");
            h = unpadded(&net.before_batch_norm(), &name, h, k.channels, k.kernel);
            h = self.hidden(&mut pass, &name, h);
            h = h.max_pool2d(k.pool, k.pool, [0, 0]);
        }
        h = beside(h.flatten(), conditions);
        for (i, &width) in d.dense.iter().enumerate() {
            let name = format!("dense{i}");
            h = net.before_batch_norm().linear(&name, h, width);
            h = self.hidden(&mut pass, &name, h);
        }
        [h, net.linear("output", h, outputs)]
    }

    /// The factor on generated cells, `[1]`, within 0.9 and 1.1.
    pub(super) fn factor<'t>(&self, net: &Net<'t>) -> Var<'t> {
        let p = net.parameter("factor.bias", &[1], Init::Constant(0.0));
        p.tanh() * 0.1 + 1.0
    }
}

fn unpadded<'t>(net: &Net<'t>, name: &str, x: Var<'t>, channels: usize, kernel: usize) -> Var<'t> {
    let window = Window {
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: [0; 2],
    };
    net.conv2d(name, x, channels, window, true)
}
