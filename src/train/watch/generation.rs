//! Showers that are generated for the labels of held ones, compared with those.
//!
//! Generated events have random numbers of a seed of their own, and the sampler changes no state; they are the same numbers
//! every time. Cells are summed on the device ([`Projections`]); centres, widths and distances are the report's.

use super::{Look, Seen, Watch, wrong};
use crate::data::{ShowerSet, Showers};
use crate::losses::Projections;
use crate::metrics::{self, Figure, Moments, compare_all, frechet_distance};
use crate::models::Build;
use crate::observables::{
    Bootstrap, Geometry, Observables, Projection, SampleInfo, ShowerStart, observable_names,
};
use crate::ops::random;
use crate::reconstruct::Reconstructor;
use crate::tape::{Options, Program, Tape, Var};
use crate::train::Session;
use crate::train::held::{self, collect};
use crate::{Error, Result};

/// Generates showers for the labels of held ones every few iterations, and compares them.
pub(super) struct Generation {
    figures: Vec<Figure>,
    /// The held showers.
    reference: Observables,
    threshold: f64,
    /// Labels of the held showers, row by row.
    labels: Vec<f32>,
    program: Program,
    batch: usize,
    seed: u64,
    /// Whether the cells are wanted, and not only their sums.
    cells: bool,
    regressor: Option<Regressor>,
}

struct Regressor {
    reconstructor: Reconstructor,
    /// Features of the held showers.
    features: Vec<f64>,
}

impl Generation {
    /// The figures `names` of the system of `session`, comparing with showers of `held` as that sees them.
    ///
    /// # Errors
    /// [`Error::Config`] if a figure is unknown or cannot be had.
    pub fn new(
        session: &Session,
        watch: &Watch,
        names: &[String],
        held: &ShowerSet,
        seed: u64,
    ) -> Result<Self> {
        let system = session.system();
        let figures = names.iter().map(|name| name.parse());
        let figures: Vec<Figure> = figures.collect::<Result<_>>()?;
        let geometry = Geometry::Grid(system.shape());
        let mut known = observable_names(&geometry);
        known.push("cell_energy".into());
        let unknown = |f: &&Figure| {
            f.observable()
                .is_some_and(|o| !known.iter().any(|k| k == o))
        };
        if let Some(name) = figures.iter().find(unknown) {
            return Err(wrong(format!(
                "there is no figure '{name}'; there are fidelity_score, frd, and with or without :jsd, :w1 or :ks {}",
                known.join(", ")
            )));
        }
        let mean = |f: &&Figure| !f.is_distance() && watch.keep_best == Some(f.to_string());
        if let Some(name) = figures.iter().find(mean) {
            return Err(Error::Config(format!(
                "the best by '{name}': a mean has no best value; use a distance such as '{name}:w1'"
            )));
        }
        let showers = held.spread(watch.events)?;
        let threshold = f64::from(held.info().threshold.unwrap_or(0.0));
        let reference = collect(held, &showers, threshold)?;
        let regressor = match (&watch.regressor, figures.contains(&Figure::Frechet)) {
            (Some(path), true) => {
                let reconstructor = Reconstructor::load(session.gpu(), path)?;
                let features = reconstructor.features(showers.clone(), threshold)?;
                Some(Regressor {
                    reconstructor,
                    features,
                })
            }
            (None, true) => return Err(wrong("the figure 'frd' needs a regressor")),
            (_, false) => None,
        };
        let of_cells = |f: &Figure| {
            matches!(f, Figure::Fidelity | Figure::Frechet) || f.observable() == Some("cell_energy")
        };
        let cells = figures.iter().any(of_cells);
        let batch = session.batch();
        Ok(Self {
            reference,
            threshold,
            labels: showers.labels(&system.conditions())?,
            program: compile(session, batch, threshold as f32, cells)?,
            batch,
            seed: seed ^ Watch::SEED_BITS,
            cells,
            regressor,
            figures,
        })
    }

    fn mean_of_reference(&self, name: &str) -> Option<f64> {
        match name {
            "cell_energy" => {
                let cells = self.reference.sums().cells;
                cells.moments().map(|(mean, _)| mean)
            }
            name => Moments::of(&self.reference.column(name)?.values).mean,
        }
    }

