#!/usr/bin/env python3
"""Compares the convolution, transposed convolution, dense and Sinkhorn kernels with other run times on the same processor.

Runs each layer of `calogen bench kernels` and, right before and right after it, the same layer in ONNX Runtime on the
CPU (and with --torch in PyTorch), with as many threads as there are cores, and prints the ratio of the rates. Weights
are fixed on both sides, so that both pack them beforehand. Whole generators: bench_generators.py beside this. With --torch the Sinkhorn divergences too, against the same
steps in PyTorch with the cost matrices stored, as GeomLoss' "tensorized" backend does.

    tools/bench_peers.py --calogen target/release/calogen
    tools/bench_peers.py --torch --filter sinkhorn
    tools/bench_peers.py --wrapper 'sh newest-driver.sh' --filter conv2d --batch 32,64 --json peers.json
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import time

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    sys.exit(f"bench_peers: {missing}; pip install numpy onnx onnxruntime")


def median_seconds(run, budget):
    """Median of up to 20 after 3 warm-ups, within about `budget` seconds."""
    start = time.perf_counter()
    for _ in range(3):
        run()
        if time.perf_counter() - start > budget / 4:
            break
    samples = []
    while len(samples) < 20 and (len(samples) < 3 or time.perf_counter() - start < budget):
        now = time.perf_counter()
        run()
        samples.append(time.perf_counter() - now)
    return statistics.median(samples)


def operands(layer, batch):
    """x, weights and bias in PyTorch's order, and the attributes of the layer's own axes."""
    rng = np.random.default_rng(1)
    draw = lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)
    i, o, own = layer["inputs"], layer["outputs"], 3 - layer["dims"]
    if layer["op"] == "dense":
        return draw(batch, i), draw(o, i), draw(o), {}
    axes = {k: layer[k][own:] for k in ("extent", "kernel", "stride", "padding", "output_padding")}
    shape = (i, o) if layer["op"] == "conv_transpose" else (o, i)
    return draw(batch, i, *axes["extent"]), draw(*shape, *axes["kernel"]), draw(o), axes


def onnx_layer(layer, batch, threads):
    """The layer as a model of one node; returns what runs it once, and its result's number of elements."""
    x, w, b, axes = operands(layer, batch)
    if layer["op"] == "dense":
        node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    else:
        attributes = {"kernel_shape": axes["kernel"], "strides": axes["stride"], "pads": axes["padding"] * 2}
        if layer["op"] == "conv_transpose":
            attributes["output_padding"] = axes["output_padding"]
        kind = {"conv": "Conv", "conv_transpose": "ConvTranspose"}[layer["op"]]
        node = helper.make_node(kind, ["x", "w", "b"], ["y"], **attributes)
    graph = helper.make_graph(
        [node], "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["y"], {"x": x})


def torch_layer(torch, layer, batch):
    x, w, b, axes = operands(layer, batch)
    x, w, b = (torch.from_numpy(v) for v in (x, w, b))
    f = torch.nn.functional
    if layer["op"] == "dense":
        call = lambda: f.linear(x, w, b)
    else:
        dims = layer["dims"]
        common = {"stride": axes["stride"], "padding": axes["padding"]}
        if layer["op"] == "conv_transpose":
            kind, common["output_padding"] = getattr(f, f"conv_transpose{dims}d"), axes["output_padding"]
        else:
            kind = getattr(f, f"conv{dims}d")
        call = lambda: kind(x, w, b, **common)

    def run():
        with torch.inference_mode():
            call()
    return run


def torch_divergence(torch, spec, showers):
    """The divergence with every step of the case, p = 2, costs |x - y|^2 / 2 by a matrix product."""
    rng = np.random.default_rng(1)
    draw = lambda: torch.from_numpy(rng.uniform(-1, 1, (showers, spec["features"])).astype(np.float32))
    x, y = draw().requires_grad_(spec["gradient"]), draw() * 0.8 + 0.1
    length, eps = spec["diameter"], [spec["diameter"] ** 2]
    while length > spec["blur"] * (1 + 1e-9):
        eps.append(length ** 2)
        length *= spec["scaling"]
    eps.append(spec["blur"] ** 2)
    log_weight = torch.full((showers,), -float(np.log(showers)))

    def cost(a, b):
        return 0.5 * ((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.t())

    def softmin(e, c, h):
        return -e * torch.logsumexp(h[None] - c / e, 1)

    def call():
        with torch.no_grad():
            cs = [cost(x, y), cost(y, x), cost(x, x), cost(y, y)]
            from_ = [1, 0, 2, 3]  # whose potential enters the soft-min of which
            f = [softmin(eps[0], c, log_weight) for c in cs]
            for e in eps:
                new = [softmin(e, c, log_weight + f[k] / e) for c, k in zip(cs, from_)]
                f = [0.5 * (a + b) for a, b in zip(f, new)]
        e = eps[-1]
        pairs = [(x, y), (y, x), (x, x), (y, y)]
        last = [softmin(e, cost(a, b.detach()), log_weight + f[k] / e) for (a, b), k in zip(pairs, from_)]
        value = (last[0] - last[2]).mean() + (last[1] - last[3]).mean()
        if spec["gradient"]:
            x.grad = None
            value.backward()
    return call


def compare_divergences(torch, cases, command, device, args):
    """Seconds of each Sinkhorn case here and in PyTorch."""
    print(f"PyTorch {torch.__version__}, {args.threads} threads")
    print(f"{'divergence':<46}{'ms':>10}{'torch ms':>10}{'torch/ours':>12}")
    rows = []
    for case in cases:
        run = torch_divergence(torch, case["divergence"], case["batch"])
        before = median_seconds(run, args.seconds / 2)
        ours = calogen(command, ["--no-ceilings", "--filter", case["case"], "--seconds", str(args.seconds)] + device)
        after = median_seconds(run, args.seconds / 2)
        [measured] = [c for c in ours["cases"] if c["case"] == case["case"]]
        row = {"case": case["case"], "adapter": ours["adapter"], "driver": ours["driver"],
               "seconds": measured["seconds"]["median"], "torch": min(before, after)}
        rows.append(row)
        print(f"{row['case']:<46}{row['seconds'] * 1e3:>10.2f}{row['torch'] * 1e3:>10.2f}"
              f"{row['torch'] / row['seconds']:>12.2f}", flush=True)
    return rows


def answer(command, arguments):
    """The one JSON object that the program prints."""
    done = subprocess.run(command + arguments, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def calogen(command, arguments):
    return answer(command, ["bench", "kernels", "--json"] + arguments)


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calogen", default="target/release/calogen", help="the program (default %(default)s)")
    p.add_argument("--wrapper", default="", help="command before it, such as one that starts it on another driver")
    p.add_argument("--filter", default="", help="only layers whose name contains this")
    p.add_argument("--batch", default="", help="batch sizes (default 32,64, and 4,8 for 30x30x30 networks)")
    p.add_argument("--threads", type=int, default=cores(), help="threads of the other run times (default: the cores, %(default)s)")
    p.add_argument("--seconds", type=float, default=1.0, help="for each measurement, about (default %(default)s)")
    p.add_argument("--device", default="", help="adapter, as calogen's --device")
    p.add_argument("--torch", action="store_true", help="PyTorch as well")
    p.add_argument("--json", default="", help="file to write the figures to")
    args = p.parse_args()
    torch = None
    if args.torch:
        try:
            import torch
        except ImportError as missing:
            sys.exit(f"bench_peers: {missing}; pip install torch")
        torch.set_num_threads(args.threads)

    command = shlex.split(args.wrapper) + [args.calogen]
    batch = ["--batch", args.batch] if args.batch else []
    device = ["--device", args.device] if args.device else []
    listed = calogen(command, ["--list"] + batch)["cases"]
    divergences = [c for c in listed if torch and c["divergence"] and args.filter in c["case"]]
    distances = compare_divergences(torch, divergences, command, device, args) if divergences else []
    cases = [c for c in listed if c["forward"] and args.filter in c["case"]]
    if not cases and distances:
        if args.json:
            with open(args.json, "w") as out:
                json.dump({"threads": args.threads, "divergences": distances}, out, indent=1)
        return
    if not cases:
        sys.exit(f"bench_peers: no layer contains '{args.filter}'")
    print(f"ONNX Runtime {onnxruntime.__version__}, {args.threads} threads"
          + (f"; PyTorch {torch.__version__}" if torch else ""))
    head = f"{'layer':<46}{'batch':>6}{'GFLOP/s':>10}{'ORT':>10}{'ours/ORT':>10}"
    print(head + (f"{'torch':>10}{'ours/torch':>12}" if torch else ""))
    rows = []
    for case in cases:
        layer, n = case["layer"], case["batch"]
        peers = {"ort": onnx_layer(layer, n, args.threads)}
        if torch:
            peers["torch"] = torch_layer(torch, layer, n)
        before = {k: median_seconds(run, args.seconds / 2) for k, run in peers.items()}
        ours = calogen(command, ["--frozen", "--no-ceilings", "--filter", case["case"], "--batch", str(n),
                                 "--seconds", str(args.seconds)] + device)
        after = {k: median_seconds(run, args.seconds / 2) for k, run in peers.items()}
        [measured] = [c for c in ours["cases"] if c["case"] == case["case"]]
        row = {"case": case["case"], "batch": n, "adapter": ours["adapter"], "driver": ours["driver"],
               "seconds": measured["seconds"]["median"], "gflop_per_second": measured["gflop_per_second"]}
        for k in peers:
            # Against the better of both: other work on the machine slows one of them at times.
            row[k] = measured["gflop"] / min(before[k], after[k])
            row["ours/" + k] = measured["gflop_per_second"] / row[k]
        rows.append(row)
        text = f"{row['case']:<46}{n:>6}{row['gflop_per_second']:>10.2f}{row['ort']:>10.2f}{row['ours/ort']:>10.3f}"
        print(text + (f"{row['torch']:>10.2f}{row['ours/torch']:>12.3f}" if torch else ""), flush=True)
    print(f"{rows[0]['adapter']}, {rows[0]['driver']}")
    for op in ("conv2d", "conv3d", "conv_transpose", "dense", ""):
        for peer in ("ort", "torch") if torch else ("ort",):
            ratios = [r["ours/" + peer] for r in rows if r["case"].startswith(op)]
            if ratios:
                print(f"median ours/{peer} {op or 'all'}: {statistics.median(ratios):.3f} "
                      f"({min(ratios):.3f}..{max(ratios):.3f}, {len(ratios)} rows)")
    if args.json:
        with open(args.json, "w") as out:
            json.dump({"onnxruntime": onnxruntime.__version__, "threads": args.threads, "rows": rows,
                       "divergences": distances}, out, indent=1)


if __name__ == "__main__":
    main()
