//! Tensors of f64 with any number of axes.

/// Extents and elements, the last axis fastest. Integers and truth values are numbers too.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Tensor {
    pub fn new(shape: Vec<usize>, data: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "{shape:?}");
        Self { shape, data }
    }

    pub fn floats(shape: &[usize], data: &[f32]) -> Self {
        Self::new(shape.to_vec(), data.iter().map(|&v| v.into()).collect())
    }

    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Elements as whole numbers.
    pub fn ints(&self) -> Vec<i64> {
        self.data.iter().map(|&v| v as i64).collect()
    }

    /// An axis counted from the end if negative.
    pub fn axis(&self, axis: i64) -> usize {
        (axis + if axis < 0 { self.rank() as i64 } else { 0 }) as usize
    }

    /// A tensor of `shape` whose element at each index is `value` of it.
    pub fn make(shape: Vec<usize>, mut value: impl FnMut(&[usize]) -> f64) -> Self {
        let count = shape.iter().product();
        let mut index = vec![0; shape.len()];
        let mut data = Vec::with_capacity(count);
        for _ in 0..count {
            data.push(value(&index));
            for d in (0..shape.len()).rev() {
                index[d] += 1;
                if index[d] < shape[d] {
                    break;
                }
                index[d] = 0;
            }
        }
        Self::new(shape, data)
    }

    pub fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.rank());
        let place = index.iter().zip(&self.shape).fold(0, |p, (&i, &e)| {
            assert!(i < e);
            p * e + i
        });
        self.data[place]
    }

    /// The element that broadcasts to `index` of a tensor of at least as many axes.
    pub fn stretched(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.rank()..];
        let own: Vec<usize> = own
            .iter()
            .zip(&self.shape)
            .map(|(&i, &e)| if e == 1 { 0 } else { i })
            .collect();
        self.at(&own)
    }
}

/// The shape that all broadcast to.
pub fn broadcast(shapes: &[&[usize]]) -> Vec<usize> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        for (o, &e) in out[rank - shape.len()..].iter_mut().zip(*shape) {
            assert!(*o == 1 || e == 1 || *o == e, "{shapes:?} do not broadcast");
            *o = (*o).max(e);
        }
    }
    out
}
