#!/usr/bin/env python3
"""Golden test cases for a GPU tensor library, from PyTorch in float64.

usage: make_goldens.py --seed S --out DIR [--cases N] [--only op,op,...] [--list]

One safetensors file per case, DIR/<op>_<i>.safetensors.  tests/goldens/README.md
describes the format and every op.  Inputs are rounded to float32
before the float64 oracle runs; results are rounded to float32 when stored.

Every case is checked while it is made:
  * every stored value is finite;
  * gradients agree with a central finite difference of the float64 forward
    along a random direction through all differentiable inputs at once;
  * the same op run by torch in float32 stays within 1/8 of the stored
    tolerance (atol is raised where the op needs it);
  * the tolerance is far below the size of the values, so the case can fail.
"""
import os
for _v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_v, "1")
import argparse
import json
import math
import struct
import sys
import time
import zlib

import numpy as np
import scipy.linalg
import scipy.spatial.distance
import scipy.stats
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
# Only the float32 comparison runs would use oneDNN; some builds of it read
# uninitialised memory in some padded conv3d shapes, so keep it out.
torch.backends.mkldnn.set_flags(False)
F64 = torch.float64
SOURCE = f"torch {torch.__version__} float64"


# ----------------------------------------------------------------------------
# File format
# ----------------------------------------------------------------------------
def write_safetensors(path, tensors, metadata):
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, a in tensors.items():
        a = np.asarray(a)
        kind = {"float32": ("F32", "<f4"), "int32": ("I32", "<i4")}[a.dtype.name]
        blob = np.ascontiguousarray(a, kind[1]).tobytes()
        header[name] = {"dtype": kind[0], "shape": list(a.shape),
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


# ----------------------------------------------------------------------------
# Cases and the random source they are drawn from
# ----------------------------------------------------------------------------
class Case:
    """inputs: name -> float32 or int32 array.  fn: dict of torch tensors ->
    dict of outputs.  diff: inputs that get a gradient.  cot: fixed cotangents
    (output name -> array).  check: called with (float64 inputs, outputs,
    grads) for op-specific assertions."""

    def __init__(self, attrs, inputs, fn, diff=(), rtol=1e-5, atol=1e-5,
                 cot=None, check=None, source=SOURCE):
        self.attrs, self.fn, self.diff = attrs, fn, list(diff)
        self.inputs = {k: np.asarray(v, np.int32 if np.asarray(v).dtype.kind in "iu"
                                     else np.float32) for k, v in inputs.items()}
        self.rtol, self.atol, self.cot = rtol, atol, cot or {}
        self.check, self.source = check, source


class Draw:
    """Random choices for one case; small=True asks for small shapes; attempt
    counts redraws of a case whose values turned out too small to test."""

    def __init__(self, seed, op, i, attempt=0, small=False):
        self.rng = np.random.default_rng([seed, zlib.crc32(op.encode()), i, attempt])
        self.seed, self.i, self.attempt, self.small = seed, i, attempt, small
        self.flip = bool((i + i // 4 + seed) % 2)   # alternates over i and seed

    def int(self, lo, hi):
        return int(self.rng.integers(lo, hi + 1))

    def ints(self, lo, hi, n):
        return [self.int(lo, hi) for _ in range(n)]

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def real(self, lo, hi, digits=3):
        return round(float(self.rng.uniform(lo, hi)), digits)

    def normal(self, shape, scale=1.0):
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def uniform(self, lo, hi, shape):
        return self.rng.uniform(lo, hi, shape).astype(np.float32)

    def away(self, shape, points=(0.0,), margin=1e-2, scale=1.0):
        """Normal values, none within margin of the given points."""
        x = self.rng.standard_normal(shape) * scale
        for _ in range(20):
            bad = np.zeros(np.shape(x), bool)
            for p in points:
                bad |= np.abs(x - p) < margin
            if not bad.any():
                return x.astype(np.float32)
            x = np.where(bad, x + 3.1 * margin, x)
        raise AssertionError("could not leave the margin")

    def distinct(self, shape, lo=-3.0, hi=3.0):
        """Values in (lo, hi), any two at least 0.4 (hi-lo)/n apart."""
        n = int(np.prod(shape))
        slot = self.rng.permutation(n) + 0.5 + self.rng.uniform(-0.3, 0.3, n)
        return (lo + (hi - lo) * slot / n).reshape(shape).astype(np.float32)

    def shape(self, lo=1, hi=5, cap=3000):
        """A shape of lo..hi dimensions; odd sizes and size-1 dims are common."""
        while True:
            s = [self.pick([1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33])
                 for _ in range(self.int(lo, hi))]
            if 2 <= np.prod(s) <= cap:
                return s

    def volume(self, batch=(1, 3), chan=(1, 7), side=(1, 8), cap=6000, least=1):
        while True:
            s = [self.int(*batch), self.int(*chan)] + self.ints(*side, 3)
            if np.prod(s) <= cap and np.prod(s[2:]) >= least:
                return s


REGISTRY = {}


def op(name, per=1):
    """Registers the generator of an op; `per` files are made per case."""
    def add(f):
        REGISTRY[name] = (f, per)
        return f
    return add


# ----------------------------------------------------------------------------
# Convolutions, linear, locally connected
# ----------------------------------------------------------------------------
CONV_TOL = dict(rtol=1e-4, atol=2e-5)


def conv_shapes(d, nd, transposed):
    """(batch, cin, cout, size, kernel, stride, padding, output_padding)."""
    theme = d.i % 2 if d.small else d.i % 4
    cap = 1200 if d.small else 27000
    while True:
        opad = [0] * nd
        if theme == 0:                                # tiny, with size-1 dims
            b, cin, cout = 1, d.pick([1, 2, 3, 5]), d.pick([1, 2, 3, 5])
            size = d.ints(1, 6, nd)
            size[d.int(0, nd - 1)] = 1
            k, s = d.ints(1, 3, nd), d.ints(1, 2, nd)
            p = [d.int(0, max(0, x - 1)) for x in k]
        elif theme == 1:                              # everything asymmetric
            b = d.int(1, 3)
            cin, cout = d.pick([1, 3, 5, 7, 9, 17]), d.pick([1, 3, 5, 6, 7, 17])
            size = d.ints(2, 9, nd)
            k, s = d.ints(1, 4, nd), d.ints(1, 3, nd)
            p = [d.int(0, max(0, x - 1)) for x in k]
            if transposed:
                opad = [d.int(0, x - 1) for x in s]
        elif theme == 2:                              # halving chains
            chain = [30, 15, 7, 3] if nd == 3 else d.pick([[44, 22, 11, 5], [30, 15, 7, 3]])
            at = d.int(0, 2)
            big, little = chain[at], chain[at + 1]
            b = 1 if at == 0 else 2
            cin, cout = [(1, 3), (3, 5), (6, 9)][at]
            k0, p0 = d.pick([(4, 1), (2, 0)])
            k, s, p = [k0] * nd, [2] * nd, [p0] * nd
            size = [big] * nd
            if transposed:
                cin, cout = cout, cin
                size = [little] * nd
                opad = [big - ((little - 1) * 2 - 2 * p0 + k0)] * nd
        elif d.pick([0, 1]):                          # 12 x 15 x 7
            b, cin, cout = d.int(1, 2), d.int(1, 5), d.int(2, 7)
            if transposed:
                size, k, s, p = [6, 8, 4][:nd], [3] * nd, [2] * nd, [1] * nd
                opad = [1, 0, 0][:nd]
            else:
                size = [12, 15, 7][:nd]
                k = d.pick([[3, 3, 3], [3, 2, 5], [1, 3, 4], [5, 1, 3]])[:nd]
                s = d.pick([[1, 1, 1], [2, 1, 1], [1, 2, 3]])[:nd]
                p = [d.int(0, x // 2) for x in k]
        else:                                         # 24 x 24 x 37, or 56 x 30
            b, cin, cout = 1, 1, d.int(1, 2)
            if transposed:
                size, k, s, p = [12, 12, 18][-nd:], [4] * nd, [2] * nd, [1] * nd
                opad = [0, 0, 1][-nd:]
                cin, cout = d.int(1, 3), 1
            else:
                size = [24, 24, 37] if nd == 3 else [56, 30]
                k, p = d.pick([[3, 3, 3], [3, 5, 4]])[:nd], [1] * nd
                s = d.pick([[2, 2, 3], [3, 2, 2]])[:nd]
        if transposed:
            out = [(n - 1) * t - 2 * q + m + o
                   for n, t, q, m, o in zip(size, s, p, k, opad)]
        else:
            out = [(n + 2 * q - m) // t + 1 for n, t, q, m in zip(size, s, p, k)]
        if (min(out) >= 1 and b * cin * np.prod(size) <= cap
                and b * cout * np.prod(out) <= cap * 1.2
                and cin * cout * np.prod(k) <= cap / 2):
            return b, cin, cout, size, k, s, p, opad


def windows(x, k, s, p, fill=0.0):
    """Per kernel offset, the (strided, padded) values it meets: numpy loops to
    check torch's convolutions and pools against."""
    x = np.pad(x, [(0, 0), (0, 0)] + [(q, q) for q in p], constant_values=fill)
    out = [(n - m) // t + 1 for n, m, t in zip(x.shape[2:], k, s)]
    for at in np.ndindex(*k):
        yield at, x[(slice(None),) * 2 + tuple(slice(a, a + t * (o - 1) + 1, t)
                                               for a, t, o in zip(at, s, out))]


def check_conv(x, w, bias, y, s, p, opad, transposed):
    k = w.shape[2:]
    if transposed:
        full = np.zeros(y.shape[:2] + tuple((n - 1) * t + m + o for n, t, m, o
                                            in zip(x.shape[2:], s, k, opad)))
        for at in np.ndindex(*k):
            place = tuple(slice(a, a + t * (n - 1) + 1, t) for a, t, n in zip(at, s, x.shape[2:]))
            full[(slice(None),) * 2 + place] += np.einsum(
                "bc...,co->bo...", x, w[(slice(None),) * 2 + at])
        ref = full[(slice(None),) * 2 + tuple(slice(q, n - q) for q, n in zip(p, full.shape[2:]))]
    else:
        ref = sum(np.einsum("bc...,oc->bo...", v, w[(slice(None),) * 2 + at])
                  for at, v in windows(x, k, s, p))
    if bias is not None:
        ref = ref + bias.reshape([1, -1] + [1] * len(k))
    assert ref.shape == y.shape and np.abs(ref - y).max() < 1e-10


def conv_case(d, nd, transposed):
    b, cin, cout, size, k, s, p, opad = conv_shapes(d, nd, transposed)
    fan = cin * np.prod(k) / (np.prod(s) if transposed else 1)
    w_shape = [cin, cout] + k if transposed else [cout, cin] + k
    inputs = {"x": d.normal([b, cin] + size),
              "weight": d.normal(w_shape, 1 / math.sqrt(max(1.0, fan)))}
    if d.flip:
        inputs["bias"] = d.normal([cout])
    attrs = {"stride": s, "padding": p, "dilation": [1] * nd, "groups": 1,
             "bias": d.flip}
    if transposed:
        attrs["output_padding"] = opad
        f = F.conv_transpose3d if nd == 3 else F.conv_transpose2d
        fn = lambda t: {"y": f(t["x"], t["weight"], t.get("bias"), s, p, opad)}
    else:
        f = F.conv3d if nd == 3 else F.conv2d
        fn = lambda t: {"y": f(t["x"], t["weight"], t.get("bias"), s, p)}

    def check(t, out, grads):
        t = {key: v.numpy() for key, v in t.items()}
        check_conv(t["x"], t["weight"], t.get("bias"), out["y"].numpy(), s, p, opad, transposed)
    return Case(attrs, inputs, fn, list(inputs), check=check, **CONV_TOL)


op("conv3d")(lambda d: conv_case(d, 3, False))
op("conv_transpose3d")(lambda d: conv_case(d, 3, True))
op("conv2d")(lambda d: conv_case(d, 2, False))
op("conv_transpose2d")(lambda d: conv_case(d, 2, True))


@op("linear")
def linear(d):
    i = d.i % 2 if d.small else d.i % 4
    lead = [[1], [d.int(2, 7)], [d.int(1, 3), d.int(1, 5)], [d.pick([13, 33])]][i]
    fin = d.int(1, 9) if d.small else [d.int(1, 9), d.pick([31, 65, 130]),
                                       d.pick([17, 63]), d.pick([129, 343])][i]
    fout = [d.int(1, 9), d.pick([1, 17, 30]), d.int(1, 33), d.pick([1, 10, 50])][i]
    inputs = {"x": d.normal(lead + [fin]),
              "weight": d.normal([fout, fin], 1 / math.sqrt(fin))}
    if d.flip:
        inputs["bias"] = d.normal([fout])
    return Case({"bias": d.flip}, inputs,
                lambda t: {"y": F.linear(t["x"], t["weight"], t.get("bias"))},
                list(inputs), **CONV_TOL)


@op("locally_connected2d")
def locally_connected2d(d):
    if d.i % 2 == 0:
        b, cin, cout, k, s = d.int(1, 3), 14, 7, [3, 3], [1, 1]
        size = d.pick([[5, 6], [6, 6], [6, 7], [7, 5]])
    else:
        b, cin, cout = d.int(1, 4), d.int(1, 5), d.int(1, 6)
        k, s = d.ints(1, 4, 2), d.ints(1, 2, 2)
        size = [d.int(x, x + 7) for x in k]
    oh, ow = [(n - m) // t + 1 for n, m, t in zip(size, k, s)]
    fan = cin * k[0] * k[1]
    inputs = {"x": d.normal([b, cin] + size),
              "weight": d.normal([oh, ow, cout, fan], 1 / math.sqrt(fan))}
    if d.flip:
        inputs["bias"] = d.normal([oh, ow, cout])

    def fn(t):
        cols = F.unfold(t["x"], k, stride=s).reshape(b, fan, oh, ow)
        y = torch.einsum("bfhw,hwcf->bchw", cols, t["weight"])
        if "bias" in t:
            y = y + t["bias"].permute(2, 0, 1)
        return {"y": y}

    def check(t, out, grads):                  # one output voxel, by plain loops
        h, w, c = oh - 1, ow // 2, cout - 1
        v = sum(t["x"][0, ci, h * s[0] + a, w * s[1] + e]
                * t["weight"][h, w, c, (ci * k[0] + a) * k[1] + e]
                for ci in range(cin) for a in range(k[0]) for e in range(k[1]))
        v = v + (t["bias"][h, w, c] if "bias" in t else 0)
        assert abs(float(v - out["y"][0, c, h, w])) < 1e-10
    return Case({"kernel_size": k, "stride": s, "bias": d.flip}, inputs, fn,
                list(inputs), check=check, **CONV_TOL)


# ----------------------------------------------------------------------------
# Pooling, resampling, padding
# ----------------------------------------------------------------------------
def pool_shapes(d, nd):
    theme = d.i % 2 if d.small else d.i % 4
    while True:
        b, c = d.int(1, 3), d.int(1, 5)
        if theme == 0:
            b, size = 1, d.ints(1, 6, nd)
        elif theme == 2:
            b, c, size = 1, 1, [d.pick([30, 15, 7])] * nd
        elif theme == 3:
            b, c = 1, d.int(1, 2)
            size = d.pick([[12, 15, 7], [24, 24, 37]])[-nd:]
        else:
            size = d.ints(2, 9, nd)
        if theme == 2:
            k, s, p = d.pick([([2] * nd, [2] * nd, [0] * nd), ([4] * nd, [2] * nd, [1] * nd),
                              ([3] * nd, [3] * nd, [1] * nd)])
        else:
            k, s = d.ints(1, 4, nd), d.ints(1, 3, nd)
            p = [d.int(0, x // 2) for x in k]
        out = [(n + 2 * q - m) // t + 1 for n, m, t, q in zip(size, k, s, p)]
        cap = 1000 if d.small else 27000
        if (min(out) >= 1 and b * c * np.prod(size) <= cap and b * c * np.prod(out) <= cap
                and np.prod(k) > 1 and all(m <= n for m, n in zip(k, size))):
            return [b, c] + size, {"kernel_size": k, "stride": s, "padding": p}


def avg_pool(d, nd):
    shape, a = pool_shapes(d, nd)
    f = F.avg_pool3d if nd == 3 else F.avg_pool2d
    fn = lambda t: {"y": f(t["x"], a["kernel_size"], a["stride"], a["padding"],
                           count_include_pad=True)}

    def check(t, out, grads):
        ref = sum(v for _, v in windows(t["x"].numpy(), a["kernel_size"], a["stride"], a["padding"]))
        assert np.allclose(ref / np.prod(a["kernel_size"]), out["y"].numpy(), atol=1e-12)
    return Case({**a, "count_include_pad": True}, {"x": d.normal(shape)}, fn, ["x"],
                rtol=1e-5, atol=2e-6, check=check)


op("avg_pool3d")(lambda d: avg_pool(d, 3))
op("avg_pool2d")(lambda d: avg_pool(d, 2))


@op("max_pool3d")
def max_pool3d(d):
    shape, a = pool_shapes(d, 3)
    fn = lambda t: {"y": F.max_pool3d(t["x"], a["kernel_size"], a["stride"], a["padding"])}

    def check(t, out, grads):
        ref = np.max([v for _, v in windows(t["x"].numpy(), a["kernel_size"], a["stride"],
                                            a["padding"], -np.inf)], axis=0)
        assert np.array_equal(ref, out["y"].numpy())
    return Case(a, {"x": d.distinct(shape)}, fn, ["x"], rtol=1e-6, atol=2e-6, check=check)


@op("upsample_nearest3d")
def upsample_nearest3d(d):
    shape = d.volume(cap=900)
    k = d.ints(1, 3, 3)
    if d.i % 4 == 1:
        k = [2, 2, 2]

    def check(t, out, grads):
        y = t["x"]
        for dim, n in enumerate(k):
            y = y.repeat_interleave(n, dim + 2)
        assert torch.equal(y, out["y"])
    return Case({"scale_factor": k}, {"x": d.normal(shape)},
                lambda t: {"y": F.interpolate(t["x"], scale_factor=[float(v) for v in k],
                                              mode="nearest")},
                ["x"], rtol=1e-6, atol=2e-6, check=check)


@op("pad3d")
def pad3d(d):
    pad = d.ints(0, 3, 6)
    return Case({"pad": pad, "value": 0.0}, {"x": d.normal(d.volume(cap=2000))},
                lambda t: {"y": F.pad(t["x"], pad, value=0.0)}, ["x"], rtol=1e-6, atol=1e-6)


@op("crop3d")
def crop3d(d):
    shape = d.volume(side=(2, 13), cap=5000)
    size = [d.int(1, n) for n in shape[2:]]
    start = [d.int(0, n - m) for n, m in zip(shape[2:], size)]
    ix = (slice(None), slice(None)) + tuple(slice(a, a + n) for a, n in zip(start, size))
    return Case({"start": start, "size": size}, {"x": d.normal(shape)},
                lambda t: {"y": t["x"][ix]}, ["x"], rtol=1e-6, atol=1e-6)


# ----------------------------------------------------------------------------
# Shape operations
# ----------------------------------------------------------------------------
MOVE_TOL = dict(rtol=1e-6, atol=1e-6)


@op("concat")
def concat(d):
    shape = d.shape(2, 5, 1500) if d.i % 2 else d.volume(cap=1500)
    dim = 1 if d.i % 4 == 0 else d.int(0, len(shape) - 1)
    inputs = {}
    for j in range(d.int(2, 4)):
        inputs[f"x{j}"] = d.normal(shape[:dim] + [d.int(1, 9)] + shape[dim + 1:])
    return Case({"dim": dim}, inputs,
                lambda t: {"y": torch.cat([t[k] for k in inputs], dim)}, list(inputs), **MOVE_TOL)


@op("slice")
def slice_(d):
    shape = d.shape(1, 5)
    dim = int(np.argmax(shape)) if d.i % 2 else d.int(0, len(shape) - 1)
    start = d.int(0, shape[dim] - 1)
    end = d.int(start + 1, shape[dim])
    return Case({"dim": dim, "start": start, "end": end}, {"x": d.normal(shape)},
                lambda t: {"y": t["x"].narrow(dim, start, end - start)}, ["x"], **MOVE_TOL)


@op("permute")
def permute(d):
    shape = d.shape(2, 5, 6000)
    while sum(n > 1 for n in shape) < 2:
        shape = d.shape(2, 5, 6000)
    dims = [0]
    while dims == sorted(dims):
        dims = d.rng.permutation(len(shape)).tolist()
    return Case({"dims": dims}, {"x": d.normal(shape)},
                lambda t: {"y": t["x"].permute(dims)}, ["x"], **MOVE_TOL)


@op("reshape")
def reshape(d):
    while True:
        shape = d.shape(1, 5)
        parts = [p for n in shape for p in prime_factors(n)]
        d.rng.shuffle(parts)
        new = [1] * d.int(1, 5)
        for p in parts:
            new[d.int(0, len(new) - 1)] *= int(p)
        if new != shape:
            break
    return Case({"shape": new}, {"x": d.normal(shape)},
                lambda t: {"y": t["x"].reshape(new)}, ["x"], **MOVE_TOL)


def prime_factors(n):
    out, p = [], 2
    while n > 1:
        while n % p == 0:
            out.append(p)
            n //= p
        p += 1
    return out


@op("gather")
def gather(d):
    lead = d.shape(1, 3, 40)
    p = d.pick([2, 5, 17, 100, 255])
    q = d.pick([1, 3, 16, 50, 120])
    return Case({"dim": len(lead)},
                {"x": d.normal(lead + [p]), "index": d.rng.integers(0, p, lead + [q])},
                lambda t: {"y": torch.gather(t["x"], -1, t["index"])}, ["x"],
                rtol=1e-6, atol=5e-6)


@op("sort_descending")
def sort_descending(d):
    shape = [[d.int(1, 3), d.pick([1, 2, 3, 17])], [d.int(1, 4), d.pick([64, 100, 129, 255])],
             [2, d.int(1, 3), d.pick([33, 343, 500])],
             [d.int(1, 2), d.pick([1023, 2049, 4105])]][d.i % 4]

    def fn(t):
        v, ix = torch.sort(t["x"], dim=-1, descending=True)
        return {"values": v, "indices": ix}
    return Case({"dim": len(shape) - 1}, {"x": d.distinct(shape)}, fn, ["x"], **MOVE_TOL)


# ----------------------------------------------------------------------------
# Arithmetic and elementwise functions
# ----------------------------------------------------------------------------
def broadcast_case(d, f, away_b=False):
    big = d.volume(cap=4000) if d.i % 4 == 3 else d.shape(1, 5)
    a, b = list(big), list(big)
    if d.i % 4 == 0:
        pass                                          # equal shapes
    elif d.i % 4 == 1:                                # one side has fewer dims
        b = b[d.int(1, len(b) - 1):] if len(b) > 1 else []
        b = [1 if d.int(0, 3) == 0 else n for n in b]
    elif d.i % 4 == 2:                                # both sides stretch
        for j in range(len(big)):
            which = d.int(0, 2)
            if which == 0:
                a[j] = 1
            elif which == 1:
                b[j] = 1
    else:                                             # per channel
        b = [1, big[1], 1, 1, 1]
    if d.int(0, 1):
        a, b = b, a
    bv = d.away(b, margin=0.4) if away_b else d.normal(b)
    return Case({}, {"a": d.normal(a), "b": bv},
                lambda t: {"y": f(t["a"], t["b"])}, ["a", "b"],
                rtol=5e-6, atol=5e-6)


op("add")(lambda d: broadcast_case(d, torch.add))
op("sub")(lambda d: broadcast_case(d, torch.sub))
op("mul")(lambda d: broadcast_case(d, torch.mul))
op("div")(lambda d: broadcast_case(d, torch.div, True))


@op("matmul")
def matmul(d):
    n, k, m = d.pick([1, 5, 17, 33]), d.pick([1, 7, 30, 65]), d.pick([1, 4, 19, 40])
    b1, b2 = [([], []), ([d.int(1, 4)],) * 2, ([d.int(2, 3), d.int(1, 3)],) * 2,
              d.pick([([3], [1]), ([1], [3]), ([2, 3], [3]), ([4], [])])][d.i % 4]
    return Case({}, {"a": d.normal(b1 + [n, k], 1 / math.sqrt(k)), "b": d.normal(b2 + [k, m])},
                lambda t: {"y": torch.matmul(t["a"], t["b"])}, ["a", "b"], **CONV_TOL)


def elementwise(name, f, make, rtol=1e-5, atol=2e-6):
    def gen(d):
        shape = d.shape(1, 5, 300 if d.small else 3000)
        if d.i % 4 == 2 and not d.small:
            shape = [d.pick([997, 4099, 7777])]       # past one or more workgroups
        return Case({}, {"x": make(d, shape)}, lambda t: {"y": f(t["x"])}, ["x"],
                    rtol=rtol, atol=atol)
    op(name)(gen)


def with_extremes(d, shape, ends, scale=3.0):
    """Normal values, with a few far out in the tails (forward must not overflow)."""
    x = d.normal(shape, scale).reshape(-1)
    if x.size >= 16:
        x[d.rng.choice(x.size, len(ends), replace=False)] = ends
    return x.reshape(shape)


elementwise("relu", torch.relu, lambda d, s: d.away(s), 1e-6, 1e-6)
elementwise("sigmoid", torch.sigmoid, lambda d, s: with_extremes(d, s, [-100, -30, 30, 100]), 2e-5, 5e-6)
elementwise("tanh", torch.tanh, lambda d, s: with_extremes(d, s, [-100, -20, 20, 100], 1.5), 2e-5, 2e-5)
elementwise("softplus", F.softplus, lambda d, s: with_extremes(d, s, [-100, -30, 30, 100]), 2e-5, 1e-5)
elementwise("exp", torch.exp, lambda d, s: d.uniform(-10, 5, s), 2e-5, 1e-6)
elementwise("log", torch.log, lambda d, s: np.exp(d.uniform(-6, 3, s)), 1e-5, 2e-6)
elementwise("sqrt", torch.sqrt, lambda d, s: d.uniform(0.01, 25, s), 5e-6, 1e-6)
elementwise("square", torch.square, lambda d, s: d.normal(s), 2e-6, 1e-6)
elementwise("abs", torch.abs, lambda d, s: d.away(s), 1e-6, 1e-6)


@op("leaky_relu")
def leaky_relu(d):
    a = d.pick([0.01, 0.1, 0.2, 0.3])
    return Case({"negative_slope": a}, {"x": d.away(d.shape(1, 5, 300 if d.small else 3000))},
                lambda t: {"y": F.leaky_relu(t["x"], a)}, ["x"], rtol=2e-6, atol=1e-6)


@op("pow")
def pow_(d):
    e, positive = [(d.pick([0.5, 1.7, 2.5]), True), (d.pick([2.0, 3.0]), False),
                   (d.pick([-0.5, -1.5, -2.0]), True), (d.pick([4.0, 0.25, 1.0]), True)][d.i % 4]
    s = d.shape()
    x = d.uniform(0.1, 4, s) if positive else d.away(s, margin=0.05)
    return Case({"exponent": e}, {"x": x}, lambda t: {"y": torch.pow(t["x"], e)}, ["x"],
                rtol=3e-5, atol=2e-6)


@op("clamp")
def clamp(d):
    lo, hi = d.real(-1.2, -0.1, 2), d.real(0.1, 1.2, 2)
    lo, hi = [(lo, hi), (lo, None), (None, hi), (lo, hi)][d.i % 4]
    x = d.away(d.shape(), points=[v for v in (lo, hi) if v is not None])
    return Case({"min": lo, "max": hi}, {"x": x},
                lambda t: {"y": torch.clamp(t["x"], lo, hi)}, ["x"], **MOVE_TOL)


# ----------------------------------------------------------------------------
# Reductions, softmax, normalisation
# ----------------------------------------------------------------------------
def some_dims(d, shape):
    while True:
        dims = [j for j in range(len(shape)) if d.int(0, 1)]
        if d.i % 4 == 3:
            dims = list(range(len(shape)))
        if dims and np.prod([shape[j] for j in dims]) > 1:
            return dims


def reduction(name, f, shift=0.0, **tol):
    def gen(d):
        shape = d.volume(cap=8000, least=2) if d.i % 2 else d.shape(1, 5, 8000)
        if d.i % 4 == 3:
            shape = d.pick([[1, 1, 24, 24, 37], [2, 5, 12, 15, 7], [3, 1, 30, 15, 15]])
        dims, keep = some_dims(d, shape), d.flip
        return Case({"dims": dims, "keepdim": keep}, {"x": d.normal(shape) + shift},
                    lambda t: {"y": f(t["x"], dims, keep)}, ["x"], **tol)
    op(name)(gen)


reduction("sum", lambda x, dims, k: x.sum(dims, keepdim=k), rtol=1e-5, atol=1e-5)
reduction("mean", lambda x, dims, k: x.mean(dims, keepdim=k), 0.5, rtol=1e-5, atol=2e-6)
reduction("var", lambda x, dims, k: x.var(dims, unbiased=False, keepdim=k), 1.0,
          rtol=5e-5, atol=2e-6)


@op("logsumexp")
def logsumexp(d):
    shape = d.shape(1, 4, 3000)
    dims, keep = some_dims(d, shape), d.flip
    x = d.normal(shape, 2.0) + d.pick([0.0, 100.0, -100.0])
    return Case({"dims": dims, "keepdim": keep}, {"x": x},
                lambda t: {"y": torch.logsumexp(t["x"], dims, keepdim=keep)}, ["x"],
                rtol=2e-5, atol=5e-6)


@op("softmax")
def softmax(d):
    shape = d.shape(1, 4, 3000)
    dim = d.int(0, len(shape) - 1)
    while shape[dim] == 1:
        dim = d.int(0, len(shape) - 1)
    x = d.normal(shape, 2.0) + d.pick([0.0, 100.0, -100.0])
    return Case({"dim": dim}, {"x": x}, lambda t: {"y": torch.softmax(t["x"], dim)}, ["x"],
                rtol=5e-5, atol=2e-6)


NORM_TOL = dict(rtol=1e-4, atol=2e-5)


def norm_volume(d, least=6):
    if d.small:
        return d.volume((1, 2), (1, 3), (1, 5), 300, least)
    if d.i % 4 == 2:
        return [d.int(1, 2), d.pick([1, 3]), 12, 15, 7]
    if d.i % 4 == 3:
        return [2, d.pick([5, 9]), 7, 7, 7]
    return d.volume((1, 3), (1, 9), (1, 9), 4000, least)


@op("layer_norm_voxel")
def layer_norm_voxel(d):
    s = norm_volume(d)
    inputs = {"x": d.normal(s, 1.5) + np.float32(0.7),
              "weight": 1 + d.normal(s[2:], 0.3), "bias": d.normal(s[2:], 0.5)}
    return Case({"eps": 1e-5}, inputs,
                lambda t: {"y": F.layer_norm(t["x"], s[2:], t["weight"], t["bias"], 1e-5)},
                list(inputs), **NORM_TOL)


@op("layer_norm")
def layer_norm(d):
    s = norm_volume(d)
    inputs = {"x": d.normal(s, 1.5) + np.float32(0.7),
              "weight": 1 + d.normal([s[1]], 0.3), "bias": d.normal([s[1]], 0.5)}

    def fn(t):
        m = t["x"].mean((1, 2, 3, 4), keepdim=True)
        v = t["x"].var((1, 2, 3, 4), unbiased=False, keepdim=True)
        w, b = (t[k].reshape(1, -1, 1, 1, 1) for k in ("weight", "bias"))
        return {"y": (t["x"] - m) / torch.sqrt(v + 1e-5) * w + b}

    def check(t, out, grads):
        y = F.group_norm(t["x"], 1, t["weight"], t["bias"], 1e-5)
        assert torch.allclose(y, out["y"], rtol=1e-10, atol=1e-10)
    return Case({"eps": 1e-5}, inputs, fn, list(inputs), check=check, **NORM_TOL)


@op("batch_norm3d", per=2)
def batch_norm3d(d):
    training = d.i % 2 == 0 or d.small
    s = norm_volume(d)
    ch = [s[1]]
    inputs = {"x": d.normal(s, 1.5) + np.float32(0.7),
              "weight": 1 + d.normal(ch, 0.3), "bias": d.normal(ch, 0.5)}
    if not d.small:
        inputs["running_mean"] = d.normal(ch, 0.5)
        inputs["running_var"] = d.uniform(0.3, 2.5, ch)

    def fn(t):
        rm, rv = (t[k].detach().clone() if k in t else None
                  for k in ("running_mean", "running_var"))
        y = F.batch_norm(t["x"], rm, rv, t["weight"], t["bias"], training, 0.1, 1e-5)
        out = {"y": y}
        if training and rm is not None:
            out.update(running_mean=rm, running_var=rv)
        return out
    return Case({"training": training, "momentum": 0.1, "eps": 1e-5}, inputs, fn,
                ["x", "weight", "bias"], **NORM_TOL)


@op("instance_norm3d")
def instance_norm3d(d):
    s = norm_volume(d)
    inputs = {"x": d.normal(s, 1.5) + np.float32(0.7)}
    if d.flip:
        inputs.update(weight=1 + d.normal([s[1]], 0.3), bias=d.normal([s[1]], 0.5))
    fn = lambda t: {"y": F.instance_norm(t["x"], None, None, t.get("weight"), t.get("bias"),
                                         True, 0.1, 1e-5)}
    return Case({"eps": 1e-5, "affine": d.flip}, inputs, fn, list(inputs), **NORM_TOL)


@op("dropout")
def dropout(d):
    p = d.pick([0.1, 0.2, 0.3, 0.5])
    s = d.shape()
    mask = (d.rng.uniform(size=s) >= p).astype(np.float32)
    return Case({"p": p}, {"x": d.normal(s), "mask": mask},
                lambda t: {"y": t["x"] * t["mask"] / (1 - p)}, ["x"], rtol=3e-6, atol=1e-6)


# ----------------------------------------------------------------------------
# Losses and distances
# ----------------------------------------------------------------------------
@op("bce_with_logits")
def bce_with_logits(d):
    s = d.shape(1, 3, 2000)
    red = ["mean", "sum"][d.i % 2]
    x = with_extremes(d, s, [-60, 60], 2.0)
    t = d.uniform(0, 1, s) if d.i % 4 == 3 else (d.rng.uniform(size=s) < 0.5).astype(np.float32)
    return Case({"reduction": red}, {"x": x, "target": t},
                lambda t: {"loss": F.binary_cross_entropy_with_logits(
                    t["x"], t["target"], reduction=red)}, ["x"], rtol=5e-5, atol=5e-6)


def pair_loss(name, f):
    def gen(d):
        s = d.shape(1, 5, 2000)
        red = ["mean", "sum"][d.i % 2]
        x = d.normal(s)
        y = x + d.away(s, margin=0.02)
        return Case({"reduction": red}, {"x": x, "target": y},
                    lambda t: {"loss": f(t["x"], t["target"], reduction=red)},
                    ["x", "target"], rtol=2e-5, atol=5e-6)
    op(name)(gen)


pair_loss("mse_loss", F.mse_loss)
pair_loss("l1_loss", F.l1_loss)


@op("kl_divergence_normal")
def kl_divergence_normal(d):
    s = [d.pick([1, 4, 7, 32]), d.pick([1, 5, 24, 100])]

    def fn(t):
        mu, lv = t["mu"], t["logvar"]
        return {"kl": -0.5 * (1 + lv - mu ** 2 - torch.exp(lv)).sum() / mu.shape[0]}
    return Case({}, {"mu": d.normal(s), "logvar": d.normal(s, 0.8)}, fn, ["mu", "logvar"],
                rtol=2e-5, atol=1e-5)


def sqdist(a, b):
    return ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)


def cloud_pair(d, dims=(1, 2, 3, 8, 24), sizes=(5, 16, 31, 48)):
    n, k = d.pick(sizes), d.pick(dims)
    return n, k, d.normal([n, k]), d.normal([n, k], d.real(0.7, 1.4)) + np.float32(0.3)


@op("mmd_gaussian")
def mmd_gaussian(d):
    n, k, x, y = cloud_pair(d)
    alphas = [[d.real(0.05, 0.6) / k], [0.1 / k, 0.5 / k, 1.5 / k]][d.i % 2]
    alphas = [round(a, 5) for a in alphas]

    def fn(t):
        total = 0
        for a in alphas:
            kern = lambda u, v: torch.exp(-a * sqdist(u, v)).sum() / n ** 2
            total = total + kern(t["x"], t["x"]) + kern(t["y"], t["y"]) - 2 * kern(t["x"], t["y"])
        return {"mmd": total}
    return Case({"alphas": alphas}, {"x": x, "y": y}, fn, ["x", "y"], rtol=1e-4, atol=1e-5)


@op("mmd_imq")
def mmd_imq(d):
    n, k, x, y = cloud_pair(d)
    scales = [[d.real(0.2, 2.0)], [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]][d.int(0, 1)]
    biased = d.i % 2 == 0

    def fn(t):
        total = 0
        for s in scales:
            c = 2.0 * k * s
            kern = lambda u, v: c / (c + sqdist(u, v))
            xx, yy, xy = kern(t["x"], t["x"]), kern(t["y"], t["y"]), kern(t["x"], t["y"])
            if biased:
                same = (xx.sum() + yy.sum()) / n ** 2
            else:
                same = (xx.sum() + yy.sum() - 2 * n) / (n * (n - 1))
            total = total + same - 2 * xy.sum() / n ** 2
        return {"mmd": total}
    return Case({"scales": scales, "biased": biased}, {"x": x, "y": y}, fn, ["x", "y"],
                rtol=1e-4, atol=1e-5)


def softmin(eps, cost, h):
    return -eps * torch.logsumexp(h[None, :] - cost / eps, dim=1)


def ot_terms(x, y, eps, iters, unrolled=False):
    """Potentials f (at x), g (at y) after the final softmin.  unrolled=True
    keeps the whole recursion in the graph (only to check the envelope rule)."""
    cost = lambda a, b: 0.5 * sqdist(a, b)
    la = torch.full((x.shape[0],), -math.log(x.shape[0]), dtype=x.dtype)
    lb = torch.full((y.shape[0],), -math.log(y.shape[0]), dtype=x.dtype)
    with torch.set_grad_enabled(unrolled):
        c = cost(x, y)
        ct = c.t().contiguous()
        f, g = softmin(eps, c, lb), softmin(eps, ct, la)
        for _ in range(iters):
            fn, gn = softmin(eps, c, lb + g / eps), softmin(eps, ct, la + f / eps)
            f, g = 0.5 * (f + fn), 0.5 * (g + gn)
    if unrolled:
        return softmin(eps, c, lb + g / eps), softmin(eps, ct, la + f / eps)
    return (softmin(eps, cost(x, y.detach()), lb + g / eps),
            softmin(eps, cost(y, x.detach()), la + f / eps))


def self_potential(x, eps, iters, unrolled=False):
    cost = lambda a, b: 0.5 * sqdist(a, b)
    la = torch.full((x.shape[0],), -math.log(x.shape[0]), dtype=x.dtype)
    with torch.set_grad_enabled(unrolled):
        c = cost(x, x)
        f = softmin(eps, c, la)
        for _ in range(iters):
            f = 0.5 * (f + softmin(eps, c, la + f / eps))
    return softmin(eps, c if unrolled else cost(x, x.detach()), la + f / eps)


def sinkhorn_loss(x, y, eps, iters, debias, unrolled=False):
    f, g = ot_terms(x, y, eps, iters, unrolled)
    loss = f.mean() + g.mean()
    if debias:
        loss = loss - self_potential(x, eps, iters, unrolled).mean() \
                    - self_potential(y, eps, iters, unrolled).mean()
    return loss


def sinkhorn_case(d, debias):
    n, m = d.pick([7, 12, 20, 33]), d.pick([5, 12, 16, 29])
    k = d.pick([1, 2, 3, 5])
    eps = d.pick([0.1, 0.25, 0.5, 1.0])
    x, y = d.uniform(0, 1.5, [n, k]), d.uniform(0.2, 1.9, [m, k])
    iters, worst = 200, 1.0
    while True:                     # enough iterations: envelope == true gradient
        a, b = (torch.tensor(v, dtype=F64, requires_grad=True) for v in (x, y))
        env = torch.autograd.grad(sinkhorn_loss(a, b, eps, iters, debias), [a, b])
        full = torch.autograd.grad(sinkhorn_loss(a, b, eps, iters, debias, True), [a, b])
        worst = max(float((e - u).abs().max() / u.abs().max()) for e, u in zip(env, full))
        if worst < 1e-7:
            break
        iters += 100
        if iters > 600:
            iters, eps = 200, eps * 2
    fn = lambda t: {"loss": sinkhorn_loss(t["x"], t["y"], eps, iters, debias)}

    def check(t, out, grads):       # the plan has the right marginals
        f, g = ot_terms(t["x"], t["y"], eps, iters)
        plan = torch.exp((f[:, None] + g[None] - 0.5 * sqdist(t["x"], t["y"])) / eps) / (n * m)
        assert (plan.sum(1) * n - 1).abs().max() < 1e-6
        assert (plan.sum(0) * m - 1).abs().max() < 1e-6
    return Case({"eps": eps, "n_iters": iters, "debias": debias}, {"x": x, "y": y}, fn,
                ["x", "y"], rtol=1e-3, atol=2e-5, check=check)


op("sinkhorn_divergence")(lambda d: sinkhorn_case(d, True))
op("ot_eps")(lambda d: sinkhorn_case(d, False))


@op("sliced_wasserstein2")
def sliced_wasserstein2(d):
    while True:
        n, k, p = d.pick([5, 16, 31, 40]), d.pick([2, 3, 8]), d.pick([1, 5, 12])
        x, y = d.normal([n, k]), d.normal([n, k], 1.3) + np.float32(0.4)
        dirs = d.rng.standard_normal([p, k])
        dirs = (dirs / np.linalg.norm(dirs, axis=1, keepdims=True)).astype(np.float32)
        gap = min(np.diff(np.sort(v.astype(float) @ dirs.T.astype(float), axis=0), axis=0).min()
                  for v in (x, y))
        if gap > 3e-5:
            break

    def fn(t):
        px, py = (torch.sort(t[v] @ t["directions"].t(), dim=0)[0] for v in "xy")
        return {"sw2": ((px - py) ** 2).mean()}
    return Case({}, {"x": x, "y": y, "directions": dirs}, fn, ["x", "y"], rtol=1e-4, atol=1e-5)


@op("wasserstein1_1d")
def wasserstein1_1d(d):
    n, m = [(16, 16), (d.int(1, 9), d.int(10, 40)), (d.int(20, 99), d.int(5, 60)),
            (d.pick([100, 129]), d.pick([100, 64]))][d.i % 4]
    v = d.distinct([n + m])
    x, y = v[:n], v[n:] * np.float32(1.25) + np.float32(0.25)
    while np.abs(x[:, None] - y[None, :]).min() < 1e-4:
        y = y + np.float32(0.00031)

    def fn(t):
        xs, ys = torch.sort(t["x"])[0], torch.sort(t["y"])[0]
        cuts = sorted({i * m for i in range(n + 1)} | {j * n for j in range(m + 1)})
        lo, hi = torch.tensor(cuts[:-1]), torch.tensor(cuts[1:])
        w = (hi - lo).to(xs.dtype) / (n * m)
        return {"w1": (w * (xs[lo // m] - ys[lo // n]).abs()).sum()}

    def check(t, out, grads):
        ref = scipy.stats.wasserstein_distance(t["x"].detach().numpy(), t["y"].detach().numpy())
        assert abs(ref - float(out["w1"])) < 1e-10
    return Case({}, {"x": x, "y": y}, fn, ["x", "y"], rtol=2e-5, atol=1e-5, check=check)


@op("sorted_kernel_mmd")
def sorted_kernel_mmd(d):
    b = d.pick([1, 2, 5])
    p, ker, stride, limit = [(64, 16, 8, 40), (d.pick([100, 125]), 25, d.pick([10, 25]), 75),
                             (d.pick([50, 77]), d.pick([9, 10]), d.pick([3, 7]), 41),
                             (90, 40, 20, 200)][d.i % 4]       # last: windows run off the end
    alpha = d.pick([2.0, 10.0, 50.0, 200.0])
    x = d.distinct([b, p], 0.01, 2.0)
    y = (np.power(d.distinct([b, p], 0.01, 2.0), 1.3)).astype(np.float32)

    def fn(t):
        xs, ys = (torch.sort(t[k], dim=1, descending=True)[0] for k in "xy")
        kern = lambda u, v: torch.exp(-alpha * (u[:, :, None] - v[:, None, :]) ** 2).mean((1, 2))
        terms = []
        for j in range(0, min(limit, p), stride):
            u, v = xs[:, j:j + ker], ys[:, j:j + ker]
            terms.append(kern(u, u) + kern(v, v) - 2 * kern(u, v))
        return {"mmd": torch.stack(terms).mean()}
    return Case({"kernel_size": ker, "stride": stride, "limit": limit, "alpha": alpha},
                {"x": x, "y": y}, fn, ["x"], rtol=2e-4, atol=1e-5)


# ----------------------------------------------------------------------------
# Normalising flows
# ----------------------------------------------------------------------------
def rq_spline(x, uw, uh, ud, bound, minw, minh, mind, inverse):
    def knots(u, least):
        n = u.shape[-1]
        w = least + (1 - least * n) * torch.softmax(u, -1)
        c = 2 * bound * torch.cumsum(w, -1)[..., :-1] - bound
        end = torch.full_like(u[..., :1], bound)
        return torch.cat([-end, c, end], -1)
    xk, yk = knots(uw, minw), knots(uh, minh)
    one = torch.ones_like(uw[..., :1])
    der = torch.cat([one, mind + F.softplus(ud), one], -1)
    inside = (x > -bound) & (x < bound)
    v = torch.where(inside, x, torch.zeros_like(x))
    grid = yk if inverse else xk
    k = (v[..., None] >= grid[..., 1:-1]).sum(-1, keepdim=True)
    take = lambda a, j: torch.gather(a, -1, j)[..., 0]
    x0, x1, y0, y1 = take(xk, k), take(xk, k + 1), take(yk, k), take(yk, k + 1)
    d0, d1 = take(der, k), take(der, k + 1)
    w, h = x1 - x0, y1 - y0
    s = h / w
    q = d0 + d1 - 2 * s
    if inverse:
        r = v - y0
        a, b, c = h * (s - d0) + r * q, h * d0 - r * q, -s * r
        xi = 2 * c / (-b - torch.sqrt(b * b - 4 * a * c))
        y = x0 + xi * w
    else:
        xi = (v - x0) / w
        y = y0 + h * (s * xi ** 2 + d0 * xi * (1 - xi)) / (s + q * xi * (1 - xi))
    lad = 2 * torch.log(s) + torch.log(d1 * xi ** 2 + 2 * s * xi * (1 - xi) + d0 * (1 - xi) ** 2) \
        - 2 * torch.log(s + q * xi * (1 - xi))
    lad = -lad if inverse else lad
    return torch.where(inside, y, x), torch.where(inside, lad, torch.zeros_like(lad)), grid


@op("rational_quadratic_spline")
def rational_quadratic_spline(d):
    n, k, bins = d.pick([1, 7, 33]), d.pick([1, 3, 6]), d.pick([3, 5, 8, 10])
    bound = d.pick([1.0, 2.5, 3.0, 5.0])
    inverse = d.i % 2 == 1
    a = {"num_bins": bins, "tail_bound": bound, "min_bin_width": 1e-3, "min_bin_height": 1e-3,
         "min_derivative": 1e-3, "inverse": inverse}
    inputs = {"widths": d.normal([n, k, bins]), "heights": d.normal([n, k, bins]),
              "derivatives": d.normal([n, k, bins - 1])}
    run = lambda x, t, inv: rq_spline(x, t["widths"], t["heights"], t["derivatives"], bound,
                                      1e-3, 1e-3, 1e-3, inv)
    par = {key: torch.tensor(v, dtype=F64) for key, v in inputs.items()}
    x = d.uniform(-1.3 * bound, 1.3 * bound, [n, k])
    while True:                                  # stay off the knots and the tail bounds
        grid = run(torch.tensor(x, dtype=F64), par, inverse)[2].numpy()
        bad = np.abs(grid - x[..., None]).min(-1) < 1e-3 * bound
        if not bad.any():
            break
        x = np.where(bad, d.uniform(-1.3 * bound, 1.3 * bound, [n, k]), x).astype(np.float32)

    def fn(t):
        y, lad, _ = run(t["x"], t, inverse)
        return {"y": y, "logabsdet": lad}

    def check(t, out, grads):
        back = run(out["y"], t, not inverse)
        assert (back[0] - t["x"]).abs().max() < 1e-9
        assert (back[1] + out["logabsdet"]).abs().max() < 1e-8
        x = t["x"].detach().requires_grad_()
        slope = torch.autograd.grad(run(x, t, inverse)[0].sum(), x)[0]
        assert (slope.log() - out["logabsdet"]).abs().max() < 1e-9
    return Case(a, {"x": x, **inputs}, fn, ["x", *inputs], rtol=2e-4, atol=2e-5, check=check)


@op("affine_coupling")
def affine_coupling(d):
    n, k = d.pick([1, 5, 32]), d.pick([2, 5, 24])
    split = d.int(1, k - 1)
    form = ["shift_then_scale", "scale_then_shift"][d.i % 2]
    inverse = d.i % 4 >= 2

    def fn(t):
        x1, x2 = t["x"][:, :split], t["x"][:, split:]
        ls = -torch.tanh(t["s"])
        sign = -1 if inverse else 1
        if (form == "shift_then_scale") != inverse:
            y2 = (x2 - t["t"]) * torch.exp(sign * ls)
        else:
            y2 = x2 * torch.exp(sign * ls) + t["t"]
        return {"y": torch.cat([x1, y2], 1), "logdet": sign * ls.sum(1)}

    def check(t, out, grads):
        jac = torch.autograd.functional.jacobian(lambda r: fn({**t, "x": r[None], "s": t["s"][:1],
                                                               "t": t["t"][:1]})["y"][0],
                                                 t["x"][0].detach())
        assert abs(float(torch.logdet(jac) - out["logdet"][0])) < 1e-9
    return Case({"split": split, "form": form, "inverse": inverse},
                {"x": d.normal([n, k]), "s": d.normal([n, k - split]), "t": d.normal([n, k - split])},
                fn, ["x", "s", "t"], rtol=5e-5, atol=3e-5, check=check)


# ----------------------------------------------------------------------------
# Calorimeter observables
# ----------------------------------------------------------------------------
def shower(d, shape):
    """Non-negative, sparse, skewed values."""
    return (np.exp(d.rng.normal(0, 1, shape)) * (d.rng.uniform(size=shape) < 0.6)).astype(np.float32)


@op("radial_profile")
def radial_profile(d):
    b = d.int(1, 3)
    h, w = [(d.int(2, 7), d.int(2, 7)), (44, 44), (d.pick([15, 24]), d.pick([12, 31])),
            (d.pick([30, 33]), d.pick([30, 56]))][d.i % 4]
    i, j = np.mgrid[:h, :w]
    q = (2 * i - (h - 1)) ** 2 + (2 * j - (w - 1)) ** 2     # (2 r)^2, an exact integer
    bins = np.array([[math.isqrt(int(v)) // 2 for v in row] for row in q])
    r = int(bins.max()) + 1
    if d.i % 4 == 3:
        r -= d.int(1, 5)                                    # far corners fall outside

    def fn(t):
        return {"y": torch.stack([(t["x"] * torch.tensor(bins == n, dtype=t["x"].dtype)).sum((1, 2))
                                  for n in range(r)], 1)}
    return Case({"num_bins": r}, {"x": shower(d, [b, h, w])}, fn, ["x"], rtol=1e-5, atol=5e-6)


def shower_shape(d):
    return [[d.int(1, 3), d.int(1, 5), d.int(1, 6), d.int(2, 7)], [2, 12, 15, 7],
            [1, 30, 15, 15], [d.int(1, 4), d.int(3, 9), d.int(3, 9), d.int(3, 9)]][d.i % 4]


@op("layer_profile")
def layer_profile(d):
    return Case({}, {"x": shower(d, shower_shape(d))},
                lambda t: {"y": t["x"].sum((2, 3))}, ["x"], rtol=1e-5, atol=5e-6)


@op("moments")
def moments(d):
    x = shower(d, shower_shape(d))
    x[:, 0, 0, 0] += 1.0                                    # never an empty shower

    def fn(t):
        out, total = {}, t["x"].sum((1, 2, 3))
        for axis, dim in (("x", 2), ("y", 3), ("z", 1)):
            prof = t["x"].sum([v for v in (1, 2, 3) if v != dim])
            pos = torch.arange(prof.shape[1], dtype=prof.dtype)
            m1 = (prof * pos).sum(1) / total
            out["m1" + axis] = m1
            out["m2" + axis] = (prof * (pos - m1[:, None]) ** 2).sum(1) / total
        return out
    return Case({}, {"x": x}, fn, ["x"], rtol=5e-5, atol=1e-5)


@op("n_hit")
def n_hit(d):
    th = d.pick([0.1, 0.5, 1.0])
    x = shower(d, shower_shape(d))
    x = np.where(np.abs(x - th) < 1e-3, th + 0.01, x)
    return Case({"threshold": th}, {"x": x},
                lambda t: {"n_hit": (t["x"] > th).sum((1, 2, 3))}, rtol=0.0, atol=0.0)


@op("channel_sums_zdc")
def channel_sums_zdc(d):
    b = d.int(1, 4)
    h, w = [(d.int(2, 7), d.int(2, 7)), (44, 44), (56, 30), (d.int(8, 17), d.int(8, 17))][d.i % 4]

    def fn(t):
        i, j = torch.arange(h)[:, None], torch.arange(w)[None, :]
        odd = (i + j) % 2 == 1
        top, left = (i < h // 2), (j < w // 2)
        masks = [~odd & top & left, ~odd & top & ~left, ~odd & ~top & left, ~odd & ~top & ~left, odd]
        return {"y": torch.stack([(t["x"] * m.to(t["x"].dtype)).sum((1, 2)) for m in masks], 1)}
    return Case({}, {"x": shower(d, [b, h, w])}, fn, ["x"], rtol=1e-5, atol=1e-5)


# ----------------------------------------------------------------------------
# Optimiser steps (torch.optim itself, with its state set by hand)
# ----------------------------------------------------------------------------
OPT_TOL = dict(rtol=1e-5, atol=2e-6)


def optimiser(t, make, state, names):
    p = torch.nn.Parameter(t["param"].detach().clone())
    p.grad = t["grad"].clone()
    o = make([p])
    o.state[p].update(state)
    o.step()
    out = {"param": p.detach()}
    for ours, theirs in names.items():
        out[ours] = o.state[p][theirs].detach()
    return out


@op("adam_step")
def adam_step(d):
    s = d.shape(1, 4, 3000)
    step = [1, 2, d.int(3, 30), d.int(100, 5000)][d.i % 4]
    a = {"step": step, "lr": d.pick([1e-2, 1e-3, 2e-4]), "beta1": d.pick([0.0, 0.5, 0.9]),
         "beta2": d.pick([0.9, 0.99, 0.999]), "eps": d.pick([1e-8, 1e-7, 1e-4])}
    zero = step == 1
    inputs = {"param": d.normal(s), "grad": d.normal(s),
              "m": d.normal(s, 0.0 if zero else 0.5), "v": d.normal(s, 0.0 if zero else 1.0) ** 2}

    def fn(t):
        return optimiser(t, lambda ps: torch.optim.Adam(ps, a["lr"], (a["beta1"], a["beta2"]), a["eps"]),
                         {"step": torch.tensor(float(step - 1)), "exp_avg": t["m"].clone(),
                          "exp_avg_sq": t["v"].clone()}, {"m": "exp_avg", "v": "exp_avg_sq"})

    def check(t, out, grads):
        b1, b2 = a["beta1"], a["beta2"]
        m, v = b1 * t["m"] + (1 - b1) * t["grad"], b2 * t["v"] + (1 - b2) * t["grad"] ** 2
        p = t["param"] - a["lr"] * (m / (1 - b1 ** step)) / ((v / (1 - b2 ** step)).sqrt() + a["eps"])
        assert all(torch.allclose(u, w, rtol=1e-10, atol=1e-12)
                   for u, w in ((m, out["m"]), (v, out["v"]), (p, out["param"])))
    return Case(a, inputs, fn, check=check, **OPT_TOL)


@op("rmsprop_step")
def rmsprop_step(d):
    s = d.shape(1, 4, 3000)
    a = {"lr": d.pick([1e-2, 1e-3, 5e-5]), "alpha": d.pick([0.9, 0.99]), "eps": d.pick([1e-8, 1e-6])}
    inputs = {"param": d.normal(s), "grad": d.normal(s),
              "square_avg": d.normal(s, 0.0 if d.i % 4 == 0 else 1.0) ** 2}

    def fn(t):
        return optimiser(t, lambda ps: torch.optim.RMSprop(ps, a["lr"], a["alpha"], a["eps"]),
                         {"step": torch.tensor(0.0), "square_avg": t["square_avg"].clone()}, {"square_avg": "square_avg"})
    return Case(a, inputs, fn, **OPT_TOL)


@op("sgd_step")
def sgd_step(d):
    s = d.shape(1, 4, 3000)
    a = {"lr": d.pick([0.1, 1e-2, 1e-3]), "momentum": d.pick([0.5, 0.9]) if d.i % 2 else 0.0}
    inputs = {"param": d.normal(s), "grad": d.normal(s)}
    if a["momentum"]:
        inputs["momentum_buffer"] = d.normal(s)

    def fn(t):
        state = {"momentum_buffer": t["momentum_buffer"].clone()} if a["momentum"] else {}
        return optimiser(t, lambda ps: torch.optim.SGD(ps, a["lr"], a["momentum"]), state,
                         {k: k for k in state})
    return Case(a, inputs, fn, **OPT_TOL)


# ----------------------------------------------------------------------------
# Second order
# ----------------------------------------------------------------------------
@op("gradient_penalty")
def gradient_penalty(d):
    b = d.int(1, 3)
    cin, c1, c2 = d.int(1, 2), d.int(2, 5), d.int(1, 4)
    size = [[5, 4, 6], [7, 7, 7], [d.int(3, 6), d.int(3, 8), d.int(3, 7)], [12, 5, 4]][d.i % 4]
    k1, s1, p1 = d.pick([([3, 3, 3], [1, 1, 1], [1, 1, 1]), ([2, 3, 1], [1, 2, 1], [0, 1, 0]),
                         ([3, 3, 3], [2, 2, 2], [1, 1, 1])])
    k2, s2, p2 = d.pick([([2, 2, 2], [2, 2, 2], [1, 1, 1]), ([1, 2, 3], [1, 1, 2], [0, 1, 1])])
    slope, lam = d.pick([0.1, 0.2]), 10.0
    mid = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, k1, s1, p1)]
    end = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(mid, k2, s2, p2)]
    flat = c2 * int(np.prod(end))
    attrs = {"conv1": {"stride": s1, "padding": p1}, "conv2": {"stride": s2, "padding": p2},
             "negative_slope": slope, "eps": 1e-5, "lambda": lam}

    def critic(t, x):
        z1 = F.layer_norm(F.conv3d(x, t["conv1.weight"], t["conv1.bias"], s1, p1), mid,
                          t["norm.weight"], t["norm.bias"], 1e-5)
        z2 = F.conv3d(F.leaky_relu(z1, slope), t["conv2.weight"], t["conv2.bias"], s2, p2)
        return F.linear(F.leaky_relu(z2, slope).flatten(1), t["linear.weight"], t["linear.bias"]), z1, z2

    while True:
        inputs = {
            "x": d.normal([b, cin] + size),
            "conv1.weight": d.normal([c1, cin] + k1, 1 / math.sqrt(cin * np.prod(k1))),
            "conv1.bias": d.normal([c1], 0.3),
            "norm.weight": 1 + d.normal(mid, 0.3), "norm.bias": d.normal(mid, 0.3),
            "conv2.weight": d.normal([c2, c1] + k2, 1 / math.sqrt(c1 * np.prod(k2))),
            "conv2.bias": d.normal([c2], 0.3),
            "linear.weight": d.normal([1, flat], 2 / math.sqrt(flat)), "linear.bias": d.normal([1])}
        t = {k: torch.tensor(v, dtype=F64) for k, v in inputs.items()}
        _, z1, z2 = critic(t, t["x"])
        if min(float(z1.abs().min()), float(z2.abs().min())) > 1e-4:   # off the kinks
            break

    def fn(t):
        x = t["x"].detach().requires_grad_()
        y, _, _ = critic(t, x)
        g = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
        norm = torch.sqrt((g ** 2).sum((1, 2, 3, 4)))
        return {"gp": ((norm - 1) ** 2).mean(), "critic": y.detach(), "grad_norm": norm.detach()}
    return Case(attrs, inputs, fn, [k for k in inputs if k != "x"], rtol=5e-4, atol=5e-5,
                cot={"gp": np.float32(lam)})


DOUBLE = ["conv3d", "conv_transpose3d", "leaky_relu", "layer_norm_voxel", "batch_norm3d",
          "softplus", "sigmoid", "tanh", "linear", "avg_pool3d"]


@op("double_backward", per=len(DOUBLE))
def double_backward(d):
    name = DOUBLE[d.i % len(DOUBLE)]
    inner = REGISTRY[name][0](Draw(d.seed, "double_backward " + name, d.i // len(DOUBLE), d.attempt,
                                   small=True))
    t = {k: torch.tensor(v, dtype=F64) for k, v in inner.inputs.items()}
    shape = list(inner.fn(t)["y"].shape)

    def fn(t):
        x = t["x"] if t["x"].requires_grad else t["x"].detach().requires_grad_()
        y = inner.fn({**t, "x": x})["y"]
        g = torch.autograd.grad((y * t["cotangent"]).sum(), x, create_graph=True)[0]
        return {"s": (g ** 2).sum(), "g": g.detach(), "y": y.detach()}
    inputs = {**inner.inputs, "cotangent": d.normal(shape)}
    return Case({"op": name, **inner.attrs}, inputs, fn, inner.diff + ["cotangent"],
                rtol=2e-4, atol=5e-5, cot={"s": np.float32(1)})


# ----------------------------------------------------------------------------
# Random bits, matrix metrics
# ----------------------------------------------------------------------------
def philox4x32(counter, key, rounds=10):
    """Random123's Philox4x32; counter [n,4], key [n,2], uint32."""
    c = [counter[:, j].astype(np.uint64) for j in range(4)]
    k = [key[:, j].astype(np.uint64) for j in range(2)]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(rounds):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k[0], p1 & low,
             (p0 >> np.uint64(32)) ^ c[3] ^ k[1], p0 & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c, 1).astype(np.uint32)


# Random123 kat_vectors, philox4x32 with 10 rounds: counter, key, result.
PHILOX_KAT = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
     [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1])]


@op("philox4x32_10")
def philox4x32_10(d):
    n = d.pick([64, 127, 300])
    ctr = d.rng.integers(0, 2 ** 32, [n, 4], dtype=np.uint32)
    key = d.rng.integers(0, 2 ** 32, [n, 2], dtype=np.uint32)
    if d.i % 4 in (1, 3):                       # consecutive counters under one key
        start = 0 if d.i % 4 == 1 else 2 ** 32 - n // 2          # 3: carry into word 1
        v = np.uint64(start) + np.arange(n, dtype=np.uint64)
        ctr[:, 0], ctr[:, 1] = v & np.uint64(0xFFFFFFFF), v >> np.uint64(32)
        ctr[:, 2:], key[:] = ctr[0, 2:], key[0]
    else:
        for j, (c, k, _) in enumerate(PHILOX_KAT):
            ctr[j], key[j] = c, k
    bits = philox4x32(ctr, key)
    for c, k, want in PHILOX_KAT:
        got = philox4x32(np.array([c], np.uint32), np.array([k], np.uint32))[0]
        assert got.tolist() == want, "Philox known answers"
    return Case({"rounds": 10}, {"counter": ctr.view(np.int32), "key": key.view(np.int32)},
                lambda t: {"bits": torch.from_numpy(bits.view(np.int32))}, rtol=0.0, atol=0.0,
                source=f"numpy {np.__version__} uint32, checked with Random123 known answers")


def cov(x):
    c = x - x.mean(0)
    return c.t() @ c / (x.shape[0] - 1)


@op("frechet_distance")
def frechet_distance(d):
    k = d.pick([1, 3, 8, 16])
    n, m = k * d.int(6, 12) + 3, k * d.int(6, 12) + 5
    mix = np.eye(k) + 0.4 * d.normal([k, k])
    x, y = d.normal([n, k]), (d.normal([m, k]) @ mix + 0.3 * d.normal([k])).astype(np.float32)

    def fn(t):
        a, b = cov(t["x"]), cov(t["y"])
        w, v = torch.linalg.eigh(a)
        root = (v * w.clamp(min=0).sqrt()) @ v.t()
        cross = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
        dm = t["x"].mean(0) - t["y"].mean(0)
        return {"distance": (dm ** 2).sum() + a.trace() + b.trace() - 2 * cross}

    def check(t, out, grads):
        u, v = t["x"].numpy(), t["y"].numpy()
        a, b = (np.atleast_2d(np.cov(w, rowvar=False)) for w in (u, v))
        ref = ((u.mean(0) - v.mean(0)) ** 2).sum() + np.trace(a + b) \
            - 2 * np.trace(scipy.linalg.sqrtm(a @ b)).real
        assert abs(ref - float(out["distance"])) < 1e-8
    return Case({}, {"x": x, "y": y}, fn, rtol=1e-3, atol=1e-4, check=check)


@op("jensen_shannon")
def jensen_shannon(d):
    n = d.pick([2, 10, 33, 100])
    p, q = (np.floor(d.rng.gamma(1.0, 20.0, n)) for _ in "pq")
    p[0] = 0 if d.flip else p[0] + 1                       # an empty bin on one side
    p[1], q[1] = p[1] + 3, q[1] + 1
    if n > 5:
        p[4] = q[4] = 0                                    # and one empty on both
    def fn(t):
        p, q = t["p"] / t["p"].sum(), t["q"] / t["q"].sum()
        m = 0.5 * (p + q)
        kl = lambda a: torch.where(a > 0, a * torch.log(torch.where(a > 0, a / m, torch.ones_like(a))),
                                   torch.zeros_like(a)).sum()
        return {"jsd": 0.5 * kl(p) + 0.5 * kl(q)}

    def check(t, out, grads):
        ref = scipy.spatial.distance.jensenshannon(t["p"].numpy(), t["q"].numpy()) ** 2
        assert abs(ref - float(out["jsd"])) < 1e-10
    return Case({}, {"p": p, "q": q}, fn, rtol=1e-4, atol=1e-6, check=check)


@op("correlation_matrix")
def correlation_matrix(d):
    n, k = d.pick([4, 33, 200]), d.pick([2, 5, 9])
    x = d.normal([n, k]) @ (np.eye(k) + 0.5 * d.normal([k, k])) * d.uniform(0.5, 5, [k]) + d.normal([k], 3)

    def fn(t):
        c = cov(t["x"])
        s = torch.sqrt(torch.diagonal(c))
        return {"corr": c / (s[:, None] * s[None, :])}

    def check(t, out, grads):
        assert np.allclose(np.corrcoef(t["x"].numpy(), rowvar=False), out["corr"].numpy(), atol=1e-10)
    return Case({}, {"x": x}, fn, rtol=1e-4, atol=1e-5, check=check)


# ----------------------------------------------------------------------------
# Running, checking and writing one case
# ----------------------------------------------------------------------------
def tensors(case, dtype):
    t = {}
    for k, v in case.inputs.items():
        v = torch.from_numpy(v.copy())
        t[k] = v.to(dtype) if v.is_floating_point() else v.long()
        if k in case.diff:
            t[k].requires_grad_()
    return t


def loss_of(out, cot):
    return sum((out[k] * torch.as_tensor(c, dtype=out[k].dtype)).sum() for k, c in cot.items())


def gradients(case, t, out, cot):
    if not case.diff:
        return {}
    got = torch.autograd.grad(loss_of(out, cot), [t[k] for k in case.diff], allow_unused=True,
                              retain_graph=True)
    return {k: (torch.zeros_like(t[k]) if g is None else g) for k, g in zip(case.diff, got)}


def draw_cotangents(case, t, out, rng):
    names = [k for k, v in out.items() if v.is_floating_point() and v.requires_grad]
    if case.cot or not case.diff:
        return case.cot
    cot = {k: np.asarray(rng.standard_normal(out[k].shape), np.float32) for k in names}
    if all(out[k].numel() == 1 for k in names):   # scalar losses: bring gradients to order 1
        cot = {k: np.full(out[k].shape, rng.uniform(0.6, 1.4), np.float32) for k in names}
        g = torch.cat([v.reshape(-1) for v in gradients(case, t, out, cot).values()])
        r = float(g.pow(2).mean().sqrt())
        scale = 2.0 ** round(-math.log2(r))
        cot = {k: (v * scale).astype(np.float32) for k, v in cot.items()}
    return cot


def finite_difference(case, out, grads, cot, rng, h=1e-6):
    v = {k: torch.from_numpy(rng.standard_normal(case.inputs[k].shape)) for k in case.diff}
    terms = torch.cat([(grads[k] * v[k]).reshape(-1) for k in case.diff])
    ends = []
    for sign in (1, -1):
        t = tensors(case, F64)
        for k in case.diff:
            t[k] = (t[k].detach() + sign * h * v[k]).requires_grad_()
        ends.append(float(loss_of(case.fn(t), cot)))
    fd, an = (ends[0] - ends[1]) / (2 * h), float(terms.sum())
    size = float(sum((out[k].detach() * torch.as_tensor(c)).abs().sum() for k, c in cot.items()))
    allow = 1e-6 * (abs(an) + float(terms.norm())) + 1e-8 * size
    assert abs(fd - an) <= allow, f"finite difference {fd} but gradient gives {an}"


def round_up(v):
    e = 10.0 ** math.floor(math.log10(v))
    return float(f"{math.ceil(v / e - 1e-9) * e:.0e}")


class TooSmall(Exception):
    """The values of a case are too close to its tolerance for it to fail."""


def make(name, i, seed, attempt=0):
    gen = REGISTRY[name][0]
    case = gen(Draw(seed, name, i, attempt))
    rng = np.random.default_rng([seed, zlib.crc32((name + " cotangents").encode()), i, attempt])
    t = tensors(case, F64)
    out = case.fn(t)
    cot = draw_cotangents(case, t, out, rng)
    grads = gradients(case, t, out, cot)
    if case.diff:
        finite_difference(case, out, grads, cot, rng)
    if case.check:
        plain = {k: v.detach() for k, v in t.items()}
        case.check(plain, {k: v.detach() for k, v in out.items()}, grads)

    results = {**{"out." + k: v for k, v in out.items()},
               **{"grad." + k: v for k, v in grads.items()}}
    atol = case.atol
    if case.rtol or case.atol:                    # what float32 arithmetic really gives
        t32 = tensors(case, torch.float32)
        out32 = case.fn(t32)
        grads32 = gradients(case, t32, out32, cot)
        got = {**{"out." + k: v for k, v in out32.items()},
               **{"grad." + k: v for k, v in grads32.items()}}
        for k, want in results.items():
            if not want.is_floating_point():
                assert torch.equal(want, got[k]), (k, "differs in float32")
                continue
            err = (got[k].detach().double() - want.detach()).abs()
            assert float(err.max()) <= 0.05 * float(want.detach().abs().max()) + case.atol, \
                f"{k}: float32 and float64 runs disagree"
            need = float((8 * err - case.rtol * want.detach().abs()).max())
            if need > atol:
                atol = round_up(need)
        for k, want in results.items():
            if want.is_floating_point():
                rms = float(want.detach().double().pow(2).mean().sqrt())
                if rms > 1e-9 and atol + case.rtol * rms > 0.05 * rms:
                    raise TooSmall(f"{k}: tolerance {atol} for values of size {rms}")

    files = {"in." + k: v for k, v in case.inputs.items()}
    files.update({"cotangent." + k: np.asarray(v, np.float32) for k, v in cot.items()})
    for k, v in results.items():
        v = v.detach().numpy()
        files[k] = v.astype(np.float32 if v.dtype.kind == "f" else np.int32)
    for k, v in files.items():
        assert np.isfinite(v).all(), f"{k} is not finite"
    meta = {"op": name, "attrs": json.dumps(case.attrs), "rtol": repr(case.rtol), "atol": repr(atol),
            "source": case.source, "seed": str(seed), "case": str(i)}
    return files, meta, atol / case.atol if case.atol else 1.0


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--out")
    ap.add_argument("--cases", type=int, default=4, help="cases per op (default 4)")
    ap.add_argument("--only", help="comma-separated op names")
    ap.add_argument("--list", action="store_true", help="print the op names and stop")
    ap.add_argument("--verbose", action="store_true", help="report slow cases and raised tolerances")
    args = ap.parse_args()
    if args.list:
        print("\n".join(REGISTRY))
        return
    if not args.out:
        ap.error("--out is required")
    names = args.only.split(",") if args.only else list(REGISTRY)
    unknown = [n for n in names if n not in REGISTRY]
    if unknown:
        ap.error(f"unknown ops {unknown}; see --list")
    os.makedirs(args.out, exist_ok=True)
    began, count, size = time.time(), 0, 0
    for name in names:
        for i in range(args.cases * REGISTRY[name][1]):
            t0 = time.time()
            try:
                for attempt in range(20):
                    try:
                        files, meta, raised = make(name, i, args.seed, attempt)
                        break
                    except TooSmall as e:
                        if attempt == 19:
                            raise
                        if args.verbose:
                            print(f"{name}_{i}: redrawn ({e})")
            except Exception:
                print(f"failed: {name} case {i} seed {args.seed}", file=sys.stderr)
                raise
            path = os.path.join(args.out, f"{name}_{i}.safetensors")
            write_safetensors(path, files, meta)
            count, size = count + 1, size + os.path.getsize(path)
            if args.verbose and (time.time() - t0 > 0.5 or raised > 1):
                print(f"{name}_{i}: {time.time() - t0:.2f} s, {os.path.getsize(path)} bytes, "
                      f"rtol {meta['rtol']} atol {meta['atol']} (raised x{raised:.3g}) {meta['attrs']}")
    print(f"{count} files, {len(names)} ops, {size / 1e6:.2f} MB, {time.time() - began:.1f} s")


if __name__ == "__main__":
    main()
