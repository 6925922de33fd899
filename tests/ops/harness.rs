//! The harness must be able to fail: ops that are wrong in one way each.

use calogen::Result;
use calogen::gpu::{Field, Kernel, Params, Scalar, read, write};
use calogen::tape::{Lowering, Op, Shape, Slot, Var, Vjp};

use crate::common::{Nd, POISON, Row, run_planned};

const ROW: &[&[usize]] = &[&[3, 5]];

fn double(x: &[Nd]) -> Nd {
    x[0].map(|v| v + v)
}

#[test]
fn a_right_op_passes() {
    let row = |name| Row {
        name,
        inputs: ROW,
        terms: 1,
    };
    row("right").check(|v| v[0] + v[0], double);
    row("right_value").check_value(
        |v| v[0].greater(-v[0]),
        |x| x[0].map(|v| f64::from(v > 0.0)),
    );
    let cube = |x: &[Nd]| x[0].map(|v| v * v * v);
    row("right_second").check_second(|v| v[0] * v[0] * v[0], cube);
}

#[test]
#[should_panic(expected = "wrong_value y[")]
fn a_wrong_value_is_caught() {
    Row {
        name: "wrong_value",
        inputs: ROW,
        terms: 1,
    }
    .check(|v| v[0] * 2.00001, double);
}

#[test]
#[should_panic(expected = "wrong_gradient d0[0]")]
fn a_wrong_gradient_is_caught() {
    Row {
        name: "wrong_gradient",
        inputs: ROW,
        terms: 1,
    }
    .check(|v| v[0] + v[0].detach(), double);
}

/// One element of 3000, most likely none of those that are differenced one by one.
#[test]
#[should_panic(expected = "one_wrong d0 ")]
fn one_wrong_gradient_among_many_is_caught() {
    let n = 3000;
    let only = |k: usize| {
        let mut mask = vec![0.0; n];
        mask[k] = 1.0;
        mask
    };
    Row {
        name: "one_wrong",
        inputs: &[&[n]],
        terms: 1,
    }
    .check(
        |v| {
            let mask = v[0].tape().constant(&only(1234), &[n]);
            mask.select(v[0].detach(), v[0])
        },
        |x| x[0].clone(),
    );
}

#[test]
#[should_panic(expected = "wrong_second dd0[")]
fn a_wrong_second_derivative_is_caught() {
    Row {
        name: "wrong_second",
        inputs: ROW,
        terms: 1,
    }
    .check_second(
        // Right to first order: d(x detach(2x)) = 2x dx, but that is not differentiated again.
        |v| v[0] * (v[0] * 2.0).detach() - v[0].detach().square(),
        |x| x[0].map(|v| v * v),
    );
}

#[test]
#[should_panic(expected = "shape (left: device, right: oracle)")]
fn a_wrong_shape_is_caught() {
    Row {
        name: "wrong_shape",
        inputs: ROW,
        terms: 1,
    }
    .check(|v| v[0].permute(&[1, 0]), double);
}

#[test]
#[should_panic(expected = "got NaN")]
fn a_nan_is_caught() {
    Row {
        name: "nan",
        inputs: ROW,
        terms: 1,
    }
    .check(|v| v[0].abs().affine(-1.0, 0.0).log(), |x| x[0].clone());
}

#[test]
#[should_panic(expected = "unwritten y[14]: got NaN")]
fn an_unwritten_output_is_caught() {
    Row {
        name: "unwritten",
        inputs: ROW,
        terms: 1,
    }
    .check_value(
        |v| v[0].tape().record(Careless { beyond: 0 }, &[v[0]]),
        // The forgotten element is 0 in the definition, as fresh memory would be.
        |x| Nd::build(&x[0].shape, |at| if at == [2, 4] { 0.0 } else { 1.0 }),
    );
}

/// The one access outside a buffer that `tools/check_bounds.sh` must see; a driver may do anything with it.
#[test]
#[ignore = "reaches outside its buffers"]
fn an_access_outside_is_seen() {
    run_planned(&[&Nd::build(&[3, 5], |_| 1.0)], POISON, |v| {
        v[0].tape().record(Careless { beyond: 40 }, &[v[0]])
    });
}

/// A kernel that leaves the last element of what it counts, and counts some beyond those that there are.
#[derive(Debug)]
struct Careless {
    beyond: u32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct CarelessParams {
    count: u32,
}

impl Params for CarelessParams {
    const NAME: &'static str = "CarelessParams";
    const FIELDS: &'static [Field] = &[Field {
        name: "count",
        scalar: Scalar::U32,
    }];
}

static CARELESS: Kernel = Kernel::new::<CarelessParams>(
    "careless.wgsl",
    "struct CarelessParams { count: u32 }
     @group(0) @binding(0) var<uniform> p: CarelessParams;
     @group(0) @binding(1) var<storage, read> x: array<f32>;
     @group(0) @binding(2) var<storage, read_write> y: array<f32>;
     @compute @workgroup_size(64)
     fn careless(@builtin(global_invocation_id) id: vec3<u32>) {
         if id.x + 1u < p.count { y[id.x] = select(0.0, 1.0, x[id.x] < 2.0); }
     }",
    "careless",
    &[read(1, "x"), write(2, "y")],
);

impl Op for Careless {
    fn name(&self) -> &'static str {
        "careless"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        Ok(x[0].to_vec())
    }

    fn gradient<'t>(&self, _: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        vec![None]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let count = l.input_shape(0).iter().product::<usize>() as u32 + self.beyond;
        l.dispatch(
            &CARELESS,
            &CarelessParams { count },
            &[],
            &[x[0], y],
            [1, 1, 1],
        )
    }
}
