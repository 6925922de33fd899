//! One figure of a comparison, by name.

use std::fmt;
use std::str::FromStr;

use super::{Comparison, Evaluation};
use crate::{Error, Result};

/// A figure that is followed over a training: `visible_energy`, the mean of an observable; `visible_energy:jsd`, `:w1` or
/// `:ks`, its distance from the reference; `fidelity_score`; `frd`, the Fréchet Regression Distance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Mean of an observable in the generated sample.
    Mean(String),
    /// Distance of an observable's distributions.
    Distance(String, Distance),
    /// [`Figures::fidelity_score`](super::Figures::fidelity_score).
    Fidelity,
    /// [`Evaluation::frechet_regression_distance`].
    Frechet,
}

/// A distance of distributions; 0 where they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Jensen-Shannon divergence.
    JensenShannon,
    /// Wasserstein-1 distance.
    Wasserstein,
    /// Kolmogorov-Smirnov statistic.
    Kolmogorov,
}

impl Distance {
    const ALL: [(&str, Self); 3] = [
        ("jsd", Self::JensenShannon),
        ("w1", Self::Wasserstein),
        ("ks", Self::Kolmogorov),
    ];

    fn of(self, observable: &Comparison) -> Option<f64> {
        match self {
            Self::JensenShannon => observable.jsd,
            Self::Wasserstein => observable.wasserstein1,
            Self::Kolmogorov => observable.ks,
        }
    }
}

impl Figure {
    /// Its value; `None` where the evaluation has none.
    pub fn of(&self, evaluation: &Evaluation) -> Option<f64> {
        match self {
            Self::Mean(name) => evaluation.figures.observable(name)?.generated.mean,
            Self::Distance(name, distance) => distance.of(evaluation.figures.observable(name)?),
            Self::Fidelity => evaluation.figures.fidelity_score,
            Self::Frechet => evaluation.frechet_regression_distance,
        }
    }

    /// Whether it is a distance, of which less is better, and no mean.
    pub fn is_distance(&self) -> bool {
        !matches!(self, Self::Mean(_))
    }

    /// The observable that it is of, if it is of one.
    pub fn observable(&self) -> Option<&str> {
        match self {
            Self::Mean(name) | Self::Distance(name, _) => Some(name),
            Self::Fidelity | Self::Frechet => None,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mean(name) => write!(f, "{name}"),
            Self::Distance(name, distance) => {
                let found = Distance::ALL.iter().find(|(_, d)| d == distance);
                write!(f, "{name}:{}", found.map_or("", |(text, _)| text))
            }
            Self::Fidelity => write!(f, "fidelity_score"),
            Self::Frechet => write!(f, "frd"),
        }
    }
}

impl FromStr for Figure {
    type Err = Error;

    /// Whether there is an observable of that name depends on the showers.
    fn from_str(text: &str) -> Result<Self> {
        let Some((name, kind)) = text.split_once(':') else {
            return Ok(match text {
                "fidelity_score" => Self::Fidelity,
                "frd" => Self::Frechet,
                name => Self::Mean(name.into()),
            });
        };
        match Distance::ALL.iter().find(|(k, _)| *k == kind) {
            Some((_, distance)) => Ok(Self::Distance(name.into(), *distance)),
            None => Err(Error::Config(format!(
                "figure '{text}': there is no distance '{kind}'; there are jsd, w1 and ks"
            ))),
        }
    }
}
