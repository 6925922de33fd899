#!/usr/bin/env python3
"""Runs an exported generator in ONNX Runtime on the example that was exported with it.

    calogen export hgcal-small --out g.onnx --example g.safetensors
    python3 tools/check_onnx.py g.onnx g.safetensors

Needs onnxruntime and numpy. The largest difference counts relative to the largest cell; above 1e-4 the status is 1.
"""

import json
import struct
import sys

import numpy
import onnxruntime


def tensors(path):
    """The float tensors of a safetensors file."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        yield name, numpy.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])


def main():
    model, example = sys.argv[1:]
    given = dict(tensors(example))
    expected = given.pop("showers")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    worst = 0.0
    # The number of events is open: all at once, and the first three alone.
    for events in (len(expected), min(3, len(expected))):
        (made,) = session.run(["showers"], {n: given[n][:events] for n in names})
        assert made.shape == expected[:events].shape, (made.shape, expected.shape)
        worst = max(worst, float(numpy.abs(made - expected[:events]).max()))
    scale = float(numpy.abs(expected).max())
    print(f"{model}: {len(names)} inputs, largest cell {scale:.5g}, largest difference {worst / scale:.2e} of it")
    sys.exit(worst > 1e-4 * scale)


if __name__ == "__main__":
    main()
