#!/usr/bin/env python3
"""Compares generation with other run times on the same processor: same network, same weights, same batch, in turns.

Each generator (a model's name with its preset, or weights) is exported by `calogen export` with an example, whose output
ONNX Runtime must reproduce to 1e-4 of the largest cell. Then `calogen bench generate` and ONNX Runtime take turns, and the
ratio of the best rates is printed. With --torch the same graph runs in PyTorch too, on its GPU if there is one: eager,
compiled and as a CUDA graph, in fp32, TF32 and half precision, plain and channels-last, of which the best counts; with --burn
the published HGCAL generator in burn on the same adapter (`cd tools/bench_burn && cargo build --release` first).

    tools/bench_generators.py --calogen target/release/calogen hgcal-wgan:paper zdc-e2e-sae
    tools/bench_generators.py --wrapper 'sh newest-driver.sh' --batch 1,64 --json peers.json
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time

from bench_peers import answer, cores

try:
    import numpy as np
    import onnx
    import onnxruntime
    from check_onnx import tensors
except ImportError as missing:
    sys.exit(f"bench_generators: {missing}; pip install numpy onnx onnxruntime")

EVERY = ("hgcal-wgan:paper hgcal-wgan:small wgan:paper wgan:small wgan-hadron:paper bib-ae:small vae:paper vae-energy:paper "
         "e2e-sae:paper e2e-sae:small cond-dcgan:paper cond-vae:paper").split()


def best_seconds(run, budget, least=3):
    """The least of some runs within about `budget` seconds, after one that warms up."""
    run()
    start, samples = time.perf_counter(), []
    while len(samples) < least or time.perf_counter() - start < budget:
        now = time.perf_counter()
        run()
        samples.append(time.perf_counter() - now)
    return min(samples)


def exported(command, name, preset, folder):
    """Path of the ONNX file, and inputs and output of some events as calogen computes them."""
    model, example, labels = (os.path.join(folder, f) for f in ("generator.onnx", "example.safetensors", "labels.csv"))
    export = command + ["export", name, "--preset", preset, "--out", model]

    def run(*more):
        done = subprocess.run(export + list(more), capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"bench_generators: {name}: {done.stderr.strip()}")
    run()
    events = 5
    graph = onnx.load(model).graph
    read = {name for node in graph.node for name in node.input}
    # Not read by a generator that is not conditional.
    asked = [i.doc_string.split(", ") for i in graph.input if i.name == "conditions" and i.name in read]
    for columns in asked:
        rows = [[30 + 10 * i if c == "energy" else 0.5 + 0.1 * i for c in columns] for i in range(events)]
        with open(labels, "w") as out:
            out.writelines(",".join(map(str, row)) + "\n" for row in [columns, *rows])
    run("--example", example, "--events", str(events), *(["--conditions", labels] if asked else []))
    return model, dict(tensors(example))


def onnx_runner(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return lambda given: session.run(["showers"], {n: given[n] for n in names})[0]


def checked(name, how, run, example):
    """Largest difference from the example's showers, of its largest cell; None where all cells are 0, as they are from some
    networks before any training. Less than single precision is only reported."""
    expected, made = example["showers"], run(example)
    largest = np.abs(expected).max()
    if largest == 0 and not made.any():
        return None
    worst = float(np.abs(made - expected).max() / largest) if largest > 0 else float("inf")
    if not worst <= 1e-4 and not how.startswith(("tf32", "half")):
        sys.exit(f"bench_generators: {name} differs by {worst:.2e} of the largest cell")
    return worst


def burn_seconds(wrapper, batch, budget):
    """Seconds a shower of the published HGCAL generator in burn, random weights."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench_burn/target/release/bench-burn")
    if not os.path.exists(program):
        sys.exit("bench_generators: --burn: cd tools/bench_burn && cargo build --release")
    return answer(wrapper + [program], [str(batch), str(budget)])["seconds_per_shower"]


def repeated(example, batch):
    return {k: np.ascontiguousarray(np.resize(v, (batch,) + v.shape[1:])) for k, v in example.items()}


