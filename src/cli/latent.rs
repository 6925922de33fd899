//! `calogen latent`: codes of real showers beside those that a generator draws.

use std::path::{Path, PathBuf};

use calogen::data::{Labels, ShowerInfo, ShowerSet, ShowerWriter, Showers};
use calogen::files::write_atomically;
use calogen::latent::{Codec, Pca, Tsne, between};
use calogen::models::Weights;
use calogen::report::{Group, latent_plot, row_of_images};
use calogen::train::open_run;
use calogen::{Error, Result};
use serde_json::json;

use super::Global;
use super::output::{self, Progress};

/// Codes of showers as an autoencoder sees them
///
/// Encodes showers of a file, draws as many codes for the same labels, and writes codes.csv, pictures of both in two
/// dimensions (principal components and t-SNE) and an interpolation between two showers (interpolation.h5 and .png).
#[derive(clap::Args)]
pub struct Args {
    /// The folder of a run of an autoencoder (vae*, bib-ae*, vae-gan, cond-vae, cond-wae, sae, swae, e2e-sae), whose
    /// checkpoint holds the encoder; weights files do not
    run: PathBuf,
    /// Shower files (HDF5) to encode; several are joined
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Folder for the results, made if absent
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Showers, evenly spread over the data; t-SNE takes at most 1000 of them
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(2..))]
    events: u64,
    /// Label by which codes are coloured: energy (GeV), position_x, position_y (mm) or a condition of the data
    #[arg(long, value_name = "LABEL", default_value = "energy")]
    color: String,
    /// Numbers of the two showers between which is interpolated, counted in the data from 0 [default: one of the
    /// least and one of the largest energy]
    #[arg(long, value_name = "I,J", value_delimiter = ',')]
    interpolate: Vec<u64>,
    /// Steps of the interpolation, both showers included
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=50))]
    steps: u16,
    /// Perplexity of t-SNE: neighbours of a code
    #[arg(long, value_name = "P", default_value_t = Tsne::default().perplexity)]
    perplexity: f64,
    /// Iterations of t-SNE
    #[arg(long, value_name = "N", default_value_t = Tsne::default().iterations)]
    iterations: usize,
    /// Seed of the codes that are drawn, and of t-SNE
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Print a summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// Points of t-SNE, real and drawn together.
const POINTS: usize = 2000;

pub fn run(args: &Args, global: &Global) -> Result<()> {
    if !args.run.is_dir() {
        return Err(no_encoder(&args.run));
    }
    if !matches!(args.interpolate.len(), 0 | 2) {
        return Err(Error::Config(
            "--interpolate: expected two numbers, such as 0,17".into(),
        ));
    }
    let gpu = global.gpu()?;
    let (system, networks, metadata) = open_run(&gpu, &args.run)?;
    let codec = Codec::new(&gpu, system.as_ref(), &networks)?;
    let set = ShowerSet::open(&args.data)?.viewed(system.shape(), system.origin())?;
    let showers = set.spread(args.events as usize)?;
    let names = system.conditions();
    let conditions = showers.labels(&names)?;
    let color = showers.labels(std::slice::from_ref(&args.color))?;
    calogen::files::make_folder(&args.out)?;

    let real = codec.encode(&showers.layers, &conditions)?;
    let drawn = codec.draw(&conditions, args.seed)?;
    let width = codec.width();
    let csv = table(&names, &conditions, [&real, &drawn], width);
    write_atomically(&args.out.join("codes.csv"), csv.as_bytes())?;

    let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let both = [wide(&real), wide(&drawn)].concat();
    let Some(pca) = Pca::of(&wide(&real), width) else {
        return Err(Error::Config("a code is not finite".into()));
    };
    let n = showers.len();
    let plane: Vec<[f64; 2]> = pca
        .project(&both, 2)
        .chunks(2)
        .map(|p| [p[0], p[1]])
        .collect();
    let explained = pca.explained();
    let axis = |k: usize| {
        let share = 100.0 * explained.get(k).copied().unwrap_or(0.0);
        format!("Component {} ({share:.0} % of the variance)", k + 1)
    };
    let labels = [&axis(0)[..], &axis(1)];
    let picture = Picture {
        args,
        color: &color,
    };
    picture.draw("pca", "Principal components of codes", labels, &plane, n)?;

    // t-SNE takes every pair: as many of each kind, evenly spread.
    let kept = n.min(POINTS / 2);
    let rows: Vec<usize> = (0..kept).map(|i| i * n / kept).collect();
    let pick = |from: usize| rows.iter().flat_map(move |&r| [from + r]);
    let picked: Vec<usize> = pick(0).chain(pick(n)).collect();
    let points: Vec<f64> = picked
        .iter()
        .flat_map(|&r| both[r * width..(r + 1) * width].to_vec())
        .collect();
    let progress = Progress::new("t-SNE", "iterations", args.iterations as u64);
    let tsne = Tsne {
        perplexity: args.perplexity,
        iterations: args.iterations,
        seed: args.seed,
    };
    let (embedded, left) = tsne.embed(&points, width, |_| progress.advance(1))?;
    drop(progress);
    let own: Vec<f32> = rows.iter().map(|&r| color[r]).collect();
    let picture = Picture { args, color: &own };
    let title = format!("t-SNE of codes, perplexity {}", args.perplexity);
    picture.draw("tsne", &title, ["t-SNE 1", "t-SNE 2"], &embedded, kept)?;

    let ends = ends(args, &set, &showers)?;
    interpolate(args, &codec, &ends, &names, &metadata, set.info())?;
    if args.json {
        return output::print_json(&json!({
            "model": system.name(), "events": n, "code_length": width, "explained_variance": explained,
            "tsne": { "points": picked.len(), "perplexity": args.perplexity, "divergence": left },
        }));
    }
    output::print(&format!(
        "{n} showers encoded to {width} numbers each, as many drawn; t-SNE of {} points leaves a divergence of {left:.3}: {}",
        picked.len(),
        args.out.display()
    ))
}

