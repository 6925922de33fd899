//! The critic: what it sees of a candidate, of its difference to the shower and of the other candidates.

use super::BibAe;
use super::config::Statistics;
use super::networks::GENTLE;
use crate::models::volumes::volume;
use crate::nn::Net;
use crate::ops::ConvSpec;
use crate::tape::Var;

impl BibAe {
    /// One value `[1,N]` for each candidate for a shower; both `[Z,X,Y,N]` as networks see them.
    pub(super) fn critic<'t>(
        &self,
        net: &Net<'t>,
        shower: Var<'t>,
        candidate: Var<'t>,
        energy: Var<'t>,
    ) -> Var<'t> {
        let (k, slope) = (&self.config.critic, self.config.slope);
        let log = |x: Var<'t>| (x * k.log_scale).log1p();
        let seen = [
            ("linear", candidate * k.linear_scale),
            ("log", log(candidate)),
        ];
        let mut streams = Vec::new();
        for (name, x) in seen {
            let mut h = volume(x);
            for (i, conv) in k.convs.iter().enumerate() {
                h = conv.apply(net, &format!("{name}{i}"), h).leaky_relu(slope);
            }
            let name = format!("{name}_dense");
            streams.push(net.linear(&name, h.flatten(), k.width).leaky_relu(slope));
        }
        let differences = [
            ("difference", k.difference, candidate - shower),
            (
                "log_difference",
                k.log_difference,
                log(candidate) - log(shower),
            ),
        ];
        for (name, _, x) in differences.into_iter().filter(|d| d.1) {
            let y = net.linear(name, x.flatten(), k.width);
            streams.push(y.leaky_relu(k.difference_slope));
        }
        // Each with its own weights, as the published code declares them; it then uses the first's for both.
        if let Some(s) = &k.statistics {
            for (name, x) in [("batch", candidate), ("log_batch", log(candidate))] {
                let h = statistics(net, name, s, x);
                streams.push(net.linear(name, h, k.width).leaky_relu(slope));
            }
        }
        streams.push(net.linear("energy", energy, k.width).leaky_relu(slope));
        let mut h = Var::concat(&streams, 0);
        for (i, &width) in k.dense.iter().enumerate() {
            h = net.linear(&format!("dense{i}"), h, width).leaky_relu(slope);
        }
        net.linear("score", h, 1)
    }

    /// The critic's view of `pair` `[2,Z,X,Y,N]`, a shower and a candidate.
    pub(super) fn critic_of_pair<'t>(
        &self,
        net: &Net<'t>,
        pair: Var<'t>,
        energy: Var<'t>,
    ) -> Var<'t> {
        let one = |i| {
            let x = pair.slice(0, i, i + 1);
            x.reshape(&x.shape()[1..])
        };
        self.critic(net, one(0), one(1), energy)
    }
}

/// How the standard deviation and the sum of a shower's cells differ from those of the batch, embedded: standard
/// deviation and mean over the batch, `[4 embedded, N]`.
fn statistics<'t>(net: &Net<'t>, name: &str, s: &Statistics, x: Var<'t>) -> Var<'t> {
    let cells = x.flatten();
    let n = cells.extent(1);
    let figures = [
        ("std", spread(cells, 0)),
        ("sum", cells.sum_keep(&[0]) * s.sum_scale),
    ];
    let mut parts = Vec::new();
    for (what, figure) in figures {
        // Of shower j less that of shower n.
        let differences = figure.reshape(&[n, 1]) - figure.reshape(&[1, n]);
        let mut h = differences.reshape(&[1, 1, 1, n, n]);
        let spec = ConvSpec {
            stride: [1; 3],
            padding: [0; 3],
        };
        for (i, &width) in s.widths.iter().enumerate() {
            let name = format!("{name}_{what}{i}");
            h = net.conv3d(&name, h, width, [1; 3], &spec, false);
            h = h.leaky_relu(GENTLE);
        }
        let h = h.reshape(&[h.extent(0), n, n]);
        parts.push(spread(h, 1));
        parts.push(h.mean_keep(&[1]));
    }
    let flat: Vec<_> = parts.iter().map(|p| p.reshape(&[p.extent(0), n])).collect();
    Var::concat(&flat, 0)
}

/// Standard deviation along `axis`, divided by n - 1. Its slope at 0 is 0, where the root has none.
fn spread(x: Var<'_>, axis: usize) -> Var<'_> {
    let n = x.extent(axis) as f32;
    (x.var_keep(&[axis]) * (n / (n - 1.0).max(1.0)) + 1e-20).sqrt()
}
