"""Kernel density and normalising flow on the codes of an autoencoder. Not a system of its own: bib_ae.py has cases."""

import math

import torch

from . import common

PERMUTATIONS = 0x666C6F77


def collect(ctx, codes, prior):
    """The density keeps the newest codes in front."""
    kde = prior["model"]["kde"]
    d = codes.shape[1]
    points = ctx.tensor("kde.codes.points", (d + 1, kde["points"]), False)
    now = torch.cat([codes, ctx.energy], 1).T[:, : kde["points"]].detach()
    points.copy_(torch.cat([now, points], 1)[:, : kde["points"]])
    return [("code_variance", codes.var(0, unbiased=False).mean())]


def observable(kind, showers, energy):
    layers = showers.sum((2, 3))
    total = layers.sum(1, keepdim=True)
    index = torch.arange(layers.shape[1], dtype=layers.dtype)
    if kind == "response":
        return total / energy
    if kind == "energy_sum":
        return total
    if kind == "hits":
        return (showers > 0).sum((1, 2, 3), keepdim=True).reshape(-1, 1).to(layers.dtype)
    if kind == "centre_z":
        return (layers * index).sum(1, keepdim=True) / total
    assert kind == "start"
    reached = layers >= 0.05 * layers.max(1, keepdim=True).values
    return reached.to(torch.int64).argmax(1, keepdim=True).to(layers.dtype)


def dense(ctx, name, x, hidden, outputs):
    for i in range(2):
        x = ctx.linear(f"{name}_dense{i}", x, hidden).relu()
    return ctx.linear(f"{name}_dense2", x, outputs)


def spline(x, params, bins, bound):
    """Rational quadratic spline of Durkan et al. (arXiv:1906.04032) with linear tails, element by element: x [N,D], params
    [N,D,3 bins - 1]. Value and logarithm of the slope."""
    least = 1e-3

    def knots(raw):
        share = least + (1.0 - least * bins) * torch.softmax(raw, -1)
        ends = torch.cumsum(share, -1)
        ends = torch.cat([torch.zeros_like(ends[..., :1]), ends[..., :-1], torch.ones_like(ends[..., :1])], -1)
        return 2.0 * bound * ends - bound

    across, up = knots(params[..., :bins]), knots(params[..., bins : 2 * bins])
    inner = least + torch.nn.functional.softplus(params[..., 2 * bins :])
    one = torch.ones_like(inner[..., :1])
    slopes = torch.cat([one, inner, one], -1)
    inside = (x > -bound) & (x < bound)
    clipped = x.clamp(-bound + 1e-9, bound - 1e-9)
    k = (clipped[..., None] >= across).sum(-1, keepdim=True) - 1
    pick = lambda a: torch.gather(a, -1, k).squeeze(-1)
    after = lambda a: torch.gather(a, -1, k + 1).squeeze(-1)
    x0, x1, y0, y1 = pick(across), after(across), pick(up), after(up)
    d0, d1 = pick(slopes), after(slopes)
    width, height = x1 - x0, y1 - y0
    s = height / width
    t = (clipped - x0) / width
    u = t * (1.0 - t)
    below = s + (d1 + d0 - 2.0 * s) * u
    y = y0 + height * (s * t * t + d0 * u) / below
    slope = s * s * (d1 * t * t + 2.0 * s * u + d0 * (1.0 - t) ** 2) / (below * below)
    return torch.where(inside, y, x), torch.where(inside, slope.log(), torch.zeros_like(x))


def observed(ctx, prior):
    """The observables [N,k] of the batch as the flow sees them."""
    f = prior["model"]["flow"]
    kept = torch.where(ctx.showers < f["threshold"], torch.zeros_like(ctx.showers), ctx.showers)
    return torch.cat([(observable(o["kind"], kept, ctx.energy) - o["offset"]) * o["scale"] for o in f["observables"]], 1)


def flow_losses(ctx, codes, prior):
    f = prior["model"]["flow"]
    x = torch.cat([observed(ctx, prior), codes * f["code_scale"]], 1).detach()
    n, d = x.shape
    condition = ctx.energy / f["energy_scale"]
    log_det = torch.zeros(n)
    index = 0
    for block in range(f["blocks"]):
        for i in range(2 * f["couplings"]):
            if i == f["couplings"]:
                rows = 3 * f["bins"] - 1
                params = dense(ctx, f"flow.block{block}_spline", condition, f["spline_hidden"] * d, d * rows)
                x, slopes = spline(x, params.reshape(n, d, rows), f["bins"], f["bound"])
                log_det = log_det + slopes.sum(1)
                index += 1
            keys = common.words(PERMUTATIONS, index, [0], d)[0]
            x = x[:, sorted(range(d), key=lambda j: int(keys[j]))]
            split = d // 2
            first, last = x[:, :split], x[:, split:]
            name = f"flow.block{block}_coupling{i}"
            st = dense(ctx, name, torch.cat([first, condition], 1), f["hidden"] * d, 2 * (d - split))
            s, t = st[:, : d - split], st[:, d - split :]
            log_scale = -torch.tanh(s)
            x = torch.cat([first, (last - t) * log_scale.exp()], 1)
            log_det = log_det + log_scale.sum(1)
            index += 1
    nll = 0.5 * x.square().sum(1) - log_det
    return [("nll", nll.mean() / d + 0.5 * math.log(2.0 * math.pi))]


def losses(ctx, mean, log_variance, stream):
    prior = ctx.config["prior"]
    codes = mean + (0.5 * log_variance).exp() * ctx.normal(stream, mean.shape[1])
    return (collect if "kde" in prior["model"] else flow_losses)(ctx, codes, prior)
