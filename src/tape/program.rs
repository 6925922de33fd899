//! A compiled tape: upload, submit, read back.

use std::collections::HashMap;
use std::sync::Arc;

use super::fuse::{Unit, fuse};
use super::lower::{Lowering, Place, Slot};
use super::narrow::narrowed;
use super::op::Leaf;
use super::plan::{Assignment, Plan, StepTime, assign};
use super::shape::{self, Shape};
use super::simplify::simplified;
use super::tape::{BAD, Id, Tape, Var};
use super::tune::Choice;
use crate::gpu::{Bound, Buffer, Element, Gpu, Profile, Readback, Tier, Uniform};
use crate::{Error, Result};

/// How a tape is compiled.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// States never change while the program lives: whatever depends on them alone is computed once, and what makes less
    /// work with fixed weights is rewritten (`tape/simplify`), which changes results by rounding.
    pub frozen: bool,
    /// Fills every buffer with NaN first, so that tests see what a kernel leaves unwritten.
    pub poison: bool,
    /// Uses the plainest kernel of each op as it was recorded: the oracle for the fast ones.
    pub plain: bool,
    /// How products are computed, and in frozen programs activations kept.
    pub tier: Tier,
    /// Takes this candidate of each choice, the first where there are fewer, instead of the one remembered: to time it.
    pub trial: Option<usize>,
}

impl Options {
    /// Whether activations are kept as f16 in memory.
    fn keeps_half(self) -> bool {
        self.frozen && !self.plain && self.tier != Tier::Portable
    }
}

#[derive(Debug)]
struct Input {
    buffer: Buffer,
    shape: Shape,
}

#[derive(Clone, Debug)]
struct Output {
    buffer: Buffer,
    offset: u64,
    shape: Shape,
}

/// A compiled tape on one device. See the [module](super).
#[derive(Debug)]
pub struct Program {
    gpu: Arc<Gpu>,
    steps: Vec<Bound>,
    /// Where a submission ends.
    cuts: Vec<usize>,
    costs: Vec<(&'static str, f64, f64)>,
    choices: Vec<Choice>,
    /// The choice behind each step.
    chosen: Vec<Option<usize>>,
    inputs: HashMap<String, Input>,
    outputs: HashMap<String, Output>,
    plan: Plan,
    // Kept alive for the bind groups.
    _buffers: Vec<Buffer>,
    _uniform: Uniform,
}

/// A tape as dispatches, before anything is made on the device.
struct Lowered<'g> {
    lowering: Lowering<'g>,
    inputs: HashMap<String, (Slot, Shape)>,
    outputs: Vec<(String, Slot, Shape)>,
    /// Recorded ops that are computed.
    ops: usize,
}

