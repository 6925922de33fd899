//! What a classifier's scores say of how far two samples can be told apart.

use std::fmt;

use serde::Serialize;

use super::Estimate;
use super::text::with_error;

/// Calibrated probabilities stay this far from 0 and 1, where a logarithm ends.
const MARGIN: f64 = 1e-6;

/// Area under the receiver operating characteristic: the probability that a shower of the sample labelled true scores higher
/// than one of the other, ties counting half (Mann and Whitney). `None` where a label does not occur.
pub fn auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut pairs) = (0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positive = tied.iter().filter(|&&i| labels[i]).count() as f64;
        let negative = tied.len() as f64 - positive;
        pairs += positive * (below + 0.5 * negative);
        below += negative;
    }
    let positive = scores.len() as f64 - below;
    (positive > 0.0 && below > 0.0).then(|| pairs / (positive * below))
}

/// Standard deviation of an area `auc` found from `positive` and `negative` showers (Hanley and McNeil, Radiology 143 (1982) 29).
pub fn auc_error(auc: f64, positive: usize, negative: usize) -> f64 {
    let (p, n) = (positive as f64, negative as f64);
    let (q1, q2) = (auc / (2.0 - auc), 2.0 * auc * auc / (1.0 + auc));
    let square = auc * (1.0 - auc) + (p - 1.0) * (q1 - auc * auc) + (n - 1.0) * (q2 - auc * auc);
    (square.max(0.0) / (p * n)).sqrt()
}

/// The function of a score that does not fall and is closest to the labels in the mean square: a score becomes a
/// probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    /// Scores, ascending, and the probability at each.
    points: Vec<(f64, f64)>,
}

impl Isotonic {
    /// Fitted by pooling neighbours that fall (Barlow et al. 1972); equal scores count as one. Without scores it is ½.
    pub fn fit(scores: &[f64], labels: &[bool]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        // (sum of labels, showers, scores that stand for them)
        let mut pools: Vec<(f64, f64, Vec<f64>)> = Vec::new();
        for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            let positive = tied.iter().filter(|&&i| labels[i]).count() as f64;
            let mut pool = (positive, tied.len() as f64, vec![scores[tied[0]]]);
            while let Some(last) = pools.pop_if(|last| last.0 * pool.1 >= pool.0 * last.1) {
                let (sum, count, mut at) = last;
                at.append(&mut pool.2);
                pool = (sum + pool.0, count + pool.1, at);
            }
            pools.push(pool);
        }
        let level = |sum: f64, count: f64| (sum / count).clamp(MARGIN, 1.0 - MARGIN);
        let flat = |(sum, count, at): (f64, f64, Vec<f64>)| {
            at.into_iter().map(move |score| (score, level(sum, count)))
        };
        Self {
            points: pools.into_iter().flat_map(flat).collect(),
        }
    }

    /// The probability of a score: linear between those of the fit, constant beyond them.
    pub fn at(&self, score: f64) -> f64 {
        let next = self.points.partition_point(|(x, _)| *x < score);
        let point = |i: usize| self.points.get(i).copied();
        match (next.checked_sub(1).and_then(point), point(next)) {
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (score - x0) / (x1 - x0),
            (Some((_, y)), None) | (None, Some((_, y))) => y,
            (None, None) => 0.5,
        }
    }
}

/// How well a classifier tells two samples apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Separation {
    /// Area under the curve, folded to at least ½, on the validation part.
    pub auc: f64,
    /// Its statistical error after Hanley and McNeil.
    pub auc_error: f64,
    /// Jensen-Shannon divergence over ln 2, as far as the calibrated classifier sees it: `1 - cross entropy / ln 2`.
    /// An estimate, which noise may take below 0.
    pub jsd: f64,
    /// Its statistical error.
    pub jsd_error: f64,
    /// Epoch of the highest accuracy on the test part, counted from 1, whose network this is.
    pub epoch: usize,
    /// Parameters of the network.
    pub parameters: usize,
    /// Showers of each sample in the training, test and validation part.
    pub events: [usize; 3],
}

impl Separation {
    /// Of logits and labels on the test part, which calibrates, and on the validation part, on which all is measured.
    /// `None` where a label does not occur.
    pub fn of(test: (&[f64], &[bool]), validation: (&[f64], &[bool])) -> Option<Self> {
        let (logits, labels) = validation;
        let auc = auc(logits, labels)?;
        let positive = labels.iter().filter(|&&l| l).count();
        let auc = auc.max(1.0 - auc);
        let sigmoid = |logits: &[f64]| {
            logits
                .iter()
                .map(|l| 1.0 / (1.0 + (-l).exp()))
                .collect::<Vec<_>>()
        };
        let calibration = Isotonic::fit(&sigmoid(test.0), test.1);
        let entropies: Vec<f64> = (sigmoid(logits).iter().zip(labels))
            .map(|(score, &label)| {
                let p = calibration.at(*score);
                -(if label { p } else { 1.0 - p }).ln()
            })
            .collect();
        let n = entropies.len() as f64;
        let mean = entropies.iter().sum::<f64>() / n;
        let square = entropies
            .iter()
            .map(|e| (e - mean) * (e - mean))
            .sum::<f64>()
            / n;
        let ln2 = std::f64::consts::LN_2;
        Some(Self {
            auc,
            auc_error: auc_error(auc, positive, labels.len() - positive),
            jsd: (ln2 - mean) / ln2,
            jsd_error: (square / n).sqrt() / ln2,
            epoch: 0,
            parameters: 0,
            events: [0; 3],
        })
    }

    /// The area with its error.
    pub fn area(&self) -> Estimate {
        Estimate {
            value: self.auc,
            error: self.auc_error,
        }
    }

    /// The divergence with its error.
    pub fn divergence(&self) -> Estimate {
        Estimate {
            value: self.jsd,
            error: self.jsd_error,
        }
    }
}

/// A network trained to tell the generated showers from the reference, and beside it one trained likewise on two halves of
/// the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classifier {
    /// Generated against reference.
    #[serde(flatten)]
    pub generated: Separation,
    /// One half of the reference against the other.
    pub reference_halves: Separation,
    /// What the network sees of a shower: `low`, `low-normed` or `high`.
    pub inputs: &'static str,
    /// Number of inputs.
    pub features: usize,
    /// Width of each of the three hidden layers.
    pub width: usize,
    /// Epochs of training.
    pub epochs: usize,
    /// Showers in a batch.
    pub batch: usize,
    /// Learning rate of Adam.
    pub learning_rate: f32,
    /// Seed of split, weights and order.
    pub seed: u64,
}

impl fmt::Display for Classifier {
    /// Two lines for a terminal, after an empty one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, test, validation] = self.generated.events;
        writeln!(
            f,
            "\nclassifier of {} inputs ({}), 3 layers of {}; {train} + {test} + {validation} showers of each; seed {}",
            self.features, self.inputs, self.width, self.seed
        )?;
        let text = |e: Estimate| with_error(Some(e.value), Some(e.error));
        for (name, s) in [
            ("generated", &self.generated),
            ("reference's halves", &self.reference_halves),
        ] {
            let (area, divergence) = (text(s.area()), text(s.divergence()));
            writeln!(f, "{name:<25} AUC {area}, JSD {divergence}")?;
        }
        Ok(())
    }
}
