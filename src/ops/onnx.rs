//! What several ops need to become ONNX operators: functions one by one, and the spline, which has no operator.

use super::elementwise::Function;
use super::spline::Spline;
use crate::onnx::Attribute;
use crate::tape::{Exported, Site};

/// `function` of operands that broadcast.
pub(super) fn elementwise(site: &mut Site<'_>, function: Function, x: &[String]) -> String {
    use Function::*;
    let x: Vec<&str> = x.iter().map(String::as_str).collect();
    let a = x.first().copied().unwrap_or("");
    let plain = |site: &mut Site<'_>, operator: &str| site.node(operator, &x, &[]);
    let truth = |site: &mut Site<'_>, operator: &str, b: &str| {
        let is = site.node(operator, &[a, b], &[]);
        to_float(site, &is)
    };
    match function {
        Identity => a.to_owned(),
        Constant(k) => site.graph.number(k),
        Affine(k, l) => {
            let mut y = site.scaled(a.to_owned(), k);
            if l != 0.0 {
                let l = site.graph.number(l);
                y = site.node("Add", &[&y, &l], &[]);
            }
            y
        }
        Abs => plain(site, "Abs"),
        Exp => plain(site, "Exp"),
        Log => plain(site, "Log"),
        Sqrt => plain(site, "Sqrt"),
        Square => site.node("Mul", &[a, a], &[]),
        Recip => plain(site, "Reciprocal"),
        Sigmoid => plain(site, "Sigmoid"),
        Tanh => plain(site, "Tanh"),
        Softplus => plain(site, "Softplus"),
        Sign => plain(site, "Sign"),
        Step => {
            let zero = site.graph.number(0.0);
            truth(site, "Greater", &zero)
        }
        LeakyRelu(0.0) => plain(site, "Relu"),
        LeakyRelu(k) => site.node("LeakyRelu", &[a], &[("alpha", Attribute::Float(k))]),
        LeakySlope(k) => {
            let [zero, one, slope] = [0.0, 1.0, k].map(|v| site.graph.number(v));
            let above = site.node("Greater", &[a, &zero], &[]);
            site.node("Where", &[&above, &one, &slope], &[])
        }
        Pow(k) => {
            let k = site.graph.number(k);
            site.node("Pow", &[a, &k], &[])
        }
        Clamp(k, l) => {
            let [k, l] = [k, l].map(|v| site.graph.number(v));
            site.node("Clip", &[a, &k, &l], &[])
        }
        Inside(k, l) => {
            let [k, l] = [k, l].map(|v| site.graph.number(v));
            let above = truth(site, "GreaterOrEqual", &k);
            let below = truth(site, "LessOrEqual", &l);
            site.node("Mul", &[&above, &below], &[])
        }
        Expm1 => {
            let one = site.graph.number(1.0);
            let y = site.node("Exp", &[a], &[]);
            site.node("Sub", &[&y, &one], &[])
        }
        Log1p => {
            let one = site.graph.number(1.0);
            let y = site.node("Add", &[a, &one], &[]);
            site.node("Log", &[&y], &[])
        }
        Rsqrt => {
            let root = site.node("Sqrt", &[a], &[]);
            site.node("Reciprocal", &[&root], &[])
        }
        Add => plain(site, "Add"),
        Sub => plain(site, "Sub"),
        Mul => plain(site, "Mul"),
        Div => plain(site, "Div"),
        Max => plain(site, "Max"),
        Min => plain(site, "Min"),
        Greater => truth(site, "Greater", x[1]),
        CutBelow => {
            let above = site.node("Greater", &[x[1], a], &[]);
            let below = to_float(site, &above);
            let one = site.graph.number(1.0);
            let kept = site.node("Sub", &[&one, &below], &[]);
            site.node("Mul", &[a, &kept], &[])
        }
        Equal => truth(site, "Equal", x[1]),
        SquaredDeviation => {
            let difference = plain(site, "Sub");
            site.node("Mul", &[&difference, &difference], &[])
        }
        Select => {
            let zero = site.graph.number(0.0);
            let is_zero = site.node("Equal", &[a, &zero], &[]);
            site.node("Where", &[&is_zero, x[2], x[1]], &[])
        }
    }
}

fn to_float(site: &mut Site<'_>, truth: &str) -> String {
    const FLOAT: i64 = 1;
    site.node("Cast", &[truth], &[("to", Attribute::Int(FLOAT))])
}

