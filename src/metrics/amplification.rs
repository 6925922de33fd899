//! How many showers of the simulation a generated sample is worth (after A. Butter et al., "GANplifying event samples",
//! SciPost Phys. 10 (2021) 139).
//!
//! The reference is split at random. One half stands for the truth: its q quantiles of an observable are bins of equal
//! content. A sample's deviation is the mean over the bins of `((content − truth) / truth)²`. Random samples of m showers of the other half have a deviation that falls as
//! `a (1/m + 1/M)`, M being the showers of the truth; the generated sample is worth the m whose deviation is its own. Its
//! statistical error falls with its size, its bias does not: what a generator is worth shows in samples many times larger
//! than that.

use std::fmt;

use serde::Serialize;

use crate::observables::{Column, Observables};
use crate::ops::random;
use crate::{Error, Result};

/// Showers of the truth in a quantile, at least.
const LEAST: usize = 20;

/// How a sample's worth is found.
#[derive(Debug, Clone, PartialEq)]
pub struct AmplificationOptions {
    /// Observables by name; an empty list stands for [`AmplificationOptions::USUAL`].
    pub observables: Vec<String>,
    /// Quantiles, q.
    pub quantiles: usize,
    /// Random splits of the reference.
    pub repetitions: usize,
    /// Of the splits.
    pub seed: u64,
    /// Showers that the generator was trained on, if that is known.
    pub trained_on: Option<u64>,
}

impl AmplificationOptions {
    /// Observables, if nobody says otherwise.
    pub const USUAL: [&str; 4] = ["visible_energy", "n_hits", "cog_z", "width_x"];
}

impl Default for AmplificationOptions {
    fn default() -> Self {
        Self {
            observables: Vec::new(),
            quantiles: 10,
            repetitions: 50,
            seed: 0,
            trained_on: None,
        }
    }
}

/// What a generated sample is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Amplification {
    /// Quantiles.
    pub quantiles: usize,
    /// Random splits of the reference.
    pub repetitions: usize,
    /// Showers of the truth in each.
    pub truth_events: usize,
    /// Showers of the generated sample.
    pub generated_events: usize,
    /// Showers that the generator was trained on.
    pub trained_on: Option<u64>,
    /// By observable.
    pub observables: Vec<Worth>,
    /// Of the mean deviation over the observables.
    pub all: Worth,
    /// `all.events / trained_on`.
    pub factor: Option<f64>,
}

/// A sample's worth in one observable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worth {
    /// The observable; `all` for the mean over them.
    pub name: String,
    /// Numbers m of showers of the reference.
    pub sizes: Vec<usize>,
    /// Their mean deviation.
    pub reference: Vec<f64>,
    /// Its standard deviation over the repetitions.
    pub reference_error: Vec<f64>,
    /// Deviation of the generated sample.
    pub generated: f64,
    /// The m of equal deviation; null where the generated sample deviates no more than the truth itself does by chance.
    pub events: Option<f64>,
    /// The interval of 68 % about it, by repetition with samples drawn from the generated one; an end that is null has no bound.
    pub interval: [Option<f64>; 2],
}

impl fmt::Display for Amplification {
    /// The worth by observable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: Option<f64>, bound: &str| end.map_or(bound.into(), |m| format!("{m:.0}"));
        writeln!(
            f,
            "\n{} generated showers are worth in",
            self.generated_events
        )?;
        for worth in self.observables.iter().chain([&self.all]) {
            let [low, high] = worth.interval;
            let events = end(worth.events, "more than can be told");
            let (low, high) = (end(low, "∞"), end(high, "∞"));
            writeln!(
                f,
                "{:<15} {events:>8} of the reference (68 %: {low} to {high})",
                worth.name
            )?;
        }
        match (self.factor, self.trained_on) {
            (Some(factor), Some(n)) => writeln!(f, "trained on {n}: a factor of {factor:.3}"),
            (None, Some(n)) => writeln!(f, "trained on {n}"),
            (_, None) => Ok(()),
        }
    }
}

/// Sums over the repetitions of one observable.
struct Study {
    sizes: Vec<usize>,
    /// Deviation by size, then repetition.
    reference: Vec<Vec<f64>>,
    /// Deviation of the generated sample, by repetition, and of one drawn from it.
    generated: Vec<f64>,
    redrawn: Vec<f64>,
    truth: usize,
    events: usize,
}

