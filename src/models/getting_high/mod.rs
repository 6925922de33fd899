//! GAN and WGAN of photon showers in the ILD's SiW calorimeter, 30x30x30 (E. Buhmann, S. Diefenbacher, E. Eren, F. Gaede,
//! G. Kasieczka, A. Korol, K. Krüger, "Getting High", arXiv:2005.05334; sizes from its published code `getting_high`), and the
//! WGAN of pion showers in its hadron calorimeter (E. Buhmann et al., "Hadrons, Better, Faster, Stronger",
//! arXiv:2112.09709; sizes from `neurIPS2021_hadron`).
//!
//! All have a generator of transposed convolutions that widen a small cube until it covers the shower.

mod gan;
mod wgan;

pub use gan::Gan;
pub use wgan::Wgan;

use crate::models::volumes::{Conv, bare, up};
use crate::nn::{Init, Net, Norm};
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

/// `net` with weights that start normal with the standard deviation `std`, or as PyTorch's where that is 0.
fn starting<'t>(net: &Net<'t>, std: f32) -> Net<'t> {
    net.starting((std > 0.0).then_some(Init::Normal { mean: 0.0, std }))
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

/// Convolutions that double a small cube once for each of `channels`, then make cells of it, two fewer along each axis.
fn doublings(channels: &[usize], norm: Norm) -> Vec<Conv> {
    let double = |&channels: &usize| Conv {
        norm: Some(norm),
        ..up(channels, 4, 2, 1, 0)
    };
    let cells = bare(up(1, 3, 1, 2, 0));
    channels.iter().map(double).chain([cells]).collect()
}

/// Cells `[Z,X,Y,N]`, none negative, by `convs`, each of which ends in a ReLU.
fn rise<'t>(net: &Net<'t>, mut x: Var<'t>, convs: &[Conv]) -> Var<'t> {
    for (i, conv) in convs.iter().enumerate() {
        let name = match i + 1 == convs.len() {
            true => "cells".into(),
            false => format!("up{i}"),
        };
        x = conv.apply(net, &name, x).relu();
    }
    let shape = x.shape();
    x.reshape(shape.get(1..).unwrap_or(&[]))
}
