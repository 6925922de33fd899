//! Files of hits are what the dense ones are to every command.

use std::path::Path;

use calogen::data::ShowerFile;

use super::{SAMPLE, calogen, complains, text};

fn run(args: &[&str]) {
    let run = calogen(args);
    assert_eq!(run.status, 0, "{args:?}: {}", run.err);
}

fn generate(out: &Path, more: &[&str]) {
    let args = ["generate", "hgcal-small", "--out", text(out), "--seed", "3"];
    let settings = ["--energy-range", "10:100", "--batch", "32"];
    run(&[&args, &settings[..], more].concat());
}

fn showers(path: &Path) -> calogen::data::Showers {
    let file = ShowerFile::open(path).unwrap();
    file.read(0..file.len()).unwrap()
}

#[test]
fn sparse_files_are_dense_ones_written_differently() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [dense, sparse, a, b] = ["dense.h5", "sparse.h5", "a.h5", "b.h5"].map(path);
    generate(&dense, &["--events", "301"]);
    generate(&sparse, &["--events", "301", "--sparse"]);
    let file = ShowerFile::open(&sparse).unwrap();
    assert!(file.is_sparse());
    assert_eq!(file.info(), ShowerFile::open(&dense).unwrap().info());
    assert_eq!(showers(&sparse), showers(&dense));

    // In ranges, and put together again.
    generate(&a, &["--events", "100", "--sparse"]);
    generate(&b, &["--first-event", "100", "--events", "201", "--sparse"]);
    let merged = path("merged.h5");
    run(&["merge", text(&b), text(&a), "--out", text(&merged)]);
    let [found, wanted] = [&merged, &sparse].map(|p| std::fs::read(p).unwrap());
    assert!(found == wanted, "the merged file is not that of one run");
    let tail = path("tail.h5");
    generate(&tail, &["--first-event", "100", "--events", "201"]);
    let mixed = ["merge", text(&a), text(&tail), "--out", text(&merged)];
    complains(1, &mixed, &["tail.h5", "its layout is dense", "sparse"]);

    // There and back.
    let (there, back) = (path("there.h5"), path("back.h5"));
    run(&["convert", text(&dense), "--out", text(&there), "--sparse"]);
    assert!(ShowerFile::open(&there).unwrap().is_sparse());
    run(&[
        "convert",
        text(&there),
        "--out",
        text(&back),
        "--compression",
        "0",
    ]);
    assert!(!ShowerFile::open(&back).unwrap().is_sparse());
    assert_eq!(showers(&back), showers(&dense));

    // The same report, but for the file's name.
    let report = |generated: &Path| {
        let out = path("report");
        let args = [
            "evaluate",
            "--reference",
            SAMPLE,
            "--generated",
            text(generated),
        ];
        run(&[&args[..], &["--out", text(&out), "--replicas", "5"]].concat());
        let report = std::fs::read_to_string(out.join("report.json")).unwrap();
        report.replace(text(generated), "FILE")
    };
    let (of_dense, of_sparse) = (report(&dense), report(&sparse));
    assert!(of_dense.contains("FILE"));
    assert!(of_dense == of_sparse, "the reports differ");
}

#[test]
fn energies_may_come_as_halves() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [whole, half, hits] = ["whole.h5", "half.h5", "hits.h5"].map(path);
    generate(&whole, &["--events", "20"]);
    generate(&half, &["--events", "20", "--half"]);
    generate(&hits, &["--events", "20", "--half", "--sparse"]);
    let threshold = ShowerFile::open(&whole).unwrap().info().threshold.unwrap();
    let (whole, half, hits) = (showers(&whole), showers(&half), showers(&hits));
    assert_eq!(half, hits);
    let mut differ = 0;
    for (a, b) in whole.layers.iter().zip(&half.layers) {
        // A cell just above the threshold may be rounded below it, and is empty then.
        let cut = *b == 0.0 && *a <= threshold * 1.001;
        assert!(cut || (a - b).abs() <= a * f32::powi(2.0, -11), "{a} {b}");
        differ += usize::from(a != b);
    }
    assert!(differ > 100, "{differ}");
}
