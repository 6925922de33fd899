//! Matrix products, plain and stacked.

use calogen::tape::{Tape, Var};

use crate::common::{Nd, POISON, Row, gpu};

/// The product of the last two axes, the leading ones broadcast.
pub fn matmul(a: &Nd, b: &Nd) -> Nd {
    let (ra, rb) = (a.shape.len(), b.shape.len());
    let (n, k, m) = (a.shape[ra - 2], a.shape[ra - 1], b.shape[rb - 1]);
    // As a broadcast product [.., n, k, 1] x [.., 1, k, m], summed over k.
    let lead = |s: &[usize], tail: [usize; 3]| [&s[..s.len() - 2], &tail].concat();
    let a = a.reshape(&lead(&a.shape, [n, k, 1]));
    let b = b.reshape(&lead(&b.shape, [1, k, m]));
    let all = a.zip(&b, |a, b| a * b);
    let axis = all.shape.len() - 2;
    let sum = all.sum(&[axis]);
    let mut shape = sum.shape.clone();
    shape.remove(axis);
    sum.reshape(&shape)
}

#[test]
fn products() {
    let cases: &[(&[usize], &[usize])] = &[
        (&[1, 1], &[1, 1]),
        (&[3, 5], &[5, 7]),
        (&[1, 17], &[17, 33]),
        (&[33, 4], &[4, 1]),
        (&[16, 16], &[16, 16]),
        (&[17, 40], &[40, 20]),
        (&[5, 130], &[130, 8]),
        (&[2, 3, 5], &[2, 5, 7]),
        (&[4, 17, 9], &[4, 9, 3]),
        (&[2, 3, 4, 5], &[2, 3, 5, 2]),
        // One side is stretched.
        (&[3, 4, 5], &[5, 2]),
        (&[4, 5], &[3, 5, 2]),
        (&[3, 4, 5], &[1, 5, 2]),
        (&[2, 1, 4, 5], &[3, 5, 2]),
    ];
    for (a, b) in cases {
        let name = format!("matmul {a:?} {b:?}");
        // Gradients of a stretched side add up over the stack.
        let stack: usize = a[..a.len() - 2].iter().chain(&b[..b.len() - 2]).product();
        let longest = *a.iter().chain(*b).max().unwrap();
        Row {
            name: &name,
            inputs: &[a, b],
            terms: longest * stack,
        }
        .check(|v| v[0].matmul(v[1]), |x| matmul(&x[0], &x[1]));
    }
}

#[test]
fn second_order() {
    for (a, b) in [(&[3, 4][..], &[4, 2][..]), (&[2, 3, 4], &[4, 2])] {
        let name = format!("matmul {a:?} {b:?}");
        Row {
            name: &name,
            inputs: &[a, b],
            terms: 60,
        }
        .check_second(
            |v| v[0].matmul(v[1]).tanh(),
            |x| matmul(&x[0], &x[1]).map(f64::tanh),
        );
    }
}

#[test]
fn errors_name_op_shapes_and_place() {
    type Wrong = for<'t> fn(Var<'t>) -> Var<'t>;
    let cases: &[Wrong] = &[
        |x| x.matmul(x),
        |x| x.matmul(x.slice(0, 0, 1).reshape(&[3])),
        |x| {
            x.expand(&[2, 2, 3])
                .matmul(x.permute(&[1, 0]).expand(&[5, 3, 2]))
        },
    ];
    for f in cases {
        let tape = Tape::new();
        let y = f(tape.input("x", &[2, 3]));
        let error = tape
            .compile(gpu(), &[("y", y)], POISON)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("matmul: ") && error.contains("2, 3]"),
            "{error}"
        );
        assert!(error.contains("tests/ops/matmul.rs:"), "{error}");
    }
}
