"""A graph in int8: static quantisation with Q and DQ nodes around every layer, calibrated.

Weights are quantised symmetrically, with a scale for each output; activations symmetrically, a scale each:
the one scheme that TensorRT and ONNX Runtime both compute in integers.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from edge_retrieve.export.islands import find_islands, first_layers
from edge_retrieve.export.storage import widened
from edge_retrieve.runtime.errors import ExportError

LAYERS = ("Conv", "Gemm", "MatMul")

Feeds = Sequence[Mapping[str, npt.NDArray[Any]]]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    def __init__(self, feeds: Feeds) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        found = next(self._feeds, None)
        return None if found is None else dict(found)


def quantisable(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the layers that could be quantised: products with weights that are no float32 island.

    The first layer is not among them: it takes little time, and pixels in steps of a 127th of their largest
    value cost accuracy everywhere after it. OpenVINO lost far more by it than ONNX Runtime
    (docs/performance.md).
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    islands = find_islands(model.graph) | first_layers(model.graph)
    return tuple(
        node.name
        for node in model.graph.node
        if node.op_type in LAYERS and node.name not in islands and node.input[1] in weights
    )


def to_int8(model: onnx.ModelProto, feeds: Feeds) -> onnx.ModelProto:
    """Return a graph whose layers compute in int8.

    Parameters
    ----------
    model : onnx.ModelProto
        float32, with its weights stored in any way; left as it is.
    feeds : sequence of mapping of str to array
        Inputs by name, one call each: ranges are the smallest and largest value seen.

    Returns
    -------
    onnx.ModelProto
        Checked and shape-inferred.

    Raises
    ------
    ExportError
        The quantiser, or ONNX's checker, refuses.
    """
    wide = onnx.shape_inference.infer_shapes(widened(model))
    chosen = quantisable(wide)
    if not chosen:
        return wide
    try:
        with tempfile.TemporaryDirectory(prefix="edge-retrieve-int8-") as scratch, _quiet_quantiser():
            out = Path(scratch) / "graph.onnx"
            quantize_static(
                wide,
                out,
                _Reader(feeds),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(LAYERS),
                nodes_to_quantize=list(chosen),
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    # A product's own result is kept in float32: a bias is added to it next, and rounding it
                    # first costs accuracy and time alike. Convolutions have no kernel that does so.
                    "OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"],
                },
            )
            quantised = onnx.load(str(out))
        return restored(quantised, wide, frozenset())
    except (ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise ExportError(f"the graph cannot be quantised ({error})", where=model.graph.name) from error


def restored(quantised: onnx.ModelProto, original: onnx.ModelProto, names: frozenset[str]) -> onnx.ModelProto:
    """Return a quantised graph with some layers in float32 again; the ranges of the others stay.

    Parameters
    ----------
    quantised : onnx.ModelProto
        From `to_int8`; left as it is.
    original : onnx.ModelProto
        What it was made from.
    names : frozenset of str
        Of layers.
    """
    mended = onnx.ModelProto()
    mended.CopyFrom(quantised)
    wide = widened(original)
    before = {node.name: node for node in wide.graph.node}
    weights = {tensor.name: tensor for tensor in wide.graph.initializer}
    present = {tensor.name for tensor in mended.graph.initializer}
    given = {name for node in mended.graph.node for name in node.output}
    integer = set(quantisable(wide)) - names
    rounded = _rounded_values(mended.graph)
    made_by_layers = {output for name in integer for output in before[name].output}
    for node in mended.graph.node:
        for position, name in enumerate(node.input):
            if node.name in names:
                # What a layer took before Q and DQ has kept its name, and so have the weights.
                taken = before[node.name].input[position]
                # The quantiser gives a widened bias the name of the bias it was made from.
                node.input[position] = f"{taken}.float32" if taken in given and taken in weights else taken
            elif node.name not in integer and rounded.get(name, name) not in made_by_layers:
                # Rounding serves the layers; what is float32 and not theirs is read as it is.
                node.input[position] = rounded.get(name, name)
        for name in node.input:
            source = weights.get(name.removesuffix(".float32"))
            if source is not None and name not in present | given:
                mended.graph.initializer.append(source)
                mended.graph.initializer[-1].name = name
                present.add(name)
    return _finished(mended, wide)


def _rounded_values(graph: onnx.GraphProto) -> dict[str, str]:
    """Return, by the name of each value that has been through Q and DQ, the value before them."""
    quantised = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    return {
        node.output[0]: quantised[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in quantised
    }


def _finished(model: onnx.ModelProto, original: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what nothing uses any more, take the versions of the original, infer shapes and check."""
    graph = model.graph
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    del graph.value_info[:]
    del model.opset_import[:]
    model.opset_import.extend(original.opset_import)
    model.ir_version = original.ir_version
    model.producer_name, model.producer_version = original.producer_name, original.producer_version
    del model.metadata_props[:]
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    return model


@contextmanager
def _quiet_quantiser() -> Iterator[None]:
    """Silence the quantiser's advice on pre-processing, which the export has done; its errors still raise."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
