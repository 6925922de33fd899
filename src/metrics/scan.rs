//! How a generator's figures develop over its training: the same comparison for weights of one epoch after the other.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Evaluation, fidelity_by_epoch};

/// Before the name of each √JSD that a fidelity score by epoch averages, and of each JSD.
pub const TERM: &str = "fidelity:";
const TERM_JSD: &str = "fidelity_jsd:";
/// Names of the two fidelity scores over epochs, see [`Scan::summarise`].
const CODE: &str = "fidelity_score_by_epoch";
const DECK: &str = "fidelity_score_by_epoch_jsd";

/// A scan over weights of one training. Serialises to `scan.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scan {
    /// The reference's file.
    pub reference: String,
    /// Showers of it, and of those generated for their labels.
    pub events: usize,
    /// Energy below which a cell counted as 0.
    pub threshold: f64,
    /// Seed of the generated showers, the same for all weights.
    pub seed: u64,
    /// The regressor of `frd`, if one was given.
    pub regressor: Option<String>,
    /// Showers in each of two halves of the reference: `events`, or fewer where it has not twice as many.
    #[serde(default)]
    pub halves_events: usize,
    /// Every figure but the scores by epoch, of these two halves compared: what is noise.
    #[serde(default)]
    pub halves: BTreeMap<String, Option<f64>>,
    /// A digest of all that the figures depend on but the weights: a scan goes on only from one of the same.
    #[serde(default)]
    pub fingerprint: String,
    /// The weights, in the order of training.
    pub epochs: Vec<Epoch>,
    /// Every figure by name, a value for each of `epochs`. All are distances, of which 0 is the least.
    pub metrics: BTreeMap<String, Vec<Option<f64>>>,
    /// Where each figure is least.
    pub best: BTreeMap<String, Best>,
    /// Spearman's rank correlation over the epochs of each figure with the fidelity score by epoch: 1 where both put the
    /// epochs in one order.
    pub rank_correlation: BTreeMap<String, Option<f64>>,
}

/// One of the weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Their file.
    pub file: String,
    /// SHA-256 of the file.
    pub hash: String,
    /// Iterations of training.
    pub step: u64,
    /// Epochs of training, where the file's name tells.
    pub epoch: Option<u64>,
}

/// Where a figure is least.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The weights' file.
    pub file: String,
    /// Their epoch.
    pub epoch: Option<u64>,
    /// Their iteration.
    pub step: u64,
    /// The value.
    pub value: f64,
}

impl Scan {
    /// Adds the figures of the next weights.
    pub fn push(&mut self, epoch: Epoch, figures: BTreeMap<String, Option<f64>>) {
        self.epochs.push(epoch);
        let n = self.epochs.len();
        for (name, value) in figures {
            let column = self.metrics.entry(name).or_default();
            // A figure that the weights before did not have.
            column.resize(n - 1, None);
            column.push(value);
        }
        self.metrics
            .values_mut()
            .for_each(|column| column.resize(n, None));
    }

    /// The figures of the weights with this hash, if they were scanned before in the same way.
    pub fn of(&self, hash: &str) -> Option<BTreeMap<String, Option<f64>>> {
        let at = self.epochs.iter().position(|e| e.hash == hash)?;
        let own = self
            .metrics
            .iter()
            .filter(|(name, _)| *name != CODE && *name != DECK);
        Some(
            own.map(|(name, column)| (name.clone(), column[at]))
                .collect(),
        )
    }

    /// Computes what needs all epochs: the fidelity scores by epoch, the best weights, the rank correlations.
    ///
    /// A fidelity score by epoch divides each observable by its mean over the epochs, then takes the mean over the
    /// observables, so that 1 is the average epoch. `fidelity_score_by_epoch` is of `fidelity:NAME`, roots of divergences (as
    /// the published code of the Fréchet Regression Distance), `…_jsd` of `fidelity_jsd:NAME`, the divergences themselves
    /// (as its slides).
    pub fn summarise(&mut self) {
        for (name, term) in [(CODE, TERM), (DECK, TERM_JSD)] {
            let terms: Vec<&Vec<Option<f64>>> = (self.metrics.iter())
                .filter_map(|(name, column)| name.starts_with(term).then_some(column))
                .collect();
            let row = |k: usize| terms.iter().map(|column| column[k]).collect();
            let rows: Vec<Option<Vec<f64>>> = (0..self.epochs.len()).map(row).collect();
            let whole: Vec<Vec<f64>> = rows.iter().flatten().cloned().collect();
            let mut scores = fidelity_by_epoch(&whole).into_iter();
            let column = rows
                .iter()
                .map(|row| row.as_ref().and_then(|_| scores.next()));
            let column = column.collect();
            self.metrics.insert(name.into(), column);
        }
        let order = self.metrics[CODE].clone();
        self.best.clear();
        // What is 0 throughout, such as the layer of images, names no epoch.
        let differs = |column: &[Option<f64>]| column.iter().flatten().any(|v| *v != 0.0);
        for (name, column) in self.metrics.iter().filter(|(_, c)| differs(c)) {
            let filled = column
                .iter()
                .enumerate()
                .filter_map(|(k, v)| Some((k, (*v)?)));
            if let Some((k, value)) = filled.min_by(|a, b| a.1.total_cmp(&b.1)) {
                let Epoch {
                    file, epoch, step, ..
                } = self.epochs[k].clone();
                self.best.insert(
                    name.clone(),
                    Best {
                        file,
                        epoch,
                        step,
                        value,
                    },
                );
            }
        }
        let ranked = self
            .metrics
            .iter()
            .map(|(name, c)| (name.clone(), spearman(c, &order)));
        self.rank_correlation = ranked.collect();
    }

