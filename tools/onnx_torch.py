"""An exported generator in PyTorch, node by node: what `bench_generators.py --torch` times.

Only the operators that `calogen export` writes. Shapes come from the number of events, weights are constants, so that
torch.compile sees one graph.
"""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as f


def _conv(kind):
    def run(x, w, b=None, *, strides, pads, kernel_shape, output_padding=None):
        dims, half = len(kernel_shape), len(pads) // 2
        more = {} if output_padding is None else {"output_padding": output_padding}
        return getattr(f, f"{kind}{dims}d")(x, w, b, stride=strides, padding=pads[:half], **more)
    return run


def _gemm(x, w, b=None, *, transB=0):
    y = x @ (w.t() if transB else w)
    return y if b is None else y + b


def _slice(x, starts, ends, axes=None):
    starts, ends = starts.tolist(), ends.tolist()
    for axis, start, end in zip(range(len(starts)) if axes is None else axes.tolist(), starts, ends):
        x = x.narrow(axis, start, min(end, x.shape[axis]) - start)
    return x


def _reshape(x, shape):
    return x.reshape([x.shape[i] if extent == 0 else extent for i, extent in enumerate(shape.tolist())])


def _pad(x, pads, fill=None):
    pads = pads.tolist()
    half = len(pads) // 2
    around = [n for axis in reversed(range(half)) for n in (pads[axis], pads[half + axis])]
    return f.pad(x, around, value=0.0 if fill is None else float(fill))


def _resize(x, _roi, scales, *_, **__):
    for axis, scale in enumerate(scales.tolist()):
        x = x.repeat_interleave(int(scale), axis) if scale != 1 else x
    return x


OPERATORS = {
    "Conv": _conv("conv"), "ConvTranspose": _conv("conv_transpose"), "Gemm": _gemm, "Slice": _slice, "Pad": _pad,
    "Reshape": _reshape, "Resize": _resize, "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div,
    "Max": torch.maximum, "Min": torch.minimum, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt, "Abs": torch.abs,
    "Reciprocal": torch.reciprocal, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Relu": torch.relu, "Neg": torch.neg,
    "Softplus": f.softplus, "Identity": lambda x: x, "Greater": torch.gt, "Equal": torch.eq, "Where": torch.where,
    "LeakyRelu": lambda x, *, alpha: f.leaky_relu(x, alpha),
    "Cast": lambda x, *, to: x.to({1: torch.float32, 7: torch.int64, 9: torch.bool}[to]),
    "Concat": lambda *x, axis: torch.cat(x, axis), "Transpose": lambda x, *, perm: x.permute(perm),
    "ReduceSum": lambda x, axes: x.sum(axes.tolist(), keepdim=True),
    "ReduceMax": lambda x, *, axes: x.amax(axes, keepdim=True),
    "ReduceMin": lambda x, *, axes: x.amin(axes, keepdim=True),
    "Expand": lambda x, shape: x.expand(torch.broadcast_shapes(x.shape, shape.tolist())),
    "Shape": lambda x: torch.tensor(x.shape),
}


class Graph:
    """Runs the graph of an ONNX file on numpy arrays by name; returns `showers`."""

    def __init__(self, path, threads):
        torch.set_num_threads(threads)
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
        self.constants = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in graph.initializer}
        self.inputs = [i.name for i in graph.input if i.name not in self.constants]
        self.run = self.forward

    def forward(self, *given):
        values = dict(self.constants, **dict(zip(self.inputs, given)))
        for operator, inputs, output, attributes in self.nodes:
            values[output] = OPERATORS[operator](*(values[i] if i else None for i in inputs), **attributes)
        return values["showers"]

    def compiled(self):
        other = object.__new__(Graph)
        other.__dict__.update(self.__dict__)
        other.run = torch.compile(self.forward)
        return other

    def __call__(self, given):
        with torch.inference_mode():
            return self.run(*(torch.from_numpy(given[name]) for name in self.inputs)).numpy()
