//! Shapes: extents of contiguous tensors, the last axis fastest.

/// The extents of a tensor. An empty shape is a scalar.
pub type Shape = Vec<usize>;

/// Elements and extents beyond this are refused: kernels count them in 32 bits.
const MOST: usize = u32::MAX as usize;

/// Number of elements; the largest number there is if it is larger.
pub fn len(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n, &extent| n.saturating_mul(extent))
}

/// Whether kernels can address a tensor of this shape.
pub fn addressable(shape: &[usize]) -> bool {
    len(shape) <= MOST && shape.iter().all(|&extent| extent <= MOST)
}

/// The shape both broadcast to after NumPy's rules: aligned at the last axis, an extent of 1 stretches.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Shape> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| {
        if i + s.len() < rank {
            1
        } else {
            s[i + s.len() - rank]
        }
    };
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// Element strides of a tensor of shape `shape` read as if it had shape `target` (0 along stretched axes).
pub fn strides_in(shape: &[usize], target: &[usize]) -> Vec<usize> {
    let lead = target.len() - shape.len();
    let mut strides = vec![0; target.len()];
    let mut step = 1;
    for i in (0..shape.len()).rev() {
        if shape[i] != 1 {
            strides[lead + i] = step;
        }
        step *= shape[i];
    }
    strides
}

/// The axes of `domain`, each with the stride along it of every input, which broadcasts to `domain`.
pub fn axes(domain: &[usize], inputs: &[Shape]) -> Vec<(usize, Vec<usize>)> {
    let strides: Vec<Vec<usize>> = inputs.iter().map(|s| strides_in(s, domain)).collect();
    let axis = |(d, &extent): (usize, &usize)| (extent, strides.iter().map(|s| s[d]).collect());
    domain.iter().enumerate().map(axis).collect()
}

/// Merges neighbouring axes that every operand walks through without a jump, and drops axes of extent 1.
///
/// Each axis is an extent with one stride per operand; the order of axes is kept.
pub fn collapse(axes: &[(usize, Vec<usize>)]) -> Vec<(usize, Vec<usize>)> {
    let mut out: Vec<(usize, Vec<usize>)> = Vec::new();
    for (extent, strides) in axes.iter().filter(|(extent, _)| *extent != 1) {
        if let Some((last, outer)) = out.last_mut()
            && outer.iter().zip(strides).all(|(o, s)| *o == s * extent)
        {
            *last *= extent;
            outer.clone_from(strides);
            continue;
        }
        out.push((*extent, strides.clone()));
    }
    out
}

/// Splits a shape around `axis` into (outer, extent, inner) element counts.
pub fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (len(&shape[..axis]), shape[axis], len(&shape[axis + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        assert_eq!(broadcast(&[3, 1, 5], &[4, 1]), Some(vec![3, 4, 5]));
        assert_eq!(broadcast(&[], &[2]), Some(vec![2]));
        assert_eq!(broadcast(&[2], &[3]), None);
        assert_eq!(strides_in(&[4, 1], &[3, 4, 5]), vec![0, 1, 0]);
    }

    #[test]
    fn collapsing_keeps_jumps() {
        let axes = [(2, vec![15, 0]), (3, vec![5, 5]), (5, vec![1, 1])];
        assert_eq!(collapse(&axes), vec![(2, vec![15, 0]), (15, vec![1, 1])]);
    }
}
