//! What refinements measure of an image.

use crate::tape::Var;

/// Row and column of the brightest cell of images `[1,X,Y,N]`, `[2,N]`; the mean of several.
pub(super) fn brightest(images: Var<'_>) -> Var<'_> {
    let (tape, axes) = (images.tape(), [0, 1, 2]);
    let top = images.equal(images.max_keep(&axes).expand(&images.shape()));
    let place = |axis: usize| {
        let extent = images.extent(axis);
        let numbers: Vec<f32> = (0..extent).map(|i| i as f32).collect();
        let mut shape = [1; 4];
        shape[axis] = extent;
        let sum = (top * tape.constant(&numbers, &shape)).sum_keep(&axes);
        (sum / top.sum_keep(&axes)).reshape(&[1, images.extent(3)])
    };
    Var::concat(&[place(1), place(2)], 0)
}

/// Sums of images `[1,X,Y,N]` over the cells of each of the five photomultipliers, `[5,N]`.
pub(super) fn channel_sums(images: Var<'_>) -> Var<'_> {
    let (x, y) = (images.extent(1), images.extent(2));
    let cells = images.tape().constant(&channels(x, y), &[5, x * y]);
    cells.matmul(images.flatten())
}

/// Which of the five photomultipliers reads a cell, `[5, X Y]`: one all fibres with odd i + j, the others those of a quarter.
fn channels(x: usize, y: usize) -> Vec<f32> {
    let of = |i: usize, j: usize| match (i + j) % 2 {
        1 => 0,
        _ => 1 + 2 * usize::from(i >= x / 2) + usize::from(j >= y / 2),
    };
    (0..5)
        .flat_map(|c| (0..x * y).map(move |k| f32::from(u8::from(of(k / y, k % y) == c))))
        .collect()
}
