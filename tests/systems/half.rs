//! Generation with activations kept as f16 in memory: how far the cells are from those of the portable tier, that events do
//! not depend on the batch, and that less is moved. Where the adapter has no f16, `tests/ops/half.rs` says so.

use std::path::{Path, PathBuf};

use calogen::generate::Generator;
use calogen::gpu::Tier;
use calogen::models::{self, Preset, Weights};
use calogen::tape::Plan;

use super::gpu;

/// The file of the shipped weights of that name.
fn file(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/weights");
    folder.join(format!("{name}.safetensors"))
}

fn weights(name: &str) -> Generator {
    Generator::load(gpu(), file(name)).expect("weights")
}

/// Tiers of the adapter that keep f16.
fn tiers() -> Vec<Tier> {
    let tiers = [Tier::Half, Tier::Matrix].into_iter();
    let offered: Vec<Tier> = tiers
        .filter(|&t| gpu().capabilities().check_tier(t).is_ok())
        .collect();
    println!("{offered:?}");
    offered
}

/// Showers of events `first`.., computed `batch` at once.
fn events(generator: &mut Generator, batch: usize, first: u64, count: usize) -> Vec<f32> {
    let middle = generator.metadata().conditions.first();
    let energy = middle.map_or(0.0, |c| (c.min + c.max) / 2.0);
    let labels = generator
        .labels(&vec![energy; count], 7, first)
        .expect("labels");
    generator.set_batch(batch);
    generator.generate(&labels, 7, first).expect("showers")
}

/// Dispatches that store f16.
fn stored(plan: &Plan) -> usize {
    let half = |s: &&calogen::tape::PlanStep| s.writes.iter().any(|w| w.ends_with('h'));
    plan.steps.iter().filter(half).count()
}

/// Every stored activation is off by 2^-11 of itself, and each layer behind it carries that on by about its own size; all
/// stages at once, twice over, of the largest cell.
fn compare(name: &str, mut generator: Generator, most_bytes: f64) {
    const SHOWERS: usize = 8;
    for tier in tiers() {
        generator.set_tier(Tier::Portable).expect("any device");
        let portable = events(&mut generator, SHOWERS, 0, SHOWERS);
        let all = generator.plan(SHOWERS).expect("a plan").bytes();
        generator.set_tier(tier).expect("the tier");
        let half = events(&mut generator, SHOWERS, 0, SHOWERS);
        let plan = generator.plan(SHOWERS).expect("a plan");
        let stages = stored(&plan);
        assert!(stages > 0, "{name}: nothing is kept as f16");
        let share = plan.bytes() / all;
        assert!(share <= most_bytes, "{name}: {share} of the bytes");
        let largest = portable.iter().copied().fold(0.0, f32::max);
        assert!(largest > 0.0, "{name}: empty showers");
        let tolerance = 2.0 * stages as f32 / 2048.0 * largest;
        let mut worst = 0.0f32;
        for (i, (&p, &h)) in portable.iter().zip(&half).enumerate() {
            let error = (p - h).abs();
            // A cell at the threshold may be empty in one tier: then the other's is small.
            assert!(
                error <= tolerance,
                "{name}, {tier}: cell {i} is {h} instead of {p}"
            );
            worst = worst.max(error);
        }
        assert!(worst > 0.0, "{name}: nothing was rounded");
        let energy = |showers: &[f32]| showers.iter().map(|&e| f64::from(e)).sum::<f64>();
        let off = (energy(&half) / energy(&portable) - 1.0).abs();
        println!(
            "{name}, {tier}: {stages} results of f16, {share:.3} of the bytes, largest difference {:.4} of the largest \
             cell ({:.0} % of the tolerance), energy off by {off:.5}",
            worst / largest,
            100.0 * worst / tolerance,
        );
        assert!(
            off <= 2.0 * stages as f64 / 2048.0,
            "{name}: energy off by {off}"
        );
    }
}

#[test]
fn trained_generators_differ_by_rounding() {
    compare("hgcal-small", weights("hgcal-small"), 0.7);
    compare("siw-vae-energy", weights("siw-vae-energy"), 0.85);
    compare("siw-bib-ae", weights("siw-bib-ae"), 0.8);
}

#[test]
fn an_untrained_generator_differs_by_rounding() {
    let system = models::preset("wgan", Preset::Small).expect("the preset");
    let generator = Generator::untrained(gpu(), system).expect("a generator");
    compare("wgan", generator, 0.8);
}

