"""The HGCAL WGAN-GP with constrainers: critic, generator and constrainer steps; towers, untied biases, mask, both norms of
the gradient penalty."""

import torch
from torch.nn.functional import leaky_relu

from . import common

SLOPE = 0.2
NOISE, INTERPOLATION = 0, 1


def conv(channels, kernel, stride=1, padding=(0, 0)):
    return dict(channels=channels, kernel=list(kernel), stride=stride, padding=list(padding))


def cases():
    towers = dict(
        shape=[5, 12, 15],
        preprocess=dict(unit=0.5, threshold=1.0, per_energy=False, scale=1.0, log=False),
        energy_scale=1.0,
        position_scale=1.0,
        latent=3,
        normal_noise=False,
        generator=dict(
            towers=2, hidden=4, start=[3, 4], channels=[3, 2, 3, 4], tower_kernel=[5, 9],
            trunk=[conv(3, (3, 3), 1, (1, 1)), conv(4, (5, 6)), conv(3, (3, 3))],
            locally_connected=True, untied=True,
        ),
        critic=dict(
            label=4, convs=[conv(3, (5, 5), 1, (2, 2)), conv(2, (3, 3), 2, (1, 1))], hidden=5, observables=False
        ),
        mask=True, penalty=5.0, legacy_gp=True, critic_steps=2,
        generator_rates=[[1.0, 1e-3]], critic_rates=[[1.0, 1e-3]], average=0.0, batch=4,
    )
    single = dict(
        towers,
        shape=[7, 12, 15],
        preprocess=dict(unit=1.0, threshold=0.0, per_energy=True, scale=40.0, log=True),
        energy_scale=50.0, position_scale=20.0, normal_noise=True,
        generator=dict(
            towers=1, hidden=6, start=[3, 4], channels=[4, 3, 3],
            trunk=[conv(3, (3, 3), 1, (1, 1)), conv(3, (3, 4), 1, (1, 1))], locally_connected=False, untied=False,
        ),
        critic=dict(label=4, convs=[conv(3, (5, 5), 1, (2, 2)), conv(2, (3, 3), 2, (1, 1))], hidden=5, observables=True),
        constrainer=dict(channels=[1, 2, 2, 3, 3, 4], epochs=1.0, rate=1e-3, weight=0.01),
        mask=False, legacy_gp=False,
    )
    conditions = ["energy", "position_x", "position_y"]
    shared = dict(conditions=conditions, batch=4, seed=3, cell_scale=4.0)
    # The second case takes one generator step: biases before batch norm move by rounding errors, and running means with
    # them from the second step on.
    turns = [[0, 1e-3], [1, 1e-3], [0, 1e-3], [1, 1e-3]]
    return {
        "hgcal-wgan-towers": dict(model="hgcal-wgan", config=towers, shape=towers["shape"], turns=turns, **shared),
        "hgcal-wgan": dict(
            model="hgcal-wgan", config=single, shape=single["shape"], turns=[[2, 1e-3], [0, 1e-3], [0, 1e-3], [1, 1e-3]],
            **shared
        ),
    }


def steps(config):
    all_steps = [(["critic"], common.adam(0.0, 0.9)), (["generator"], common.adam(0.0, 0.9))]
    if "constrainer" in config:
        all_steps.append((["energy", "position"], common.adam()))
    return all_steps


def preprocess(c, x, energy):
    p = c["preprocess"]
    x = x / p["unit"]
    x = torch.where(x >= p["threshold"], x, torch.zeros_like(x)) * p["scale"]
    if p["per_energy"]:
        x = x / energy[:, :, None, None]
    return torch.log1p(x) if p["log"] else x


def tower(ctx, name, seed, mode):
    g = ctx.config["generator"]
    rows, columns = g["start"]
    h = leaky_relu(ctx.linear(f"{name}_dense0", seed, g["hidden"]), SLOPE)
    h = leaky_relu(ctx.linear(f"{name}_dense1", h, g["channels"][0] * rows * columns), SLOPE)
    h = h.reshape(-1, g["channels"][0], rows, columns)

    def untied(name, h):
        return h + ctx.p(f"{name}_bias.bias", *h.shape[1:])

    last = len(g["channels"]) - 1
    for i, channels in enumerate(g["channels"][1:], 1):
        biased = not (g["untied"] and i == last)
        h = ctx.conv_transpose(f"{name}_up{i}", h, channels, 3, 2, 1, 1, bias=biased and not g["untied"])
        if biased and g["untied"]:
            h = untied(f"{name}_up{i}", h)
        h = leaky_relu(ctx.batch_norm(f"{name}_up{i}_norm", h, mode), SLOPE)
    if g.get("tower_kernel"):
        h = ctx.conv(f"{name}_layer", h, 1, g["tower_kernel"], bias=not g["untied"])
        if g["untied"]:
            h = untied(f"{name}_layer", h)
        h = leaky_relu(ctx.batch_norm(f"{name}_layer_norm", h, mode), SLOPE)
    return h


