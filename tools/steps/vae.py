"""The variational autoencoders of images."""

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, leaky_relu

from . import common


def cases():
    """Every loss and switch at least once: dense and convolutional, conditional or not, three kinds of critic, two layers."""
    off = dict(
        mse=0.0, pooled=[], kld=0.0, kld_warm_up=0, sum_scale=1e-2, energy_sum=0.0, energy_sum_l1=0.0, energy_log_sum=0.0,
        energy_sum_log=0.0, energy_prediction=0.0, cutoff=0.5, cut_sum=0.0, cut_sum_l1=0.0,
        radial_mmd=dict(weight=0.0, alphas=[0.1, 1.0, 10.0, 100.0], scale=1.0), rings=8,
        energy_mmd=dict(weight=0.0, alphas=[0.1, 1.0], scale=10.0), pixel_variance=0.0, sort_mse=0.0, sort_mae=0.0,
        batch_sum=0.0, batch_sum_log=0.0, occupancy=0.0, hit=0.3,
    )
    log = dict(unit=1.0, threshold=0.0, per_energy=False, scale=1.0, log=True)
    base = dict(
        shape=[1, 13, 11], preprocess=log, energy_scale=100.0, conditional=False, latent=4,
        networks=dict(convs=[], hidden=[20, 12], slope=0.0), losses=off, betas=[0.9, 0.999], rates=[[1.0, 1e-3]],
        average=0.0, batch=6,
    )
    conv = lambda channels, kernel: dict(channels=channels, kernel=kernel, stride=2, padding=1)
    critic = dict(
        weight=1.5, pairs=False, observables=False, convs=[conv(3, 3), conv(4, 3)], hidden=[7], penalty=10.0, steps=2,
        rates=[[1.0, 1e-3]],
    )
    pools = [dict(kernel=3, stride=2, weight=1.0), dict(kernel=5, stride=3, weight=0.5), dict(kernel=10, stride=5, weight=2.0)]
    mmd = lambda which, weight: dict(off[which], weight=weight)
    every = dict(
        off, mse=1.0, pooled=pools, kld=0.01, kld_warm_up=3, energy_sum=0.7, energy_sum_l1=0.3, energy_log_sum=0.2,
        energy_sum_log=0.001, cut_sum=4e-5, cut_sum_l1=6e-3, radial_mmd=mmd("radial_mmd", 2.0),
        energy_mmd=mmd("energy_mmd", 0.5), pixel_variance=3.0, sort_mse=0.8, sort_mae=0.9, batch_sum=0.01, batch_sum_log=0.02,
        occupancy=5.0,
    )
    conditional = dict(
        off, mse=1.0, pooled=[dict(kernel=10, stride=5, weight=2.0)], kld=0.05, energy_prediction=3.0, energy_sum=1.0,
        radial_mmd=mmd("radial_mmd", 1.0),
    )
    convolutional = dict(convs=[conv(3, 4), conv(5, 4)], hidden=[9], slope=0.2)
    only = dict(off, kld=0.1)
    shared = dict(conditions=["energy"], batch=6, seed=21, cell_scale=8.0)
    plain = dict(shape=[1, 13, 11], turns=[[0, 1e-3]] * 3, **shared)
    turns = dict(shape=[1, 13, 11], turns=[[1, 1e-3], [1, 1e-3], [0, 1e-3], [1, 1e-3], [0, 1e-3]], **shared)
    per_energy = dict(unit=0.5, threshold=1.0, per_energy=True, scale=20.0, log=True)
    return {
        "vae": dict(model="vae", config=dict(base, losses=dict(off, mse=1.0, kld=0.01)), **plain),
        "vae-pooled": dict(model="vae-pooled", config=dict(base, losses=every), **plain),
        "vae-energy": dict(
            model="vae-energy",
            config=dict(base, conditional=True, networks=convolutional, losses=conditional, preprocess=per_energy),
            **plain,
        ),
        "vae-adversarial": dict(
            model="vae-adversarial", config=dict(base, losses=only, adversary=critic, betas=[0.5, 0.9]), **turns
        ),
        "vae-adversarial-energy": dict(
            model="vae-adversarial",
            config=dict(
                base, losses=dict(only, mse=0.5, energy_prediction=1.0), conditional=True, networks=convolutional,
                adversary=dict(critic, pairs=True, observables=True), betas=[0.5, 0.9],
            ),
            **turns,
        ),
        "vae-layers": dict(
            model="vae-adversarial",
            config=dict(
                base, shape=[2, 13, 11], losses=dict(every, energy_prediction=1.0), conditional=True, networks=convolutional,
                adversary=dict(critic, pairs=True, observables=True), betas=[0.5, 0.9],
            ),
            **dict(turns, shape=[2, 13, 11]),
        ),
    }


