"""An exported generator in PyTorch, node by node: what `bench_generators.py --torch` times.

Only the operators that `calogen export` writes. Shapes come from the number of events, weights are constants, so that
torch.compile sees one graph.
"""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as f


# Every configuration is compiled for itself, and for each number of events.
torch._dynamo.config.recompile_limit = 10000


def _list(extents):
    """Extents as a list: constants are kept so, as PyTorch compiles no read of a tensor."""
    return extents if isinstance(extents, list) else extents.tolist()


def _conv(kind):
    def run(x, w, b=None, *, strides, pads, kernel_shape, output_padding=None):
        dims, half = len(kernel_shape), len(pads) // 2
        more = {} if output_padding is None else {"output_padding": output_padding}
        return getattr(f, f"{kind}{dims}d")(x, w, b, stride=strides, padding=pads[:half], **more)
    return run


def _gemm(x, w, b=None, *, transB=0):
    y = x @ (w.t() if transB else w)
    return y if b is None else y + b


def _slice(x, starts, ends, axes=None, steps=None):
    starts, ends = _list(starts), _list(ends)
    axes = range(len(starts)) if axes is None else _list(axes)
    part = [slice(None)] * x.dim()
    for axis, *begin_end_step in zip(axes, starts, ends, [1] * len(starts) if steps is None else _list(steps)):
        part[axis] = slice(*begin_end_step)
    return x[tuple(part)]


def _reshape(x, shape):
    return x.reshape([x.shape[i] if extent == 0 else extent for i, extent in enumerate(_list(shape))])


def _pad(x, pads, fill=None):
    pads = _list(pads)
    half = len(pads) // 2
    around = [n for axis in reversed(range(half)) for n in (pads[axis], pads[half + axis])]
    return f.pad(x, around, value=0.0 if fill is None else float(fill))


def _resize(x, _roi, scales, *_, **__):
    for axis, scale in enumerate(_list(scales)):
        x = x.repeat_interleave(int(scale), axis) if scale != 1 else x
    return x


OPERATORS = {
    "Conv": _conv("conv"), "ConvTranspose": _conv("conv_transpose"), "Gemm": _gemm, "Slice": _slice, "Pad": _pad,
    "Reshape": _reshape, "Resize": _resize, "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div,
    "MatMul": torch.matmul, "Max": torch.maximum, "Min": torch.minimum, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt,
    "Abs": torch.abs,
    "Reciprocal": torch.reciprocal, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Relu": torch.relu, "Neg": torch.neg,
    "Softplus": f.softplus, "Identity": lambda x: x, "Greater": torch.gt, "Equal": torch.eq, "Where": torch.where,
    "LeakyRelu": lambda x, *, alpha: f.leaky_relu(x, alpha),
    "Cast": lambda x, *, to: x.to({1: torch.float32, 7: torch.int64, 9: torch.bool}[to]),
    "Concat": lambda *x, axis: torch.cat(x, axis), "Transpose": lambda x, *, perm: x.permute(perm),
    "ReduceSum": lambda x, axes: x.sum(_list(axes), keepdim=True),
    "ReduceMax": lambda x, *, axes: x.amax(axes, keepdim=True),
    "ReduceMin": lambda x, *, axes: x.amin(axes, keepdim=True),
    "Expand": lambda x, shape: x.expand(torch.broadcast_shapes(x.shape, _list(shape))),
    "Shape": lambda x: torch.tensor(x.shape),
}


class Graph:
    """Runs the graph of an ONNX file on numpy arrays by name; returns `showers`. It is timed from host memory to host memory.

    precision: fp32; tf32 (products, on a GPU that has it); half (products under autocast: float16, on a CPU bfloat16).
    channels_last: weights of convolutions, and so what they make, lie with the channels innermost.
    mode: eager, node by node; compiled; graph: recorded once as a CUDA graph for each batch, and replayed.
    """

    def __init__(self, path, device="cpu", precision="fp32", channels_last=False, mode="eager"):
        graph = onnx.load(path).graph
        self.nodes = [(n.op_type, list(n.input), n.output[0],
                       {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}) for n in graph.node]
        missing = {n[0] for n in self.nodes} - OPERATORS.keys()
        if missing:
            raise SystemExit(f"onnx_torch: no operator {sorted(missing)}")
        text = {"mode", "coordinate_transformation_mode", "nearest_mode"}
        for _, _, _, attributes in self.nodes:
            for name in text & attributes.keys():
                del attributes[name]
        layers = {name for op, names, _, _ in self.nodes if op.startswith("Conv") for name in names[1:2]}
        scales = {names[2] for op, names, _, _ in self.nodes if op == "Resize"}
        self.constants = {}
        for given in graph.initializer:
            tensor = torch.from_numpy(np.array(numpy_helper.to_array(given)))
            if tensor.dtype == torch.int64 or given.name in scales:
                self.constants[given.name] = tensor.tolist()
                continue
            # Single numbers are read on the host.
            tensor = tensor.to(device) if tensor.dim() else tensor
            if channels_last and given.name in layers:
                form = torch.channels_last if tensor.dim() == 4 else torch.channels_last_3d
                tensor = tensor.to(memory_format=form)
            self.constants[given.name] = tensor
        self.inputs = [i.name for i in graph.input if i.name not in self.constants]
        self.device, self.precision, self.mode, self.recorded = device, precision, mode, {}
        self.run = self.forward
        if mode == "compiled":
            # On a GPU with its own CUDA graphs: one launch a batch.
            self.run = torch.compile(self.forward, dynamic=False, mode="default" if device == "cpu" else "reduce-overhead")

    def forward(self, *given):
        values = dict(self.constants, **dict(zip(self.inputs, given)))
        for operator, inputs, output, attributes in self.nodes:
            values[output] = OPERATORS[operator](*(values[i] if i else None for i in inputs), **attributes)
        return values["showers"]

    def replayed(self, given):
        key = tuple(g.shape for g in given)
        if key not in self.recorded:
            kept = [g.clone() for g in given]
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(3):
                    self.forward(*kept)
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                made = self.forward(*kept)
            self.recorded[key] = graph, kept, made
        graph, kept, made = self.recorded[key]
        for old, new in zip(kept, given):
            old.copy_(new)
        graph.replay()
        return made

    def __call__(self, given):
        for part in (torch.backends.cuda.matmul, torch.backends.cudnn):
            part.allow_tf32 = self.precision == "tf32"
        kind = torch.float16 if self.device == "cuda" else torch.bfloat16
        with torch.inference_mode(), torch.autocast(self.device, kind, enabled=self.precision == "half"):
            given = [torch.tensor(given[name], device=self.device) for name in self.inputs]
            made = self.replayed(given) if self.mode == "graph" else self.run(*given)
            return made.float().cpu().numpy()


def configurations(path, threads):
    """Every way of running the graph that the machine offers, by name."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = True
    gpu = torch.cuda.is_available()
    made = {}
    for precision in ("fp32", "tf32", "half") if gpu else ("fp32", "half"):
        for channels_last in (False, True):
            for mode in ("eager", "compiled", "graph") if gpu else ("eager", "compiled"):
                name = f"{precision}{' channels-last' if channels_last else ''} {mode}"
                made[name] = Graph(path, "cuda" if gpu else "cpu", precision, channels_last, mode)
    return made
