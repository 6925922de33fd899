//! What is refused, and in which words.

use calogen::data::ShowerFile;
use hdf5::types::VarLenUnicode;
use hdf5_metno as hdf5;

use super::{CELLS, attribute, cells, energies, file, plain, put, refused, says};

#[test]
fn no_file() {
    let folder = tempfile::tempdir().unwrap();
    says(
        &refused(&folder.path().join("absent.h5")),
        &["absent.h5", "No such file"],
    );
    says(&refused(folder.path()), &["is a directory"]);
}

#[test]
fn not_an_hdf5_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.h5");
    std::fs::write(&path, "energy,layers\n".repeat(100)).unwrap();
    says(&refused(&path), &["not an HDF5 file", "1400 bytes"]);
    std::fs::write(&path, "").unwrap();
    says(&refused(&path), &["not an HDF5 file", "0 bytes"]);
}

#[test]
fn truncated_file() {
    let (_folder, path) = file(|f| plain(f, 100));
    let bytes = std::fs::read(&path).unwrap();
    for keep in [bytes.len() - 1, bytes.len() / 2, 200] {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        says(
            &refused(&path),
            &["truncated HDF5 file", &format!("{keep} bytes")],
        );
    }
}

/// A reader must never be brought down, whatever the bytes.
#[test]
fn damaged_file() {
    let (_folder, path) = file(|f| plain(f, 20));
    let bytes = std::fs::read(&path).unwrap();
    let metadata = bytes.len() - 20 * CELLS * 4;
    for at in (0..metadata.min(bytes.len())).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        std::fs::write(&path, &damaged).unwrap();
        if let Ok(opened) = ShowerFile::open(&path) {
            let _ = opened.read(0..1);
        }
    }
}

#[test]
fn missing_datasets() {
    let (_folder, path) = file(|f| {
        put(f, "showers", &[2, 5], &[0.0; 10]);
        f.create_group("meta").unwrap();
    });
    let message = refused(&path);
    says(
        &message,
        &[
            "no datasets `layers` and `energy`",
            "dataset `showers` [2, 5]",
            "group `meta`",
        ],
    );

    let (_folder, path) = file(|_| {});
    says(&refused(&path), &["found nothing"]);

    let (_folder, path) = file(|f| {
        put(
            &f.create_group("30x30").unwrap(),
            "layers",
            &[1, 2, 3, 5],
            &cells(1),
        );
    });
    says(
        &refused(&path),
        &[
            "no dataset `30x30/energy` beside `30x30/layers`",
            "group `30x30`",
        ],
    );

    let (_folder, path) = file(|f| {
        put(f, "energy", &[1], &[1.0]);
    });
    says(
        &refused(&path),
        &[
            "no dataset `layers` beside `energy`",
            "dataset `energy` [1]",
        ],
    );

    let (_folder, path) = file(|f| {
        f.create_group("layers").unwrap();
        put(f, "energy", &[1], &[1.0]);
    });
    says(&refused(&path), &["`layers` cannot be opened as a dataset"]);
}

#[test]
fn several_groups() {
    let (_folder, path) = file(|f| {
        plain(&f.create_group("ecal").unwrap(), 2);
        plain(&f.create_group("hcal").unwrap(), 2);
    });
    says(&refused(&path), &["several groups", "`ecal/`", "`hcal/`"]);
}

#[test]
fn groups_in_a_circle() {
    let (_folder, path) = file(|f| {
        let a = f.create_group("a").unwrap();
        let b = a.create_group("b").unwrap();
        for name in ["root", "again"] {
            b.link_soft("/", name).unwrap();
        }
        b.link_soft("/nowhere", "dangling").unwrap();
    });
    says(
        &refused(&path),
        &["no datasets `layers` and `energy`", "group `a/b`"],
    );
}

#[test]
fn wrong_rank() {
    let (_folder, path) = file(|f| {
        put(f, "layers", &[2, CELLS], &cells(2));
        put(f, "energy", &[2], &energies(2));
    });
    says(
        &refused(&path),
        &[
            "dataset `layers`",
            "[2, 30]",
            "expected [N,Z,X,Y] or [N,X,Y]",
        ],
    );

    for (name, dims, expected) in [
        ("energy", &[1, 1, 4][..], "[N] or [N,1]"),
        ("energy", &[4, 2], "[N] or [N,1]"),
        ("position", &[4], "[N,2]"),
        ("position", &[4, 3], "[N,2]"),
        ("conditions", &[4], "[N,C]"),
        ("conditions", &[4, 1, 1], "[N,C]"),
    ] {
        let (_folder, path) = file(|f| {
            put(f, "layers", &[4, 2, 3, 5], &cells(4));
            if name != "energy" {
                put(f, "energy", &[4], &energies(4));
            }
            put(f, name, dims, &vec![1.0; dims.iter().product()]);
        });
        says(
            &refused(&path),
            &[&format!("dataset `{name}`"), &format!("{dims:?}"), expected],
        );
    }
}

