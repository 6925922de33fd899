//! GAN and WGAN of photon showers in the ILD's SiW calorimeter, 30x30x30 (E. Buhmann, S. Diefenbacher, E. Eren, F. Gaede,
//! G. Kasieczka, A. Korol, K. Krüger, "Getting High", arXiv:2005.05334; sizes from its published code `getting_high`).
//!
//! Both have a generator of transposed convolutions that double a small cube until it covers the shower.

mod gan;
mod wgan;

pub use gan::Gan;
pub use wgan::Wgan;

use crate::nn::{Net, Norm};
use crate::ops::ConvSpec;
use crate::tape::Var;

/// Slope of every leaky ReLU.
const SLOPE: f32 = 0.2;
/// Streams of random numbers.
const NOISE: u32 = 0;
const LABELS: u32 = 1;
const INTERPOLATION: u32 = 1;

fn spec(stride: usize, padding: usize) -> ConvSpec {
    ConvSpec {
        stride: [stride; 3],
        padding: [padding; 3],
    }
}

/// Numbers `[count,N]` seen as single voxels of `count` channels, spread over a block of `extents` with `channels`.
fn start<'t>(
    net: &Net<'t>,
    name: &str,
    x: Var<'t>,
    channels: usize,
    extents: [usize; 3],
) -> Var<'t> {
    let x = x.reshape(&[x.extent(0), 1, 1, 1, x.extent(1)]);
    net.conv_transpose3d(name, x, channels, extents, (&spec(1, 0), [0; 3]), false)
}

/// Doubles `x` once for each of `channels`, then makes cells `[Z,X,Y,N]`, two fewer along each axis, none negative.
fn rise<'t>(net: &Net<'t>, mut x: Var<'t>, channels: &[usize], norm: Norm) -> Var<'t> {
    for (i, &channels) in channels.iter().enumerate() {
        let (name, kernel) = (format!("up{i}"), [4; 3]);
        x = net.conv_transpose3d(&name, x, channels, kernel, (&spec(2, 1), [0; 3]), false);
        x = net.norm(&format!("up{i}_norm"), x, norm).relu();
    }
    x = net.conv_transpose3d("cells", x, 1, [3; 3], (&spec(1, 2), [0; 3]), false);
    let shape = x.shape();
    x.relu().reshape(shape.get(1..).unwrap_or(&[]))
}
