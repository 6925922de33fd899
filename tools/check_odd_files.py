#!/usr/bin/env python3
"""Makes pairs of odd shower files, has the program compare them, and checks every figure with check_report.py.

    python tools/check_odd_files.py --program target/release/calogen [--pairs N] [--seed S]

Files differ at random in shape, number of showers, type, chunks, group, shape of `energy`, threshold, kinds of energies
(discrete, continuous, one, some 0) and content (empty showers, negative noise, single hits, whole numbers,
constant cells). Exit status 1 and the options of a pair that does not agree. Needs numpy, scipy and h5py.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

CHECK = pathlib.Path(__file__).with_name("check_report.py")


def showers(random, n, shape, kind):
    cells = random.exponential(2.0, (n, *shape)) * (random.random((n, *shape)) < random.choice([0.02, 0.3, 1.0]))
    if kind == "noise":
        cells += random.normal(0, 0.5, cells.shape)
    elif kind == "single":
        cells[:] = 0
        flat = cells.reshape(n, -1)
        flat[np.arange(n), random.integers(0, flat.shape[1], n)] = random.exponential(5.0, n)
    elif kind == "whole":
        cells = np.floor(cells)
    elif kind == "constant":
        cells[:] = 1.5
    cells[random.random(n) < random.choice([0.0, 0.2])] = 0
    if kind == "empty":
        cells[:] = 0
    return cells


def energies(random, n, kind):
    e = {
        "discrete": random.choice([10.0, 20.0, 50.0], n),
        "continuous": random.uniform(10, 100, n),
        "one": np.full(n, 30.0),
        "odd": random.choice([0.0, 7.5], n),
    }
    return e[kind]


def write(path, random, n, shape, content, spectrum, threshold):
    dtype = random.choice(["f4", "f8"])
    cells, e = showers(random, n, shape, content), energies(random, n, spectrum)
    with h5py.File(path, "w") as file:
        group = file if random.random() < 0.5 else file.create_group("30x30")
        chunked = {"chunks": (max(1, n // 3), *shape), "compression": "gzip"} if random.random() < 0.5 else {}
        layers = group.create_dataset("layers", data=cells.astype(dtype), **chunked)
        group.create_dataset("energy", data=(e if random.random() < 0.5 else e[:, None]).astype(random.choice(["f4", "f8"])))
        if threshold is not None:
            layers.attrs["threshold"] = threshold
        if random.random() < 0.5:
            layers.attrs["unit"] = "MeV"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the calogen program")
    parser.add_argument("--pairs", type=int, default=50, metavar="N", help="pairs of files [default: 50]")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the first pair [default: 0]")
    arguments = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for seed in range(arguments.seed, arguments.seed + arguments.pairs):
            random = np.random.default_rng(seed)
            shape = tuple(int(v) for v in (random.choice([1, 1, 2, 3, 7]), random.integers(1, 9), random.integers(1, 9)))
            contents = ["cells", "noise", "single", "whole", "constant", "empty"]
            about = []
            spectrum = random.choice(["discrete", "continuous", "one", "odd"])
            for name in ("a.h5", "b.h5"):
                n = int(random.choice([1, 2, 3, 60, 500, 701]))
                content = random.choice(contents, p=[0.4, 0.2, 0.12, 0.12, 0.08, 0.08])
                threshold = random.choice([None, 0.0, 0.3, 1e6], p=[0.4, 0.3, 0.25, 0.05])
                write(folder / name, random, n, shape, content, spectrum, threshold)
                about.append((n, str(content), threshold))
            command = [arguments.program, "evaluate", "--reference", folder / "a.h5", "--generated", folder / "b.h5"]
            run = subprocess.run([*command, "--out", folder / "out", "--replicas", "2"], capture_output=True, text=True)
            text = run.stderr
            if run.returncode == 0:
                run = subprocess.run([sys.executable, CHECK, folder / "out/report.json"], capture_output=True, text=True)
                text = run.stdout + run.stderr
            if run.returncode != 0:
                wrong += 1
                print(f"seed {seed}: shape {shape}, {spectrum}, {about}\n{text}", flush=True)
    print(f"{arguments.pairs} pairs, {wrong} wrong")
    sys.exit(wrong > 0)


main()
