"""The nodes that pool regions, in each of the three forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from edge_retrieve.runtime.backends.plugins.definition import (
    PLUGIN_NAME,
    PLUGIN_NAMESPACE,
    PLUGIN_VERSION,
    RoiMeanFields,
)
from edge_retrieve.runtime.bundle import RoiAlign

Constants = dict[str, npt.NDArray[Any]]


def pooling_nodes(
    form: RoiAlign, *, features: str, boxes: str, pooled: str, shape: tuple[int, int, int], prefix: str
) -> tuple[list[onnx.NodeProto], Constants]:
    """Return the nodes that pool boxes from a feature map, and the constants they read.

    Parameters
    ----------
    form : RoiAlign
        ``onnx``: the standard operator and the mean over its cells. ``matmul``: products of matrices, in
        operators of ONNX's opset 18 that every engine has. ``plugin``: one node of our own domain.
    features, boxes, pooled : str
        Names of values of shape [B, C, h, w], [B, R, 4] (fractions of the map) and [B, R, C], all float32.
    shape : (int, int, int)
        C, h and w.
    prefix : str
        Of the names of all that is new.
    """
    writer = _Writer(prefix)
    if form is RoiAlign.PLUGIN:
        writer.plugin(features, boxes, pooled)
    elif form is RoiAlign.ONNX:
        writer.operator(features, boxes, pooled, shape)
    else:
        writer.products(features, boxes, pooled, shape)
    return writer.nodes, writer.constants


class _Writer:
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: Constants = {}

    def plugin(self, features: str, boxes: str, pooled: str) -> None:
        # TensorRT's parser looks the creator up by version and namespace.
        fields: dict[str, Any] = {**dict(RoiMeanFields().items()), "plugin_version": PLUGIN_VERSION}
        self._add(
            PLUGIN_NAME,
            [features, boxes],
            pooled,
            domain=PLUGIN_NAMESPACE,
            plugin_namespace=PLUGIN_NAMESPACE,
            **fields,
        )

    def operator(self, features: str, boxes: str, pooled: str, shape: tuple[int, int, int]) -> None:
        channels, height, width = shape
        fields: dict[str, Any] = dict(RoiMeanFields().items())
        scale = self._constant("scale", np.asarray([width, height, width, height], np.float32))
        corners = self._constant("corners", np.asarray([-1, 4]))
        everything = self._constant("everything", np.asarray([-1]))
        batch = self._add("Shape", [boxes], start=0, end=1)
        both = self._add("Shape", [boxes], start=0, end=2)
        rois = self._add("Reshape", [self._add("Mul", [boxes, scale]), corners])
        zero, one = self._constant("zero", np.asarray(0)), self._constant("one", np.asarray(1))
        count = self._add("Squeeze", [batch])
        images = self._add("Range", [zero, count, one])
        column = self._add("Unsqueeze", [images, self._constant("after", np.asarray([1]))])
        owners = self._add("Reshape", [self._add("Expand", [column, both]), everything])
        cells = self._add(
            "RoiAlign",
            [features, rois, owners],
            mode="avg",
            coordinate_transformation_mode="half_pixel",
            spatial_scale=1.0,
            **fields,
        )
        inner = self._constant("cells", np.asarray([2, 3]))
        mean = self._add("ReduceMean", [cells, inner], keepdims=0)
        whole = self._add("Concat", [both, self._constant("channels", np.asarray([channels]))], axis=0)
        self._add("Reshape", [mean, whole], pooled)

    def products(self, features: str, boxes: str, pooled: str, shape: tuple[int, int, int]) -> None:
        channels, height, width = shape
        fields = RoiMeanFields()
        down = self._weights(boxes, "y", (1, 3), height, fields.output_height * fields.sampling_ratio)
        across = self._weights(boxes, "x", (0, 2), width, fields.output_width * fields.sampling_ratio)
        column = self._add("Unsqueeze", [down, self._constant("last", np.asarray([3]))])
        row = self._add("Unsqueeze", [across, self._constant("second", np.asarray([2]))])
        # 0 keeps an extent; the mean over cells and samples has made one weight for each place of the map.
        flat = self._constant("places", np.asarray([0, 0, height * width]))
        weights = self._add("Reshape", [self._add("Mul", [column, row]), flat])
        values = self._constant("values", np.asarray([0, channels, height * width]))
        turned = self._add("Transpose", [self._add("Reshape", [features, values])], perm=[0, 2, 1])
        self._add("MatMul", [weights, turned], pooled)

    def _weights(self, boxes: str, axis: str, edges: tuple[int, int], length: int, samples: int) -> str:
        """Add the mean of the tents of all samples along one axis; return its name, shape [B, R, length]."""

        def number(name: str, value: float) -> str:
            return self._constant(f"{axis}.{name}", np.asarray(value, np.float32))

        size = number("length", length)
        low, high = (
            self._add("Mul", [self._add("Gather", [boxes, self._index(edge)], axis=2), size])
            for edge in edges
        )
        fractions = ((np.arange(samples) + 0.5) / samples).astype(np.float32)
        steps = self._add(
            "Mul", [self._add("Sub", [high, low]), self._constant(f"{axis}.fractions", fractions)]
        )
        start = self._add("Sub", [low, number("half", 0.5)])
        places = self._add("Add", [start, steps])
        inside = self._add(
            "And",
            [
                self._add("GreaterOrEqual", [places, number("before", -1.0)]),
                self._add("LessOrEqual", [places, size]),
            ],
        )
        last = self._constant("last", np.asarray([3]))
        counted = self._add("Unsqueeze", [self._add("Cast", [inside], to=TensorProto.FLOAT), last])
        clipped = self._add("Clip", [places, number("zero", 0.0), number("end", length - 1.0)])
        cells = self._constant(f"{axis}.cells", np.arange(length, dtype=np.float32))
        distance = self._add("Abs", [self._add("Sub", [self._add("Unsqueeze", [clipped, last]), cells])])
        tents = self._add("Clip", [self._add("Sub", [number("one", 1.0), distance]), number("zero", 0.0)])
        samples_axis = self._constant("second", np.asarray([2]))
        return self._add("ReduceMean", [self._add("Mul", [tents, counted]), samples_axis], keepdims=0)

    def _index(self, edge: int) -> str:
        return self._constant(f"edge{edge}", np.asarray([edge]))

    def _constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.constants[f"{self.prefix}.{name}"] = value
        return f"{self.prefix}.{name}"

    def _add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        name = f"{self.prefix}.{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output or f"{name}.out"], name=name, **attributes))
        return str(self.nodes[-1].output[0])
