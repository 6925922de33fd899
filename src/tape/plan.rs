//! Buffers by lifetime, and the plan as a user reads it.

use super::lower::{Dispatch, Place, SlotInfo};
use super::shape::Shape;
use crate::gpu::Access;

/// Which memory each slot gets.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// For temporary and kept slots, an index into `sizes`.
    pub buffer: Vec<Option<usize>>,
    /// Bytes of each buffer.
    pub sizes: Vec<u64>,
}

/// Gives temporaries whose lifetimes do not meet the same memory: best fit, in order of dispatch.
pub(crate) fn assign(slots: &[SlotInfo], dispatches: &[Dispatch]) -> Assignment {
    let mut last = vec![usize::MAX; slots.len()];
    for (at, d) in dispatches.iter().enumerate() {
        for &s in &d.slots {
            last[s] = at;
        }
    }
    let mut buffer = vec![None; slots.len()];
    let mut sizes: Vec<u64> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    for (s, info) in slots.iter().enumerate() {
        if matches!(info.place, Place::Kept) {
            sizes.push(info.bytes());
            buffer[s] = Some(sizes.len() - 1);
        }
    }
    for (at, d) in dispatches.iter().enumerate() {
        for &s in &d.slots {
            if buffer[s].is_some() || !matches!(slots[s].place, Place::Temporary) {
                continue;
            }
            let bytes = slots[s].bytes();
            // The smallest that is large enough; else the largest, which grows.
            let fit = free
                .iter()
                .copied()
                .filter(|&b| sizes[b] >= bytes)
                .min_by_key(|&b| sizes[b]);
            let chosen = fit.or_else(|| free.iter().copied().max_by_key(|&b| sizes[b]));
            let b = match chosen {
                Some(b) => {
                    free.retain(|&f| f != b);
                    sizes[b] = sizes[b].max(bytes);
                    b
                }
                None => {
                    sizes.push(bytes);
                    sizes.len() - 1
                }
            };
            buffer[s] = Some(b);
        }
        for &s in &d.slots {
            if last[s] == at
                && matches!(slots[s].place, Place::Temporary)
                && let Some(b) = buffer[s]
                && !free.contains(&b)
            {
                free.push(b);
            }
        }
    }
    Assignment { buffer, sizes }
}

/// One dispatch of a plan.
#[derive(Clone, Debug)]
pub struct PlanStep {
    /// The op it belongs to.
    pub op: &'static str,
    /// The kernel's entry point.
    pub kernel: &'static str,
    /// Shape of the op's result.
    pub shape: Shape,
    /// Workgroups.
    pub grid: [u32; 3],
    /// What it reads: `#N` a buffer (`#Nh` as f16), an input's name, a state's key or `constant`.
    pub reads: Vec<String>,
    /// What it writes, likewise.
    pub writes: Vec<String>,
    /// Floating point operations.
    pub flops: f64,
    /// Bytes of operands.
    pub bytes: f64,
    /// Runs once when the program is made.
    pub once: bool,
}

/// A dispatch with its time on the device.
#[derive(Clone, Debug)]
pub struct StepTime {
    /// What it does.
    pub step: PlanStep,
    /// How long it took.
    pub seconds: f64,
}

impl std::fmt::Display for StepTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (s, rate) = (&self.step, |x: f64| x * 1e-9 / self.seconds.max(1e-9));
        write!(
            f,
            "{:<16}{:<20}{:<28}{:>10.3} ms{:>9.1} GFLOP/s{:>8.2} GB/s  {} -> {}",
            s.op,
            s.kernel,
            format!("{:?}", s.shape),
            self.seconds * 1e3,
            rate(s.flops),
            rate(s.bytes),
            s.reads.join(" "),
            s.writes.join(" ")
        )
    }
}

/// A compiled program in words and numbers: `--plan` prints it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every dispatch in order.
    pub steps: Vec<PlanStep>,
    /// Ops on the tape that were live.
    pub ops: usize,
    /// Bytes of each buffer: temporaries and kept results.
    pub buffers: Vec<u64>,
    /// Bytes of all inputs and constants.
    pub leaf_bytes: u64,
    /// Bytes of all states that the program touches.
    pub state_bytes: u64,
}

impl Plan {
    pub(crate) fn step(d: &Dispatch, name: impl Fn(usize) -> String) -> PlanStep {
        let side = |access| {
            let bindings = d
                .kernel
                .bindings
                .iter()
                .zip(&d.slots)
                .filter(move |(b, _)| b.access == access);
            let mut names: Vec<String> = bindings.map(|(_, &s)| name(s)).collect();
            names.dedup();
            names
        };
        PlanStep {
            op: d.op,
            kernel: d.kernel.entry,
            shape: d.shape.clone(),
            grid: d.grid,
            reads: side(Access::Read),
            writes: side(Access::Write),
            flops: d.cost.flops,
            bytes: d.cost.bytes,
            once: d.once,
        }
    }

    /// Bytes that the program allocates on the device.
    pub fn peak_bytes(&self) -> u64 {
        self.buffers.iter().sum::<u64>() + self.leaf_bytes
    }

    /// Floating point operations of one run.
    pub fn flops(&self) -> f64 {
        self.steps.iter().filter(|s| !s.once).map(|s| s.flops).sum()
    }

    /// Bytes of operands of one run.
    pub fn bytes(&self) -> f64 {
        self.steps.iter().filter(|s| !s.once).map(|s| s.bytes).sum()
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{:>5} {:<16}{:<24}{:>12}{:>11}{:>11}  buffers (h: as f16)",
            "", "op", "kernel", "workgroups", "MFLOP", "MB"
        )?;
        for (i, s) in self.steps.iter().enumerate() {
            let [x, y, z] = s.grid;
            writeln!(
                f,
                "{i:>5} {:<16}{:<24}{:>12}{:>11.3}{:>11.3}  {} -> {}{}",
                s.op,
                s.kernel,
                u64::from(x) * u64::from(y) * u64::from(z),
                s.flops * 1e-6,
                s.bytes * 1e-6,
                s.reads.join(" "),
                s.writes.join(" "),
                if s.once { "  (once)" } else { "" }
            )?;
        }
        let mb = |b: u64| b as f64 * 1e-6;
        write!(
            f,
            "{} ops in {} dispatches; {} buffers of {:.1} MB, inputs and constants {:.1} MB, states {:.1} MB; \
             {:.1} MFLOP and {:.1} MB moved a run",
            self.ops,
            self.steps.len(),
            self.buffers.len(),
            mb(self.buffers.iter().sum()),
            mb(self.leaf_bytes),
            mb(self.state_bytes),
            self.flops() * 1e-6,
            self.bytes() * 1e-6
        )
    }
}
