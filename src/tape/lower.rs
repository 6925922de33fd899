//! From ops to dispatches on buffers that are not yet memory.

use std::collections::HashMap;

use super::compile::Options;
use super::op::{Leaf, Op};
use super::shape::{self, Shape};
use super::tape::State;
use super::tune::Choice;
use crate::Result;
use crate::gpu::{Access, Binding, Capabilities, Element, Gpu, Kernel, Matrix, Params, Tier};

/// A buffer to be: planned after everything is lowered.
pub type Slot = usize;

/// What an op costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating point operations, a multiply-add counted as two.
    pub flops: f64,
    /// Bytes of operands, each counted once.
    pub bytes: f64,
}

impl Cost {
    /// Each operand is counted once, as f32.
    pub(crate) fn new(flops: f64, inputs: &[&[usize]], output: &[usize]) -> Self {
        let elements = inputs.iter().map(|s| shape::len(s)).sum::<usize>() + shape::len(output);
        Self {
            flops,
            bytes: (Element::F32.bytes() * elements) as f64,
        }
    }
}

/// What stands behind a slot.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Memory shared with others whose lifetimes do not meet.
    Temporary,
    /// Memory that keeps its contents between runs: computed once, or read by the caller.
    Kept,
    /// Something from outside.
    Leaf(Leaf),
}

#[derive(Clone, Debug)]
pub(crate) struct SlotInfo {
    /// How many.
    pub elements: usize,
    /// What each is in memory: two bytes only in a temporary.
    pub element: Element,
    pub place: Place,
    /// The same in every run.
    pub constant: bool,
}

impl SlotInfo {
    pub fn bytes(&self) -> u64 {
        (self.elements * self.element.bytes()) as u64
    }
}

/// One dispatch to be.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    pub op: &'static str,
    pub kernel: &'static Kernel,
    /// The text for the mark of `lib/expression.wgsl` or `lib/matrix.wgsl`.
    pub inserted: Option<String>,
    /// Bit i: the i-th binding is of f16.
    pub halves: u32,
    pub overrides: Vec<(&'static str, f64)>,
    pub params: Vec<u8>,
    pub slots: Vec<Slot>,
    pub grid: [u32; 3],
    pub cost: Cost,
    /// Of the op's result.
    pub shape: Shape,
    /// Prepares an operand.
    auxiliary: bool,
    /// Runs once, when the program is made.
    pub once: bool,
    /// The choice that it was made by.
    pub choice: Option<usize>,
}

/// The bindings that a dispatch writes, with their slots.
fn written_by(d: &Dispatch) -> impl Iterator<Item = (&Binding, &Slot)> {
    let bound = d.kernel.bindings.iter().zip(&d.slots);
    bound.filter(|(b, _)| b.access == Access::Write)
}

/// What ops record their dispatches in.
pub struct Lowering<'a> {
    gpu: &'a Gpu,
    pub(crate) slots: Vec<SlotInfo>,
    pub(crate) dispatches: Vec<Dispatch>,
    derived: HashMap<(Slot, String), Slot>,
    op: &'static str,
    inputs: Vec<Shape>,
    output: Shape,
    options: Options,
    deriving: bool,
    pub(crate) choices: Vec<Choice>,
    /// The last choice, until the kernel it is for is dispatched.
    chosen: Option<(&'static Kernel, usize)>,
}

impl<'a> Lowering<'a> {
    pub(crate) fn new(gpu: &'a Gpu, options: Options) -> Self {
        Self {
            gpu,
            slots: Vec::new(),
            dispatches: Vec::new(),
            derived: HashMap::new(),
            op: "",
            inputs: Vec::new(),
            output: Vec::new(),
            options,
            deriving: false,
            choices: Vec::new(),
            chosen: None,
        }
    }

    /// What the device can do.
    pub fn capabilities(&self) -> &Capabilities {
        self.gpu.capabilities()
    }

    /// True if a shower must come out the same, to the bit, in a batch of any size: no sum may be cut by the batch's size.
    pub fn per_shower(&self) -> bool {
        self.options.frozen
    }

    /// True if ops shall use their plainest kernels.
    pub fn plain(&self) -> bool {
        self.options.plain
    }

    /// The cooperative matrices to compute products with, if the program is of that tier.
    pub fn matrix(&self) -> Option<Matrix> {
        match self.options.tier {
            Tier::Matrix if !self.options.plain => self.capabilities().matrix,
            _ => None,
        }
    }

