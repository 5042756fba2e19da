"""A graph that computes in float16, strongly typed: what computes in float32 all the same says so itself.

TensorRT from version 10 on and TensorRT-RTX follow the types in the graph and have no switch for float16
(TensorRT 11 dropped the last one), so they stand in the graph: every value has the type it is computed in,
and a Cast wherever it changes. One graph then computes alike in every engine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_retrieve.export.islands import find_islands
from edge_retrieve.export.storage import widened
from edge_retrieve.runtime.backends.plugins.definition import PLUGIN_NAME
from edge_retrieve.runtime.errors import ExportError

_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_LARGEST = float(np.finfo(np.float16).max)
# The plugin takes boxes in float32 whatever its features are; float16 would move an edge by up to 1/4,096.
_ALWAYS_FLOAT = {(PLUGIN_NAME, 1)}


def to_float16(model: onnx.ModelProto, *, keep: frozenset[str] = frozenset()) -> onnx.ModelProto:
    """Return a graph that computes in float16, with float32 islands where numbers need it.

    Inputs and outputs stay float32, boxes and features too: every form of a graph takes and gives the same,
    and a caller need not know which one it runs. Islands are what `find_islands` finds, for every model; a
    single node's type follows from it, and from what its operator allows.

    Parameters
    ----------
    model : onnx.ModelProto
        float32, with its weights stored in any way; left as it is.
    keep : frozenset of str
        Names of further nodes that shall compute in float32.

    Returns
    -------
    onnx.ModelProto
        Checked and shape-inferred. `float32_nodes` lists what still computes in float32.

    Raises
    ------
    ExportError
        A kept node does not exist, the graph has control flow, or the result does not pass ONNX's checker.
    """
    narrow = onnx.shape_inference.infer_shapes(widened(model))
    _name_nodes(narrow.graph)
    unknown = keep - {node.name for node in narrow.graph.node}
    if unknown:
        raise ExportError(
            f"the graph has no node {', '.join(sorted(unknown))}", where=narrow.graph.name or "float16"
        )
    _Retyping(narrow, find_islands(narrow.graph) | keep).apply()
    try:
        narrow = onnx.shape_inference.infer_shapes(narrow, strict_mode=True)
        onnx.checker.check_model(narrow, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"the float16 graph is not valid ({error})", where=narrow.graph.name) from error
    return narrow


def float32_nodes(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the names of the nodes of a graph that give float32; casts compute nothing and are left out.

    Parameters
    ----------
    model : onnx.ModelProto
        Shape-inferred.
    """
    types = element_types(model.graph)
    return tuple(
        node.name
        for node in model.graph.node
        if node.op_type != "Cast" and any(types.get(name) == _FLOAT for name in node.output)
    )


def element_types(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the element type of every value of a shape-inferred graph."""
    types = {tensor.name: int(tensor.data_type) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = int(value.type.tensor_type.elem_type)
    return types


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Give every node a name, and every name to one node: islands are listed by name."""
    taken: set[str] = set()
    for number, node in enumerate(graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}_{number}"
        taken.add(node.name)


class _Retyping:
    """One graph on its way from float32 to float16, node by node in its order."""

    def __init__(self, model: onnx.ModelProto, islands: frozenset[str]) -> None:
        self.graph, self.islands = model.graph, islands
        self.opset = {entry.domain: entry.version for entry in model.opset_import}
        self.types = element_types(self.graph)  # as they were
        self.now = dict(self.types)
        self.weights = {tensor.name: tensor for tensor in self.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.converted: dict[tuple[str, int], str] = {}

    def apply(self) -> None:
        nodes = list(self.graph.node)
        for node in nodes:
            self._retype(node)
        for value in self.graph.output:
            self._restore_output(value.name)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        del self.graph.value_info[:]
        used = {name for node in self.nodes for name in node.input}
        used |= {value.name for value in self.graph.output}
        remaining = [tensor for name, tensor in self.weights.items() if name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(remaining)

    def _retype(self, node: onnx.NodeProto) -> None:
        if any(attribute.type in _SUBGRAPHS for attribute in node.attribute):
            raise ExportError(
                f"{node.op_type} holds a graph of its own, which is not converted", where=node.name
            )
        wanted = _FLOAT if node.name in self.islands else _HALF
        for position, name in enumerate(node.input):
            if self.types.get(name) == _FLOAT:
                kind = wanted if self._takes_half(node, position) else _FLOAT
                node.input[position] = self._as_type(name, kind)
        for position, name in enumerate(node.output):
            if self.types.get(name) == _FLOAT:
                self.now[name] = wanted if self._gives_half(node, position) else _FLOAT
        if wanted == _HALF:
            _retype_attributes(node)
        self.nodes.append(node)

    def _takes_half(self, node: onnx.NodeProto, position: int) -> bool:
        if (node.op_type, position) in _ALWAYS_FLOAT:
            return False
        schema = self._schema(node)
        return schema is None or _allows_half(schema, schema.inputs, position)

    def _gives_half(self, node: onnx.NodeProto, position: int) -> bool:
        schema = self._schema(node)
        return schema is None or _allows_half(schema, schema.outputs, position)

    def _schema(self, node: onnx.NodeProto) -> onnx.defs.OpSchema | None:
        if node.domain not in ("", "ai.onnx"):
            return None
        return onnx.defs.get_schema(node.op_type, self.opset[node.domain], node.domain)

    def _as_type(self, name: str, kind: int) -> str:
        """Return the name under which a value is found in a type, converted once."""
        if self.now[name] == kind:
            return name
        if (name, kind) not in self.converted:
            suffix = "float16" if kind == _HALF else "float32"
            new = f"{name}.{suffix}"
            if name in self.weights:
                self.weights[new] = _half(self.weights[name], new)
            else:
                self.nodes.append(helper.make_node("Cast", [name], [new], name=f"cast_{new}", to=kind))
            self.converted[name, kind] = new
        return self.converted[name, kind]

    def _restore_output(self, name: str) -> None:
        """Give an output that is float16 by now its float32 back, under its own name."""
        if self.now[name] == self.types[name]:
            return
        inner = f"{name}.float16"
        for node in self.nodes:
            for names in (node.input, node.output):
                for position, used in enumerate(names):
                    if used == name:
                        names[position] = inner
        self.nodes.append(helper.make_node("Cast", [inner], [name], name=f"cast_{name}", to=_FLOAT))


_SUBGRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


def _allows_half(
    schema: onnx.defs.OpSchema, parameters: Sequence[onnx.defs.OpSchema.FormalParameter], position: int
) -> bool:
    # The last parameter of a variadic operator (Concat, Max) stands for all that follow.
    parameter = parameters[min(position, len(parameters) - 1)]
    allowed: set[str] = {parameter.type_str}
    for constraint in schema.type_constraints:
        if constraint.type_param_str == parameter.type_str:
            allowed = set(constraint.allowed_type_strs)
    return "tensor(float16)" in allowed


def _retype_attributes(node: onnx.NodeProto) -> None:
    """Have a node that names its result's type, or holds the result, say float16."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == _FLOAT:
            attribute.i = _HALF
        if attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == _FLOAT:
            attribute.t.CopyFrom(_half(attribute.t, attribute.t.name))


def _half(tensor: TensorProto, name: str) -> TensorProto:
    """Return a tensor in float16; what is beyond it (the lowest float32 of a mask) becomes its largest."""
    values = np.clip(numpy_helper.to_array(tensor), -_LARGEST, _LARGEST)
    return numpy_helper.from_array(values.astype(np.float16), name)
