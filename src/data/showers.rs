//! Showers in host memory, and what their file says of them.

use crate::geometry::PolarLayer;
use crate::{Error, Result};

/// What a shower file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ShowerInfo {
    /// Number of layers and of cells along x and y: `[Z, X, Y]`.
    pub shape: [usize; 3],
    /// Unit of the cell energies: `MeV`, `MIP` or `photons`. `MeV` where the file does not say.
    pub unit: String,
    /// Cell energy below which a cell counts as empty, in `unit`.
    pub threshold: Option<f32>,
    /// Extent of a cell, in mm.
    pub cell_size_mm: Option<Vec<f32>>,
    /// Name of the detector.
    pub detector: Option<String>,
    /// Names of the columns of `conditions`, empty where there are none.
    pub condition_names: Vec<String>,
    /// Most probable deposit of a minimum ionising particle in a cell, in MeV.
    pub mip: Option<f32>,
    /// The layers of its voxels, where the cells of a shower lie not on a grid but in r and α about its axis. `shape` is
    /// `[Z, α, r]` where all layers are divided alike, else `[1, 1, V]`.
    pub polar: Option<Vec<PolarLayer>>,
}

impl ShowerInfo {
    /// Showers of shape `[Z, X, Y]` in MeV, with nothing else known.
    pub fn new(shape: [usize; 3]) -> Self {
        Self {
            shape,
            unit: "MeV".into(),
            threshold: None,
            cell_size_mm: None,
            detector: None,
            condition_names: Vec::new(),
            mip: None,
            polar: None,
        }
    }
}

/// Some showers in host memory, in file order.
#[derive(Clone, Debug, PartialEq)]
pub struct Showers<T = f32> {
    /// Number of layers and of cells along x and y: `[Z, X, Y]`.
    pub shape: [usize; 3],
    /// Cell energies, `[N,Z,X,Y]` row major, in the file's unit.
    pub layers: Vec<T>,
    /// Incident energies, `[N]`, in GeV.
    pub energy: Vec<f32>,
    /// Impact points x, y on the front face, in mm.
    pub position: Option<Vec<[f32; 2]>>,
    /// Any other labels, `[N,C]` row major.
    pub conditions: Option<Vec<f32>>,
    /// Names of the C columns of `conditions`.
    pub condition_names: Vec<String>,
}

impl<T> Showers<T> {
    /// Number of showers.
    pub fn len(&self) -> usize {
        self.energy.len()
    }

    /// True where there is no shower.
    pub fn is_empty(&self) -> bool {
        self.energy.is_empty()
    }

    /// Number of cells of one shower.
    pub fn cells(&self) -> usize {
        self.shape.iter().product()
    }

    /// The cells of shower `i`, `[Z,X,Y]` row major. Panics like a slice where `i` is not below `len()`.
    pub fn shower(&self, i: usize) -> &[T] {
        let cells = self.cells();
        &self.layers[i * cells..(i + 1) * cells]
    }

    /// The conditions of shower `i`, or none where the file has none. Panics like a slice as `shower` does.
    pub fn condition_row(&self, i: usize) -> &[f32] {
        let columns = self.condition_names.len();
        self.conditions
            .as_ref()
            .map_or(&[], |c| &c[i * columns..(i + 1) * columns])
    }
}

impl<T> Showers<T> {
    /// The labels `names` of every shower, `[N, names]` row major: `energy` (GeV), `position_x` and `position_y` (mm),
    /// or names of conditions.
    ///
    /// # Errors
    /// [`Error::Config`] naming a label that is not there.
    pub fn labels(&self, names: &[String]) -> Result<Vec<f32>> {
        let mut rows = vec![0.0; self.len() * names.len()];
        for (column, name) in names.iter().enumerate() {
            let own = self.condition_names.iter().position(|n| n == name);
            let value: Box<dyn Fn(usize) -> f32> = match (name.as_str(), &self.position, own) {
                ("energy", _, _) => Box::new(|i| self.energy[i]),
                ("position_x", Some(p), _) => Box::new(|i| p[i][0]),
                ("position_y", Some(p), _) => Box::new(|i| p[i][1]),
                (_, _, Some(k)) => Box::new(move |i| self.condition_row(i)[k]),
                _ => {
                    let mut known = vec!["energy"];
                    if self.position.is_some() {
                        known.extend(["position_x", "position_y"]);
                    }
                    known.extend(self.condition_names.iter().map(String::as_str));
                    let hint = match name.as_str() {
                        "position_x" | "position_y" => " (of a dataset 'position' [N,2])",
                        _ => "",
                    };
                    return Err(Error::Config(format!(
                        "there is no label '{name}'{hint}; there are: {}",
                        known.join(", ")
                    )));
                }
            };
            for i in 0..self.len() {
                rows[i * names.len() + column] = value(i);
            }
        }
        Ok(rows)
    }
}

impl<T: Copy> Showers<T> {
    /// The showers of the given indices, in that order. Panics like a slice where one is not below `len()`.
    pub fn gather(&self, rows: &[usize]) -> Self {
        let mut layers = Vec::with_capacity(rows.len() * self.cells());
        for &row in rows {
            layers.extend_from_slice(self.shower(row));
        }
        Self {
            shape: self.shape,
            layers,
            energy: rows.iter().map(|&row| self.energy[row]).collect(),
            position: self
                .position
                .as_ref()
                .map(|p| rows.iter().map(|&row| p[row]).collect()),
            conditions: self.conditions.as_ref().map(|_| {
                rows.iter()
                    .flat_map(|&row| self.condition_row(row))
                    .copied()
                    .collect()
            }),
            condition_names: self.condition_names.clone(),
        }
    }

    /// Appends showers of the same shape and labels.
    pub(super) fn append(&mut self, other: &Self) {
        self.layers.extend_from_slice(&other.layers);
        self.energy.extend_from_slice(&other.energy);
        if let (Some(to), Some(from)) = (&mut self.position, &other.position) {
            to.extend_from_slice(from);
        }
        if let (Some(to), Some(from)) = (&mut self.conditions, &other.conditions) {
            to.extend_from_slice(from);
        }
    }
}
