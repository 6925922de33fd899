"""GAN and WGAN of photon showers."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu

from . import common


def cases():
    raw = dict(unit=1.0, threshold=0.0, per_energy=False, scale=1.0, log=False)
    log = dict(unit=0.5, threshold=0.8, per_energy=True, scale=30.0, log=True)
    gan = dict(
        shape=[6, 6, 10], preprocess=raw, energy_scale=20.0, energies=[10.0, 90.0], latent=5, normal_noise=False,
        start=[2, 2, 3], generator=[6, 4, 3], discriminator=[3, 4, 6], dense=[7], init=0.02, rates=[[1.0, 1e-3]],
        average=0.0, batch=5,
    )
    conv = lambda channels, kernel, stride, padding, norm: dict(
        channels=channels, kernel=kernel, stride=stride, padding=padding, norm=norm
    )
    wgan = dict(
        shape=[6, 6, 10], preprocess=log, energy_scale=50.0, latent=5, normal_noise=True, start=[2, 2, 3],
        generator=[4, 4, 3],
        critic=[conv(3, [3, 2, 2], [1, 2, 2], [0, 1, 1], True), conv(2, [2, 2, 2], [1, 1, 2], [0, 0, 0], False)],
        dense=[8, 5],
        constrainer=dict(
            convs=[conv(3, 3, 2, 0, True), conv(4, 2, 1, 0, False)], dense=[7], adam=False, epochs=1.0, rate=1e-3, weight=0.3
        ),
        spectrum=dict(weight=5.0, size=100, stride=50, limit=200, alpha=0.5), init=0.0, penalty=5.0, critic_steps=2,
        generator_rates=[[1.0, 1e-3]], critic_rates=[[1.0, 1e-3]], average=0.0, batch=5,
    )
    adam = dict(wgan["constrainer"], adam=True)
    plain = {k: v for k, v in wgan.items() if k not in ("spectrum", "constrainer")}
    shared = dict(shape=[6, 6, 10], conditions=["energy"], batch=5, seed=31, cell_scale=6.0)
    turns = [[2, 1e-2], [0, 1e-3], [2, 1e-2], [0, 1e-3], [1, 1e-3], [0, 1e-3], [1, 1e-3]]
    return {
        "gan": dict(model="gan", config=gan, turns=[[0, 1e-3], [1, 1e-3]] * 2, **shared),
        "gan-normal": dict(
            model="gan", config=dict(gan, normal_noise=True, preprocess=log), turns=[[0, 1e-3], [1, 1e-3]] * 2, **shared
        ),
        "wgan": dict(model="wgan", config=wgan, turns=turns, **shared),
        "wgan-adam": dict(
            model="wgan", config=dict(plain, constrainer=adam, normal_noise=False, preprocess=raw), turns=turns, **shared
        ),
        "wgan-plain": dict(model="wgan", config=plain, turns=[[0, 1e-3], [0, 1e-3], [1, 1e-3]], **shared),
    }


def steps(config):
    if "discriminator" in config:
        return [([name], common.adam(0.5, 0.999)) for name in ("discriminator", "generator")]
    constrainer = common.adam() if config.get("constrainer", {}).get("adam") else common.sgd()
    adam = common.adam(0.5, 0.9)
    return [(["critic"], adam), (["generator"], adam), (["constrainer"], constrainer)]


def rise(ctx, x, channels, norm):
    for i, c in enumerate(channels):
        x = ctx.conv_transpose(f"generator.up{i}", x, c, 4, 2, 1, bias=False)
        x = norm(f"generator.up{i}_norm", x).relu()
    return ctx.conv_transpose("generator.cells", x, 1, 3, 1, 2, bias=False).relu()[:, 0]


def voxel(x):
    return x[:, :, None, None, None]


def noise(ctx):
    n = ctx.config["latent"]
    return ctx.normal(0, n) if ctx.config["normal_noise"] else 2.0 * ctx.uniform(0, n) - 1.0


def gan_generator(ctx, energy, mode):
    c = ctx.config
    x = ctx.conv_transpose("generator.start", voxel(noise(ctx) * energy), c["generator"][0], c["start"], bias=False)
    return rise(ctx, x, c["generator"][1:], lambda name, x: ctx.batch_norm(name, x, mode))


def discriminator(ctx, x, energy, mode):
    c = ctx.config
    x, last = x[:, None], len(c["discriminator"]) - 1
    for i, channels in enumerate(c["discriminator"]):
        x = ctx.conv(f"discriminator.conv{i}", x, channels, 3, 2, {0: 3, last: 0}.get(i, 1), bias=False)
        if 0 < i < last:
            x = ctx.batch_norm(f"discriminator.conv{i}_norm", x, mode)
        if i < last:
            x = leaky_relu(x, 0.2)
    x = torch.cat([x.flatten(1), energy], 1)
    for i, width in enumerate(c["dense"]):
        x = leaky_relu(ctx.linear(f"discriminator.dense{i}", x, width), 0.2)
    return ctx.linear("discriminator.real", x, 1)


def gan_losses(ctx, step):
    c = ctx.config
    low, high = c["energies"]
    wanted = (low + (high - low) * ctx.uniform(1, 1)) / c["energy_scale"]
    bce = lambda logits, label: binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
    if step == 1:
        fake = gan_generator(ctx, wanted, "train")
        return [("generator", bce(discriminator(ctx, fake, wanted, "serve"), 1.0))]
    real = common.preprocess(c["preprocess"], ctx.showers, ctx.energy)
    on_real = bce(discriminator(ctx, real, ctx.energy / c["energy_scale"], "train"), 1.0)
    fake = gan_generator(ctx, wanted, "serve").detach()
    on_fake = bce(discriminator(ctx, fake, wanted, "serve"), 0.0)
    return [("discriminator", on_real + on_fake), ("on_real", on_real), ("on_fake", on_fake)]


def wgan_generator(ctx, energy):
    c = ctx.config
    at = lambda name, x: ctx.conv_transpose(f"generator.start_{name}", voxel(x), c["generator"][0], c["start"], bias=False)
    return rise(ctx, torch.cat([at("energy", energy), at("noise", noise(ctx))], 1), c["generator"][1:], ctx.voxel_norm)


def critic(ctx, x, energy):
    x = x[:, None]
    for i, k in enumerate(ctx.config["critic"]):
        x = ctx.conv(f"critic.conv{i}", x, k["channels"], k["kernel"], k["stride"], k["padding"], bias=False)
        if k["norm"]:
            x = leaky_relu(ctx.voxel_norm(f"critic.conv{i}_norm", x), 0.2)
    x = torch.cat([x.flatten(1), energy], 1)
    for i, width in enumerate(ctx.config["dense"]):
        x = leaky_relu(ctx.linear(f"critic.dense{i}", x, width), 0.2)
    return ctx.linear("critic.value", x, 1)


def constrainer(ctx, x):
    k = ctx.config["constrainer"]
    x = x[:, None]
    for i, conv in enumerate(k["convs"]):
        x = ctx.conv(f"constrainer.conv{i}", x, conv["channels"], conv["kernel"], conv["stride"], conv["padding"], bias=False)
        if conv["norm"]:
            x = leaky_relu(ctx.voxel_norm(f"constrainer.conv{i}_norm", x), 0.2)
    x = x.flatten(1)
    for i, width in enumerate(k["dense"]):
        x = leaky_relu(ctx.linear(f"constrainer.dense{i}", x, width), 0.2)
    return ctx.linear("constrainer.energy", x, 1).relu()


def sorted_kernel(spec, x, y):
    """Both [N,cells]; windows over ranks, biased MMD inside each."""
    x, y = (v.sort(1, descending=True).values for v in (x, y))
    windows = []
    for j in range(0, min(spec["limit"], x.shape[1]), spec["stride"]):
        a, b = x[:, j : j + spec["size"]], y[:, j : j + spec["size"]]
        k = lambda u, v: torch.exp(-spec["alpha"] * (u[:, :, None] - v[:, None]).square()).mean((1, 2))
        windows.append((k(a, a) + k(b, b) - 2.0 * k(a, b)).mean())
    return sum(windows) / len(windows)


def wgan_losses(ctx, step):
    c = ctx.config
    energy = ctx.energy / c["energy_scale"]
    if step == 2:
        return [("constrainer", (constrainer(ctx, ctx.showers) - energy).abs().mean())]
    if step == 0:
        real = common.preprocess(c["preprocess"], ctx.showers, ctx.energy)
        fake = wgan_generator(ctx, energy).detach()
        u = ctx.uniform(1, 1, 1, 1)
        penalty = common.gradient_penalty(lambda x: critic(ctx, x, energy), fake + u * (real - fake))
        estimate = critic(ctx, real, energy).mean() - critic(ctx, fake, energy).mean()
        return [("critic", c["penalty"] * penalty - estimate), ("wasserstein", estimate), ("penalty", penalty)]
    seen = wgan_generator(ctx, energy)
    fake = common.postprocess(c["preprocess"], seen, ctx.energy)
    total, parts = -critic(ctx, seen, energy).mean(), []
    if "constrainer" in c:
        squares = [(constrainer(ctx, x) - energy).square() for x in (fake, ctx.showers)]
        difference = (squares[0] - squares[1]).abs().mean()
        total = total + c["constrainer"]["weight"] * difference
        parts.append(("energy_constraint", difference))
    if "spectrum" in c:
        distance = sorted_kernel(c["spectrum"], fake.flatten(1), ctx.showers.flatten(1))
        total = total + c["spectrum"]["weight"] * distance
        parts.append(("spectrum", distance))
    return [("generator", total)] + parts


def losses(ctx, step):
    return (gan_losses if "discriminator" in ctx.config else wgan_losses)(ctx, step)
