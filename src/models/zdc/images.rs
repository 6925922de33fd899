//! The convolutions that the autoencoders share: an image to features, a code to an image.

use serde::{Deserialize, Serialize};

use super::conditions::beside;
use crate::nn::{Net, Window};
use crate::tape::Var;

/// From an image to features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// Channels of the convolutions, each of which halves the image (rounded up).
    pub channels: Vec<usize>,
    /// Their kernel along both axes.
    pub kernel: usize,
    /// Slope of the leaky ReLU between them; 1 is none, as published.
    pub inner_slope: f32,
    /// Slope of the leaky ReLU behind the last.
    pub slope: f32,
    /// Widths of hidden dense layers (ReLU) before the code; they see the conditions as well.
    pub hidden: Vec<usize>,
}

/// From a code to an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decoder {
    /// Channels at the start, then behind each convolution, of which each doubles the image.
    pub channels: Vec<usize>,
    /// Their kernel along both axes.
    pub kernel: usize,
    /// Slope of the leaky ReLU behind the image while training; 0 as published. Above 0 the decoder cannot die, which it does
    /// where most cells are nearly empty and the first steps are long. Generated cells are never below 0.
    pub output_slope: f32,
}

impl Encoder {
    /// Features `[F,N]` of images `[1,X,Y,N]`; the conditions join before the dense layers.
    #[track_caller]
    pub(super) fn features<'t>(
        &self,
        net: &Net<'t>,
        images: Var<'t>,
        conditions: Option<Var<'t>>,
    ) -> Var<'t> {
        let mut x = images;
        for (i, &channels) in self.channels.iter().enumerate() {
            x = same(net, &format!("conv{i}"), x, channels, self.kernel, 2);
            let last = i + 1 == self.channels.len();
            let slope = if last { self.slope } else { self.inner_slope };
            if slope != 1.0 {
                x = x.leaky_relu(slope);
            }
        }
        x = beside(x.flatten(), conditions);
        for (i, &width) in self.hidden.iter().enumerate() {
            x = net.linear(&format!("dense{i}"), x, width).relu();
        }
        x
    }
}

impl Decoder {
    /// Images `[1,X,Y,N]` of codes `[L,N]`: the smallest image that doublings bring to `shape` or beyond, and a last
    /// convolution that takes away what is too much.
    #[track_caller]
    pub(super) fn images<'t>(&self, net: &Net<'t>, shape: [usize; 3], code: Var<'t>) -> Var<'t> {
        let grown = 1 << (self.channels.len() - 1);
        let [_, x, y] = shape;
        let start = [x, y].map(|extent| extent.div_ceil(grown));
        let first = self.channels[0];
        let mut h = net
            .linear("dense", code, first * start[0] * start[1])
            .reshape(&[first, start[0], start[1], code.extent(1)]);
        for (i, &channels) in self.channels.iter().enumerate().skip(1) {
            let name = format!("conv{i}");
            h = same(
                &net.before_batch_norm(),
                &name,
                h.upsample_nearest2d([2, 2]),
                channels,
                self.kernel,
                1,
            );
            h = net.batch_norm(&format!("{name}_norm"), h, 0.1).relu();
        }
        shrink(net, "image", h, [x, y]).leaky_relu(self.output_slope)
    }
}

/// A convolution whose result has the extents of `x` over `stride`, rounded up; where the padding is odd, more of it lies
/// behind, as in the published codes.
#[track_caller]
fn same<'t>(
    net: &Net<'t>,
    name: &str,
    x: Var<'t>,
    channels: usize,
    kernel: usize,
    stride: usize,
) -> Var<'t> {
    let around = [1, 2].map(|axis| {
        let extent = x.extent(axis);
        let reach = (extent.div_ceil(stride) - 1) * stride + kernel;
        let padding = reach.saturating_sub(extent);
        (padding / 2, padding - padding / 2)
    });
    let even = around.iter().all(|(before, after)| before == after);
    let (x, padding) = match even {
        true => (x, around.map(|(before, _)| before)),
        false => (x.pad(&[(0, 0), around[0], around[1], (0, 0)], 0.0), [0, 0]),
    };
    let window = Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding,
    };
    net.conv2d(name, x, channels, window, true)
}

/// An unpadded convolution to one channel of extents `to`.
#[track_caller]
pub(super) fn shrink<'t>(net: &Net<'t>, name: &str, x: Var<'t>, to: [usize; 2]) -> Var<'t> {
    let from = [x.extent(1), x.extent(2)];
    if from[0] < to[0] || from[1] < to[1] {
        let what = format!("the layers end at {from:?}, too small for images of {to:?}");
        return x.tape().fail(crate::Error::Config(what));
    }
    let window = Window {
        kernel: [0, 1].map(|i| from[i] - to[i] + 1),
        stride: [1; 2],
        padding: [0; 2],
    };
    net.conv2d(name, x, 1, window, true)
}
