"""Which nodes of a graph lose too much in float16, found by what they do and not by name."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import TensorProto

# Sums over many values, and functions that magnify a rounding error: norms, softmax, exponentials.
_SENSITIVE = frozenset(
    (
        *("Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization"),
        *("LpNormalization", "ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2", "ReduceLogSumExp"),
        *("GlobalAveragePool", "Exp", "Log", "Pow", "Sqrt", "Reciprocal", "CumSum", "RoiAlign"),
    )
)
# Products with weights: where a network begins.
_LAYERS = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"))
# What only moves numbers about, or limits them.
_PASSIVE = frozenset(
    (
        *("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Gather", "Expand"),
        *("Identity", "Flatten", "Tile", "Clip", "Relu", "DepthToSpace", "SpaceToDepth"),
    )
)
_COORDINATES = "boxes"


def find_islands(graph: onnx.GraphProto) -> frozenset[str]:
    """Return the names of the nodes that should compute in float32.

    They are, whatever the model:

    - softmax, layer norm, L2 norm, exponentials, logarithms, roots, and sums and means over an axis;
    - what is divided by a computed number (an error of a small divisor is magnified);
    - all before the first layer: standardising pixels, and everything about box coordinates;
    - products with weights that come from coordinates: region pooling;
    - between a softmax and the output ``boxes``: positions averaged under attention;
    - what merely moves numbers from one such node to another.

    Parameters
    ----------
    graph : onnx.GraphProto
        float32; each node with a name of its own.
    """
    view = _View(graph)
    islands = {node.name for node in graph.node if view.is_sensitive(node) or view.before_layers(node)}
    islands |= view.towards_boxes()
    return frozenset(islands | view.between(islands))


def region_heads(graph: onnx.GraphProto) -> frozenset[str]:
    """Return the names of the nodes behind region pooling: what is made of a box's few numbers.

    They are the next to compute in float32 where parity asks for it: a row for each box, so it costs little.

    Parameters
    ----------
    graph : onnx.GraphProto
        float32; each node with a name of its own.
    """
    view = _View(graph)
    reached = {
        name
        for node in graph.node
        if node.op_type == "MatMul" and view.is_sensitive(node)
        for name in node.output
    }
    heads = set()
    for node in graph.node:
        if reached.intersection(node.input):
            heads.add(node.name)
            reached.update(node.output)
    return frozenset(heads)


def first_layers(graph: onnx.GraphProto) -> frozenset[str]:
    """Return the names of the layers that read what no layer had a part in: the pixels, however scaled.

    Parameters
    ----------
    graph : onnx.GraphProto
        float32; each node with a name of its own.
    """
    view = _View(graph)
    return frozenset(
        node.name
        for node in graph.node
        if node.op_type in _LAYERS and node.input[0] in view.plain - view.constants
    )


class _View:
    """Producers and consumers of a graph's values, and what lies before its first layer."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name for tensor in graph.initializer}
        self.floats = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
        # Shapes and positions, in a shape-inferred graph: they have no precision to lose.
        self.integers = {
            value.name
            for value in graph.value_info
            if value.type.tensor_type.elem_type not in (TensorProto.FLOAT, TensorProto.UNDEFINED)
        }
        self.producer = {name: node for node in graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.consumers.setdefault(name, []).append(node)
        # Values that no layer had a part in, and those of them that no input had a part in either.
        self.plain: set[str] = {value.name for value in graph.input} | self.constants | {""}
        self.fixed: set[str] = self.constants | {""}
        for node in graph.node:
            if not self._is_layer(node) and self.plain.issuperset(node.input):
                self.plain.update(node.output)
            if self.fixed.issuperset(node.input):
                self.fixed.update(node.output)

    def _is_layer(self, node: onnx.NodeProto) -> bool:
        # Looking a word up in a table of embeddings is a layer too.
        embeds = node.op_type == "Gather" and node.input[0] in self.floats
        return node.op_type in _LAYERS or embeds

    def before_layers(self, node: onnx.NodeProto) -> bool:
        return self.plain.issuperset(node.output)

    def is_sensitive(self, node: onnx.NodeProto) -> bool:
        if node.op_type == "Div":
            return node.input[1] not in self.fixed
        if node.op_type == "MatMul":
            return any(name in self.plain and name not in self.constants for name in node.input)
        return node.op_type in _SENSITIVE

    def towards_boxes(self) -> set[str]:
        """Return what leads to the boxes, back to the softmax that averages positions."""
        found: set[str] = set()
        waiting = [value.name for value in self.graph.output if value.name == _COORDINATES]
        while waiting:
            node = self.producer.get(waiting.pop())
            # A convolution, or a product with no softmax behind it, is the network again.
            if node is None or node.name in found or node.op_type in ("Conv", "Gemm"):
                continue
            found.add(node.name)
            if node.op_type != "Softmax":
                waiting.extend(node.input)
        return found

    def between(self, islands: Iterable[str]) -> set[str]:
        """Return passive nodes with islands on both sides, through other such nodes."""
        known = set(islands)
        outputs = {value.name for value in self.graph.output}
        joined = {
            node.name for node in self.graph.node if node.op_type in _PASSIVE and node.name not in known
        }
        # All of them at first: in a chain, each stays only while both of its neighbours do.
        while True:
            leaving = set()
            for node in self.graph.node:
                if node.name not in joined:
                    continue
                computed = [name for name in node.input if name in self.producer]
                sources = [self.producer[name] for name in computed if name not in self.integers]
                targets = [user for name in node.output for user in self.consumers.get(name, [])]
                staying = known | joined
                from_islands = bool(sources) and all(source.name in staying for source in sources)
                to_islands = all(user.name in staying for user in targets) or outputs.issuperset(node.output)
                if not (from_islands and to_islands):
                    leaving.add(node.name)
            if not leaving:
                return joined
            joined -= leaving
