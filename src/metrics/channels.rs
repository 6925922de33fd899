//! Sums of the five photomultipliers that read a pixel image, and the centre of its response.

use serde::Serialize;

use super::drawn::Drawn;
use super::histogram::Histogram;
use super::leaves::leaves;
use super::view;
use super::wasserstein::wasserstein1;
use crate::observables::{CHANNELS, Column};

/// How far two samples of images lie apart in what the photomultipliers see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelSums {
    /// Mean absolute difference over the channels and over showers paired in order, up to the shorter file; in the unit of
    /// the pixels. Null between halves, whose showers are of other particles.
    pub mae: Option<f64>,
    /// Mean over the channels of the exact 1-D Wasserstein distance, likewise.
    pub wasserstein1: f64,
    /// Mean distance of the energy-weighted centres of showers paired in order, in cells; over pairs that both have energy,
    /// null if none has and between halves.
    pub response_centre_mae: Option<f64>,
    /// Histograms of each channel for drawing.
    #[serde(skip)]
    pub histograms: Vec<Histogram>,
}

leaves!(ChannelSums: mae, wasserstein1, response_centre_mae, histograms);

/// Compares the channel sums; `None` where the showers are no images (Z = 1). `edges` are those of the histograms; `paired`
/// says that showers at the same place belong together.
pub(super) fn channel_sums(
    a: &Drawn,
    b: &Drawn,
    edges: &[Vec<f64>],
    paired: bool,
) -> Option<ChannelSums> {
    let (x, y) = (a.kept.channels.as_ref()?, b.kept.channels.as_ref()?);
    // Pairs are drawn as often as the first of the two.
    let pairs: Vec<(usize, usize, f64)> = (a.members.iter())
        .zip(b.members)
        .map(|(&i, &j)| (i as usize, j as usize, a.times[i as usize].into()))
        .collect();
    let absolute = pairs.iter().map(|&(i, j, n)| {
        let differences = x.iter().zip(y).map(|(x, y)| (x[i] - y[j]).abs());
        n * differences.sum::<f64>()
    });
    let count: f64 = pairs.iter().map(|&(_, _, n)| n).sum();
    let distances = a.channels.iter().zip(&b.channels);
    let distances: Option<f64> = distances.map(|(x, y)| wasserstein1(x, y)).sum();
    let channels = CHANNELS as f64;
    Some(ChannelSums {
        mae: paired.then(|| absolute.sum::<f64>() / (count * channels)),
        wasserstein1: distances? / channels,
        response_centre_mae: centre_distance(a, b, &pairs).filter(|_| paired),
        histograms: (a.channels.iter().zip(&b.channels).zip(edges))
            .map(|((x, y), edges)| view::histogram(edges, false, x, y))
            .collect(),
    })
}

/// Edges of the histograms of each channel, common to all samples.
pub(super) fn channel_edges(samples: &[Drawn]) -> Vec<Vec<f64>> {
    (0..CHANNELS)
        .filter_map(|k| {
            let sums: Option<Vec<_>> = samples.iter().map(|s| s.channels.get(k)).collect();
            view::edges(&sums?, false)
        })
        .collect()
}

fn centre_distance(a: &Drawn, b: &Drawn, pairs: &[(usize, usize, f64)]) -> Option<f64> {
    let axis = |sample: &Drawn, name: &str| {
        let mut all = vec![f64::NAN; sample.kept.events()];
        let Column {
            values, showers, ..
        } = sample.kept.column(name)?;
        for (&value, &shower) in values.iter().zip(showers) {
            all[shower as usize] = value;
        }
        Some(all)
    };
    let [ax, ay] = [axis(a, "cog_x")?, axis(a, "cog_y")?];
    let [bx, by] = [axis(b, "cog_x")?, axis(b, "cog_y")?];
    let distances = pairs
        .iter()
        .map(|&(i, j, n)| ((ax[i] - bx[j]).hypot(ay[i] - by[j]), n))
        .filter(|(distance, _)| distance.is_finite());
    let (sum, count) = distances.fold((0.0, 0.0), |(sum, count), (distance, n)| {
        (sum + n * distance, count + n)
    });
    (count > 0.0).then(|| sum / count)
}
