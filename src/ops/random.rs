//! Random numbers that have an address: (seed, stream, event, element) through Philox4x32-10.
//!
//! Event i of seed s is the same in any batch, range, process or order, and on any device. The kernels and the functions
//! here give the same bits and the same uniform numbers; normal numbers agree to rounding.

use crate::gpu::{Kernel, fold, params, read, wgsl, write};
use crate::tape::{Cost, DType, Exported, Lowering, Op, Shape, Site, Slot, Tape, Var, Vjp, shape};
use crate::{Error, Result};

/// Four random words from a counter and a key: Philox4x32-10.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let wide = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = (counter, key);
    for _ in 0..10 {
        let (h0, l0) = wide(0xD251_1F53, c0);
        let (h1, l1) = wide(0xCD9E_8D57, c2);
        (c0, c1, c2, c3) = (h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0);
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    [c0, c1, c2, c3]
}

/// The words of elements `4 block .. 4 block + 3`.
fn words(seed: u64, stream: u32, event: u64, block: u32) -> [u32; 4] {
    let halves = |v: u64| [v as u32, (v >> 32) as u32];
    let [low, high] = halves(event);
    philox4x32_10([block, stream, low, high], halves(seed))
}

/// Random bits at an address.
pub fn random_bits(seed: u64, stream: u32, event: u64, element: u32) -> u32 {
    words(seed, stream, event, element / 4)[element as usize % 4]
}

/// A whole number below `limit` at an address.
pub fn below(seed: u64, stream: u32, event: u64, element: u32, limit: usize) -> usize {
    let bits = random_bits(seed, stream, event, element);
    ((u64::from(bits) * limit as u64) >> 32) as usize
}

/// Puts things in a random order, by the numbers of elements 1, 2, .. at an address.
pub fn shuffle<T>(things: &mut [T], seed: u64, stream: u32, event: u64) {
    for i in (1..things.len()).rev() {
        things.swap(i, below(seed, stream, event, i as u32, i + 1));
    }
}

/// A random number in (0, 1) at an address.
pub fn uniform(seed: u64, stream: u32, event: u64, element: u32) -> f32 {
    unit(random_bits(seed, stream, event, element))
}

/// A normal random number at an address.
pub fn normal(seed: u64, stream: u32, event: u64, element: u32) -> f32 {
    let words = words(seed, stream, event, element / 4);
    let pair = element as usize % 4 / 2 * 2;
    let radius = (-2.0 * f64::from(unit(words[pair])).ln()).sqrt();
    let angle = f64::from(unit(words[pair + 1])) * std::f64::consts::TAU;
    let side = if element.is_multiple_of(2) {
        angle.cos()
    } else {
        angle.sin()
    };
    (radius * side) as f32
}

/// In (0, 1), exact: 23 bits and a half.
fn unit(word: u32) -> f32 {
    ((word >> 9) as f32 + 0.5) * (1.0 / 8_388_608.0)
}

/// What [`Tape::uniform`] and its like take as `key`: the seed and the event of the first shower of the batch.
pub fn key(seed: u64, first_event: u64) -> [u32; 4] {
    [
        seed as u32,
        (seed >> 32) as u32,
        first_event as u32,
        (first_event >> 32) as u32,
    ]
}

params! {
    /// See `random.wgsl`.
    RandomParams { elements: u32, n: u32, stream: u32 }
}

const SOURCE: &str = wgsl!(
    "random.wgsl",
    "lib/index.wgsl",
    "lib/philox.wgsl",
    "lib/math.wgsl"
);
static BITS: Kernel = Kernel::new::<RandomParams>(
    "random.wgsl",
    SOURCE,
    "random_bits",
    &[read(1, "source"), write(3, "bits")],
);
static UNIFORM: Kernel = Kernel::new::<RandomParams>(
    "random.wgsl",
    SOURCE,
    "random_uniform",
    &[read(1, "source"), write(2, "y")],
);
static NORMAL: Kernel = Kernel::new::<RandomParams>(
    "random.wgsl",
    SOURCE,
    "random_normal",
    &[read(1, "source"), write(2, "y")],
);
static ROWS: Kernel = Kernel::new::<RandomParams>(
    "random.wgsl",
    SOURCE,
    "philox_rows",
    &[read(1, "source"), write(3, "bits"), read(4, "key")],
);

pub(super) static KERNELS: &[&Kernel] = &[&BITS, &UNIFORM, &NORMAL, &ROWS];

const WG: usize = 64;

/// What is made of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bits,
    Uniform,
    Normal,
}

/// Random numbers of `shape`, the last axis showers, from a key of four words.
#[derive(Debug)]
struct Random {
    kind: Kind,
    stream: u32,
    shape: Shape,
}

