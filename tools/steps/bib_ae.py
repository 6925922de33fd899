"""The BIB-AE with its post processor, its variants for hadron showers, and the VAE-GAN."""

import math

import torch
from torch.nn.functional import leaky_relu, pad

from . import common, post, prior

LATENT, PRIOR, INTERPOLATION, CODES = 0, 1, 2, 3


def conv(channels, kernel, stride, padding, norm=True, transposed=None):
    three = lambda v: [v] * 3 if isinstance(v, int) else v
    c = dict(channels=channels, kernel=three(kernel), stride=three(stride), padding=three(padding))
    if norm:
        c["norm"] = "voxel"
    if transposed is not None:
        c["transposed"] = three(transposed)
    return c


def cases():
    steady = dict(start=1e-3, factor=0.9)
    plain = dict(unit=1.0, threshold=0.0, per_energy=False, scale=1.0, log=False)
    photons = dict(
        shape=[7, 6, 5],
        preprocess=plain,
        energy_scale=50.0,
        cut=0.1,
        latent=8,
        encoded=3,
        encoder=dict(convs=[conv(3, 4, 2, 2), conv(4, 3, 1, 1)], dense=[9, 6]),
        decoder=dict(
            dense=[6, 8],
            start=[2, 3, 2, 3],
            convs=[
                # 7 x 6 x 9, then 14 x 12 x 10, then 7 x 6 x 5
                conv(3, 3, [3, 3, 3], [1, 1, 1], transposed=[0, 2, 2]),
                conv(3, 3, [2, 2, 1], 1, transposed=[1, 1, 0]),
                conv(2, [2, 2, 3], [2, 2, 2], [0, 0, 1]),
                conv(1, 3, 1, 1, norm=False),
            ],
        ),
        critic=dict(
            convs=[conv(3, 3, 2, 1), conv(4, 2, 1, 0, norm=False)],
            linear_scale=1.0,
            log_scale=1.0,
            difference=True,
            log_difference=False,
            difference_slope=0.01,
            width=5,
            dense=[7, 6],
        ),
        resetting_twin=False,
        latent_critic=dict(widths=[4, 6], rate=steady),
        critic_steps=2,
        penalty=10.0,
        loss=dict(critic=1.0, latent_critic=3.0, kld=0.05, mmd=5.0, mmd_alphas=[1.0, 0.01], mse=0.0),
        betas=[0.5, 0.9],
        rate=steady,
        epochs=3.0,
        post=dict(
            channels=4,
            layers=6,
            sum_scale=0.1,
            residual=False,
            copy_epochs=1.0,
            epochs=1.0,
            joint=False,
            rate=steady,
            mse=1.0,
            kernels=[dict(weight=5.0, alpha=2.0, size=20, stride=7, limit=60)],
            sorted_mse=0.0,
            sorted_mae=0.0,
            batch_sum=0.0,
        ),
        slope=0.2,
        average=0.0,
        batch=4,
    )
    hadron = dict(
        photons,
        origin=[0, 1, 2],
        critic=dict(
            photons["critic"],
            linear_scale=0.3,
            log_scale=4.0,
            log_difference=True,
            difference_slope=0.2,
            statistics=dict(widths=[4, 5, 3], sum_scale=0.05),
        ),
        resetting_twin=True,
        post=dict(
            photons["post"],
            layers=7,
            joint=True,
            kernels=[dict(weight=5.0, alpha=a, size=30, stride=8, limit=1000) for a in (4.0, 0.4)],
            sorted_mse=1.0,
            sorted_mae=2.0,
            batch_sum=0.1,
        ),
    )
    ahcal = dict(
        photons,
        shape=[6, 5, 5],
        padded=[7, 6, 5],
        preprocess=dict(unit=0.5, threshold=0.2, per_energy=True, scale=60.0, log=True),
        loss=dict(photons["loss"], mse=2.0),
        post=dict(photons["post"], residual=True),
    )
    fitted = lambda model: dict(model=model, epochs=1.0, rate=steady)
    density = dict(ahcal, prior=fitted(dict(kde=dict(points=6, bandwidth=1.0))))
    del density["post"]
    kinds_of = ["response", "energy_sum", "hits", "centre_z", "start"]
    flow = dict(
        blocks=1, couplings=2, hidden=2, spline_hidden=2, bins=4, bound=3.0,
        observables=[dict(kind=k, offset=o, scale=s) for k, o, s in zip(kinds_of, [1.0, 40.0, 60.0, 3.0, 1.0], [1.0, 0.05, 0.03, 0.7, 0.4])],
        threshold=0.3, code_scale=0.8, energy_scale=50.0, rescale=True,
    )
    with_flow = dict(density, prior=fitted(dict(flow=flow)), decoder=dict(density["decoder"], observables=True))
    vae_gan = {k: v for k, v in photons.items() if k not in ("latent_critic", "post")}
    vae_gan["critic"] = dict(photons["critic"], difference=False)
    vae_gan["loss"] = dict(photons["loss"], latent_critic=0.0, mmd=0.0)
    # At this seed no leaky ReLU stands so near its edge that float32 falls to the other side, in PyTorch as little as here;
    # a batch of four makes the critics' last biases, on which nothing depends, stay exactly where they are.
    base = dict(conditions=["energy"], batch=4, seed=13, cell_scale=2.0)
    turns = lambda *steps: [[s, 1e-3] for s in steps]
    return {
        # Critics twice, autoencoder; then the post processor on frozen networks.
        "bib-ae": dict(base, model="bib-ae", config=photons, shape=[7, 6, 5], turns=turns(0, 1, 0, 1, 2, 3, 4, 4)),
        # Both critics, latent critic, autoencoder; then all of it beside the post processor.
        "bib-ae-hadron": dict(
            base,
            model="bib-ae-hadron",
            config=hadron,
            shape=[7, 6, 5],
            turns=turns(0, 1, 2, 3, 0, 1, 4, 5),
        ),
        "bib-ae-ahcal": dict(
            base, model="bib-ae-ahcal", config=ahcal, shape=[6, 5, 5], turns=turns(0, 1, 2, 0, 1, 2, 3, 4)
        ),
        # The priors, after a step of the autoencoder.
        "bib-ae-kde": dict(
            base, model="bib-ae", config=density, shape=[6, 5, 5], turns=turns(2, 3, 3)
        ),
        "bib-ae-flow": dict(
            base, model="bib-ae", config=with_flow, shape=[6, 5, 5], turns=turns(2, 3, 3, 3)
        ),
        "vae-gan": dict(base, model="vae-gan", config=vae_gan, shape=[7, 6, 5], cell_scale=6.0, turns=turns(0, 0, 1, 0, 1)),
    }


