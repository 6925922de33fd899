//! Where the labels of generated events come from.

use std::path::{Path, PathBuf};

use calogen::data::{ShowerFile, Voxels};
use calogen::generate::{Generator, LabelRows};
use calogen::models::Conditioning;
use calogen::ops::random;
use calogen::{Error, Result};

use super::output::say;

/// Stream of the energies of --energy-range.
const ENERGY_STREAM: u32 = 0x4100_0000;

/// Which events are wanted.
#[derive(clap::Args)]
pub struct Wanted {
    /// Incident energies, GeV; several are taken in turn [default: drawn as by --energy-range]
    #[arg(long, value_name = "GEV", value_delimiter = ',', conflicts_with_all = ["energy_range", "conditions"])]
    energy: Vec<f32>,
    /// Incident energies uniform from A to B, GeV [default: the range of the training data]
    #[arg(long, value_name = "A:B", conflicts_with = "conditions")]
    energy_range: Option<String>,
    /// Take energies, positions and conditions from a shower file, in order, or from the columns of a table (.csv, a first
    /// line of names), line by line in turn. Models of whole particles (mass, charge, momentum) need it
    /// [default: none]
    #[arg(long, value_name = "FILE")]
    pub conditions: Option<PathBuf>,
    /// Seed
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
}

/// Labels by event, and the names of those of which the user knows that they lie outside the training range.
pub struct Source {
    kind: Kind,
    seed: u64,
    warned: Vec<String>,
    words: String,
}

enum Kind {
    Listed(Vec<f32>),
    Range(f32, f32),
    File(Box<ShowerFile>),
    Table(LabelRows),
}

/// Where the labels come from, as the file of showers records it.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.words)
    }
}

impl Source {
    /// The source of what is wanted, if it holds the labels of all events below `end`.
    pub fn new(args: &Wanted, generator: &Generator, end: u64) -> Result<Self> {
        let about = generator.metadata();
        let chosen = !args.energy.is_empty() || args.energy_range.is_some();
        let kind = match (generator.conditioning(), &args.conditions) {
            (Conditioning::Unconditional, None) if !chosen => Kind::Listed(vec![0.0]),
            (Conditioning::Unconditional, _) => {
                return Err(Error::Config(format!(
                    "{} is unconditional: its showers follow the training data, so --energy, --energy-range and \
                     --conditions cannot choose them",
                    about.model
                )));
            }
            (Conditioning::Joint, None) => {
                return Err(Error::Config(format!(
                    "{} makes showers of whole particles: {} belong together and are not drawn one by one; give them \
                     with --conditions FILE, a shower file or a table (.csv)",
                    about.model,
                    generator.label_names().join(", ")
                )));
            }
            (_, Some(path)) if path.extension().is_some_and(|e| e == "csv") => {
                Kind::Table(LabelRows::read_csv(path, &generator.label_names())?)
            }
            (_, Some(path)) => Kind::File(Box::new(file(path, end)?)),
            (Conditioning::Free, None) if !args.energy.is_empty() => {
                Kind::Listed(args.energy.clone())
            }
            (Conditioning::Free, None) => {
                let all = (about.conditions[0].min, about.conditions[0].max);
                let (low, high) = (args.energy_range.as_deref()).map_or(Ok(all), range)?;
                Kind::Range(low, high)
            }
        };
        let words = match (&kind, &args.conditions) {
            (Kind::Listed(_), _) if generator.conditioning() == Conditioning::Unconditional => {
                "none".into()
            }
            (Kind::Listed(list), _) => {
                let list: Vec<String> = list.iter().map(f32::to_string).collect();
                format!("energy {} GeV", list.join(","))
            }
            (Kind::Range(low, high), _) => format!("energy {low}:{high} GeV"),
            (_, path) => {
                let name = path
                    .as_deref()
                    .and_then(Path::file_name)
                    .unwrap_or_default();
                format!("conditions {}", name.to_string_lossy())
            }
        };
        Ok(Self {
            words,
            kind,
            seed: args.seed,
            warned: Vec::new(),
        })
    }

    /// Labels of `count` events from `first` on.
    pub fn rows(&mut self, generator: &Generator, first: u64, count: usize) -> Result<LabelRows> {
        let events = first..first + count as u64;
        let rows = match &self.kind {
            Kind::Listed(list) => {
                let turn = |i: u64| list[(i % list.len() as u64) as usize];
                let energies: Vec<f32> = events.map(turn).collect();
                generator.labels(&energies, self.seed, first)?
            }
            Kind::Range(a, b) => {
                let draw = |i| a + (b - a) * random::uniform(self.seed, ENERGY_STREAM, i, 0);
                let energies: Vec<f32> = events.map(draw).collect();
                generator.labels(&energies, self.seed, first)?
            }
            Kind::File(file) => {
                let names = generator.label_names();
                let showers = file.read(first as usize..first as usize + count)?;
                LabelRows {
                    values: showers
                        .labels(&names)
                        .map_err(|e| Error::format(file.path(), e.to_string()))?,
                    columns: names.len(),
                }
            }
            Kind::Table(table) => {
                let turn = |i: u64| (i % table.events() as u64) as usize;
                LabelRows {
                    values: events.flat_map(|i| table.row(turn(i)).to_vec()).collect(),
                    columns: table.columns,
                }
            }
        };
        self.warn(generator, &rows, first);
        Ok(rows)
    }

    /// Says once for each label that the training data did not cover a value.
    fn warn(&mut self, generator: &Generator, rows: &LabelRows, first: u64) {
        for outside in generator.outside(rows) {
            let name = &outside.condition.name;
            if !self.warned.contains(name) {
                self.warned.push(name.clone());
                let event = first + outside.event as u64;
                say(&format!("calogen: warning: {outside} of event {event}"));
            }
        }
    }
}

fn range(text: &str) -> Result<(f32, f32)> {
    text.split_once(':')
        .and_then(|(a, b)| Some((a.parse::<f32>().ok()?, b.parse::<f32>().ok()?)))
        .filter(|(a, b)| *a > 0.0 && b >= a && b.is_finite())
        .ok_or_else(|| {
            Error::Config(format!(
                "--energy-range '{text}': expected A:B with 0 < A <= B"
            ))
        })
}

fn file(path: &Path, end: u64) -> Result<ShowerFile> {
    let file = ShowerFile::open_as(path, &Voxels::Unknown)?;
    if (file.len() as u64) < end {
        let what = format!(
            "it has {} events, but events up to {} were asked for",
            file.len(),
            end - 1
        );
        return Err(Error::format(path, what));
    }
    Ok(file)
}
