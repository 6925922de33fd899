//! A shower as a vector of high-level features: what distances and classifiers of [`metrics`](crate::metrics) compare.

use super::{Geometry, Projection, Sample, polar};
use crate::{Error, Result};

/// Added to an energy before its logarithm is taken, as in the CaloChallenge (arXiv:2410.21611): a layer without energy
/// is at -8.
pub const LOG_OFFSET: f64 = 1e-8;

/// The name of the feature that says for which energy a shower was asked.
pub const INCIDENT: &str = "log10_incident_energy";

/// Showers as rows of a matrix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Features {
    /// What each column is.
    pub names: Vec<String>,
    /// Shower by shower in order, a value for each of `names`.
    pub rows: Vec<f64>,
}

impl Features {
    /// Number of columns.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// Number of showers.
    pub fn events(&self) -> usize {
        self.rows.len() / self.width().max(1)
    }

    /// The showers of the given places, in that order.
    pub fn select(&self, showers: impl IntoIterator<Item = usize>) -> Self {
        let width = self.width();
        let row = |i: usize| &self.rows[i * width..][..width];
        Self {
            names: self.names.clone(),
            rows: showers.into_iter().flat_map(row).copied().collect(),
        }
    }

    /// Its [halves](super::half): two samples of one distribution, whose difference is noise.
    pub fn halves(&self) -> [Self; 2] {
        super::halves(self.events()).map(|half| self.select(half))
    }

    /// The same without the column `name`, if there is one.
    pub fn without(self, name: &str) -> Self {
        let Some(column) = self.names.iter().position(|n| n == name) else {
            return self;
        };
        let width = self.width();
        let mut names = self.names;
        names.remove(column);
        let kept = |(i, v)| (i % width != column).then_some(v);
        let rows = self.rows.into_iter().enumerate().filter_map(kept).collect();
        Self { names, rows }
    }

    /// Whether the showers say their incident energies: false where one is 0 or less.
    pub fn knows_incident(&self) -> bool {
        let column = self.names.iter().position(|n| n == INCIDENT);
        let all = column.map(|c| self.rows.iter().skip(c).step_by(self.width()));
        all.is_some_and(|mut all| all.all(|v| *v > LOG_OFFSET.log10()))
    }

    /// The high-level features of every shower of `sample`; cells below `threshold`, compared as stored, count as 0.
    ///
    /// On a grid these are, in units of the file and of cells,
    /// - `log10_incident_energy`, of the energy in GeV and at least 1e-8;
    /// - `log10_energy_layer_k` of each layer, and `log10_visible_energy`, all with 1e-8 added;
    /// - `n_hits`, `cog_x` to `cog_z`, `width_x` to `width_z`, 0 in an empty shower;
    /// - `sparsity_layer_k`, the share of each layer's cells that is empty.
    ///
    /// An image has one layer, whose energy is the visible one and stands once.
    ///
    /// In polar layers they are those of the CaloChallenge ([`PolarFeatures::features`](super::PolarFeatures::features)).
    ///
    /// # Errors
    /// What reading the sample gives; [`Error::NotFinite`] naming the shower whose energies are not finite.
    pub fn high_level(sample: &dyn Sample, threshold: f64) -> Result<Self> {
        let info = sample.info();
        let Geometry::Grid(shape) = info.geometry else {
            return polar::features(sample, threshold);
        };
        let names = grid_names(shape[0]);
        let mut rows = Vec::with_capacity(names.len() * info.events);
        each_shower(sample, threshold, |shower, incident, _| {
            grid_row(&mut rows, shower, incident, shape);
        })?;
        Ok(Self { names, rows })
    }
}

/// Hands the projection, the incident energy and the cells (without any threshold) of every shower to `visit`.
pub(super) fn each_shower(
    sample: &dyn Sample,
    threshold: f64,
    mut visit: impl FnMut(&Projection, f64, &[f64]),
) -> Result<()> {
    let info = sample.info();
    let (threshold, cells) = (info.stored(threshold), info.geometry.cells());
    let mut shower = Projection::new(&info.geometry);
    let mut read = 0;
    for block in sample.blocks() {
        let block = block?;
        for (cells, &incident) in block.cells.chunks_exact(cells.max(1)).zip(&block.energy) {
            shower.project(cells, threshold, |_, _| {});
            if !shower.visible_energy().is_finite() || !incident.is_finite() {
                let what = format!(
                    "{}: shower {read} has an energy that is not finite",
                    info.file
                );
                return Err(Error::NotFinite(what));
            }
            visit(&shower, incident, cells);
            read += 1;
        }
    }
    Ok(())
}

fn grid_names(layers: usize) -> Vec<String> {
    let per_layer = |what: &str| {
        (0..layers)
            .map(|k| format!("{what}_layer_{k}"))
            .collect::<Vec<_>>()
    };
    let mut names = vec![INCIDENT.to_owned()];
    if layers > 1 {
        names.extend(per_layer("log10_energy"));
    }
    let whole = [
        "log10_visible_energy",
        "n_hits",
        "cog_x",
        "cog_y",
        "cog_z",
        "width_x",
        "width_y",
        "width_z",
    ];
    names.extend(whole.map(String::from));
    names.extend(per_layer("sparsity"));
    names
}

fn grid_row(rows: &mut Vec<f64>, shower: &Projection, incident: f64, [z, x, y]: [usize; 3]) {
    let log10 = |energy: f64| (energy + LOG_OFFSET).log10();
    let visible = shower.visible_energy();
    rows.push(incident.max(LOG_OFFSET).log10());
    if z > 1 {
        rows.extend(shower.z.iter().map(|&e| log10(e)));
    }
    rows.extend([log10(visible), shower.n_hits() as f64]);
    match visible > 0.0 {
        true => rows.extend(&shower.shape()[..6]),
        false => rows.extend([0.0; 6]),
    }
    let cells = (x * y) as f64;
    rows.extend(
        shower
            .hits
            .iter()
            .map(|&hits| 1.0 - f64::from(hits) / cells),
    );
}
