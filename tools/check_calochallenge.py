#!/usr/bin/env python3
"""Recomputes what a report.json says of two CaloChallenge files, with NumPy and SciPy, and compares.

    python tools/check_calochallenge.py make SET DIR [--showers N] [--seed S]
    python tools/check_calochallenge.py check report.json SET [--binning FILE.xml]

SET is 1-photons, 1-pions, 2 or 3. `make` writes random reference.h5 and generated.h5: empty showers, negative noise,
float32 and float64. `check` reads the files that the report names; for sets 1 it needs the published binning file.
Figures must agree within 1e-3 relative, distances (JSD, W1, KS, separation powers) within 5e-3. Exit status 1 and a line
for each figure that does not. Needs numpy, scipy and h5py.
"""

import argparse
import json
import os
import sys
import xml.etree.ElementTree

import h5py
import numpy as np
from scipy.stats import ks_2samp, wasserstein_distance

from check_report import halves

VOXELS = {"1-photons": 368, "1-pions": 533, "2": 6480, "3": 40500}
CUTOFF = {"1-photons": 1.0, "1-pions": 1.0, "2": 0.01515, "3": 0.01515}


def make(name, folder, showers, seed):
    """Two files of different size and type, and of slightly different distributions."""
    os.makedirs(folder, exist_ok=True)
    rng = np.random.default_rng(seed)
    for role, n, dtype in (("reference", showers, "f8"), ("generated", showers + 7, "f4")):
        if name[0] == "1":
            incident = 2.0 ** rng.integers(8, 23, n)
        else:
            incident = 10 ** rng.uniform(3, 6, n)
        v = VOXELS[name]
        shape = rng.gamma(0.3, 1.0, v)
        cells = rng.gamma(0.5, 1.0, (n, v)) * shape * rng.binomial(1, 0.4, (n, v))
        target = incident * rng.normal(0.95 if role == "reference" else 1.0, 0.1, n)
        cells *= (target / cells.sum(1))[:, None]
        cells += rng.binomial(1, 0.01, (n, v)) * rng.normal(0, 0.5, (n, v))
        cells[rng.integers(0, n)] = 0
        with h5py.File(os.path.join(folder, role + ".h5"), "w") as file:
            file.create_dataset("incident_energies", data=incident[:, None].astype(dtype), compression="gzip")
            file.create_dataset("showers", data=cells.astype(dtype), compression="gzip")


def layers_of(name, binning):
    """(id, edges in r, bins in α) of the layers that hold voxels."""
    if binning is None:
        if name not in ("2", "3"):
            sys.exit(f"data set {name} needs --binning")
        r, alpha, width = (9, 16, 4.65) if name == "2" else (18, 50, 2.325)
        return [(k, np.arange(r + 1) * width, alpha) for k in range(45)]
    found = []
    for layer in xml.etree.ElementTree.parse(binning).getroot()[0]:
        edges = [float(e) for e in layer.get("r_edges").split(",")]
        if len(edges) > 1:
            found.append((int(layer.get("id")), np.array(edges), int(layer.get("n_bin_alpha"))))
    return found


