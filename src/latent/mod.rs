//! Codes of showers: what an encoder makes of real ones, what a generator draws, what a decoder makes of either; and their
//! pictures in two dimensions.
//!
//! Weights files hold what generation needs, and that is no encoder: a run's folder has it in its checkpoint
//! ([`open_run`](crate::train::open_run)).

mod pca;
mod tsne;

use std::sync::Arc;

pub use pca::Pca;
pub use tsne::{Tsne, affinities};

use crate::gpu::Gpu;
use crate::models::{Build, LatentSpace, Networks, System};
use crate::ops::random;
use crate::tape::{Options, Program, Tape, Var};
use crate::{Error, Result};

/// Showers in a batch.
const BATCH: usize = 64;

/// Showers to codes, codes to showers, and codes as sampling draws them, of one system.
pub struct Codec {
    encode: Program,
    draw: Program,
    decode: Program,
    width: usize,
    cells: usize,
    conditions: usize,
}

impl Codec {
    /// Of `system`, whose `networks` hold the encoder.
    ///
    /// # Errors
    /// [`Error::Config`] if the system has no encoder.
    pub fn new(gpu: &Arc<Gpu>, system: &dyn System, networks: &Networks) -> Result<Self> {
        let Some(latent) = system.latent() else {
            return Err(Error::Config(format!(
                "model {} has no encoder",
                system.name()
            )));
        };
        let mut width = 0;
        let mut program = |make: &dyn for<'t> Fn(&dyn LatentSpace, &Build<'t>) -> Var<'t>| {
            let tape = Tape::new();
            let build = Build::new(&tape, networks, system, BATCH);
            let out = make(latent, &build);
            if out.rank() == 2 {
                width = out.extent(0);
            }
            tape.compile(gpu, &[("out", out.batch_first())], Options::FROZEN)
        };
        let encode = program(&|latent, build| latent.encode_batch(build))?;
        let draw = program(&|latent, build| latent.draw_codes(build))?;
        let length = latent.code_length();
        let decode = program(&move |latent, build| {
            let codes = build
                .tape
                .input("codes", &[build.batch(), length])
                .batch_last();
            latent.decode_codes(build, codes)
        })?;
        if width != length {
            let what = format!("codes of {width}, declared with {length}");
            return Err(Error::shape("latent", what));
        }
        Ok(Self {
            encode,
            draw,
            decode,
            width,
            cells: system.shape().iter().product(),
            conditions: system.conditions().len(),
        })
    }

    /// Length of a code.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Codes `[N, width]` of showers `[N,Z,X,Y]` with labels `[N,C]` in the order of the system's conditions; of an encoder
    /// that gives distributions their means.
    pub fn encode(&self, showers: &[f32], conditions: &[f32]) -> Result<Vec<f32>> {
        self.run(
            &self.encode,
            Some(("showers", showers, self.cells)),
            conditions,
            0,
        )
    }

    /// Codes `[N, width]` as sampling draws them for labels `[N,C]`, of events 0, 1, .. of `seed`.
    pub fn draw(&self, conditions: &[f32], seed: u64) -> Result<Vec<f32>> {
        self.run(&self.draw, None, conditions, seed)
    }

    /// Showers `[N,Z,X,Y]` of codes `[N, width]` with labels `[N,C]`.
    pub fn decode(&self, codes: &[f32], conditions: &[f32]) -> Result<Vec<f32>> {
        self.run(
            &self.decode,
            Some(("codes", codes, self.width)),
            conditions,
            0,
        )
    }

    fn run(
        &self,
        program: &Program,
        input: Option<(&str, &[f32], usize)>,
        conditions: &[f32],
        seed: u64,
    ) -> Result<Vec<f32>> {
        let events = conditions.len() / self.conditions;
        if let Some((name, values, width)) = input
            && values.len() != events * width
        {
            let what = format!(
                "{} {name} values for {events} events of {width}",
                values.len()
            );
            return Err(Error::shape("latent", what));
        }
        let mut all = Vec::new();
        for first in (0..events).step_by(BATCH) {
            let count = BATCH.min(events - first);
            // A batch that is not full repeats its last row; what is made of it is dropped.
            let padded = |values: &[f32], width: usize| -> Vec<f32> {
                let row = |i: usize| &values[(first + i.min(count - 1)) * width..][..width];
                (0..BATCH).flat_map(|i| row(i).to_vec()).collect()
            };
            if let Some((name, values, width)) = input {
                program.set(name, &padded(values, width))?;
            }
            program.set("conditions", &padded(conditions, self.conditions))?;
            program.set_u32("random", &random::key(seed, first as u64))?;
            program.run()?;
            let out = program.read("out")?;
            all.extend_from_slice(&out[..out.len() / BATCH * count]);
        }
        match all.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(Error::NotFinite(format!(
                "value {i} of what was encoded or decoded is {}",
                all[i]
            ))),
            None => Ok(all),
        }
    }
}

/// `steps` rows from `a` to `b`, both included, at equal distances.
pub fn between(a: &[f32], b: &[f32], steps: usize) -> Vec<f32> {
    let last = steps.saturating_sub(1).max(1);
    let at = |a: f32, b: f32, k: usize| {
        let sum = f64::from(a) * (last - k.min(last)) as f64 + f64::from(b) * k as f64;
        (sum / last as f64) as f32
    };
    (0..steps)
        .flat_map(|k| a.iter().zip(b).map(move |(&a, &b)| at(a, b, k)))
        .collect()
}
