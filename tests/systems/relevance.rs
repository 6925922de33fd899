//! Relevance of cells for a regressor's energy: against plain loops in f64, and conserved.

use calogen::models::{self, Build, Networks, Preset, System};
use calogen::ops::random;
use calogen::reconstruct::Relevance;
use calogen::tape::{Options, Tape};

use super::gpu;

const SHAPE: [usize; 3] = [5, 6, 7];
const N: usize = 3;

/// A convolution with a norm, one without either norm or activation, two dense layers: every kind of layer there is.
fn system(norm: &str) -> Box<dyn System> {
    let mut config = models::preset("regressor", Preset::Small)
        .expect("the preset")
        .config();
    config["shape"] = serde_json::json!(SHAPE);
    config["energy_scale"] = serde_json::json!(50.0);
    config["convs"] = serde_json::json!([
        { "channels": 3, "kernel": 3, "stride": 2, "padding": 1, "norm": true },
        { "channels": 2, "kernel": 2, "stride": 1, "padding": 0, "norm": false },
    ]);
    config["norm"] = serde_json::json!(norm);
    config["dense"] = serde_json::json!([4]);
    config["dropout"] = serde_json::json!([0.0]);
    models::open("regressor", config).expect("a configuration")
}

/// Networks whose norms, biases and statistics are not at their initial values.
fn networks(system: &dyn System) -> Networks {
    let networks = Networks::new(gpu(), system, &[], 3, false).expect("networks");
    let regressor = networks.get("regressor").expect("the regressor");
    for (t, tensor) in regressor.network().tensors.iter().enumerate() {
        if tensor.name.contains("norm") {
            let count: usize = tensor.shape.iter().product();
            let value = |e| 0.5 + random::uniform(9, t as u32, 0, e);
            let values: Vec<f32> = (0..count as u32).map(value).collect();
            regressor
                .set(gpu(), &tensor.name, &values)
                .expect("a tensor");
        }
    }
    networks
}

fn showers() -> Vec<f32> {
    let cells = SHAPE.iter().product::<usize>() * N;
    let cell = |i| 4.0 * random::uniform(5, 0, i, 0) * f32::from(random::uniform(5, 1, i, 0) < 0.4);
    (0..cells as u64)
        .map(|i| if cell(i) > 0.0 { cell(i) } else { 0.0 })
        .collect()
}

fn energies(system: &dyn System, networks: &Networks, showers: &[f32]) -> Vec<f32> {
    let tape = Tape::new();
    let build = Build::new(&tape, networks, system, N);
    let energy = system.reconstruct(&build).expect("a regressor").energy;
    let outputs = [("energy", energy.batch_first())];
    let program = tape
        .compile(gpu(), &outputs, Options::default())
        .expect("a program");
    program.set("showers", showers).expect("showers");
    program.run().expect("a run");
    program.read("energy").expect("energies")
}

/// A layer as a matrix and a bias, `z = w x + b`, so that the rule can be written as it stands in the paper.
struct Linear {
    w: Vec<Vec<f64>>,
    b: Vec<f64>,
}

impl Linear {
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let row = |(w, b): (&Vec<f64>, &f64)| b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        self.w.iter().zip(&self.b).map(row).collect()
    }

    /// `R_i = x_i Σ_j w_ji R_j / (z_j + ε s_j)`.
    fn share(&self, x: &[f64], relevance: &[f64], epsilon: f64) -> Vec<f64> {
        let z = self.apply(x);
        let size = (z.iter().map(|z| z * z).sum::<f64>() / z.len() as f64).sqrt();
        let part = |j: usize| {
            let sign = if z[j] > 0.0 { 1.0 } else { -1.0 };
            relevance[j] / (z[j] + epsilon * size * sign)
        };
        let sum = |i: usize| (0..z.len()).map(|j| self.w[j][i] * part(j)).sum::<f64>();
        (0..x.len()).map(|i| x[i] * sum(i)).collect()
    }
}

/// The network in f64, layer by layer, and the relevances of one shower.
struct Oracle<'a> {
    networks: &'a Networks,
    batch_norm: bool,
}