def compare(command, generator, batch, args, torch_graph):
    name, _, preset = generator.partition(":")
    preset = preset or "paper"
    with tempfile.TemporaryDirectory() as folder:
        model, example = exported(command, name, preset, folder)
        peers = {"ort": onnx_runner(model, args.threads)}
        if torch_graph:
            peers |= torch_graph.configurations(model, args.threads)
    row = {"generator": generator, "batch": batch, "differences": {k: checked(f"{name} ({k})", k, p, example) for k, p in peers.items()}}
    given = repeated(example, batch)
    seconds = {k: float("inf") for k in ("ours", *peers)}
    bench = ["bench", "generate", name, "--preset", preset, "--batch", str(batch), "--seconds", str(args.seconds),
             "--tier", args.tier, "--no-ceilings", "--no-cold-start", "--json"]
    for _ in range(args.rounds):
        for k, run in peers.items():
            seconds[k] = min(seconds[k], best_seconds(lambda: run(given), args.seconds) / batch)
        if args.burn and generator == "hgcal-wgan:paper":
            burn = burn_seconds(shlex.split(args.wrapper), batch, args.seconds)
            seconds["burn"] = min(burn, seconds.get("burn", float("inf")))
        ours = answer(command, bench + (["--device", args.device] if args.device else []))
        [measured] = ours["batches"]
        seconds["ours"] = min(seconds["ours"], measured["seconds_per_shower"]["min"])
        row["latency_seconds"] = min(measured["latency_seconds"]["min"], row.get("latency_seconds", float("inf")))
    row |= {"adapter": ours["adapter"], "driver": ours["driver"], "seconds_per_shower": seconds,
            "gflop_per_shower": measured["gflop_per_shower"], "gbytes_per_shower": measured["gbytes_per_shower"]}
    row["ratios"] = {k: s / seconds["ours"] for k, s in seconds.items() if k != "ours"}
    return row


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("generators", nargs="*", help="MODEL:PRESET or weights (default: " + " ".join(EVERY) + ")")
    p.add_argument("--calogen", default="target/release/calogen", help="the program (default %(default)s)")
    p.add_argument("--wrapper", default="", help="command before it, such as one that starts it on another driver")
    p.add_argument("--batch", default="64", help="batch sizes (default %(default)s)")
    p.add_argument("--threads", type=int, default=cores(), help="threads of the other run times (default: the cores, %(default)s)")
    p.add_argument("--seconds", type=float, default=1.0, help="for each measurement, about (default %(default)s)")
    p.add_argument("--rounds", type=int, default=2, help="turns of each program; the best counts (default %(default)s)")
    p.add_argument("--tier", default="portable", help="calogen's --tier (default %(default)s)")
    p.add_argument("--device", default="", help="adapter, as calogen's --device")
    p.add_argument("--torch", action="store_true", help="PyTorch as well, in every configuration that the machine offers")
    p.add_argument("--burn", action="store_true", help="burn as well, where the generator is hgcal-wgan:paper")
    p.add_argument("--json", default="", help="file to write the figures to")
    args = p.parse_args()
    torch_graph = None
    if args.torch:
        import onnx_torch as torch_graph
    command = shlex.split(args.wrapper) + [args.calogen]
    print(f"ONNX Runtime {onnxruntime.__version__}, {args.threads} threads; rates of the best of {args.rounds} turns")
    head = f"{'generator':<22}{'batch':>6}{'showers/s':>12}{'ms a batch':>12}{'ORT':>12}{'ours/ORT':>10}"
    print(head + (f"{'PyTorch':>12}{'ours/PyTorch':>14}  best of its configurations" if args.torch else ""))
    rows = []
    for generator in args.generators or EVERY:
        for batch in map(int, args.batch.split(",")):
            row = compare(command, generator, batch, args, torch_graph)
            rows.append(row)
            s, r = row["seconds_per_shower"], row["ratios"]
            line = (f"{generator:<22}{batch:>6}{1 / s['ours']:>12.1f}{row['latency_seconds'] * 1e3:>12.2f}"
                    f"{1 / s['ort']:>12.1f}{r['ort']:>10.3f}")
            if args.torch:
                best = min((k for k in s if k not in ("ours", "ort", "burn")), key=s.get)
                line += f"{1 / s[best]:>12.1f}{r[best]:>14.3f}  {best}"
            if "burn" in s:
                line += f"  burn {1 / s['burn']:.1f} showers/s, ours/burn {r['burn']:.2f}"
            print(line + ("  (all cells 0: nothing to check)" if None in row["differences"].values() else ""), flush=True)
    print(f"{rows[0]['adapter']}, {rows[0]['driver']}")
    if args.json:
        with open(args.json, "w") as out:
            json.dump({"onnxruntime": onnxruntime.__version__, "threads": args.threads, "rows": rows}, out, indent=1)


if __name__ == "__main__":
    main()
