#!/usr/bin/env python3
"""Recomputes every figure of a report.json from the two shower files, with NumPy and SciPy, and compares.

    python tools/check_report.py report.json [--reference FILE] [--generated FILE]

The files are those that the report names, unless given. Figures must agree within 1e-3 relative, distances (JSD, W1,
KS) within 5e-3. Exit status 1 and a line for each figure that does not. Needs numpy, scipy and h5py.
"""

import argparse
import json
import sys

import h5py
import numpy as np
from scipy.stats import ks_2samp, wasserstein_distance

FIGURE, DISTANCE = 1e-3, 5e-3
BLOCK = 256


def find(file):
    """The group that holds `layers` and `energy`: the root or one group below it."""
    if "layers" in file:
        return file
    groups = [item for item in file.values() if isinstance(item, h5py.Group) and "layers" in item]
    if len(groups) != 1:
        sys.exit(f"{file.filename}: expected `layers` at the root or in one group")
    return groups[0]


def text(value, default):
    return value.decode() if isinstance(value, bytes) else default if value is None else str(value)


class Sample:
    """Observables of one file, all showers, and the sums over them."""

    def __init__(self, path, threshold):
        with h5py.File(path) as file:
            group = find(file)
            layers = group["layers"]
            self.n, self.z, self.x, self.y = layers.shape
            self.unit = text(layers.attrs.get("unit"), "MeV")
            self.incident = np.asarray(group["energy"], np.float64).reshape(self.n)
            cut = layers.dtype.type(threshold)  # compared on the stored value
            parts = [self.block(layers[i : i + BLOCK], cut) for i in range(0, self.n, BLOCK)]
        self.projections = [np.concatenate([p[k] for p in parts]) for k in range(3)]
        self.hits_by_layer = np.concatenate([p[3] for p in parts])
        self.image = sum(p[4] for p in parts)  # [X, Y], summed over showers and layers
        self.cells = np.concatenate([p[5] for p in parts])
        self.channels = np.concatenate([p[6] for p in parts]) if self.z == 1 else None
        self.visible = self.projections[0].sum(1)
        self.hits = self.hits_by_layer.sum(1)

    def block(self, stored, cut):
        kept = np.where((stored > 0) & ~(stored < cut), stored, 0)
        e = kept.astype(np.float64)
        channels = None
        if self.z == 1:
            pixels = e[:, 0]
            i, j = np.meshgrid(np.arange(self.x), np.arange(self.y), indexing="ij")
            even = (i + j) % 2 == 0
            top, left = i < self.x // 2, j < self.y // 2
            masks = [~even, even & top & left, even & top & ~left, even & ~top & left, even & ~top & ~left]
            channels = np.stack([pixels[:, m].sum(1) for m in masks], 1)
        return (
            e.sum((2, 3)),
            e.sum((1, 3)),
            e.sum((1, 2)),
            (kept > 0).sum((2, 3)),
            e.sum((0, 1)),
            e[e > 0],
            channels,
        )

    def observables(self):
        full = self.visible > 0
        lit = self.incident > 0
        out = {
            "visible_energy": self.visible,
            "n_hits": self.hits.astype(np.float64),
            "cell_energy": self.cells,
            "response": self.visible[lit] / self.incident[lit],
        }
        total = self.visible[full]
        for axis, projection in zip("zxy", self.projections):
            p = projection[full]
            i = np.arange(p.shape[1])
            cog = (p * i).sum(1) / total
            out[f"cog_{axis}"] = cog
            out[f"width_{axis}"] = (p * (i[None] - cog[:, None]) ** 2).sum(1) / total
        layers = self.projections[0][full]
        if self.z >= 3:
            a, b = self.z // 3, 2 * self.z // 3
            for k, part in enumerate([slice(0, a), slice(a, b), slice(b, self.z)], 1):
                out[f"e{k}_fraction"] = layers[:, part].sum(1) / total
        high = layers >= 0.05 * layers.max(1, keepdims=True) if full.any() else np.zeros((0, self.z), bool)
        out["shower_start"] = high.argmax(1).astype(np.float64)
        return out

    def radial(self):
        i, j = np.meshgrid(np.arange(self.x), np.arange(self.y), indexing="ij")
        ring = np.floor(np.hypot(i - (self.x - 1) / 2, j - (self.y - 1) / 2)).astype(int)
        return np.bincount(ring.ravel(), self.image.ravel()) / self.n

    def correlation(self, names):
        full = self.visible > 0
        values = self.observables()
        values |= {
            "visible_energy": self.visible[full],
            "incident_energy": self.incident[full],
            "n_hits": self.hits[full].astype(np.float64),
        }
        columns = np.array([values[name] for name in names])
        matrix = np.full((len(names), len(names)), np.nan)
        if columns.shape[1]:
            varies = np.flatnonzero(columns.max(1) > columns.min(1))
            if len(varies):
                matrix[np.ix_(varies, varies)] = np.atleast_2d(np.corrcoef(columns[varies]))
        return matrix


