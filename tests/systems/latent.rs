//! Distributions of codes: the kernel density against its definition in float64, the flow on a distribution that is known.

use calogen::Result;
use calogen::data::Showers;
use calogen::models::latent::{Flow, Kde, Latent};
use calogen::models::{Build, Progress, Step, System, Turn};
use calogen::nn::Network;
use calogen::ops::{Optimizer, random};
use calogen::tape::{Options, Tape, Var};
use calogen::train::Session;

use super::gpu;

/// Length of a code.
const D: usize = 3;

/// "Showers" of one layer and row that are codes themselves.
struct Codes(Latent);

impl System for Codes {
    fn name(&self) -> &'static str {
        "codes"
    }
    fn config(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    fn shape(&self) -> [usize; 3] {
        [1, 1, D]
    }
    fn conditions(&self) -> Vec<String> {
        vec!["energy".into()]
    }
    fn networks(&self) -> Result<Vec<Network>> {
        self.0.networks(D)
    }
    fn kept(&self) -> Vec<&'static str> {
        self.0.network().into_iter().collect()
    }
    fn steps(&self) -> Vec<Step> {
        vec![Step {
            name: "latent",
            networks: self.0.trained(),
            optimizer: Optimizer::adam(0.9, 0.999),
        }]
    }
    fn schedule(&self, _: Progress) -> Vec<Turn> {
        Vec::new()
    }
    fn epochs(&self) -> f64 {
        1.0
    }
    fn batch(&self) -> usize {
        8
    }
    fn losses<'t>(&self, _: usize, build: &Build<'t>) -> Vec<(&'static str, Var<'t>)> {
        let codes = build.showers().reshape(&[D, build.batch()]);
        let certain = build.tape.full(-30.0, &[D, build.batch()]);
        self.0.losses(build, [codes, certain], build.showers(), 7)
    }
    fn sample<'t>(&self, build: &Build<'t>) -> Var<'t> {
        let drawn = self.0.draw(build, D, 3);
        drawn.codes.reshape(&[1, 1, D, build.batch()])
    }
}

/// Codes that depend on the energy and on each other, about an event number.
fn codes(energies: &[f32], first: u64) -> Vec<f32> {
    let mut all = Vec::new();
    for (i, &energy) in energies.iter().enumerate() {
        let n = |k| f64::from(random::normal(99, 0, first + i as u64, k));
        let e = f64::from(energy) / 100.0;
        let (a, b) = (n(0), n(1));
        let row = [2.0 * e + 0.5 * a, a - 0.8 * b + e, 0.3 * n(2) * (0.5 + e)];
        all.extend(row.map(|v| v as f32));
    }
    all
}

fn showers(energies: Vec<f32>, first: u64) -> Showers {
    Showers {
        shape: [1, 1, D],
        layers: codes(&energies, first),
        energy: energies,
        position: None,
        conditions: None,
        condition_names: Vec::new(),
    }
}

fn energies(n: usize, seed: u64) -> Vec<f32> {
    let u = (0..n).map(|i| random::uniform(seed, 1, i as u64, 0));
    u.map(|u| 10.0 + 90.0 * u).collect()
}

/// Codes `[N][D]` for the given energies, as events 0, 1, .. of `seed`.
fn draw(session: &Session, system: &Codes, energies: &[f32], seed: u64) -> Vec<[f32; D]> {
    let tape = Tape::new();
    let build = Build::new(&tape, session.networks(), system, energies.len());
    let x = system.sample(&build).batch_first();
    let program = tape
        .compile(gpu(), &[("x", x)], Options::default())
        .expect("a sampler");
    program.set("conditions", energies).expect("energies");
    program
        .set_u32("random", &random::key(seed, 0))
        .expect("a key");
    program.run().expect("a run");
    let values = program.read("x").expect("codes");
    values.chunks_exact(D).map(|c| [c[0], c[1], c[2]]).collect()
}

#[test]
fn the_kernel_density_is_the_conditional_of_its_kernels() {
    let asked = [12.0, 30.0, 55.5, 98.0, 150.0, 61.0, 20.0, 88.0];
    // Four batches of five: the last two and three of the second are kept, newest first.
    check_density(&energies(4 * BATCH, 5), &asked, 77);
    // Points that no shower has filled are no kernels.
    check_density(&energies(BATCH, 5), &asked, 77);
}

#[test]
fn kernels_that_tie_share_a_draw() {
    // Of showers of one energy the numbers alone decide, of which there are 2^23: a seed where the two largest are equal.
    let ties = |seed: &u64| {
        let mut u: Vec<f32> = (0..POINTS as u32)
            .map(|i| random::uniform(*seed, 3, 0, i))
            .collect();
        u.sort_by(f32::total_cmp);
        u[POINTS - 1] == u[POINTS - 2]
    };
    let seed = (0..10_000_000).find(ties).expect("a tie");
    check_density(&[50.0; 3 * BATCH], &[50.0], seed);
}

const POINTS: usize = 13;
const BATCH: usize = 5;

