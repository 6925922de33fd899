#!/usr/bin/env python3
"""Features of Inception v3 with a 16th of the channels, computed by PyTorch in float64: cases for tests/systems/inception.rs.

    python tools/make_inception.py [--out tests/inception] [--whole FILE.safetensors]

Weights and images are made from names. `--whole` writes made-up weights of the whole network too, in the form of
tools/convert_inception.py, to time it without the real ones. Written from the paper and from what torchvision and pytorch-fid
document of their layers. Needs torch and numpy.
"""

import argparse
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from convert_inception import write
from steps.common import f32, named

SIZE, IMAGES = 79, 3


def made_up(name, shape):
    u = 2 * named(name, int(np.prod(shape))) - 1
    if name.endswith("conv.weight"):
        # keeps the size of what passes through it and a ReLU
        v = u * math.sqrt(6 / np.prod(shape[1:]))
    elif name.endswith(("bn.weight", "running_var")):
        v = 1 + 0.25 * u
    else:
        v = 0.1 * u
    return f32(v).reshape(shape)


class Inception:
    def __init__(self, variant, divide):
        self.padded = variant == "torchvision"
        self.divide = divide
        self.tensors = {}

    def tensor(self, name, *shape):
        self.tensors[name] = made_up(name, shape)
        return torch.tensor(self.tensors[name])

    def conv(self, name, x, channels, kernel, stride=1, padding=0):
        channels //= self.divide
        kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        x = F.conv2d(x, self.tensor(f"{name}.conv.weight", channels, x.shape[1], *kernel), None, stride, padding)
        mean, var = [self.tensor(f"{name}.bn.running_{what}", channels) for what in ("mean", "var")]
        weight, bias = [self.tensor(f"{name}.bn.{what}", channels) for what in ("weight", "bias")]
        return F.relu(F.batch_norm(x, mean, var, weight, bias, eps=1e-3))

    def mean_pool(self, x):
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=self.padded)

    def block_a(self, n, x, pooled):
        a = self.conv(f"{n}.branch1x1", x, 64, 1)
        b = self.conv(f"{n}.branch5x5_1", x, 48, 1)
        b = self.conv(f"{n}.branch5x5_2", b, 64, 5, padding=2)
        c = self.conv(f"{n}.branch3x3dbl_1", x, 64, 1)
        c = self.conv(f"{n}.branch3x3dbl_2", c, 96, 3, padding=1)
        c = self.conv(f"{n}.branch3x3dbl_3", c, 96, 3, padding=1)
        d = self.conv(f"{n}.branch_pool", self.mean_pool(x), pooled, 1)
        return torch.cat([a, b, c, d], 1)

    def block_b(self, n, x):
        a = self.conv(f"{n}.branch3x3", x, 384, 3, 2)
        b = self.conv(f"{n}.branch3x3dbl_1", x, 64, 1)
        b = self.conv(f"{n}.branch3x3dbl_2", b, 96, 3, padding=1)
        b = self.conv(f"{n}.branch3x3dbl_3", b, 96, 3, 2)
        return torch.cat([a, b, F.max_pool2d(x, 3, 2)], 1)

    def block_c(self, n, x, c7):
        a = self.conv(f"{n}.branch1x1", x, 192, 1)
        b = self.conv(f"{n}.branch7x7_1", x, c7, 1)
        b = self.conv(f"{n}.branch7x7_2", b, c7, (1, 7), padding=(0, 3))
        b = self.conv(f"{n}.branch7x7_3", b, 192, (7, 1), padding=(3, 0))
        c = self.conv(f"{n}.branch7x7dbl_1", x, c7, 1)
        c = self.conv(f"{n}.branch7x7dbl_2", c, c7, (7, 1), padding=(3, 0))
        c = self.conv(f"{n}.branch7x7dbl_3", c, c7, (1, 7), padding=(0, 3))
        c = self.conv(f"{n}.branch7x7dbl_4", c, c7, (7, 1), padding=(3, 0))
        c = self.conv(f"{n}.branch7x7dbl_5", c, 192, (1, 7), padding=(0, 3))
        d = self.conv(f"{n}.branch_pool", self.mean_pool(x), 192, 1)
        return torch.cat([a, b, c, d], 1)

    def block_d(self, n, x):
        a = self.conv(f"{n}.branch3x3_1", x, 192, 1)
        a = self.conv(f"{n}.branch3x3_2", a, 320, 3, 2)
        b = self.conv(f"{n}.branch7x7x3_1", x, 192, 1)
        b = self.conv(f"{n}.branch7x7x3_2", b, 192, (1, 7), padding=(0, 3))
        b = self.conv(f"{n}.branch7x7x3_3", b, 192, (7, 1), padding=(3, 0))
        b = self.conv(f"{n}.branch7x7x3_4", b, 192, 3, 2)
        return torch.cat([a, b, F.max_pool2d(x, 3, 2)], 1)

    def block_e(self, n, x, largest):
        a = self.conv(f"{n}.branch1x1", x, 320, 1)
        b = self.conv(f"{n}.branch3x3_1", x, 384, 1)
        b = [self.conv(f"{n}.branch3x3_2a", b, 384, (1, 3), padding=(0, 1)),
             self.conv(f"{n}.branch3x3_2b", b, 384, (3, 1), padding=(1, 0))]
        c = self.conv(f"{n}.branch3x3dbl_1", x, 448, 1)
        c = self.conv(f"{n}.branch3x3dbl_2", c, 384, 3, padding=1)
        c = [self.conv(f"{n}.branch3x3dbl_3a", c, 384, (1, 3), padding=(0, 1)),
             self.conv(f"{n}.branch3x3dbl_3b", c, 384, (3, 1), padding=(1, 0))]
        d = F.max_pool2d(x, 3, 1, 1) if largest else self.mean_pool(x)
        return torch.cat([a, *b, *c, self.conv(f"{n}.branch_pool", d, 192, 1)], 1)

    def features(self, x):
        x = 2 * x.expand(-1, 3, -1, -1) - 1
        x = self.conv("Conv2d_1a_3x3", x, 32, 3, 2)
        x = self.conv("Conv2d_2a_3x3", x, 32, 3)
        x = self.conv("Conv2d_2b_3x3", x, 64, 3, padding=1)
        x = F.max_pool2d(x, 3, 2)
        x = self.conv("Conv2d_3b_1x1", x, 80, 1)
        x = self.conv("Conv2d_4a_3x3", x, 192, 3)
        x = F.max_pool2d(x, 3, 2)
        for name, pooled in [("5b", 32), ("5c", 64), ("5d", 64)]:
            x = self.block_a(f"Mixed_{name}", x, pooled)
        x = self.block_b("Mixed_6a", x)
        for name, c7 in [("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)]:
            x = self.block_c(f"Mixed_{name}", x, c7)
        x = self.block_d("Mixed_7a", x)
        x = self.block_e("Mixed_7b", x, False)
        x = self.block_e("Mixed_7c", x, not self.padded)
        return x.mean((2, 3))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=pathlib.Path(__file__).parent.parent / "tests/inception", type=pathlib.Path)
    parser.add_argument("--whole", type=pathlib.Path)
    args = parser.parse_args()
    images = torch.tensor(f32(named("images", IMAGES * SIZE * SIZE))).reshape(IMAGES, 1, SIZE, SIZE)
    for variant in ["torchvision", "pytorch-fid"]:
        network = Inception(variant, 16)
        features = network.features(images).numpy()
        shapes = {name: list(value.shape) for name, value in network.tensors.items()}
        case = {"variant": variant, "size": SIZE, "tensors": shapes, "features": features.reshape(-1).tolist()}
        (args.out / f"{variant}.json").write_text(json.dumps(case) + "\n")
        print(f"{variant}: {features.shape}, rms {np.sqrt((features**2).mean()):.4f}")
    if args.whole:
        network = Inception("torchvision", 1)
        network.features(images[:1])
        write(args.whole, dict(sorted(network.tensors.items())), {"format": "calogen-inception", "variant": "torchvision"})


if __name__ == "__main__":
    main()
