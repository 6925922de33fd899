//! The crates that an embedding program pays for.

use std::collections::BTreeSet;
use std::process::Command;

/// The generator alone needs at most ten crates more than wgpu does.
#[test]
fn the_generator_brings_few_crates() {
    let args = ["tree", "--offline", "--locked", "--no-default-features"];
    let rest = ["--edges", "normal", "--prefix", "depth", "--no-dedupe"];
    let tree = Command::new(env!("CARGO"))
        .args(args)
        .args(rest)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let (mut all, mut wgpu, mut direct) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut below_wgpu = false;
    // `2naga v30.0.1 (proc-macro)`: depth, name, version.
    for line in String::from_utf8_lossy(&tree.stdout).lines() {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let depth: usize = line[..line.len() - name.len()].parse().expect("a depth");
        let words: Vec<&str> = name.split(' ').take(2).collect();
        if depth == 0 {
            continue;
        }
        if depth == 1 {
            below_wgpu = words[0] == "wgpu";
            direct.insert(words[0].to_owned());
        }
        if below_wgpu {
            wgpu.insert(words.join(" "));
        }
        all.insert(words.join(" "));
    }
    assert!(wgpu.len() > 10, "wgpu's own crates: {wgpu:?}");
    let more: Vec<_> = all.difference(&wgpu).collect();
    println!("{} crates, {} of them wgpu's", all.len(), wgpu.len());
    assert!(
        all.len() <= wgpu.len() + 10,
        "{} crates: {more:?}",
        more.len()
    );

    let readme = include_str!("../README.md");
    for name in direct {
        let listed = |line: &str| line.starts_with("| ") && line.contains(&format!("`{name}`"));
        assert!(
            readme.lines().any(listed),
            "the README does not say why {name} is needed"
        );
    }
}
