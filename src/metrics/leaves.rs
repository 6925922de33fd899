//! The numbers of a structure in a fixed order, so that errors of all of them have one form and one computation.

use std::num::NonZero;

use crate::observables::Bootstrap;

/// Visits every number of a structure. A number that is not defined is NaN.
pub(super) trait Leaves {
    fn visit(&mut self, f: &mut dyn FnMut(&mut f64));
}

impl Leaves for f64 {
    fn visit(&mut self, f: &mut dyn FnMut(&mut f64)) {
        f(self);
    }
}

impl Leaves for Option<f64> {
    fn visit(&mut self, f: &mut dyn FnMut(&mut f64)) {
        let mut value = self.unwrap_or(f64::NAN);
        f(&mut value);
        *self = value.is_finite().then_some(value);
    }
}

impl<T: Leaves> Leaves for Vec<T> {
    fn visit(&mut self, f: &mut dyn FnMut(&mut f64)) {
        self.iter_mut().for_each(|item| item.visit(f));
    }
}

/// The fields of a structure that are numbers, or made of them; those after `optional` may be absent as a whole.
macro_rules! leaves {
    ($name:ident: $($field:ident),+ $(; optional $($maybe:ident),+)?) => {
        impl $crate::metrics::leaves::Leaves for $name {
            fn visit(&mut self, f: &mut dyn FnMut(&mut f64)) {
                $(self.$field.visit(f);)+
                $($(self.$maybe.iter_mut().for_each(|part| part.visit(f));)+)?
            }
        }
    };
}
pub(super) use leaves;

/// The standard deviation of every number of `of` over replicas, each made by `replica` from its number, 1 and up; `None`
/// with fewer than two replicas. The replicas are computed on all cores.
pub(super) fn errors<T: Leaves + Clone + Send>(
    of: &T,
    bootstrap: Bootstrap,
    replica: impl Fn(usize) -> T + Sync,
) -> Option<T> {
    if bootstrap.replicas < 2 {
        return None;
    }
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let each = bootstrap.replicas.div_ceil(threads);
    let replica = &replica;
    let mut replicas: Vec<T> = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|k| {
                let part = each * k + 1..=(each * (k + 1)).min(bootstrap.replicas);
                scope.spawn(move || part.map(replica).collect::<Vec<_>>())
            })
            .collect();
        let joined = parts.into_iter().flat_map(|part| {
            part.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect()
    });
    Some(spread(of, &mut replicas))
}

/// The standard deviation of every number over replicas, in the form of `of`; NaN or absent where `of` has no number, or
/// fewer than two replicas have.
fn spread<T: Leaves + Clone>(of: &T, replicas: &mut [T]) -> T {
    let mut spread = of.clone();
    let mut numbers = Vec::new();
    spread.visit(&mut |v| numbers.push(Running::of(*v)));
    for replica in replicas {
        let mut all = numbers.iter_mut();
        replica.visit(&mut |v| all.next().into_iter().for_each(|number| number.add(*v)));
    }
    let mut all = numbers.iter();
    spread.visit(&mut |v| *v = all.next().map_or(f64::NAN, Running::deviation));
    spread
}

/// Mean and squares of the values so far.
struct Running {
    defined: bool,
    n: f64,
    mean: f64,
    squares: f64,
}

impl Running {
    fn of(figure: f64) -> Self {
        Self {
            defined: figure.is_finite(),
            n: 0.0,
            mean: 0.0,
            squares: 0.0,
        }
    }

    fn add(&mut self, value: f64) {
        if value.is_finite() {
            let off = value - self.mean;
            self.n += 1.0;
            self.mean += off / self.n;
            self.squares += off * (value - self.mean);
        }
    }

    fn deviation(&self) -> f64 {
        if self.defined && self.n > 1.0 {
            (self.squares / (self.n - 1.0)).sqrt()
        } else {
            f64::NAN
        }
    }
}
