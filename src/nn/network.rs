//! What a network consists of, and the handle through which its layers find their parameters.

use std::cell::RefCell;

use super::parameters::Parameters;
use crate::Result;
use crate::tape::{State, Tape, Var, shape};

/// Tensors of a network, at most: a configuration from a file must not make a network without end.
const MOST: usize = 10_000;

/// How a tensor starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// One number everywhere.
    Constant(f32),
    /// Uniform in (-bound, bound).
    Uniform(f32),
    /// Normal.
    Normal {
        /// Mean.
        mean: f32,
        /// Standard deviation.
        std: f32,
    },
    /// Normal about 0 with the variance 2 / (outputs x kernel) of a convolution, "fan out" (K. He et al., arXiv:1502.01852).
    FanOut,
}

impl Init {
    /// PyTorch's default of linear and convolution layers: uniform within 1 / sqrt(fan in).
    pub fn fan_in(fan_in: usize) -> Self {
        Self::Uniform(1.0 / (fan_in.max(1) as f32).sqrt())
    }
}

/// A tensor of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// `<layer>.<parameter>`
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// Initial values.
    pub init: Init,
    /// False for running statistics, which no optimiser touches.
    pub trainable: bool,
}

/// One line of the description of a network.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Layer {
    /// The layer's name, the first part of its tensors' names.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Shape of its result per shower, channels first.
    pub output: Vec<usize>,
    /// Number of trainable parameters.
    pub parameters: usize,
}

/// A network as declared: its tensors and layers in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// The name, the first part of tensor names in a weights file.
    pub name: String,
    /// Its tensors.
    pub tensors: Vec<TensorSpec>,
    /// Its layers.
    pub layers: Vec<Layer>,
}

impl Network {
    /// Runs `build` on a tape that leads nowhere and notes what it asks for.
    ///
    /// # Errors
    /// The first shape error of the network.
    pub fn declare(name: &str, build: impl for<'t> Fn(&Net<'t>)) -> Result<Self> {
        let tape = Tape::new();
        let network = RefCell::new(Self {
            name: name.into(),
            ..Self::default()
        });
        build(&Net {
            tape: &tape,
            mode: Mode::Infer,
            source: Source::Declare(&network),
            init: None,
            still_biases: false,
            constant_spreads: false,
        });
        tape.check()?;
        Ok(network.into_inner())
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        self.tensors
            .iter()
            .filter(|t| t.trainable)
            .map(|t| shape::len(&t.shape))
            .sum()
    }
}

/// How a network is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics; running ones follow.
    Train,
    /// Batch statistics; running ones stay: when the network only serves another one's step.
    Serve,
    /// Running statistics.
    Infer,
}

#[derive(Clone, Copy)]
enum Source<'t> {
    Declare(&'t RefCell<Network>),
    Stored {
        parameters: &'t Parameters,
        mean: bool,
    },
}

/// A network on a tape: gives its layers their parameters.
#[derive(Clone, Copy)]
pub struct Net<'t> {
    pub(super) tape: &'t Tape,
    /// How it is run.
    pub mode: Mode,
    source: Source<'t>,
    /// How weights of linear and convolution layers start, if not as PyTorch's do.
    init: Option<Init>,
    /// See [`Net::before_batch_norm`].
    still_biases: bool,
    /// See [`Net::with_constant_spreads`].
    pub(super) constant_spreads: bool,
}

impl<'t> Net<'t> {
    /// A network with `parameters`, on `tape`.
    pub fn new(tape: &'t Tape, parameters: &'t Parameters, mode: Mode) -> Self {
        Self {
            tape,
            mode,
            source: Source::Stored {
                parameters,
                mean: false,
            },
            init: None,
            still_biases: false,
            constant_spreads: false,
        }
    }

    /// The network with the running mean of its parameters over training steps, if one is kept.
    pub fn averaged(tape: &'t Tape, parameters: &'t Parameters, mode: Mode) -> Self {
        Self {
            tape,
            mode,
            source: Source::Stored {
                parameters,
                mean: true,
            },
            init: None,
            still_biases: false,
            constant_spreads: false,
        }
    }

