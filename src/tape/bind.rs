//! From dispatches to what a device runs: memory, parameter blocks, pipelines, bind groups.

use std::sync::Arc;

use super::compile::{Lowered, Options};
use super::lower::{Dispatch, Lowering, Place};
use super::op::Leaf;
use super::plan::{Assignment, Plan, assign};
use super::program::{Input, Output, Program};
use crate::Result;
use crate::gpu::{Bound, Buffer, Element, Gpu, Uniform};

/// Where each slot is: buffer, offset and size in bytes.
struct Memory {
    of: Vec<(Buffer, u64, u64)>,
    /// Bytes of constants and inputs, and of states.
    leaf_bytes: u64,
    state_bytes: u64,
}

impl Memory {
    fn new(gpu: &Gpu, l: &Lowering<'_>, planned: &Assignment, poison: bool) -> Result<Self> {
        let mut buffers = Vec::with_capacity(planned.sizes.len());
        for &bytes in &planned.sizes {
            buffers.push(gpu.buffer(bytes)?);
        }
        if poison {
            for b in &buffers {
                // NaN as f32 and as two f16.
                let bits = vec![u32::MAX; b.size() as usize / 4];
                gpu.write(b, 0, bytemuck::cast_slice(&bits))?;
            }
        }
        let mut of = Vec::with_capacity(l.slots.len());
        let (mut leaf_bytes, mut state_bytes) = (0, 0);
        for (info, planned) in l.slots.iter().zip(&planned.buffer) {
            // Kernels may read four elements at once.
            let bytes = info.bytes().next_multiple_of(16);
            of.push(match (&info.place, planned) {
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
        Ok(Self {
            of,
            leaf_bytes,
            state_bytes,
        })
    }
}

/// The parameter blocks of all dispatches in one buffer, and where each begins.
fn uniform(gpu: &Gpu, dispatches: &[Dispatch]) -> Result<(Uniform, Vec<u64>)> {
    let align = gpu
        .capabilities()
        .limits
        .min_uniform_buffer_offset_alignment;
    let mut bytes = Vec::new();
    let mut offsets = Vec::with_capacity(dispatches.len());
    for d in dispatches {
        bytes.resize(bytes.len().next_multiple_of(align as usize), 0);
        offsets.push(bytes.len() as u64);
        bytes.extend(&d.params);
    }
    Ok((gpu.uniform(&bytes)?, offsets))
}

/// After which steps a submission ends.
fn cuts(gpu: &Gpu, flops: &[f64]) -> Vec<usize> {
    let most = gpu.most_at_once();
    let (mut cuts, mut work) = (Vec::new(), 0.0);
    for (i, flops) in flops.iter().enumerate() {
        work += flops;
        let since = i + 1 - cuts.last().unwrap_or(&0);
        if work > most.flops || since >= most.dispatches {
            cuts.push(i + 1);
            work = 0.0;
        }
    }
    if cuts.last() != Some(&flops.len()) {
        cuts.push(flops.len());
    }
    cuts
}

impl Program {
    /// Makes a program of the dispatches, and runs those that are needed once.
    pub(super) fn bind(gpu: &Arc<Gpu>, lowered: Lowered<'_>, options: Options) -> Result<Self> {
        let l = lowered.lowering;
        let planned = assign(&l.slots, &l.dispatches);
        let memory = Memory::new(gpu, &l, &planned, options.poison)?;
        let (uniform, offsets) = uniform(gpu, &l.dispatches)?;
        let (mut once, mut steps) = (Vec::<Bound>::new(), Vec::<Bound>::new());
        let (mut flops, mut chosen) = (Vec::new(), Vec::new());
        for (d, &offset) in l.dispatches.iter().zip(&offsets) {
            let pipeline = gpu.pipeline(d.kernel, d.inserted.as_deref(), d.halves, &d.overrides)?;
            let block = (&uniform, offset, d.params.len() as u64);
            let storage: Vec<_> = d
                .slots
                .iter()
                .map(|&s| (&memory.of[s].0, memory.of[s].1, memory.of[s].2))
                .collect();
            let bound = gpu.bind(&pipeline, d.kernel, block, &storage, d.grid);
            if d.once {
                once.push(bound);
                continue;
            }
            steps.push(bound);
            chosen.push(d.choice);
            flops.push(d.cost.flops);
        }
        for few in once.chunks(gpu.most_at_once().dispatches) {
            gpu.submit(few);
        }
        let name = |s: usize| match (&l.slots[s].place, planned.buffer[s]) {
            (Place::Leaf(Leaf::Input(name)), _) => name.clone(),
            (Place::Leaf(Leaf::State(state)), _) => state.key.to_string(),
            (Place::Leaf(Leaf::Constant(_)), _) => "constant".into(),
            (_, Some(b)) if l.slots[s].element == Element::F16 => format!("#{b}h"),
            (_, Some(b)) => format!("#{b}"),
            (_, None) => "-".into(),
        };
        let plan = Plan {
            steps: l.dispatches.iter().map(|d| Plan::step(d, name)).collect(),
            ops: lowered.ops,
            buffers: planned.sizes,
            leaf_bytes: memory.leaf_bytes,
            state_bytes: memory.state_bytes,
        };
        let input = |(name, (slot, shape)): (String, (usize, _))| {
            let buffer = memory.of[slot].0.clone();
            (name, Input { buffer, shape })
        };
        let output = |(name, slot, shape): (String, usize, _)| {
            let (buffer, offset, _) = memory.of[slot].clone();
            let made = Output {
                buffer,
                offset,
                shape,
            };
            (name, made)
        };
        gpu.check()?;
        Ok(Self {
            gpu: gpu.clone(),
            steps,
            cuts: cuts(gpu, &flops),
            choices: l.choices,
            chosen,
            inputs: lowered.inputs.into_iter().map(input).collect(),
            outputs: lowered.outputs.into_iter().map(output).collect(),
            plan,
            _buffers: memory.of.into_iter().map(|(b, _, _)| b).collect(),
            _uniform: uniform,
        })
    }
}
