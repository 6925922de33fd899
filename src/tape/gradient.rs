//! Derivatives: the adjoint ops appended to the same tape.

use super::op::DType;
use super::tape::{BAD, Id, Tape, Var};

/// Where an op is asked for its gradient.
pub struct Vjp<'t> {
    /// The op's inputs.
    pub inputs: Vec<Var<'t>>,
    /// The op's result.
    pub output: Var<'t>,
    /// Gradient of the result.
    pub dy: Var<'t>,
    /// Which inputs want one.
    pub wants: Vec<bool>,
}

impl<'t> Vjp<'t> {
    /// The gradient of input `i` if it is wanted.
    pub fn want(&self, i: usize, make: impl FnOnce() -> Var<'t>) -> Option<Var<'t>> {
        self.wants[i].then(make)
    }
}

impl Tape {
    /// d`loss`/d`v` for each variable, `loss` being a scalar. A variable that `loss` does not depend on gets zeros.
    ///
    /// The gradients are ordinary variables: they can be differentiated again.
    #[track_caller]
    pub fn gradients<'t>(&'t self, loss: Var<'t>, wrt: &[Var<'t>]) -> Vec<Var<'t>> {
        if loss.id != BAD && loss.len() != 1 {
            let what = format!("the loss must be a scalar, got {:?}", loss.shape());
            let bad = self.fail(crate::Error::shape("gradients", what));
            return vec![bad; wrt.len()];
        }
        self.pullback(&[(loss, self.full(1.0, &loss.shape()))], wrt)
    }

    /// The gradient of `sum over i of <cotangent_i, output_i>`.
    #[track_caller]
    pub fn pullback<'t>(&'t self, seeds: &[(Var<'t>, Var<'t>)], wrt: &[Var<'t>]) -> Vec<Var<'t>> {
        if seeds.iter().any(|(y, dy)| y.id == BAD || dy.id == BAD)
            || wrt.iter().any(|v| v.id == BAD)
        {
            return vec![self.var(BAD); wrt.len()];
        }
        let Some(last) = seeds.iter().map(|(y, _)| y.id).max() else {
            return wrt.iter().map(|v| self.full(0.0, &v.shape())).collect();
        };
        let reaches = self.reaches(wrt, last);
        let mut grads: Vec<Option<Var<'t>>> = vec![None; last + 1];
        for &(y, dy) in seeds {
            accumulate(&mut grads, y.id, dy);
        }
        for id in (0..=last).rev() {
            // Gradients of what is asked for are kept; others are passed on and forgotten.
            let Some(dy) = grads[id].filter(|_| reaches[id]) else {
                continue;
            };
            let node = self.nodes()[id].clone();
            if node.inputs.is_empty() {
                continue;
            }
            let wants: Vec<bool> = node.inputs.iter().map(|&i| reaches[i]).collect();
            if !wants.contains(&true) {
                continue;
            }
            let inputs = node.inputs.iter().map(|&i| self.var(i)).collect();
            let found = node.op.gradient(&Vjp {
                inputs,
                output: self.var(id),
                dy,
                wants,
            });
            assert_eq!(
                found.len(),
                node.inputs.len(),
                "{}: one gradient per input",
                node.op.name()
            );
            for (&input, gradient) in node.inputs.iter().zip(found) {
                if let Some(gradient) = gradient.filter(|_| reaches[input]) {
                    if gradient.id == BAD {
                        return vec![self.var(BAD); wrt.len()];
                    }
                    assert_eq!(
                        gradient.shape(),
                        self.nodes()[input].shape,
                        "{}: shape of a gradient",
                        node.op.name()
                    );
                    accumulate(&mut grads, input, gradient);
                }
            }
        }
        wrt.iter()
            .map(|v| {
                grads
                    .get(v.id)
                    .copied()
                    .flatten()
                    .unwrap_or_else(|| self.full(0.0, &v.shape()))
            })
            .collect()
    }

    /// Which of the nodes up to `last` depend on one of `wrt` (or are one).
    fn reaches(&self, wrt: &[Var<'_>], last: Id) -> Vec<bool> {
        let nodes = self.nodes();
        let mut reaches = vec![false; last + 1];
        for v in wrt.iter().filter(|v| v.id <= last) {
            reaches[v.id] = true;
        }
        for id in 0..=last {
            if nodes[id].dtype == DType::F32 && nodes[id].inputs.iter().any(|&i| reaches[i]) {
                reaches[id] = true;
            }
        }
        reaches
    }
}

/// Adds out of place: a gradient rule may hand one variable to two inputs.
fn accumulate<'t>(grads: &mut [Option<Var<'t>>], id: Id, gradient: Var<'t>) {
    grads[id] = Some(match grads[id] {
        Some(sum) => sum + gradient,
        None => gradient,
    });
}
