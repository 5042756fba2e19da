"""Region pooling in a finished ONNX graph, turned from any of its three forms into any other.

A hospital has a bundle and no checkpoint, so the form that an engine needs is made from the graph itself.
Imports neither PyTorch nor an engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edge_retrieve.export.roi_nodes import pooling_nodes
from edge_retrieve.runtime.backends.plugins.definition import PLUGIN_NAME, PLUGIN_NAMESPACE, RoiMeanFields
from edge_retrieve.runtime.bundle import RoiAlign
from edge_retrieve.runtime.errors import ExportError

Floats = npt.NDArray[np.float32]
_SAME = 1e-4


@dataclass(frozen=True)
class Pooling:
    """One place of a graph where boxes are pooled from a feature map.

    Parameters
    ----------
    form : RoiAlign
    features, boxes, pooled : str
        Values of shape [B, C, h, w], [B, R, 4] (fractions of the map) and [B, R, C].
    channels, height, width : int
        Of the feature map.
    """

    form: RoiAlign
    features: str
    boxes: str
    pooled: str
    channels: int
    height: int
    width: int


def pool_as(model: onnx.ModelProto, form: RoiAlign) -> onnx.ModelProto:
    """Return a graph that pools regions in a chosen form; one that pools none comes back as it is.

    Parameters
    ----------
    model : onnx.ModelProto
        float32, its weights stored as such; left as it is.
    form : RoiAlign

    Raises
    ------
    ExportError
        The graph pools regions in a way that is not understood, or by another definition.
    """
    result = onnx.shape_inference.infer_shapes(model)
    found = find_poolings(result)
    graph = result.graph
    for number, pooling in enumerate(found):
        if pooling.form is form:
            continue
        nodes, constants = pooling_nodes(
            form,
            features=pooling.features,
            boxes=pooling.boxes,
            pooled=pooling.pooled,
            shape=(pooling.channels, pooling.height, pooling.width),
            prefix=f"pooling{number}",
        )
        place = next(n for n, node in enumerate(graph.node) if pooling.pooled in node.output)
        kept = [node for node in graph.node if pooling.pooled not in node.output]
        del graph.node[:]
        graph.node.extend([*kept[:place], *nodes, *kept[place:]])
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    if found and form is RoiAlign.PLUGIN and all(it.domain != PLUGIN_NAMESPACE for it in result.opset_import):
        result.opset_import.append(helper.make_opsetid(PLUGIN_NAMESPACE, 1))
    remove_unused(graph)
    return result


def find_poolings(model: onnx.ModelProto) -> tuple[Pooling, ...]:
    """Return where a shape-inferred graph pools regions.

    Raises
    ------
    ExportError
        There is a ``RoiAlign`` that is not our pooling.
    """
    view = _View(model.graph)
    found = [*view.with_operator(), *view.with_plugin()]
    for candidate in view.with_products():
        if _computes_pooling(model, candidate):
            found.append(candidate)
    if any(node.op_type == "RoiAlign" for node in model.graph.node) and not any(
        it.form is RoiAlign.ONNX for it in found
    ):
        raise ExportError(
            "its RoiAlign is not followed by the mean over all cells, or its boxes are not fractions",
            where=model.graph.name,
            remedy="Export the graph again with this version",
        )
    return tuple(found)


def remove_unused(graph: onnx.GraphProto) -> None:
    """Remove nodes, weights and notes on values that no output depends on."""
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    for values in (graph.initializer, graph.value_info):
        remaining = [value for value in values if value.name in wanted]
        del values[:]
        values.extend(remaining)


def pooled_mean(features: Floats, boxes: Floats) -> Floats:
    """Return the pooling of boxes [B, R, 4] from features [B, C, h, w] as [B, R, C]: the definition in NumPy.

    ONNX ``RoiAlign``, ``half_pixel``, 7 x 7 cells, two samples a cell and axis, average; then the mean over
    the cells, which makes it one bilinear tent per sample and axis.
    """
    fields = RoiMeanFields()
    weights = []
    for axis, cells in ((1, fields.output_height), (0, fields.output_width)):
        length = features.shape[3 - axis]
        samples = cells * fields.sampling_ratio
        low, high = boxes[..., axis, None] * length, boxes[..., axis + 2, None] * length
        places = low - 0.5 + (high - low) * ((np.arange(samples) + 0.5) / samples)
        inside = (places >= -1) & (places <= length)
        tents = 1 - np.abs(np.clip(places, 0, length - 1)[..., None] - np.arange(length))
        weights.append((np.maximum(tents, 0) * inside[..., None]).mean(axis=-2))
    pooled: Floats = np.einsum("brh,brw,bchw->brc", weights[0], weights[1], features).astype(np.float32)
    return pooled


class _View:
    """Shapes, producers and users of a graph's values."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.producer = {name: node for node in graph.node for name in node.output}
        self.users: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        self.shapes: dict[str, tuple[int, ...]] = {}
        for value in (*graph.input, *graph.value_info, *graph.output):
            if value.type.tensor_type.HasField("shape"):
                extents = value.type.tensor_type.shape.dim
                # 0 stands for what is open.
                self.shapes[value.name] = tuple(extent.dim_value for extent in extents)

    def with_operator(self) -> Iterator[Pooling]:
        for node in self.graph.node:
            if node.op_type != "RoiAlign" or node.domain not in ("", "ai.onnx"):
                continue
            mean = self._only_user(node.output[0], "ReduceMean")
            last = self._only_user(mean.output[0], "Reshape") if mean is not None else None
            rois = self.producer.get(node.input[1])
            scaled = (
                self.producer.get(rois.input[0]) if rois is not None and rois.op_type == "Reshape" else None
            )
            shape = self.shapes.get(node.input[0], ())
            if last is None or scaled is None or scaled.op_type != "Mul" or len(shape) != 4:
                continue
            boxes, scale = self._constant_last(scaled)
            expected = [shape[3], shape[2], shape[3], shape[2]]
            if scale is not None and np.array_equal(scale.reshape(-1), expected) and _is_ours(node):
                yield Pooling(RoiAlign.ONNX, node.input[0], boxes, last.output[0], *shape[1:])

    def with_plugin(self) -> Iterator[Pooling]:
        for node in self.graph.node:
            if node.op_type == PLUGIN_NAME and node.domain == PLUGIN_NAMESPACE:
                shape = self.shapes[node.input[0]]
                yield Pooling(RoiAlign.PLUGIN, node.input[0], node.input[1], node.output[0], *shape[1:])

    def with_products(self) -> Iterator[Pooling]:
        """Yield products of a flattened map with weights that come from boxes: what may be our pooling."""
        for node in self.graph.node:
            turned = self.producer.get(node.input[1]) if node.op_type == "MatMul" else None
            flat = self.producer.get(turned.input[0]) if turned is not None else None
            if turned is None or flat is None or (turned.op_type, flat.op_type) != ("Transpose", "Reshape"):
                continue
            features = flat.input[0]
            shape = self.shapes.get(features, ())
            if len(shape) != 4 or not all(shape[1:]):
                continue
            for boxes in self._boxes_before(node.input[0], features):
                yield Pooling(RoiAlign.MATMUL, features, boxes, node.output[0], *shape[1:])

    def _boxes_before(self, name: str, features: str) -> Iterator[str]:
        seen, waiting = {features}, [name]
        while waiting:
            value = waiting.pop()
            if value in seen or value in self.constants:
                continue
            seen.add(value)
            shape = self.shapes.get(value, ())
            if len(shape) == 3 and shape[2] == 4:
                yield value
                continue
            node = self.producer.get(value)
            waiting.extend(node.input if node is not None else ())

    def _only_user(self, name: str, kind: str) -> onnx.NodeProto | None:
        users = self.users.get(name, [])
        return users[0] if len(users) == 1 and users[0].op_type == kind else None

    def _constant_last(self, node: onnx.NodeProto) -> tuple[str, npt.NDArray[np.float32] | None]:
        first, second = node.input
        if first in self.constants:
            first, second = second, first
        return first, self.constants.get(second)


