//! Layers. Activations are `[C, .., N]` with the shower axis last; tensors have PyTorch's names and shapes.

use super::network::{Init, Mode, Net};
use crate::Error;
use crate::ops::ConvSpec;
use crate::tape::{Var, shape};

/// Small number under the root of every normalisation.
const EPS: f32 = 1e-5;

/// Over what a normalisation takes its statistics, and what its weights belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Over showers and voxels, per channel.
    Batch,
    /// Per shower over channels and voxels, affine per channel.
    Layer,
    /// Per shower and channel over voxels, affine per voxel and shared by channels: `LayerNorm([D,H,W])` on `[N,C,D,H,W]`.
    Voxel,
    /// Per shower and channel over voxels, without parameters: `InstanceNorm3d`.
    Instance,
}

/// Kernel, stride and zero padding of a two-dimensional convolution, each (rows, columns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Extents of the kernel.
    pub kernel: [usize; 2],
    /// Distance of neighbouring outputs in the input.
    pub stride: [usize; 2],
    /// Zeros before and after the input.
    pub padding: [usize; 2],
}

impl Window {
    fn spec(&self) -> ConvSpec {
        ConvSpec::of2d(self.stride, self.padding)
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "k{:?} s{:?} p{:?}",
            self.kernel, self.stride, self.padding
        )
    }
}

impl<'t> Net<'t> {
    /// `y = w x + b` over the first axis. Tensors `weight` `[O,I]` and `bias` `[O]`.
    #[track_caller]
    pub fn linear(&self, name: &str, x: Var<'t>, outputs: usize) -> Var<'t> {
        let fan_in = x.extent(0);
        let (weight, bias) = (self.weight_init(fan_in), self.bias_init(fan_in));
        self.linear_starting(name, x, outputs, weight, bias)
    }

    /// The same with given initial weights and biases.
    #[track_caller]
    pub fn linear_starting(
        &self,
        name: &str,
        x: Var<'t>,
        outputs: usize,
        weight: Init,
        bias: Init,
    ) -> Var<'t> {
        let w = self.parameter(&format!("{name}.weight"), &[outputs, x.extent(0)], weight);
        let b = self.bias(name, outputs, bias);
        let y = x.linear(w, Some(b));
        self.note(name, format!("Linear {} -> {outputs}", x.extent(0)), y);
        y
    }