/// Why a file will not do.
fn no_encoder(path: &Path) -> Error {
    match Weights::read(path) {
        Ok(weights) => Error::format(
            path,
            format!(
                "weights of {} without its encoder, which generation does not need; name the folder of its run, whose \
                 checkpoint has it",
                weights.metadata.model
            ),
        ),
        Err(error) => error,
    }
}

/// A row for each code: `real` or `drawn`, its labels, its numbers.
fn table(names: &[String], conditions: &[f32], codes: [&Vec<f32>; 2], width: usize) -> String {
    let mut text = format!("kind,{}", names.join(","));
    (0..width).for_each(|k| text += &format!(",z{k}"));
    text.push('\n');
    for (kind, codes) in ["real", "drawn"].into_iter().zip(codes) {
        for (code, labels) in codes
            .chunks_exact(width)
            .zip(conditions.chunks_exact(names.len()))
        {
            text += kind;
            labels
                .iter()
                .chain(code)
                .for_each(|v| text += &format!(",{v}"));
            text.push('\n');
        }
    }
    text
}

struct Picture<'a> {
    args: &'a Args,
    /// The label of each real code.
    color: &'a [f32],
}

impl Picture<'_> {
    /// Real and drawn codes, of which the first `n` are real, and the real ones by label.
    fn draw(
        &self,
        name: &str,
        title: &str,
        axes: [&str; 2],
        points: &[[f64; 2]],
        n: usize,
    ) -> Result<()> {
        let (real, drawn) = points.split_at(n);
        let group = |label: &str, points: &[[f64; 2]]| Group {
            label: label.into(),
            points: points.to_vec(),
        };
        let kinds = [group("of real showers", real), group("drawn", drawn)];
        let path = |name: String| self.args.out.join(name + ".png");
        latent_plot(title, axes, &kinds).png(&path(name.into()))?;
        let groups = self.groups(real);
        latent_plot(title, axes, &groups).png(&path(format!("{name}-{}", self.args.color)))
    }

    /// Points by label: each value a group where they are few, else four of equal size.
    fn groups(&self, points: &[[f64; 2]]) -> Vec<Group> {
        let mut values = self.color.to_vec();
        values.sort_by(f32::total_cmp);
        let sorted = values.clone();
        values.dedup();
        let name = &self.args.color;
        let within = |label: String, low: f32, high: f32, last: bool| Group {
            label,
            points: (points.iter().zip(self.color))
                .filter(|(_, v)| **v >= low && (**v < high || last && **v == high))
                .map(|(p, _)| *p)
                .collect(),
        };
        if values.len() <= 6 {
            return values
                .iter()
                .map(|&v| within(format!("{name} {v}"), v, v, true))
                .collect();
        }
        let edge = |k: usize| sorted[k * (sorted.len() - 1) / 4];
        let group = |k: usize| {
            let (low, high) = (edge(k), edge(k + 1));
            within(format!("{name} {low:.1} to {high:.1}"), low, high, k == 3)
        };
        (0..4).map(group).collect()
    }
}

