//! `--inception`: Fréchet Inception Distances of images.

use std::path::PathBuf;

use calogen::inception::{FIRST_SIZE, Inception, SMALLEST_SIZE, USUAL_SIZE, bilinear, nearest};
use calogen::metrics::{Evaluation, FrechetPair, InceptionDistance};
use calogen::observables::Sample;
use calogen::report::FileSample;
use calogen::{Error, Result};

use crate::Global;
use crate::output::Progress;

/// Which Inception network reads the showers, and how.
#[derive(clap::Args)]
pub struct InceptionArgs {
    /// Weights of Inception v3, made by tools/convert_inception.py: adds the Fréchet Inception Distance of the showers
    /// summed over layers [default: none]
    #[arg(long, value_name = "FILE")]
    inception: Option<PathBuf>,
    /// Add the mean over layers of the distance of each layer's images: as many times the work
    #[arg(long, requires = "inception")]
    inception_layers: bool,
    /// Rows and columns to which images are brought for the network, pixels
    #[arg(long, value_name = "PIXELS", requires = "inception", default_value_t = USUAL_SIZE as u64,
          value_parser = clap::value_parser!(u64).range(SMALLEST_SIZE as u64..=1024))]
    inception_size: u64,
    /// Showers of each file that the network reads, from the first [default: all]
    #[arg(long, value_name = "N", requires = "inception", value_parser = clap::value_parser!(u64).range(2..))]
    inception_events: Option<u64>,
}

/// A network that reads samples.
pub struct Reader {
    name: String,
    network: Inception,
    layers: bool,
    most: usize,
}

impl InceptionArgs {
    /// The network, if its weights were named.
    pub fn load(&self, reference: &FileSample, global: &Global) -> Result<Option<Reader>> {
        let Some(path) = &self.inception else {
            return Ok(None);
        };
        if reference.info().geometry.grid().is_none() {
            let what = "--inception reads showers on a grid alone";
            return Err(Error::format(&reference.info().file, what));
        }
        let gpu = global.gpu()?;
        Ok(Some(Reader {
            name: path.display().to_string(),
            network: Inception::load(&gpu, path, self.inception_size as usize)?,
            layers: self.inception_layers,
            most: self.inception_events.map_or(usize::MAX, |n| n as usize),
        }))
    }
}

impl Reader {
    /// Adds the distances to each evaluation.
    pub fn add(
        &self,
        reference: &FileSample,
        generated: &[FileSample],
        evaluations: &mut [Evaluation],
    ) -> Result<()> {
        let Some(threshold) = evaluations.first().map(|e| e.threshold) else {
            return Ok(());
        };
        let samples: Vec<&FileSample> = std::iter::once(reference).chain(generated).collect();
        let [z, ..] = reference.info().geometry.grid().unwrap_or_default();
        let passes = 1 + if self.layers { z } else { 0 };
        let events: usize = samples.iter().map(|s| s.info().events.min(self.most)).sum();
        let progress = Progress::new("inception", "images", (passes * events) as u64);
        // Of the sum, then of each layer: only one pass is held at a time.
        let mut by_pass: Vec<Vec<FrechetPair>> = Vec::with_capacity(passes);
        for pass in 0..passes {
            let layer = pass.checked_sub(1);
            let mut features = samples
                .iter()
                .map(|s| self.run(s, threshold, layer, &progress));
            let of_reference = features.next().transpose()?.unwrap_or_default();
            let width = self.network.features();
            let halves = FrechetPair::halves(&of_reference, width);
            let found = features.map(|f| Ok(FrechetPair::new(&of_reference, &f?, width, halves)));
            by_pass.push(found.collect::<Result<_>>()?);
        }
        for (k, (evaluation, sample)) in evaluations.iter_mut().zip(generated).enumerate() {
            let mut pairs = by_pass.iter().map(|pairs| pairs[k]);
            let summed = pairs.next().unwrap_or_default();
            let layers: Vec<FrechetPair> = pairs.collect();
            evaluation.frechet_inception_distance = Some(InceptionDistance {
                weights: self.name.clone(),
                variant: self.network.variant().name(),
                size: self.network.size(),
                events: [reference, sample].map(|s| s.info().events.min(self.most)),
                summed,
                layerwise_mean: FrechetPair::mean(&layers),
            });
        }
        Ok(())
    }

    /// Features of the first showers, summed over layers or of one layer.
    fn run(
        &self,
        sample: &FileSample,
        threshold: f64,
        layer: Option<usize>,
        progress: &Progress,
    ) -> Result<Vec<f64>> {
        let [_, x, y] = sample.info().geometry.grid().unwrap_or_default();
        let cells = sample.info().geometry.cells();
        let (threshold, size) = (sample.info().stored(threshold), self.network.size());
        let mut all = Vec::new();
        let mut left = self.most;
        for block in sample.blocks() {
            let block = block?.cut(threshold);
            for showers in
                block.cells[..block.cells.len().min(left.saturating_mul(cells))].chunks(64 * cells)
            {
                let mut images = Vec::with_capacity(64 * size * size);
                for shower in showers.chunks_exact(cells) {
                    let image = flatten(shower, x * y, layer);
                    images.extend(match layer {
                        Some(_) => bilinear(&image, [x, y], [size; 2]),
                        None => bilinear(
                            &nearest(&image, [x, y], [FIRST_SIZE; 2]),
                            [FIRST_SIZE; 2],
                            [size; 2],
                        ),
                    });
                }
                all.extend(self.network.run(&images)?.into_iter().map(f64::from));
                progress.advance((showers.len() / cells) as u64);
            }
            left -= left.min(block.energy.len());
            if left == 0 {
                break;
            }
        }
        Ok(all)
    }
}

/// The sum over layers, or one layer.
fn flatten(shower: &[f64], pixels: usize, layer: Option<usize>) -> Vec<f32> {
    let mut image = vec![0.0f64; pixels];
    for (_, cells) in shower
        .chunks_exact(pixels)
        .enumerate()
        .filter(|(z, _)| layer.is_none_or(|layer| layer == *z))
    {
        for (sum, &e) in image.iter_mut().zip(cells) {
            *sum += e;
        }
    }
    image.into_iter().map(|e| e as f32).collect()
}
