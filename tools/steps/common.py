"""What every reference of a training step needs: the crate's addressed random numbers, made-up data and weights, the loop.

Everything is float64. Weights and data are not stored: both sides make them from names by `named`, and tests/systems/
steps.rs says the same rules in Rust.
"""

import math

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def philox(counter, key):
    """Philox4x32-10 of Salmon et al. (2011): counter [n,4] and key (2,) as uint64 arrays of 32-bit words."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k = [np.uint64(key[0]), np.uint64(key[1])]
    mask = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c[0]
        p1 = np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k[0], p1 & mask, (p0 >> np.uint64(32)) ^ c[3] ^ k[1], p0 & mask]
        k = [(k[0] + np.uint64(0x9E3779B9)) & mask, (k[1] + np.uint64(0xBB67AE85)) & mask]
    return np.stack(c, 1)


def unit(words):
    return ((words >> np.uint64(9)).astype(np.float64) + 0.5) / 8388608.0


def words(seed, stream, events, elements):
    """Random words [len(events), elements]."""
    blocks = (elements + 3) // 4
    counter = np.zeros((len(events), blocks, 4), np.uint64)
    counter[:, :, 0] = np.arange(blocks)
    counter[:, :, 1] = stream
    counter[:, :, 2] = (np.asarray(events, np.uint64) & np.uint64(0xFFFFFFFF))[:, None]
    counter[:, :, 3] = (np.asarray(events, np.uint64) >> np.uint64(32))[:, None]
    out = philox(counter.reshape(-1, 4), (seed & 0xFFFFFFFF, seed >> 32))
    return out.reshape(len(events), blocks * 4)[:, :elements]


def uniform(seed, stream, events, elements):
    return unit(words(seed, stream, events, elements))


def normal(seed, stream, events, elements):
    even = elements + elements % 2
    u = unit(words(seed, stream, events, even))
    radius = np.sqrt(-2.0 * np.log(u[:, 0::2]))
    angle = 2.0 * math.pi * u[:, 1::2]
    out = np.empty_like(u)
    out[:, 0::2] = radius * np.cos(angle)
    out[:, 1::2] = radius * np.sin(angle)
    return out[:, :elements]


def named(name, count):
    """`count` numbers in (0, 1) that belong to a name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return uniform(seed, 0, [0], count)[0]


def f32(a):
    return np.asarray(a, np.float32).astype(np.float64)


def initial(name, shape):
    """The made-up start of a tensor."""
    u = 2.0 * named(name, int(np.prod(shape))) - 1.0
    layer, _, last = name.rpartition(".")
    if last in ("running_var", "std"):
        v = 1.0 + 0.25 * u
    elif last == "mask":
        v = (u > -0.5).astype(np.float64)
    elif layer.endswith("norm") and last == "weight":
        v = 1.0 + 0.25 * u
    elif last in ("bias", "running_mean", "mean"):
        v = 0.1 * u
    elif len(shape) >= 2:
        v = u * math.sqrt(3.0 / np.prod(shape[1:]))
    else:
        v = 0.5 * u
    return f32(v).reshape(shape)


