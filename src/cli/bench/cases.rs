//! The cases of `calogen bench kernels`: every kernel family at the shapes of the models.

use std::sync::Arc;

use calogen::gpu::Gpu;
use calogen::losses::{self, Sinkhorn};
use calogen::nn::{Mode, Net, Network, Norm, Parameters};
use calogen::ops::{ConvSpec, Optimizer, random};
use calogen::tape::{State, Tape, Var};
use calogen::{Error, Result};
use serde::Serialize;

/// A convolution or a dense layer (extents and kernel 1): what a comparison with another library needs to know.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Layer {
    /// `conv`, `conv_transpose` or `dense`.
    pub op: &'static str,
    /// Axes of space: 2 (H, W), 3 (D, H, W) or 0.
    pub dims: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub extent: [usize; 3],
    pub kernel: [usize; 3],
    pub stride: [usize; 3],
    pub padding: [usize; 3],
    pub output_padding: [usize; 3],
}

/// A Sinkhorn divergence between two samples of as many showers as the batch: what a comparison needs to know.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Divergence {
    pub features: usize,
    /// With the gradient of the first sample.
    pub gradient: bool,
    pub blur: f32,
    pub scaling: f32,
    pub diameter: f32,
}

/// Which of a layer's three products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    Forward,
    Input,
    Weight,
}

