use calogen::tape::Tape;

use crate::common::{Nd, Row, evaluate};

/// `y[o,q,i] = x[o, index[o,q,i], i]`, the index of full shape.
fn oracle(x: &Nd, index: &[u32], shape: &[usize], axis: usize) -> Nd {
    let index = Nd::new(shape, index.iter().map(|&i| f64::from(i)).collect());
    Nd::build(shape, |at| {
        let mut from = at.to_vec();
        from[axis] = index.at(at) as usize;
        x.at(&from)
    })
}

fn shared(index: &[u32], shape: &[usize], axis: usize) -> Vec<u32> {
    let inner: usize = shape[axis + 1..].iter().product();
    let count: usize = shape.iter().product();
    (0..count).map(|j| index[j / inner % shape[axis]]).collect()
}

#[test]
fn gather() {
    let (shape, picked, axis) = ([3usize, 5, 2], [3usize, 7, 2], 1);
    let index: Vec<u32> = (0..42).map(|j| (j * j + 3 * j) % 5).collect();
    let row = |name| Row {
        name,
        inputs: &[&[3, 5, 2]],
        terms: 7,
    };
    row("gather, each its own").check(
        |v| {
            let index = v[0].tape().indices(&index, &picked);
            v[0].gather(axis, index, false)
        },
        |x| oracle(&x[0], &index, &picked, axis),
    );
    row("gather, squared").check_second(
        |v| {
            let index = v[0].tape().indices(&index, &picked);
            v[0].gather(axis, index, false).square()
        },
        |x| oracle(&x[0], &index, &picked, axis).map(|v| v * v),
    );
    let list = [4, 0, 4, 1, 2, 2, 4];
    row("gather, shared").check(
        |v| {
            let index = v[0].tape().indices(&list, &[7]);
            v[0].gather(axis, index, false)
        },
        |x| oracle(&x[0], &shared(&list, &picked, axis), &picked, axis),
    );
    let order = [4, 0, 3, 1, 2];
    row("gather, permuted").check(
        |v| {
            let index = v[0].tape().indices(&order, &[5]);
            v[0].gather(axis, index, true)
        },
        |x| oracle(&x[0], &shared(&order, &shape, axis), &shape, axis),
    );
    // Unique, but not all: what is left out gets no gradient.
    let some = [3, 1];
    row("gather, some").check(
        |v| {
            let index = v[0].tape().indices(&some, &[2]);
            v[0].gather(axis, index, true)
        },
        |x| oracle(&x[0], &shared(&some, &[3, 2, 2], axis), &[3, 2, 2], axis),
    );
    Row {
        name: "gather, ones",
        inputs: &[&[1]],
        terms: 1,
    }
    .check(
        |v| v[0].gather(0, v[0].tape().indices(&[0], &[1]), false),
        |x| x[0].clone(),
    );
}

#[test]
fn scatter_add() {
    let index: Vec<u32> = (0..42).map(|j| (j * j + 3 * j) % 5).collect();
    Row {
        name: "scatter_add",
        inputs: &[&[3, 7, 2]],
        terms: 7,
    }
    .check(
        |v| {
            let index = v[0].tape().indices(&index, &[3, 7, 2]);
            v[0].scatter_add(1, index, 6, false)
        },
        |x| {
            let mut sum = Nd::zeros(&[3, 6, 2]);
            let mut index = index.iter();
            x[0].each(|at, v| {
                let e = *index.next().unwrap() as usize;
                *sum.at_mut(&[at[0], e, at[2]]) += v;
            });
            sum
        },
    );
}

#[test]
fn an_index_beyond_the_extent_gives_zero() {
    let x = Nd::new(&[3], vec![1.0, 2.0, 3.0]);
    let got = evaluate(&[x], |t, v| {
        let y = v[0].gather(0, t.indices(&[2, 3, u32::MAX, 0], &[4]), false);
        vec![y, t.gradients(y.sum_all(), v)[0]]
    });
    assert_eq!(got[0], [3.0, 0.0, 0.0, 1.0]);
    assert_eq!(got[1], [1.0, 0.0, 1.0]);
}

#[test]
fn a_wrong_index_is_named() {
    let tape = Tape::new();
    let x = tape.input("x", &[3, 5]);
    let _ = x.gather(1, tape.indices(&[0; 4], &[2, 2]), false);
    let message = tape.check().unwrap_err().to_string();
    assert!(
        message.contains("gather: along axis 1 of [3, 5]"),
        "{message}"
    );
    let _ = x.gather(1, x, false);
    let message = tape.check().unwrap_err().to_string();
    assert!(message.contains("wants integers"), "{message}");
    // A view of integers still holds integers.
    let index = tape.indices(&[0; 15], &[15]).reshape(&[3, 5]);
    let _ = x.gather(1, index, false);
    tape.check().unwrap();
}
