//! The generator for other run times.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Generator, LabelRows};
use crate::models::{Build, tensors};
use crate::onnx::{Dim, Graph};
use crate::ops::random;
use crate::tape::{EVENTS, Options, Tape};
use crate::{Error, Result};

/// What a generator reads and makes for some events.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Shape and values of each tensor by name.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Example {
    /// Writes a safetensors file.
    ///
    /// # Errors
    /// [`Error::Io`] of the file.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        tensors::write(path.as_ref(), &self.tensors, BTreeMap::new())
    }
}

impl Generator {
    /// The generator as an ONNX model of opset 17. Inputs are `conditions` `[events, C]` in the order of
    /// [`Generator::label_names`], and `noise`, `noise_2`, .. `[events, ..]`, whose distribution each one's description says; the
    /// output is `showers` `[events, Z, X, Y]`, without any threshold. The number of events is open.
    ///
    /// # Errors
    /// [`Error::Config`] if an op of the system has no ONNX form.
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        let tape = Tape::unbounded();
        let build = Build::new(&tape, &self.networks, self.system.as_ref(), EVENTS);
        let showers = self.system.sample(&build).batch_first();
        let mut graph = Graph::default();
        let names = self.label_names();
        let shape = [Dim::Events, Dim::Fixed(names.len())];
        graph.input("conditions", &shape, &names.join(", "));
        tape.export(&self.gpu, &mut graph, showers, "showers")?;
        let m = &self.metadata;
        let doc = format!(
            "{} of {}: showers [events, Z, X, Y] in {}",
            m.model, m.detector, m.unit
        );
        let threshold = m.threshold.to_string();
        let properties = [
            ("model", m.model.as_str()),
            ("detector", &m.detector),
            ("unit", &m.unit),
            ("threshold", &threshold),
            ("conditions", &names.join(",")),
        ];
        Ok(graph.finish(&m.model, &doc, &properties))
    }

    /// The inputs of the ONNX model and its output for the events of `labels` from event `first_event` of `seed` on, as
    /// computed here: what another run time is checked against.
    ///
    /// # Errors
    /// As [`Generator::generate`].
    pub fn example(&self, labels: &LabelRows, seed: u64, first_event: u64) -> Result<Example> {
        self.check(labels)?;
        let events = labels.events();
        let tape = Tape::new();
        let build = Build::new(&tape, &self.networks, self.system.as_ref(), events);
        let sampled = self.system.sample(&build);
        let showers = sampled.batch_first();
        let noises = tape.noises(sampled);
        let mut outputs = vec![("showers", showers)];
        outputs.extend(noises.iter().map(|(name, noise)| (name.as_str(), *noise)));
        let program = tape.compile(&self.gpu, &outputs, Options::FROZEN)?;
        program.set("conditions", &labels.values)?;
        program.set_u32("random", &random::key(seed, first_event))?;
        program.run()?;
        let shape = vec![events, labels.columns];
        let mut tensors = BTreeMap::from([("conditions".into(), (shape, labels.values.clone()))]);
        for (name, var) in outputs {
            tensors.insert(name.to_owned(), (var.shape(), program.read(name)?));
        }
        match tensors
            .iter()
            .find(|(_, (_, v))| v.iter().any(|v| !v.is_finite()))
        {
            Some((name, _)) => Err(Error::NotFinite(format!("{name} is not finite"))),
            None => Ok(Example { tensors }),
        }
    }
}
