//! One pass over a sample: a number per shower and observable, and sums over the showers.

use super::{
    Bootstrap, EXACT_CELLS, Geometry, Projection, Sample, SampleInfo, ShowerStart, Sums, half,
    observable_names,
};
use crate::{Error, Result};

/// Number of sums that the photomultipliers of a pixel calorimeter read.
pub const CHANNELS: usize = 5;

/// One observable of a sample.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name in the report.
    pub name: String,
    /// A value per shower in order; showers for which it is not defined are left out.
    pub values: Vec<f64>,
    /// The shower of each value.
    pub showers: Vec<u32>,
}

/// How a sample is read.
#[derive(Debug, Clone)]
pub struct Collect {
    /// Cells below it, compared as stored, and cells that are not positive count as 0.
    pub threshold: f64,
    /// Definition of the shower start.
    pub start: ShowerStart,
    /// Cell energies kept one by one; see [`EXACT_CELLS`].
    pub exact_cells: usize,
    /// Replicas for statistical errors.
    pub bootstrap: Bootstrap,
    /// Number of the sample among those compared, so that their replicas have random numbers of their own.
    pub sample: u32,
}

impl Default for Collect {
    fn default() -> Self {
        Self {
            threshold: 0.0,
            start: ShowerStart::default(),
            exact_cells: EXACT_CELLS,
            bootstrap: Bootstrap::default(),
            sample: 0,
        }
    }
}

/// What is kept of a sample.
#[derive(Debug, Clone)]
pub struct Observables {
    /// The sample; `events` is what was read.
    pub info: SampleInfo,
    /// Incident energy of every shower, GeV.
    pub incident: Vec<f64>,
    /// All observables but `cell_energy`, in the order of the report. `visible_energy` and `n_hits` have a value per
    /// shower, `response` one per shower of positive incident energy, the rest one per shower with ΣE > 0.
    pub columns: Vec<Column>,
    /// Sums over the showers of each [`half`] of the sample.
    pub halves: [Sums; 2],
    /// For images (a grid of Z = 1) the sums of the five channels, a value per shower each.
    pub channels: Option<[Vec<f64>; CHANNELS]>,
    /// Layer energies of the first shower.
    origin: Option<Vec<f64>>,
}

impl Observables {
    /// Reads all showers of `sample`.
    pub fn collect(sample: &dyn Sample, how: &Collect) -> Result<Self> {
        let mut all = Self::new(sample.info(), how);
        let threshold = all.info.stored(how.threshold);
        let size = all.info.geometry.cells();
        if size == 0 {
            let what = format!(
                "showers of {}, expected at least one cell",
                all.info.geometry
            );
            return Err(Error::format(&all.info.file, what));
        }
        let mut shower = Projection::new(&all.info.geometry);
        for block in sample.blocks() {
            let block = block?;
            if block.cells.len() != block.energy.len() * size {
                return Err(Error::format(
                    &all.info.file,
                    format!(
                        "{} cells for {} incident energies, expected {size} each",
                        block.cells.len(),
                        block.energy.len()
                    ),
                ));
            }
            for (cells, &incident) in block.cells.chunks_exact(size).zip(&block.energy) {
                all.add(cells, incident, threshold, how, &mut shower)?;
            }
        }
        all.info.events = all.incident.len();
        if all.incident.is_empty() {
            return Err(Error::format(&all.info.file, "holds no showers"));
        }
        Ok(all)
    }

    /// Of no shower yet.
    pub fn new(info: &SampleInfo, how: &Collect) -> Self {
        let geometry = &info.geometry;
        Self {
            info: info.clone(),
            incident: Vec::new(),
            columns: observable_names(geometry)
                .into_iter()
                .map(|name| Column {
                    name,
                    values: Vec::new(),
                    showers: Vec::new(),
                })
                .collect(),
            halves: [(); 2]
                .map(|()| Sums::new(geometry, how.exact_cells / 2, how.bootstrap.replicas)),
            channels: matches!(geometry, Geometry::Grid([1, ..])).then(Default::default),
            origin: None,
        }
    }