impl Oracle<'_> {
    fn tensor(&self, name: &str) -> Vec<f64> {
        let regressor = self.networks.get("regressor").expect("the regressor");
        let values = regressor.get(gpu(), name, false).expect("a tensor");
        values.into_iter().map(f64::from).collect()
    }

    fn conv(
        &self,
        name: &str,
        from: (usize, [usize; 3]),
        to: (usize, [usize; 3]),
        k: usize,
        s: usize,
        p: usize,
    ) -> Linear {
        let weight = self.tensor(&format!("{name}.weight"));
        let ((ci, di), (co, d)) = (from, to);
        let at =
            |c: usize, [z, x, y]: [usize; 3], e: [usize; 3]| ((c * e[0] + z) * e[1] + x) * e[2] + y;
        let (rows, columns) = (
            co * d.iter().product::<usize>(),
            ci * di.iter().product::<usize>(),
        );
        let mut w = vec![vec![0.0; columns]; rows];
        let each = |n: usize| 0..n;
        for o in each(co) {
            for (z, x, y) in each(d[0])
                .flat_map(|z| each(d[1]).flat_map(move |x| each(d[2]).map(move |y| (z, x, y))))
            {
                for c in each(ci) {
                    for (a, b, e) in each(k)
                        .flat_map(|a| each(k).flat_map(move |b| each(k).map(move |e| (a, b, e))))
                    {
                        let place = [z * s + a, x * s + b, y * s + e].map(|v| v.wrapping_sub(p));
                        if (0..3).all(|i| place[i] < di[i]) {
                            w[at(o, [z, x, y], d)][at(c, place, di)] =
                                weight[((o * ci + c) * k + a) * k * k + b * k + e];
                        }
                    }
                }
            }
        }
        Linear {
            b: vec![0.0; rows],
            w,
        }
    }

    /// The norm of `x`, `[channels, voxels]`, with its spread as a constant.
    fn norm(&self, name: &str, x: &[f64], channels: usize) -> Linear {
        let voxels = x.len() / channels;
        let (scale, shift) = (
            self.tensor(&format!("{name}.weight")),
            self.tensor(&format!("{name}.bias")),
        );
        let mut w = vec![vec![0.0; x.len()]; x.len()];
        let mut b = vec![0.0; x.len()];
        for c in 0..channels {
            let own = &x[c * voxels..(c + 1) * voxels];
            let mean = own.iter().sum::<f64>() / voxels as f64;
            let spread = own.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / voxels as f64;
            for v in 0..voxels {
                let i = c * voxels + v;
                if self.batch_norm {
                    let (m, s) = (
                        self.tensor(&format!("{name}.running_mean"))[c],
                        self.tensor(&format!("{name}.running_var"))[c],
                    );
                    let factor = scale[c] / (s + 1e-5).sqrt();
                    w[i][i] = factor;
                    b[i] = shift[c] - m * factor;
                } else {
                    let factor = scale[v] / (spread + 1e-5).sqrt();
                    for u in 0..voxels {
                        w[i][c * voxels + u] =
                            factor * (f64::from(u8::from(u == v)) - 1.0 / voxels as f64);
                    }
                    b[i] = shift[v];
                }
            }
        }
        Linear { w, b }
    }

    fn dense(&self, name: &str, inputs: usize) -> Linear {
        let w = self.tensor(&format!("{name}.weight"));
        Linear {
            w: w.chunks(inputs).map(<[f64]>::to_vec).collect(),
            b: self.tensor(&format!("{name}.bias")),
        }
    }

    fn relevance(&self, shower: &[f32], epsilon: f64) -> (f64, Vec<f64>) {
        let leaky = |v: Vec<f64>| {
            v.into_iter()
                .map(|v| if v > 0.0 { v } else { 0.2 * v })
                .collect::<Vec<_>>()
        };
        let x: Vec<f64> = shower.iter().map(|&e| e.into()).collect();
        let mut steps: Vec<(Vec<f64>, Linear)> = Vec::new();
        // 5 x 6 x 7 at stride 2 with padding 1 makes 3 x 3 x 4, a kernel of 2 makes 2 x 2 x 3.
        let conv = self.conv("conv0", (1, SHAPE), (3, [3, 3, 4]), 3, 2, 1);
        let y = conv.apply(&x);
        steps.push((x, conv));
        let norm = self.norm("conv0_norm", &y, 3);
        let a = leaky(norm.apply(&y));
        steps.push((y, norm));
        let conv = self.conv("conv1", (3, [3, 3, 4]), (2, [2, 2, 3]), 2, 1, 0);
        let y = conv.apply(&a);
        steps.push((a, conv));
        let dense = self.dense("dense0", y.len());
        let a = leaky(dense.apply(&y));
        steps.push((y, dense));
        let last = self.dense("energy", a.len());
        let energy = 50.0 * last.apply(&a)[0].max(0.0);
        steps.push((a, last));
        let start = vec![energy];
        let r = steps
            .iter()
            .rev()
            .fold(start, |r, (x, layer)| layer.share(x, &r, epsilon));
        (energy, r)
    }
}

