#!/usr/bin/env python3
"""Recomputes every figure of a report.json from the two shower files, with NumPy and SciPy, and compares.

    python tools/check_report.py report.json [--reference FILE] [--generated FILE] [--errors N]

The files are those that the report names, unless given. Figures must agree within 1e-3 relative, distances (JSD, W1,
KS and their like) within 5e-3; those of the halves of the reference too. With --errors the statistical errors must agree
with those of N Poisson bootstrap replicas drawn here with other random numbers, within five times what both sets of replicas
leave open. Exit status 1 and a line for each figure that does not. Needs numpy, scipy and h5py.
"""

import argparse
import copy
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
        self.rings = np.concatenate([p[4] for p in parts])  # energy by ring of each shower
        self.cells_of = sum((p[5] for p in parts), [])  # the cells > 0 of each shower
        self.channels = np.concatenate([p[6] for p in parts]) if self.z == 1 else None
        self.finish()

    def finish(self):
        self.visible = self.projections[0].sum(1)
        self.hits = self.hits_by_layer.sum(1)
        self.cells = np.concatenate([*self.cells_of, np.zeros(0)])

    def select(self, showers):
        """The showers of these numbers, which may repeat."""
        part = copy.copy(self)
        part.n = len(showers)
        for name in ("incident", "hits_by_layer", "rings"):
            setattr(part, name, getattr(self, name)[showers])
        part.projections = [p[showers] for p in self.projections]
        part.cells_of = [self.cells_of[i] for i in showers]
        part.channels = None if self.channels is None else self.channels[showers]
        part.finish()
        return part

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
            self.by_ring(e.sum(1)),
            [shower[shower > 0] for shower in e],
            channels,
        )

    def by_ring(self, images):
        i, j = np.meshgrid(np.arange(self.x), np.arange(self.y), indexing="ij")
        ring = np.floor(np.hypot(i - (self.x - 1) / 2, j - (self.y - 1) / 2)).astype(int).ravel()
        return np.stack([np.bincount(ring, image.ravel()) for image in images])

    def observables(self):
        full = self.visible > 0
        lit = self.incident > 0
        out = {
            "visible_energy": self.visible,
            "n_hits": self.hits.astype(np.float64),
            "cell_energy": self.cells,
            "response": self.visible[lit] / self.incident[lit],
        }
        for axis, projection in zip("zxy", self.projections):
            p = projection[full]
            # Counted from the first index that has energy: one cell alone has its exact centre and no width.
            first = (p > 0).argmax(1)
            i = np.arange(p.shape[1])[None] - first[:, None]
            cog = (p * i).sum(1) / p.sum(1)
            out[f"cog_{axis}"] = first + cog
            out[f"width_{axis}"] = (p * (i - cog[:, None]) ** 2).sum(1) / p.sum(1)
        layers = self.projections[0][full]
        if self.z >= 3:
            a, b = self.z // 3, 2 * self.z // 3
            for k, part in enumerate([slice(0, a), slice(a, b), slice(b, self.z)], 1):
                out[f"e{k}_fraction"] = layers[:, part].sum(1) / layers.sum(1)
        high = layers >= 0.05 * layers.max(1, keepdims=True) if full.any() else np.zeros((0, self.z), bool)
        out["shower_start"] = high.argmax(1).astype(np.float64)
        return out

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


def bins(name, a, b):
    """How to count values, and the common bins of two samples; None where one is empty."""
    if len(a) == 0 or len(b) == 0:
        return None
    scale = np.log10 if name == "cell_energy" else np.asarray
    low, high = min(scale(a).min(), scale(b).min()), max(scale(a).max(), scale(b).max())
    return scale, 70 if name == "cell_energy" else 100, (low, high if high > low else low + 1)