class Context:
    """What a reference sees of one turn."""

    def __init__(self, case):
        self.case = case
        self.config = case["config"]
        self.batch = case["batch"]
        self.tensors = {}
        self.starts = {}
        self.turn = 0
        n, shape = self.batch, case["shape"]
        cells = np.maximum(named("showers", n * int(np.prod(shape))) - 0.6, 0.0) * case["cell_scale"]
        # [N,Z,X,Y]
        self.showers = torch.tensor(f32(cells).reshape(n, *shape))
        columns = []
        for condition in case["conditions"]:
            u = named(condition, n)
            columns.append(f32(10.0 + 80.0 * u if condition == "energy" else 6.0 * u - 3.0))
        # [N,C]
        self.conditions = torch.tensor(np.stack(columns, 1))

    @property
    def energy(self):
        """[N,1] in GeV."""
        return self.conditions[:, :1]

    def p(self, name, *shape):
        """A trainable tensor."""
        return self.tensor(name, shape, True)

    def tensor(self, name, shape, trainable):
        if name not in self.tensors:
            self.tensors[name] = torch.tensor(initial(name, shape), requires_grad=trainable)
            self.starts[name] = self.tensors[name].detach().clone()
        assert self.tensors[name].shape == torch.Size(shape), (name, self.tensors[name].shape, shape)
        return self.tensors[name]

    def events(self):
        return [self.turn * self.batch + i for i in range(self.batch)]

    def uniform(self, stream, *shape):
        """[N,*shape] in (0, 1)."""
        count = int(np.prod(shape))
        return torch.tensor(uniform(self.case["seed"], stream, self.events(), count).reshape(-1, *shape))

    def normal(self, stream, *shape):
        count = int(np.prod(shape))
        return torch.tensor(normal(self.case["seed"], stream, self.events(), count).reshape(-1, *shape))

    # Layers with the crate's tensor names.

    def linear(self, name, x, outputs):
        return torch.nn.functional.linear(x, self.p(f"{name}.weight", outputs, x.shape[1]), self.p(f"{name}.bias", outputs))

    def conv(self, name, x, outputs, kernel, stride=1, padding=0, bias=True):
        """Two or three dimensions, as x has."""
        d = x.dim() - 2
        kernel = (kernel,) * d if isinstance(kernel, int) else tuple(kernel)
        w = self.p(f"{name}.weight", outputs, x.shape[1], *kernel)
        b = self.p(f"{name}.bias", outputs) if bias else None
        run = torch.nn.functional.conv2d if d == 2 else torch.nn.functional.conv3d
        return run(x, w, b, stride=stride, padding=padding)

    def conv_transpose(self, name, x, outputs, kernel, stride=1, padding=0, more=0, bias=True):
        d = x.dim() - 2
        kernel = (kernel,) * d if isinstance(kernel, int) else tuple(kernel)
        w = self.p(f"{name}.weight", x.shape[1], outputs, *kernel)
        b = self.p(f"{name}.bias", outputs) if bias else None
        run = torch.nn.functional.conv_transpose2d if d == 2 else torch.nn.functional.conv_transpose3d
        return run(x, w, b, stride=stride, padding=padding, output_padding=more)

    def voxel_norm(self, name, x):
        """LayerNorm over voxels of [N,C,...]: affine per voxel."""
        shape = x.shape[2:]
        return torch.nn.functional.layer_norm(x, shape, self.p(f"{name}.weight", *shape), self.p(f"{name}.bias", *shape))

    def layer_norm(self, name, x):
        """Over channels and voxels of a shower: affine per channel."""
        c = x.shape[1]
        y = torch.nn.functional.layer_norm(x, x.shape[1:])
        view = (1, c) + (1,) * (x.dim() - 2)
        return y * self.p(f"{name}.weight", c).view(view) + self.p(f"{name}.bias", c).view(view)

    def batch_norm(self, name, x, mode, momentum=0.1):
        """mode 'train', 'serve' (batch statistics, running ones stay) or 'infer'."""
        c = x.shape[1]
        mean = self.tensor(f"{name}.running_mean", (c,), False)
        var = self.tensor(f"{name}.running_var", (c,), False)
        if mode == "serve":
            mean, var = mean.clone(), var.clone()
        return torch.nn.functional.batch_norm(
            x, mean, var, self.p(f"{name}.weight", c), self.p(f"{name}.bias", c), mode != "infer", momentum
        )

    def dropout(self, x, p, stream):
        u = self.uniform(stream, *x.shape[1:])
        return x * (u > p) / (1.0 - p)


def volume_layer(ctx, name, k, x):
    """A convolution of a configuration, with its norm."""
    if "transposed" in k:
        x = ctx.conv_transpose(name, x, k["channels"], k["kernel"], k["stride"], k["padding"], k["transposed"], bias=False)
    else:
        x = ctx.conv(name, x, k["channels"], k["kernel"], k["stride"], k["padding"], bias=False)
    norms = {"voxel": ctx.voxel_norm, "instance": lambda _, x: torch.nn.functional.instance_norm(x)}
    return norms[k["norm"]](f"{name}_norm", x) if "norm" in k else x