impl Op for Random {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Bits => "random_bits",
            Kind::Uniform => "uniform",
            Kind::Normal => "normal",
        }
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        if x[0] != [4] || self.shape.is_empty() || self.shape.contains(&0) {
            let what = format!(
                "wants a key of four words and axes [.., N], got {:?} and {:?}",
                x[0], self.shape
            );
            return Err(Error::shape(self.name(), what));
        }
        Ok(self.shape.clone())
    }

    fn dtype(&self) -> DType {
        match self.kind {
            Kind::Bits => DType::U32,
            _ => DType::F32,
        }
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None]
    }

    fn is_random(&self) -> bool {
        true
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        match self.kind {
            Kind::Uniform => site.noise("uniform in (0, 1)"),
            Kind::Normal => site.noise("normal, mean 0, standard deviation 1"),
            Kind::Bits => Err(Error::Config("random bits cannot be exported".into())),
        }
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let n = self.shape.last().copied().unwrap_or(1);
        let elements = shape::len(&self.shape) / n;
        let kernel = match self.kind {
            Kind::Bits => &BITS,
            Kind::Uniform => &UNIFORM,
            Kind::Normal => &NORMAL,
        };
        let params = RandomParams {
            elements: elements as u32,
            n: n as u32,
            stream: self.stream,
        };
        let groups = (elements.div_ceil(4) * n).div_ceil(WG);
        l.dispatch(
            kernel,
            &params,
            &[("WG", WG as f64)],
            &[x[0], y],
            fold(groups as u64),
        )
    }

    /// About 60 integer operations a word.
    fn cost(&self, _: &[&[usize]], y: &[usize]) -> Cost {
        Cost::new(60.0 * shape::len(y) as f64, &[], y)
    }
}

/// Rows of bits from rows of counters and keys.
#[derive(Debug)]
struct Philox;

impl Op for Philox {
    fn name(&self) -> &'static str {
        "philox4x32_10"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        match (x[0], x[1]) {
            (&[n, 4], &[m, 2]) if n == m => Ok(vec![n, 4]),
            _ => {
                let what = format!("wants counters [n, 4] and keys [n, 2], got {x:?}");
                Err(Error::shape(self.name(), what))
            }
        }
    }

    fn dtype(&self) -> DType {
        DType::U32
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None, None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let rows = l.output_shape()[0];
        let params = RandomParams {
            elements: rows as u32,
            ..Default::default()
        };
        let grid = fold(rows.div_ceil(WG) as u64);
        l.dispatch(&ROWS, &params, &[("WG", WG as f64)], &[x[0], y, x[1]], grid)
    }
}

impl Tape {
    /// Random numbers in (0, 1) of `shape`, the last axis showers. `key` is an integer tensor of four words made by
    /// [`key`]; `stream` tells uses of one seed apart.
    ///
    /// Shower n belongs to event `first event + n`; element e counts all other axes, the last of them fastest. The numbers
    /// are those of the function [`uniform`].
    #[track_caller]
    pub fn uniform<'t>(&'t self, key: Var<'t>, stream: u32, shape: &[usize]) -> Var<'t> {
        self.random(Kind::Uniform, key, stream, shape)
    }

    /// Normal random numbers; see [`Tape::uniform`]. They are those of the function [`normal`], to rounding.
    #[track_caller]
    pub fn normal<'t>(&'t self, key: Var<'t>, stream: u32, shape: &[usize]) -> Var<'t> {
        self.random(Kind::Normal, key, stream, shape)
    }

    /// Random integers; see [`Tape::uniform`]. They are those of the function [`random_bits`].
    #[track_caller]
    pub fn random_bits<'t>(&'t self, key: Var<'t>, stream: u32, shape: &[usize]) -> Var<'t> {
        self.random(Kind::Bits, key, stream, shape)
    }

    #[track_caller]
    fn random<'t>(&'t self, kind: Kind, key: Var<'t>, stream: u32, shape: &[usize]) -> Var<'t> {
        let op = Random {
            kind,
            stream,
            shape: shape.to_vec(),
        };
        key.if_integers(op.name(), || self.record(op, &[key]))
    }

    /// Bits `[n, 4]` of explicit counters `[n, 4]` and keys `[n, 2]`, all integers: [`philox4x32_10`] row by row.
    #[track_caller]
    pub fn philox<'t>(&'t self, counter: Var<'t>, key: Var<'t>) -> Var<'t> {
        let make = || self.record(Philox, &[counter, key]);
        counter.if_integers("philox4x32_10", || key.if_integers("philox4x32_10", make))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(
            philox4x32_10([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32_10([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn uniform_numbers_keep_away_from_the_ends() {
        assert!(unit(0) > 0.0 && unit(u32::MAX) < 1.0);
    }
}
