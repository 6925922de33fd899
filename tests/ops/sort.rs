use calogen::tape::Tape;

use crate::common::{Nd, POISON, Row, gpu};

/// Places of the elements along `axis`, largest first, ties in their order.
fn order(x: &Nd, axis: usize) -> Nd {
    let mut first = x.shape.clone();
    first[axis] = 1;
    let mut out = Nd::zeros(&x.shape);
    Nd::zeros(&first).each(|at, _| {
        let place = |q: usize| {
            let mut at = at.to_vec();
            at[axis] = q;
            at
        };
        let mut places: Vec<usize> = (0..x.shape[axis]).collect();
        let value = |q: usize| x.at(&place(q));
        places.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
        for (q, &from) in places.iter().enumerate() {
            *out.at_mut(&place(q)) = from as f64;
        }
    });
    out
}

fn sorted(x: &Nd, axis: usize) -> Nd {
    let order = order(x, axis);
    Nd::build(&x.shape, |at| {
        let mut from = at.to_vec();
        from[axis] = order.at(at) as usize;
        x.at(&from)
    })
}

#[test]
fn sort_descending() {
    let rows: [(&[usize], usize); 7] = [
        (&[2, 7, 3], 1),
        (&[3, 8], 0),
        (&[2, 3, 10], 2),
        (&[1, 1, 1], 1),
        (&[33, 1], 0),
        (&[33, 5], 0),
        (&[2, 130], 1),
    ];
    for (shape, axis) in rows {
        let name = format!("sort_descending {shape:?} {axis}");
        let row = Row {
            name: &name,
            inputs: &[shape],
            terms: 1,
        };
        row.check(|v| v[0].sort_descending(axis).0, |x| sorted(&x[0], axis));
        // Among more elements the steps of the second difference would meet ties.
        if shape.iter().product::<usize>() > 64 {
            continue;
        }
        row.check_second(
            |v| v[0].sort_descending(axis).0.square(),
            |x| sorted(&x[0], axis).map(|v| v * v),
        );
    }
}

fn argsort(x: &[f32], shape: &[usize], axis: usize) -> Vec<u32> {
    let tape = Tape::new();
    let index = tape.input("x", shape).argsort_descending(axis);
    let program = tape.compile(gpu(), &[("index", index)], POISON).unwrap();
    program.set("x", x).unwrap();
    program.run().unwrap();
    program.read_u32("index").unwrap()
}

#[test]
fn ties_keep_their_order() {
    let inf = f32::INFINITY;
    let x = [
        1.0,
        3.0,
        -0.0,
        3.0,
        0.0,
        -inf,
        inf,
        -2.0,
        3.0,
        f32::NAN,
        -f32::MAX,
    ];
    let want = [9, 6, 1, 3, 8, 0, 2, 4, 7, 10, 5];
    assert_eq!(argsort(&x, &[11], 0), want);
}

/// Every number of merges and of levels in the last of them, with many equal elements.
#[test]
fn long_axes() {
    for extent in [15, 16, 17, 64, 100, 257, 1000, 3001] {
        let x = Nd::random(&[extent, 3], extent as u64).map(|v| (v * 40.0).round());
        let got = argsort(&x.f32(), &x.shape, 0);
        // Zeros of either sign are equal.
        let want = order(&x.map(|v| v + 0.0), 0);
        let want: Vec<u32> = want.data.iter().map(|&v| v as u32).collect();
        assert_eq!(got, want, "{extent}");
    }
}