/// The result `[C, .., N]` of an operator that made it `[N, C, ..]`.
pub(super) fn channels_last(site: &mut Site<'_>, name: String) -> Exported {
    let last = site.shape().len() - 1;
    if site.events() == Some(last) {
        return site.made_leading(name);
    }
    let order: Vec<usize> = (1..=last).chain([0]).collect();
    let name = site.permuted(&name, &order);
    site.made_plain(name)
}

/// The spline of `spline.wgsl` from operators: value and log-determinant, `[N, 2, D]`, of x `[N, D]` with parameters
/// `[N, D, 3 bins - 1]`. Every quantity of a bin is the sum over bins of its values times 1 in the bin that holds x.
pub(super) fn spline(
    site: &mut Site<'_>,
    spline: &Spline,
    inverse: bool,
    x: &str,
    params: &str,
    bins: usize,
) -> String {
    let mut s = Builder { site, bins };
    let bound = spline.bound;
    let [widths, heights, slopes] = [(0, bins), (bins, 2 * bins), (2 * bins, 3 * bins - 1)]
        .map(|(from, to)| s.rows(params, from, to));
    let (x_low, x_high) = s.knots(&widths, spline.min_width, bound);
    let (y_low, y_high) = s.knots(&heights, spline.min_height, bound);
    let soft = s.site.node("Softplus", &[&slopes], &[]);
    let slopes = s.plus(&soft, spline.min_slope);
    let (left, right) = s.slopes_at_ends(&slopes);
    // [N, D, 1]: x, its place among the knots of its axis.
    let last = s.site.graph.list(&[-1]);
    let v = s.site.node("Unsqueeze", &[x, &last], &[]);
    let chosen = s.chosen(&v, if inverse { &y_low } else { &x_low });
    let [x0, x1, y0, y1, d0, d1] =
        [&x_low, &x_high, &y_low, &y_high, &left, &right].map(|of| s.pick(&chosen, of));
    let (w, h) = (s.two("Sub", &x1, &x0), s.two("Sub", &y1, &y0));
    let slope = s.two("Div", &h, &w);
    let ends = s.two("Add", &d0, &d1);
    let twice = s.times(&slope, 2.0);
    let q = s.two("Sub", &ends, &twice);
    let t = if inverse {
        let r = s.two("Sub", &v, &y0);
        let rq = s.two("Mul", &r, &q);
        let rest = s.two("Sub", &slope, &d0);
        let (hs, hd) = (s.two("Mul", &h, &rest), s.two("Mul", &h, &d0));
        let (a, b) = (s.two("Add", &hs, &rq), s.two("Sub", &hd, &rq));
        let sr = s.two("Mul", &slope, &r);
        // c = -s r, so -4 a c = 4 a s r and t = 2 c / (-b - root) = 2 s r / (b + root)
        let (bb, asr) = (s.two("Mul", &b, &b), s.two("Mul", &a, &sr));
        let four = s.times(&asr, 4.0);
        let inside = s.two("Add", &bb, &four);
        let zero = s.site.graph.number(0.0);
        let inside = s.two("Max", &inside, &zero);
        let root = s.site.node("Sqrt", &[&inside], &[]);
        let (above, below) = (s.times(&sr, 2.0), s.two("Add", &b, &root));
        s.two("Div", &above, &below)
    } else {
        let from = s.two("Sub", &v, &x0);
        s.two("Div", &from, &w)
    };
    let minus = s.times(&t, -1.0);
    let u = s.plus(&minus, 1.0);
    let (tt, tu, uu) = (
        s.two("Mul", &t, &t),
        s.two("Mul", &t, &u),
        s.two("Mul", &u, &u),
    );
    let qtu = s.two("Mul", &q, &tu);
    let den = s.two("Add", &slope, &qtu);
    let y = if inverse {
        let wt = s.two("Mul", &w, &t);
        s.two("Add", &x0, &wt)
    } else {
        let (stt, dtu) = (s.two("Mul", &slope, &tt), s.two("Mul", &d0, &tu));
        let sum = s.two("Add", &stt, &dtu);
        let over = s.two("Div", &sum, &den);
        let rise = s.two("Mul", &h, &over);
        s.two("Add", &y0, &rise)
    };
    // log|dy/dx| = 2 ln s + ln(d1 t² + 2 s t u + d0 u²) - 2 ln den
    let (dtt, duu) = (s.two("Mul", &d1, &tt), s.two("Mul", &d0, &uu));
    let stu = s.two("Mul", &twice, &tu);
    let sum = s.two("Add", &dtt, &stu);
    let sum = s.two("Add", &sum, &duu);
    let [ln_s, ln_sum, ln_den] = [&slope, &sum, &den].map(|v| s.site.node("Log", &[v], &[]));
    let difference = s.two("Sub", &ln_s, &ln_den);
    let twice = s.times(&difference, 2.0);
    let forward = s.two("Add", &twice, &ln_sum);
    let log = s.times(&forward, if inverse { -1.0 } else { 1.0 });
    // The identity outside.
    let size = s.site.node("Abs", &[&v], &[]);
    let (limit, zero) = (s.site.graph.number(bound), s.site.graph.number(0.0));
    let inside = s.two("Less", &size, &limit);
    let y = s.site.node("Where", &[&inside, &y, &v], &[]);
    let log = s.site.node("Where", &[&inside, &log, &zero], &[]);
    let both = s
        .site
        .node("Concat", &[&y, &log], &[("axis", Attribute::Int(2))]);
    s.site.permuted(&both, &[0, 2, 1])
}

