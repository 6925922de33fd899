//! Dense matrices in f64: products, factors and eigenvalues, as large as the covariance of 2048 features.

use std::num::NonZero;

/// A matrix, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Matrix {
    pub columns: usize,
    pub data: Vec<f64>,
}

/// Values that are summed side by side, so that a loop over them fills vector registers.
const LANES: usize = 4;
/// Columns of a product's factors that stay in the cache while all pairs of rows are formed.
const DEPTH: usize = 512;

impl Matrix {
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            columns,
            data: vec![0.0; rows * columns],
        }
    }

    pub fn new(columns: usize, data: Vec<f64>) -> Self {
        debug_assert!(columns > 0 && data.len().is_multiple_of(columns));
        Self { columns, data }
    }

    pub fn rows(&self) -> usize {
        self.data.len() / self.columns.max(1)
    }

    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.columns..][..self.columns]
    }

    pub fn trace(&self) -> f64 {
        (0..self.rows()).map(|i| self.row(i)[i]).sum()
    }

    pub fn transposed(&self) -> Self {
        let rows = self.rows();
        let mut out = Self::zeros(self.columns, rows);
        for (i, row) in self.data.chunks_exact(self.columns.max(1)).enumerate() {
            for (j, v) in row.iter().enumerate() {
                out.data[j * rows + i] = *v;
            }
        }
        out
    }

    /// `self otherᵀ`: the scalar products of all rows of one with all of the other. Runs on all cores; the result does
    /// not depend on their number.
    pub fn times_transposed(&self, other: &Self) -> Self {
        self.product(other, false)
    }

    /// `self selfᵀ`.
    pub fn squared(&self) -> Self {
        let mut out = self.product(self, true);
        let n = out.columns;
        for i in 0..n {
            for j in 0..i {
                out.data[j * n + i] = out.data[i * n + j];
            }
        }
        out
    }

    /// With `lower` only the entries below and about the diagonal are worth anything.
    fn product(&self, other: &Self, lower: bool) -> Self {
        let mut out = Self::zeros(self.rows(), other.rows());
        let n = out.columns;
        // Pieces are small enough that a triangle's are shared out evenly.
        let piece = 32;
        each_piece(&mut out.data, piece * n.max(1), |k, rows| {
            let first = k * piece;
            for start in (0..self.columns).step_by(DEPTH) {
                let part = start..(start + DEPTH).min(self.columns);
                for (i, pair) in rows.chunks_mut(2 * n).enumerate() {
                    let i = first + 2 * i;
                    let end = if lower { (i + 2).min(n) } else { n };
                    let above = &self.row(i)[part.clone()];
                    let below = match pair.len() > n {
                        true => &self.row(i + 1)[part.clone()],
                        false => above,
                    };
                    for j in (0..end).step_by(2) {
                        let left = &other.row(j)[part.clone()];
                        let right = match j + 1 < n {
                            true => &other.row(j + 1)[part.clone()],
                            false => left,
                        };
                        let sums = four_products([above, below], [left, right]);
                        for (row, sums) in pair.chunks_mut(n).zip(sums) {
                            let into = &mut row[j..(j + 2).min(n)];
                            into.iter_mut().zip(sums).for_each(|(v, s)| *v += s);
                        }
                    }
                }
            }
        });
        out
    }

    /// Rows f of a matrix F with `Fᵀ F = self`, for a symmetric matrix without negative eigenvalues: as many as its rank,
    /// at least one.
    /// Cholesky's factors with pivots (Higham 2002, 10.3), ended where what is left is rounding.
    pub fn factor(&self) -> Self {
        let n = self.columns;
        let mut left: Vec<f64> = (0..n).map(|i| self.row(i)[i]).collect();
        let largest = left.iter().copied().fold(0.0, f64::max);
        // Row i holds entry i of the factors found so far: their products stand in one piece.
        let mut found = vec![Vec::with_capacity(n); n];
        for _ in 0..n {
            let pivot = (0..n).fold(0, |best, i| if left[i] > left[best] { i } else { best });
            if left[pivot] <= n as f64 * f64::EPSILON * largest {
                break;
            }
            let root = left[pivot].sqrt();
            let at: Vec<f64> = found[pivot].clone();
            for (i, row) in found.iter_mut().enumerate() {
                let v = (self.row(i)[pivot] - dot(row, &at)) / root;
                row.push(v);
                left[i] -= v * v;
            }
            left[pivot] = 0.0;
        }
        match found.first().map_or(0, Vec::len) {
            0 => Self::zeros(1, n),
            rank => Self::new(rank, found.concat()).transposed(),
        }
    }

    /// Eigenvalues of a symmetric matrix, in no order: Householder's reflections to tridiagonal form, then QL steps with
    /// implicit shifts (Golub and Van Loan, 8.3).
    pub fn eigenvalues(mut self) -> Vec<f64> {
        let n = self.columns;
        let (mut diagonal, mut off) = (vec![0.0; n], vec![0.0; n]);
        let mut p = vec![0.0; n];
        for i in (1..n).rev() {
            let (above, row) = self.data.split_at_mut(i * n);
            diagonal[i] = row[i];
            let u = &mut row[..i];
            let scale = u[..i - 1].iter().map(|v| v.abs()).fold(0.0, f64::max);
            if scale == 0.0 {
                off[i] = u[i - 1];
                continue;
            }
            let length = u.iter().map(|v| v * v).sum::<f64>().sqrt();
            off[i] = if u[i - 1] >= 0.0 { -length } else { length };
            // |u|²/2 of the reflection that takes the row to its last entry
            let half = length * length - u[i - 1] * off[i];
            u[i - 1] -= off[i];
            let p = &mut p[..i];
            p.fill(0.0);
            for j in 0..i {
                let row = &above[j * n..][..j];
                p[j] += dot(row, &u[..j]) + above[j * n + j] * u[j];
                p[..j].iter_mut().zip(row).for_each(|(p, v)| *p += v * u[j]);
            }
            p.iter_mut().for_each(|v| *v /= half);
            let share = dot(u, p) / (2.0 * half);
            p.iter_mut().zip(&*u).for_each(|(p, u)| *p -= share * u);
            for j in 0..i {
                let (uj, pj) = (u[j], p[j]);
                let row = &mut above[j * n..][..=j];
                for ((v, u), p) in row.iter_mut().zip(&*u).zip(&*p) {
                    *v -= uj * p + pj * u;
                }
            }
        }
        if let Some(first) = diagonal.first_mut() {
            *first = self.data[0];
        }
        off.rotate_left(1.min(n));
        tridiagonal(&mut diagonal, &mut off);
        diagonal
    }
}