def kinds(c):
    names = ["critic"] + ["critic_twin"] * c["resetting_twin"]
    names += ["latent_critic"] if "latent_critic" in c else []
    names += ["autoencoder"] + (["copy", "post"] if "post" in c else [])
    return names + ["prior"] * ("prior" in c)


def steps(c):
    networks = dict(autoencoder=["encoder", "decoder"], copy=["post"])
    if "prior" in c:
        networks["prior"] = ["flow"] * ("flow" in c["prior"]["model"])
    return [(networks.get(k, [k]), common.adam(*(() if k == "prior" else c["betas"]))) for k in kinds(c)]


def losses(ctx, step):
    c = ctx.config
    kind = kinds(c)[step]
    x, energy = common.preprocess(c["preprocess"], ctx.showers, ctx.energy), ctx.energy / c["energy_scale"]
    mu, logvar, z, decoded = code(ctx, x, energy)
    if kind == "prior":
        return prior.losses(ctx, mu.detach(), logvar.detach(), CODES)
    weights = c["loss"]
    if kind.startswith("critic"):
        opinion = lambda pair: critic(ctx, kind, pair, energy)
        real, fake = torch.stack([x, x], 1), torch.stack([x, decoded.detach()], 1)
        share = ctx.uniform(INTERPOLATION, 1)[:, :, None, None, None]
        penalty = common.gradient_penalty(opinion, share * real + (1.0 - share) * fake)
        estimate = opinion(real).mean() - opinion(fake).mean()
        return [("critic", c["penalty"] * penalty - estimate), ("wasserstein", estimate), ("penalty", penalty)]
    if kind == "latent_critic":
        opinion = lambda z: latent_critic(ctx, z)
        real, fake = ctx.normal(PRIOR, c["latent"]), z.detach()
        share = ctx.uniform(INTERPOLATION, 1)
        penalty = common.gradient_penalty(opinion, share * real + (1.0 - share) * fake)
        estimate = opinion(real).mean() - opinion(fake).mean()
        return [("latent_critic", c["penalty"] * penalty - estimate), ("estimate", estimate), ("penalty", penalty)]
    if kind == "autoencoder":
        kld = -0.5 * (1.0 + logvar - mu**2 - logvar.exp()).sum() / c["batch"]
        mse = ((x - decoded) ** 2).mean()
        total = weights["kld"] * kld + weights["mse"] * mse
        pair = torch.stack([x, decoded], 1)
        for name in ["critic"] + ["critic_twin"] * c["resetting_twin"]:
            total = total - weights["critic"] * critic(ctx, name, pair, energy).mean()
        if "latent_critic" in c:
            total = total - weights["latent_critic"] * latent_critic(ctx, z).mean()
        noted = [("kld", kld), ("mse", mse)]
        if weights["mmd"] > 0.0:
            mmd = latent_mmd(z, ctx.normal(PRIOR, c["latent"]), weights["mmd_alphas"])
            total = total + weights["mmd"] * mmd
            noted.append(("mmd", mmd))
        return [("autoencoder", total)] + noted
    decoded = decoded.detach()
    return post.losses(c["post"], kind == "copy", post.network(ctx, decoded, energy), decoded, x)