impl Tape {
    /// Compiles what `outputs` and the recorded updates need.
    ///
    /// # Errors
    /// The first error of the recording; [`Error::OutOfMemory`] if a tensor does not fit the device; [`Error::Device`] if
    /// a kernel cannot be made.
    #[track_caller]
    pub fn compile(
        &self,
        gpu: &Arc<Gpu>,
        outputs: &[(&str, Var<'_>)],
        options: Options,
    ) -> Result<Program> {
        Program::bind(gpu, self.lowered(gpu, outputs, options)?, options)
    }

    /// Bytes of the buffers between the steps of the program that [`compile`](Self::compile) would make. Nothing is made on
    /// the device.
    ///
    /// # Errors
    /// As [`compile`](Self::compile), but for memory.
    pub fn buffer_bytes(
        &self,
        gpu: &Arc<Gpu>,
        outputs: &[(&str, Var<'_>)],
        options: Options,
    ) -> Result<u64> {
        let lowered = self.lowered(gpu, outputs, options)?.lowering;
        let Assignment { sizes, .. } = assign(&lowered.slots, &lowered.dispatches);
        Ok(sizes.iter().sum())
    }

    #[track_caller]
    fn lowered<'g>(
        &self,
        gpu: &'g Arc<Gpu>,
        outputs: &[(&str, Var<'_>)],
        options: Options,
    ) -> Result<Lowered<'g>> {
        self.check()?;
        gpu.capabilities().check_tier(options.tier)?;
        assert!(
            outputs.iter().all(|(_, v)| v.id != BAD),
            "a bad variable without an error"
        );
        if !options.frozen || options.plain || !self.effects().is_empty() {
            return self.lowered_as_it_is(gpu, outputs, options);
        }
        let roots: Vec<Id> = outputs.iter().map(|(_, v)| v.id).collect();
        let (simpler, roots) = simplified(self, &roots, options.tier, gpu.capabilities().on_cpu);
        simpler.check()?;
        let names = outputs.iter().map(|(name, _)| *name);
        let outputs: Vec<_> = names.zip(roots.iter().map(|&r| simpler.var(r))).collect();
        simpler.lowered_as_it_is(gpu, &outputs, options)
    }

    fn lowered_as_it_is<'g>(
        &self,
        gpu: &'g Arc<Gpu>,
        outputs: &[(&str, Var<'_>)],
        options: Options,
    ) -> Result<Lowered<'g>> {
        let nodes = self.nodes();
        let effects = self.effects();
        let mut roots: Vec<Id> = outputs.iter().map(|(_, v)| v.id).collect();
        roots.extend(effects.iter().flat_map(|e| e.inputs.iter().copied()));
        let live = reachable(nodes.len(), &roots, |id| &nodes[id].inputs);
        let units = fuse(&nodes, &live, &roots);
        let half = match options.keeps_half() && effects.is_empty() {
            true => narrowed(&nodes, &units, &live, &roots),
            false => vec![false; nodes.len()],
        };
        let live = reachable(nodes.len(), &roots, |id| {
            units[id].as_ref().map_or(&[][..], |(_, inputs)| inputs)
        });

        let mut l = Lowering::new(gpu, options);
        let mut slots: Vec<Slot> = vec![usize::MAX; nodes.len()];
        let mut inputs: HashMap<String, (Slot, Shape)> = HashMap::new();
        let placed = self.direct(&units, &live, &roots, outputs);
        for (id, node) in nodes.iter().enumerate().filter(|(id, _)| live[*id]) {
            let Some((op, sources)) = &units[id] else {
                continue;
            };
            let words = shape::len(&node.shape);
            if let Some(leaf) = op.leaf() {
                let constant = match leaf {
                    Leaf::Constant(_) => true,
                    Leaf::State(_) => options.frozen,
                    Leaf::Input(_) => false,
                };
                slots[id] = l.slot(words, Place::Leaf(leaf.clone()), constant);
                if let Leaf::Input(name) = leaf {
                    inputs.insert(name.clone(), (slots[id], node.shape.clone()));
                }
                continue;
            }
            let from: Vec<Slot> = sources.iter().map(|&s| slots[s]).collect();
            if op.is_view() {
                slots[id] = from[0];
                continue;
            }
            slots[id] = match placed.get(&id) {
                Some(state) => l.state(state),
                None => l.slot(words, Place::Temporary, false),
            };
            if half[id] {
                l.slots[slots[id]].element = Element::F16;
            }
            let shapes = sources.iter().map(|&s| nodes[s].shape.clone()).collect();
            l.op(op.as_ref(), &from, shapes, slots[id], &node.shape)?;
        }
        // A gradient that was placed straight into its state needs no copy.
        let done = |e: &super::tape::Effect| {
            e.op.is_store() && placed.values().any(|s| s.key == e.states[0].key)
        };
        // A state stored into another is copied before any state changes.
        let mut copies: HashMap<Slot, Slot> = HashMap::new();
        for effect in effects.iter().filter(|e| e.op.is_store()) {
            let from = slots[effect.inputs[0]];
            if !done(effect) && matches!(l.slots[from].place, Place::Leaf(Leaf::State(_))) {
                l.begin_update(effect.op.name());
                let copy = l.scratch(l.slots[from].words);
                crate::ops::update::copy(&mut l, from, copy)?;
                copies.insert(from, copy);
            }
        }
        for effect in effects.iter() {
            l.begin_update(effect.op.name());
            if !done(effect) {
                let before = |&i: &Id| copies.get(&slots[i]).copied().unwrap_or(slots[i]);
                let from: Vec<Slot> = effect.inputs.iter().map(before).collect();
                effect.op.lower(&mut l, &effect.states, &from)?;
            }
        }
        for &(_, v) in outputs {
            let slot = slots[v.id];
            if matches!(l.slots[slot].place, Place::Temporary) {
                l.slots[slot].place = Place::Kept;
            }
        }
        Ok(Lowered {
            outputs: outputs
                .iter()
                .map(|(name, v)| ((*name).to_owned(), slots[v.id], v.shape()))
                .collect(),
            inputs,
            ops: live.iter().filter(|l| **l).count(),
            lowering: l,
        })
    }

    /// Values that go nowhere but into a state are written there directly: gradients into the optimiser's buffer.
    fn direct(
        &self,
        units: &[Unit],
        live: &[bool],
        roots: &[Id],
        outputs: &[(&str, Var<'_>)],
    ) -> HashMap<Id, super::tape::State> {
        let mut uses: HashMap<Id, usize> = HashMap::new();
        for (unit, _) in units.iter().zip(live).filter(|(_, live)| **live) {
            for &input in unit.iter().flat_map(|(_, inputs)| inputs) {
                *uses.entry(input).or_default() += 1;
            }
        }
        for &root in roots {
            *uses.entry(root).or_default() += 1;
        }
        let read: Vec<&str> = units
            .iter()
            .zip(live)
            .filter(|(_, live)| **live)
            .filter_map(
                |(unit, _)| match unit.as_ref().and_then(|(op, _)| op.leaf()) {
                    Some(Leaf::State(state)) => Some(&*state.key),
                    _ => None,
                },
            )
            .collect();
        let mut placed = HashMap::new();
        for effect in self.effects().iter().filter(|e| e.op.is_store()) {
            let (mut id, state) = (effect.inputs[0], &effect.states[0]);
            let only =
                |id: Id| uses.get(&id) == Some(&1) && outputs.iter().all(|(_, v)| v.id != id);
            let mut only_use = only(id);
            // Through views: a gradient is often another tensor under the parameter's shape.
            while let Some((op, from)) = &units[id]
                && op.is_view()
            {
                id = from[0];
                only_use &= only(id);
            }
            let computed = units[id]
                .as_ref()
                .is_some_and(|(op, _)| op.leaf().is_none());
            // A dispatch cannot read one state and write another in the same buffer.
            let shared = computed
                && units[id]
                    .iter()
                    .flat_map(|(_, x)| x)
                    .any(|&x| state_of(units, x).is_some_and(|s| s.buffer.same(&state.buffer)));
            if computed && only_use && !shared && !read.contains(&&*state.key) {
                placed.insert(id, state.clone());
            }
        }
        placed
    }
}

/// The state that a node is, or is a view of.
fn state_of(units: &[Unit], id: Id) -> Option<&super::tape::State> {
    let (op, inputs) = units[id].as_ref()?;
    match op.leaf() {
        Some(Leaf::State(state)) => Some(state),
        _ => op.is_view().then(|| state_of(units, inputs[0]))?,
    }
}

/// Nodes that `roots` need.
pub(super) fn reachable<'a>(
    count: usize,
    roots: &[Id],
    inputs: impl Fn(Id) -> &'a [Id],
) -> Vec<bool> {
    let mut live = vec![false; count];
    for &root in roots {
        live[root] = true;
    }
    for id in (0..count).rev().collect::<Vec<_>>() {
        if live[id] {
            inputs(id).iter().for_each(|&i| live[i] = true);
        }
    }
    live
}

impl Program {
    fn bind(gpu: &Arc<Gpu>, lowered: Lowered<'_>, options: Options) -> Result<Self> {
        let Lowered {
            lowering: l,
            inputs,
            outputs,
            ops,
        } = lowered;
        let Assignment { buffer, sizes } = assign(&l.slots, &l.dispatches);
        let mut buffers = Vec::with_capacity(sizes.len());
        for &bytes in &sizes {
            buffers.push(gpu.buffer(bytes)?);
        }
        if options.poison {
            for b in &buffers {
                gpu.write(
                    b,
                    0,
                    // NaN as f32 and as two f16.
                    bytemuck::cast_slice(&vec![u32::MAX; b.size() as usize / 4]),
                );
            }
        }
        // Where each slot's memory is, and what of it.
        let mut memory: Vec<(Buffer, u64, u64)> = Vec::with_capacity(l.slots.len());
        let (mut leaf_bytes, mut state_bytes) = (0, 0);
        for (info, planned) in l.slots.iter().zip(&buffer) {
            // Kernels may read four elements at once.
            let bytes = info.bytes().next_multiple_of(16);
            memory.push(match (&info.place, planned) {
                (Place::Leaf(Leaf::State(state)), _) => {
                    state_bytes += bytes;
                    (state.buffer.clone(), state.offset, bytes)
                }
                (Place::Leaf(Leaf::Constant(bits)), _) => {
                    leaf_bytes += bytes;
                    (gpu.upload(bits)?, 0, bytes)
                }
                (Place::Leaf(Leaf::Input(_)), _) => {
                    leaf_bytes += bytes;
                    (gpu.buffer(bytes)?, 0, bytes)
                }
                (_, Some(b)) => (buffers[*b].clone(), 0, bytes),
                // Never dispatched: an output that nothing computes cannot occur, a scratch that is not used can.
                (_, None) => (gpu.buffer(bytes)?, 0, bytes),
            });
        }
        let align = u64::from(
            gpu.capabilities()
                .limits
                .min_uniform_buffer_offset_alignment,
        );
        let mut uniform = Vec::new();
        let mut offsets = Vec::with_capacity(l.dispatches.len());
        for d in &l.dispatches {
            uniform.resize(uniform.len().next_multiple_of(align as usize), 0);
            offsets.push(uniform.len() as u64);
            uniform.extend(&d.params);
        }
        let uniform = gpu.uniform(&uniform);
        let (mut once, mut steps, mut costs, mut cuts, mut work) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), 0.0);
        let mut chosen = Vec::new();
        let most = gpu.most_at_once();
        for (d, &offset) in l.dispatches.iter().zip(&offsets) {
            let pipeline =
                gpu.pipeline(d.kernel, d.expression.as_deref(), d.halves, &d.overrides)?;
            let storage: Vec<_> = d
                .slots
                .iter()
                .map(|&s| (&memory[s].0, memory[s].1, memory[s].2))
                .collect();
            let bound = gpu.bind(
                &pipeline,
                d.kernel,
                (&uniform, offset, d.params.len() as u64),
                &storage,
                d.grid,
            );
            if d.once {
                once.push(bound);
                continue;
            }
            steps.push(bound);
            chosen.push(d.choice);
            costs.push((d.op, d.cost.flops, d.cost.bytes));
            work += d.cost.flops;
            let since = steps.len() - cuts.last().unwrap_or(&0);
            if work > most.flops || since >= most.dispatches {
                cuts.push(steps.len());
                work = 0.0;
            }
        }
        if cuts.last() != Some(&steps.len()) {
            cuts.push(steps.len());
        }
        for few in once.chunks(most.dispatches) {
            gpu.submit(few);
        }
        let name = |s: usize| match (&l.slots[s].place, buffer[s]) {
            (Place::Leaf(Leaf::Input(name)), _) => name.clone(),
            (Place::Leaf(Leaf::State(state)), _) => state.key.to_string(),
            (Place::Leaf(Leaf::Constant(_)), _) => "constant".into(),
            (_, Some(b)) if l.slots[s].element == Element::F16 => format!("#{b}h"),
            (_, Some(b)) => format!("#{b}"),
            (_, None) => "-".into(),
        };
        let plan = Plan {
            steps: l.dispatches.iter().map(|d| Plan::step(d, name)).collect(),
            ops,
            buffers: sizes,
            leaf_bytes,
            state_bytes,
        };
        let inputs = inputs
            .into_iter()
            .map(|(name, (slot, shape))| {
                (
                    name,
                    Input {
                        buffer: memory[slot].0.clone(),
                        shape,
                    },
                )
            })
            .collect();
        let outputs = outputs
            .into_iter()
            .map(|(name, slot, shape)| {
                (
                    name,
                    Output {
                        buffer: memory[slot].0.clone(),
                        offset: memory[slot].1,
                        shape,
                    },
                )
            })
            .collect();
        gpu.check()?;
        let _buffers = memory.into_iter().map(|(b, _, _)| b).collect();
        Ok(Self {
            gpu: gpu.clone(),
            steps,
            cuts,
            costs,
            choices: l.choices,
            chosen,
            inputs,
            outputs,
            plan,
            _buffers,
            _uniform: uniform,
        })
    }

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
            .write(&input.buffer, 0, bytemuck::cast_slice(words));
        Ok(())
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

    /// Runs once with a timestamp around every dispatch.
    pub fn profile(&self) -> Result<Profile> {
        let times = self.gpu.time(&self.steps)?;
        let rows = times
            .into_iter()
            .zip(&self.costs)
            .map(|((kernel, s), (_, flops, bytes))| (kernel, s, *flops, *bytes));
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
        let times = self.gpu.time(&self.steps)?.into_iter();
        let chosen = self.chosen.iter().zip(times);
        Ok(chosen.filter_map(|(c, (_, s))| Some(((*c)?, s))).collect())
    }

    /// Runs once with a timestamp around every dispatch: the dispatches of a run in order.
    pub fn step_times(&self) -> Result<Vec<StepTime>> {
        let times = self.gpu.time(&self.steps)?;
        let steps = self.plan.steps.iter().filter(|s| !s.once);
        let timed = steps.zip(times).map(|(step, (_, seconds))| StepTime {
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