def steps(config):
    adam = common.adam(*config["betas"])
    return [(["encoder", "decoder"], adam), (["critic"], adam)]


def encode(ctx, image, energy):
    c = ctx.config["networks"]
    x = image
    for i, k in enumerate(c["convs"]):
        x = leaky_relu(ctx.conv(f"encoder.conv{i}", x, k["channels"], k["kernel"], k["stride"], k["padding"]), c["slope"])
    x = x.flatten(1)
    if energy is not None:
        x = torch.cat([x, energy], 1)
    for i, width in enumerate(c["hidden"]):
        x = leaky_relu(ctx.linear(f"encoder.dense{i}", x, width), c["slope"])
    latent = ctx.config["latent"]
    mean, log_variance = ctx.linear("encoder.mean", x, latent), ctx.linear("encoder.log_variance", x, latent)
    return mean, log_variance, None if energy is None else ctx.linear("encoder.energy", x, 1)


def decode(ctx, z, energy):
    c = ctx.config["networks"]
    layers, *extents = ctx.config["shape"]
    sizes = [extents]
    for k in c["convs"]:
        sizes.append([(s + 2 * k["padding"] - k["kernel"]) // k["stride"] + 1 for s in sizes[-1]])
    x = z if energy is None else torch.cat([z, energy], 1)
    for i, width in enumerate(reversed(c["hidden"])):
        x = leaky_relu(ctx.linear(f"decoder.dense{i}", x, width), c["slope"])
    channels = [layers] + [k["channels"] for k in c["convs"]]
    h, w = sizes[-1]
    x = ctx.linear(f"decoder.dense{len(c['hidden'])}", x, channels[-1] * h * w).reshape(-1, channels[-1], h, w)
    for i in reversed(range(len(c["convs"]))):
        k = c["convs"][i]
        x = leaky_relu(x, c["slope"])
        more = [sizes[i][a] - ((sizes[i + 1][a] - 1) * k["stride"] - 2 * k["padding"] + k["kernel"]) for a in (0, 1)]
        x = ctx.conv_transpose(f"decoder.up{i}", x, channels[i], k["kernel"], k["stride"], k["padding"], more, bias=i > 0)
    if c["convs"]:
        x = x + ctx.p("decoder.pixels.bias", layers, *extents)
    return x.relu()


def rings(config, image):
    """Energy in rings of one cell, of all layers together, [N,rings]."""
    image = image.sum(1)
    h, w = image.shape[-2:]
    i, j = np.indices((h, w))
    ring = np.floor(np.hypot(i - (h - 1) / 2, j - (w - 1) / 2)).astype(int)
    count = config["losses"]["rings"]
    return torch.stack([image[:, torch.tensor(ring == r)].sum(1) for r in range(count)], 1)


def critic(ctx, image, candidate, energy):
    a = ctx.config["adversary"]
    x = torch.cat([image, candidate], 1) if a["pairs"] else candidate
    for i, k in enumerate(a["convs"]):
        x = leaky_relu(ctx.conv(f"critic.conv{i}", x, k["channels"], k["kernel"], k["stride"], k["padding"]), 0.2)
    x = [x.flatten(1)]
    if energy is not None:
        x.append(energy)
    if a["observables"]:
        cells = torch.expm1(candidate.clamp(-1.0, 12.0))
        hit = np.log1p(ctx.config["losses"]["hit"])
        hits = torch.sigmoid((candidate - hit) / (hit / 4)).sum((1, 2, 3))
        x += [
            rings(ctx.config, cells).log1p(),
            cells.sum((1, 2, 3))[:, None].log1p(),
            hits[:, None] * 10.0 / candidate[0].numel(),
        ]
    x = torch.cat(x, 1)
    for i, width in enumerate(a["hidden"]):
        x = leaky_relu(ctx.linear(f"critic.dense{i}", x, width), 0.2)
    return ctx.linear("critic.value", x, 1)


def mmd(spec, x, y):
    """Biased, kernels added. x and y [N,D]."""
    x, y = x * spec["scale"], y * spec["scale"]
    total = 0.0
    for alpha in spec["alphas"]:
        k = lambda a, b: torch.exp(-alpha * (a[:, None] - b[None]).square().sum(2)).mean()
        total = total + k(x, x) + k(y, y) - 2.0 * k(x, y)
    return total


def compare(config, seen, cells):
    """Losses of (real, made) as networks see them and in MeV: name, weight, value."""
    c = config["losses"]
    mse = lambda f, pair: (f(pair[0]) - f(pair[1])).square().mean()
    mae = lambda f, pair: (f(pair[0]) - f(pair[1])).abs().mean()
    total = lambda x: x.sum((1, 2, 3))
    scaled = lambda x: c["sum_scale"] * total(x)
    above = lambda x: total(torch.where(x < c["cutoff"], torch.zeros_like(x), x))
    shares = lambda x: rings(config, x) / (total(x) + 1e-3)[:, None]
    t = np.log1p(c["hit"])
    hits = lambda x: torch.sigmoid((x.log1p() - t) / (t / 4)).sum((1, 2, 3)) / x[0].numel()
    ordered = lambda x: x.flatten(1).sort(1, descending=True).values
    summed = lambda x: x.sum(0)
    out = []

    def term(name, weight, value):
        if weight:
            out.append((name, weight, value()))

    term("mse", c["mse"], lambda: mse(lambda x: x, seen))
    weights = sum(p["weight"] for p in c["pooled"])
    term(
        "pooled", weights,
        lambda: sum(p["weight"] / weights * mse(lambda x: avg_pool2d(x, p["kernel"], p["stride"]), seen) for p in c["pooled"]),
    )
    term("energy_sum", c["energy_sum"], lambda: mse(scaled, cells))
    term("energy_sum_l1", c["energy_sum_l1"], lambda: mae(scaled, cells))
    term("energy_log_sum", c["energy_log_sum"], lambda: mse(lambda x: (total(x) + 1e-3).log(), cells))
    term("energy_sum_log", c["energy_sum_log"], lambda: mse(total, seen))
    term("cut_sum", c["cut_sum"], lambda: mse(above, cells))
    term("cut_sum_l1", c["cut_sum_l1"], lambda: mae(above, cells))
    term("radial_mmd", c["radial_mmd"]["weight"], lambda: mmd(c["radial_mmd"], *map(shares, cells)))
    term("energy_mmd", c["energy_mmd"]["weight"], lambda: mmd(c["energy_mmd"], *[scaled(x)[:, None] for x in cells]))
    term("pixel_variance", c["pixel_variance"], lambda: mse(lambda x: x.var(0, correction=0), seen))
    term("sort_mse", c["sort_mse"], lambda: mse(ordered, seen))
    term("sort_mae", c["sort_mae"], lambda: mae(ordered, seen))
    term("batch_sum", c["batch_sum"], lambda: mse(summed, seen))
    term("batch_sum_log", c["batch_sum_log"], lambda: mse(lambda x: summed(x.clamp(min=1e-4).log()), seen))
    term("occupancy", c["occupancy"], lambda: mse(hits, cells))
    return out


def losses(ctx, step):
    c = ctx.config
    real = common.preprocess(c["preprocess"], ctx.showers, ctx.energy)
    energy = ctx.energy / c["energy_scale"] if c["conditional"] else None
    mean, log_variance, predicted = encode(ctx, real, energy)
    made = decode(ctx, mean + (0.5 * log_variance).exp() * ctx.normal(0, c["latent"]), predicted)
    if step == 1:
        fake = made.detach()
        judge = lambda x: critic(ctx, real, x, energy)
        u = ctx.uniform(1, 1, 1, 1)
        penalty = common.gradient_penalty(judge, fake + u * (real - fake))
        estimate = judge(real).mean() - judge(fake).mean()
        return [("critic", c["adversary"]["penalty"] * penalty - estimate), ("wasserstein", estimate), ("penalty", penalty)]
    cells = (ctx.showers, common.postprocess(c["preprocess"], made, ctx.energy))
    terms = compare(c, (real, made), cells)
    if predicted is not None:
        terms.append(("energy_prediction", c["losses"]["energy_prediction"], (predicted - energy).square().mean()))
    if "adversary" in c:
        terms.append(("critic_value", -c["adversary"]["weight"], critic(ctx, real, made, energy).mean()))
    kld = -0.5 * (1.0 + log_variance - mean.square() - log_variance.exp()).sum(1).mean()
    weight = c["losses"]["kld"]
    if c["losses"]["kld_warm_up"]:
        ramp = ctx.tensor("encoder.kld.ramp", (1,), False)
        weight = weight * float(ramp.clamp(0.0, 1.0))
        ramp += 1.0 / c["losses"]["kld_warm_up"]
    total = weight * kld + sum(w * v for _, w, v in terms)
    return [("vae", total), ("kld", kld)] + [(name, v) for name, _, v in terms]
