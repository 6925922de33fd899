//! Images in other sizes, as PyTorch's `interpolate` makes them.

/// Rows and columns to which a summed shower is brought first, by [`nearest`], as the published script does.
pub const FIRST_SIZE: usize = 64;

/// An image `from` (rows, columns) in `to`, each pixel that of its place rounded down: mode `nearest`.
pub fn nearest(image: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let place = |k: usize, i: usize| (i * from[k] / to[k]).min(from[k] - 1);
    let rows = (0..to[0]).map(|i| place(0, i));
    rows.flat_map(|i| (0..to[1]).map(move |j| image[i * from[1] + place(1, j)]))
        .collect()
}

/// An image `from` (rows, columns) in `to`, linear between the centres of pixels along each axis and constant beyond them: mode
/// `bilinear` without aligned corners.
pub fn bilinear(image: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let places = |k: usize| -> Vec<(usize, usize, f32)> {
        let scale = from[k] as f64 / to[k] as f64;
        let place = |i: usize| {
            let at = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
            let first = (at as usize).min(from[k] - 1);
            (
                first,
                (first + 1).min(from[k] - 1),
                (at - first as f64) as f32,
            )
        };
        (0..to[k]).map(place).collect()
    };
    let columns = places(1);
    let mut out = Vec::with_capacity(to[0] * to[1]);
    for (i0, i1, down) in places(0) {
        let (above, below) = (&image[i0 * from[1]..], &image[i1 * from[1]..]);
        out.extend(columns.iter().map(|&(j0, j1, right)| {
            let row = |row: &[f32]| row[j0] + (row[j1] - row[j0]) * right;
            row(above) + (row(below) - row(above)) * down
        }));
    }
    out
}
