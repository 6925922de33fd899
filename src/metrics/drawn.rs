//! A sample, a half of it, or a replica of one of these: what every figure is computed of.

use std::sync::Arc;

use super::Moments;
use crate::observables::{Bootstrap, Observables, Sorted, Spectrum, Sums, half};

/// The place of `cell_energy` among the observables.
pub(super) const CELL_ENERGY: usize = 2;

/// Values in ascending order and the shower of each.
struct Ranked {
    values: Arc<Vec<f64>>,
    showers: Vec<u32>,
}

impl Ranked {
    fn of(values: &[f64], showers: impl Iterator<Item = u32>) -> Self {
        let mut pairs: Vec<(f64, u32)> = values.iter().copied().zip(showers).collect();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (values, showers) = pairs.into_iter().unzip();
        Self {
            values: Arc::new(values),
            showers,
        }
    }

    fn drawn(&self, times: &[u8]) -> Sorted {
        let counts = self.showers.iter().map(|&s| times[s as usize].into());
        Sorted::counts(self.values.clone(), counts.collect())
    }
}

/// A sample that was read, its observables in ascending order.
pub(super) struct Side {
    pub kept: Observables,
    /// All observables but `cell_energy`.
    columns: Vec<Ranked>,
    channels: Vec<Ranked>,
    bootstrap: Bootstrap,
    sample: u32,
    whole: Part,
    halves: [Part; 2],
}

/// A sample, or a half of it.
struct Part {
    half: Option<usize>,
    sums: Sums,
    cells: Sorted,
    cell_moments: Moments,
    /// Its showers.
    members: Vec<u32>,
}

impl Part {
    fn new(half: Option<usize>, mut sums: Sums, members: Vec<u32>) -> Self {
        let cells = std::mem::replace(&mut sums.cells, Spectrum::new(0));
        Self {
            half,
            cell_moments: Moments::from(cells.moments()),
            cells: cells.into_sorted(),
            sums,
            members,
        }
    }
}

/// What is compared: all showers of a sample, or those of one half.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Which {
    Whole,
    Half(usize),
}

impl Side {
    pub fn of(mut kept: Observables, bootstrap: Bootstrap, sample: u32) -> Self {
        let every = 0..kept.events() as u32;
        let columns = kept.columns.iter();
        let columns = columns.map(|c| Ranked::of(&c.values, c.showers.iter().copied()));
        let columns = columns.collect();
        let channels = kept.channels.iter().flatten();
        let channels = channels
            .map(|sums| Ranked::of(sums, every.clone()))
            .collect();
        let sums = kept.sums();
        let empty = || Sums::new(&kept.info.geometry, 0, 0);
        let [first, second] = &mut kept.halves;
        let parts = [first, second].map(|part| std::mem::replace(part, empty()));
        let members = |k: usize| every.clone().filter(|&s| half(s as usize) == k).collect();
        let mut k = 0;
        let halves = parts.map(|part| {
            k += 1;
            Part::new(Some(k - 1), part, members(k - 1))
        });
        Self {
            columns,
            channels,
            bootstrap,
            sample,
            whole: Part::new(None, sums, every.clone().collect()),
            halves,
            kept,
        }
    }

    /// Sums over all showers.
    pub fn sums(&self) -> &Sums {
        &self.whole.sums
    }

    fn part(&self, which: Which) -> &Part {
        match which {
            Which::Whole => &self.whole,
            Which::Half(k) => &self.halves[k],
        }
    }

    /// Number of showers.
    pub fn events(&self, which: Which) -> usize {
        self.part(which).members.len()
    }

    /// Draws `which`: replica 0 is that itself.
    pub fn draw(&self, which: Which, replica: usize) -> Drawn<'_> {
        let part = self.part(which);
        let mut times = (self.bootstrap).column(self.sample, self.kept.events(), replica);
        if let Some(k) = part.half {
            for (shower, n) in times.iter_mut().enumerate() {
                *n *= u8::from(half(shower) == k);
            }
        }
        let mut columns: Vec<Sorted> = self.columns.iter().map(|c| c.drawn(&times)).collect();
        let cells = match replica {
            0 => part.cells.clone(),
            _ => {
                let ends = part.cells.ends().unwrap_or_default();
                let (values, counts) = part.sums.stepped(replica, ends);
                Sorted::counts(Arc::new(values), counts)
            }
        };
        let mut moments: Vec<Moments> = columns.iter().map(Moments::of_sorted).collect();
        let of_cells = match replica {
            0 => part.cell_moments,
            _ => Moments::of_sorted(&cells),
        };
        let place = CELL_ENERGY.min(columns.len());
        columns.insert(place, cells);
        moments.insert(place, of_cells);
        Drawn {
            kept: &self.kept,
            sums: &part.sums,
            members: &part.members,
            replica,
            channels: self.channels.iter().map(|c| c.drawn(&times)).collect(),
            columns,
            moments,
            times,
        }
    }
}

/// A sample, a half or a replica.
pub(super) struct Drawn<'a> {
    pub kept: &'a Observables,
    pub sums: &'a Sums,
    /// The showers it is drawn from.
    pub members: &'a [u32],
    /// Which of the draws in `sums`; 0 is no replica.
    pub replica: usize,
    /// How often it holds each shower of the file.
    pub times: Vec<u8>,
    /// All observables in the order of the report.
    pub columns: Vec<Sorted>,
    /// Mean and standard deviation of each.
    pub moments: Vec<Moments>,
    /// Channel sums of images.
    pub channels: Vec<Sorted>,
}

impl Drawn<'_> {
    /// Number of showers.
    pub fn events(&self) -> f64 {
        self.sums.events(self.replica)
    }

    /// The name of observable `k`.
    pub fn name(&self, k: usize) -> &str {
        match k {
            CELL_ENERGY => "cell_energy",
            k => &self.kept.columns[k - usize::from(k > CELL_ENERGY)].name,
        }
    }

    /// `values` of `showers`, each as often as it was drawn.
    pub fn repeated(&self, values: &[f64], showers: impl Iterator<Item = u32>) -> Vec<f64> {
        let times = showers.map(|shower| usize::from(self.times[shower as usize]));
        let repeated = values.iter().zip(times);
        repeated
            .flat_map(|(&value, n)| std::iter::repeat_n(value, n))
            .collect()
    }
}