class Sample:
    def __init__(self, path, layers, threshold):
        with h5py.File(path) as file:
            stored = file["showers"][:]
            self.incident = file["incident_energies"][:].astype(np.float64).reshape(-1)
        cut = stored.dtype.type(threshold)
        e = np.where((stored > 0) & (stored >= cut), stored, 0).astype(np.float64)
        self.cells = e
        self.total = e.sum(1)
        self.quantities = {}  # name -> {layer: values}
        self.layer_energy, self.layer_hits = [], []
        first = 0
        for ident, edges, alpha in layers:
            middle = (edges[1:] + edges[:-1]) / 2
            v = len(middle) * alpha
            part = e[:, first : first + v].reshape(len(e), alpha, len(middle))
            first += v
            angle = -np.pi + (np.arange(alpha) + 0.5) * 2 * np.pi / alpha
            axes = {"r": np.broadcast_to(middle, (alpha, len(middle)))}
            if alpha > 1:
                axes["eta"] = np.cos(angle)[:, None] * middle
                axes["phi"] = np.sin(angle)[:, None] * middle
            energy = part.sum((1, 2))
            put = lambda kind, values: self.quantities.setdefault(kind, {}).update({ident: values})
            put("e_layer", energy)
            put("sparsity", 1 - (part > 0).mean((1, 2)))
            for axis, values in axes.items():
                centre = (part * values).sum((1, 2)) / (energy + 1e-16)
                square = (part * values**2).sum((1, 2)) / (energy + 1e-16)
                put("ec_" + axis, centre)
                put("width_" + axis, np.sqrt(np.maximum(0, square - centre**2)))
            self.layer_energy.append(energy)
            self.layer_hits.append((part > 0).sum((1, 2)))
        assert first == e.shape[1], (first, e.shape)
        self.layer_energy = np.array(self.layer_energy).T
        self.layer_hits = np.array(self.layer_hits).T

    def observables(self):
        some = self.total > 0
        energy = self.layer_energy[some]
        total = energy.sum(1)
        z = energy.shape[1]
        cog = energy @ np.arange(z) / total
        width = (energy * (np.arange(z) - cog[:, None]) ** 2).sum(1) / total
        a, b = z // 3, 2 * z // 3
        found = {
            "visible_energy": self.total,
            "n_hits": self.layer_hits.sum(1).astype(float),
            "cell_energy": self.cells[self.cells > 0],
            "response": self.total / (self.incident / 1000),
            "cog_z": cog,
            "width_z": width,
            "e1_fraction": energy[:, :a].sum(1) / total,
            "e2_fraction": energy[:, a:b].sum(1) / total,
            "e3_fraction": energy[:, b:].sum(1) / total,
            "shower_start": (energy >= 0.05 * energy.max(1)[:, None]).argmax(1).astype(float),
        }
        for kind, by_layer in self.quantities.items():
            if kind not in ("e_layer", "sparsity"):
                found |= {f"{kind}_layer_{k}": v[some] for k, v in by_layer.items()}
        return found

    def features(self):
        columns = {"log10_incident_energy": np.log10(self.incident)}
        for kind in ("e_layer", "ec_eta", "ec_phi", "width_eta", "width_phi", "e_tot", "sparsity", "ec_r", "width_r"):
            if kind == "e_tot":
                columns["log10_visible_energy"] = np.log10(self.total + 1e-8)
                continue
            for k, v in self.quantities[kind].items():
                if kind == "e_layer":
                    columns[f"log10_energy_layer_{k}"] = np.log10(v + 1e-8)
                else:
                    columns[f"{kind}_layer_{k}"] = v if kind == "sparsity" else v / 100
        return columns


def separation(edges, a, b):
    a, b = np.histogram(a, edges)[0], np.histogram(b, edges)[0]
    if not a.sum() or not b.sum():
        return None
    a, b = a / a.sum(), b / b.sum()
    return 0.5 * ((a - b) ** 2 / (a + b + 1e-16)).sum()


def logarithmic(low, high, n):
    if not 0 < low < high:
        return None
    edges = np.logspace(np.log10(low), np.log10(high), n)
    edges[0], edges[-1] = low, high
    return edges


def edges_of(name, kind, layer, values, cutoff):
    near = name in ("2", "3")
    wide = layer in (12, 13)
    pick = lambda electrons, small, large: electrons if near else large if wide else small
    if kind == "e_layer":
        return logarithmic(cutoff, values.max(), 40)
    if kind == "sparsity":
        return np.linspace(0, 1, 21)
    end = {
        "ec_eta": pick(30, 100, 500), "ec_phi": pick(30, 100, 500), "ec_r": pick(42, 500, 1500),
        "width_eta": pick(30, 100, 400), "width_phi": pick(30, 100, 400), "width_r": pick(20, 500, 1500),
    }[kind]
    return np.linspace(-end if kind in ("ec_eta", "ec_phi") else 0, end, 101)


