#!/usr/bin/env python3
"""State dictionaries of PyTorch as weights of calogen:

    from_pytorch.py STATE.pt --like WEIGHTS.safetensors --out NEW.safetensors [--rename OLD=NEW]... [--note TEXT]

STATE.pt is what to_pytorch.py writes, or {network: state dictionary}, or the state dictionary of the only network. Names and
shapes must be those of --like, of which the metadata (model, configuration, detector, unit, ranges of the labels) are taken;
--rename replaces the beginning of a tensor's name first. Needs NumPy and PyTorch.
"""

import argparse
import json
import os
import struct

import numpy as np
import torch

from to_pytorch import read


def write(path, tensors, metadata):
    """A safetensors file with its names in order, as calogen writes it; beside and renamed."""
    header, data = {"__metadata__": metadata}, bytearray()
    for name in sorted(tensors):
        values = np.ascontiguousarray(tensors[name], "<f4")
        start = len(data)
        data += values.tobytes()
        header[name] = {"data_offsets": [start, len(data)], "dtype": "F32", "shape": list(values.shape)}
    text = json.dumps(header, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    beside = f"{path}.tmp-{os.getpid()}"
    with open(beside, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    os.replace(beside, path)


def flat(state, wanted):
    """Tensors by their names in the weights file."""
    state = state.get("networks", state)
    if all(isinstance(value, torch.Tensor) for value in state.values()):
        only = sorted({name.split(".", 1)[0] for name in wanted})
        if len(only) != 1:
            raise SystemExit(f"the model has the networks {', '.join(only)}: give {{network: state dictionary}}")
        state = {only[0]: state}
    return {f"{network}.{name}": value for network, tensors in state.items() for name, value in tensors.items()}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("state")
    arguments.add_argument("--like", required=True, metavar="WEIGHTS")
    arguments.add_argument("--out", required=True, metavar="NEW")
    arguments.add_argument("--rename", action="append", default=[], metavar="OLD=NEW")
    arguments.add_argument("--note", default=None, help="replaces the recorded quality, which need not hold any more")
    a = arguments.parse_args()
    wanted, metadata = read(a.like)
    found = {}
    for name, value in flat(torch.load(a.state, map_location="cpu", weights_only=True), wanted).items():
        if name.endswith(".num_batches_tracked"):  # PyTorch's own count, which nothing needs
            continue
        for rename in a.rename:
            old, _, new = rename.partition("=")
            if name.startswith(old):
                name = new + name[len(old):]
                break
        found[name] = value.detach().to(torch.float32).numpy()
    missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing or extra:
        raise SystemExit(f"{a.state}: missing {missing or 'nothing'}, superfluous {extra or 'nothing'}")
    for name, value in found.items():
        if value.shape != wanted[name].shape:
            raise SystemExit(f"{a.state}: tensor '{name}' has shape {list(value.shape)}, expected {list(wanted[name].shape)}")
        if not np.isfinite(value).all():
            raise SystemExit(f"{a.state}: tensor '{name}' is not finite")
    if a.note is not None:
        metadata["quality"] = a.note
    write(a.out, found, metadata)
    print(f"{a.out}: {len(found)} tensors")


if __name__ == "__main__":
    main()