def generator(ctx, labels, mode):
    c, g = ctx.config, ctx.config["generator"]
    noise = ctx.normal(NOISE, c["latent"]) if c["normal_noise"] else 2.0 * ctx.uniform(NOISE, c["latent"]) - 1.0
    seed = torch.cat([noise, labels], 1)
    h = torch.cat([tower(ctx, f"generator.tower{i}", seed, mode) for i in range(g["towers"])], 1)
    for i, k in enumerate(g["trunk"]):
        h = ctx.conv(f"generator.trunk{i}", h, k["channels"], k["kernel"], k["stride"], k["padding"])
        h = leaky_relu(ctx.batch_norm(f"generator.trunk{i}_norm", h, mode), SLOPE)
    z, x, y = c["shape"]
    if g["locally_connected"]:
        n, channels, height, width = h.shape
        fan = channels * 9
        weight = ctx.p("generator.cells.weight", height - 2, width - 2, z, fan)
        bias = ctx.p("generator.cells.bias", height - 2, width - 2, z)
        patches = torch.nn.functional.unfold(h, 3).reshape(n, fan, height - 2, width - 2)
        h = torch.einsum("nfhw,hwof->nohw", patches, weight) + bias.permute(2, 0, 1)
        h = h + ctx.p("generator.cells_bias.bias", *h.shape[1:])
    else:
        h = ctx.conv("generator.cells", h, z, 3, 1, 1)
    if c["mask"]:
        h = h * ctx.tensor("generator.mask.mask", (z, x, y), False)
    return h.relu()


def critic(ctx, showers, labels):
    c = ctx.config["critic"]
    _, x, y = ctx.config["shape"]
    plane = leaky_relu(ctx.linear("critic.label0", labels, c["label"]), SLOPE)
    plane = leaky_relu(ctx.linear("critic.label1", plane, x * y), SLOPE).reshape(-1, 1, x, y)
    h = torch.cat([showers, plane], 1)
    for i, k in enumerate(c["convs"]):
        h = ctx.conv(f"critic.conv{i}", h, k["channels"], k["kernel"], k["stride"], k["padding"])
        if i > 0:
            h = ctx.layer_norm(f"critic.conv{i}_norm", h)
        h = leaky_relu(h, SLOPE)
    h = h.flatten(1)
    if c["observables"]:
        p = ctx.config["preprocess"]
        sums = torch.expm1(showers.clamp(-1.0, 7.0)).sum((2, 3)) / p["scale"]
        hits = torch.sigmoid(10.0 * (showers - 0.4)).sum((2, 3)) / 30.0
        h = torch.cat([h, sums, hits], 1)
    h = leaky_relu(ctx.linear("critic.dense0", h, c["hidden"]), SLOPE)
    return ctx.linear("critic.dense1", h, 1)


def constrainer(ctx, net, showers, outputs, mode):
    channels = ctx.config["constrainer"]["channels"]
    h = showers[:, None]
    h = ctx.conv(f"{net}.conv0", h, channels[0], 3, 1, 1, bias=False)
    h = leaky_relu(ctx.batch_norm(f"{net}.conv0_norm", h, mode), SLOPE)
    for i in range(1, 5):
        h = ctx.conv(f"{net}.conv{i}", h, channels[i], (2, 3, 3), bias=False)
        h = leaky_relu(ctx.batch_norm(f"{net}.conv{i}_norm", h, mode), SLOPE)
    h = ctx.conv(f"{net}.conv5", h, channels[5], (2, 3, 5), bias=False)
    h = leaky_relu(h + ctx.p(f"{net}.conv5_bias.bias", *h.shape[1:]), SLOPE).flatten(1)
    h = ctx.linear(f"{net}.dense", h, outputs)
    return h.relu() if outputs == 1 else h


def constraints(ctx, showers, labels, mode):
    energy = constrainer(ctx, "energy", showers, 1, mode)
    position = constrainer(ctx, "position", showers, 2, mode)
    return (energy - labels[:, :1]).square().mean(), (position - labels[:, 1:]).square().mean()


def losses(ctx, step):
    c = ctx.config
    scale = torch.tensor([1.0 / c["energy_scale"], 1.0 / c["position_scale"], 1.0 / c["position_scale"]])
    labels = ctx.conditions * scale
    real = preprocess(c, ctx.showers, ctx.energy)
    if step == 0:
        fake = generator(ctx, labels, "train").detach()
        between = ctx.uniform(INTERPOLATION, 1, 1, 1)
        x = (fake + between * (real - fake)).requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(ctx, x, labels).sum(), x, create_graph=True)
        square = slope.square().sum() if c["legacy_gp"] else slope.flatten(1).square().sum(1)
        penalty = ((square + 1e-12).sqrt() - 1.0).square().mean()
        estimate = critic(ctx, real, labels).mean() - critic(ctx, fake, labels).mean()
        return [("critic", c["penalty"] * penalty - estimate), ("wasserstein", estimate), ("penalty", penalty)]
    if step == 1:
        fake = generator(ctx, labels, "train")
        score = critic(ctx, fake, labels).mean()
        if "constrainer" not in c:
            return [("generator", -score)]
        of_fake = constraints(ctx, fake, labels, "infer")
        of_real = constraints(ctx, real, labels, "infer")
        energy, position = [(r - f).abs() for r, f in zip(of_real, of_fake)]
        loss = c["constrainer"]["weight"] * (energy + position) - score
        return [("generator", loss), ("energy_constraint", energy), ("position_constraint", position)]
    energy, position = constraints(ctx, real, labels, "train")
    return [("constrainers", energy + position), ("energy_mse", energy), ("position_mse", position)]