    /// The same network, whose linear and convolution layers declare weights that start as `init` and biases of 0, or both by
    /// their fan-in; if normal, the factors of norms spread as much about 1.
    pub fn starting(self, init: Option<Init>) -> Self {
        Self { init, ..self }
    }

    /// The same network for a layer right before a batch norm, which takes the effect of a bias away: biases get no
    /// gradient. Left to rounding errors it would not be 0, and Adam would move them as far as anything else.
    pub fn before_batch_norm(self) -> Self {
        Self {
            still_biases: true,
            ..self
        }
    }

    /// The same network, whose norms of single showers take the spread of a shower for a constant: they are linear then, and
    /// so is their derivative.
    pub fn with_constant_spreads(self) -> Self {
        Self {
            constant_spreads: true,
            ..self
        }
    }

    /// The bias of a linear or convolution layer.
    #[track_caller]
    pub(super) fn bias(&self, name: &str, outputs: usize, init: Init) -> Var<'t> {
        let bias = self.parameter(&format!("{name}.bias"), &[outputs], init);
        match self.still_biases {
            true => bias.detach(),
            false => bias,
        }
    }

    /// How a weight starts that sees `fan_in` inputs.
    pub(super) fn weight_init(&self, fan_in: usize) -> Init {
        self.init.unwrap_or(Init::fan_in(fan_in))
    }

    /// How a bias starts of a layer that sees `fan_in` inputs: at 0 where weights have a start of their own, as in the code of
    /// those who give one.
    pub(super) fn bias_init(&self, fan_in: usize) -> Init {
        match self.init {
            Some(_) => Init::Constant(0.0),
            None => Init::fan_in(fan_in),
        }
    }

    /// How the factors of a norm start: at 1, with as much spread as weights have where these start normal (DCGAN,
    /// arXiv:1511.06434, whose code starts both so).
    pub(super) fn scale_init(&self) -> Init {
        match self.init {
            Some(Init::Normal { std, .. }) => Init::Normal { mean: 1.0, std },
            _ => Init::Constant(1.0),
        }
    }

    /// The tape.
    pub fn tape(&self) -> &'t Tape {
        self.tape
    }

    /// A trainable tensor. The name is unique within the network; the shape is PyTorch's.
    #[track_caller]
    pub fn parameter(&self, name: &str, shape: &[usize], init: Init) -> Var<'t> {
        self.tensor(name, shape, init, true).0
    }

    /// A running statistic and, if there is one, the state to store its next value in.
    #[track_caller]
    pub fn statistic(&self, name: &str, shape: &[usize], start: f32) -> (Var<'t>, Option<State>) {
        self.tensor(name, shape, Init::Constant(start), false)
    }

    #[track_caller]
    fn tensor(
        &self,
        name: &str,
        shape: &[usize],
        init: Init,
        trainable: bool,
    ) -> (Var<'t>, Option<State>) {
        match self.source {
            Source::Declare(network) => {
                let mut network = network.borrow_mut();
                if network.tensors.len() == MOST {
                    let what = format!("{}: more than {MOST} tensors", network.name);
                    return (self.tape.fail(crate::Error::Config(what)), None);
                }
                let full = format!("{}.{name}", network.name);
                network.tensors.push(TensorSpec {
                    name: name.into(),
                    shape: shape.to_vec(),
                    init,
                    trainable,
                });
                (self.tape.input(&full, shape), None)
            }
            Source::Stored { parameters, mean } => match parameters.state(name, mean) {
                Some(state) => (self.tape.state(&state), Some(state)),
                None => {
                    let what = format!("the network has no tensor '{name}'");
                    (self.tape.fail(crate::Error::Config(what)), None)
                }
            },
        }
    }

    /// Notes a layer for the description. `output` has the shower axis last.
    pub(super) fn note(&self, name: &str, kind: String, output: Var<'t>) {
        if let Source::Declare(network) = self.source {
            let mut network = network.borrow_mut();
            let own = network
                .tensors
                .iter()
                .filter(|t| t.trainable && t.name.starts_with(&format!("{name}.")));
            let parameters = own.map(|t| shape::len(&t.shape)).sum();
            let mut shape = output.shape();
            shape.pop();
            network.layers.push(Layer {
                name: name.into(),
                kind,
                output: shape,
                parameters,
            });
        }
    }
}
