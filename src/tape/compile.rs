//! From a tape to dispatches: what is needed, in which form, and where each value goes.

use std::collections::HashMap;
use std::sync::Arc;

use super::fuse::{Unit, fuse};
use super::lower::{Lowering, Place, Slot};
use super::narrow::narrowed;
use super::op::Leaf;
use super::plan::{Assignment, assign};
use super::program::Program;
use super::shape::{self, Shape};
use super::simplify::simplified;
use super::tape::{Effect, Id, State, Tape, Var};
use crate::gpu::{Element, Gpu, Tier};
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
    /// For weights that never change, else as by default.
    pub const FROZEN: Self = Self {
        frozen: true,
        poison: false,
        plain: false,
        tier: Tier::Portable,
        trial: None,
    };

    /// Whether activations are kept as f16 in memory.
    fn keeps_half(self) -> bool {
        self.frozen && !self.plain && self.tier != Tier::Portable
    }
}

/// A tape as dispatches, before anything is made on the device.
pub(super) struct Lowered<'g> {
    pub(super) lowering: Lowering<'g>,
    pub(super) inputs: HashMap<String, (Slot, Shape)>,
    pub(super) outputs: Vec<(String, Slot, Shape)>,
    /// Recorded ops that are computed.
    pub(super) ops: usize,
}

impl Tape {
    /// Compiles what `outputs` and the recorded updates need.
    ///
    /// # Errors
    /// The first error of the recording; [`OutOfMemory`](crate::Error::OutOfMemory) if a tensor does not fit the device;
    /// [`Device`](crate::Error::Device) if a kernel cannot be made.
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
        if self.failed.get() {
            let what = "the recording failed; its error was returned before";
            return Err(Error::Config(what.into()));
        }
        gpu.capabilities().check_tier(options.tier)?;
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
        let placed = self.placed_in_states(&units, &live, &roots, outputs);
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
        self.lower_updates(&mut l, &slots, &placed)?;
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

    /// The recorded updates, once all values are made.
    fn lower_updates(
        &self,
        l: &mut Lowering<'_>,
        slots: &[Slot],
        placed: &HashMap<Id, State>,
    ) -> Result<()> {
        let effects = self.effects();
        // A gradient that was placed straight into its state needs no copy.
        let done =
            |e: &Effect| e.op.is_store() && placed.values().any(|s| s.key == e.states[0].key);
        // A state stored into another is copied before any state changes.
        let mut copies: HashMap<Slot, Slot> = HashMap::new();
        for effect in effects.iter().filter(|e| e.op.is_store()) {
            let from = slots[effect.inputs[0]];
            if !done(effect) && matches!(l.slots[from].place, Place::Leaf(Leaf::State(_))) {
                l.begin_update(effect.op.name());
                let copy = l.scratch(l.slots[from].elements);
                crate::ops::update::copy(l, from, copy)?;
                copies.insert(from, copy);
            }
        }
        for effect in effects.iter() {
            l.begin_update(effect.op.name());
            if !done(effect) {
                let before = |&i: &Id| copies.get(&slots[i]).copied().unwrap_or(slots[i]);
                let from: Vec<Slot> = effect.inputs.iter().map(before).collect();
                effect.op.lower(l, &effect.states, &from)?;
            }
        }
        Ok(())
    }

    /// Values that go nowhere but into a state are written there directly: gradients into the optimiser's buffer.
    fn placed_in_states(
        &self,
        units: &[Unit],
        live: &[bool],
        roots: &[Id],
        outputs: &[(&str, Var<'_>)],
    ) -> HashMap<Id, State> {
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
fn state_of(units: &[Unit], id: Id) -> Option<&State> {
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