/// Hands pieces of `len` values, the last one shorter, to all cores; `work` sees a piece's number too.
pub(super) fn each_piece<T: Send>(
    values: &mut [T],
    len: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let pieces = std::sync::Mutex::new(values.chunks_mut(len.max(1)).enumerate());
    let next = || pieces.lock().unwrap_or_else(|e| e.into_inner()).next();
    let run = || {
        while let Some((k, piece)) = next() {
            work(k, piece);
        }
    };
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(run)));
        run();
    });
}

/// Scalar product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a4, b4) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a4.remainder().iter().zip(b4.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a4.zip(b4) {
        for k in 0..LANES {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The scalar products of two rows with two others, all of one length.
fn four_products(a: [&[f64]; 2], b: [&[f64]; 2]) -> [[f64; 2]; 2] {
    let mut sums = [[[0.0; LANES]; 2]; 2];
    let whole = a[0].len() / LANES * LANES;
    let lanes = |v: &'_ [f64], at: usize| -> [f64; LANES] { std::array::from_fn(|k| v[at + k]) };
    let [a, b] = [a, b].map(|rows| rows.map(|r| (&r[..whole], &r[whole..])));
    for at in (0..whole).step_by(LANES) {
        let x = a.map(|(v, _)| lanes(v, at));
        let y = b.map(|(v, _)| lanes(v, at));
        for (sums, x) in sums.iter_mut().zip(&x) {
            for (sums, y) in sums.iter_mut().zip(&y) {
                for k in 0..LANES {
                    sums[k] += x[k] * y[k];
                }
            }
        }
    }
    let rest = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    std::array::from_fn(|i| {
        std::array::from_fn(|j| sums[i][j].iter().sum::<f64>() + rest(a[i].1, b[j].1))
    })
}

/// Eigenvalues of the matrix with `d` on its diagonal and `e[i]` between i and i + 1, into `d`.
fn tridiagonal(d: &mut [f64], e: &mut [f64]) {
    let n = d.len();
    for l in 0..n {
        // Convergence is cubic; what takes more steps holds NaN, and stays so.
        for _ in 0..60 {
            let split = |m: &usize| e[*m].abs() <= f64::EPSILON * (d[*m].abs() + d[m + 1].abs());
            let m = (l..n - 1).find(split).unwrap_or(n - 1);
            if m == l {
                break;
            }
            let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
            let mut g = d[m] - d[l] + e[l] / (g + g.hypot(1.0).copysign(g));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut done = true;
            for i in (l..m).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[m] = 0.0;
                    done = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
            }
            if done {
                d[l] -= p;
                e[l] = g;
                e[m] = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::random;

    fn noise(rows: usize, columns: usize, seed: u64) -> Matrix {
        let count = (rows * columns) as u32;
        let value = |e| f64::from(random::normal(seed, 0, 0, e));
        Matrix::new(columns, (0..count).map(value).collect())
    }

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} {b}");
    }

    #[test]
    fn products_are_scalar_products() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (67, 33, 1030)] {
            let (a, b) = (noise(m, k, 1), noise(n, k, 2));
            let c = a.times_transposed(&b);
            assert_eq!((c.rows(), c.columns), (m, n));
            for i in 0..m {
                for j in 0..n {
                    let want: f64 = a.row(i).iter().zip(b.row(j)).map(|(a, b)| a * b).sum();
                    close(c.row(i)[j], want, 1e-11);
                }
            }
            let (square, plain) = (a.squared(), a.times_transposed(&a));
            for (x, y) in square.data.iter().zip(&plain.data) {
                close(*x, *y, 1e-11);
            }
        }
    }

    #[test]
    fn eigenvalues_known_and_by_invariants() {
        // The second difference has 2 - 2 cos(π k / (n + 1)).
        let n = 31;
        let mut a = Matrix::zeros(n, n);
        for i in 0..n {
            a.data[i * n + i] = 2.0;
            if i + 1 < n {
                a.data[i * n + i + 1] = -1.0;
                a.data[(i + 1) * n + i] = -1.0;
            }
        }
        let mut found = a.eigenvalues();
        found.sort_by(f64::total_cmp);
        for (k, v) in found.iter().enumerate() {
            let angle = std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64;
            close(*v, 2.0 - 2.0 * angle.cos(), 1e-13);
        }
        // Full matrices: sums of powers of the eigenvalues are traces of powers.
        for n in [1, 2, 3, 37] {
            let a = noise(n, 2 * n + 1, 7).squared();
            let squares: f64 = a.data.iter().map(|v| v * v).sum();
            let values = a.clone().eigenvalues();
            close(values.iter().sum(), a.trace(), 1e-10 * a.trace());
            let found: f64 = values.iter().map(|v| v * v).sum();
            close(found, squares, 1e-10 * squares);
            assert!(values.iter().all(|v| *v > -1e-10 * a.trace()));
        }
        assert_eq!(Matrix::zeros(3, 3).eigenvalues(), [0.0; 3]);
    }

    #[test]
    fn factors_make_the_matrix_again() {
        // Of full rank, and of rank 5.
        for (n, rank) in [(1, 1), (13, 13), (17, 5)] {
            let a = noise(rank, n, 3).transposed().squared();
            let f = a.factor();
            assert_eq!((f.rows(), f.columns), (rank, n));
            let again = f.transposed().squared();
            for (x, y) in a.data.iter().zip(&again.data) {
                close(*x, *y, 1e-12 * a.trace());
            }
        }
    }
}
