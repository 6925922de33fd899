//! A system under training on a device: one compiled program for each kind of step.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::data::Showers;
use crate::gpu::{Gpu, Profile, Readback};
use crate::models::{Build, Networks, System, Turn};
use crate::ops::random;
use crate::tape::{Options, Plan, Program, StepTime, Tape, Var};
use crate::{Error, Result};

/// Runs under way before the oldest is waited for: the device never idles, and never falls behind by more.
const AHEAD: usize = 2;

struct Compiled {
    program: Program,
    losses: Vec<&'static str>,
    /// The networks that it updates.
    networks: Vec<&'static str>,
    optimizer: crate::ops::Optimizer,
    /// Steps of this kind taken.
    taken: u64,
}

/// The losses of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// Index of the step's kind.
    pub step: usize,
    /// Name and value, in the system's order.
    pub values: Vec<(&'static str, f32)>,
}

/// A system with its networks and step programs.
pub struct Session {
    gpu: Arc<Gpu>,
    system: Box<dyn System>,
    networks: Networks,
    batch: usize,
    seed: u64,
    compiled: Vec<Option<Compiled>>,
    /// Turns taken, of any kind: the address of a step's random numbers.
    turns: u64,
    pending: VecDeque<(usize, Readback)>,
    profile: Option<Profile>,
}

impl Session {
    /// Networks with the initial values that `seed` gives; programs are compiled when first used.
    pub fn new(gpu: &Arc<Gpu>, system: Box<dyn System>, batch: usize, seed: u64) -> Result<Self> {
        let networks = Networks::new(gpu, system.as_ref(), &[], seed, true)?;
        // The running mean of the parameters starts at the parameters.
        for (_, parameters) in networks.iter() {
            if let Some(mean) = parameters.mean() {
                mean.set(gpu, &parameters.values().get(gpu)?)?;
            }
        }
        let compiled = system.steps().iter().map(|_| None).collect();
        let (gpu, pending) = (gpu.clone(), VecDeque::new());
        Ok(Self {
            gpu,
            system,
            networks,
            batch,
            seed,
            compiled,
            turns: 0,
            pending,
            profile: None,
        })
    }

    /// Sums times by kernel from now on. Slower.
    pub fn enable_profile(&mut self) {
        self.profile = Some(Profile::default());
    }

    /// Times by kernel, if they are summed.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// The system.
    pub fn system(&self) -> &dyn System {
        self.system.as_ref()
    }

    /// Its networks.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// The device.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Showers in a batch.
    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    /// Steps of each kind taken so far, and turns of any kind.
    pub(super) fn counters(&self) -> (Vec<u64>, u64) {
        (
            self.compiled
                .iter()
                .map(|c| c.as_ref().map_or(0, |c| c.taken))
                .collect(),
            self.turns,
        )
    }

    pub(super) fn set_counters(&mut self, taken: &[u64], turns: u64) -> Result<()> {
        self.turns = turns;
        for (step, &count) in taken.iter().enumerate().filter(|(_, c)| **c > 0) {
            self.compiled(step)?.taken = count;
        }
        Ok(())
    }

    /// The plan of one kind of step.
    pub fn plan(&mut self, step: usize) -> Result<Plan> {
        Ok(self.compiled(step)?.program.plan().clone())
    }

    /// Takes one kind of step again, on the showers that it had last, with a timestamp around every dispatch.
    pub fn step_times(&mut self, step: usize) -> Result<Vec<StepTime>> {
        self.compiled(step)?.program.step_times()
    }

    /// Names of the losses of one kind of step.
    pub fn loss_names(&mut self, step: usize) -> Result<&[&'static str]> {
        Ok(&self.compiled(step)?.losses)
    }

    fn compiled(&mut self, step: usize) -> Result<&mut Compiled> {
        if self.compiled[step].is_none() {
            let made = self.compile(step)?;
            self.compiled[step] = Some(made);
        }
        self.compiled[step]
            .as_mut()
            .ok_or_else(|| Error::Config(format!("there is no step {step}")))
    }