    /// True on software Vulkan: workgroups are what runs in parallel, and lanes are a vector.
    pub fn on_cpu(&self) -> bool {
        self.capabilities().on_cpu
    }

    /// What the elements of a slot are in memory.
    pub(crate) fn element(&self, slot: Slot) -> Element {
        self.slots[slot].element
    }

    /// What tells choices for operands of other elements apart: nothing where all are f32.
    pub(crate) fn element_key(&self, slots: &[Slot]) -> String {
        match slots.iter().all(|&s| self.element(s) == Element::F32) {
            true => String::new(),
            false => format!(
                " {:?}",
                slots.iter().map(|&s| self.element(s)).collect::<Vec<_>>()
            ),
        }
    }

    /// Shape of the `i`-th input of the op being lowered.
    pub fn input_shape(&self, i: usize) -> &[usize] {
        &self.inputs[i]
    }

    /// Shape of the result of the op being lowered.
    pub fn output_shape(&self) -> &[usize] {
        &self.output
    }

    pub(crate) fn slot(&mut self, elements: usize, place: Place, constant: bool) -> Slot {
        self.slots.push(SlotInfo {
            elements,
            element: Element::F32,
            place,
            constant,
        });
        self.slots.len() - 1
    }

    /// A buffer of `words` four-byte elements that lives within this op.
    pub fn scratch(&mut self, words: usize) -> Slot {
        self.slot(words.max(1), Place::Temporary, false)
    }

    /// The slot of a state, for an update that changes it.
    pub(crate) fn state(&mut self, state: &State) -> Slot {
        self.slot(
            shape::len(&state.shape),
            Place::Leaf(Leaf::State(state.clone())),
            false,
        )
    }

    /// One of `candidates` for the next dispatch of `kernel`: the one remembered as the fastest for this `shape` on this
    /// device, else the first. All must give the same bits.
    pub(crate) fn choose(
        &mut self,
        kernel: &'static Kernel,
        shape: &str,
        candidates: Vec<Vec<u32>>,
    ) -> Vec<u32> {
        let key = kernel.tuning_key(shape);
        let taken = match self.options.trial {
            Some(trial) => candidates.get(trial).unwrap_or(&candidates[0]).clone(),
            None => (self.gpu.tuned(&key, &candidates)).unwrap_or_else(|| candidates[0].clone()),
        };
        self.chosen = Some((kernel, self.choices.len()));
        self.choices.push(Choice { key, candidates });
        taken
    }

    /// Numbers known now.
    pub fn constant(&mut self, words: Vec<u32>) -> Slot {
        let count = words.len();
        let leaf = Leaf::Constant(std::sync::Arc::new(words));
        self.slot(count, Place::Leaf(leaf), true)
    }

    /// Something of `words` elements made from `source` alone, once however often it is asked for under the same key:
    /// weights in the order in which a kernel reads them.
    pub fn derived(
        &mut self,
        source: Slot,
        key: String,
        words: usize,
        make: impl FnOnce(&mut Self, Slot) -> Result<()>,
    ) -> Result<Slot> {
        if let Some(&slot) = self.derived.get(&(source, key.clone())) {
            return Ok(slot);
        }
        let slot = self.scratch(words);
        self.deriving = true;
        let made = make(self, slot);
        self.deriving = false;
        made?;
        self.derived.insert((source, key), slot);
        Ok(slot)
    }

