#!/usr/bin/env python3
"""Recomputes `distances` of a report.json from the two shower files, with NumPy and SciPy, and compares.

    python tools/check_distances.py report.json [--reference FILE] [--generated FILE]

The files are those that the report names, unless given. Written from the papers' formulas; the batches are the same, drawn
with the crate's addressed random numbers. Figures must agree within 5e-3 of themselves or of their error. Exit status 1 and
a line for each figure that does not. Needs numpy, scipy, h5py, and torch for tools/steps/common.py.
"""

import argparse
import json
import sys

import h5py
import numpy as np
from scipy.linalg import sqrtm
from scipy.optimize import curve_fit
from scipy.spatial.distance import cdist, pdist
from check_report import halves
from steps.common import words

TOLERANCE = 5e-3


def features(path, threshold):
    """High-level features [N, F] of a shower file on a grid."""
    with h5py.File(path) as file:
        group = file if "layers" in file else next(g for g in file.values() if "layers" in g)
        cells = group["layers"][:]
        incident = np.asarray(group["energy"], np.float64).reshape(-1)
    cut = cells.dtype.type(threshold)
    e = np.where((cells > 0) & ~(cells < cut), cells, 0).astype(np.float64)
    layers, hits = e.sum((2, 3)), (e > 0).sum((2, 3))
    total = layers.sum(1)
    columns = [np.log10(np.maximum(incident, 1e-8))]
    if e.shape[1] > 1:
        columns += list(np.log10(layers + 1e-8).T)
    columns += [np.log10(total + 1e-8), hits.sum(1)]
    centres, widths = [], []
    for axes in [(1, 3), (1, 2), (2, 3)]:
        p = e.sum(axes)
        i = np.arange(p.shape[1])
        safe = np.where(total > 0, total, 1)
        centre = p @ i / safe
        centres.append(centre)
        widths.append((p * (i - centre[:, None]) ** 2).sum(1) / safe)
    columns += centres + widths + list(1 - hits.T / (e.shape[2] * e.shape[3]))
    return np.stack(columns, 1), bool((incident > 1e-8).all())


def below(seed, stream, batch, limits):
    """A number below each of `limits`."""
    bits = words(seed, stream, [batch], len(limits))[0]
    return ((bits * np.asarray(limits, np.uint64)) >> np.uint64(32)).astype(np.int64)


def with_replacement(seed, stream, batch, size, events):
    return below(seed, stream, batch, [events] * size)


def distinct(seed, stream, batch, size, events):
    places = np.arange(events)
    for i, d in enumerate(below(seed, stream, batch, events - np.arange(size))):
        places[i], places[i + d] = places[i + d], places[i]
    return places[:size]


def frechet(x, y):
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    shift = x.mean(0) - y.mean(0)
    # The eigenvalues of a product of two covariances are not negative.
    cross = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0)).sum()
    return shift @ shift + np.trace(a) + np.trace(b) - 2 * cross


def fpd_sizes(events, sizes):
    return sizes if events >= sizes[1] else [sizes[0] * events // sizes[1], events]


def fpd(x, y, seed, sizes=(10_000, 50_000), points=10, batches=20):
    low, high = fpd_sizes(min(len(x), len(y)), sizes)
    found = []
    n = [int(v + 1e-6) for v in 1 / np.linspace(1 / low, 1 / high, points)]
    for point, size in enumerate(n):
        values = []
        for batch in range(batches):
            i = with_replacement(seed, 2 * point, batch, size, len(x))
            j = with_replacement(seed, 2 * point + 1, batch, size, len(y))
            values.append(frechet(x[i], y[j]))
        found.append(np.mean(values))
    line, covariance = curve_fit(lambda v, a, b: a + b * v, 1 / np.array(n), found, bounds=(0, np.inf))
    return line[0], np.sqrt(covariance[0, 0])


def mmd(x, y, kernel):
    xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
    m, n = len(x), len(y)
    return (xx.sum() - np.trace(xx)) / (m * (m - 1)) + (yy.sum() - np.trace(yy)) / (n * (n - 1)) - 2 * xy.mean()


def polynomial(degree):
    return lambda x, y: (x @ y.T / x.shape[1] + 1) ** degree


def gaussian(width):
    return lambda x, y: np.exp(-cdist(x, y, "sqeuclidean") / (2 * width**2))


def kernel_distance(x, y, kernel, seed, size=10_000, batches=10):
    size = min(size, min(len(x), len(y)) // 2)
    found = []
    for batch in range(batches):
        i = distinct(seed, 0x100, batch, size, len(x))
        j = distinct(seed, 0x101, batch, size, len(y))
        found.append(mmd(x[i], y[j], kernel))
    low, high = np.percentile(found, [16.275, 83.725])
    return np.median(found), (high - low) / 2


def neighbours(x, y, k=5):
    """Precision, recall, density and coverage of y by x, each with its error."""
    radius = [np.sort(cdist(v, v), 1)[:, k] for v in (x, y)]
    d = cdist(x, y)
    inside = d < radius[0][:, None]
    share = lambda v: (v.mean(), v.std() / np.sqrt(len(v)))
    return {
        "precision": share(inside.any(0)),
        "recall": share((d < radius[1]).any(1)),
        "density": share(inside.sum(0) / k),
        "coverage": share(inside.any(1)),
    }


def figures(x, y, seed):
    scale = np.abs(x).max(0)
    scale[scale == 0] = 1
    x, y = x / scale, y / scale
    width = np.median(pdist(x[:1000]))
    most = min(len(x), len(y), 10_000)
    found = neighbours(x[:most], y[:most])
    found["fpd"] = fpd(x, y, seed)
    found["kpd"] = kernel_distance(x, y, polynomial(4), seed)
    found["kernel_distance"] = kernel_distance(x, y, polynomial(3), seed)
    found["mmd"] = kernel_distance(x, y, gaussian(width), seed)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report")
    parser.add_argument("--reference")
    parser.add_argument("--generated")
    args = parser.parse_args()
    with open(args.report) as file:
        report = json.load(file)
    said = report["distances"]
    names = [args.reference or report["reference"]["file"], args.generated or report["generated"]["file"]]
    (x, known), (y, also) = [features(name, report["threshold"]) for name in names]
    if not (known and also):
        x, y = x[:, 1:], y[:, 1:]
    wrong = 0
    if len(said["features"]) != x.shape[1]:
        sys.exit(f"{len(said['features'])} features, found {x.shape[1]}")
    first, second = halves(len(x))
    for side, (a, b) in {"generated": (x, y), "reference_halves": (x[first], x[second])}.items():
        for name, (value, error) in figures(a, b, said["seed"]).items():
            got = said[side][name]
            for what, want in [("value", value), ("error", error)]:
                if not abs(got[what] - want) <= TOLERANCE * max(abs(want), abs(error)):
                    wrong += 1
                    print(f"{side} {name} {what}: {got[what]}, found {want}")
    print(f"{args.report}: {wrong} of 32 figures differ")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
