//! The header of the C interface says what its Rust does. Building and running it is `tools/check_capi.sh`.

use std::collections::BTreeMap;

const HEADER: &str = include_str!("../tools/capi/calogen.h");
const SOURCES: [&str; 4] = [
    include_str!("../tools/capi/src/border.rs"),
    include_str!("../tools/capi/src/generate.rs"),
    include_str!("../tools/capi/src/gpu.rs"),
    include_str!("../tools/capi/src/weights.rs"),
];

/// A type of Rust as C has it.
fn in_c(rust: &str) -> String {
    let rust = rust.trim();
    if let Some(inner) = rust.strip_prefix("*mut ") {
        return format!("{} *", in_c(inner)).replace("* *", "**");
    }
    if let Some(inner) = rust.strip_prefix("*const ") {
        return format!("const {} *", in_c(inner)).replace("* *", "**");
    }
    let plain = [
        ("c_char", "char"),
        ("f32", "float"),
        ("u8", "uint8_t"),
        ("u32", "uint32_t"),
        ("i32", "int32_t"),
        ("u64", "uint64_t"),
        ("usize", "size_t"),
        ("", "void"),
    ];
    let found = plain.into_iter().find(|(name, _)| *name == rust);
    found.map_or(rust.to_owned(), |(_, c)| c.to_owned())
}

/// Prototypes by name, from Rust.
fn defined() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for source in SOURCES {
        for part in source.split("#[unsafe(no_mangle)]").skip(1) {
            let (_, rest) = part.split_once(" fn ").expect("a function");
            let (name, rest) = rest.split_once('(').expect("arguments");
            let (arguments, rest) = rest.split_once(')').expect("arguments");
            let (result, _) = rest.split_once('{').expect("a body");
            let result = in_c(result.trim().trim_start_matches("->"));
            let arguments: Vec<String> = (arguments.split(','))
                .filter(|a| !a.trim().is_empty())
                .map(|argument| {
                    let (name, kind) = argument.split_once(':').expect("a type");
                    format!("{} {}", in_c(kind), name.trim()).replace("* ", "*")
                })
                .collect();
            let arguments = match arguments.is_empty() {
                true => "void".to_owned(),
                false => arguments.join(", "),
            };
            let text = format!("{result} {name}({arguments})").replace("* ", "*");
            all.insert(name.to_owned(), text);
        }
    }
    all
}

/// The header without its comments.
fn header() -> String {
    let mut text = String::new();
    for part in HEADER.split("/*") {
        text += part.split_once("*/").map_or(part, |(_, code)| code);
    }
    text
}

#[test]
fn the_header_declares_what_is_defined() {
    let declared: BTreeMap<String, String> = header()
        .lines()
        .filter_map(|line| line.trim().strip_suffix(");"))
        .map(|line| {
            let name = line.split('(').next().unwrap_or_default();
            let name = name.rsplit([' ', '*']).next().unwrap_or_default();
            (name.to_owned(), format!("{line})"))
        })
        .collect();
    assert!(declared.len() > 20, "{declared:?}");
    assert_eq!(declared, defined());
}

#[test]
fn codes_and_the_room_for_a_message_agree() {
    let mut codes = Vec::new();
    for line in header().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["#define", name, value] = words[..]
            && name.starts_with("CALOGEN_")
        {
            codes.push(format!("pub const {name}: calogen_status = {value};"));
        }
    }
    assert_eq!(codes.len(), 9);
    for code in codes {
        assert!(SOURCES[0].contains(&code), "{code}");
    }
    assert!(header().contains("char message[508];"));
    assert!(SOURCES[0].contains("const MESSAGE: usize = 508;"));
    assert!(SOURCES[0].contains("pub message: [c_char; MESSAGE],"));
}

/// The Geant4-style example puts hits where the simulation had its cells.
#[cfg(feature = "hdf5")]
#[test]
fn the_geometry_is_that_of_the_simulated_file() {
    let text = include_str!("../tools/geant4/hgcal.hpp");
    let (_, list) = text.split_once("layer_z_mm{").expect("the layers");
    let (list, _) = list.split_once('}').expect("the layers");
    let layers = list.split(',').map(|z| z.trim().parse().expect("a number"));
    let layers: Vec<f64> = layers.collect();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hgcal_sample.h5");
    let file = hdf5_metno::File::open(sample).expect("the sample");
    let simulated = file.attr("layer_z_mm").expect("the layers");
    let simulated = simulated.read_raw::<f64>().expect("numbers");
    assert_eq!((layers.len(), simulated.len()), (7, 7));
    for (a, b) in layers.iter().zip(&simulated) {
        assert!((a - b).abs() <= 0.0005, "{layers:?} {simulated:?}");
    }
}