    /// Three-dimensional convolution of `[C,D,H,W,N]`. Tensors `weight` `[O,C,kd,kh,kw]` and, with `bias`, `bias` `[O]`.
    #[track_caller]
    pub fn conv3d(
        &self,
        name: &str,
        x: Var<'t>,
        outputs: usize,
        kernel: [usize; 3],
        spec: &ConvSpec,
        bias: bool,
    ) -> Var<'t> {
        let c = x.extent(0);
        let fan_in = c.saturating_mul(shape::len(&kernel));
        let w = self.parameter(
            &format!("{name}.weight"),
            &[outputs, c, kernel[0], kernel[1], kernel[2]],
            self.weight_init(fan_in),
        );
        let b = bias.then(|| self.bias(name, outputs, self.bias_init(fan_in)));
        let y = x.conv(w, b, spec);
        self.note(
            name,
            format!(
                "Conv3d {c} -> {outputs} k{kernel:?} s{:?} p{:?}",
                spec.stride, spec.padding
            ),
            y,
        );
        y
    }

    /// Two-dimensional convolution of `[C,H,W,N]`. Tensors `weight` `[O,C,kh,kw]` and, with `bias`, `bias` `[O]`.
    #[track_caller]
    pub fn conv2d(
        &self,
        name: &str,
        x: Var<'t>,
        outputs: usize,
        window: Window,
        bias: bool,
    ) -> Var<'t> {
        let (c, [kh, kw]) = (x.extent(0), window.kernel);
        let fan_in = shape::len(&[c, kh, kw]);
        let shape = [outputs, c, kh, kw];
        let w = self.parameter(&format!("{name}.weight"), &shape, self.weight_init(fan_in));
        let b = bias.then(|| self.bias(name, outputs, self.bias_init(fan_in)));
        let w = w.reshape(&[outputs, c, 1, kh, kw]);
        let y = x.volume("conv2d").conv(w, b, &window.spec()).image();
        self.note(name, format!("Conv2d {c} -> {outputs} {window}"), y);
        y
    }

    /// Two-dimensional transposed convolution. Tensors `weight` `[C,O,kh,kw]` and, with `bias`, `bias` `[O]`.
    #[track_caller]
    pub fn conv_transpose2d(
        &self,
        name: &str,
        x: Var<'t>,
        outputs: usize,
        (window, output_padding): (Window, [usize; 2]),
        bias: bool,
    ) -> Var<'t> {
        let (c, [kh, kw]) = (x.extent(0), window.kernel);
        // PyTorch counts the fan of a transposed convolution over its outputs.
        let fan_in = shape::len(&[outputs, kh, kw]);
        let shape = [c, outputs, kh, kw];
        let w = self.parameter(&format!("{name}.weight"), &shape, self.weight_init(fan_in));
        let b = bias.then(|| self.bias(name, outputs, self.bias_init(fan_in)));
        let more = [0, output_padding[0], output_padding[1]];
        let w = w.reshape(&[c, outputs, 1, kh, kw]);
        let x = x.volume("conv_transpose2d");
        let y = x.conv_transpose(w, b, &window.spec(), more).image();
        let text = format!("ConvTranspose2d {c} -> {outputs} {window} +{output_padding:?}");
        self.note(name, text, y);
        y
    }

    /// Three-dimensional transposed convolution of `[C,D,H,W,N]`, `output_padding` voxels added after the last. Tensors `weight`
    /// `[C,O,kd,kh,kw]` and, with `bias`, `bias` `[O]`.
    #[track_caller]
    pub fn conv_transpose3d(
        &self,
        name: &str,
        x: Var<'t>,
        outputs: usize,
        kernel: [usize; 3],
        (spec, output_padding): (&ConvSpec, [usize; 3]),
        bias: bool,
    ) -> Var<'t> {
        let c = x.extent(0);
        let [kd, kh, kw] = kernel;
        let fan_in = outputs * kd * kh * kw;
        let shape = [c, outputs, kd, kh, kw];
        let w = self.parameter(&format!("{name}.weight"), &shape, self.weight_init(fan_in));
        let b = bias.then(|| self.bias(name, outputs, self.bias_init(fan_in)));
        let y = x.conv_transpose(w, b, spec, output_padding);
        let text = format!(
            "ConvTranspose3d {c} -> {outputs} k{kernel:?} s{:?} p{:?} +{output_padding:?}",
            spec.stride, spec.padding
        );
        self.note(name, text, y);
        y
    }

    /// Convolution with kernel 1 of `[C,D,H,W,N]` and of `features` `[F,N]`, which stand at every voxel as channels C to
    /// C+F: what they add is one dense layer a shower. Tensors `weight` `[O,C+F,1,1,1]` and `bias` `[O]`.
    #[track_caller]
    pub fn pointwise3d_with(
        &self,
        name: &str,
        x: Var<'t>,
        features: Var<'t>,
        outputs: usize,
    ) -> Var<'t> {
        let (c, f, n) = (x.extent(0), features.extent(0), features.extent(1));
        let shape = [outputs, c + f, 1, 1, 1];
        let w = self.parameter(&format!("{name}.weight"), &shape, self.weight_init(c + f));
        let b = self.bias(name, outputs, self.bias_init(c + f));
        let spec = ConvSpec {
            stride: [1; 3],
            padding: [0; 3],
        };
        let of_features = w.slice(1, c, c + f).reshape(&[outputs, f]);
        let everywhere = features.linear(of_features, Some(b));
        let y = x.conv(w.slice(1, 0, c), None, &spec) + everywhere.reshape(&[outputs, 1, 1, 1, n]);
        self.note(name, format!("Conv3d {c} + {f} -> {outputs} k[1, 1, 1]"), y);
        y
    }

    /// Drops each element with probability `p` while training and scales the rest by 1 / (1 - p). `random` addresses the
    /// step (see [`Tape::uniform`](crate::tape::Tape::uniform)); each layer needs a `stream` of its own.
    #[track_caller]
    pub fn dropout(&self, x: Var<'t>, p: f32, random: Var<'t>, stream: u32) -> Var<'t> {
        if self.mode == Mode::Infer || p == 0.0 {
            return x;
        }
        let u = self.tape.uniform(random, stream, &x.shape());
        let kept = u.greater(self.tape.full(p, &x.shape()));
        x * kept * (1.0 / (1.0 - p))
    }

    /// A bias of its own for every channel and position: tensor `bias` of the activation's shape.
    #[track_caller]
    pub fn untied_bias(&self, name: &str, x: Var<'t>) -> Var<'t> {
        self.untied_bias_starting(name, x, Init::Constant(0.0))
    }

    /// The same with given initial values.
    #[track_caller]
    pub fn untied_bias_starting(&self, name: &str, x: Var<'t>, init: Init) -> Var<'t> {
        let shape = x.shape();
        let own = &shape[..shape.len().saturating_sub(1)];
        let b = self.parameter(&format!("{name}.bias"), own, init);
        let y = x + b.unsqueeze_to(x.rank());
        self.note(name, "Bias per position".into(), y);
        y
    }

    /// Convolution with weights of its own at every position: tensors `weight` `[OH,OW,O,C kh kw]` and `bias`
    /// `[OH,OW,O]`.
    #[track_caller]
    pub fn locally_connected2d(
        &self,
        name: &str,
        x: Var<'t>,
        outputs: usize,
        kernel: [usize; 2],
    ) -> Var<'t> {
        let c = x.extent(0);
        let fan = c * kernel[0] * kernel[1];
        let [oh, ow] = [0, 1].map(|i| (x.extent(1 + i) + 1).saturating_sub(kernel[i]));
        let w = self.parameter(
            &format!("{name}.weight"),
            &[oh, ow, outputs, fan],
            self.weight_init(fan),
        );
        let b = self.parameter(
            &format!("{name}.bias"),
            &[oh, ow, outputs],
            Init::Constant(0.0),
        );
        let y = x.locally_connected2d(w, Some(b), kernel, [1, 1]);
        self.note(
            name,
            format!("LocallyConnected2d {c} -> {outputs} k{kernel:?}"),
            y,
        );
        y
    }

    /// Normalises `(x - mean) / sqrt(var + 1e-5) * weight + bias`, the variance divided by n.
    #[track_caller]
    pub fn norm(&self, name: &str, x: Var<'t>, norm: Norm) -> Var<'t> {
        // One that failed before, or without an axis to sum over.
        if x.rank() < 2 {
            let what = format!("{name}: a norm of shape {:?}", x.shape());
            return self.tape.fail(Error::shape("norm", what));
        }
        match norm {
            Norm::Batch => self.batch_norm(name, x, 0.1),
            Norm::Layer => {
                let axes: Vec<usize> = (0..x.rank() - 1).collect();
                let y = self.affine(name, self.standardise(x, &axes), &[x.extent(0)], x.rank());
                self.note(name, "LayerNorm over channels and voxels".into(), y);
                y
            }
            Norm::Voxel => {
                let axes: Vec<usize> = (1..x.rank() - 1).collect();
                let shape = x.shape();
                let y = self.affine(
                    name,
                    self.standardise(x, &axes),
                    &shape[1..shape.len() - 1],
                    x.rank() - 1,
                );
                self.note(name, "LayerNorm over voxels".into(), y);
                y
            }
            Norm::Instance => {
                let axes: Vec<usize> = (1..x.rank() - 1).collect();
                let y = self.standardise(x, &axes);
                self.note(name, "InstanceNorm".into(), y);
                y
            }
        }
    }

    /// `(x - mean) / sqrt(var + 1e-5)` over `axes`.
    #[track_caller]
    fn standardise(&self, x: Var<'t>, axes: &[usize]) -> Var<'t> {
        let centred = x - x.mean_keep(axes);
        let scale = (x.var_keep(axes) + EPS).rsqrt();
        match self.constant_spreads {
            true => centred * scale.detach(),
            false => centred * scale,
        }
    }

    /// `x * weight + bias`; tensors of `shape`, which get axes of 1 behind up to `rank` and then stretch over `x`: `[C]` as
    /// `[C,1,..,1]`, the voxels' extents as `[D,H,W,1]`.
    #[track_caller]
    fn affine(&self, name: &str, x: Var<'t>, shape: &[usize], rank: usize) -> Var<'t> {
        let w = self.parameter(&format!("{name}.weight"), shape, self.scale_init());
        let b = self.parameter(&format!("{name}.bias"), shape, Init::Constant(0.0));
        x * w.unsqueeze_to(rank) + b.unsqueeze_to(rank)
    }

    /// Batch norm with running statistics that keep `1 - momentum` a step. Tensors `weight`, `bias`, `running_mean`,
    /// `running_var`, all `[C]`.
    #[track_caller]
    pub fn batch_norm(&self, name: &str, x: Var<'t>, momentum: f32) -> Var<'t> {
        let c = x.extent(0);
        let w = self
            .parameter(&format!("{name}.weight"), &[c], self.scale_init())
            .unsqueeze_to(x.rank());
        let b = self
            .parameter(&format!("{name}.bias"), &[c], Init::Constant(0.0))
            .unsqueeze_to(x.rank());
        let (mean, mean_state) = self.statistic(&format!("{name}.running_mean"), &[c], 0.0);
        let (var, var_state) = self.statistic(&format!("{name}.running_var"), &[c], 1.0);
        let y = if self.mode == Mode::Infer {
            // Folded per channel before anything meets the activation.
            let scale = w * (var.unsqueeze_to(x.rank()) + EPS).rsqrt();
            x * scale + (b - mean.unsqueeze_to(x.rank()) * scale)
        } else {
            let axes: Vec<usize> = (1..x.rank()).collect();
            let (m, v) = (x.mean_keep(&axes), x.var_keep(&axes));
            if self.mode == Mode::Train {
                let terms = (x.len() / c) as f32;
                // The running variance is the unbiased one.
                let unbiased = v.reshape(&[c]) * (terms / (terms - 1.0).max(1.0));
                let next =
                    |old: Var<'t>, now: Var<'t>| (old * (1.0 - momentum) + now * momentum).detach();
                if let (Some(ms), Some(vs)) = (&mean_state, &var_state) {
                    self.tape.store(ms, next(mean, m.reshape(&[c])));
                    self.tape.store(vs, next(var, unbiased));
                }
            }
            // One factor a channel, so that its gradient and that of the weight are made of one sum.
            (x - m) * ((v + EPS).rsqrt() * w) + b
        };
        self.note(name, "BatchNorm".into(), y);
        y
    }
}