def _is_ours(node: onnx.NodeProto) -> bool:
    """Return whether a ``RoiAlign`` has the attributes of our definition."""
    given: Mapping[str, object] = {it.name: helper.get_attribute_value(it) for it in node.attribute}
    expected = {
        **dict(RoiMeanFields().items()),
        "coordinate_transformation_mode": b"half_pixel",
        "mode": b"avg",
        "spatial_scale": 1.0,
    }
    defaults = {"coordinate_transformation_mode": b"half_pixel", "mode": b"avg", "spatial_scale": 1.0}
    return all(given.get(name, defaults.get(name)) == value for name, value in expected.items())


def _computes_pooling(model: onnx.ModelProto, candidate: Pooling) -> bool:
    """Run a candidate's part of the graph on boxes of every kind: numbers decide, not looks."""
    generator = np.random.default_rng(0)
    channels, height, width = 3, candidate.height, candidate.width
    part = _part(model, candidate, channels)
    if part is None:
        return False
    features = generator.uniform(-1, 1, (2, channels, height, width)).astype(np.float32)
    boxes = generator.uniform(-0.2, 1.2, (2, 16, 4)).astype(np.float32)
    boxes[:, 0], boxes[:, 1], boxes[:, 2] = (0, 0, 1, 1), (0.4, 0.4, 0.4, 0.4), (2, 2, 3, 3)
    feeds = {candidate.features: features, candidate.boxes: boxes}
    expected = pooled_mean(features, boxes)
    try:
        (result,) = ReferenceEvaluator(part).run(None, feeds)
    except Exception:  # it raises what its operators raise: these shapes do not even fit
        return False
    pooled = np.asarray(result)
    return pooled.shape == expected.shape and bool(np.abs(pooled - expected).max() <= _SAME)


def _part(model: onnx.ModelProto, candidate: Pooling, channels: int) -> onnx.ModelProto | None:
    """Return what lies between features, boxes and pooled, for fewer channels; None if there is more."""
    producer = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    needed: set[str] = set()
    waiting = [candidate.pooled]
    while waiting:
        name = waiting.pop()
        if name in needed or name in ("", candidate.features, candidate.boxes) or name in constants:
            continue
        if name not in producer:
            return None
        needed.add(name)
        waiting.extend(producer[name].input)
    nodes = [node for node in model.graph.node if needed.intersection(node.output)]
    used = {name for node in nodes for name in node.input}
    tensors = []
    for name in used & constants.keys():
        value = numpy_helper.to_array(constants[name])
        if value.dtype == np.int64 and value.ndim == 1 and candidate.channels in value[1:]:
            # The shape [B, C, h * w] that the map is flattened to.
            value = np.where(value == candidate.channels, channels, value)
        tensors.append(numpy_helper.from_array(value, name))
    described = [
        helper.make_tensor_value_info(candidate.features, TensorProto.FLOAT, [None] * 4),
        helper.make_tensor_value_info(candidate.boxes, TensorProto.FLOAT, [None, None, 4]),
    ]
    out = helper.make_tensor_value_info(candidate.pooled, TensorProto.FLOAT, [None] * 3)
    graph = helper.make_graph(nodes, "pooling", described, [out], tensors)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