    fn compile(&self, step: usize) -> Result<Compiled> {
        let what = self.system.steps().swap_remove(step);
        let tape = Tape::new();
        let build = Build::new(&tape, &self.networks, self.system.as_ref(), self.batch);
        let losses = self.system.losses(step, &build);
        let hyper = tape.input("hyper", &[3]);
        for name in &what.networks {
            self.networks.get(name)?.store_gradients(losses[0].1);
        }
        for name in &what.networks {
            let parameters = self.networks.get(name)?;
            parameters.optimize(what.optimizer, hyper);
            if let Some(mean) = parameters.mean() {
                tape.average(mean, parameters.values(), self.system.average());
            }
        }
        let stacked: Vec<Var<'_>> = losses.iter().map(|(_, loss)| loss.reshape(&[1])).collect();
        let all = Var::concat(&stacked, 0);
        let program = tape.compile(&self.gpu, &[("losses", all)], Options::default())?;
        let losses = losses.iter().map(|(name, _)| *name).collect();
        Ok(Compiled {
            program,
            losses,
            networks: what.networks,
            optimizer: what.optimizer,
            taken: 0,
        })
    }

    /// Takes one step on a batch. Returns the losses of an earlier step when they have arrived.
    ///
    /// # Errors
    /// [`Error::NotFinite`] when a loss is NaN or infinite, naming the first tensor that went bad.
    pub fn take(&mut self, turn: Turn, showers: &Showers) -> Result<Option<Losses>> {
        let conditions = showers.labels(&self.system.conditions())?;
        let random = random::key(self.seed, self.turns * self.batch as u64);
        let profiled = self.profile.is_some();
        self.compiled(turn.step)?.taken += 1;
        let updates = self.updates(turn.step);
        let c = self.compiled(turn.step)?;
        c.program.set("showers", &showers.layers)?;
        c.program.set("conditions", &conditions)?;
        c.program.set_u32("random", &random)?;
        c.program
            .set("hyper", &c.optimizer.hyper(turn.learning_rate, updates))?;
        if profiled {
            let times = c.program.profile()?;
            if let Some(sum) = &mut self.profile {
                sum.merge(times);
            }
        } else {
            c.program.run()?;
        }
        let Some(c) = &self.compiled[turn.step] else {
            return Ok(None);
        };
        self.pending
            .push_back((turn.step, c.program.start_read("losses")?));
        self.turns += 1;
        if self.pending.len() > AHEAD {
            self.arrived()
        } else {
            Ok(None)
        }
    }

    /// Updates so far of the networks that `step` updates. Kinds of step that update the same networks share the
    /// optimiser's moments and so this count, by which it corrects them.
    fn updates(&self, step: usize) -> u64 {
        let made = |i: usize| self.compiled[i].as_ref();
        let same = |c: &&Compiled| made(step).is_some_and(|s| s.networks == c.networks);
        let all = self.compiled.iter().flatten();
        all.filter(same).map(|c| c.taken).sum()
    }

    /// Begins epoch `epoch`: networks that the system lets start anew get initial values, and their optimiser forgets.
    pub fn begin_epoch(&mut self, epoch: u64) -> Result<()> {
        let names = self.system.restarts(epoch);
        for name in &names {
            self.networks.get(name)?.restart(&self.gpu, epoch)?;
        }
        for c in self.compiled.iter_mut().flatten() {
            if c.networks.iter().all(|n| names.contains(n)) {
                c.taken = 0;
            }
        }
        Ok(())
    }

    /// Waits for the oldest step under way.
    pub fn arrived(&mut self) -> Result<Option<Losses>> {
        let Some((step, read)) = self.pending.pop_front() else {
            return Ok(None);
        };
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(&read.wait(&self.gpu)?);
        let names = self.compiled[step].as_ref().map_or(&[][..], |c| &c.losses);
        let losses = Losses {
            step,
            values: names.iter().copied().zip(values).collect(),
        };
        match losses.values.iter().find(|(_, v)| !v.is_finite()) {
            Some((name, value)) => Err(self.blame(step, name, *value)),
            None => Ok(Some(losses)),
        }
    }

    /// Says which tensor went bad first, as far as can be told after the fact.
    fn blame(&self, step: usize, loss: &str, value: f32) -> Error {
        let step_name = self.system.steps().swap_remove(step).name;
        let taken = self.compiled[step].as_ref().map_or(0, |c| c.taken);
        let bad = |values: Result<Vec<f32>>| values.is_ok_and(|v| v.iter().any(|x| !x.is_finite()));
        let mut place = String::new();
        'search: for (name, parameters) in self.networks.iter() {
            for (value, gradient) in parameters.gradients() {
                for (what, state) in [("", &value), ("the gradient of ", &gradient)] {
                    if bad(state.get(&self.gpu)) {
                        let tensor = state.key.split_once('.').map_or("", |(_, t)| t);
                        place = format!("; first bad tensor: {what}{name}.{tensor}");
                        break 'search;
                    }
                }
            }
        }
        Error::NotFinite(format!(
            "{step_name} step {taken}: the loss '{loss}' is {value}{place}"
        ))
    }
}
