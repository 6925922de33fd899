use crate::common::{Nd, Row, evaluate};

struct Spec {
    name: &'static str,
    shape: [usize; 5],
    kernel: [usize; 3],
    stride: [usize; 3],
    padding: [usize; 3],
}

const SPECS: [Spec; 4] = [
    Spec {
        name: "uneven",
        shape: [2, 3, 5, 7, 3],
        kernel: [2, 3, 4],
        stride: [1, 2, 3],
        padding: [1, 2, 1],
    },
    Spec {
        name: "overlapping",
        shape: [1, 5, 7, 3, 11],
        kernel: [3, 5, 2],
        stride: [2, 1, 1],
        padding: [0, 1, 0],
    },
    // Cells 2..4 along D, the last along H and the last two along W are in no window.
    Spec {
        name: "unused",
        shape: [3, 5, 5, 11, 2],
        kernel: [2, 1, 3],
        stride: [4, 3, 3],
        padding: [0; 3],
    },
    Spec {
        name: "ones",
        shape: [1; 5],
        kernel: [1; 3],
        stride: [1; 3],
        padding: [0; 3],
    },
];

impl Spec {
    /// Coordinates of the cells of window `o`, those of the padding too.
    fn cells(&self, o: &[usize]) -> Vec<[isize; 5]> {
        let mut cells = Vec::new();
        for a in 0..self.kernel[0] {
            for b in 0..self.kernel[1] {
                for c in 0..self.kernel[2] {
                    let tap = [a, b, c];
                    let at = |i: usize| {
                        (o[i + 1] * self.stride[i] + tap[i]) as isize - self.padding[i] as isize
                    };
                    cells.push([o[0] as isize, at(0), at(1), at(2), o[4] as isize]);
                }
            }
        }
        cells
    }

    fn pooled(&self) -> [usize; 5] {
        let mut shape = self.shape;
        for i in 0..3 {
            shape[i + 1] =
                (shape[i + 1] + 2 * self.padding[i] - self.kernel[i]) / self.stride[i] + 1;
        }
        shape
    }

    fn inside(&self, at: &[isize; 5]) -> bool {
        (0..5).all(|d| at[d] >= 0 && (at[d] as usize) < self.shape[d])
    }

    fn average(&self, x: &Nd, count_include_pad: bool) -> Nd {
        Nd::build(&self.pooled(), |o| {
            let cells = self.cells(o);
            let sum: f64 = cells.iter().map(|at| x.get(at)).sum();
            let count = cells
                .iter()
                .filter(|at| count_include_pad || self.inside(at))
                .count();
            sum / count as f64
        })
    }

    fn largest(&self, x: &Nd) -> Nd {
        Nd::build(&self.pooled(), |o| {
            let cells = self.cells(o);
            let inside = cells.iter().filter(|at| self.inside(at));
            inside.map(|at| x.get(at)).fold(f64::NEG_INFINITY, f64::max)
        })
    }

    fn row<'a>(&self, name: &'a str, inputs: &'a [&'a [usize]]) -> Row<'a> {
        Row {
            name,
            inputs,
            terms: self.kernel.iter().product(),
        }
    }
}

#[test]
fn avg_pool3d() {
    for s in &SPECS {
        for with_padding in [true, false] {
            let name = format!("avg_pool3d {} {with_padding}", s.name);
            s.row(&name, &[&s.shape]).check(
                |v| v[0].avg_pool3d(s.kernel, s.stride, s.padding, with_padding),
                |x| s.average(&x[0], with_padding),
            );
        }
        let name = format!("avg_pool3d of squares {}", s.name);
        s.row(&name, &[&s.shape]).check_second(
            |v| {
                v[0].square()
                    .avg_pool3d(s.kernel, s.stride, s.padding, true)
            },
            |x| s.average(&x[0].map(|v| v * v), true),
        );
    }
}

#[test]
fn max_pool3d() {
    for s in &SPECS {
        let name = format!("max_pool3d {}", s.name);
        s.row(&name, &[&s.shape]).check(
            |v| v[0].max_pool3d(s.kernel, s.stride, s.padding),
            |x| s.largest(&x[0]),
        );
    }
    // At most 64 elements, so that the steps of the second difference meet no tie.
    let s = Spec {
        name: "max_pool3d, squared",
        shape: [1, 2, 5, 3, 2],
        kernel: [2, 3, 2],
        stride: [1, 1, 2],
        padding: [1, 0, 1],
    };
    s.row(s.name, &[&s.shape]).check_second(
        |v| v[0].max_pool3d(s.kernel, s.stride, s.padding).square(),
        |x| s.largest(&x[0]).map(|v| v * v),
    );
}

