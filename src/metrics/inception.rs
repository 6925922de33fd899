//! The Fréchet Inception Distance of images of showers (M. Heusel et al., arXiv:1706.08500).

use std::fmt;

use serde::Serialize;

use super::frechet_distance;
use super::text::short;
use crate::observables::halves;

/// A Fréchet distance and the same of two halves of the reference; null where a sample has fewer than two showers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct FrechetPair {
    /// Of the generated sample from the reference.
    pub generated: Option<f64>,
    /// Of one half of the reference from the other: what is noise, with half the showers.
    pub reference_halves: Option<f64>,
}

impl FrechetPair {
    /// Of samples with `width` features a row, and the distance of the reference's [`halves`](Self::halves).
    pub fn new(reference: &[f64], generated: &[f64], width: usize, halves: Option<f64>) -> Self {
        Self {
            generated: frechet_distance(reference, generated, width),
            reference_halves: halves,
        }
    }

    /// Distance between the [halves](crate::observables::half) of the rows.
    pub fn halves(reference: &[f64], width: usize) -> Option<f64> {
        let row = |i: usize| &reference[i * width..][..width];
        let rows =
            |half: Vec<usize>| -> Vec<f64> { half.into_iter().flat_map(row).copied().collect() };
        let [a, b] = halves(reference.len() / width.max(1)).map(rows);
        frechet_distance(&a, &b, width)
    }

    /// Means of the distances; `None` of no pair.
    pub fn mean(pairs: &[Self]) -> Option<Self> {
        let mean = |of: fn(&Self) -> Option<f64>| {
            let sum: Option<f64> = pairs.iter().map(of).sum();
            sum.map(|sum| sum / pairs.len() as f64)
        };
        (!pairs.is_empty()).then(|| Self {
            generated: mean(|p| p.generated),
            reference_halves: mean(|p| p.reference_halves),
        })
    }
}

/// Fréchet Inception Distances, which depend on the unit of the cells: their values are the pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InceptionDistance {
    /// The network's weights.
    pub weights: String,
    /// The kind of network, `torchvision` or `pytorch-fid`.
    pub variant: &'static str,
    /// Rows and columns of the images that it saw.
    pub size: usize,
    /// Showers of the reference and generated.
    pub events: [usize; 2],
    /// Of images summed over layers.
    pub summed: FrechetPair,
    /// Mean over layers of the distance of each layer's images; null where it was not asked for.
    pub layerwise_mean: Option<FrechetPair>,
}

impl fmt::Display for InceptionDistance {
    /// A line or two for a terminal, after an empty one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |v: Option<f64>| v.map_or("-".into(), short);
        writeln!(
            f,
            "\nFréchet Inception Distance ({}, {} pixels)",
            self.variant, self.size
        )?;
        let rows = [
            ("summed", Some(self.summed)),
            ("mean of layers", self.layerwise_mean),
        ];
        for (name, pair) in rows {
            let Some(pair) = pair else { continue };
            let (found, noise) = (number(pair.generated), number(pair.reference_halves));
            writeln!(f, "{name:<15} {found}, of the reference's halves {noise}")?;
        }
        Ok(())
    }
}
