"""The regressors of energy, and of energy and impact point."""

from torch.nn.functional import leaky_relu

from . import common


def cases():
    conv = lambda channels, kernel, stride, padding, norm: dict(
        channels=channels, kernel=kernel, stride=stride, padding=padding, norm=norm
    )
    base = dict(shape=[9, 8, 10], energy_scale=50.0, slope=0.2, rates=[[1.0, 1e-3]], batch=5)
    plain = dict(
        base, convs=[conv(3, 3, 2, 0, True), conv(4, 2, 1, 0, False)], norm="voxel", dense=[7], dropout=[0.0]
    )
    deep = dict(
        base, convs=[conv(3, 3, 2, 1, True), conv(4, 3, 1, 1, True)], norm="batch", dense=[9, 6], dropout=[0.2, 0.1]
    )
    common_part = dict(shape=[9, 8, 10], conditions=["energy"], batch=5, seed=11, cell_scale=5.0, turns=[[0, 1e-3]] * 3)
    placed = dict(common_part, conditions=["energy", "position_x", "position_y"])
    return {
        "regressor": dict(model="regressor", config=plain, **common_part),
        "regressor-plus": dict(model="regressor-plus", config=deep, **common_part),
        "regressor-position": dict(model="regressor", config=dict(plain, position_scale=25.0), **placed),
    }


def steps(config):
    return [(["regressor"], common.adam())]


def losses(ctx, step):
    c = ctx.config
    x = ctx.showers[:, None]
    for i, k in enumerate(c["convs"]):
        x = ctx.conv(f"regressor.conv{i}", x, k["channels"], k["kernel"], k["stride"], k["padding"], bias=False)
        if k["norm"]:
            name = f"regressor.conv{i}_norm"
            x = ctx.batch_norm(name, x, "train") if c["norm"] == "batch" else ctx.voxel_norm(name, x)
            x = leaky_relu(x, c["slope"])
    x = x.flatten(1)
    for i, width in enumerate(c["dense"]):
        x = leaky_relu(ctx.linear(f"regressor.dense{i}", x, width), c["slope"])
        if c["dropout"][i] > 0.0:
            x = ctx.dropout(x, c["dropout"][i], i)
    energy = ctx.linear("regressor.energy", x, 1).relu()
    energy = (energy - ctx.energy / c["energy_scale"]).abs().mean()
    if "position_scale" not in c:
        return [("l1", energy)]
    position = ctx.linear("regressor.position", x, 2)
    position = (position - ctx.conditions[:, 1:] / c["position_scale"]).abs().mean()
    return [("l1", energy + position), ("energy_l1", energy), ("position_l1", position)]
