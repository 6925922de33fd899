#!/usr/bin/env python3
"""Weights of calogen as PyTorch state dictionaries: to_pytorch.py WEIGHTS.safetensors OUT.pt

OUT.pt holds {"networks": {network: state dictionary}, "metadata": {...}}; its names and shapes are PyTorch's own, so that

    module.load_state_dict(torch.load("OUT.pt")["networks"]["generator"])

needs only layers of the same names. `calogen models MODEL` lists them. Needs NumPy and PyTorch.
"""

import json
import struct
import sys
from collections import OrderedDict

import numpy as np
import torch


def read(path):
    """Tensors by name, and the metadata, of a safetensors file of float32."""
    with open(path, "rb") as f:
        data = f.read()
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8:
        raise SystemExit(f"{path}: a header of {length} bytes is claimed in a file of {len(data)}")
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, about in header.items():
        if about["dtype"] != "F32":
            raise SystemExit(f"{path}: tensor '{name}' is {about['dtype']}, expected F32")
        start, stop = (8 + length + offset for offset in about["data_offsets"])
        tensors[name] = np.frombuffer(data[start:stop], "<f4").reshape(about["shape"])
    return tensors, metadata


def networks(tensors):
    """A state dictionary for each network."""
    found = {}
    for name in sorted(tensors):
        network, tensor = name.split(".", 1)
        found.setdefault(network, OrderedDict())[tensor] = torch.from_numpy(tensors[name].copy())
    return found


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    tensors, metadata = read(sys.argv[1])
    if metadata.get("format") != "calogen":
        raise SystemExit(f"{sys.argv[1]}: no weights of calogen")
    found = networks(tensors)
    torch.save({"networks": found, "metadata": metadata}, sys.argv[2])
    print(f"{sys.argv[2]}: " + ", ".join(f"{n} ({len(state)} tensors)" for n, state in found.items()))


if __name__ == "__main__":
    main()