    fn generate(&self) -> Result<(Observables, Option<f64>)> {
        let info = SampleInfo {
            file: "generated".into(),
            ..self.reference.info.clone()
        };
        let mut all = Observables::new(&info, &held::how(self.threshold));
        // Sums of images' channels need cells.
        all.channels = None;
        let mut seen_cells = Vec::new();
        let incident = &self.reference.incident;
        let columns = self.labels.len() / incident.len();
        let [nz, nx, ny] = info.geometry.grid().unwrap_or_default();
        let width = 2 * nz + nx + ny;
        for first in (0..incident.len()).step_by(self.batch) {
            let count = self.batch.min(incident.len() - first);
            // A batch that is not full repeats its last row; what it makes does not live.
            let row = |i: usize| &self.labels[(first + i.min(count - 1)) * columns..][..columns];
            let rows: Vec<f32> = (0..self.batch).flat_map(|i| row(i).to_vec()).collect();
            let live: Vec<f32> = (0..self.batch)
                .map(|i| f32::from(u8::from(i < count)))
                .collect();
            self.program.set("conditions", &rows)?;
            self.program.set("live", &live)?;
            self.program
                .set_u32("random", &random::key(self.seed, first as u64))?;
            self.program.run()?;
            let sums = self.program.read("sums")?;
            for (sums, &incident) in sums
                .chunks_exact(width)
                .zip(&incident[first..first + count])
            {
                let part = |from: usize, n: usize| -> Vec<f64> {
                    sums[from..from + n].iter().map(|&v| v.into()).collect()
                };
                let hits = sums[nz..2 * nz].iter().map(|&n| n as u32).collect();
                let (x, y) = (part(2 * nz, nx), part(2 * nz + nx, ny));
                let shower = Projection::of_sums(part(0, nz), hits, x, y);
                all.push(&shower, incident, ShowerStart::default())?;
            }
            let summed = self.program.read("summed")?;
            let summed: Vec<f64> = summed.iter().map(|&e| e.into()).collect();
            // Only sums over the whole sample are looked at, not its halves.
            let [sums, _] = &mut all.halves;
            sums.add_cells(&summed);
            if self.cells {
                let cells = self.program.read("cells")?;
                let size = nz * nx * ny;
                for shower in cells.chunks_exact(size).take(count) {
                    let hits: Vec<f64> = shower
                        .iter()
                        .filter(|&&e| e > 0.0)
                        .map(|&e| e.into())
                        .collect();
                    sums.cells.add(&hits);
                }
                if self.regressor.is_some() {
                    seen_cells.extend_from_slice(&cells[..count * size]);
                }
            }
        }
        let distance = match &self.regressor {
            None => None,
            Some(r) => {
                let energy = incident.iter().map(|&e| e as f32).collect();
                let showers = Showers {
                    shape: [nz, nx, ny],
                    layers: seen_cells,
                    energy,
                    position: None,
                    conditions: None,
                    condition_names: Vec::new(),
                };
                let found = r.reconstructor.features(showers, self.threshold)?;
                frechet_distance(&r.features, &found, found.len() / incident.len())
            }
        };
        Ok((all, distance))
    }
}

impl Look for Generation {
    fn means(&self) -> Vec<usize> {
        let places = 0..self.figures.len();
        places
            .filter(|&place| !self.figures[place].is_distance())
            .collect()
    }

    fn look(&self) -> Result<Vec<Seen>> {
        let made = match self.generate() {
            // Training says itself what became of its networks.
            Err(Error::NotFinite(_)) => None,
            made => Some(made?),
        };
        let mut evaluation = None;
        if let Some((observables, distance)) = made {
            let both = vec![self.reference.clone(), observables];
            let options = metrics::Options {
                bootstrap: Bootstrap::NONE,
                ..metrics::Options::default()
            };
            evaluation = compare_all(both, self.threshold, &options)?.pop();
            if let Some(one) = &mut evaluation {
                one.frechet_regression_distance = distance;
            }
        }
        let seen = |figure: &Figure| Seen {
            name: figure.to_string(),
            value: evaluation.as_ref().and_then(|e| figure.of(e)),
            reference: match figure {
                Figure::Mean(name) => self.mean_of_reference(name),
                _ => None,
            },
        };
        Ok(self.figures.iter().map(seen).collect())
    }
}

/// The sampler and what is summed of its showers, for labels of a batch of which the live ones count.
fn compile(session: &Session, batch: usize, threshold: f32, cells: bool) -> Result<Program> {
    let tape = Tape::new();
    let build = Build::new(&tape, session.networks(), session.system(), batch);
    let showers = session.system().sample(&build) * tape.input("live", &[batch]);
    let p = Projections::of(showers, tape.constant(&[threshold], &[1]));
    let sums = Var::concat(&[p.z, p.hits, p.x, p.y], 0).batch_first();
    let mut outputs = vec![("sums", sums), ("summed", p.summed)];
    if cells {
        outputs.push(("cells", p.cells.batch_first()));
    }
    tape.compile(session.gpu(), &outputs, Options::default())
}
