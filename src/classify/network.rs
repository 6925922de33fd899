//! The network and its programs: one step of training, and logits.

use std::sync::Arc;

use super::{Options, Part};
use crate::gpu::Gpu;
use crate::nn::{self, Mode, Net, Parameters};
use crate::ops::Optimizer;
use crate::tape::{self, Program, Tape, Var};
use crate::{Error, Result};

/// Slope of the leaky ReLUs.
const SLOPE: f32 = 0.01;
const ADAM: Optimizer = Optimizer::adam(0.9, 0.999);

/// A dense network with three hidden layers of one width and its optimiser.
pub(super) struct Network {
    parameters: Parameters,
    step: Program,
    infer: Program,
    batch: usize,
    width: usize,
    learning_rate: f32,
}

/// Logits `[1,N]` of inputs `[F,N]`.
fn logits<'t>(net: &Net<'t>, x: Var<'t>, width: usize) -> Var<'t> {
    let mut x = x;
    for i in 0..3 {
        x = net
            .linear(&format!("hidden{i}"), x, width)
            .leaky_relu(SLOPE);
    }
    net.linear("output", x, 1)
}

impl Network {
    pub fn new(gpu: &Arc<Gpu>, inputs: usize, options: &Options) -> Result<Self> {
        let (batch, width) = (options.batch, options.width);
        let declared = nn::Network::declare("classifier", |net| {
            logits(net, net.tape().input("x", &[inputs, 2]), width);
        })?;
        let parameters =
            Parameters::new(gpu, declared, options.seed, false)?.with_optimizer_state(gpu)?;

        let tape = Tape::new();
        let x = tape.input("x", &[batch, inputs]).batch_last();
        let (target, weight) = (
            tape.input("target", &[1, batch]),
            tape.input("weight", &[1, batch]),
        );
        let y = logits(&Net::new(&tape, &parameters, Mode::Train), x, width);
        let entropy = y.relu() - y * target + (-y.abs()).exp().log1p();
        // Of a batch that is not full the rest weighs nothing.
        let loss = (entropy * weight).sum_all();
        parameters.store_gradients(loss);
        parameters.optimize(ADAM, tape.input("hyper", &[3]));
        let step = tape.compile(gpu, &[("loss", loss)], tape::Options::default())?;

        let tape = Tape::new();
        let x = tape.input("x", &[batch, inputs]).batch_last();
        let y = logits(&Net::new(&tape, &parameters, Mode::Infer), x, width);
        let infer = tape.compile(gpu, &[("logits", y)], tape::Options::default())?;
        Ok(Self {
            parameters,
            step,
            infer,
            batch,
            width: inputs,
            learning_rate: options.learning_rate,
        })
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        self.parameters.network().parameters()
    }

    /// One epoch over `part` in the given order, after `before` steps.
    pub fn train(&self, part: &Part, order: &[usize], before: u64) -> Result<()> {
        let mut x = vec![0.0; self.batch * self.width];
        for (step, showers) in (before + 1..).zip(order.chunks(self.batch)) {
            let (mut target, mut weight) = (vec![0.0; self.batch], vec![0.0; self.batch]);
            for (k, &i) in showers.iter().enumerate() {
                let row = &part.values[i * self.width..][..self.width];
                x[k * self.width..][..self.width].copy_from_slice(row);
                target[k] = f32::from(u8::from(part.labels[i]));
                weight[k] = 1.0 / showers.len() as f32;
            }
            self.step.set("x", &x)?;
            self.step.set("target", &target)?;
            self.step.set("weight", &weight)?;
            self.step
                .set("hyper", &ADAM.hyper(self.learning_rate, step))?;
            self.step.run()?;
        }
        match self.step.read("loss")?.first() {
            Some(loss) if loss.is_finite() => Ok(()),
            loss => Err(Error::NotFinite(format!(
                "the classifier's loss is {loss:?}"
            ))),
        }
    }

    /// The logits of a part's showers.
    pub fn logits(&self, part: &Part) -> Result<Vec<f64>> {
        let mut all = Vec::with_capacity(part.labels.len());
        let mut x = vec![0.0; self.batch * self.width];
        for rows in part.values.chunks(self.batch * self.width) {
            // What a batch that is not full holds beyond is of the one before, and dropped.
            x[..rows.len()].copy_from_slice(rows);
            self.infer.set("x", &x)?;
            self.infer.run()?;
            let found = self.infer.read("logits")?;
            all.extend(
                found[..rows.len() / self.width]
                    .iter()
                    .map(|&l| f64::from(l)),
            );
        }
        Ok(all)
    }
}
