//! A self-test of a device: whether it computes what every other one computes.

use std::sync::Arc;
use std::time::Instant;

use super::{Form, Generator, LabelRows};
use crate::gpu::{Gpu, Tier};
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

/// A tier whose showers differ from those of the portable one by more than this share of the largest cell is wrong: rounding
/// to f16 does not explain it.
pub(super) const TIER_DIFFERENCE: f64 = 0.05;

/// What a device did in [`self_test`].
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTest {
    /// Largest difference between showers of the fast kernels and of the plain ones, of the largest cell.
    pub difference: f64,
    /// What all cells add up to.
    pub sum: f64,
    /// How far that lies from the sum of the reference device, relative.
    pub from_reference: f64,
    /// Largest difference between showers of each other tier that the device offers and of the portable one, of the largest
    /// cell.
    pub tiers: Vec<(Tier, f64)>,
    /// Seconds until the first showers: pipelines are made.
    pub start_seconds: f64,
    /// Seconds a shower in the steady state.
    pub shower_seconds: f64,
}

impl SelfTest {
    /// Whether the device may be trusted: floating point differs between devices by rounding only.
    pub fn passed(&self) -> bool {
        let right = |(_, difference): &(Tier, f64)| *difference <= TIER_DIFFERENCE;
        self.difference <= 1e-4 && self.from_reference <= 1e-4 && self.tiers.iter().all(right)
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
    in_other_batches(&mut generator, &labels, &fast)?;
    let mut tiers = Vec::new();
    for tier in Tier::ALL {
        if tier != Tier::Portable && gpu.capabilities().check_tier(tier).is_ok() {
            generator.set_tier(tier)?;
            let found = generator.generate(&labels, AT.0, AT.1)?;
            in_other_batches(&mut generator, &labels, &found)?;
            tiers.push((tier, difference(&found, &fast)));
        }
    }
    generator.set_tier(Tier::Portable)?;
    let plain = Options {
        plain: true,
        ..Options::FROZEN
    };
    let program = generator.compile_with(EVENTS, Form::Cells, plain)?;
    generator.programs.insert((EVENTS, Form::Cells), program);
    let plain = generator.generate(&labels, AT.0, AT.1)?;
    let sum: f64 = fast.iter().map(|&e| f64::from(e)).sum();
    Ok(SelfTest {
        difference: difference(&fast, &plain),
        tiers,
        sum,
        from_reference: (sum / SUM - 1.0).abs(),
        start_seconds,
        shower_seconds,
    })
}

/// Compares showers with the same ones computed one and four at once.
fn in_other_batches(generator: &mut Generator, labels: &LabelRows, showers: &[f32]) -> Result<()> {
    for batch in [1, 4] {
        generator.set_batch(batch);
        if generator.generate(labels, AT.0, AT.1)? != showers {
            let what = format!("the same events in batches of {batch} are not equal to the bit");
            return Err(Error::Device(what));
        }
    }
    generator.set_batch(EVENTS);
    Ok(())
}

/// The largest difference of two cells, of the largest cell of `wanted`; infinite if one is NaN.
pub(super) fn difference(found: &[f32], wanted: &[f32]) -> f64 {
    let largest = wanted.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let pairs = found.iter().zip(wanted);
    let error = |(f, w): (&f32, &f32)| match f.is_nan() {
        true => f32::INFINITY,
        false => (f - w).abs(),
    };
    let worst = pairs.map(error).fold(0.0, f32::max);
    f64::from(worst / largest)
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

#[cfg(test)]
mod tests {
    use super::{TIER_DIFFERENCE, difference};

    #[test]
    fn what_rounding_does_not_explain_is_no_tier() {
        let wanted = [0.0, 20.0, 3.0, 7.0];
        let right = |found: &[f32]| difference(found, &wanted) <= TIER_DIFFERENCE;
        assert!(right(&[0.9, 19.1, 3.0]));
        assert!(!right(&[1.1, 20.0, 3.0, 7.0]));
        assert!(!right(&[0.0, f32::NAN, 3.0, 7.0]));
        assert!(!right(&[0.0, 20.0, f32::INFINITY, 7.0]));
        // Beside empty cells any energy is wrong.
        assert_eq!(difference(&[0.0; 2], &[0.0; 2]), 0.0);
        assert!(difference(&[0.0, 1e-3], &[0.0; 2]) > 1.0);
    }
}
