//! Arrays of f64 that the oracles are written on, and the random numbers that fill them.

/// An n-dimensional array of f64, the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Nd {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Nd {
    pub fn new(shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "{shape:?}");
        Self {
            shape: shape.to_vec(),
            data,
        }
    }

    pub fn full(shape: &[usize], value: f64) -> Self {
        Self::new(shape, vec![value; shape.iter().product()])
    }

    pub fn zeros(shape: &[usize]) -> Self {
        Self::full(shape, 0.0)
    }

    /// Each element from its coordinates.
    pub fn build(shape: &[usize], mut element: impl FnMut(&[usize]) -> f64) -> Self {
        let mut at = vec![0; shape.len()];
        let count = shape.iter().product();
        let mut data = Vec::with_capacity(count);
        for _ in 0..count {
            data.push(element(&at));
            step(&mut at, shape);
        }
        Self::new(shape, data)
    }

    /// Calls `visit` with the coordinates and the value of each element.
    pub fn each(&self, mut visit: impl FnMut(&[usize], f64)) {
        let mut at = vec![0; self.shape.len()];
        for &v in &self.data {
            visit(&at, v);
            step(&mut at, &self.shape);
        }
    }

    fn offset(&self, at: &[usize]) -> usize {
        assert_eq!(at.len(), self.shape.len(), "rank of {:?}", self.shape);
        at.iter().zip(&self.shape).fold(0, |o, (&c, &e)| {
            assert!(c < e, "{at:?} in {:?}", self.shape);
            o * e + c
        })
    }

    /// The element at `at`, 0 outside.
    pub fn get(&self, at: &[isize]) -> f64 {
        assert_eq!(at.len(), self.shape.len(), "rank of {:?}", self.shape);
        let mut offset = 0;
        for (&c, &e) in at.iter().zip(&self.shape) {
            if c < 0 || c as usize >= e {
                return 0.0;
            }
            offset = offset * e + c as usize;
        }
        self.data[offset]
    }

    /// The element at `at`, which must exist.
    pub fn at(&self, at: &[usize]) -> f64 {
        self.data[self.offset(at)]
    }

    /// The element at `at`, to change.
    pub fn at_mut(&mut self, at: &[usize]) -> &mut f64 {
        let offset = self.offset(at);
        &mut self.data[offset]
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::new(&self.shape, self.data.iter().map(|&v| f(v)).collect())
    }

    /// `f` of both after NumPy's broadcasting.
    pub fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let rank = self.shape.len().max(other.shape.len());
        let extent = |s: &[usize], d: usize| (d + s.len()).checked_sub(rank).map_or(1, |d| s[d]);
        let shape: Vec<usize> = (0..rank)
            .map(|d| extent(&self.shape, d).max(extent(&other.shape, d)))
            .collect();
        let pick = |x: &Self, at: &[usize]| {
            let at: Vec<usize> = at[rank - x.shape.len()..]
                .iter()
                .zip(&x.shape)
                .map(|(&c, &e)| if e == 1 { 0 } else { c })
                .collect();
            x.at(&at)
        };
        Self::build(&shape, |at| f(pick(self, at), pick(other, at)))
    }

    /// Joins all elements along `axes`, which keep extent 1.
    pub fn reduce(&self, axes: &[usize], start: f64, join: impl Fn(f64, f64) -> f64) -> Self {
        let mut shape = self.shape.clone();
        axes.iter().for_each(|&a| shape[a] = 1);
        let mut out = Self::full(&shape, start);
        let mut to = Vec::new();
        self.each(|at, v| {
            to.clear();
            to.extend(at.iter().zip(&shape).map(|(&c, &e)| c.min(e - 1)));
            let slot = out.at_mut(&to);
            *slot = join(*slot, v);
        });
        out
    }

    pub fn sum(&self, axes: &[usize]) -> Self {
        self.reduce(axes, 0.0, |a, b| a + b)
    }

    pub fn mean(&self, axes: &[usize]) -> Self {
        let count: usize = axes.iter().map(|&a| self.shape[a]).product();
        self.sum(axes).map(|v| v / count as f64)
    }

    pub fn permute(&self, order: &[usize]) -> Self {
        let shape: Vec<usize> = order.iter().map(|&d| self.shape[d]).collect();
        Self::build(&shape, |at| {
            let mut from = vec![0; at.len()];
            order.iter().zip(at).for_each(|(&d, &c)| from[d] = c);
            self.at(&from)
        })
    }

    pub fn reshape(&self, shape: &[usize]) -> Self {
        Self::new(shape, self.data.clone())
    }

    pub fn f32(&self) -> Vec<f32> {
        self.data.iter().map(|&v| v as f32).collect()
    }

    /// Values exact in f32 in [-1, 1), in random order. Any two lie at least 1/m apart and none within 1/(2m) of 0, with m
    /// the power of two from 64 that is at least the number of elements: differences do not meet kinks and ties.
    pub fn random(shape: &[usize], seed: u64) -> Self {
        let mut random = Random(seed);
        let count: usize = shape.iter().product();
        let m = cells(count);
        let mut cell: Vec<usize> = (0..m).collect();
        for i in 0..count {
            cell.swap(i, i + random.below(m - i));
        }
        let value = |c: usize, r: f64| {
            let v = (2.0 * c as f64 + 1.0 + 0.5 * r) / m as f64 - 1.0;
            f64::from(v as f32)
        };
        let data = cell[..count]
            .iter()
            .map(|&c| value(c, random.uniform()))
            .collect();
        Self::new(shape, data)
    }
}

/// Cells that [`Nd::random`] draws from without repeating one.
pub fn cells(count: usize) -> usize {
    count.next_power_of_two().max(64)
}

/// The next index, the last axis fastest.
fn step(at: &mut [usize], shape: &[usize]) {
    for d in (0..at.len()).rev() {
        at[d] += 1;
        if at[d] < shape[d] {
            return;
        }
        at[d] = 0;
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// In [-1, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}
