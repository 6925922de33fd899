//! Which cells a regressor's energy comes from: layer-wise relevance propagation (S. Bach et al., PLoS ONE 10 (2015)
//! e0130140) with the ε-rule.
//!
//! The energy is shared out backwards. A layer that is linear but for its bias, `z = W x + b`, gives each input
//! `R_i = x_i Σ_j W_ji R_j / (z_j + ε s_j)`, where s has the sign of z and the size of the layer's root mean square in that
//! shower: a share of ε or less of a typical output, which keeps outputs near 0 from sharing out much more than they
//! hold. Elementwise activations pass relevance on as it is. A norm is linear with the spread of each shower taken as a
//! constant (A. Ali et al., ICML 2022, for transformers). What biases and ε take is lost, all else is conserved: without them the
//! relevances of a shower sum to its energy.

use std::path::Path;
use std::sync::Arc;

use crate::gpu::Gpu;
use crate::models::{Build, Networks, System, Weights};
use crate::tape::{Options, Program, Tape, Var};
use crate::{Error, Result};

/// ε, if nobody says otherwise.
pub const EPSILON: f32 = 0.01;
/// Showers in a batch.
const BATCH: usize = 32;

/// Relevances of the cells of showers, from the input of the first of `layers` on, whose last output is shared out as
/// `relevance`. Each layer is its input and output, `[..,N]`; the input of each is an activation of the output before.
#[track_caller]
pub fn propagate<'t>(mut relevance: Var<'t>, layers: &[[Var<'t>; 2]], epsilon: f32) -> Var<'t> {
    for [x, z] in layers.iter().rev() {
        let own: Vec<usize> = (0..z.rank() - 1).collect();
        let size = (z.square().mean_keep(&own) + f32::MIN_POSITIVE).sqrt();
        let sign = z.step() * 2.0 - 1.0;
        let share = relevance.reshape(&z.shape()) / (*z + sign * size * epsilon);
        relevance = *x * x.tape().pullback(&[(*z, share.detach())], &[*x])[0];
    }
    relevance
}

/// A regressor that says which cells its energies come from.
pub struct Relevance {
    program: Program,
    shape: [usize; 3],
    origin: Option<[usize; 3]>,
}

impl Relevance {
    /// Loads a weights file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read or its model has no layers that share out an energy.
    pub fn load(gpu: &Arc<Gpu>, path: impl AsRef<Path>, epsilon: f32) -> Result<Self> {
        let path = path.as_ref();
        let (system, networks, metadata) = Networks::load(gpu, Weights::read(path)?, path)?;
        Self::new(gpu, system.as_ref(), &networks, epsilon)?.ok_or_else(|| {
            let what = format!("model {} is no regressor of known layers", metadata.model);
            Error::format(path, what)
        })
    }

    /// Of a system's networks; `None` if it does not tell its layers.
    ///
    /// # Errors
    /// [`Error::Config`] if `epsilon` is negative or not finite; what the device reports.
    pub fn new(
        gpu: &Arc<Gpu>,
        system: &dyn System,
        networks: &Networks,
        epsilon: f32,
    ) -> Result<Option<Self>> {
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(Error::Config(format!("ε is {epsilon}: expected 0 or more")));
        }
        let tape = Tape::new();
        let build = Build::new(&tape, networks, system, BATCH);
        let both = system.linear_layers(&build).zip(system.reconstruct(&build));
        let Some((layers, found)) = both else {
            return Ok(None);
        };
        let [z, x, y] = system.shape();
        let cells = propagate(found.energy, &layers, epsilon).reshape(&[z, x, y, BATCH]);
        let outputs = [("relevance", cells.batch_first())];
        Ok(Some(Self {
            program: tape.compile(gpu, &outputs, Options::FROZEN)?,
            shape: system.shape(),
            origin: system.origin(),
        }))
    }

    /// Extents of what it sees of a shower (Z, X, Y).
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Where in a larger shower that lies.
    pub fn origin(&self) -> Option<[usize; 3]> {
        self.origin
    }

    /// Relevances in GeV of the cells of showers `[N,Z,X,Y]`, likewise.
    ///
    /// # Errors
    /// [`Error::Shape`] if that is no whole number of showers, [`Error::NotFinite`] if a relevance is not finite.
    pub fn run(&self, showers: &[f32]) -> Result<Vec<f32>> {
        let cells: usize = self.shape.iter().product();
        if !showers.len().is_multiple_of(cells) {
            let what = format!("{} cells are no showers of {cells}", showers.len());
            return Err(Error::shape("relevance", what));
        }
        let mut all = Vec::with_capacity(showers.len());
        let mut batch = vec![0.0; BATCH * cells];
        for part in showers.chunks(BATCH * cells) {
            // A batch that is not full ends with showers of before; what is said of them is dropped.
            batch[..part.len()].copy_from_slice(part);
            self.program.set("showers", &batch)?;
            self.program.run()?;
            all.extend_from_slice(&self.program.read("relevance")?[..part.len()]);
        }
        match all.iter().position(|r| !r.is_finite()) {
            Some(i) => Err(Error::NotFinite(format!(
                "the relevance of cell {i} is {}",
                all[i]
            ))),
            None => Ok(all),
        }
    }
}