fn check_density(all: &[f32], asked: &[f32], seed: u64) {
    let batches = all.len() / BATCH;
    let kde = Latent::Kde(Kde {
        points: POINTS,
        bandwidth: 0.7,
    });
    let mut session =
        Session::new(gpu(), Box::new(Codes(kde.clone())), BATCH, 1).expect("a session");
    for (i, e) in all.chunks(BATCH).enumerate() {
        let turn = Turn {
            step: 0,
            learning_rate: 0.0,
        };
        let batch = showers(e.to_vec(), (i * BATCH) as u64);
        session.take(turn, &batch).expect("a step");
    }
    while session.arrived().expect("losses").is_some() {}
    let kept: Vec<usize> = (0..batches)
        .rev()
        .flat_map(|b| (0..BATCH).map(move |i| b * BATCH + i))
        .take(POINTS)
        .collect();
    let points = kept.len();
    let code = codes(all, 0);
    let z = |i: usize, k: usize| f64::from(code[kept[i] * D + k]);
    let e = |i: usize| f64::from(all[kept[i]]);
    let mean = |f: &dyn Fn(usize) -> f64| (0..points).map(f).sum::<f64>() / points as f64;
    let n1 = points as f64 - 1.0;
    let e_mean = mean(&e);
    let variance = (0..points).map(|i| (e(i) - e_mean).powi(2)).sum::<f64>() / n1 + 1e-6;
    let z_mean: Vec<f64> = (0..D).map(|k| mean(&|i| z(i, k))).collect();
    let slope: Vec<f64> = (0..D)
        .map(|k| {
            let covariance = (0..points).map(|i| (z(i, k) - z_mean[k]) * (e(i) - e_mean));
            covariance.sum::<f64>() / n1 / variance
        })
        .collect();
    let factor = 0.7 * (points as f64).powf(-1.0 / (D as f64 + 5.0));
    let drawn = draw(&session, &Codes(kde), asked, seed);
    for (event, (&energy, got)) in asked.iter().zip(&drawn).enumerate() {
        let energy = f64::from(energy);
        let score = |i: usize| {
            let u = f64::from(random::uniform(seed, 3, event as u64, i as u32));
            -(energy - e(i)).powi(2) / (2.0 * factor * factor * variance) - (-u.ln()).ln()
        };
        let largest = (0..points).map(score).fold(f64::NEG_INFINITY, f64::max);
        let chosen: Vec<usize> = (0..points).filter(|&i| score(i) == largest).collect();
        let centre = |f: &dyn Fn(usize) -> f64| {
            chosen.iter().map(|&i| f(i)).sum::<f64>() / chosen.len() as f64
        };
        for k in 0..D {
            let rest = |i: usize| z(i, k) - z_mean[k] - slope[k] * (e(i) - e_mean);
            let noise: f64 = (0..points)
                .map(|i| rest(i) * f64::from(random::normal(seed, 4, event as u64, i as u32)))
                .sum();
            let want = centre(&|i| z(i, k))
                + slope[k] * (energy - centre(&e))
                + factor / n1.sqrt() * noise;
            let error = (f64::from(got[k]) - want).abs();
            assert!(
                error < 1e-4,
                "event {event}, code {k}: {} instead of {want}",
                got[k]
            );
        }
    }
}

#[test]
fn codes_are_normal_before_the_density_has_points() {
    let kde = Latent::Kde(Kde {
        points: POINTS,
        bandwidth: 0.7,
    });
    let session = Session::new(gpu(), Box::new(Codes(kde.clone())), BATCH, 1).expect("a session");
    let drawn = draw(&session, &Codes(kde), &[12.0, 30.0, 98.0], 77);
    for (event, codes) in drawn.iter().enumerate() {
        for (k, &got) in codes.iter().enumerate() {
            let want = random::normal(77, 3, event as u64, k as u32);
            assert!((got - want).abs() < 1e-5, "event {event}, code {k}: {got}");
        }
    }
}

#[test]
fn the_flow_learns_a_known_distribution_and_its_inverse_draws_it() {
    let flow = Latent::Flow(Flow {
        blocks: 1,
        couplings: 2,
        hidden: 6,
        spline_hidden: 4,
        bins: 5,
        bound: 4.0,
        // One would be a function of the codes here, and the density without bound.
        observables: Vec::new(),
        threshold: 0.0,
        code_scale: 0.8,
        energy_scale: 100.0,
        rescale: false,
    });
    const BATCH: usize = 128;
    let mut session =
        Session::new(gpu(), Box::new(Codes(flow.clone())), BATCH, 1).expect("a session");
    let mut last = Vec::new();
    for i in 0..500u64 {
        let turn = Turn {
            step: 0,
            learning_rate: if i < 350 { 5e-3 } else { 5e-4 },
        };
        let batch = showers(energies(BATCH, 1000 + i), i * BATCH as u64);
        if let Some(losses) = session.take(turn, &batch).expect("a step") {
            last.push(f64::from(losses.values[0].1));
        }
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (early, late) = (mean(&last[..10]), mean(&last[last.len() - 30..]));
    assert!(
        late < early - 0.5,
        "negative log-likelihood from {early} to {late}"
    );
    let asked = vec![70.0; 2048];
    let truth = codes(&asked, 1 << 40);
    let drawn = draw(&session, &Codes(flow), &asked, 5);
    let moments = |value: &dyn Fn(usize, usize) -> f64| {
        let n = asked.len();
        let mean: Vec<f64> = (0..D)
            .map(|k| (0..n).map(|i| value(i, k)).sum::<f64>() / n as f64)
            .collect();
        let mut all = mean.clone();
        for a in 0..D {
            for b in 0..=a {
                let products = (0..n).map(|i| (value(i, a) - mean[a]) * (value(i, b) - mean[b]));
                all.push(products.sum::<f64>() / n as f64);
            }
        }
        all
    };
    let want = moments(&|i, k| f64::from(truth[i * D + k]));
    let got = moments(&|i, k| f64::from(drawn[i][k]));
    for (i, (w, g)) in want.iter().zip(&got).enumerate() {
        assert!(
            (w - g).abs() < 0.12,
            "moment {i}: {g} instead of {w}; all {got:?} {want:?}"
        );
    }
}