#[test]
fn pools_of_images() {
    let flat = |x: &Nd| x.reshape(&[x.shape[0], 1, x.shape[1], x.shape[2], x.shape[3]]);
    let s = Spec {
        name: "image",
        shape: [2, 1, 5, 7, 3],
        kernel: [1, 3, 2],
        stride: [1, 2, 3],
        padding: [0, 1, 0],
    };
    let [c, _, h, w, n] = s.pooled();
    s.row("avg_pool2d", &[&[2, 5, 7, 3]]).check(
        |v| v[0].avg_pool2d([3, 2], [2, 3], [1, 0], false),
        |x| s.average(&flat(&x[0]), false).reshape(&[c, h, w, n]),
    );
    s.row("max_pool2d", &[&[2, 5, 7, 3]]).check(
        |v| v[0].max_pool2d([3, 2], [2, 3], [1, 0]),
        |x| s.largest(&flat(&x[0])).reshape(&[c, h, w, n]),
    );
}

#[test]
fn upsample_nearest() {
    let repeat = |x: &Nd, scale: [usize; 3]| {
        let mut shape = x.shape.clone();
        (0..3).for_each(|i| shape[i + 1] *= scale[i]);
        Nd::build(&shape, |o| {
            x.at(&[
                o[0],
                o[1] / scale[0],
                o[2] / scale[1],
                o[3] / scale[2],
                o[4],
            ])
        })
    };
    for scale in [[2, 3, 5], [1, 1, 1]] {
        Row {
            name: &format!("upsample_nearest3d {scale:?}"),
            inputs: &[&[2, 3, 1, 2, 7]],
            terms: 30,
        }
        .check(|v| v[0].upsample_nearest3d(scale), |x| repeat(&x[0], scale));
    }
    Row {
        name: "upsample_nearest2d",
        inputs: &[&[3, 2, 5, 2]],
        terms: 6,
    }
    .check(
        |v| v[0].upsample_nearest2d([2, 3]),
        |x| repeat(&x[0].reshape(&[3, 1, 2, 5, 2]), [1, 2, 3]).reshape(&[3, 4, 15, 2]),
    );
}

/// As PyTorch: the first of equal cells has the gradient, and padding never wins.
#[test]
fn max_pool_by_hand() {
    let x = Nd::new(&[1, 1, 1, 4, 1], vec![-3.0, -3.0, 2.0, 2.0]);
    let got = evaluate(&[x], |t, v| {
        let y = v[0].max_pool3d([1, 1, 2], [1, 1, 2], [0, 0, 1]);
        vec![y, t.gradients(y.sum_all(), v)[0]]
    });
    assert_eq!(got[0], [-3.0, 2.0, 2.0]);
    assert_eq!(got[1], [1.0, 0.0, 1.0, 1.0]);
    let x = Nd::new(&[1, 1, 1, 4, 1], vec![5.0, 5.0, 5.0, 1.0]);
    let got = evaluate(&[x], |t, v| {
        let y = v[0].max_pool3d([1, 1, 3], [1, 1, 1], [0; 3]);
        vec![t.gradients(y.sum_all(), v)[0]]
    });
    assert_eq!(got[0], [1.0, 1.0, 0.0, 0.0]);
    // NaN wins wherever it stands.
    let x = Nd::new(
        &[1, 1, 1, 6, 1],
        vec![f64::NAN, 5.0, 1.0, f64::NAN, 7.0, 8.0],
    );
    let got = evaluate(&[x], |_, v| {
        vec![v[0].max_pool3d([1, 1, 2], [1, 1, 2], [0; 3])]
    });
    assert!(got[0][0].is_nan() && got[0][1].is_nan(), "{:?}", got[0]);
    assert_eq!(got[0][2], 8.0);
}

#[test]
fn what_does_not_fit_is_named() {
    let tape = calogen::tape::Tape::new();
    let x = tape.input("x", &[2, 3, 5, 7, 2]);
    let _ = x.avg_pool3d([4, 1, 1], [1; 3], [0; 3], true).exp();
    let message = tape.check().unwrap_err().to_string();
    assert!(
        message.contains("avg_pool3d") && message.contains("[2, 3, 5, 7, 2]"),
        "{message}"
    );
    let _ = x.max_pool2d([1; 2], [1; 2], [0; 2]);
    let message = tape.check().unwrap_err().to_string();
    assert!(
        message.contains("max_pool2d: wants axes [C, H, W, N]"),
        "{message}"
    );
}
