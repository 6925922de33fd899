//! Sums of the five photomultipliers that read a pixel image.

use serde::Serialize;

use super::wasserstein::wasserstein1;
use crate::observables::{CHANNELS, Observables, Sorted};

/// How far the channel sums of two samples of images lie apart, in the unit of the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChannelSums {
    /// Mean absolute difference over the channels and over showers paired in order, up to the shorter file.
    pub mae: f64,
    /// Mean over the channels of the exact 1-D Wasserstein distance.
    pub wasserstein1: f64,
}

/// Compares the channel sums; `None` where the showers are no images (Z = 1) or a sample is empty.
pub fn channel_sums(reference: &Observables, generated: &Observables) -> Option<ChannelSums> {
    let (a, b) = (reference.channels.as_ref()?, generated.channels.as_ref()?);
    let pairs = reference.events().min(generated.events());
    let (mut absolute, mut distance) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        absolute += a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>();
        distance += wasserstein1(&Sorted::new(a.clone()), &Sorted::new(b.clone()))?;
    }
    let channels = CHANNELS as f64;
    Some(ChannelSums {
        mae: absolute / (pairs as f64 * channels),
        wasserstein1: distance / channels,
    })
}
