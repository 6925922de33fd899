"""Tests of calogen.py: python test_calogen.py WEIGHTS. Needs the shared library, see there."""

import copy
import os
import pickle
import sys
import threading

import numpy as np

import calogen

weights = sys.argv[1]
device = calogen.Device()
generator = calogen.Generator(weights, device, batch=16)
assert generator.shape == (7, 12, 15) and generator.unit == "MeV" and len(generator.hash) == 64, generator.__dict__
assert list(generator.ranges) == ["energy", "position_x", "position_y"]
assert generator.cell_size_mm == (10, 10)

energies = np.linspace(20, 90, 21)
labels = generator.labels(energies, seed=3, first_event=100)
assert np.all(labels[:, 0] == energies.astype(np.float32)) and np.all(np.abs(labels[:, 1:]) <= 15)
showers = generator.generate(labels, seed=3, first_event=100)
assert showers.shape == (21, 7, 12, 15) and showers.dtype == np.float32 and np.isfinite(showers).all() and showers.max() > 0
assert np.array_equal(generator.generate(energies, seed=3, first_event=100), showers), "energies alone draw the same labels"
parts = [generator.generate(labels[a:b], 3, 100 + a) for a, b in [(0, 1), (1, 18), (18, 21)]]
assert np.array_equal(np.concatenate(parts), showers), "ranges"
assert not np.array_equal(generator.generate(labels, seed=4), showers), "seeds"
assert generator.generate(labels.astype(float)[:, ::-1][:, ::-1], 3, 100).tobytes() == showers.tobytes(), "any strides, any type"

generator = calogen.Generator(open(weights, "rb").read(), device, threshold=0.05)
offsets, cells, energies_of_hits = generator.hits(labels, seed=3, first_event=100)
wanted = [np.flatnonzero((s > 0) & (s >= np.float32(0.05))) for s in showers.reshape(21, -1)]
assert np.array_equal(offsets, np.cumsum([0] + [len(w) for w in wanted])) and np.array_equal(cells, np.concatenate(wanted))
assert np.array_equal(energies_of_hits, np.concatenate([s[w] for s, w in zip(showers.reshape(21, -1), wanted)]))
assert generator.generate(np.empty((0, 3))).shape == (0, 7, 12, 15) and len(generator.hits(np.empty((0, 3)))[1]) == 0

assert generator.outside(labels) == 0 and generator.outside([[500, 0, 0], [50, 0, -99]]) == 2


def fails(kind, part, what):
    try:
        what()
    except kind as e:
        assert part in str(e), e
    else:
        raise AssertionError(f"no error with '{part}'")


fails(calogen.Error, "-3 GeV", lambda: generator.generate([-3]))
fails(calogen.Error, "event 1: position_x is NaN", lambda: generator.generate([[50, 0, 0], [50, np.nan, 0]]))
fails(calogen.Error, "no.safetensors", lambda: calogen.Generator("no.safetensors", device))
fails(calogen.Error, "safetensors", lambda: calogen.Generator(b"nonsense", device))
fails(calogen.Error, "'none'", lambda: calogen.Device("none"))
fails(ValueError, "[events, 3]", lambda: generator.generate([[50.0]]))
fails(ValueError, "batch", lambda: calogen.Generator(weights, device, batch=0))
for owner in (generator, device):
    for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
        fails(TypeError, "cannot be copied", lambda: duplicate(owner))
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        try:
            generator.generate([50.0])
        except RuntimeError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0, "used after a fork"

found = {}
threads = [threading.Thread(target=lambda i=i: found.update({i: calogen.Generator(weights, device).generate(labels, 3, 100)}))
           for i in range(3)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert len(found) == 3 and all(np.array_equal(f, showers) for f in found.values()), "threads"
print(f"python: calogen {calogen.version()}, {device.name}: all right")
