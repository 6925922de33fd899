//! The published HGCAL generator in burn on wgpu: labels and noise in, energies in host memory out. Prints one JSON line
//! with showers per second; `tools/bench_generators.py --burn` compares it with calogen on the same adapter.
//!
//!     bench-burn [BATCH [SECONDS]]
//!
//! Weights are random, which the rate does not depend on. Batch norms are the factor and the shift that inference needs.

use std::time::{Duration, Instant};

use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::module::{conv2d, conv_transpose2d, linear, unfold4d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, UnfoldOptions};
use burn::tensor::{Device, DeviceKind, Distribution, Tensor};

const SLOPE: f64 = 0.2;
const TOWERS: usize = 7;
/// Extents of a shower (Z, X, Y).
const SHAPE: [usize; 3] = [7, 12, 15];

fn draw<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-0.1, 0.1), device)
}

/// Factor and shift of each channel, then leaky ReLU.
struct Norm(Tensor<4>, Tensor<4>);

impl Norm {
    fn new(channels: usize, device: &Device) -> Self {
        let [a, b] = [(); 2].map(|()| draw([1, channels, 1, 1], device));
        Self(a + 1.0, b)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        leaky_relu(x * self.0.clone() + self.1.clone(), SLOPE)
    }
}

/// A doubling of the image: transposed convolution, perhaps a bias of every position, norm.
struct Up {
    weight: Tensor<4>,
    bias: Option<Tensor<4>>,
    norm: Norm,
}

struct Tower {
    dense: [(Tensor<2>, Tensor<1>); 2],
    up: Vec<Up>,
    weight: Tensor<4>,
    bias: Tensor<4>,
    norm: Norm,
}

impl Tower {
    fn new(device: &Device) -> Self {
        let dense = |i, o| (draw([i, o], device), draw([o], device));
        let up = |i, o, extents: Option<[usize; 2]>| Up {
            weight: draw([i, o, 3, 3], device),
            bias: extents.map(|[h, w]| draw([1, o, h, w], device)),
            norm: Norm::new(o, device),
        };
        Self {
            dense: [dense(13, 10), dense(10, 192)],
            up: vec![
                up(16, 16, Some([6, 8])),
                up(16, 32, Some([12, 16])),
                up(32, 64, None),
            ],
            weight: draw([1, 64, 5, 9], device),
            bias: draw([1, 1, 20, 24], device),
            norm: Norm::new(1, device),
        }
    }

    fn forward(&self, seed: Tensor<2>) -> Tensor<4> {
        let [batch, _] = seed.dims();
        let h = self.dense.iter().fold(seed, |h, (w, b)| {
            leaky_relu(linear(h, w.clone(), Some(b.clone())), SLOPE)
        });
        let mut h = h.reshape([batch, 16, 3, 4]);
        for up in &self.up {
            let doubling = ConvTransposeOptions::new([2, 2], [1, 1], [1, 1], [1, 1], 1);
            h = conv_transpose2d(h, up.weight.clone(), None, doubling);
            if let Some(bias) = &up.bias {
                h = h + bias.clone();
            }
            h = up.norm.forward(h);
        }
        let plain = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let h = conv2d(h, self.weight.clone(), None, plain);
        self.norm.forward(h + self.bias.clone())
    }
}

struct Generator {
    towers: Vec<Tower>,
    trunk: Vec<(Tensor<4>, Tensor<1>, usize, Norm)>,
    /// Weights of every position, `[X Y, Z, 14 * 9]`, and its bias `[1, Z, X, Y]`.
    cells: (Tensor<3>, Tensor<4>),
}

impl Generator {
    fn new(device: &Device) -> Self {
        let layer = |i, o, [kh, kw]: [usize; 2], padding| {
            let weight = draw([o, i, kh, kw], device);
            (weight, draw([o], device), padding, Norm::new(o, device))
        };
        let [z, x, y] = SHAPE;
        Self {
            towers: (0..TOWERS).map(|_| Tower::new(device)).collect(),
            trunk: vec![
                layer(TOWERS, 64, [3, 3], 1),
                layer(64, 128, [5, 6], 0),
                layer(128, 14, [3, 3], 0),
            ],
            cells: (draw([x * y, z, 14 * 9], device), draw([1, z, x, y], device)),
        }
    }

    fn forward(&self, seed: Tensor<2>) -> Tensor<4> {
        let [batch, _] = seed.dims();
        let towers = self.towers.iter().map(|t| t.forward(seed.clone()));
        let mut h = Tensor::cat(towers.collect(), 1);
        for (weight, bias, padding, norm) in &self.trunk {
            let options = ConvOptions::new([1, 1], [*padding; 2], [1, 1], 1);
            h = norm.forward(conv2d(h, weight.clone(), Some(bias.clone()), options));
        }
        let [z, x, y] = SHAPE;
        // Every position has weights of its own: a stack of matrix products.
        let patches = unfold4d(h, [3, 3], UnfoldOptions::new([1, 1], [0, 0], [1, 1]));
        let cells = self.cells.0.clone().matmul(patches.permute([2, 1, 0]));
        let cells = cells.permute([2, 1, 0]).reshape([batch, z, x, y]);
        relu(cells + self.cells.1.clone())
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: f64| arguments.next().map_or(Ok(otherwise), |a| a.parse::<f64>());
    let (Ok(batch), Ok(seconds)) = (number(64.0), number(3.0)) else {
        eprintln!("usage: bench-burn [BATCH [SECONDS]]");
        std::process::exit(2);
    };
    let (batch, budget) = (batch as usize, Duration::from_secs_f64(seconds));
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    let generator = Generator::new(&device);
    let run = || {
        let seed = Tensor::random([batch, 13], Distribution::Uniform(-1.0, 1.0), &device);
        let cells = generator.forward(seed).into_data();
        assert_eq!(cells.num_elements(), batch * SHAPE.iter().product::<usize>());
    };
    // Kernels are compiled and chosen in the first runs.
    (0..3).for_each(|_| run());
    let (start, mut best, mut runs) = (Instant::now(), f64::INFINITY, 0);
    while runs < 3 || start.elapsed() < budget {
        let now = Instant::now();
        run();
        best = best.min(now.elapsed().as_secs_f64());
        runs += 1;
    }
    println!(
        "{{\"device\": \"{device:?}\", \"batch\": {batch}, \"runs\": {runs}, \"seconds_per_shower\": {:e}}}",
        best / batch as f64
    );
}