/// What the sample `generated` is worth, by the showers that have all of the observables: an empty one has no centre.
///
/// # Errors
/// [`Error::Config`] where a sample is too small, such as a reference of fewer than 40 showers for a quantile, and for an
/// observable that was asked for and is constant or unknown.
pub fn amplification(
    reference: &Observables,
    generated: &Observables,
    options: &AmplificationOptions,
) -> Result<Amplification> {
    let wrong = |what: String| Error::Config(format!("amplification: {what}"));
    let given = !options.observables.is_empty();
    let usual = AmplificationOptions::USUAL.map(String::from);
    let names = if given {
        &options.observables[..]
    } else {
        &usual[..]
    };
    let known = |name: &&String| {
        [reference, generated]
            .iter()
            .all(|s| s.column(name).is_some())
    };
    if let Some(name) = names.iter().find(|name| !known(name)) {
        return Err(wrong(format!("there is no observable '{name}' of showers")));
    }
    let [a, b] = [reference, generated].map(|sample| common(sample, names));
    let least = 2 * LEAST * options.quantiles;
    let few = a.first().map_or(0, Vec::len);
    if options.quantiles < 2 || options.repetitions == 0 || few < least {
        return Err(wrong(format!(
            "{few} showers of the reference, expected {least} or more for {} quantiles",
            options.quantiles
        )));
    }
    if b.first().is_none_or(Vec::is_empty) {
        return Err(wrong("no generated shower has energy".into()));
    }
    let mut studies = Vec::new();
    for (k, name) in names.iter().enumerate() {
        match study(&a[k], &b[k], options, k as u32) {
            Some(study) => studies.push((name, study)),
            // The layer of images is no observable of theirs.
            None if !given => {}
            None => return Err(wrong(format!("{name} is constant in the reference"))),
        }
    }
    let Some((_, first)) = studies.first() else {
        return Err(wrong("all observables are constant".into()));
    };
    let (truth_events, generated_events) = (first.truth, first.events);
    let mean = |part: &dyn Fn(&Study) -> &Vec<f64>| -> Vec<f64> {
        let n = studies.len() as f64;
        (0..options.repetitions)
            .map(|r| studies.iter().map(|(_, s)| part(s)[r]).sum::<f64>() / n)
            .collect()
    };
    let together = Study {
        sizes: first.sizes.clone(),
        reference: (0..first.sizes.len())
            .map(|m| mean(&|s| &s.reference[m]))
            .collect(),
        generated: mean(&|s| &s.generated),
        redrawn: mean(&|s| &s.redrawn),
        ..*first
    };
    let all = together.worth("all");
    let factor = all
        .events
        .zip(options.trained_on)
        .map(|(m, n)| m / n as f64);
    Ok(Amplification {
        quantiles: options.quantiles,
        repetitions: options.repetitions,
        truth_events,
        generated_events,
        trained_on: options.trained_on,
        observables: studies
            .iter()
            .map(|(name, study)| study.worth(name))
            .collect(),
        all,
        factor,
    })
}

/// The values of each observable for the showers that have all of them.
fn common(sample: &Observables, names: &[String]) -> Vec<Vec<f64>> {
    let columns: Vec<_> = names.iter().filter_map(|n| sample.column(n)).collect();
    let showers = || columns.iter().flat_map(|c| &c.showers);
    let mut has = vec![0; showers().max().map_or(0, |&last| last as usize + 1)];
    for &shower in showers() {
        has[shower as usize] += 1;
    }
    let kept = |column: &&Column| -> Vec<f64> {
        let values = column.values.iter().zip(&column.showers);
        let kept = values.filter(|(_, shower)| has[**shower as usize] == columns.len());
        kept.map(|(&value, _)| value).collect()
    };
    columns.iter().map(kept).collect()
}

