//! A self-test of a device: whether it computes what every other one computes.

use std::sync::Arc;
use std::time::Instant;

use super::{Form, Generator};
use crate::gpu::Gpu;
use crate::models::{self, Preset};
use crate::ops::random;
use crate::tape::{Options, Tape};
use crate::{Error, Result};

/// Seed and first event of the test: beyond 32 bits, so that all words of an address are used.
const AT: (u64, u64) = ((7 << 32) | 5, (3 << 32) | 11);
const EVENTS: usize = 64;

/// What the test showers of `hgcal-wgan`, preset small, with the initial weights of seed 0 add up to: computed with
/// Mesa's software Vulkan.
const SUM: f64 = 253.3019;

/// What a device did in [`self_test`].
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTest {
    /// Largest difference between showers of the fast kernels and of the plain ones, of the largest cell.
    pub difference: f64,
    /// What all cells add up to.
    pub sum: f64,
    /// How far that lies from the sum of the reference device, relative.
    pub from_reference: f64,
    /// Seconds until the first showers: pipelines are made.
    pub start_seconds: f64,
    /// Seconds a shower in the steady state.
    pub shower_seconds: f64,
}

impl SelfTest {
    /// Whether the device may be trusted: floating point differs between devices by rounding only.
    pub fn passed(&self) -> bool {
        self.difference <= 1e-4 && self.from_reference <= 1e-4
    }
}

/// Compares a device with the host, with itself and with a reference device, in seconds.
///
/// # Errors
/// [`Error::Device`] if random bits are not those of the host, or what the device reports.
pub fn self_test(gpu: &Arc<Gpu>) -> Result<SelfTest> {
    random_bits(gpu)?;
    let system = models::preset("hgcal-wgan", Preset::Small)?;
    let mut generator = Generator::untrained(gpu, system)?;
    generator.set_batch(EVENTS);
    let energies: Vec<f32> = (0..EVENTS).map(|i| 20.0 + i as f32).collect();
    let labels = generator.labels(&energies, AT.0, AT.1)?;
    let start = Instant::now();
    let fast = generator.generate(&labels, AT.0, AT.1)?;
    let start_seconds = start.elapsed().as_secs_f64();
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < 3 || start.elapsed().as_secs_f64() < 1.0 {
        if generator.generate(&labels, AT.0, AT.1)? != fast {
            let what = "the same events twice are not equal to the bit";
            return Err(Error::Device(what.into()));
        }
        rounds += 1;
    }
    let shower_seconds = start.elapsed().as_secs_f64() / (rounds * EVENTS) as f64;
    for batch in [1, 4] {
        generator.set_batch(batch);
        if generator.generate(&labels, AT.0, AT.1)? != fast {
            let what = format!("the same events in batches of {batch} are not equal to the bit");
            return Err(Error::Device(what));
        }
    }
    generator.set_batch(EVENTS);
    let plain = Options {
        frozen: true,
        plain: true,
        ..Options::default()
    };
    let program = generator.compile_with(EVENTS, Form::Cells, plain)?;
    generator.programs.insert((EVENTS, Form::Cells), program);
    let plain = generator.generate(&labels, AT.0, AT.1)?;
    let largest = plain.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let pairs = fast.iter().zip(&plain);
    let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
    let sum: f64 = fast.iter().map(|&e| f64::from(e)).sum();
    Ok(SelfTest {
        difference: difference.into(),
        sum,
        from_reference: (sum / SUM - 1.0).abs(),
        start_seconds,
        shower_seconds,
    })
}

/// Integer arithmetic and addresses: random bits are equal everywhere.
fn random_bits(gpu: &Arc<Gpu>) -> Result<()> {
    let tape = Tape::new();
    let bits = tape.random_bits(tape.input_u32("random", &[4]), 9, &[7, EVENTS]);
    let program = tape.compile(gpu, &[("bits", bits)], Options::default())?;
    program.set_u32("random", &random::key(AT.0, AT.1))?;
    program.run()?;
    let found = program.read_u32("bits")?;
    for (i, &bits) in found.iter().enumerate() {
        let (element, event) = ((i / EVENTS) as u32, (i % EVENTS) as u64);
        let wanted = random::random_bits(AT.0, 9, AT.1 + event, element);
        if bits != wanted {
            return Err(Error::Device(format!(
                "random bits of event {event}, element {element} are {bits:08x}, expected {wanted:08x}"
            )));
        }
    }
    Ok(())
}
