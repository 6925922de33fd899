//! The voxels of a file that does not say how they lie: binning files, and the data sets whose binning is known.

use std::io::Read;
use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};

use crate::geometry::PolarLayer;
use crate::{Error, Result};

/// Largest binning file and number of its nodes; the published ones have 5 kB and 100.
const LARGEST: u64 = 4 << 20;
const NODES: u32 = 1 << 16;

/// Most bins of a layer in α. With the file's size this bounds the number of voxels.
const ALPHA_BINS: usize = 1 << 16;

/// How the voxels of a shower lie that a file (`showers` `[N,V]`) has in one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Voxels {
    /// As in the data set of the challenge that has as many voxels; an error where none has.
    #[default]
    Recognised,
    /// In these layers, r fastest, then α; an error where they are not as many.
    Layers(Vec<PolarLayer>),
    /// Nobody wants to know: only labels are read.
    Unknown,
}

/// The layers of a binning file of the CaloChallenge: root `Bins`, in it `Bin` (attributes `name`, `pid`), in that
/// `Layer` (`id`, `r_edges` in mm with commas between, `n_bin_alpha`). Layers whose only edge is 0 hold no voxels and are
/// left out. `particle` is the `name` or `pid` of the `Bin` to take, which may be left out where there is one.
///
/// # Errors
/// [`Error::Format`] that names file, layer and attribute; [`Error::Io`].
pub fn read_binning(path: impl AsRef<Path>, particle: Option<&str>) -> Result<Vec<PolarLayer>> {
    let path = path.as_ref();
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|e| Error::io(path, e))?;
    if text.len() as u64 > LARGEST {
        return Err(Error::format(
            path,
            format!("a binning file of more than {LARGEST} bytes"),
        ));
    }
    layers(&text, particle).map_err(|what| Error::format(path, format!("binning: {what}")))
}

fn layers(text: &str, particle: Option<&str>) -> std::result::Result<Vec<PolarLayer>, String> {
    let options = ParsingOptions {
        nodes_limit: NODES,
        ..ParsingOptions::default()
    };
    let document =
        Document::parse_with_options(text, options).map_err(|e| format!("not XML: {e}"))?;
    let root = document.root_element();
    if !root.has_tag_name("Bins") {
        return Err(format!(
            "the root is `{}`, expected `Bins`",
            root.tag_name().name()
        ));
    }
    let bins = children(root, "Bin")?;
    let bin = chosen(&bins, particle)?;
    let mut layers: Vec<PolarLayer> = Vec::new();
    let mut ids = Vec::new();
    for node in children(bin, "Layer")? {
        let id: usize = number(node, "id", "a whole number")?;
        if ids.contains(&id) {
            return Err(format!("`Layer` {id} comes a second time"));
        }
        ids.push(id);
        let wrong = |what: String| format!("`Layer` {id}: {what}");
        let alpha_bins: usize =
            number(node, "n_bin_alpha", "a whole number from 1").map_err(wrong)?;
        if !(1..=ALPHA_BINS).contains(&alpha_bins) {
            return Err(wrong(format!(
                "`n_bin_alpha` is {alpha_bins}, expected 1 to {ALPHA_BINS}"
            )));
        }
        let r_edges = edges(node).map_err(wrong)?;
        if !r_edges.is_empty() {
            layers.push(PolarLayer {
                id,
                r_edges,
                alpha_bins,
            });
        }
    }
    match layers.is_empty() {
        true => Err("no `Layer` holds voxels".into()),
        false => Ok(layers),
    }
}

/// The elements in `node`, all of them called `name`.
fn children<'a, 'b>(
    node: Node<'a, 'b>,
    name: &str,
) -> std::result::Result<Vec<Node<'a, 'b>>, String> {
    let all: Vec<_> = node.children().filter(Node::is_element).collect();
    match all.iter().find(|child| !child.has_tag_name(name)) {
        Some(other) => Err(format!(
            "`{}` in `{}`, expected `{name}`",
            other.tag_name().name(),
            node.tag_name().name()
        )),
        None => Ok(all),
    }
}

fn chosen<'a, 'b>(
    bins: &[Node<'a, 'b>],
    particle: Option<&str>,
) -> std::result::Result<Node<'a, 'b>, String> {
    let attribute = |bin: &Node, key: &str| bin.attribute(key).unwrap_or("?").to_owned();
    let fits = |bin: &&Node| {
        particle.is_none_or(|p| {
            ["name", "pid"]
                .iter()
                .any(|key| bin.attribute(*key) == Some(p))
        })
    };
    let found: Vec<_> = bins.iter().filter(fits).collect();
    let names: Vec<String> = bins
        .iter()
        .map(|bin| format!("{} (pid {})", attribute(bin, "name"), attribute(bin, "pid")))
        .collect();
    match (&found[..], particle) {
        ([one], _) => Ok(**one),
        (_, None) => Err(format!(
            "{} particles, choose one of them: {}",
            bins.len(),
            names.join(", ")
        )),
        (several, Some(p)) => Err(format!(
            "{} particles are called {p}, expected one: {}",
            several.len(),
            names.join(", ")
        )),
    }
}

fn text<'a>(node: Node<'a, '_>, key: &str) -> std::result::Result<&'a str, String> {
    let missing = || format!("`{}` has no `{key}`", node.tag_name().name());
    node.attribute(key).ok_or_else(missing)
}

fn number<T: std::str::FromStr>(
    node: Node,
    key: &str,
    expected: &str,
) -> std::result::Result<T, String> {
    let text = text(node, key)?.trim();
    text.parse()
        .map_err(|_| format!("`{key}` is {text:?}, expected {expected}"))
}

/// The edges in r, none for a layer without voxels.
fn edges(node: Node) -> std::result::Result<Vec<f64>, String> {
    let text = text(node, "r_edges")?;
    let edges = text
        .split(',')
        .map(|part| part.trim().parse::<f64>().ok().filter(|e| e.is_finite()))
        .collect::<Option<Vec<f64>>>()
        .ok_or_else(|| format!("`r_edges` is {text:?}, expected numbers with commas between"))?;
    match &edges[..] {
        [0.0] => Ok(Vec::new()),
        [one] => Err(format!(
            "`r_edges` is {one} alone, expected at least two edges, or 0 for a layer without voxels"
        )),
        [first, ..] if *first < 0.0 => {
            Err(format!("`r_edges` begins with {first}, expected 0 or more"))
        }
        _ if edges.windows(2).any(|pair| pair[0] >= pair[1]) => {
            Err(format!("`r_edges` {text:?} do not ascend"))
        }
        _ => Ok(edges),
    }
}
