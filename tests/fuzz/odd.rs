//! HDF5 files with odd datasets and attributes, as programs could write them.

use std::path::Path;

use bytemuck::Pod;
use hdf5::types::{FixedAscii, VarLenArray, VarLenUnicode};
use hdf5::{Extent, File, Group, H5Type, Location, SimpleExtents};
use hdf5_metno as hdf5;

use super::mutate::Random;

/// A file of the CaloChallenge: photons of data set 1.
pub fn challenge(path: &Path) {
    let file = File::create(path).unwrap();
    let (events, voxels) = (3, 368);
    let data = file.new_dataset::<f32>().shape([events, voxels]);
    data.create("showers")
        .unwrap()
        .write_raw(&vec![1.5f32; events * voxels])
        .unwrap();
    let data = file.new_dataset::<f64>().shape([events, 1]);
    data.create("incident_energies")
        .unwrap()
        .write_raw(&vec![1e3f64; events])
        .unwrap();
}

/// A file that may or may not be one of showers.
pub fn write(random: &mut Random, path: &Path) {
    let file = File::create(path).unwrap();
    let events = *random.of(&[1, 1, 2, 3, 7, 2, 5, 0]);
    for place in 0..1 + random.below(3) {
        let group = match place == 0 && !random.once_in(4) {
            true => file.group("/").unwrap(),
            false => file.create_group(&format!("group {place}")).unwrap(),
        };
        // What cannot be created is left out: the rest is odd enough.
        let _ = datasets(random, &group, events);
        if random.once_in(8) {
            let _ = file.link_soft("/", &format!("again {place}"));
        }
    }
    if random.once_in(8) {
        let _ = attribute(random, &file, "detector");
    }
    if random.once_in(4) {
        for name in [
            "generated_by",
            "weights_sha256",
            "labels",
            "seed",
            "first_event",
            "devices",
        ] {
            let _ = attribute(random, &file, name);
        }
    }
}

fn datasets(random: &mut Random, group: &Group, events: usize) -> hdf5::Result<()> {
    if random.once_in(4) {
        return sparse(random, group, events);
    }
    let cells = match random.below(12) {
        0 => vec![events, *random.of(&[368, 533, 6480, 12])],
        1 => vec![events, 3, 5],
        2 => extents(random, events),
        _ => vec![events, 2, 3, 5],
    };
    let challenge = cells.len() == 2 && !random.once_in(4);
    let names = match challenge {
        true => ["showers", "incident_energies"],
        false => ["layers", "energy"],
    };
    one(random, group, names[0], &cells)?;
    let energy = match random.below(8) {
        0 => vec![events],
        1 => extents(random, events),
        _ => vec![events, 1],
    };
    one(random, group, names[1], &energy)?;
    for (name, columns) in [("position", 2), ("conditions", 3)] {
        if random.once_in(3) {
            let dims = match random.once_in(4) {
                true => extents(random, events),
                false => vec![events, columns],
            };
            one(random, group, name, &dims)?;
        }
    }
    Ok(())
}

/// Hits in place of cells, which may claim anything.
fn sparse(random: &mut Random, group: &Group, events: usize) -> hdf5::Result<()> {
    let steps: Vec<i64> = (0..events).map(|_| random.below(4) as i64).collect();
    let mut offsets = vec![0; events + 1];
    for (i, step) in steps.iter().enumerate() {
        offsets[i + 1] = offsets[i] + step;
    }
    let hits = offsets[events] as usize;
    let mut cells: Vec<i64> = steps.iter().flat_map(|&n| 0..n).collect();
    for list in [&mut offsets, &mut cells] {
        if random.once_in(4) && !list.is_empty() {
            let at = random.below(list.len());
            list[at] = *random.of(&[-1, 0, 1, 29, 30, 1 << 31, 1 << 40, i64::MAX, i64::MIN]);
        }
    }
    let count = *random.of(&[hits, hits, hits, hits + 1, 0]);
    let energies = vec![*random.of(&[1.5f32, 2.0, f32::NAN, -1.0]); count];
    let put = |name: &str, values: &[i64]| {
        let data = group
            .new_dataset::<i64>()
            .shape([values.len()])
            .create(name)?;
        data.write_raw(values)
    };
    put("offsets", &offsets)?;
    put("cells", &cells)?;
    let data = group
        .new_dataset::<f32>()
        .shape([count])
        .create("energies")?;
    data.write_raw(&energies)?;
    let extent = *random.of(&[5, 5, 5, 5, 5, 0, -3, 1 << 13, 1 << 40, i64::MAX]);
    let shape = data.new_attr::<i64>().shape([3]).create("shape")?;
    shape.write_raw(&[2, 3, extent])?;
    one(random, group, "energy", &[events, 1])
}