def divergence(p, q):
    if p.sum() == 0 or q.sum() == 0:
        return None
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / m), 0) + np.where(q > 0, q * np.log(q / m), 0)
    return max(terms.sum() / 2, 0.0)


def jsd(name, a, b):
    if len(a) == 0 or len(b) == 0:
        return None
    if name == "cell_energy":
        a, b, bins = np.log10(a), np.log10(b), 70
    else:
        bins = 100
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if low == high:
        return 0.0
    return divergence(*(np.histogram(v, bins, (low, high))[0].astype(float) for v in (a, b)))


def shortest(values):
    """Mean and standard deviation in the shortest interval that holds 90 %."""
    s = np.sort(values)
    k = -(-9 * len(s) // 10)
    first = np.argmin(s[k - 1 :] - s[: len(s) - k + 1])
    return s[first : first + k].mean(), s[first : first + k].std()


def linearity(a, b):
    ea, eb = a.incident.astype(np.float32), b.incident.astype(np.float32)
    count = lambda member: (member(a, ea).sum() >= 50) and (member(b, eb).sum() >= 50)
    groups = [(float(e), lambda s, f, e=e: f == e) for e in np.unique(ea)]
    groups = [g for g in groups if count(g[1])]
    if not groups:
        low, high = a.incident.min(), a.incident.max()
        if low < high:
            edges = np.linspace(low, high, 11)
            for k in range(10):
                inside = lambda s, f, k=k: (s.incident >= edges[k]) & (
                    (s.incident <= edges[k + 1]) if k == 9 else (s.incident < edges[k + 1])
                )
                groups.append(((edges[k] + edges[k + 1]) / 2, inside))
            groups = [g for g in groups if count(g[1])]
    sides = []
    for sample, energies in ((a, ea), (b, eb)):
        figures = [shortest(sample.visible[member(sample, energies)]) for _, member in groups]
        sides.append({"mu90": [f[0] for f in figures], "sigma90": [f[1] for f in figures]})
    return {"energies": [g[0] for g in groups], "reference": sides[0], "generated": sides[1]}


def expected(report, a, b):
    oa, ob = a.observables(), b.observables()
    observables = {}
    for name in oa:
        u, v = oa[name], ob[name]
        some = len(u) > 0 and len(v) > 0
        moments = lambda s: {"mean": s.mean() if len(s) else None, "std": s.std() if len(s) else None}
        observables[name] = {
            "reference": moments(u),
            "generated": moments(v),
            "jsd": jsd(name, u, v),
            "wasserstein1": wasserstein_distance(u, v) if some else None,
            "ks": ks_2samp(u, v, method="asymp").statistic if some else None,
        }
    profiles = {
        "longitudinal": [s.projections[0].mean(0) for s in (a, b)],
        "radial": [s.radial() for s in (a, b)],
        "occupancy": [s.hits_by_layer.mean(0) for s in (a, b)],
    }
    names = [f"{kind}_{axis}" for kind in ("cog", "width") for axis in "xyz"]
    names += ["visible_energy", "incident_energy", "n_hits"]
    names += [f"e{k}_fraction" for k in (1, 2, 3)] if a.z >= 3 else []
    ma, mb = a.correlation(names), b.correlation(names)
    difference = np.abs(ma - mb)[np.tril_indices(len(names), -1)]
    difference = difference[np.isfinite(difference)]
    channels = None
    if a.z == 1:
        pairs = min(a.n, b.n)
        channels = {
            "mae": np.abs(a.channels[:pairs] - b.channels[:pairs]).mean(),
            "wasserstein1": np.mean([wasserstein_distance(a.channels[:, k], b.channels[:, k]) for k in range(5)]),
        }
    parts = [observables[name]["jsd"] for name in ("visible_energy", "n_hits", "cell_energy", "cog_z")]
    parts += [divergence(*profiles["longitudinal"]), divergence(*profiles["radial"])]
    return {
        "reference": {"events": a.n},
        "generated": {"events": b.n},
        "unit": a.unit,
        "observables": observables,
        "profiles": {k: {"reference": list(v[0]), "generated": list(v[1])} for k, v in profiles.items()},
        "correlation": {
            "names": names,
            "reference": [[None if np.isnan(v) else v for v in row] for row in ma],
            "generated": [[None if np.isnan(v) else v for v in row] for row in mb],
            "mean_abs_difference": difference.mean() if len(difference) else None,
            "max_abs_difference": difference.max() if len(difference) else None,
        },
        "linearity": linearity(a, b),
        "channel_sums": channels,
        "fidelity_score": None if None in parts else np.mean(np.sqrt(parts)),
    }


class Comparison:
    """Walks over what is expected; counts figures and prints those that disagree."""

    def __init__(self):
        self.figures, self.wrong, self.worst = 0, 0, 0.0

    def __call__(self, path, want, found, scale=0.0):
        if isinstance(want, dict):
            if not isinstance(found, dict) or not set(want) <= set(found):
                return self.miss(path, sorted(want), found)
            if path.startswith("observables.") and "jsd" in want:
                if set(found) != set(want):
                    self.miss(path, sorted(want), sorted(found))
                scale = max(abs(v or 0.0) for v in want["reference"].values())
            for key, value in want.items():
                self(f"{path}.{key}" if path else key, value, found[key], scale)
            if path == "observables" and list(want) != list(found) and set(want) != set(found):
                self.miss(path, list(want), list(found))
        elif isinstance(want, list):
            if not isinstance(found, list) or len(found) != len(want):
                return self.miss(path, want, found)
            numbers = [abs(v) for v in want if isinstance(v, float)]
            for k, (value, other) in enumerate(zip(want, found)):
                self(f"{path}[{k}]", value, other, max([scale, *numbers]))
        else:
            self.figure(path, want, found, scale)

    def figure(self, path, want, found, scale):
        self.figures += 1
        if want is None or found is None or isinstance(want, str):
            return None if want == found else self.miss(path, want, found)
        distance = path.endswith((".jsd", ".wasserstein1", ".ks", "fidelity_score"))
        tolerance = DISTANCE if distance else FIGURE
        # A figure that is 0 but for rounding is measured against the moments that it stands beside.
        error = abs(float(want) - found) / max(abs(want), 1e-9 * scale, 1e-12)
        self.worst = max(self.worst, error / tolerance)
        return None if error <= tolerance else self.miss(path, want, found)

    def miss(self, path, want, found):
        self.wrong += 1
        print(f"{path}: expected {want}, found {found}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report")
    parser.add_argument("--reference", help="shower file, if not the one the report names")
    parser.add_argument("--generated", help="shower file, if not the one the report names")
    arguments = parser.parse_args()
    with open(arguments.report) as file:
        report = json.load(file, parse_constant=lambda name: sys.exit(f"{arguments.report}: holds {name}"))
    threshold = report["threshold"]
    a = Sample(arguments.reference or report["reference"]["file"], threshold)
    b = Sample(arguments.generated or report["generated"]["file"], threshold)
    compare = Comparison()
    compare("", expected(report, a, b), report)
    for key in ("classifier", "frechet_regression_distance"):
        if key not in report:
            compare.miss(key, "a value or null", "nothing")
    print(f"{compare.figures} figures, {compare.wrong} wrong; largest error {compare.worst:.1e} of its tolerance")
    sys.exit(compare.wrong > 0)


main()