#[test]
fn shapes_that_disagree() {
    let (_folder, path) = file(|f| {
        let g = f.create_group("g").unwrap();
        put(&g, "layers", &[4, 2, 3, 5], &cells(4));
        put(&g, "energy", &[5, 1], &energies(5));
    });
    says(
        &refused(&path),
        &[
            "dataset `g/energy`",
            "5 rows",
            "[5, 1]",
            "`g/layers` has 4",
            "[4, 2, 3, 5]",
        ],
    );

    let (_folder, path) = file(|f| {
        plain(f, 4);
        put(f, "position", &[3, 2], &[0.0; 6]);
    });
    says(
        &refused(&path),
        &["dataset `position`", "3 rows", "`layers` has 4"],
    );

    let (_folder, path) = file(|f| {
        plain(f, 4);
        attribute(&put(f, "conditions", &[3, 2], &[0.0; 6]), "names", "a,b");
    });
    says(
        &refused(&path),
        &["dataset `conditions`", "3 rows", "`layers` has 4"],
    );
}

#[test]
fn nothing_in_it() {
    for (dims, expected) in [
        ([0, 2, 3, 5], "holds no showers"),
        ([1, 2, 0, 5], "extent of zero"),
    ] {
        let (_folder, path) = file(|f| {
            put(f, "layers", &dims, &[]);
            put(f, "energy", &[dims[0], 1], &energies(dims[0]));
        });
        says(
            &refused(&path),
            &["dataset `layers`", &format!("{dims:?}"), expected],
        );
    }
    let (_folder, path) = file(|f| {
        f.new_dataset::<f32>()
            .shape([1 << 40, 7, 12, 15])
            .chunk([1, 7, 12, 15])
            .create("layers")
            .unwrap();
        f.new_dataset::<f32>()
            .shape([1 << 40, 1])
            .chunk([64, 1])
            .create("energy")
            .unwrap();
    });
    says(
        &refused(&path),
        &["dataset `layers`", "nothing was written"],
    );
}

/// Extents are only a claim: a few bytes can claim any number of cells.
#[test]
fn claims_beyond_memory() {
    let claim = |dims: [usize; 4]| {
        file(|f| {
            let layers = f
                .new_dataset::<f32>()
                .shape(dims)
                .chunk([1, 8, 8, 8])
                .create("layers")
                .unwrap();
            let one = ndarray::Array::from_elem((1, 1, 1, 1), 1f32);
            layers.write_slice(&one, (0..1, 0..1, 0..1, 0..1)).unwrap();
            put(f, "energy", &[dims[0]], &energies(dims[0]));
        })
    };
    // A system that promises more memory than it has would give 64 GiB, and end the program later.
    for dims in [
        [2, 1 << 15, 1 << 15, 1 << 16],
        [1, 8, 1 << 16, 1 << 15],
        [3, 8, 1 << 12, 1 << 10],
    ] {
        let (_folder, path) = claim(dims);
        let shape = format!("{dims:?}");
        says(
            &refused(&path),
            &[
                "dataset `layers`",
                &shape,
                "but only 2048 bytes were written",
            ],
        );
    }
    let (_folder, path) = claim([2, 1 << 20, 1 << 20, 1 << 20]);
    says(
        &refused(&path),
        &["dataset `layers`", "larger than any memory"],
    );
}

#[test]
fn cells_that_are_not_finite() {
    for (value, word) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (f32::NEG_INFINITY, "-inf"),
    ] {
        let (_folder, path) = file(|f| {
            let mut values = cells(6);
            values[4 * CELLS + 15 + 2 * 5 + 3] = value;
            put(f, "layers", &[6, 2, 3, 5], &values);
            put(f, "energy", &[6], &energies(6));
        });
        let opened = ShowerFile::open(&path).unwrap();
        assert_eq!(opened.read(0..4).unwrap().len(), 4);
        assert_eq!(opened.read_rows(&[5, 3]).unwrap().len(), 2);
        let messages = [
            opened.read(3..6).unwrap_err(),
            opened.read_f64(0..6).unwrap_err(),
            opened.read_rows(&[5, 4]).unwrap_err(),
            opened.chunks(3).find_map(Result::err).unwrap(),
        ];
        for message in messages {
            let at = format!("event 4: the cell at z = 1, x = 2, y = 3 is {word}");
            says(
                &message.to_string(),
                &["showers.h5", "dataset `layers`", &at],
            );
        }
    }
}