def powers(name, a, b, cutoff):
    """The report's `separation_power` and `reference_halves`."""
    total = np.linspace(0.5, 1.5, 101)
    ratio = [s.total / s.incident for s in (a, b)]
    both = [{"e_tot_over_e_inc": separation(total, *ratio)}, {}]
    first, second = halves(len(a.incident))
    both[1]["e_tot_over_e_inc"] = separation(total, ratio[0][first], ratio[0][second])
    if name[0] == "1":
        for found, (r, ir), (g, ig) in (
            (both[0], (ratio[0], a.incident), (ratio[1], b.incident)),
            (both[1], (ratio[0][first], a.incident[first]), (ratio[0][second], a.incident[second])),
        ):
            points = found["e_tot_over_e_inc_by_energy"] = {}
            for k in range(8, 23):
                points[str(2**k)] = separation(total, r[ir == 2**k], g[ig == 2**k])
    edges = logarithmic(cutoff, a.cells.max(), 50)
    both[0]["voxel_energy"] = None if edges is None else separation(edges, a.cells[a.cells > 0], b.cells[b.cells > 0])
    half_cells = [a.cells[part][a.cells[part] > 0] for part in (first, second)]
    both[1]["voxel_energy"] = None if edges is None else separation(edges, *half_cells)
    for kind in a.quantities:
        for found in both:
            found[kind] = {}
        for layer, values in a.quantities[kind].items():
            edges = edges_of(name, kind, layer, values, cutoff)
            other = b.quantities[kind][layer]
            both[0][kind][str(layer)] = None if edges is None else separation(edges, values, other)
            both[1][kind][str(layer)] = None if edges is None else separation(edges, values[first], values[second])
    for found in both:
        known = {kind: [p for p in found[kind].values() if p is not None] for kind in a.quantities}
        found["mean_of_layers"] = {kind: float(np.mean(p)) if p else None for kind, p in known.items()}
    return both


def bootstrap_error(a, b, edges, values, replicas=200):
    """Spread of a separation power over replicas in which showers occur Poisson(1) times; `values(sample)` gives rows."""
    rng = np.random.default_rng(1)
    rows = []
    for sample in (a, b):
        inside = [np.histogram(v[v > 0], edges)[0] for v in values(sample)]
        rows.append(np.array(inside, dtype=np.float64))
    found = []
    for _ in range(replicas):
        p, q = (rng.poisson(1.0, len(r)) @ r for r in rows)
        p, q = p / p.sum(), q / q.sum()
        filled = p + q > 0
        found.append(0.5 * (((p - q) ** 2)[filled] / (p + q)[filled]).sum())
    return np.std(found, ddof=1)


def divergence(a, b, log):
    scale = np.log10 if log else lambda v: v
    a, b = scale(a), scale(b)
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if low == high:
        return 0.0
    p, q = (np.histogram(v, 70 if log else 100, (low, high))[0] / len(v) for v in (a, b))
    m = (p + q) / 2
    term = lambda x: (x[x > 0] * np.log(x[x > 0] / m[x > 0])).sum()
    return (term(p) + term(q)) / 2


class Comparison:
    def __init__(self):
        self.figures, self.wrong, self.worst = 0, 0, 0.0

    def __call__(self, path, want, found, tolerance, scale=0.0):
        if isinstance(want, dict):
            for key in want:
                if not isinstance(found, dict) or key not in found:
                    self.miss(f"{path}.{key}", want[key], "nothing")
                else:
                    self(f"{path}.{key}", want[key], found[key], tolerance, scale)
            return
        self.figures += 1
        if want is None or found is None:
            return None if want is found else self.miss(path, want, found)
        error = abs(want - found) / max(abs(want), 1e-9 * scale, 1e-12)
        self.worst = max(self.worst, error / tolerance)
        if not error <= tolerance:
            self.miss(path, want, found)

    def miss(self, path, want, found):
        self.wrong += 1
        print(f"{path}: expected {want}, found {found}")


