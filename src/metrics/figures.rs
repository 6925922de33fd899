//! Every figure of a comparison, its statistical error, and the same for the two halves of the reference.

use serde::Serialize;
use serde::ser::SerializeMap;

use super::channels::{ChannelSums, channel_edges, channel_sums};
use super::correlation::{Correlation, correlation};
use super::drawn::{CELL_ENERGY, Drawn, Side, Which};
use super::fidelity::{FidelityTerm, fidelity, fidelity_terms};
use super::histogram::{Binning, Histogram};
use super::layers::{Depth, LayerCorrelation, depth, depth_bins, layer_correlation};
use super::leaves::{errors, leaves};
use super::linearity::{Groups, Linearity, groups, linearity};
use super::profiles::{Profiles, profiles};
use super::{
    Moments, area_difference, jensen_shannon, kolmogorov_smirnov, ks_p_value, separation_power,
    view, wasserstein1,
};
use crate::observables::Bootstrap;

/// Bins of an observable's histogram, and of `cell_energy`'s.
const BINS: usize = 100;
const CELL_BINS: usize = 70;

/// The figures that compare two samples. Their errors have the same form, with an error in the place of each figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Every observable in the order of the report, an object by name.
    #[serde(serialize_with = "by_name")]
    pub observables: Vec<Comparison>,
    /// Mean profiles.
    pub profiles: Profiles,
    /// Correlations of the observables.
    pub correlation: Correlation,
    /// Correlation of each layer with the next, where there are several.
    pub layer_correlation: Option<LayerCorrelation>,
    /// Response by incident energy.
    pub linearity: Linearity,
    /// Depth by visible energy, where there are several layers.
    pub depth: Option<Depth>,
    /// Sums over the photomultipliers of a pixel image, where showers are images.
    pub channel_sums: Option<ChannelSums>,
    /// Mean of the square roots of the Jensen-Shannon divergences of `visible_energy`, `n_hits`, `cell_energy`,
    /// `cog_z` and the longitudinal and (on a grid) radial profiles; null where one of them is. 0 is equality.
    pub fidelity_score: Option<f64>,
    /// Mean of these divergences themselves.
    pub fidelity_score_jsd: Option<f64>,
}

/// How the two samples compare in one observable.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// Moments in the reference.
    pub reference: Moments,
    /// Moments in the generated sample.
    pub generated: Moments,
    /// Jensen-Shannon divergence of the histograms; 0 where all values are equal, null where a sample is empty.
    pub jsd: Option<f64>,
    /// Exact 1-D Wasserstein distance, in the observable's unit.
    pub wasserstein1: Option<f64>,
    /// Kolmogorov-Smirnov statistic.
    pub ks: Option<f64>,
    /// Probability of that statistic or a larger one for two samples of one distribution, see [`ks_p_value`]; it has no
    /// error. Cells are not independent of each other, so that of `cell_energy` is too small.
    pub ks_p_value: Option<f64>,
    /// `½ Σ |h1 − h2| Δ` of the histograms of `jsd`, h densities.
    pub area_difference: Option<f64>,
    /// `½ Σ (h1 − h2)² / (h1 + h2)` of these histograms, h normalised to a sum of 1.
    pub separation_power: Option<f64>,
    /// Histograms for drawing, with bins common to all samples compared and without the outermost values, unlike those
    /// of `jsd`; none where no sample has a value.
    #[serde(skip)]
    pub histogram: Option<Histogram>,
}

leaves!(
    Comparison: reference, generated, jsd, wasserstein1, ks, ks_p_value, area_difference, separation_power;
    optional histogram
);
leaves!(
    Figures: observables, profiles, correlation, linearity, fidelity_score, fidelity_score_jsd;
    optional layer_correlation, depth, channel_sums
);

/// The two halves of the reference compared: how far samples of one distribution lie apart by chance. Of every two showers
/// that follow each other one is in each half, which one a coin decides.
#[derive(Debug, Clone, Serialize)]
pub struct Halves {
    /// The first half.
    pub reference: Half,
    /// The second half.
    pub generated: Half,
    /// A distance that falls as the root of the number of showers (`ks`, `wasserstein1`, √JSD) is this many times larger
    /// between the halves than between samples of one distribution as large as those compared; `jsd` and
    /// `separation_power`, which fall as the number of showers, its square.
    pub noise_factor: f64,
    /// The figures, and their errors.
    #[serde(flatten)]
    pub figures: Figures,
    /// Statistical errors.
    pub errors: Option<Figures>,
}

/// One half.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Half {
    /// Number of showers.
    pub events: usize,
}