#[test]
fn labels_that_are_not_finite() {
    for value in [f32::NAN, f32::INFINITY, -1.0] {
        let (_folder, path) = file(|f| {
            put(f, "layers", &[3, 2, 3, 5], &cells(3));
            put(f, "energy", &[3, 1], &[1.0, value, 2.0]);
        });
        says(
            &refused(&path),
            &[
                "dataset `energy`, event 1",
                &format!("incident energy is {value}"),
            ],
        );
    }
    let (_folder, path) = file(|f| {
        plain(f, 2);
        put(f, "position", &[2, 2], &[0.0, 1.0, 2.0, f32::NAN]);
    });
    let message = ShowerFile::open(&path)
        .unwrap()
        .read(0..2)
        .unwrap_err()
        .to_string();
    says(&message, &["dataset `position`, event 1", "(2, NaN)"]);

    let (_folder, path) = file(|f| {
        plain(f, 2);
        attribute(
            &put(f, "conditions", &[2, 2], &[0.0, 1.0, 2.0, f32::INFINITY]),
            "names",
            "px,py",
        );
    });
    let message = ShowerFile::open(&path)
        .unwrap()
        .read(0..2)
        .unwrap_err()
        .to_string();
    says(&message, &["dataset `conditions`, event 1", "`py` is inf"]);
}

#[test]
fn names_of_conditions() {
    let with = |names: Option<&str>| {
        let (_folder, path) = file(|f| {
            plain(f, 2);
            let conditions = put(f, "conditions", &[2, 3], &[0.0; 6]);
            if let Some(names) = names {
                attribute(&conditions, "names", names);
            }
        });
        refused(&path)
    };
    says(
        &with(None),
        &["dataset `conditions`", "3 columns", "no attribute `names`"],
    );
    says(
        &with(Some("px,py")),
        &["dataset `conditions`", "3 columns", "`names` has 2: px, py"],
    );
    says(
        &with(Some("px,py,px")),
        &["dataset `conditions`", "\"px\" at 2"],
    );

    let (_folder, path) = file(|f| {
        plain(f, 2);
        let conditions = put(f, "conditions", &[2, 3], &[0.0; 6]);
        conditions
            .new_attr::<f32>()
            .shape(3)
            .create("names")
            .unwrap()
            .write_raw(&[1.0f32, 2.0, 3.0])
            .unwrap();
    });
    says(
        &refused(&path),
        &[
            "dataset `conditions`",
            "attribute `names` is of type float32, expected a string",
        ],
    );
}

#[test]
fn attributes_of_a_wrong_kind() {
    let with = |set: fn(&hdf5::Dataset)| {
        let (_folder, path) = file(|f| {
            plain(f, 1);
            set(&f.dataset("layers").unwrap());
        });
        refused(&path)
    };
    says(
        &with(|d| attribute(d, "threshold", "low")),
        &["`threshold`", "expected a number"],
    );
    let two = with(|d| {
        d.new_attr::<f32>()
            .shape(2)
            .create("threshold")
            .unwrap()
            .write_raw(&[1.0f32, 2.0])
            .unwrap()
    });
    says(&two, &["`threshold` has 2 values, expected 1"]);
    let nan = with(|d| {
        d.new_attr::<f64>()
            .create("threshold")
            .unwrap()
            .write_scalar(&f64::NAN)
            .unwrap()
    });
    says(&nan, &["`threshold` is NaN"]);
    let unit = with(|d| {
        d.new_attr::<i32>()
            .create("unit")
            .unwrap()
            .write_scalar(&3)
            .unwrap()
    });
    says(&unit, &["dataset `layers`", "`unit`", "expected a string"]);
}

#[derive(hdf5::H5Type, Clone, Copy)]
#[repr(C)]
struct Hit {
    layer: i32,
    energy: f32,
}

#[test]
fn types_that_are_no_numbers() {
    let (_folder, path) = file(|f| {
        f.new_dataset::<VarLenUnicode>()
            .shape([2, 2, 3, 5])
            .create("layers")
            .unwrap();
        put(f, "energy", &[2], &energies(2));
    });
    says(
        &refused(&path),
        &[
            "dataset `layers`: type",
            "unicode (var len)",
            "expected a number (float32 or float64)",
        ],
    );

    let (_folder, path) = file(|f| {
        f.new_dataset_builder()
            .with_data(
                &[Hit {
                    layer: 1,
                    energy: 2.0,
                }; 4],
            )
            .create("layers")
            .unwrap();
        put(f, "energy", &[4], &energies(4));
    });
    says(
        &refused(&path),
        &[
            "dataset `layers`: type",
            "compound",
            "expected a number (float32 or float64)",
        ],
    );

    let (_folder, path) = file(|f| {
        put(f, "layers", &[2, 2, 3, 5], &cells(2));
        f.new_dataset_builder()
            .with_data(&[true, false])
            .create("energy")
            .unwrap();
    });
    says(&refused(&path), &["dataset `energy`: type", "bool"]);
}

#[test]
fn ranges_outside_the_file() {
    let (_folder, path) = file(|f| plain(f, 4));
    let opened = ShowerFile::open(&path).unwrap();
    says(
        &opened.read(2..5).unwrap_err().to_string(),
        &["showers.h5", "events 2..5 of 4"],
    );
    says(
        &opened.read_rows(&[1, 9]).unwrap_err().to_string(),
        &["showers.h5", "events 9..10 of 4"],
    );
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = opened.read(3..1);
    says(&reversed.unwrap_err().to_string(), &["events 3..1 of 4"]);
}