def gradient_penalty(critic, x):
    """Mean over showers of (|d critic / dx| - 1)^2."""
    x = x.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    norm = (slope.flatten(1).square().sum(1) + 1e-12).sqrt()
    return (norm - 1.0).square().mean()


def run(case, reference):
    """Takes the case's turns and returns what the crate must reproduce."""
    ctx = Context(case)
    steps = reference.steps(case["config"])
    optimizers = {}
    losses, first_gradient, largest = [], {}, {}
    for turn, (step, rate) in enumerate(case["turns"]):
        ctx.turn = turn
        networks, make = steps[step]
        values = reference.losses(ctx, step)
        losses.append([float(v.detach()) for _, v in values])
        mine = [
            (name, t) for name, t in ctx.tensors.items() if t.requires_grad and name.split(".")[0] in networks
        ]
        wanted = [t for _, t in mine]
        gradients = torch.autograd.grad(values[0][1], wanted, allow_unused=True) if wanted else []
        for (name, tensor), gradient in zip(mine, gradients):
            tensor.grad = torch.zeros_like(tensor) if gradient is None else gradient
            first_gradient.setdefault(name, tensor.grad.clone())
            largest[name] = torch.maximum(largest.get(name, torch.zeros_like(tensor)), tensor.grad.abs()).detach()
            if name not in optimizers:
                optimizers[name] = make(tensor)
            optimizers[name].param_groups[0]["lr"] = rate
            optimizers[name].step()
    parameters = {}
    for name, tensor in ctx.tensors.items():
        flat = tensor.detach().flatten()
        update = flat - ctx.starts[name].flatten()
        # Where the gradient is large: elsewhere Adam divides rounding errors by themselves.
        size = first_gradient.get(name, torch.zeros_like(tensor)).flatten().abs()
        pick = torch.argsort(size, descending=True)[:6].tolist() if size.max() > 0 else list(range(min(6, len(flat))))
        # Elements on which nothing depends, such as a bias before a norm: Adam moves them by rounding errors, anywhere.
        g = largest.get(name, torch.zeros_like(tensor)).flatten()
        idle = (0.0 < g) & (g < 1e-13)
        parameters[name] = {
            "update": float(update[~idle].abs().mean()) if not idle.all() else 0.0,
            "at": [i for i in pick if not idle[i]],
            "values": [float(flat[i]) for i in pick if not idle[i]],
        }
        if idle.any():
            parameters[name]["idle"] = idle.nonzero().flatten().tolist()
    return {**case, "losses": losses, "loss_names": [n for n, _ in values], "parameters": parameters}


def adam(beta1=0.9, beta2=0.999, eps=1e-8):
    return lambda tensor: torch.optim.Adam([tensor], lr=0.0, betas=(beta1, beta2), eps=eps)


def rmsprop(alpha=0.99, eps=1e-8):
    return lambda tensor: torch.optim.RMSprop([tensor], lr=0.0, alpha=alpha, eps=eps)


def sgd():
    return lambda tensor: torch.optim.SGD([tensor], lr=0.0)


def preprocess(config, x, energy):
    """Showers [N,Z,X,Y] in the file's unit as networks see them."""
    x = x / config["unit"]
    x = torch.where(x < config["threshold"], torch.zeros_like(x), x) * config["scale"]
    if config["per_energy"]:
        x = x / energy[:, :, None, None]
    return x.log1p() if config["log"] else x


def postprocess(config, x, energy):
    """The inverse."""
    x = x.expm1() if config["log"] else x
    if config["per_energy"]:
        x = x * energy[:, :, None, None]
    x = x / config["scale"]
    return torch.where(x < config["threshold"], torch.zeros_like(x), x) * config["unit"]