def overlaps(frame, a, b):
    """JSD, area difference ½Σ|h1-h2|Δ of densities and separation power of unit-sum histograms."""
    if frame is None or len(a) == 0 or len(b) == 0:
        return {"jsd": None, "area_difference": None, "separation_power": None}
    scale, count, ends = frame
    p, q = (np.histogram(scale(v), count, ends)[0].astype(float) for v in (a, b))
    width = (ends[1] - ends[0]) / count
    area = 0.5 * (np.abs(p / (p.sum() * width) - q / (q.sum() * width)) * width).sum()
    p, q = p / p.sum(), q / q.sum()
    both = np.where(p + q > 0, p + q, 1)
    return {
        "jsd": divergence(p, q),
        "area_difference": area,
        "separation_power": 0.5 * ((p - q) ** 2 / both).sum(),
    }


def shortest(values):
    """Mean and standard deviation in the shortest interval that holds 90 %."""
    s = np.sort(values)
    k = -(-9 * len(s) // 10)
    first = np.argmin(s[k - 1 :] - s[: len(s) - k + 1])
    return s[first : first + k].mean(), s[first : first + k].std()


def groups(a, b):
    """Incident energies and which showers of each sample have them."""
    energies = [s.incident.astype(np.float32) for s in (a, b)]
    found = [(float(e), [f == e for f in energies]) for e in np.unique(energies[0])]
    enough = lambda group: all(member.sum() >= 50 for member in group[1])
    found = [g for g in found if enough(g)]
    low, high = a.incident.min(), a.incident.max()
    if not found and low < high:
        edges = np.linspace(low, high, 11)
        for k in range(10):
            inside = lambda e: (e >= edges[k]) & ((e <= edges[k + 1]) if k == 9 else (e < edges[k + 1]))
            found.append(((edges[k] + edges[k + 1]) / 2, [inside(s.incident) for s in (a, b)]))
        found = [g for g in found if enough(g)]
    return found


class Frame:
    """What is fixed of a comparison: bins and groups are those of the samples, for replicas too."""

    def __init__(self, a, b):
        oa, ob = a.observables(), b.observables()
        self.bins = {name: bins(name, oa[name], ob[name]) for name in oa}
        self.groups = groups(a, b)
        lit = np.concatenate([s.visible[s.visible > 0] for s in (a, b)])
        self.depth = None
        if len(lit):
            low, high = lit.min(), lit.max()
            self.depth = np.linspace(low, high, 11) if high > low else np.linspace(low - 0.5, low + 0.5, 11)


def neighbours(s):
    layers = s.projections[0]
    out = []
    for u, v in zip(layers.T, layers.T[1:]):
        varies = np.ptp(u) > 0 and np.ptp(v) > 0
        out.append(np.corrcoef(u, v)[0, 1] if varies else None)
    return out


def depths(s, edges, cog):
    e = s.visible[s.visible > 0]
    place = np.searchsorted(edges, e, side="right") - 1
    place[e == edges[-1]] = 9
    return [cog[place == k].mean() if (place == k).any() else None for k in range(10)]


def centres(a, b, pairs):
    """Mean distance of the centres of paired showers that both have energy."""
    i = np.flatnonzero((a.visible[:pairs] > 0) & (b.visible[:pairs] > 0))
    if len(i) == 0:
        return None
    centre = lambda s, k: (s.projections[k][i] * np.arange(s.projections[k].shape[1])).sum(1) / s.visible[i]
    return np.hypot(centre(a, 1) - centre(b, 1), centre(a, 2) - centre(b, 2)).mean()


def expected(a, b, frame, members=None, paired=None):
    """All figures. For replicas `members` says which shower each is, and `paired` are the pairs drawn."""
    oa, ob = a.observables(), b.observables()
    moments = lambda s: {"mean": s.mean() if len(s) else None, "std": s.std() if len(s) else None}
    observables = {}
    for name in oa:
        u, v = oa[name], ob[name]
        ks = ks_2samp(u, v, method="asymp") if len(u) > 0 and len(v) > 0 else None
        observables[name] = {
            "reference": moments(u),
            "generated": moments(v),
            "wasserstein1": wasserstein_distance(u, v) if ks else None,
            "ks": ks.statistic if ks else None,
            "ks_p_value": None if ks is None else 1.0 if np.isnan(ks.pvalue) else ks.pvalue,
            **overlaps(frame.bins[name], u, v),
        }
    profiles = {}
    for name, of in (
        ("longitudinal", lambda s: s.projections[0]),
        ("radial", lambda s: s.rings),
        ("occupancy", lambda s: s.hits_by_layer),
    ):
        u, v = of(a).mean(0), of(b).mean(0)
        profiles[name] = {"reference": list(u), "generated": list(v), "jsd": divergence(u, v)}
    names = [f"{kind}_{axis}" for kind in ("cog", "width") for axis in "xyz"]
    names += ["visible_energy", "incident_energy", "n_hits"]
    names += [f"e{k}_fraction" for k in (1, 2, 3)] if a.z >= 3 else []
    ma, mb = a.correlation(names), b.correlation(names)
    difference = np.abs(ma - mb)[np.tril_indices(len(names), -1)]
    difference = difference[np.isfinite(difference)]
    channels = None
    if a.z == 1:
        first, second = paired or (a, b)
        pairs = min(first.n, second.n)
        channels = {
            "mae": np.abs(first.channels[:pairs] - second.channels[:pairs]).mean(),
            "wasserstein1": np.mean([wasserstein_distance(a.channels[:, k], b.channels[:, k]) for k in range(5)]),
            "response_centre_mae": centres(first, second, pairs),
        }
    members = members or [slice(None), slice(None)]
    linear = {"energies": [g[0] for g in frame.groups]}
    for side, key in enumerate(("reference", "generated")):
        s = (a, b)[side]
        figures = [s.visible[g[1][side][members[side]]] for g in frame.groups]
        figures = [shortest(v) if len(v) else (None, None) for v in figures]
        linear[key] = {
            "mu90": [f[0] for f in figures],
            "sigma90": [f[1] for f in figures],
            "resolution": [None if not f[0] else f[1] / f[0] for f in figures],
        }
    parts = [observables[name]["jsd"] for name in ("visible_energy", "n_hits", "cell_energy", "cog_z")]
    parts += [profiles["longitudinal"]["jsd"], profiles["radial"]["jsd"]]
    none = None in parts
    several = a.z > 1
    edges = frame.depth
    return {
        "observables": observables,
        "profiles": profiles,
        "correlation": {
            "names": names,
            "reference": [[None if np.isnan(v) else v for v in row] for row in ma],
            "generated": [[None if np.isnan(v) else v for v in row] for row in mb],
            "mean_abs_difference": difference.mean() if len(difference) else None,
            "max_abs_difference": difference.max() if len(difference) else None,
        },
        "layer_correlation": {"reference": neighbours(a), "generated": neighbours(b)} if several else None,
        "linearity": linear,
        "depth": {
            "visible_energy": list((edges[1:] + edges[:-1]) / 2),
            "reference": depths(a, edges, oa["cog_z"]),
            "generated": depths(b, edges, ob["cog_z"]),
        }
        if several and edges is not None
        else None,
        "channel_sums": channels,
        "fidelity_score": None if none else np.mean(np.sqrt(parts)),
        "fidelity_score_jsd": None if none else np.mean(parts),
    }


def philox(counter, key):
    """Philox4x32-10 of Salmon et al. (2011): the first of its four words."""
    c, k = [int(v) for v in counter], [int(v) for v in key]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c[0]


def halves(n):
    """Of every two showers one in each half; the coin has the address (seed 0, stream 0x60000000, event pair)."""
    half = np.array([(i + philox((0, 0x60000000, i // 2, 0), (0, 0))) % 2 for i in range(n)])
    return [np.flatnonzero(half == k) for k in (0, 1)]


def spread(trees):
    """Standard deviation of every number over replicas, in the form of one of them."""
    first = trees[0]
    if isinstance(first, dict):
        return {key: spread([t[key] for t in trees]) for key in first}
    if isinstance(first, list):
        return [spread([t[k] for t in trees]) for k in range(len(first))]
    if isinstance(first, str):
        return first
    numbers = [t for t in trees if t is not None]
    return np.std(numbers, ddof=1) if len(numbers) > 1 else None


def bootstrap(a, b, frame, replicas):
    random = np.random.default_rng(20260101)
    trees = []
    for _ in range(replicas):
        times = [random.poisson(1, s.n) for s in (a, b)]
        members = [np.repeat(np.arange(s.n), t) for s, t in zip((a, b), times)]
        if any(len(m) == 0 for m in members):
            continue
        pairs = min(a.n, b.n)
        drawn = np.repeat(np.arange(pairs), times[0][:pairs])
        paired = (a.select(drawn), b.select(drawn)) if a.z == 1 else None
        trees.append(expected(a.select(members[0]), b.select(members[1]), frame, members, paired))
    return spread(trees)


class Comparison:
    """Walks over what is expected; counts figures and prints those that disagree."""

    def __init__(self):
        self.figures, self.wrong, self.worst = 0, 0, 0.0
        self.replicas = None  # how many were drawn here and there, when errors are compared

    def __call__(self, path, want, found, scale=0.0):
        if isinstance(want, dict):
            if not isinstance(found, dict) or not set(want) <= set(found):
                return self.miss(path, sorted(want), found)
            if "observables." in path and "jsd" in want:
                if set(found) != set(want):
                    self.miss(path, sorted(want), sorted(found))
                scale = max(abs(v or 0.0) for v in want["reference"].values())
            for key, value in want.items():
                self(f"{path}.{key}" if path else key, value, found[key], scale)
            if path.endswith("observables") and list(want) != list(found) and set(want) != set(found):
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
        labels = ("ks_p_value", "linearity.energies", "depth.visible_energy")  # these have no errors
        if self.replicas and path.split("[")[0].endswith(labels):
            return None
        if want is None or found is None or isinstance(want, str):
            return None if want == found else self.miss(path, want, found)
        distances = (".jsd", ".wasserstein1", ".ks", "_score", "_score_jsd", "_difference", "separation_power")
        distance = path.endswith(distances) and "correlation" not in path
        tolerance = DISTANCE if distance else FIGURE
        if self.replicas:
            return self.error(path, want, found)
        # A figure that is 0 but for rounding is measured against the moments that it stands beside.
        error = abs(float(want) - found) / max(abs(want), 1e-9 * scale, 1e-12)
        self.worst = max(self.worst, error / tolerance)
        return None if error <= tolerance else self.miss(path, want, found)

    def error(self, path, want, found):
        """Two standard deviations of N values differ by 1/√2N of themselves, by more where the values have tails."""
        tolerance = 5 * sum(1 / (2 * n) for n in self.replicas) ** 0.5
        error = abs(float(want) - found) / max(want, found, 1e-12)
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
    parser.add_argument("--errors", type=int, metavar="N", help="check the errors with N replicas drawn here")
    arguments = parser.parse_args()
    with open(arguments.report) as file:
        report = json.load(file, parse_constant=lambda name: sys.exit(f"{arguments.report}: holds {name}"))
    threshold = report["threshold"]
    a = Sample(arguments.reference or report["reference"]["file"], threshold)
    b = Sample(arguments.generated or report["generated"]["file"], threshold)
    compare = Comparison()
    frame = Frame(a, b)
    want = {"reference": {"events": a.n}, "generated": {"events": b.n}, "unit": a.unit}
    compare("", want | expected(a, b, frame), report)
    if a.n > 1:
        first, second = (a.select(half) for half in halves(a.n))
        sizes = (1 / first.n + 1 / second.n) / (1 / a.n + 1 / b.n)
        want = {"reference": {"events": first.n}, "generated": {"events": second.n}, "noise_factor": sizes**0.5}
        want |= expected(first, second, Frame(first, second))
        if want["channel_sums"]:  # of other particles
            want["channel_sums"].update(mae=None, response_centre_mae=None)
        compare("halves", want, report["halves"])
    for key in ("classifier", "frechet_regression_distance"):
        if key not in report:
            compare.miss(key, "a value or null", "nothing")
    if arguments.errors:
        compare.replicas = (arguments.errors, report["bootstrap"]["replicas"])
        compare("errors", bootstrap(a, b, frame, arguments.errors), report["errors"])
    print(f"{compare.figures} figures, {compare.wrong} wrong; largest error {compare.worst:.1e} of its tolerance")
    sys.exit(compare.wrong > 0)


if __name__ == "__main__":
    main()
