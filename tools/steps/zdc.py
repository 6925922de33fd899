"""Autoencoders of ZDC images: VAE, WAE, Sinkhorn, sliced Wasserstein and end-to-end Sinkhorn (arXiv:2006.06704)."""

import math

import torch
from torch.nn.functional import leaky_relu, pad

from . import common


def cases():
    conditions = ["energy", "mass", "px"]
    preprocess = dict(unit=1.0, threshold=0.0, per_energy=False, scale=1.0, log=True)
    encoder = dict(channels=[3, 4], kernel=4, inner_slope=1.0, slope=0.1, hidden=[6])
    base = dict(
        shape=[1, 11, 9],
        conditions=conditions,
        preprocess=preprocess,
        latent=4,
        encoder=encoder,
        decoder=dict(channels=[4, 3, 2], kernel=4, output_slope=0.0),
        optimizer="adam",
        rates=[[1.0, 1e-3]],
        batch=5,
    )
    transport = dict(blur=0.7, scaling=0.8, diameter=20.0, iterations=300, tolerance=1e-6)
    scales = [0.1, 0.5, 2.0]
    # The made-up energies are far from standardised, and so is what the encoder makes of them.
    vae = dict(base, optimizer="rmsprop", regulariser=dict(kind="kld", weight=1e-6))
    wae = dict(base, regulariser=dict(kind="mmd", weight=30.0, scales=scales, biased=False))
    free = dict(base, conditions=[], encoder=dict(encoder, inner_slope=0.3, hidden=[6, 5]), decoder=dict(channels=[4, 3, 2], kernel=3, output_slope=0.1))
    free_vae = dict(free, regulariser=dict(kind="kld", weight=0.7))
    biased = dict(free, regulariser=dict(kind="mmd", weight=20.0, scales=scales, biased=True))
    sae = dict(free, regulariser=dict(kind="sinkhorn", weight=5.0, transport=transport))
    swae = dict(free, regulariser=dict(kind="sliced", weight=10.0, directions=7))
    e2e = dict(base, encoder=dict(encoder, hidden=[]))
    e2e = {k: v for k, v in e2e.items() if k != "optimizer"}
    e2e.update(
        code_slope=0.0,
        noise=dict(length=3, noise_width=5, condition_width=4, hidden=[6, 5], slope=0.2),
        weight=3.0,
        transport=transport,
        condition_scale=0.02,
    )
    alone = dict(e2e, code_slope=0.2, conditions=[], preprocess=dict(preprocess, scale=0.5))
    shared = dict(shape=[1, 11, 9], batch=5, seed=7, cell_scale=6.0)

    def case(model, config, rate=2e-3):
        labels = config["conditions"] or ["energy"]
        return dict(model=model, config=config, conditions=labels, turns=[[0, rate]] * 3, **shared)

    return {
        "cond-vae": case("cond-vae", vae),
        "cond-vae-unconditional": case("cond-vae", free_vae),
        "cond-wae": case("cond-wae", wae),
        "cond-wae-biased": case("cond-wae", biased),
        "sae": case("sae", sae),
        "swae": case("swae", swae),
        "e2e-sae": case("e2e-sae", e2e),
        "e2e-sae-unconditional": case("e2e-sae", alone),
    }


def steps(config):
    networks = ["encoder", "decoder"] + (["noise"] if "noise" in config else [])
    rmsprop = config.get("optimizer") == "rmsprop"
    return [(networks, common.rmsprop(0.9, 1e-7) if rmsprop else common.adam())]


def standardised(ctx, network):
    """[N,C] or nothing."""
    c = len(ctx.config["conditions"])
    if c == 0:
        return []
    mean = ctx.tensor(f"{network}.conditions.mean", (c,), False)
    std = ctx.tensor(f"{network}.conditions.std", (c,), False)
    return [(ctx.conditions - mean) / std]