/// What a case computes.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    Layer(Layer, Pass),
    Local(Pass),
    /// Channels, voxels as D, H, W.
    Norm(Norm, [usize; 4], bool),
    Pool(&'static str, bool),
    Sort,
    Sinkhorn(Divergence),
    /// `leaky(a x + y)`, `x + bias per channel`, ..
    Map(&'static str),
    Reduce(&'static str),
    Transpose,
    Adam,
    Normal,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub family: &'static str,
    pub batch: usize,
    pub work: Work,
}

/// Elements of the optimiser's case: the parameters of a published generator.
const PARAMETERS: usize = 1 << 21;
/// The activation of the elementwise and reducing cases: 16 channels of 12 x 15 cells (HGCAL).
const PLANE: [usize; 4] = [16, 1, 12, 15];

const FLAT: [usize; 3] = [1; 3];

#[allow(clippy::too_many_arguments)]
fn plane(
    op: &'static str,
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    more: usize,
    extent: [usize; 2],
) -> Layer {
    Layer {
        op,
        dims: 2,
        inputs,
        outputs,
        extent: [1, extent[0], extent[1]],
        kernel: [1, kernel[0], kernel[1]],
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        output_padding: [0, more, more],
    }
}

fn volume(
    op: &'static str,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    extent: usize,
) -> Layer {
    Layer {
        op,
        dims: 3,
        inputs,
        outputs,
        extent: [extent; 3],
        kernel: [kernel; 3],
        stride: [stride; 3],
        padding: [padding; 3],
        output_padding: [0; 3],
    }
}

fn dense(inputs: usize, outputs: usize) -> Layer {
    Layer {
        op: "dense",
        dims: 0,
        inputs,
        outputs,
        extent: FLAT,
        kernel: FLAT,
        stride: FLAT,
        padding: [0; 3],
        output_padding: [0; 3],
    }
}

/// The layers, with true for those of the 30 x 30 x 30 networks, whose batches are small.
fn layers() -> Vec<(Layer, bool)> {
    let (conv, up) = ("conv", "conv_transpose");
    let hgcal = [
        plane(up, 16, 16, [3, 3], 2, 1, 1, [6, 8]),
        plane(up, 32, 64, [3, 3], 2, 1, 1, [12, 16]),
        plane(conv, 64, 1, [5, 9], 1, 0, 0, [24, 32]),
        plane(conv, 7, 64, [3, 3], 1, 1, 0, [20, 24]),
        plane(conv, 64, 128, [5, 6], 1, 0, 0, [20, 24]),
        plane(conv, 128, 14, [3, 3], 1, 0, 0, [16, 19]),
        plane(conv, 8, 256, [5, 5], 1, 2, 0, [12, 15]),
        plane(conv, 256, 128, [3, 3], 1, 1, 0, [12, 15]),
        plane(conv, 16, 16, [3, 3], 1, 1, 0, [12, 15]),
    ];
    let cubes = [
        volume(conv, 16, 32, 3, 1, 1, 30),
        volume(up, 128, 64, 4, 2, 1, 8),
        volume(up, 64, 32, 4, 2, 1, 16),
        volume(conv, 1, 128, 3, 2, 0, 30),
        volume(conv, 128, 128, 1, 1, 0, 8),
    ];
    let dense = [
        dense(2880, 10),
        dense(13, 10),
        dense(10, 192),
        dense(8001, 4000),
        dense(128, 768),
        dense(2000, 100),
    ];
    let mut all: Vec<_> = hgcal.map(|l| (l, false)).to_vec();
    all.extend(cubes.map(|l| (l, true)));
    all.extend(dense.map(|l| (l, false)));
    all
}

impl Layer {
    /// `conv2d 64->1 k5x9 24x32`
    fn name(&self) -> String {
        let (i, o) = (self.inputs, self.outputs);
        if self.dims == 0 {
            return format!("dense {i}->{o}");
        }
        let own = 3 - self.dims;
        let text = |a: &[usize; 3]| {
            let a: Vec<String> = a[own..].iter().map(usize::to_string).collect();
            a.join("x")
        };
        let mut name = format!("{}{}d {i}->{o} k{}", self.op, self.dims, text(&self.kernel));
        for (letter, value) in [("s", self.stride[2]), ("p", self.padding[2])] {
            if value != usize::from(letter == "s") {
                name += &format!(" {letter}{value}");
            }
        }
        name + " " + &text(&self.extent)
    }
}

/// Every case, for batches of the given sizes (all but the 30 x 30 x 30 ones), `small` for those.
pub fn all(batches: &[usize], small: &[usize]) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, family, batches: &[usize], work| {
        for &batch in batches {
            let name = name.clone();
            cases.push(Case {
                name,
                family,
                batch,
                work,
            });
        }
    };
    let passes = [
        (Pass::Forward, "forward"),
        (Pass::Input, "input gradient"),
        (Pass::Weight, "weight gradient"),
    ];
    for (pass, what) in passes {
        for (layer, cube) in layers() {
            let batches = if cube { small } else { batches };
            let name = format!("{} {what}", layer.name());
            add(name, layer.op, batches, Work::Layer(layer, pass));
        }
        let name = format!("locally connected 16->8 k3x3 12x15 {what}");
        add(name, "local", batches, Work::Local(pass));
    }
    let norms = [
        ("batch", Norm::Batch, [16, 1, 12, 15], batches),
        ("layer", Norm::Layer, [64, 1, 24, 32], batches),
        ("voxel", Norm::Voxel, [32, 15, 15, 15], small),
    ];
    for (what, norm, shape, batches) in norms {
        let [c, d, h, w] = shape;
        let name = format!("{what} norm {c}x{d}x{h}x{w}");
        for (back, pass) in [(false, "forward"), (true, "backward")] {
            add(
                format!("{name} {pass}"),
                "norm",
                batches,
                Work::Norm(norm, shape, back),
            );
        }
    }
    for kind in ["avg", "max"] {
        for (back, pass) in [(false, "forward"), (true, "backward")] {
            let name = format!("{kind} pool k2 16x30x30x30 {pass}");
            add(name, "pool", small, Work::Pool(kind, back));
        }
    }
    add("sort 1000 of 27000".into(), "sort", small, Work::Sort);
    for features in [10, 20] {
        for showers in [256, 1024, 2048] {
            for (gradient, what) in [(false, "forward"), (true, "with gradient")] {
                let divergence = Divergence {
                    features,
                    gradient,
                    blur: 0.05,
                    scaling: 0.7,
                    diameter: 8.0,
                };
                let name = format!("sinkhorn {features}x{showers} {what}");
                add(name, "sinkhorn", &[showers], Work::Sinkhorn(divergence));
            }
        }
    }
    for kind in ["flat", "channel", "shower"] {
        let name = format!("map {kind} 16x12x15");
        add(name, "map", batches, Work::Map(kind));
    }
    for kind in ["all", "channel", "shower"] {
        let name = format!("reduce to {kind} 16x12x15");
        add(name, "reduce", batches, Work::Reduce(kind));
    }
    add(
        "transpose 24x32".into(),
        "transpose",
        batches,
        Work::Transpose,
    );
    add(format!("adam {PARAMETERS}"), "adam", &[1], Work::Adam);
    add(
        "philox normal 10x12x15".into(),
        "random",
        batches,
        Work::Normal,
    );
    cases
}

/// A case on a tape: its outputs, and operations and bytes where the ops do not count them.
pub struct Built<'t> {
    pub outputs: Vec<(&'static str, Var<'t>)>,
    pub counts: Option<(f64, f64)>,
}

impl Case {
    /// The network whose parameters the case needs.
    pub fn parameters(&self, gpu: &Arc<Gpu>) -> Result<Option<Parameters>> {
        let Work::Norm(norm, [c, d, h, w], _) = self.work else {
            return Ok(None);
        };
        let batch = self.batch;
        let network = Network::declare("bench", |net| {
            let x = net.tape().input("x", &[c, d, h, w, batch]);
            net.norm("norm", x, norm);
        })?;
        Ok(Some(Parameters::new(gpu, network, 0, false)?))
    }