/// A shape that nobody expects.
fn extents(random: &mut Random, events: usize) -> Vec<usize> {
    let mut dims = vec![events];
    for _ in 0..random.below(5) {
        dims.push(*random.of(&[0, 1, 2, 3, 5, 30, 1 << 20, 1 << 33, 1 << 62]));
    }
    if random.once_in(8) {
        dims[0] = *random.of(&[1 << 30, 1 << 40, usize::MAX / 4]);
    }
    dims
}

fn one(random: &mut Random, group: &Group, name: &str, dims: &[usize]) -> hdf5::Result<()> {
    match random.below(48) {
        0 => dataset::<i64>(random, group, name, dims),
        1 => dataset::<u8>(random, group, name, dims),
        2 => dataset::<f64>(random, group, name, dims),
        3 => dataset::<u16>(random, group, name, dims),
        4 => dataset::<[f32; 2]>(random, group, name, dims),
        5 => {
            let words: VarLenUnicode = "12".parse().unwrap();
            group
                .new_dataset::<VarLenUnicode>()
                .create(name)?
                .write_scalar(&words)
        }
        6 if random.once_in(4) => group.create_group(name).map(|_| ()),
        7 if random.once_in(4) => group.link_soft("nowhere", name),
        _ => dataset::<f32>(random, group, name, dims),
    }
}

/// Plain or in chunks, deflated or not, with values, some of them or none.
fn dataset<T: H5Type + Pod>(
    random: &mut Random,
    group: &Group,
    name: &str,
    dims: &[usize],
) -> hdf5::Result<()> {
    let count = dims.iter().try_fold(8usize, |n, &d| n.checked_mul(d));
    let Some(count) = count.map(|n| n / 8) else {
        return Ok(()); // more than the library writes
    };
    let small = count * size_of::<T>() <= 1 << 20;
    let mut build = group.new_dataset::<T>();
    if !small || random.once_in(3) {
        let chunk: Vec<usize> = dims
            .iter()
            .map(|&d| d.clamp(1, *random.of(&[1, 7, 64])))
            .collect();
        build = build.chunk(chunk).deflate(1);
    }
    let fixed = SimpleExtents::new(dims.iter().map(|&d| Extent::fixed(d)));
    let data = build.shape(fixed).create(name)?;
    let zeros = |n: usize| vec![0u8; n * size_of::<T>()];
    let written = match count {
        n if small && n > 0 && !random.once_in(32) => {
            let bytes = match random.once_in(24) {
                // Bits of a number that is none, or as large as can be.
                true => vec![*random.of(&[0xff, 0x7f, 0x7e]); n * size_of::<T>()],
                false => zeros(n),
            };
            data.write_raw(&bytemuck::pod_collect_to_vec::<u8, T>(&bytes))
        }
        // A corner of something large.
        _ if !dims.contains(&0) && random.once_in(2) => {
            let corner: Vec<_> = dims.iter().map(|_| (0..1usize).into()).collect();
            let ones = vec![1usize; dims.len()];
            let value = vec![T::zeroed()];
            let block = ndarray::ArrayD::from_shape_vec(ones, value).unwrap();
            data.write_slice(&block, hdf5::Hyperslab::from(corner))
        }
        _ => Ok(()),
    };
    for name in [
        "unit",
        "threshold",
        "names",
        "cell_size_mm",
        "binning",
        "mip_MeV",
    ] {
        if random.once_in(12) {
            attribute(random, &data, name)?;
        }
    }
    written
}

/// Of any type, mostly not the right one.
fn attribute(random: &mut Random, on: &Location, name: &str) -> hdf5::Result<()> {
    let words = [
        "MeV",
        "",
        "1",
        "-7",
        "px,py,pz",
        "2",
        "18446744073709551616",
        "a\u{e9}b",
        "1-photons",
        "nan",
    ];
    let word: VarLenUnicode = random.of(&words).parse().unwrap();
    match random.below(10) {
        0 => on.new_attr::<f32>().create(name)?.write_scalar(&f32::NAN),
        1 => on.new_attr::<f64>().create(name)?.write_scalar(&1e300),
        2 => on.new_attr::<i64>().create(name)?.write_scalar(&-3),
        3 => on
            .new_attr::<f32>()
            .shape([2])
            .create(name)?
            .write_raw(&[10.0f32, 5.0]),
        4 => on.new_attr::<f32>().shape([0]).create(name).map(|_| ()),
        5 => on
            .new_attr::<u8>()
            .shape([100, 100])
            .create(name)
            .map(|_| ()),
        6 => on
            .new_attr::<VarLenUnicode>()
            .shape([3])
            .create(name)?
            .write_raw(&[word.clone(), word.clone(), word]),
        7 => on
            .new_attr::<VarLenArray<f32>>()
            .create(name)?
            .write_scalar(&VarLenArray::from_slice(&[1.0])),
        8 => on
            .new_attr::<FixedAscii<4>>()
            .create(name)?
            .write_scalar(&FixedAscii::<4>::from_ascii(b"MIP").unwrap()),
        _ => on
            .new_attr::<VarLenUnicode>()
            .create(name)?
            .write_scalar(&word),
    }
}