    /// Records one dispatch. `slots` are in the order of the kernel's bindings.
    pub fn dispatch<P: Params>(
        &mut self,
        kernel: &'static Kernel,
        params: &P,
        overrides: &[(&'static str, f64)],
        slots: &[Slot],
        grid: [u32; 3],
    ) -> Result<()> {
        self.dispatch_with(kernel, None, params, overrides, slots, grid)
    }

    /// The same with a text for the mark of `lib/expression.wgsl` or `lib/matrix.wgsl`.
    pub(crate) fn dispatch_with<P: Params>(
        &mut self,
        kernel: &'static Kernel,
        inserted: Option<String>,
        params: &P,
        overrides: &[(&'static str, f64)],
        slots: &[Slot],
        grid: [u32; 3],
    ) -> Result<()> {
        assert_eq!(P::NAME, kernel.params, "{}: parameter block", kernel.entry);
        assert_eq!(
            slots.len(),
            kernel.bindings.len(),
            "{}: one slot per binding",
            kernel.entry
        );
        let bindings = || kernel.bindings.iter().zip(slots);
        for (b, &written) in bindings().filter(|(b, _)| b.access == Access::Write) {
            let clash = bindings().any(|(other, &s)| s == written && other.number != b.number);
            assert!(!clash, "{}: {} is bound twice", kernel.entry, b.name);
        }
        let mut halves = 0;
        for (i, (b, &slot)) in bindings().enumerate() {
            if self.element(slot) == Element::F32 {
                continue;
            }
            halves |= u32::from(b.half) << i;
            // A binding without an operand holds another's in its place.
            let bound = b.half || bindings().any(|(other, &s)| s == slot && other.half);
            assert!(bound, "{}: {} cannot be f16", kernel.entry, b.name);
        }
        let once = bindings().all(|(b, &s)| match b.access {
            Access::Read => self.slots[s].constant,
            // Written bindings hold nothing yet, or something made once.
            Access::Write => self.slots[s].constant || !self.written(s),
        });
        for (_, &s) in bindings().filter(|(b, _)| b.access == Access::Write) {
            if self.slots[s].constant && !once {
                self.repeat(s);
            }
            self.slots[s].constant = once;
            if once && matches!(self.slots[s].place, Place::Temporary) {
                self.slots[s].place = Place::Kept;
            }
        }
        let choice = self.chosen.filter(|(k, _)| std::ptr::eq(*k, kernel));
        if choice.is_some() {
            self.chosen = None;
        }
        self.dispatches.push(Dispatch {
            op: self.op,
            choice: choice.map(|(_, i)| i),
            kernel,
            inserted,
            halves,
            overrides: overrides.to_vec(),
            params: bytemuck::bytes_of(params).to_vec(),
            slots: slots.to_vec(),
            grid,
            cost: Cost::default(),
            shape: self.output.clone(),
            auxiliary: self.deriving,
            once,
        });
        Ok(())
    }

    /// What was to fill `slot` once is overwritten: it has to run every time, and so has what read it.
    fn repeat(&mut self, slot: Slot) {
        self.slots[slot].constant = false;
        let mut changed = true;
        while changed {
            changed = false;
            for d in self.dispatches.iter_mut().filter(|d| d.once) {
                if d.slots.iter().all(|&s| self.slots[s].constant) {
                    continue;
                }
                (d.once, changed) = (false, true);
                for (_, &s) in written_by(d) {
                    self.slots[s].constant = false;
                }
            }
        }
    }

    fn written(&self, slot: Slot) -> bool {
        matches!(self.slots[slot].place, Place::Leaf(_))
            || self
                .dispatches
                .iter()
                .rev()
                .any(|d| written_by(d).any(|(_, &s)| s == slot))
    }

    /// Lowers one op.
    pub(crate) fn op(
        &mut self,
        op: &dyn Op,
        inputs: &[Slot],
        shapes: Vec<Shape>,
        output: Slot,
        shape: &[usize],
    ) -> Result<()> {
        let views: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let mut cost = op.cost(&views, shape);
        // Ops count every operand once, as f32.
        for (&slot, shape) in inputs.iter().zip(&views).chain([(&output, &shape)]) {
            let less = Element::F32.bytes() - self.element(slot).bytes();
            cost.bytes -= (less * shape::len(shape)) as f64;
        }
        self.op = op.name();
        self.inputs = shapes.clone();
        self.output = shape.to_vec();
        let first = self.dispatches.len();
        op.lower(self, inputs, output)?;
        let lost = self.chosen.take().map(|(kernel, _)| kernel.entry);
        assert!(
            lost.is_none(),
            "chosen for {lost:?}, which was not dispatched"
        );
        // The whole cost goes to the largest dispatch of the op that does not merely prepare an operand.
        if let Some(main) = self.dispatches[first..]
            .iter_mut()
            .filter(|d| !d.auxiliary)
            .max_by_key(|d| d.grid.iter().map(|&g| u64::from(g)).product::<u64>())
        {
            main.cost = cost;
        }
        Ok(())
    }

    pub(crate) fn begin_update(&mut self, name: &'static str) {
        self.op = name;
    }
}
