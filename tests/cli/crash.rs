//! Files over which libhdf5 1.10 itself breaks off, by a signal: commands end in words all the same.

use super::{SAMPLE, complains, text};

/// Damaged in a table of names, and in the strings that say where showers come from.
const NAMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/library/names.h5");
const PROVENANCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fuzz/library/provenance.h5"
);

/// Another version of the library may refuse such a file in its own words.
#[test]
fn a_file_that_breaks_the_library_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.h5");
    let to = ["--out", text(&out)];
    for (command, file) in [
        (
            &["evaluate", "--reference", SAMPLE, "--generated", NAMES][..],
            NAMES,
        ),
        (&["convert", NAMES], NAMES),
        (&["merge", PROVENANCE], PROVENANCE),
    ] {
        complains(1, &[command, &to].concat(), &[file]);
        assert!(!out.is_file(), "{command:?}");
    }
}
