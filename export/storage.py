"""How weights lie in a graph's file: as they are, or in fewer bytes, widened when it is opened."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

# Smaller tensors (biases, shapes, grids) stay float32: nothing is gained, and some are exact by design.
_HALF_FROM_ELEMENTS = 512
# The few largest kernels are half of a bundle; a byte a weight, scaled by output, costs 1 % of a weight's
# deviation. Parity with the checkpoint is enforced after it.
_BYTE_FROM_ELEMENTS = 300_000


def store_small(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose large float32 weights are stored in fewer bytes: the arithmetic stays float32.

    Weights are kept in float16, the largest kernels in int8 with a scale for each output. The nodes that
    widen them are folded away when a session opens.

    Parameters
    ----------
    model : onnx.ModelProto
        Left as it is.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    nodes = []
    for position, tensor in enumerate(graph.initializer):
        elements = int(np.prod(tensor.dims))
        if tensor.data_type != TensorProto.FLOAT or elements < _HALF_FROM_ELEMENTS:
            continue
        weights, name = numpy_helper.to_array(tensor), tensor.name
        if elements < _BYTE_FROM_ELEMENTS or weights.ndim < 2:
            stored = numpy_helper.from_array(weights.astype(np.float16), f"{name}.float16")
            nodes.append(_widen(stored.name, name))
        else:
            largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
            scale = np.maximum(largest, np.float32(1e-12)) / np.float32(127.0)
            stored = numpy_helper.from_array(np.rint(weights / scale).astype(np.int8), f"{name}.int8")
            graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale"))
            nodes.append(_widen(stored.name, f"{name}.unscaled"))
            nodes.append(
                helper.make_node("Mul", [f"{name}.unscaled", f"{name}.scale"], [name], name=f"scale_{name}")
            )
        graph.initializer[position].CopyFrom(stored)
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return small


def widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph with its weights as plain float32, whatever they were stored in.

    Parameters
    ----------
    model : onnx.ModelProto
        Left as it is; where it stores nothing small, the result is its copy.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    graph = wide.graph
    known = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        value = _folded(node, known)
        if value is None:
            kept.append(node)
        else:
            known[node.output[0]] = numpy_helper.from_array(value, node.output[0])
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input} | {value.name for value in graph.output}
    del graph.initializer[:]
    graph.initializer.extend(tensor for name, tensor in known.items() if name in used)
    remaining = [value for value in graph.value_info if value.name not in known]
    del graph.value_info[:]
    graph.value_info.extend(remaining)
    return wide


def _folded(node: onnx.NodeProto, known: dict[str, TensorProto]) -> npt.NDArray[np.float32] | None:
    """Return what a node that widens a weight computes; None of any other node."""
    if not all(name in known for name in node.input):
        return None
    if node.op_type == "Cast" and node.name.startswith("widen_"):
        return numpy_helper.to_array(known[node.input[0]]).astype(np.float32)
    if node.op_type == "Mul" and node.name.startswith("scale_"):
        weights, scale = (numpy_helper.to_array(known[name]) for name in node.input)
        return np.asarray(weights * scale, dtype=np.float32)
    return None


def _widen(stored: str, name: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [stored], [name], name=f"widen_{name}", to=TensorProto.FLOAT)
