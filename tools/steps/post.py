"""The post processor of generated showers: its network and what it minimises."""

import torch
from torch.nn.functional import leaky_relu


def network(ctx, x, energy):
    p = ctx.config["post"]
    v = torch.cat([x.flatten(1).sum(1, keepdim=True) * p["sum_scale"], energy], 1)
    for i in range(3):
        v = leaky_relu(ctx.linear(f"post.feature{i}", v, p["channels"] // 2), 0.01)
    v = v[:, :, None, None, None].expand(-1, -1, *x.shape[1:])
    y = x[:, None]
    for i in range(p["layers"] - 1):
        y = ctx.conv(f"post.conv{i}", torch.cat([y, v], 1) if i == 1 else y, p["channels"], 1)
        if i < p["layers"] - 2:
            y = ctx.voxel_norm(f"post.conv{i}_norm", y)
        y = leaky_relu(y, 0.01)
    y = ctx.conv(f"post.conv{p['layers'] - 1}", y, 1, 1, bias=False)[:, 0]
    return x + y if p["residual"] else y


def losses(p, copy, y, made, real):
    """Of its output for generated showers and the data's, all [N,Z,X,Y] as networks see them."""
    copied = ((y - made) ** 2).mean()
    if copy:
        return [("copy", copied)]
    terms = [(p["mse"], copied)]
    mine, wanted = (v.flatten(1).sort(1, descending=True)[0] for v in (y, real))
    for k in p["kernels"]:
        terms.append((k["weight"], sorted_kernel_mmd(mine, wanted, k)))
    if p["sorted_mse"] > 0.0:
        terms.append((p["sorted_mse"], ((mine - wanted) ** 2).mean()))
    if p["sorted_mae"] > 0.0:
        terms.append((p["sorted_mae"], (mine - wanted).abs().mean()))
    if p["batch_sum"] > 0.0:
        terms.append((p["batch_sum"], ((real.sum(0) - y.sum(0)) ** 2).mean()))
    return [("post", sum(w * v for w, v in terms))] + [("term", v) for _, v in terms]


def sorted_kernel_mmd(x, y, k):
    """Of cells [N,P], largest first."""
    windows = []
    for j in range(0, min(k["limit"], x.shape[1]), k["stride"]):
        a, b = x[:, j : j + k["size"]], y[:, j : j + k["size"]]
        mean = lambda u, v: torch.exp(-k["alpha"] * (u[:, :, None] - v[:, None]) ** 2).mean((1, 2))
        windows.append(mean(a, a) + mean(b, b) - 2.0 * mean(a, b))
    return torch.stack(windows).mean()