    /// `scan.csv`: a row for each of the weights, a column for each figure; empty where there is none.
    pub fn csv(&self) -> String {
        let mut text = String::from("file,step,epoch");
        self.metrics
            .keys()
            .for_each(|name| text += &format!(",{name}"));
        for (k, e) in self.epochs.iter().enumerate() {
            let epoch = e.epoch.map_or(String::new(), |n| n.to_string());
            text += &format!("\n{},{},{epoch}", e.file, e.step);
            for column in self.metrics.values() {
                text += &column[k].map_or(",".into(), |v| format!(",{v:.9e}"));
            }
        }
        text + "\n"
    }
}

impl fmt::Display for Scan {
    /// The best weights by each figure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "reference: {} ({} showers); {} weights; halves of the reference of {} showers each",
            self.reference,
            self.events,
            self.epochs.len(),
            self.halves_events
        )?;
        write!(
            f,
            "{:<28} {:>6} {:>8} {:>12} {:>12} {:>6}",
            "figure", "epoch", "step", "value", "halves", "rank"
        )?;
        for (name, best) in &self.best {
            let epoch = best.epoch.map_or("-".into(), |n| n.to_string());
            let rank = self.rank_correlation.get(name).copied().flatten();
            let rank = rank.map_or("-".into(), |r| format!("{r:.2}"));
            let halves = self.halves.get(name).copied().flatten();
            let halves = halves.map_or("-".into(), |v| format!("{v:.5}"));
            write!(
                f,
                "\n{name:<28} {epoch:>6} {:>8} {:>12.5} {halves:>12} {rank:>6}",
                best.step, best.value
            )?;
        }
        Ok(())
    }
}

/// Every distance of an evaluation by name; what the fidelity scores by epoch average is `fidelity:NAME` and
/// `fidelity_jsd:NAME`, in the reference's own bins.
pub fn scan_figures(evaluation: &Evaluation) -> BTreeMap<String, Option<f64>> {
    let figures = &evaluation.figures;
    let mut all = BTreeMap::new();
    for o in &figures.observables {
        for (kind, value) in [("jsd", o.jsd), ("w1", o.wasserstein1), ("ks", o.ks)] {
            all.insert(format!("{}:{kind}", o.name), value);
        }
    }
    for term in &evaluation.fidelity_terms {
        all.insert(format!("{TERM}{}", term.name), term.root);
        all.insert(format!("{TERM_JSD}{}", term.name), term.jsd);
    }
    let mean = figures.correlation.mean_abs_difference;
    all.insert("correlation_difference".into(), mean);
    all.insert("fidelity_score".into(), figures.fidelity_score);
    if let Some(distance) = evaluation.frechet_regression_distance {
        all.insert("frd".into(), Some(distance));
    }
    all
}

/// Spearman's rank correlation of the places where both have a value, equal values sharing a rank; `None` for fewer than
/// three places or a constant column.
pub fn spearman(a: &[Option<f64>], b: &[Option<f64>]) -> Option<f64> {
    let (a, b): (Vec<f64>, Vec<f64>) = a
        .iter()
        .zip(b)
        .filter_map(|(a, b)| Some(((*a)?, (*b)?)))
        .unzip();
    if a.len() < 3 {
        return None;
    }
    let (a, b) = (ranks(&a), ranks(&b));
    super::pearson([&a[..], &b[..]].into_iter())[1][0]
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |v: &f64| {
        let below = values.iter().filter(|w| *w < v).count() as f64;
        let equal = values.iter().filter(|w| *w == v).count() as f64;
        below + 0.5 * (equal - 1.0)
    };
    values.iter().map(rank).collect()
}