/// `None` for a constant.
fn study(
    reference: &[f64],
    generated: &[f64],
    options: &AmplificationOptions,
    stream: u32,
) -> Option<Study> {
    let (q, truth) = (options.quantiles, reference.len() / 2);
    let pool = reference.len() - truth;
    // From two showers a quantile on in steps of two.
    let sizes: Vec<usize> = std::iter::successors(Some(pool), |m| Some(m / 2))
        .take_while(|&m| m >= 2 * q)
        .collect();
    let sizes: Vec<usize> = sizes.into_iter().rev().collect();
    let mut all = Study {
        reference: vec![Vec::new(); sizes.len()],
        sizes,
        generated: Vec::new(),
        redrawn: Vec::new(),
        truth,
        events: generated.len(),
    };
    for r in 0..options.repetitions as u64 {
        let mut shuffled = reference.to_vec();
        random::shuffle(&mut shuffled, options.seed, 2 * stream, r);
        let (truth, pool) = shuffled.split_at(truth);
        let bins = Bins::of(truth, q)?;
        for (m, deviations) in all.sizes.iter().zip(&mut all.reference) {
            let parts = pool.chunks_exact(*m);
            let count = parts.len() as f64;
            deviations.push(parts.map(|part| bins.deviation(part.iter())).sum::<f64>() / count);
        }
        all.generated.push(bins.deviation(generated.iter()));
        let n = generated.len();
        let drawn = |i| random::below(options.seed, 2 * stream + 1, r, i as u32, n);
        let redrawn = (0..n).map(|i| &generated[drawn(i)]);
        all.redrawn.push(bins.deviation(redrawn));
    }
    Some(all)
}

/// Quantiles of the truth and what they hold of it.
struct Bins {
    /// Upper edges of all but the last.
    edges: Vec<f64>,
    content: Vec<f64>,
}

impl Bins {
    /// `None` for a constant.
    fn of(truth: &[f64], q: usize) -> Option<Self> {
        let mut values = truth.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..q).map(|k| values[k * values.len() / q]).collect();
        // Whole numbers may fill several quantiles, of which one is left.
        edges.dedup_by(|a, b| a == b);
        edges.retain(|e| *e > values[0]);
        let mut bins = Self {
            edges,
            content: Vec::new(),
        };
        bins.content = bins.shares(truth.iter());
        (bins.content.len() > 1).then_some(bins)
    }

    fn shares<'a>(&self, values: impl Iterator<Item = &'a f64>) -> Vec<f64> {
        let mut counts = vec![0.0; self.edges.len() + 1];
        let mut n = 0.0;
        for value in values {
            counts[self.edges.partition_point(|e| e <= value)] += 1.0;
            n += 1.0;
        }
        counts.iter().map(|c| c / n).collect()
    }

    fn deviation<'a>(&self, values: impl Iterator<Item = &'a f64>) -> f64 {
        let shares = self.shares(values);
        let terms = shares
            .iter()
            .zip(&self.content)
            .map(|(s, t)| ((s - t) / t).powi(2));
        terms.sum::<f64>() / shares.len() as f64
    }
}

impl Study {
    fn worth(&self, name: &str) -> Worth {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let of_truth = 1.0 / self.truth as f64;
        let reference: Vec<f64> = self.reference.iter().map(|d| mean(d)).collect();
        // The level `a` of the curve a (1/m + 1/M).
        let level = self.sizes.iter().zip(&reference);
        let level: Vec<f64> = level
            .map(|(&m, d)| d / (1.0 / m as f64 + of_truth))
            .collect();
        let a = mean(&level);
        let inverse = |deviation: f64| deviation / a - of_truth;
        let finite = |inverse: f64| (inverse > 0.0).then(|| 1.0 / inverse);
        // A sample drawn from the generated one has its statistical error once more.
        let mut redrawn: Vec<f64> = self
            .redrawn
            .iter()
            .map(|d| inverse(d - a / self.events as f64))
            .collect();
        redrawn.sort_by(f64::total_cmp);
        let at = |share: f64| redrawn[(share * (redrawn.len() - 1) as f64).round() as usize];
        let generated = mean(&self.generated);
        let error = |d: &Vec<f64>| {
            let m = mean(d);
            (d.iter().map(|v| (v - m).powi(2)).sum::<f64>() / d.len() as f64).sqrt()
        };
        Worth {
            name: name.into(),
            sizes: self.sizes.clone(),
            reference_error: self.reference.iter().map(error).collect(),
            reference,
            generated,
            events: finite(inverse(generated)),
            interval: [finite(at(0.84)), finite(at(0.16))],
        }
    }
}