    fn add(
        &mut self,
        cells: &[f64],
        incident: f64,
        threshold: f64,
        how: &Collect,
        shower: &mut Projection,
    ) -> Result<()> {
        let [_, nx, ny] = self.info.geometry.grid().unwrap_or_default();
        let mut hits = Vec::new();
        let mut channels = [0.0; CHANNELS];
        let image = self.channels.is_some();
        shower.project(cells, threshold, |i, e| {
            hits.push((i, e));
            if image {
                channels[channel(i / ny, i % ny, nx, ny)] += e;
            }
        });
        let index = self.tell(shower, incident, how.start)?;
        let times = how.bootstrap.row(how.sample, index);
        let origin = self.origin.get_or_insert_with(|| shower.z.clone());
        self.halves[half(index)].add(shower, &hits, &times, origin);
        for (values, sum) in self.channels.iter_mut().flatten().zip(channels) {
            values.push(sum);
        }
        Ok(())
    }

    /// Adds a shower whose cells were summed elsewhere, without replicas. What needs its cells is left out: the channels, and
    /// of the halves' sums spectrum, energies and hits of cells, and rings.
    ///
    /// # Errors
    /// [`Error::NotFinite`] if its energy or `incident` (GeV) is not finite.
    pub fn push(&mut self, shower: &Projection, incident: f64, start: ShowerStart) -> Result<()> {
        let index = self.tell(shower, incident, start)?;
        let origin = self.origin.get_or_insert_with(|| shower.z.clone());
        self.halves[half(index)].add(shower, &[], &[1], origin);
        Ok(())
    }

    /// Adds what the projections of a shower say to the columns; its number.
    fn tell(&mut self, shower: &Projection, incident: f64, start: ShowerStart) -> Result<usize> {
        let (visible, shape) = (shower.visible_energy(), shower.shape());
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        let faults = [
            (!incident.is_finite(), "an incident energy"),
            (!visible.is_finite(), "a cell energy"),
            (
                visible > 0.0 && !finite(&shape),
                "a centre or a width, its cells being too large,",
            ),
        ];
        if let Some((_, what)) = faults.iter().find(|(found, _)| *found) {
            let (file, shower) = (&self.info.file, self.incident.len());
            return Err(Error::NotFinite(format!(
                "{file}: shower {shower} has {what} that is not finite"
            )));
        }
        let index = self.incident.len();
        self.incident.push(incident);
        let mut columns = self.columns.iter_mut();
        let mut put = |value: Option<f64>| {
            if let (Some(column), Some(value)) = (columns.next(), value) {
                column.values.push(value);
                column.showers.push(index as u32);
            }
        };
        put(Some(visible));
        put(Some(shower.n_hits() as f64));
        put((incident > 0.0).then_some(visible / incident));
        if visible > 0.0 {
            shape.into_iter().for_each(|value| put(Some(value)));
            put(start
                .find(&shower.z, &shower.hits, incident)
                .map(|layer| layer as f64));
        }
        Ok(index)
    }

    /// Number of showers.
    pub fn events(&self) -> usize {
        self.incident.len()
    }

    /// The observable called `name`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Sums over all showers.
    pub fn sums(&self) -> Sums {
        // Merged into an empty one, which touches memory only where values are; a clone would copy all steps.
        let replicas = self.halves[0].showers.draws() - 1;
        let mut all = Sums::new(&self.info.geometry, 0, replicas);
        self.halves.iter().for_each(|half| all.merge(half));
        all
    }

    /// `visible_energy` of every shower.
    pub fn visible_energy(&self) -> &[f64] {
        &self.columns[0].values
    }

    /// `n_hits` of every shower.
    pub fn n_hits(&self) -> &[f64] {
        &self.columns[1].values
    }
}

/// The photomultiplier that reads pixel (i, j): 4 where i + j is odd, else its quadrant, 0 to 3, cut at
/// floor(X/2) and floor(Y/2).
fn channel(i: usize, j: usize, nx: usize, ny: usize) -> usize {
    if (i + j) % 2 == 1 {
        4
    } else {
        2 * usize::from(i >= nx / 2) + usize::from(j >= ny / 2)
    }
}
