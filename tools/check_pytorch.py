#!/usr/bin/env python3
"""Weights go to PyTorch and back unchanged, and PyTorch's own layers make the showers that calogen makes.

    check_pytorch.py CALOGEN [WEIGHTS]       (default: tools/weights/hgcal-small.safetensors, model hgcal-wgan)

The forward pass is that of tools/steps/hgcal_wgan.py in float64, from the same addressed random numbers; the showers of
`calogen generate` are float32. Needs NumPy, PyTorch and h5py.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import torch

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))
from steps import common, hgcal_wgan
from to_pytorch import read

SEED, FIRST, EVENTS, TOLERANCE = 5, 1000, 64, 1e-5


class Forward(common.Context):
    """What hgcal_wgan.generator asks for, from a state dictionary."""

    def __init__(self, config, state, labels):
        self.config, self.case, self.turn, self.batch = config, {"seed": SEED}, 0, len(labels)
        self.tensors = {f"generator.{name}": value.double() for name, value in state.items()}
        self.used = set()

    def events(self):
        return [FIRST + i for i in range(self.batch)]

    def tensor(self, name, shape, trainable):
        self.used.add(name)
        found = self.tensors[name]
        assert found.shape == torch.Size(shape), (name, found.shape, shape)
        return found


def backward(p, seen, energy):
    """Cells in the file's unit from what the network makes: src/models/preprocess.rs."""
    x = torch.expm1(seen) if p["log"] else seen
    if p["per_energy"]:
        x = x * energy[:, :, None, None]
    x = x / p["scale"]
    cut = p["threshold"]
    margin = x - cut if cut > 0.0 else torch.full_like(x, torch.inf)
    return torch.where(x >= cut, x, torch.zeros_like(x)) * p["unit"], margin


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    calogen, weights = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else str(here / "weights/hgcal-small.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        state, back, showers = (str(Path(folder) / name) for name in ("state.pt", "back.safetensors", "showers.h5"))
        python = [sys.executable]
        subprocess.run(python + [str(here / "to_pytorch.py"), weights, state], check=True)
        subprocess.run(python + [str(here / "from_pytorch.py"), state, "--like", weights, "--out", back], check=True)
        (before, about), (after, about_after) = read(weights), read(back)
        assert about == about_after and before.keys() == after.keys()
        assert all(np.array_equal(before[name], after[name]) for name in before), "the round trip changes a tensor"
        same = Path(weights).read_bytes() == Path(back).read_bytes()
        generate = [calogen, "generate", back, "--events", str(EVENTS), "--energy", "20,50,90", "--seed", str(SEED)]
        subprocess.run(generate + ["--first-event", str(FIRST), "--threshold", "0", "--out", showers], check=True)
        with h5py.File(showers) as f:
            made, energy, position = f["layers"][:], f["energy"][:], f["position"][:]
        networks = torch.load(state, weights_only=True)["networks"]

    config = json.loads(about["config"])
    energy = torch.tensor(energy.reshape(-1, 1)).double()
    labels = torch.cat([energy / config["energy_scale"], torch.tensor(position).double() / config["position_scale"]], 1)
    ctx = Forward(config, networks["generator"], labels)
    with torch.no_grad():
        seen = hgcal_wgan.generator(ctx, labels, "infer")
        wanted, margin = backward(config["preprocess"], seen, energy)
    unused = set(ctx.tensors) - ctx.used
    assert not unused, f"PyTorch's forward pass has no use for {sorted(unused)}"
    # A cell within rounding of the preprocessing's cut may fall on either side of it.
    clear = (margin.abs() > TOLERANCE * wanted.max()).numpy()
    wanted = wanted.numpy()
    error = np.abs(made - wanted)[clear].max() / wanted.max()
    print(f"{EVENTS} showers, {int((wanted > 0).sum())} cells: largest difference {error:.1e} of the largest cell "
          f"({wanted.max():.1f}); {int((~clear).sum())} cells at the cut left out; files {'equal' if same else 'of equal tensors'}")
    assert (wanted > 0).sum() > 1000 and (~clear).mean() < 1e-3
    if not error <= TOLERANCE:
        raise SystemExit(f"PyTorch's forward pass differs by {error:.1e} > {TOLERANCE}")


if __name__ == "__main__":
    main()
