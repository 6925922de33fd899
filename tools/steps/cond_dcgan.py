"""The conditional DCGAN of ZDC images, with the refinements of arXiv:2207.01561 and later (coordinates, SDI-GAN, one factor)."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu, max_pool2d

from . import common
from .zdc import standardised


def cases():
    config = dict(
        shape=[1, 11, 9],
        conditions=["energy", "mass", "px"],
        preprocess=dict(unit=1.0, threshold=0.0, per_energy=False, scale=1.0, log=True),
        latent=3,
        generator=dict(
            dense=6,
            channels=3,
            start=[3, 2],
            convs=[dict(upsample=[2, 2], channels=4, kernel=2), dict(upsample=[3, 4], channels=3, kernel=3)],
        ),
        discriminator=dict(
            convs=[dict(channels=3, kernel=3, pool=[2, 2]), dict(channels=4, kernel=2, pool=[2, 1])], dense=[6, 5]
        ),
        dropout=0.2,
        slope=0.1,
        betas=[0.5, 0.9],
        generator_rates=[[1.0, 1e-3]],
        discriminator_rates=[[1.0, 1e-3]],
        average=0.0,
        batch=7,
    )
    all_of_it = dict(
        config,
        coordinates=dict(weight=0.1, rate=1e-3),
        diversity=dict(weight=0.5, bandwidth=20.0),
        calibration=dict(**{"from": 0.5}, rate=1e-2),
    )
    shared = dict(shape=[1, 11, 9], batch=7, seed=5, cell_scale=6.0)
    plain = [[0, 1e-3], [1, 1e-3]] * 2
    every = [[0, 1e-3], [1, 1e-3], [2, 1e-3], [3, 1e-2]]
    conditional = dict(conditions=config["conditions"], **shared)
    unconditional = dict(config, conditions=[], dropout=0.0, diversity=dict(weight=0.5, bandwidth=1.0))
    return {
        "cond-dcgan": dict(model="cond-dcgan", config=config, turns=plain, **conditional),
        "cond-dcgan-refined": dict(model="cond-dcgan", config=all_of_it, turns=every * 2, **conditional),
        "cond-dcgan-unconditional": dict(
            model="cond-dcgan", config=unconditional, turns=plain, conditions=["energy"], **shared
        ),
    }


def names(config):
    all_names = ["discriminator", "generator"]
    all_names += [name for name in ("coordinates", "calibration") if name in config]
    return all_names


def steps(config):
    return [([name], common.adam(*config["betas"])) for name in names(config)]


class Layers:
    """Runs hidden layers of one network: batch norm, dropout at the next stream, leaky ReLU."""

    def __init__(self, ctx, network, mode, stream):
        self.ctx, self.network, self.mode, self.stream = ctx, network, mode, stream

    def hidden(self, name, x):
        x = self.ctx.batch_norm(f"{self.network}.{name}_norm", x, self.mode)
        if self.mode != "infer" and self.ctx.config["dropout"] > 0.0:
            x = self.ctx.dropout(x, self.ctx.config["dropout"], self.stream)
        self.stream += 1
        return leaky_relu(x, self.ctx.config["slope"])


def generate(ctx, mode, stream, noise, conditions):
    g, layers = ctx.config["generator"], Layers(ctx, "generator", mode, stream)
    x = torch.cat([noise] + conditions, 1)
    x = layers.hidden("dense0", ctx.linear("generator.dense0", x, g["dense"]))
    h, w = g["start"]
    x = layers.hidden("dense1", ctx.linear("generator.dense1", x, g["channels"] * h * w))
    x = x.reshape(-1, g["channels"], h, w)
    for i, k in enumerate(g["convs"]):
        x = x.repeat_interleave(k["upsample"][0], 2).repeat_interleave(k["upsample"][1], 3)
        x = layers.hidden(f"conv{i}", ctx.conv(f"generator.conv{i}", x, k["channels"], k["kernel"]))
    kernel = [have - want + 1 for have, want in zip(x.shape[2:], ctx.config["shape"][1:])]
    return ctx.conv("generator.image", x, 1, kernel).relu()


def judge(ctx, network, mode, stream, x, conditions, outputs):
    d, layers = ctx.config["discriminator"], Layers(ctx, network, mode, stream)
    for i, k in enumerate(d["convs"]):
        x = layers.hidden(f"conv{i}", ctx.conv(f"{network}.conv{i}", x, k["channels"], k["kernel"]))
        x = max_pool2d(x, k["pool"])
    x = torch.cat([x.flatten(1)] + conditions, 1)
    for i, width in enumerate(d["dense"]):
        x = layers.hidden(f"dense{i}", ctx.linear(f"{network}.dense{i}", x, width))
    return x, ctx.linear(f"{network}.output", x, outputs)


def towards(logits, target):
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def brightest(images):
    flat = images.flatten(1).argmax(1)
    return torch.stack([flat // images.shape[3], flat % images.shape[3]], 1).to(torch.float64)


def diversity(conditions, images, bandwidth):
    square = (conditions[:, None] - conditions[None]).square().sum(2)
    near = torch.exp(-square / (2 * bandwidth**2))
    near = near / near.sum(1, keepdim=True)
    x = images.flatten(1)
    mean = near @ x
    variance = torch.stack([(near[i][:, None] * (x - mean[i]) ** 2).sum(0) for i in range(len(x))])
    spread = variance.clamp(min=0).sqrt().sum(1, keepdim=True)
    return (spread - spread.min()) / (spread.max() - spread.min() + 1e-6)


def channel_sums(showers):
    """[N,5]: odd i + j, then even i + j in the four quarters."""
    x = showers[:, 0]
    rows, columns = torch.arange(x.shape[1])[:, None], torch.arange(x.shape[2])[None]
    odd = ((rows + columns) % 2).to(torch.float64)
    h, w = x.shape[1] // 2, x.shape[2] // 2
    even = x * (1 - odd)
    parts = [x * odd, even[:, :h, :w], even[:, :h, w:], even[:, h:, :w], even[:, h:, w:]]
    return torch.stack([p.sum((1, 2)) for p in parts], 1)


def losses(ctx, step):
    c = ctx.config
    kind = names(c)[step]
    images = torch.log1p(ctx.showers * c["preprocess"]["scale"])
    seen = standardised(ctx, "generator")
    noise = ctx.normal(0, c["latent"])
    if kind == "coordinates":
        _, found = judge(ctx, "coordinates", "train", 0x600, images, [], 2)
        return [("coordinates", (found - brightest(images)).square().sum(1).mean())]
    if kind == "calibration":
        p = ctx.p("calibration.factor.bias", 1)
        factor = 1 + 0.1 * torch.tanh(p)
        showers = torch.expm1(generate(ctx, "infer", 0x100, noise, seen)) / c["preprocess"]["scale"]
        a = (channel_sums(showers.detach()) * factor).sort(0).values
        b = channel_sums(ctx.showers).sort(0).values
        return [("channel_sums", (a - b).abs().mean()), ("factor", factor)]
    order = torch.argsort(ctx.uniform(2, 1)[:, 0], descending=True)
    shuffled = [v[order] for v in seen]
    if kind == "discriminator":
        fake = generate(ctx, "serve", 0x100, noise, shuffled).detach()
        _, real = judge(ctx, "discriminator", "train", 0x300, images, seen, 1)
        _, fake = judge(ctx, "discriminator", "serve", 0x400, fake, shuffled, 1)
        loss = towards(real, 1.0) + towards(fake, 0.0)
        return [("discriminator", loss), ("real_score", real.sigmoid().mean()), ("fake_score", fake.sigmoid().mean())]
    fake = generate(ctx, "train", 0x100, noise, shuffled)
    hidden, score = judge(ctx, "discriminator", "serve", 0x400, fake, shuffled, 1)
    loss = adversarial = towards(score, 1.0)
    parts = []
    if "coordinates" in c:
        _, found = judge(ctx, "coordinates", "infer", 0x600, fake, [], 2)
        error = (found - brightest(images)[order]).square().sum(1).mean()
        loss = loss + c["coordinates"]["weight"] * error
        parts.append(("coordinate_error", error))
    if "diversity" in c:
        other_noise = ctx.normal(1, c["latent"])
        other = generate(ctx, "serve", 0x200, other_noise, shuffled)
        other_hidden, _ = judge(ctx, "discriminator", "serve", 0x500, other, shuffled, 1)
        apart = lambda a, b: (a - b).abs().mean(1, keepdim=True)
        weights = diversity(seen[0], images, c["diversity"]["bandwidth"])[order] if seen else 1.0
        like = (weights * apart(noise, other_noise) / (apart(hidden, other_hidden) + 1e-6)).mean()
        loss = loss + c["diversity"]["weight"] * like
        parts.append(("diversity", like))
    return [("generator", loss), ("adversarial", adversarial)] + parts
