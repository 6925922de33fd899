//! A compiled tape: upload, submit, read back.

use std::collections::HashMap;
use std::sync::Arc;

use super::plan::{Plan, StepTime};
use super::shape::{self, Shape};
use super::tune::Choice;
use crate::gpu::{Bound, Buffer, Gpu, Profile, Readback, Uniform};
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Input {
    pub(super) buffer: Buffer,
    pub(super) shape: Shape,
}

#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) buffer: Buffer,
    pub(super) offset: u64,
    pub(super) shape: Shape,
}

/// A compiled tape on one device. See the [module](super).
#[derive(Debug)]
pub struct Program {
    pub(super) gpu: Arc<Gpu>,
    pub(super) steps: Vec<Bound>,
    /// Where a submission ends.
    pub(super) cuts: Vec<usize>,
    pub(super) choices: Vec<Choice>,
    /// The choice behind each step.
    pub(super) chosen: Vec<Option<usize>>,
    pub(super) inputs: HashMap<String, Input>,
    pub(super) outputs: HashMap<String, Output>,
    pub(super) plan: Plan,
    // Kept alive for the bind groups.
    pub(super) _buffers: Vec<Buffer>,
    pub(super) _uniform: Uniform,
}

impl Program {
    /// Sets an input for the next runs. An input that the outputs do not depend on is ignored.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is wrong.
    pub fn set(&self, name: &str, values: &[f32]) -> Result<()> {
        self.set_words(name, bytemuck::cast_slice(values))
    }

    /// Sets an integer input.
    pub fn set_u32(&self, name: &str, values: &[u32]) -> Result<()> {
        self.set_words(name, values)
    }

    fn set_words(&self, name: &str, words: &[u32]) -> Result<()> {
        let Some(input) = self.inputs.get(name) else {
            return Ok(());
        };
        if words.len() != shape::len(&input.shape) {
            let what = format!(
                "{} values for {name} of shape {:?}",
                words.len(),
                input.shape
            );
            return Err(Error::shape("Program::set", what));
        }
        self.gpu
            .write(&input.buffer, 0, bytemuck::cast_slice(words))
    }

    /// Submits one run. Returns at once; [`Program::read`] waits.
    ///
    /// # Errors
    /// What the device reported since the last call.
    pub fn run(&self) -> Result<()> {
        let mut first = 0;
        for &cut in &self.cuts {
            self.gpu.submit(&self.steps[first..cut]);
            first = cut;
        }
        self.gpu.check()
    }

    /// Runs once; seconds of every dispatch. What is submitted at once is no more than in [`Program::run`].
    fn timed(&self) -> Result<Vec<f64>> {
        let (mut times, mut first) = (Vec::with_capacity(self.steps.len()), 0);
        for &cut in &self.cuts {
            times.extend(self.gpu.time(&self.steps[first..cut])?);
            first = cut;
        }
        Ok(times)
    }

    /// Runs once with a timestamp around every dispatch.
    pub fn profile(&self) -> Result<Profile> {
        let times = self.step_times()?.into_iter();
        let rows = times.map(|t| (t.step.kernel, t.seconds, t.step.flops, t.step.bytes));
        Ok(Profile::new(rows))
    }

    /// The choices that the program made.
    pub(crate) fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Whether all of them are remembered.
    pub(crate) fn remembered(&self) -> bool {
        let known = |c: &Choice| self.gpu.tuned(&c.key, &c.candidates).is_some();
        self.choices.iter().all(known)
    }

    /// Runs once and returns the seconds of each dispatch that was chosen, with the number of its choice.
    pub(crate) fn time_choices(&self) -> Result<Vec<(usize, f64)>> {
        let chosen = self.chosen.iter().zip(self.timed()?);
        Ok(chosen.filter_map(|(c, s)| Some(((*c)?, s))).collect())
    }

    /// Runs once with a timestamp around every dispatch: the dispatches of a run in order.
    pub fn step_times(&self) -> Result<Vec<StepTime>> {
        let times = self.timed()?;
        let steps = self.plan.steps.iter().filter(|s| !s.once);
        let timed = steps.zip(times).map(|(step, seconds)| StepTime {
            step: step.clone(),
            seconds,
        });
        Ok(timed.collect())
    }

    /// Shape of an input, if the outputs depend on it.
    pub fn input_shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.inputs.get(name)?.shape)
    }

    fn output(&self, name: &str) -> Result<&Output> {
        self.outputs
            .get(name)
            .ok_or_else(|| Error::Config(format!("the program has no output '{name}'")))
    }

    /// Shape of an output.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.output(name)?.shape)
    }

    /// Starts to copy an output of the last run to the host.
    pub fn start_read(&self, name: &str) -> Result<Readback> {
        let elements = shape::len(&self.output(name)?.shape);
        self.start_read_first(name, elements)
    }

    /// The same for its first elements alone, at least one.
    pub fn start_read_first(&self, name: &str, elements: usize) -> Result<Readback> {
        let o = self.output(name)?;
        assert!(
            (1..=shape::len(&o.shape)).contains(&elements),
            "{elements} elements of {name}, which has shape {:?}",
            o.shape
        );
        self.gpu
            .start_read(&o.buffer, o.offset, elements as u64 * 4)
    }

    /// Copies the first `bytes` of an output of the last run into a buffer of usage `COPY_DST`, from byte `at` on.
    pub fn copy_to(&self, name: &str, bytes: u64, to: &wgpu::Buffer, at: u64) -> Result<()> {
        let o = self.output(name)?;
        self.gpu.copy_out(&o.buffer, o.offset, bytes, to, at)
    }

    /// Reads an output of the last run, waiting for it.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        Ok(bytemuck::pod_collect_to_vec(
            &self.start_read(name)?.wait(&self.gpu)?,
        ))
    }

    /// Reads an integer output.
    pub fn read_u32(&self, name: &str) -> Result<Vec<u32>> {
        Ok(bytemuck::pod_collect_to_vec(
            &self.start_read(name)?.wait(&self.gpu)?,
        ))
    }

    /// What the program consists of.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The device.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }
}
