//! Inception v3 as a reader of images: the features of the Fréchet Inception Distance (M. Heusel et al., arXiv:1706.08500),
//! computed on the device.
//!
//! Its weights are the user's, brought into a safetensors file by `tools/convert_inception.py`.

mod image;
mod network;

use std::path::Path;
use std::sync::Arc;

pub use image::{FIRST_SIZE, bilinear, nearest};
use network::Layers;
pub use network::Variant;

use crate::gpu::Gpu;
use crate::models::tensors::{Header, Tensors};
use crate::nn::{Mode, Net, Network, Parameters};
use crate::tape::{Options, Program, Tape};
use crate::{Error, Result};

/// Rows and columns of the images that the network was trained on, and the fewest that it can halve as often as it does.
pub const USUAL_SIZE: usize = 299;
/// See [`USUAL_SIZE`].
pub const SMALLEST_SIZE: usize = 75;
/// Small number under the root of its batch norms.
const EPS: f64 = 1e-3;
/// Bytes of the largest activation of a batch.
const BATCH_BYTES: usize = 64 << 20;
/// Most images in a batch.
const MOST: usize = 64;

/// The network with weights.
pub struct Inception {
    program: Program,
    variant: Variant,
    size: usize,
    batch: usize,
    features: usize,
}

impl Inception {
    /// Loads weights, for images of `size` rows and columns. They may be those of a network with an equal part of the
    /// channels everywhere.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the file cannot be read or holds no such network; [`Error::Config`] if images
    /// would be smaller than [`SMALLEST_SIZE`].
    pub fn load(gpu: &Arc<Gpu>, path: impl AsRef<Path>, size: usize) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let wrong = |what: String| Error::format(path, what);
        let header = Header::read(&bytes)
            .map_err(|what| wrong(format!("no readable safetensors file: {what}")))?;
        let about = header.about.clone();
        let tensors = header.tensors().map_err(wrong)?;
        let bad = tensors
            .iter()
            .find(|(_, (_, values))| values.iter().any(|v| !v.is_finite()));
        if let Some((name, _)) = bad {
            return Err(wrong(format!(
                "tensor '{name}' holds a value that is not finite"
            )));
        }
        let about = |key: &str| about.get(key).map_or("", String::as_str);
        let (format, name) = (about("format"), about("variant"));
        let variants = [Variant::Torchvision, Variant::PytorchFid];
        let variant = variants
            .into_iter()
            .find(|v| v.name() == name && format == "calogen-inception");
        let Some(variant) = variant else {
            let what = format!(
                "format '{format}' and variant '{name}' in the metadata, expected 'calogen-inception' and 'torchvision' or \
                 'pytorch-fid': see tools/convert_inception.py"
            );
            return Err(wrong(what));
        };
        Self::new(gpu, variant, tensors, size).map_err(|e| match e {
            Error::Config(what) => wrong(what),
            other => other,
        })
    }

    /// From tensors with torchvision's names.
    ///
    /// # Errors
    /// [`Error::Config`] naming the tensor that is missing, of the wrong shape or superfluous, or if images are too small.
    pub fn new(
        gpu: &Arc<Gpu>,
        variant: Variant,
        mut tensors: Tensors,
        size: usize,
    ) -> Result<Self> {
        if size < SMALLEST_SIZE {
            return Err(Error::Config(format!(
                "images of {size} rows and columns: Inception v3 needs at least {SMALLEST_SIZE}"
            )));
        }
        let first = tensors
            .get("Conv2d_1a_3x3.conv.weight")
            .and_then(|(shape, _)| shape.first());
        let divide = match first {
            Some(&n) if n > 0 && n <= 32 && 32 % n == 0 => 32 / n,
            _ => {
                return Err(Error::Config(
                    "tensor 'Conv2d_1a_3x3.conv.weight' is missing or not of 32 channels".into(),
                ));
            }
        };
        let network = Network::declare("inception", |net| {
            let layers = Layers {
                net: *net,
                variant,
                divide,
            };
            layers.features(
                net.tape()
                    .input("images", &[3, SMALLEST_SIZE, SMALLEST_SIZE, 2]),
            );
        })?;
        let parameters = Parameters::new(gpu, network, 0, false)?;
        for spec in &parameters.network().tensors {
            if let Some(layer) = spec.name.strip_suffix(".weight") {
                let (weight, bias) = fold(&mut tensors, layer, &spec.shape)?;
                parameters.set(gpu, &spec.name, &weight)?;
                parameters.set(gpu, &format!("{layer}.bias"), &bias)?;
            }
        }
        if let Some(name) = tensors.keys().next() {
            return Err(Error::Config(format!(
                "tensor '{name}' belongs to no layer of Inception v3"
            )));
        }
        let largest = 64 / divide * (size / 2) * (size / 2) * 4;
        let batch = (BATCH_BYTES / largest).clamp(1, MOST);
        let tape = Tape::new();
        let layers = Layers {
            net: Net::new(&tape, &parameters, Mode::Infer),
            variant,
            divide,
        };
        // One channel that is copied to three.
        let image = tape.input("images", &[batch, size, size]).batch_last();
        let image = image
            .reshape(&[1, size, size, batch])
            .expand(&[3, size, size, batch]);
        let features = layers.features(image * 2.0 - 1.0).batch_first();
        let program = tape.compile(gpu, &[("features", features)], Options::FROZEN)?;
        Ok(Self {
            program,
            variant,
            size,
            batch,
            features: 2048 / divide,
        })
    }

    /// The kind of network.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Rows and columns of the images.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Features of an image.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Features, image by image, of images `[N, size, size]` whose values are those of one channel, usually 0 to 1; the other
    /// two are the same.
    ///
    /// # Errors
    /// [`Error::Shape`] if that is no whole number of images; [`Error::NotFinite`] if a feature is not finite.
    pub fn run(&self, images: &[f32]) -> Result<Vec<f32>> {
        let pixels = self.size * self.size;
        if !images.len().is_multiple_of(pixels) {
            let what = format!("{} pixels are no images of {pixels}", images.len());
            return Err(Error::shape("inception", what));
        }
        let mut all = Vec::with_capacity(images.len() / pixels * self.features);
        let mut batch = vec![0.0; self.batch * pixels];
        for part in images.chunks(self.batch * pixels) {
            // What is said of images of before, in a batch that is not full, is dropped.
            batch[..part.len()].copy_from_slice(part);
            self.program.set("images", &batch)?;
            self.program.run()?;
            let found = self.program.read("features")?;
            all.extend_from_slice(&found[..part.len() / pixels * self.features]);
        }
        match all.iter().position(|f| !f.is_finite()) {
            Some(i) => Err(Error::NotFinite(format!(
                "an Inception feature of image {} is {}",
                i / self.features,
                all[i]
            ))),
            None => Ok(all),
        }
    }
}