#[test]
fn relevances_are_those_of_the_rule() {
    let showers = showers();
    for (norm, batch_norm) in [("voxel", false), ("batch", true)] {
        let system = system(norm);
        let networks = networks(system.as_ref());
        let found = energies(system.as_ref(), &networks, &showers);
        let oracle = Oracle {
            networks: &networks,
            batch_norm,
        };
        for epsilon in [0.0, 0.03] {
            let relevance =
                Relevance::new(gpu(), system.as_ref(), &networks, epsilon).expect("a program");
            let cells = relevance
                .expect("layers")
                .run(&showers)
                .expect("relevances");
            let size = showers.len() / N;
            for (n, shower) in showers.chunks(size).enumerate() {
                let (energy, want) = oracle.relevance(shower, epsilon.into());
                assert!(energy > 1.0, "{norm}: shower {n} shares out {energy} GeV");
                assert!(
                    (f64::from(found[n]) - energy).abs() <= 1e-4 * energy,
                    "{norm}: {} {energy}",
                    found[n]
                );
                let rms = (want.iter().map(|r| r * r).sum::<f64>() / size as f64).sqrt();
                for (i, want) in want.iter().enumerate() {
                    let got = f64::from(cells[n * size + i]);
                    assert!(
                        (got - want).abs() <= 2e-4 * rms,
                        "{norm}, ε {epsilon}, shower {n}, cell {i}: {got}, expected {want}"
                    );
                }
            }
        }
    }
}

/// Without biases and ε nothing is lost.
#[test]
fn relevances_sum_to_the_energy() {
    let system = system("voxel");
    let networks = networks(system.as_ref());
    let regressor = networks.get("regressor").expect("the regressor");
    for tensor in regressor
        .network()
        .tensors
        .iter()
        .filter(|t| t.name.ends_with(".bias"))
    {
        let count = tensor.shape.iter().product();
        regressor
            .set(gpu(), &tensor.name, &vec![0.0; count])
            .expect("a bias");
    }
    // Signs for which the energy is above 0.
    let weight = regressor
        .get(gpu(), "energy.weight", false)
        .expect("weights");
    let showers = showers();
    let mut found = energies(system.as_ref(), &networks, &showers);
    if found.iter().all(|e| *e == 0.0) {
        let other: Vec<f32> = weight.iter().map(|w| -w).collect();
        regressor
            .set(gpu(), "energy.weight", &other)
            .expect("weights");
        found = energies(system.as_ref(), &networks, &showers);
    }
    assert!(found.iter().any(|e| *e > 1.0), "{found:?}");
    let sums = |epsilon: f32| -> Vec<f32> {
        let relevance =
            Relevance::new(gpu(), system.as_ref(), &networks, epsilon).expect("a program");
        let cells = relevance
            .expect("layers")
            .run(&showers)
            .expect("relevances");
        cells
            .chunks(cells.len() / N)
            .map(|c| c.iter().sum())
            .collect()
    };
    for (sum, energy) in sums(0.0).iter().zip(&found) {
        assert!(
            (sum - energy).abs() <= 1e-3 * energy,
            "{sum}, the energy is {energy}"
        );
    }
    // A large ε takes its part.
    for (sum, energy) in sums(0.5).iter().zip(&found).filter(|(_, e)| **e > 0.0) {
        assert!(
            (sum - energy).abs() > 0.05 * energy,
            "{sum}, the energy is {energy}"
        );
    }
    assert!(Relevance::new(gpu(), system.as_ref(), &networks, -1.0).is_err());
}