def same(ctx, name, x, channels, kernel, stride):
    """Padding 'same' of the published codes: the larger part behind."""
    around = []
    for extent in reversed(x.shape[2:]):
        wanted = -(-extent // stride)
        missing = max((wanted - 1) * stride + kernel - extent, 0)
        around += [missing // 2, missing - missing // 2]
    return ctx.conv(name, pad(x, around), channels, kernel, stride)


def features(ctx, x, conditions):
    e = ctx.config["encoder"]
    for i, channels in enumerate(e["channels"]):
        x = same(ctx, f"encoder.conv{i}", x, channels, e["kernel"], 2)
        x = leaky_relu(x, e["slope"] if i + 1 == len(e["channels"]) else e["inner_slope"])
    x = torch.cat([x.flatten(1)] + conditions, 1)
    for i, width in enumerate(e["hidden"]):
        x = ctx.linear(f"encoder.dense{i}", x, width).relu()
    return x


def decode(ctx, code):
    d = ctx.config["decoder"]["channels"]
    _, rows, columns = ctx.config["shape"]
    doublings = 2 ** (len(d) - 1)
    h, w = math.ceil(rows / doublings), math.ceil(columns / doublings)
    x = ctx.linear("decoder.dense", code, d[0] * h * w).reshape(-1, d[0], h, w)
    for i, channels in enumerate(d[1:], 1):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = same(ctx, f"decoder.conv{i}", x, channels, ctx.config["decoder"]["kernel"], 1)
        x = ctx.batch_norm(f"decoder.conv{i}_norm", x, "train").relu()
    kernel = (h * doublings - rows + 1, w * doublings - columns + 1)
    return leaky_relu(ctx.conv("decoder.image", x, 1, kernel), ctx.config["decoder"]["output_slope"])


def imq(x, y, scales, biased):
    d, n = x.shape[1], x.shape[0]

    def kernel(a, b):
        square = (a[:, None] - b[None]).square().sum(2)
        return sum(2 * d * s / (2 * d * s + square) for s in scales)

    def within(a):
        k = kernel(a, a)
        return k.mean() if biased else (k.sum() - k.diagonal().sum()) / (n * (n - 1))

    return within(x) + within(y) - 2 * kernel(x, y).mean()


def transport(x, y, eps):
    """Entropic transport with cost |x-y|^2/2, iterated to convergence; the plan is a constant of the gradient."""
    cost = (x[:, None] - y[None]).square().sum(2) / 2
    c = cost.detach()
    n, m = c.shape
    f, g = torch.zeros(n), torch.zeros(m)
    for _ in range(5000):
        f_next = -eps * torch.logsumexp((g[None] - c) / eps - math.log(m), 1)
        g_next = -eps * torch.logsumexp((f_next[:, None] - c) / eps - math.log(n), 0)
        change = max((f_next - f).abs().max(), (g_next - g).abs().max())
        f, g = f_next, g_next
        if change < 1e-13:
            break
    plan = torch.exp((f[:, None] + g[None] - c) / eps) / (n * m)
    slope = (plan * cost).sum()
    return f.mean() + g.mean() + slope - slope.detach()


def sinkhorn(x, y, t):
    eps = t["blur"] ** 2
    return transport(x, y, eps) - transport(x, x, eps) / 2 - transport(y, y, eps) / 2


def sliced(ctx, x, y, count):
    events = [ctx.turn * ctx.batch + i for i in range(count)]
    directions = torch.tensor(common.normal(ctx.case["seed"], 2, events, x.shape[1]))
    directions = directions / directions.norm(dim=1, keepdim=True)
    a, b = ((v @ directions.T).sort(0).values for v in (x, y))
    return (a - b).square().mean()


def losses(ctx, _):
    c = ctx.config
    images = torch.log1p(ctx.showers * c["preprocess"]["scale"])
    if "noise" in c:
        return end_to_end(ctx, images)
    r = c["regulariser"]
    conditions = standardised(ctx, "decoder")
    h = features(ctx, images, conditions)
    code = mean = ctx.linear("encoder.code", h, c["latent"])
    prior = lambda: ctx.normal(1, c["latent"])
    if r["kind"] == "kld":
        log = ctx.linear("encoder.log_variance", h, c["latent"])
        code = mean + torch.exp(log / 2) * ctx.normal(0, c["latent"])
        distance = -0.5 * (1 + log - mean**2 - log.exp()).sum(1).mean()
    elif r["kind"] == "mmd":
        distance = imq(code, prior(), r["scales"], r["biased"])
    elif r["kind"] == "sinkhorn":
        distance = sinkhorn(code, prior(), r["transport"])
    else:
        distance = sliced(ctx, code, prior(), r["directions"])
    error = (decode(ctx, torch.cat([code] + conditions, 1)) - images).square().flatten(1).sum(1).mean()
    return [("loss", error + r["weight"] * distance), ("squared_error", error), (r["kind"], distance)]


def end_to_end(ctx, images):
    c, n = ctx.config, ctx.config["noise"]
    code = leaky_relu(ctx.linear("encoder.code", features(ctx, images, []), c["latent"]), c["code_slope"])
    error = (decode(ctx, code) - images).square().flatten(1).sum(1).mean()
    conditions = standardised(ctx, "noise")
    dense = lambda name, x, width: leaky_relu(ctx.linear(f"noise.{name}", x, width), n["slope"])
    parts = [dense("noise", ctx.normal(0, n["length"]), n["noise_width"])]
    parts += [dense("conditions", v, n["condition_width"]) for v in conditions]
    h = torch.cat(parts, 1)
    for i, width in enumerate(n["hidden"]):
        h = dense(f"dense{i}", h, width)
    made = leaky_relu(ctx.linear("noise.code", h, c["latent"]), c["code_slope"])
    scaled = [v * c["condition_scale"] for v in conditions]
    divergence = sinkhorn(torch.cat([code] + scaled, 1), torch.cat([made] + scaled, 1), c["transport"])
    return [("loss", error + c["weight"] * divergence), ("squared_error", error), ("sinkhorn", divergence)]