def code(ctx, x, energy):
    """Encodes, draws latent values with noise behind the encoded ones, decodes."""
    c = ctx.config
    slope, shape = c["slope"], c["shape"]
    padded = c.get("padded", shape)
    d, h, w = (p - s for p, s in zip(padded, shape))
    v = pad(x, (0, w, 0, h, 0, d))[:, None]
    for i, k in enumerate(c["encoder"]["convs"]):
        v = leaky_relu(common.volume_layer(ctx, f"encoder.conv{i}", k, v), slope)
    v = torch.cat([v.flatten(1), energy], 1)
    for i, width in enumerate(c["encoder"]["dense"]):
        v = leaky_relu(ctx.linear(f"encoder.dense{i}", v, width), slope)
    mu, logvar = ctx.linear("encoder.mu", v, c["encoded"]), ctx.linear("encoder.logvar", v, c["encoded"])
    noise = c["latent"] - c["encoded"]
    z = pad(mu, (0, noise)) + ctx.normal(LATENT, c["latent"]) * (0.5 * pad(logvar, (0, noise))).exp()

    seen = [prior.observed(ctx, c["prior"])] if c["decoder"].get("observables") else []
    v = torch.cat([z, energy] + seen, 1)
    start = c["decoder"]["start"]
    for i, width in enumerate(c["decoder"]["dense"] + [math.prod(start)]):
        v = leaky_relu(ctx.linear(f"decoder.dense{i}", v, width), slope)
    v = v.view(-1, *start)
    for i, k in enumerate(c["decoder"]["convs"]):
        v = common.volume_layer(ctx, f"decoder.conv{i}", k, v)
        v = v.relu() if i + 1 == len(c["decoder"]["convs"]) else leaky_relu(v, slope)
    assert list(v.shape[1:]) == [1, *padded], v.shape
    return mu, logvar, z, v[:, 0, : shape[0], : shape[1], : shape[2]]


def critic(ctx, net, pair, energy):
    """[N,1] of pairs [N,2,Z,X,Y] of a shower and a candidate."""
    c = ctx.config
    k, slope = c["critic"], c["slope"]
    shower, candidate = pair[:, 0], pair[:, 1]
    # ln(x + 1/s) - ln(1/s)
    log = lambda x: torch.log(x + 1.0 / k["log_scale"]) + math.log(k["log_scale"])
    streams = []
    for name, x in (("linear", candidate * k["linear_scale"]), ("log", log(candidate))):
        v = x[:, None]
        for i, spec in enumerate(k["convs"]):
            v = leaky_relu(common.volume_layer(ctx, f"{net}.{name}{i}", spec, v), slope)
        streams.append(leaky_relu(ctx.linear(f"{net}.{name}_dense", v.flatten(1), k["width"]), slope))
    for name, x in (("difference", candidate - shower), ("log_difference", log(candidate) - log(shower))):
        if k[name]:
            streams.append(leaky_relu(ctx.linear(f"{net}.{name}", x.flatten(1), k["width"]), k["difference_slope"]))
    if "statistics" in k:
        for name, x in (("batch", candidate), ("log_batch", log(candidate))):
            v = statistics(ctx, f"{net}.{name}", k["statistics"], x.flatten(1))
            streams.append(leaky_relu(ctx.linear(f"{net}.{name}", v, k["width"]), slope))
    streams.append(leaky_relu(ctx.linear(f"{net}.energy", energy, k["width"]), slope))
    v = torch.cat(streams, 1)
    for i, width in enumerate(k["dense"]):
        v = leaky_relu(ctx.linear(f"{net}.dense{i}", v, width), slope)
    return ctx.linear(f"{net}.score", v, 1)


def statistics(ctx, name, s, cells):
    """Differences of standard deviation and sum to all showers of the batch, embedded; their spread and mean."""
    parts = []
    for what, figure in (("std", cells.std(1)), ("sum", cells.sum(1) * s["sum_scale"])):
        # [N,1,N]: row n holds the differences to shower n.
        v = (figure[None, :] - figure[:, None])[:, None]
        for i, width in enumerate(s["widths"]):
            weight = ctx.p(f"{name}_{what}{i}.weight", width, v.shape[1], 1, 1, 1)
            v = leaky_relu(torch.nn.functional.conv1d(v, weight[..., 0, 0]), 0.01)
        parts += [v.std(2), v.mean(2)]
    return torch.cat(parts, 1)


def latent_critic(ctx, z):
    """[N,L,1], one value at a time."""
    v = z.reshape(-1, 1)
    for i, width in enumerate(ctx.config["latent_critic"]["widths"]):
        v = leaky_relu(ctx.linear(f"latent_critic.dense{i}", v, width), 0.01)
    return ctx.linear("latent_critic.score", v, 1).view(*z.shape, 1)


def latent_mmd(x, y, alphas):
    """The three sums of all pairs over B^2."""
    total = 0.0
    for alpha in alphas:
        kernel = lambda a, b: torch.exp(-alpha * ((a[:, None] - b[None]) ** 2).sum(2)).sum()
        total = total + (kernel(x, x) + kernel(y, y) - 2.0 * kernel(x, y)) / len(x) ** 2
    return total