#[test]
fn events_of_halves_are_equal_in_any_batch_range_and_form() {
    for tier in tiers() {
        let mut generator = weights("hgcal-small");
        generator.set_tier(tier).expect("the tier");
        let whole = events(&mut generator, 64, 0, 66);
        for batch in [1, 3] {
            let few = events(&mut generator, batch, 5, 7);
            let cells = few.len() / 7;
            assert!(few == whole[5 * cells..12 * cells], "{tier}: batch {batch}");
        }
        let labels = generator.labels(&[50.0; 5], 7, 0).expect("labels");
        let dense = generator.generate(&labels, 7, 0).expect("showers");
        let hits = generator.hits(&labels, 7, 0).expect("hits");
        let listed: Vec<f32> = (0..5).flat_map(|i| hits.shower(i).1.to_vec()).collect();
        let above: Vec<f32> = dense.into_iter().filter(|&e| e > 0.0).collect();
        assert!(listed == above, "{tier}: as hits");
    }
}

/// The towers of the published generator are computed side by side up to some size, larger on GPUs, in the half tier as in the
/// portable one: they must be rounded in the same places.
#[test]
fn events_of_the_published_network_are_equal_in_any_batch() {
    for tier in tiers() {
        let published = models::preset("hgcal-wgan", Preset::Paper).expect("the preset");
        // Untrained, its cells lie below the threshold.
        let mut config = published.config();
        config["preprocess"]["threshold"] = 0.0.into();
        let system = models::open("hgcal-wgan", config).expect("a system");
        let mut generator = Generator::untrained(gpu(), system).expect("a generator");
        generator.set_tier(tier).expect("the tier");
        let large = if gpu().capabilities().on_cpu { 16 } else { 128 };
        let few = events(&mut generator, 8, 0, 8);
        let many = events(&mut generator, large, 0, large);
        let dispatches = |plan: &Plan| plan.steps.iter().filter(|s| !s.once).count();
        let [one, other] = [8, large].map(|n| dispatches(&generator.plan(n).expect("a plan")));
        assert!(
            tier == Tier::Matrix || 2 * one < other,
            "{one} and {other} dispatches"
        );
        let hit = few.iter().filter(|&&e| e > 0.0).count();
        assert!(hit > 0, "{tier}: empty showers");
        assert!(few == many[..few.len()], "{tier}");
    }
}

/// `hgcal-small` with so large a bias in a hidden channel, of which nothing is made where that is asked for.
fn astray(bias: f32, unused: bool) -> Generator {
    let mut weights = Weights::read(file("hgcal-small")).expect("weights");
    let mut fill = |name: &str, value: f32| {
        let (_, values) = weights.tensors.get_mut(name).expect(name);
        let of_a_channel = values.len() / 32;
        values[..of_a_channel].fill(value);
    };
    fill("generator.tower0_up1_norm.bias", bias);
    if unused {
        fill("generator.tower0_up2.weight", 0.0);
    }
    Generator::new(gpu(), weights, &file("hgcal-small")).expect("weights")
}

/// What generation of three events from 40 on complains of, dense and as hits.
fn complaints(generator: &mut Generator) -> [Option<String>; 2] {
    let labels = generator.labels(&[50.0; 3], 7, 40).expect("labels");
    let cells = generator.generate(&labels, 7, 40).err();
    let hits = generator.hits(&labels, 7, 40).err();
    [cells, hits].map(|e| Some(e?.to_string()))
}

#[test]
fn an_activation_beyond_what_is_kept_is_an_error() {
    let mut beyond_f32 = astray(3e38, false);
    for text in complaints(&mut beyond_f32) {
        let text = text.expect("activations that overflow");
        assert!(
            text.contains("event 40") && !text.contains("tier"),
            "{text}"
        );
    }
    // Zero times 1e5 is nothing, zero times infinity no number.
    let mut beyond_f16 = astray(1e5, true);
    assert_eq!(complaints(&mut beyond_f16), [None, None], "f32 holds it");
    for tier in tiers() {
        beyond_f16.set_tier(tier).expect("the tier");
        for text in complaints(&mut beyond_f16) {
            let text = text.expect("an infinite activation");
            for part in [
                "event 40",
                &format!("in tier {tier} activations beyond 65504"),
            ] {
                assert!(text.contains(part), "no '{part}' in: {text}");
            }
        }
    }
}