    /// Records the case, with weights from `weights`.
    pub fn build<'t>(
        &self,
        gpu: &Arc<Gpu>,
        tape: &'t Tape,
        parameters: Option<&'t Parameters>,
        weights: impl Fn(&'t Tape, &[usize]) -> Var<'t>,
    ) -> Result<Built<'t>> {
        let n = self.batch;
        let plane = [PLANE[0], PLANE[2], PLANE[3], n];
        let x = |shape: &[usize]| tape.input("x", shape);
        let made = |y: Var<'t>| Built {
            outputs: vec![("y", y)],
            counts: None,
        };
        let back = |y: Var<'t>, of: Var<'t>| {
            let dy = tape.input("dy", &y.shape());
            made(tape.pullback(&[(y, dy)], &[of])[0])
        };
        Ok(match self.work {
            Work::Layer(layer, pass) => {
                let [d, h, w] = layer.extent;
                let [kd, kh, kw] = layer.kernel;
                let (i, o) = (layer.inputs, layer.outputs);
                let transposed = layer.op == "conv_transpose";
                let shape = if transposed { [i, o] } else { [o, i] };
                let weight = weights(tape, &[shape[0], shape[1], kd, kh, kw]);
                let bias = (pass == Pass::Forward).then(|| weights(tape, &[o]));
                let spec = ConvSpec {
                    stride: layer.stride,
                    padding: layer.padding,
                };
                let x = x(&[i, d, h, w, n]);
                let y = if transposed {
                    x.conv_transpose(weight, bias, &spec, layer.output_padding)
                } else {
                    x.conv(weight, bias, &spec)
                };
                match pass {
                    Pass::Forward => made(y),
                    Pass::Input => back(y, x),
                    Pass::Weight => back(y, weight),
                }
            }
            Work::Local(pass) => {
                let (x, weight) = (x(&plane), weights(tape, &[10, 13, 8, 144]));
                let y = x.locally_connected2d(weight, None, [3, 3], [1, 1]);
                match pass {
                    Pass::Forward => made(y),
                    Pass::Input => back(y, x),
                    Pass::Weight => back(y, weight),
                }
            }
            Work::Norm(norm, [c, d, h, w], backward) => {
                let missing = || Error::Config("a norm without parameters".into());
                let net = Net::new(tape, parameters.ok_or_else(missing)?, Mode::Serve);
                let x = x(&[c, d, h, w, n]);
                let y = net.norm("norm", x, norm);
                if backward { back(y, x) } else { made(y) }
            }
            Work::Pool(kind, backward) => {
                let x = x(&[16, 30, 30, 30, n]);
                let y = match kind {
                    "avg" => x.avg_pool3d([2; 3], [2; 3], [0; 3], true),
                    _ => x.max_pool3d([2; 3], [2; 3], [0; 3]),
                };
                if backward { back(y, x) } else { made(y) }
            }
            Work::Sort => made(x(&[27, 1000, n]).sort_descending(1).0),
            Work::Sinkhorn(d) => {
                let x = x(&[d.features, n]);
                let y = tape.input("b", &[d.features, n]) * 0.8 + 0.1;
                let spec = Sinkhorn {
                    blur: d.blur,
                    scaling: d.scaling,
                    diameter: d.diameter,
                    iterations: 1,
                    tolerance: 0.0,
                    ..Sinkhorn::default()
                };
                let mut built = made(losses::sinkhorn_divergence(x, y, &spec));
                if d.gradient {
                    let dx = tape.gradients(built.outputs[0].1, &[x])[0];
                    built.outputs.push(("dx", dx));
                }
                built
            }
            Work::Map(kind) => {
                let x = x(&plane);
                let other = match kind {
                    "flat" => tape.input("b", &plane),
                    "channel" => tape.input("b", &[PLANE[0], 1, 1, 1]),
                    _ => tape.input("b", &[1, 1, 1, n]),
                };
                made((x * 0.5 + other).leaky_relu(0.2))
            }
            Work::Reduce(kind) => {
                let axes: &[usize] = match kind {
                    "all" => &[0, 1, 2, 3],
                    "channel" => &[1, 2, 3],
                    _ => &[0, 1, 2],
                };
                made(x(&plane).sum(axes))
            }
            Work::Transpose => made(x(&[n, 24, 32]).batch_last()),
            Work::Adam => {
                let state = |name: &str| -> Result<State> {
                    let buffer = gpu.buffer(PARAMETERS as u64 * 4)?;
                    let state = State::new(buffer, 0, &[PARAMETERS], name);
                    state.set(gpu, &vec![0.01; PARAMETERS])?;
                    Ok(state)
                };
                let [q, g, m, v] = [state("q")?, state("g")?, state("m")?, state("v")?];
                let adam = Optimizer::Adam {
                    beta1: 0.9,
                    beta2: 0.999,
                    eps: 1e-8,
                };
                let hyper = adam.hyper(1e-3, 1);
                tape.optimize(adam, [&q, &g, &m, &v], tape.constant(&hyper, &[3]));
                let count = PARAMETERS as f64;
                Built {
                    outputs: Vec::new(),
                    counts: Some((14.0 * count, 28.0 * count)),
                }
            }
            Work::Normal => {
                let key = tape.input_u32("key", &[4]);
                made(tape.normal(key, 1, &[10, 12, 15, n]))
            }
        })
    }

    /// The key of the random numbers.
    pub fn key() -> [u32; 4] {
        random::key(1, 0)
    }

    /// The divergence of such a case.
    pub fn divergence(&self) -> Option<Divergence> {
        match self.work {
            Work::Sinkhorn(divergence) => Some(divergence),
            _ => None,
        }
    }

    /// The layer of a layer's case.
    pub fn layer(&self) -> Option<(Layer, Pass)> {
        match self.work {
            Work::Layer(layer, pass) => Some((layer, pass)),
            _ => None,
        }
    }
}