/// Takes a convolution and the batch norm behind it out of `tensors`: weights and biases of a convolution that does both.
fn fold(tensors: &mut Tensors, layer: &str, shape: &[usize]) -> Result<(Vec<f32>, Vec<f32>)> {
    let channels = shape[0];
    let mut take = |name: &str, shape: &[usize]| {
        let full = format!("{layer}.{name}");
        match tensors.remove(&full) {
            Some((found, values)) if found == shape => Ok(values),
            Some((found, _)) => Err(Error::Config(format!(
                "tensor '{full}' has shape {found:?}, expected {shape:?}"
            ))),
            None => Err(Error::Config(format!("tensor '{full}' is missing"))),
        }
    };
    let mut weight = take("conv.weight", shape)?;
    let [scale, bias, mean, variance] =
        ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]
            .map(|name| take(name, &[channels]));
    let (scale, mut bias, mean, variance) = (scale?, bias?, mean?, variance?);
    for (channel, weights) in weight
        .chunks_exact_mut(shape[1..].iter().product())
        .enumerate()
    {
        let factor = f64::from(scale[channel]) / (f64::from(variance[channel]) + EPS).sqrt();
        weights
            .iter_mut()
            .for_each(|w| *w = (f64::from(*w) * factor) as f32);
        bias[channel] = (f64::from(bias[channel]) - f64::from(mean[channel]) * factor) as f32;
    }
    Ok((weight, bias))
}