def check(path, name, binning):
    with open(path) as file:
        report = json.load(file)
    layers = layers_of(name, binning)
    a, b = (Sample(report[role]["file"], layers, report["threshold"]) for role in ("reference", "generated"))
    compare = Comparison()
    own = report["calochallenge"]
    cutoff = report["threshold"] or CUTOFF[name]
    compare("cutoff", cutoff, own["cutoff"], 1e-12)
    if own["dataset"] != name:
        compare.miss("dataset", name, own["dataset"])
    for key, want in zip(("separation_power", "reference_halves"), powers(name, a, b, cutoff)):
        compare(key, want, own[key], 5e-3)
        if set(want) != set(own[key]):
            compare.miss(key, sorted(want), sorted(own[key]))
    if "errors" in own:
        edges = logarithmic(cutoff, a.cells.max(), 50)
        for key, edges, values in (
            ("e_tot_over_e_inc", np.linspace(0.5, 1.5, 101), lambda s: (s.total / s.incident)[:, None]),
            ("voxel_energy", edges, lambda s: s.cells),
        ):
            if edges is None or own["separation_power"][key] is None:
                continue
            # Two estimates of a spread, from 100 and 200 replicas.
            compare(f"errors.{key}", bootstrap_error(a, b, edges, values), own["errors"]["separation_power"][key], 0.4)
    features = {"reference": a.features(), "generated": b.features()}
    names = own["features"]["names"]
    if names != list(features["reference"]):
        compare.miss("features.names", list(features["reference"]), names)
    for role, columns in features.items():
        for k, (key, values) in enumerate(columns.items()):
            want = {"mean": values.mean(), "std": values.std()}
            compare(f"features.{role}.{key}", want, own["features"][role][k], 1e-3, np.abs(values).max())
    left, right = a.observables(), b.observables()
    for key in left:
        found = report["observables"].get(key)
        if found is None:
            compare.miss(f"observables.{key}", "figures", "nothing")
            continue
        for role, values in (("reference", left[key]), ("generated", right[key])):
            want = {"mean": values.mean(), "std": values.std()}
            compare(f"observables.{key}.{role}", want, found[role], 1e-3, np.abs(values).max())
        want = {
            "jsd": divergence(left[key], right[key], key == "cell_energy"),
            "wasserstein1": wasserstein_distance(left[key], right[key]),
            "ks": ks_2samp(left[key], right[key], method="asymp").statistic,
        }
        compare(f"observables.{key}", want, found, 5e-3, np.abs(left[key]).max())
    absent = {"cog_x", "cog_y", "width_x", "width_y"} & set(report["observables"])
    if absent or report["profiles"].get("radial"):
        compare.miss("transverse figures of a grid", "none", absent)
    for key, values in (("longitudinal", "layer_energy"), ("occupancy", "layer_hits")):
        for role, sample in (("reference", a), ("generated", b)):
            want = dict(enumerate(getattr(sample, values).mean(0)))
            found = dict(enumerate(report["profiles"][key][role]))
            compare(f"profiles.{key}.{role}", want, found, 1e-3)
    print(f"{compare.figures} figures, {compare.wrong} wrong; largest error {compare.worst:.1e} of its tolerance")
    sys.exit(compare.wrong > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("set", choices=VOXELS)
    making.add_argument("folder")
    making.add_argument("--showers", type=int, default=120)
    making.add_argument("--seed", type=int, default=1)
    checking = commands.add_parser("check")
    checking.add_argument("report")
    checking.add_argument("set", choices=VOXELS)
    checking.add_argument("--binning")
    a = parser.parse_args()
    if a.command == "make":
        make(a.set, a.folder, a.showers, a.seed)
    else:
        check(a.report, a.set, a.binning)


if __name__ == "__main__":
    main()
