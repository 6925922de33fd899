//! A network that is trained to tell two samples of showers apart: the classifier metric of the CaloChallenge
//! (arXiv:2410.21611), on the device.
//!
//! The published network works in double precision; this one in single, as all kernels do.

mod inputs;
mod network;

use std::sync::Arc;

pub use inputs::{Inputs, Rows};
use network::Network;

use crate::gpu::Gpu;
use crate::metrics::Separation;
use crate::ops::random;
use crate::{Error, Result};

/// How a classifier is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Width of each of the three hidden layers.
    pub width: usize,
    /// Epochs.
    pub epochs: usize,
    /// Showers in a batch.
    pub batch: usize,
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Seed of split, weights and order.
    pub seed: u64,
    /// Whether each input is shifted and scaled to mean 0 and standard deviation 1 in the training part.
    pub standardise: bool,
}

impl Options {
    /// For `events` showers of each sample. Of at least 80,000 as published: 2048 wide, batches of 1000; of fewer 256 wide,
    /// batches of 100, so that training takes as many steps.
    pub fn for_events(events: usize) -> Self {
        let many = events >= 80_000;
        Self {
            width: if many { 2048 } else { 256 },
            epochs: 50,
            batch: if many { 1000 } else { 100 },
            learning_rate: 2e-4,
            seed: 0,
            standardise: false,
        }
    }
}

/// Showers of one label to a part: 60 % train, 20 % choose the epoch and calibrate, the rest validates.
fn parts(events: usize) -> [usize; 3] {
    let (train, test) = (events * 3 / 5, events / 5);
    [train, test, events - train - test]
}

/// Fewest showers of a sample.
pub const FEWEST: usize = 10;

/// Streams of random numbers: the split of either sample, the order of an epoch.
const SPLIT: u32 = 0x200;
const ORDER: u32 = 0x202;

/// Trains a classifier on part of two samples, of which the larger one loses what it has more, and measures it on another
/// part. `tell` hears of each epoch.
///
/// # Errors
/// [`Error::Config`] if a sample has fewer than [`FEWEST`] showers or the samples differ in width; [`Error::NotFinite`] if
/// training fails; what the device reports.
pub fn classify(
    gpu: &Arc<Gpu>,
    reference: &Rows,
    generated: &Rows,
    options: &Options,
    tell: &dyn Fn(),
) -> Result<Separation> {
    let events = reference.events().min(generated.events());
    if events < FEWEST {
        return Err(Error::Config(format!(
            "a classifier needs at least {FEWEST} showers of each sample, not {events}"
        )));
    }
    if reference.width != generated.width {
        let what = format!("{} and {} inputs", reference.width, generated.width);
        return Err(Error::Config(format!("samples to tell apart have {what}")));
    }
    let sizes = parts(events);
    let labelled = [(generated, false), (reference, true)];
    let mut split: [Part; 3] = Default::default();
    for (stream, (rows, label)) in (SPLIT..).zip(labelled) {
        let mut order = permutation(options.seed, stream, 0, rows.events()).into_iter();
        for (part, size) in split.iter_mut().zip(sizes) {
            part.take(rows, label, order.by_ref().take(size));
        }
    }
    if options.standardise {
        standardise(&mut split, reference.width);
    }
    let [train, test, validation] = &split;
    let network = Network::new(gpu, reference.width, options)?;
    let mut best: Option<(usize, usize, [Vec<f64>; 2])> = None;
    for epoch in 0..options.epochs {
        let order = permutation(options.seed, ORDER, epoch as u64, train.labels.len());
        network.train(
            train,
            &order,
            (epoch * order.len().div_ceil(options.batch)) as u64,
        )?;
        let logits = network.logits(test)?;
        let right = logits.iter().zip(&test.labels);
        let right = right
            .filter(|(logit, label)| (**logit > 0.0) == **label)
            .count();
        if best.as_ref().is_none_or(|(most, ..)| right > *most) {
            best = Some((right, epoch + 1, [logits, network.logits(validation)?]));
        }
        tell();
    }
    let unknown = || Error::Config("a classifier needs at least one epoch".into());
    let (_, epoch, [of_test, of_validation]) = best.ok_or_else(unknown)?;
    let found = Separation::of(
        (&of_test, &test.labels),
        (&of_validation, &validation.labels),
    );
    let found = found.ok_or_else(unknown)?;
    Ok(Separation {
        epoch,
        parameters: network.parameters(),
        events: sizes,
        ..found
    })
}

/// Showers of one part of the split, of both samples.
#[derive(Default)]
struct Part {
    /// Shower by shower.
    values: Vec<f32>,
    /// True for the reference.
    labels: Vec<bool>,
}

impl Part {
    fn take(&mut self, rows: &Rows, label: bool, showers: impl Iterator<Item = usize>) {
        for i in showers {
            self.values.extend_from_slice(rows.row(i));
            self.labels.push(label);
        }
    }
}

/// Shifts and scales each input to mean 0 and standard deviation 1 in the training part, the first; a constant one to 0.
fn standardise(split: &mut [Part; 3], width: usize) {
    let train = &split[0];
    let count = train.labels.len() as f64;
    let (mut sum, mut square) = (vec![0.0f64; width], vec![0.0f64; width]);
    for row in train.values.chunks_exact(width) {
        sum.iter_mut()
            .zip(row)
            .for_each(|(s, v)| *s += f64::from(*v));
    }
    sum.iter_mut().for_each(|s| *s /= count);
    for row in train.values.chunks_exact(width) {
        for ((s, v), mean) in square.iter_mut().zip(row).zip(&sum) {
            *s += (f64::from(*v) - mean).powi(2) / count;
        }
    }
    let scale = |square: f64, mean: f64| {
        // Below single precision a column is constant.
        let std = square.sqrt();
        if std > 1e-6 * mean.abs() {
            1.0 / std
        } else {
            0.0
        }
    };
    for row in split
        .iter_mut()
        .flat_map(|part| part.values.chunks_exact_mut(width))
    {
        for ((v, mean), square) in row.iter_mut().zip(&sum).zip(&square) {
            *v = ((f64::from(*v) - mean) * scale(*square, *mean)) as f32;
        }
    }
}

/// An order of `count` things, by addressed random numbers.
fn permutation(seed: u64, stream: u32, event: u64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    random::shuffle(&mut order, seed, stream, event);
    order
}
