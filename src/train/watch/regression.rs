//! What a regressor says of held showers, against their labels: mean absolute errors, of which the published training keeps
//! the least (N. M. Werther, 2022).

use super::{Look, Seen, wrong};
use crate::data::Showers;
use crate::reconstruct::{Inference, Reconstructed};
use crate::tape::Options;
use crate::train::Session;
use crate::{Error, Result};

/// A label, by whose mean absolute error a regressor is judged.
#[derive(Clone, Copy)]
enum Label {
    /// Incident energy, GeV.
    Energy,
    /// Both coordinates of the impact point, mm.
    Position,
}

/// Reconstructs held showers, and compares with their labels.
pub(super) struct Regression {
    figures: Vec<(String, Label)>,
    inference: Inference,
    /// Cells of the held showers, as training sees them.
    cells: Vec<f32>,
    /// Their energies, GeV.
    energies: Vec<f32>,
    /// Their impact points x, y, mm; empty where the regressor reconstructs none.
    positions: Vec<f32>,
}

impl Regression {
    /// The figures `names` of the system of `session` on `held`, showers as that sees them.
    ///
    /// # Errors
    /// [`Error::Config`] if a figure is unknown or cannot be had, or a label is missing.
    pub fn new(session: &Session, names: &[String], held: Showers) -> Result<Self> {
        let system = session.system();
        let conditions = system.conditions();
        let figure = |name: &String| match name.as_str() {
            "energy_mae" => Ok((name.clone(), Label::Energy)),
            "position_mae" if conditions.len() > 1 => Ok((name.clone(), Label::Position)),
            _ => Err(wrong(format!(
                "there is no figure '{name}'; a regressor has energy_mae (GeV) and, with position_scale set, position_mae (mm)"
            ))),
        };
        let figures = names.iter().map(figure).collect::<Result<_>>()?;
        let rows = held.labels(&conditions)?;
        let rows = rows.chunks_exact(conditions.len());
        let (gpu, networks) = (session.gpu(), session.networks());
        let inference = Inference::new(gpu, system, networks, Options::default())?;
        let inference =
            inference.ok_or_else(|| wrong(format!("{} reconstructs nothing", system.name())))?;
        Ok(Self {
            figures,
            inference,
            cells: held.layers,
            energies: rows.clone().map(|row| row[0]).collect(),
            positions: rows.flat_map(|row| &row[1..]).copied().collect(),
        })
    }

    fn error(&self, label: Label, found: &Reconstructed) -> Option<f64> {
        let (found, labels) = match label {
            Label::Energy => (&found.energies[..], &self.energies),
            Label::Position => (found.positions.as_flattened(), &self.positions),
        };
        let distances = found
            .iter()
            .zip(labels)
            .map(|(&f, &l)| (f64::from(f) - f64::from(l)).abs());
        let mean = distances.sum::<f64>() / labels.len() as f64;
        mean.is_finite().then_some(mean)
    }
}

impl Look for Regression {
    fn means(&self) -> Vec<usize> {
        Vec::new()
    }

    fn look(&self) -> Result<Vec<Seen>> {
        let found = match self.inference.run(&self.cells) {
            // Training says itself what became of its networks.
            Err(Error::NotFinite(_)) => None,
            found => Some(found?),
        };
        let seen = |(name, label): &(String, Label)| Seen {
            name: name.clone(),
            value: found.as_ref().and_then(|found| self.error(*label, found)),
            reference: None,
        };
        Ok(self.figures.iter().map(seen).collect())
    }
}
