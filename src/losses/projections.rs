//! Observables of showers on the tape, for losses and critics: profiles and a count of hits that has a slope.

use crate::Error;
use crate::tape::Var;

/// What the cells of showers sum to, all of a batch at once. What is not asked for is not computed.
#[derive(Clone, Copy, Debug)]
pub struct Projections<'t> {
    /// The cells that count, others 0, `[Z,X,Y,N]`.
    pub cells: Var<'t>,
    /// Energy per layer, `[Z,N]`.
    pub z: Var<'t>,
    /// Energy per row, `[X,N]`.
    pub x: Var<'t>,
    /// Energy per column, `[Y,N]`.
    pub y: Var<'t>,
    /// Hits per layer, `[Z,N]`.
    pub hits: Var<'t>,
    /// Energy of each cell summed over the batch, `[Z,X,Y]`.
    pub summed: Var<'t>,
}

impl<'t> Projections<'t> {
    /// Of `showers` `[Z,X,Y,N]`: cells that are positive and not below `threshold`, of any shape that broadcasts, count.
    #[track_caller]
    pub fn of(showers: Var<'t>, threshold: Var<'t>) -> Self {
        let shape = showers.shape();
        if shape.len() != 4 {
            let what = format!("expected [Z,X,Y,N], got {shape:?}");
            let bad = showers.tape().fail(Error::shape("projections", what));
            return Self {
                cells: bad,
                z: bad,
                x: bad,
                y: bad,
                hits: bad,
                summed: bad,
            };
        }
        let below = threshold.expand(&shape).greater(showers);
        let cells = showers.relu() * (1.0 - below);
        Self {
            cells,
            z: layer_profile(cells),
            x: cells.sum(&[0, 2]),
            y: cells.sum(&[0, 1]),
            hits: cells.step().sum(&[1, 2]),
            summed: cells.sum(&[3]),
        }
    }
}

/// Sums over groups of the cells of images, `[H,W,N]` to `[groups,N]`. `group` says to which group cell (i, j) belongs; a
/// cell of a group that there is not is left out.
#[track_caller]
pub fn group_sums<'t>(x: Var<'t>, groups: usize, group: impl Fn(usize, usize) -> usize) -> Var<'t> {
    let shape = x.shape();
    let [h, w, _] = shape[..] else {
        let what = format!("expected [H,W,N], got {shape:?}");
        return x.tape().fail(Error::shape("group_sums", what));
    };
    let mut member = vec![0.0; groups * h * w];
    for cell in 0..h * w {
        let group = group(cell / w, cell % w);
        if group < groups {
            member[group * h * w + cell] = 1.0;
        }
    }
    let member = x.tape().constant(&member, &[groups, h * w]);
    x.flatten().linear(member, None)
}

/// Energy in rings about the centre ((H-1)/2, (W-1)/2), `[H,W,N]` to `[rings,N]`: ring k holds the cells with k ≤ r < k+1,
/// r in cells. Cells beyond the last ring are left out.
#[track_caller]
pub fn radial_profile(x: Var<'_>, rings: usize) -> Var<'_> {
    let (h, w) = (x.extent(0), x.extent(1));
    // Twice the distance is the root of a whole number.
    let twice = |c: usize, n: usize| (2 * c).abs_diff(n - 1);
    group_sums(x, rings, |i, j| {
        (twice(i, h).pow(2) + twice(j, w).pow(2)).isqrt() / 2
    })
}

/// Energy of each layer, `[Z,X,Y,N]` to `[Z,N]`.
#[track_caller]
pub fn layer_profile(x: Var<'_>) -> Var<'_> {
    x.sum(&[1, 2])
}

/// A smooth number of cells above `threshold`, `[..,N]` to `[N]`: the sum of `sigmoid((x - threshold) / width)`.
#[track_caller]
pub fn soft_occupancy(x: Var<'_>, threshold: f32, width: f32) -> Var<'_> {
    ((x - threshold) * (1.0 / width))
        .sigmoid()
        .flatten()
        .sum(&[0])
}
