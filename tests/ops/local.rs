use crate::common::{Nd, Row};

pub(crate) fn oracle(x: &Nd, w: &Nd, [kh, kw]: [usize; 2], [sh, sw]: [usize; 2]) -> Nd {
    let &[channels, _, _, n] = &x.shape[..] else {
        panic!()
    };
    let (oh, ow, o) = (w.shape[0], w.shape[1], w.shape[2]);
    Nd::build(&[o, oh, ow, n], |y| {
        let mut sum = 0.0;
        for c in 0..channels {
            for a in 0..kh {
                for b in 0..kw {
                    let weight = w.at(&[y[1], y[2], y[0], (c * kh + a) * kw + b]);
                    sum += weight * x.at(&[c, y[1] * sh + a, y[2] * sw + b, y[3]]);
                }
            }
        }
        sum
    })
}

struct Spec {
    name: &'static str,
    x: [usize; 4],
    w: [usize; 4],
    kernel: [usize; 2],
    stride: [usize; 2],
}

const SPECS: [Spec; 5] = [
    Spec {
        name: "plain",
        x: [2, 5, 4, 3],
        w: [3, 3, 5, 12],
        kernel: [3, 2],
        stride: [1, 1],
    },
    // The last rows and columns of x are in no window.
    Spec {
        name: "strided",
        x: [3, 7, 11, 5],
        w: [3, 3, 2, 18],
        kernel: [2, 3],
        stride: [2, 3],
    },
    Spec {
        name: "gaps",
        x: [5, 5, 7, 2],
        w: [2, 2, 3, 5],
        kernel: [1, 1],
        stride: [3, 5],
    },
    // More rows than a lane makes, and more showers.
    Spec {
        name: "wide",
        x: [19, 3, 2, 131],
        w: [2, 1, 37, 76],
        kernel: [2, 2],
        stride: [1, 1],
    },
    Spec {
        name: "ones",
        x: [1; 4],
        w: [1; 4],
        kernel: [1; 2],
        stride: [1; 2],
    },
];

#[test]
fn locally_connected2d() {
    for s in &SPECS {
        let inputs: &[&[usize]] = &[&s.x, &s.w];
        // Of the value, of the gradient of x, of that of the weights.
        let terms = s.w[3].max(s.w[2] * s.kernel[0] * s.kernel[1]).max(s.x[3]);
        let row = |name, terms| Row {
            name,
            inputs,
            terms,
        };
        let first = format!("locally_connected2d {}", s.name);
        row(&first, terms).check(
            |v| v[0].locally_connected2d(v[1], None, s.kernel, s.stride),
            |x| oracle(&x[0], &x[1], s.kernel, s.stride),
        );
        if s.name != "wide" {
            let second = format!("locally_connected2d, squared {}", s.name);
            // Sums of sums.
            row(&second, terms * terms).check_second(
                |v| {
                    v[0].locally_connected2d(v[1], None, s.kernel, s.stride)
                        .square()
                },
                |x| oracle(&x[0], &x[1], s.kernel, s.stride).map(|v| v * v),
            );
        }
    }
}

#[test]
fn bias() {
    Row {
        name: "locally_connected2d with bias",
        inputs: &[&[2, 3, 5, 7], &[2, 3, 3, 12], &[2, 3, 3]],
        terms: 18,
    }
    .check(
        |v| v[0].locally_connected2d(v[1], Some(v[2]), [2, 3], [1, 1]),
        |x| {
            let bias = x[2].permute(&[2, 0, 1]).reshape(&[3, 2, 3, 1]);
            oracle(&x[0], &x[1], [2, 3], [1, 1]).zip(&bias, |a, b| a + b)
        },
    );
}

#[test]
fn wrong_weights_are_named() {
    let tape = calogen::tape::Tape::new();
    let (x, w) = (
        tape.input("x", &[2, 3, 5, 7]),
        tape.input("w", &[2, 4, 3, 12]),
    );
    let _ = x.locally_connected2d(w, None, [2, 3], [1, 1]);
    let message = tape.check().unwrap_err().to_string();
    let (want, got) = ("[2, 3, 3, 12]", "[2, 4, 3, 12]");
    assert!(message.contains(want) && message.contains(got), "{message}");
}
