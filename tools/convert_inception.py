#!/usr/bin/env python3
"""Brings weights of Inception v3 from a PyTorch file into the safetensors file that `calogen evaluate --inception` reads.

    python tools/convert_inception.py FILE.pth OUT.safetensors [--variant torchvision|pytorch-fid]

FILE.pth is a state dict: torchvision's `inception_v3` (inception_v3_google-*.pth) or pytorch-fid's
(pt_inception-2015-12-05-*.pth). They have the same names and are told apart by the classes of their last layer, 1000 and
1008. That layer and the auxiliary classifier are left out. Needs torch and numpy.
"""

import argparse
import json
import struct
import sys

import numpy as np
import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("out")
    parser.add_argument("--variant", choices=["torchvision", "pytorch-fid"])
    args = parser.parse_args()
    # Tensors and nothing else: a state dict from the internet is not run.
    state = torch.load(args.file, map_location="cpu", weights_only=True)
    variant = args.variant
    if variant is None:
        classes = len(state["fc.bias"]) if "fc.bias" in state else None
        variant = {1000: "torchvision", 1008: "pytorch-fid"}.get(classes)
        if variant is None:
            sys.exit(f"{args.file}: {classes} classes in fc.bias, expected 1000 or 1008: name the --variant")
    left_out = lambda name: name.startswith(("fc.", "AuxLogits.")) or name.endswith("num_batches_tracked")
    tensors = {name: value.float().contiguous().numpy() for name, value in sorted(state.items()) if not left_out(name)}
    if "Mixed_7c.branch_pool.conv.weight" not in tensors:
        sys.exit(f"{args.file}: no tensor Mixed_7c.branch_pool.conv.weight, expected a state dict of Inception v3")
    write(args.out, tensors, {"format": "calogen-inception", "variant": variant})
    print(f"{args.out}: {len(tensors)} tensors of {variant}")


def write(path, tensors, about):
    """A safetensors file of float32."""
    tensors = {name: np.asarray(value, "<f4") for name, value in tensors.items()}
    header, start = {"__metadata__": about}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [start, start + value.nbytes]}
        start += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.tobytes())


if __name__ == "__main__":
    main()