/// Operators of the spline, with the bins along the last axis of three.
struct Builder<'a, 'b> {
    site: &'a mut Site<'b>,
    bins: usize,
}

impl Builder<'_, '_> {
    fn two(&mut self, operator: &str, a: &str, b: &str) -> String {
        self.site.node(operator, &[a, b], &[])
    }

    fn times(&mut self, a: &str, k: f32) -> String {
        self.site.scaled(a.to_owned(), k)
    }

    fn plus(&mut self, a: &str, k: f32) -> String {
        let k = self.site.graph.number(k);
        self.two("Add", a, &k)
    }

    /// Entries `[from, to)` of the last axis.
    fn rows(&mut self, x: &str, from: usize, to: usize) -> String {
        let [from, to, axis] = [from as i64, to as i64, 2].map(|v| self.site.graph.list(&[v]));
        self.site.node("Slice", &[x, &from, &to, &axis], &[])
    }

    /// Where each bin begins and ends.
    fn knots(&mut self, free: &str, least: f32, bound: f32) -> (String, String) {
        let share = self
            .site
            .node("Softmax", &[free], &[("axis", Attribute::Int(2))]);
        let length = self.times(&share, 2.0 * bound * (1.0 - self.bins as f32 * least));
        let length = self.plus(&length, 2.0 * bound * least);
        let axis = self.site.graph.integers(&[], &[2]);
        let exclusive = [("exclusive", Attribute::Int(1))];
        let before = self.site.node("CumSum", &[&length, &axis], &exclusive);
        let low = self.plus(&before, -bound);
        let inner = self.rows(&low, 1, self.bins);
        let end = self.edge(&inner, bound);
        (low, self.joined(&[&inner, &end]))
    }

    /// `[N, D, 1]` of one number, of the shape of the first of the last axis of `like`.
    fn edge(&mut self, like: &str, value: f32) -> String {
        let first = self.rows(like, 0, 1);
        let nothing = self.times(&first, 0.0);
        self.plus(&nothing, value)
    }

    fn joined(&mut self, parts: &[&str]) -> String {
        self.site
            .node("Concat", parts, &[("axis", Attribute::Int(2))])
    }

    /// Slopes where each bin begins and ends: 1 at both ends of all.
    fn slopes_at_ends(&mut self, inner: &str) -> (String, String) {
        let one = self.edge(inner, 1.0);
        (self.joined(&[&one, inner]), self.joined(&[inner, &one]))
    }

    /// 1 in the bin that holds `v`, else 0: it is beyond this bin's beginning and not beyond the next one's.
    fn chosen(&mut self, v: &str, low: &str) -> String {
        let inner = self.rows(low, 1, self.bins);
        let beyond = self.two("GreaterOrEqual", v, &inner);
        let beyond = to_float(self.site, &beyond);
        let (one, zero) = (self.edge(&beyond, 1.0), self.edge(&beyond, 0.0));
        let (this, next) = (
            self.joined(&[&one, &beyond]),
            self.joined(&[&beyond, &zero]),
        );
        self.two("Sub", &this, &next)
    }

    fn pick(&mut self, chosen: &str, of: &str) -> String {
        let all = self.two("Mul", chosen, of);
        let last = self.site.graph.list(&[2]);
        self.site.node("ReduceSum", &[&all, &last], &[])
    }
}
