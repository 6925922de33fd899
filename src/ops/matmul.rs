//! Matrix products, plain and stacked.
//!
//! One product is a dense layer with the left matrix as weights; a stack is the same kernel with a leading index.

use crate::tape::{Cost, Exported, Lowering, Op, Reads, Shape, Site, Slot, Var, Vjp, shape};
use crate::{Error, Result};

/// `y[z,i,j] = sum over k of a[z,i,k] b[z,k,j]`
#[derive(Debug)]
struct Matmul;

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn shape(&self, x: &[&[usize]]) -> Result<Shape> {
        match x {
            [[z, n, k], [zb, kb, m]] if z == zb && k == kb => Ok(vec![*z, *n, *m]),
            _ => Err(Error::shape(
                "matmul",
                format!("expected [z,n,k] and [z,k,m], got {x:?}"),
            )),
        }
    }

    fn gradient<'t>(&self, at: &Vjp<'t>) -> Vec<Option<Var<'t>>> {
        let (a, b, dy) = (at.inputs[0], at.inputs[1], at.dy);
        let product = |x: Var<'t>, y: Var<'t>| dy.tape().record(Matmul, &[x, y]);
        vec![
            at.want(0, || product(dy, b.permute(&[0, 2, 1]))),
            at.want(1, || product(a.permute(&[0, 2, 1]), dy)),
        ]
    }

    fn lower(&self, l: &mut Lowering<'_>, x: &[Slot], y: Slot) -> Result<()> {
        let (a, m) = (l.input_shape(0).to_vec(), l.input_shape(1)[2]);
        super::conv_tiled::matmul(l, [a[0], a[1], a[2], m], x[0], x[1], y)
    }

    fn reads(&self, i: usize) -> Reads {
        // The left operand is repacked as weights are.
        if i == 1 { Reads::Half } else { Reads::Full }
    }

    fn makes_half(&self) -> bool {
        true
    }

    fn onnx(&self, site: &mut Site<'_>) -> Result<Exported> {
        let (a, b) = (site.plain(0), site.plain(1));
        let y = site.node("MatMul", &[&a, &b], &[]);
        Ok(site.made_plain(y))
    }

    fn cost(&self, x: &[&[usize]], y: &[usize]) -> Cost {
        Cost::new(2.0 * (shape::len(y) * x[0][2]) as f64, x, y)
    }
}

impl<'t> Var<'t> {
    /// Matrix product `[n,k] x [k,m]`, or of matrices stacked along leading axes, which broadcast.
    #[track_caller]
    pub fn matmul(self, b: Self) -> Self {
        let (sa, sb) = (self.shape(), b.shape());
        let wrong = |what: &str| Error::shape("matmul", format!("{what}: {sa:?} and {sb:?}"));
        if sa.len() < 2 || sb.len() < 2 || sa[sa.len() - 1] != sb[sb.len() - 2] {
            return self.tape.fail(wrong("expected [..,n,k] and [..,k,m]"));
        }
        if sa.len() == 2 && sb.len() == 2 {
            return b.linear(self, None);
        }
        let (matrix_a, matrix_b) = (&sa[sa.len() - 2..], &sb[sb.len() - 2..]);
        let Some(stack) = shape::broadcast(&sa[..sa.len() - 2], &sb[..sb.len() - 2]) else {
            return self.tape.fail(wrong("stacks do not broadcast"));
        };
        let z: usize = stack.iter().product();
        let stacked = |v: Var<'t>, matrix: &[usize]| {
            let full: Vec<usize> = stack.iter().chain(matrix).copied().collect();
            v.expand(&full).reshape(&[z, matrix[0], matrix[1]])
        };
        let y = self
            .tape
            .record(Matmul, &[stacked(self, matrix_a), stacked(b, matrix_b)]);
        let out: Vec<usize> = stack
            .iter()
            .chain(&[matrix_a[0], matrix_b[1]])
            .copied()
            .collect();
        y.reshape(&out)
    }
}