impl Figures {
    /// The observable called `name`.
    pub fn observable(&self, name: &str) -> Option<&Comparison> {
        self.observables.iter().find(|o| o.name == name)
    }
}

/// Edges of the histograms for drawing, common to all samples compared.
pub(super) struct Edges {
    observables: Vec<Option<Vec<f64>>>,
    channels: Vec<Vec<f64>>,
}

impl Edges {
    pub fn of(sides: &[&Side]) -> Self {
        let drawn: Vec<Drawn> = sides.iter().map(|s| s.draw(Which::Whole, 0)).collect();
        let columns = drawn.first().map_or(0, |d| d.columns.len());
        let edges = |k: usize| {
            let values: Vec<_> = drawn.iter().map(|d| &d.columns[k]).collect();
            view::edges(&values, k == CELL_ENERGY)
        };
        Self {
            observables: (0..columns).map(edges).collect(),
            channels: channel_edges(&drawn),
        }
    }
}

/// Two samples and what is fixed of their comparison: bins and groups are those of the samples themselves, for replicas too.
pub(super) struct Pair<'a> {
    sides: [(&'a Side, Which); 2],
    edges: &'a Edges,
    bins: Vec<Option<Binning>>,
    groups: Groups,
    depth: Option<Binning>,
}

impl<'a> Pair<'a> {
    pub fn new(sides: [(&'a Side, Which); 2], edges: &'a Edges) -> Self {
        let [a, b] = sides.map(|(side, which)| side.draw(which, 0));
        let bins = a.columns.iter().zip(&b.columns).enumerate();
        let bins = bins.map(|(k, (a, b))| match k {
            CELL_ENERGY => Binning::common(a, b, CELL_BINS, true),
            _ => Binning::common(a, b, BINS, false),
        });
        Self {
            bins: bins.collect(),
            groups: groups(&a, &b),
            depth: depth_bins(&a, &b),
            sides,
            edges,
        }
    }

    /// The figures, and their errors where there are replicas.
    pub fn compare(&self, bootstrap: Bootstrap) -> (Figures, Option<Figures>) {
        let figures = self.figures(0);
        let errors = errors(&figures, bootstrap, |replica| self.figures(replica));
        (figures, errors)
    }

    /// What a scan averages over its epochs.
    pub fn fidelity_terms(&self) -> Vec<FidelityTerm> {
        let [a, b] = self.sides.map(|(side, which)| side.draw(which, 0));
        fidelity_terms(&a, &b, &self.groups)
    }

    fn figures(&self, replica: usize) -> Figures {
        let [a, b] = self.sides.map(|(side, which)| side.draw(which, replica));
        let observables: Vec<Comparison> = (0..a.columns.len())
            .map(|k| self.observable(k, &a, &b))
            .collect();
        let profiles = profiles(&a, &b);
        let [fidelity_score, fidelity_score_jsd] = fidelity(&observables, &profiles);
        let paired = self.sides.iter().all(|(_, which)| *which == Which::Whole);
        Figures {
            correlation: correlation(&a, &b),
            layer_correlation: layer_correlation(&a, &b),
            linearity: linearity(&a, &b, &self.groups),
            depth: self.depth.as_ref().and_then(|bins| depth(&a, &b, bins)),
            channel_sums: channel_sums(&a, &b, &self.edges.channels, paired),
            observables,
            profiles,
            fidelity_score,
            fidelity_score_jsd,
        }
    }

    fn observable(&self, k: usize, a: &Drawn, b: &Drawn) -> Comparison {
        let (x, y) = (&a.columns[k], &b.columns[k]);
        let bins = self.bins[k].as_ref();
        let [p, q] = [x, y].map(|sample| bins.map_or(Vec::new(), |bins| bins.count(sample)));
        let ks = kolmogorov_smirnov(x, y);
        let point = a.replica == 0;
        let edges = self.edges.observables[k].as_ref();
        Comparison {
            name: a.name(k).to_owned(),
            reference: a.moments[k],
            generated: b.moments[k],
            jsd: jensen_shannon(&p, &q),
            wasserstein1: wasserstein1(x, y),
            ks_p_value: (ks.filter(|_| point)).and_then(|d| ks_p_value(d, x.total(), y.total())),
            ks,
            area_difference: area_difference(&p, &q),
            separation_power: separation_power(&p, &q),
            histogram: edges.map(|edges| view::histogram(edges, k == CELL_ENERGY, x, y)),
        }
    }
}

fn by_name<S: serde::Serializer>(
    observables: &[Comparison],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(observables.len()))?;
    for observable in observables {
        map.serialize_entry(&observable.name, observable)?;
    }
    map.end()
}