/// The two showers between which is interpolated.
fn ends(args: &Args, set: &ShowerSet, showers: &Showers) -> Result<Showers> {
    let [from, to] = args.interpolate[..] else {
        let place = |most: bool| {
            let sign = if most { 1.0 } else { -1.0 };
            (0..showers.len())
                .max_by(|&a, &b| (sign * showers.energy[a]).total_cmp(&(sign * showers.energy[b])))
        };
        let rows = [place(false), place(true)].map(|p| p.unwrap_or(0));
        return Ok(showers.gather(&rows));
    };
    if let Some(beyond) = [from, to].into_iter().find(|&i| i >= set.len() as u64) {
        return Err(Error::Config(format!(
            "--interpolate: there is no shower {beyond}; the data have {}",
            set.len()
        )));
    }
    let [low, high] = [from.min(to) as usize, from.max(to) as usize];
    // A range would read all between.
    let (a, b) = (set.read(low..low + 1)?, set.read(high..high + 1)?);
    let (a, b) = if from <= to { (a, b) } else { (b, a) };
    let join = |x: &[f32], y: &[f32]| [x, y].concat();
    Ok(Showers {
        layers: join(&a.layers, &b.layers),
        energy: join(&a.energy, &b.energy),
        position: a.position.zip(b.position).map(|(x, y)| [x, y].concat()),
        conditions: a.conditions.zip(b.conditions).map(|(x, y)| join(&x, &y)),
        ..a
    })
}

/// Decodes what lies between the codes of two showers, labels interpolated alike, into a file and a picture.
fn interpolate(
    args: &Args,
    codec: &Codec,
    ends: &Showers,
    names: &[String],
    metadata: &calogen::models::Metadata,
    info: &ShowerInfo,
) -> Result<()> {
    let steps = usize::from(args.steps);
    let labels = ends.labels(names)?;
    let codes = codec.encode(&ends.layers, &labels)?;
    let (a, b) = codes.split_at(codec.width());
    let (la, lb) = labels.split_at(names.len());
    let conditions = between(la, lb, steps);
    let mut layers = codec.decode(&between(a, b, steps), &conditions)?;
    // As generated showers have it.
    let below = layers.iter_mut().filter(|e| **e < metadata.threshold);
    below.for_each(|e| *e = 0.0);
    let energy = between(&ends.energy[..1], &ends.energy[1..], steps);
    let titles: Vec<String> = energy.iter().map(|e| format!("{e:.1} GeV")).collect();
    let plot = row_of_images(
        "Between two showers",
        &layers,
        ends.shape,
        &titles,
        &metadata.unit,
    );
    plot.png(&args.out.join("interpolation.png"))?;
    let extra: Vec<usize> = (0..names.len()).filter(|&i| names[i] != "energy").collect();
    let extra_names: Vec<String> = extra.iter().map(|&i| names[i].clone()).collect();
    let info = ShowerInfo {
        shape: ends.shape,
        unit: metadata.unit.clone(),
        condition_names: extra_names.clone(),
        ..info.clone()
    };
    let held = Labels {
        position: false,
        conditions: extra_names.clone(),
    };
    let mut writer = ShowerWriter::create(args.out.join("interpolation.h5"), &info, held)?;
    let rows = conditions.chunks_exact(names.len());
    let conditions: Vec<f32> = rows
        .flat_map(|row| extra.iter().map(|&i| row[i]).collect::<Vec<_>>())
        .collect();
    writer.append(&Showers {
        shape: ends.shape,
        layers,
        energy,
        position: None,
        conditions: (!extra.is_empty()).then_some(conditions),
        condition_names: extra_names,
    })?;
    writer.finish()
}
