"""GAN and WGAN of photon showers, the WGAN of hadron showers."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu

from . import common, post


def conv(channels, kernel, stride, padding, norm, **more):
    three = lambda v: [v] * 3 if isinstance(v, int) else v
    c = dict(channels=channels, kernel=three(kernel), stride=three(stride), padding=three(padding), **more)
    return dict(c, norm=norm) if norm else c


def cases():
    raw = dict(unit=1.0, threshold=0.0, per_energy=False, scale=1.0, log=False)
    log = dict(unit=0.5, threshold=0.8, per_energy=True, scale=30.0, log=True)
    gan = dict(
        shape=[6, 6, 10], preprocess=raw, energy_scale=20.0, energies=[10.0, 90.0], latent=5, normal_noise=False,
        start=[2, 2, 3], generator=[6, 4, 3], discriminator=[3, 4, 6], dense=[7], init=0.02, rates=[[1.0, 1e-3]],
        average=0.0, batch=5,
    )
    regressor = lambda channels, kernel, stride, padding, norm: dict(
        channels=channels, kernel=kernel, stride=stride, padding=padding, norm=norm
    )
    up = lambda channels, kernel, stride, padding: conv(channels, kernel, stride, padding, "voxel", transposed=[0, 0, 0])
    wgan = dict(
        shape=[6, 6, 10], preprocess=log, energy_scale=50.0, cut=0.0, latent=5, normal_noise=True, start=[2, 2, 3],
        start_channels=4, generator=[up(4, 4, 2, 1), up(3, 4, 2, 1), conv(1, 3, 1, 2, None, transposed=[0, 0, 0])],
        critic=dict(
            convs=[conv(3, [3, 2, 2], [1, 2, 2], [0, 1, 1], "voxel"), conv(2, [2, 2, 2], [1, 1, 2], 0, None)],
            slope=0.2, dense=[8, 5],
        ),
        constrainer=dict(
            convs=[regressor(3, 3, 2, 0, True), regressor(4, 2, 1, 0, False)], dense=[7], epochs=1.0, rate=1e-3, weight=0.3
        ),
        spectrum=dict(weight=5.0, size=100, stride=50, limit=200, alpha=0.5), init=0.0, penalty=5.0, critic_steps=2,
        generator_rates=[[1.0, 1e-3]], critic_rates=[[1.0, 1e-3]], average=0.0, batch=5,
    )
    adam = dict(wgan["constrainer"], betas=[0.9, 0.999])
    plain = {k: v for k, v in wgan.items() if k not in ("spectrum", "constrainer")}
    processed = dict(
        plain, cut=0.1,
        post=dict(
            channels=4, layers=5, sum_scale=0.1, residual=False, copy_epochs=1.0, epochs=1.0, joint=False,
            rate=dict(start=1e-3, factor=0.5), mse=1.0, kernels=[dict(weight=5.0, alpha=2.0, size=30, stride=15, limit=90)],
            sorted_mse=0.0, sorted_mae=0.0, batch_sum=0.0,
        ),
    )
    # 2 x 2 x 3, then 4 x 3 x 5, then 7 x 5 x 6.
    hadron = dict(
        plain, shape=[7, 5, 6], origin=[0, 1, 2],
        generator=[up(3, [4, 3, 3], 2, 1), conv(1, [6, 5, 4], 1, 1, None, transposed=[0, 0, 0])],
        critic=dict(
            convs=[conv(3, [4, 5, 3], [1, 2, 1], [2, 3, 1], "instance")], slope=0.0,
            residual=[dict(channels=3, blocks=2, stride=1), dict(channels=4, blocks=2, stride=2)], dense=[6],
        ),
        constrainer=dict(
            convs=[], dense=[9, 8, 7], dense_norms=2, dropout=[0.2, 0.1], betas=[0.5, 0.9], first=True, epochs=1.0,
            rate=1e-3, weight=1.0,
        ),
    )
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
        # Generator, then the post processor to copy, then by the discrepancy.
        "wgan-post": dict(model="wgan-post", config=processed, turns=[[1, 1e-3], [2, 1e-3], [3, 1e-3], [3, 1e-3]], **shared),
        # The constrainer alone, then critic and generator.
        "wgan-hadron": dict(
            model="wgan-hadron", config=hadron, turns=turns, **dict(shared, shape=[7, 5, 6])
        ),
    }


def kinds(c):
    names = ["critic", "generator"] + ["constrainer"] * ("constrainer" in c)
    return names + (["copy", "post"] if "post" in c else [])


def steps(config):
    if "discriminator" in config:
        return [([name], common.adam(0.5, 0.999)) for name in ("discriminator", "generator")]
    betas = config.get("constrainer", {}).get("betas")
    own = dict(constrainer=common.adam(*betas) if betas else common.sgd())
    network = dict(copy="post")
    return [([network.get(k, k)], own.get(k, common.adam(0.5, 0.9))) for k in kinds(config)]


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
    at = lambda name, x: ctx.conv_transpose(f"generator.start_{name}", voxel(x), c["start_channels"], c["start"], bias=False)
    x = torch.cat([at("energy", energy), at("noise", noise(ctx))], 1)
    for i, k in enumerate(c["generator"]):
        name = "generator.cells" if i + 1 == len(c["generator"]) else f"generator.up{i}"
        x = common.volume_layer(ctx, name, k, x).relu()
    return x[:, 0]


def critic(ctx, x, energy):
    k = ctx.config["critic"]
    x = x[:, None]
    for i, conv in enumerate(k["convs"]):
        x = common.volume_layer(ctx, f"critic.conv{i}", conv, x)
        if "norm" in conv:
            x = leaky_relu(x, k["slope"])
    if "residual" in k:
        x = torch.nn.functional.max_pool3d(x, 3, 2, 1)
        for i, stage in enumerate(k["residual"]):
            for j in range(stage["blocks"]):
                x = block(ctx, f"critic.stage{i}_block{j}", x, stage["channels"], stage["stride"] if j == 0 else 1)
        x = x.mean((2, 3, 4), keepdim=True)
    x = torch.cat([x.flatten(1), energy], 1)
    for i, width in enumerate(k["dense"]):
        x = leaky_relu(ctx.linear(f"critic.dense{i}", x, width), k["slope"])
    return ctx.linear("critic.value", x, 1)


def block(ctx, name, x, channels, stride):
    """Two convolutions with instance norms, and beside them the input or a third that fits it."""
    layer = lambda what, x, kernel, stride: common.volume_layer(
        ctx, f"{name}_{what}", conv(channels, kernel, stride, kernel // 2, "instance"), x
    )
    y = layer("conv1", layer("conv0", x, 3, stride).relu(), 3, 1)
    return (y + (x if stride == 1 and x.shape[1] == channels else layer("beside", x, 1, stride))).relu()


def constrainer(ctx, x, mode="infer"):
    k = ctx.config["constrainer"]
    x = x[:, None]
    for i, conv in enumerate(k["convs"]):
        x = ctx.conv(f"constrainer.conv{i}", x, conv["channels"], conv["kernel"], conv["stride"], conv["padding"], bias=False)
        if conv["norm"]:
            x = leaky_relu(ctx.voxel_norm(f"constrainer.conv{i}_norm", x), 0.2)
    x = x.flatten(1)
    for i, width in enumerate(k["dense"]):
        name = f"constrainer.dense{i}"
        x = ctx.linear(name, x, width)
        if i < k.get("dense_norms", 0):
            x = ctx.batch_norm(f"{name}_norm", x, mode)
        x = leaky_relu(x, 0.2)
        if mode == "train" and i < len(k.get("dropout", [])):
            x = ctx.dropout(x, k["dropout"][i], i)
    return ctx.linear("constrainer.energy", x, 1).relu()


def sorted_kernel(spec, x, y):
    """Of cells [N,P] in any order."""
    x, y = (v.sort(1, descending=True).values for v in (x, y))
    return post.sorted_kernel_mmd(x, y, spec)


def wgan_losses(ctx, step):
    c = ctx.config
    energy = ctx.energy / c["energy_scale"]
    kind = kinds(c)[step]
    real = common.preprocess(c["preprocess"], ctx.showers, ctx.energy)
    if kind == "constrainer":
        return [("constrainer", (constrainer(ctx, ctx.showers, "train") - energy).abs().mean())]
    if kind in ("copy", "post"):
        made = wgan_generator(ctx, energy).detach()
        return post.losses(c["post"], kind == "copy", post.network(ctx, made, energy), made, real)
    if kind == "critic":
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
