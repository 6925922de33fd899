//! The two kinds of npz files that groups of the field keep showers in.
//!
//! ALICE ZDC: two files of one array `arr_0` each, responses [N,X,Y] (photons) and particles [N,9 or more]. CMS HGCAL
//! beam test: one file with `rechits`, `event` and `dwcReference`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::ShowerInfo;
use super::super::binning::Voxels;
use super::super::npz::{Array, Npz};
use super::{Column, Layout};
use crate::{Error, Result};

/// Columns of the particles' array in the order in which they are given: name, place, and the factor to GeV, mm or e. The
/// tenth is the PDG id.
type Columns = [(&'static str, usize, f64); 10];

/// In GeV and mm, in the order in which papers list them.
const LISTED: Columns = [
    ("energy", 1, 1.0),
    ("mass", 0, 1.0),
    ("charge", 2, 1.0),
    ("px", 3, 1.0),
    ("py", 4, 1.0),
    ("pz", 5, 1.0),
    ("vx", 6, 1.0),
    ("vy", 7, 1.0),
    ("vz", 8, 1.0),
    ("pdg", 9, 1.0),
];

/// As files from ALICE's simulation have them: energy, vertex in m, momentum, mass in MeV, charge.
const SIMULATED: Columns = [
    ("energy", 0, 1.0),
    ("mass", 7, 1e-3),
    ("charge", 8, 1.0),
    ("px", 4, 1.0),
    ("py", 5, 1.0),
    ("pz", 6, 1.0),
    ("vx", 1, 1e3),
    ("vy", 2, 1e3),
    ("vz", 3, 1e3),
    ("pdg", 9, 1.0),
];

/// E² and m² + p² of a particle differ by less than this share, where its columns are read for what they are.
const MASS_SHELL: f64 = 0.01;

/// Cells of the beam test prototype: the electromagnetic part, [Z,X,Y].
const HGCAL: [usize; 3] = [7, 12, 15];
/// Of `event`, the column of the beam energy, GeV.
const BEAM_ENERGY: usize = 3;
/// Tracks that are used: of this type or above, with χ² below this in x and in y.
const TRACK_TYPE: f64 = 13.0;
const TRACK_CHI2: f64 = 5.0;
/// Cells below this many MIP are noise to the analysis. They stay as they are; this is what the file says of itself.
const HGCAL_THRESHOLD: f64 = 2.0;
/// Rows of labels read at once.
const ROWS: usize = 1 << 12;

/// Both names of a pair of files that is given as RESPONSES.npz,PARTICLES.npz.
pub(super) fn pair(path: &Path) -> Option<[PathBuf; 2]> {
    let (responses, particles) = path.to_str()?.split_once(',')?;
    Some([responses, particles].map(PathBuf::from))
}

/// The columns of an npz file, or of a pair of them.
pub(super) fn layout(path: &Path, voxels: &Voxels) -> Result<Layout> {
    if matches!(voxels, Voxels::Layers(_)) {
        return Err(Error::format(
            path,
            "an npz file, whose cells lie on a grid: it takes no binning",
        ));
    }
    let (first, second) = match pair(path) {
        Some([responses, particles]) if !path.exists() => (responses, Some(particles)),
        _ => (path.to_path_buf(), None),
    };
    let archive = Npz::open(&first)?;
    if archive.has("rechits") && second.is_none() {
        return hgcal(&archive);
    }
    if !archive.has("arr_0") {
        let keys: Vec<_> = archive.keys().take(16).collect();
        let what = format!(
            "found arrays {}, expected `arr_0` (ZDC responses) or `rechits`, `event` and `dwcReference` (HGCAL)",
            keys.join(", ")
        );
        return Err(Error::format(&first, what));
    }
    zdc(&archive, second)
}

/// The file of the particles that lies beside one of responses.
fn beside(responses: &Path) -> Result<PathBuf> {
    let name = responses.file_name().unwrap_or_default().to_string_lossy();
    let other = name
        .rfind("responses")
        .map(|at| format!("{}particles{}", &name[..at], &name[at + 9..]));
    let found = other.map(|other| responses.with_file_name(other));
    match found {
        Some(found) if found.exists() => Ok(found),
        found => {
            let looked = found.map_or("a name that ends in responses.npz".into(), |p| {
                p.display().to_string()
            });
            let what = format!(
                "an array of responses without its particles (expected {looked}); name both as RESPONSES.npz,PARTICLES.npz"
            );
            Err(Error::format(responses, what))
        }
    }
}

fn zdc(archive: &Npz, particles: Option<PathBuf>) -> Result<Layout> {
    let layers = archive.array("arr_0", 2..=4)?;
    let (events, x, y) = match *layers.dims() {
        [n, x, y] | [n, 1, x, y] | [n, x, y, 1] => (n, x, y),
        [n, c] => {
            return Err(layers.wrong(format!(
                "shape [{n}, {c}], expected responses [N,X,Y]; their file finds that of the particles"
            )));
        }
        ref other => {
            return Err(layers.wrong(format!("shape {other:?}, expected responses [N,X,Y]")));
        }
    };
    some(&layers, events, [1, x, y])?;
    let path = match particles {
        Some(path) => path,
        None => beside(archive.path())?,
    };
    let archive = Npz::open(&path)?;
    let labels = archive.array("arr_0", 2..=2)?;
    let count = labels.dims()[1];
    if labels.dims()[0] != events {
        let n = labels.dims()[0];
        return Err(labels.wrong(format!("{n} particles, but {events} responses")));
    }
    if !(9..=10).contains(&count) {
        return Err(labels.wrong(format!(
            "{count} columns, expected mass, energy, charge, three momenta, three positions (or energy, three positions, three \
             momenta, mass, charge) and perhaps the PDG id"
        )));
    }
    let order = order(&labels, events)?;
    let columns = |array, count: usize| {
        let picked = order[..count].iter();
        let (pick, factors) = picked.map(|&(_, at, factor)| (at, factor)).unzip();
        Column::array(array, Some(pick), None).converted(factors)
    };
    let energy = columns(archive.array("arr_0", 2..=2)?, 1);
    let double = layers.is_double();
    Ok(Layout {
        layers: Column::array(layers, None, None),
        energy,
        position: None,
        conditions: Some(columns(labels, count)),
        events,
        info: ShowerInfo {
            unit: "photons".into(),
            detector: Some("ALICE ZDC".into()),
            condition_names: order[..count].iter().map(|c| c.0.into()).collect(),
            ..ShowerInfo::new([1, x, y])
        },
        threshold: None,
        double,
        chunk: None,
        sparse: false,
    })
}

/// The order of the columns of `particles`, which the files do not tell: the one by which more of the first particles have
/// the energy of their mass and momentum.
fn order(particles: &Array, events: usize) -> Result<Columns> {
    let mut values = Vec::new();
    let places: Vec<_> = (0..9).collect();
    particles.read(0..events.min(ROWS), Some(&places), |v| v, &mut values)?;
    let right = |columns: &Columns| {
        let on_shell = |row: &&[f64]| {
            let [e, m, _, px, py, pz, ..] =
                columns.map(|(_, at, factor)| row.get(at).copied().unwrap_or(0.0) * factor);
            let square = m * m + px * px + py * py + pz * pz;
            e > 0.0 && (e * e - square).abs() < MASS_SHELL * e * e
        };
        values.chunks_exact(9).filter(on_shell).count()
    };
    Ok(match right(&SIMULATED) > right(&LISTED) {
        true => SIMULATED,
        false => LISTED,
    })
}

fn hgcal(archive: &Npz) -> Result<Layout> {
    let hits = archive.array("rechits", 4..=5)?;
    let [nz, nx, ny] = HGCAL;
    let channels = match *hits.dims() {
        [_, z, x, y, channels] if z >= nz && (x, y) == (nx, ny) && channels > 0 => channels,
        [_, z, x, y] if z >= nz && (x, y) == (nx, ny) => 1,
        ref other => {
            return Err(hits.wrong(format!(
                "shape {other:?}, expected [N, {nz} layers or more, {nx}, {ny}, channels]"
            )));
        }
    };
    let rows = hits.dims()[0];
    some(&hits, rows, HGCAL)?;
    let event = archive.array("event", 2..=2)?;
    let tracks = archive.array("dwcReference", 3..=3)?;
    let ([_, columns], [_, lines, axes]) = (event.dims(), tracks.dims()) else {
        return Err(event.wrong("not two axes"));
    };
    let (lines, axes) = (*lines, *axes);
    if *columns <= BEAM_ENERGY {
        return Err(event.wrong(format!(
            "{columns} columns, expected the energy in column {BEAM_ENERGY}"
        )));
    }
    if lines < 3 || axes < 2 {
        return Err(tracks.wrong(format!(
            "shape {:?}, expected [N, type, impact … χ², x and y]",
            tracks.dims()
        )));
    }
    for other in [&event, &tracks] {
        if other.dims()[0] != rows {
            let n = other.dims()[0];
            return Err(other.wrong(format!("{n} rows, but `rechits` has {rows}")));
        }
    }
    let selected = selected(
        &tracks,
        rows,
        [0, (lines - 1) * axes, (lines - 1) * axes + 1],
    )?;
    if selected.is_empty() {
        return Err(tracks.wrong(format!(
            "none of {rows} events has a track of type {TRACK_TYPE} or above with χ² below {TRACK_CHI2}"
        )));
    }
    let events = selected.len();
    let column = |array, pick| Column::array(array, Some(pick), Some(selected.clone()));
    let double = hits.is_double();
    Ok(Layout {
        layers: column(hits, (0..nz * nx * ny).map(|i| i * channels).collect()),
        energy: column(event, vec![BEAM_ENERGY]),
        position: Some(column(tracks, vec![axes, axes + 1])),
        conditions: None,
        events,
        info: ShowerInfo {
            unit: "MIP".into(),
            threshold: Some(HGCAL_THRESHOLD as f32),
            detector: Some("CMS HGCAL prototype, October 2017".into()),
            ..ShowerInfo::new(HGCAL)
        },
        threshold: Some(HGCAL_THRESHOLD),
        double,
        chunk: None,
        sparse: false,
    })
}

/// Rows whose track is good: type and both χ² stand at these places.
fn selected(tracks: &Array, rows: usize, places: [usize; 3]) -> Result<Arc<[usize]>> {
    let mut selected = Vec::new();
    for start in (0..rows).step_by(ROWS) {
        let mut values = Vec::new();
        let end = (start + ROWS).min(rows);
        tracks.read(start..end, Some(&places), |v| v, &mut values)?;
        let good = |t: &[f64]| t[0] >= TRACK_TYPE && t[1] < TRACK_CHI2 && t[2] < TRACK_CHI2;
        let found = (start..end).zip(values.chunks_exact(3));
        selected.extend(found.filter(|(_, t)| good(t)).map(|(row, _)| row));
    }
    Ok(selected.into())
}

/// Checks that an array holds showers.
fn some(array: &Array, events: usize, shape: [usize; 3]) -> Result<()> {
    match events == 0 || shape.contains(&0) {
        true => Err(array.wrong(format!("shape {:?} holds no showers", array.dims()))),
        false => Ok(()),
    }
}
