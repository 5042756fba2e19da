"""One face for a model, in whatever it runs: what is compared takes and gives the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from edge_retrieve.runtime.bundle import Graph

FloatArray = npt.NDArray[np.float32]
TokenArray = npt.NDArray[np.int64]


class ImageArrays(NamedTuple):
    """What the image encoder gives, in the order of its outputs."""

    features: FloatArray
    whole: FloatArray
    boxes: FloatArray
    box_scores: FloatArray


class TextArrays(NamedTuple):
    """What the text encoder gives, in the order of its outputs."""

    words: FloatArray
    text: FloatArray


class Model(Protocol):
    """The three encoders on NumPy arrays, shaped as the graphs take and give them."""

    def encode_image(self, pixels: FloatArray) -> ImageArrays:
        """Encode pixels [B, 1, S, S]."""

    def encode_regions(self, features: FloatArray, boxes: FloatArray) -> FloatArray:
        """Encode boxes [B, R, 4] of a feature map to [B, R, D]."""

    def encode_text(self, token_ids: TokenArray, mask: TokenArray) -> TextArrays:
        """Encode token ids [B, T] with their mask."""


class OnnxModel:
    """The model as graphs in ONNX Runtime on the CPU.

    Parameters
    ----------
    graphs : mapping of Graph to (path or onnx.ModelProto)
        All three.
    """

    def __init__(self, graphs: Mapping[Graph, Path | onnx.ModelProto]) -> None:
        self._sessions = {graph: _session(graphs[graph]) for graph in Graph}

    def replaced(self, graphs: Mapping[Graph, onnx.ModelProto]) -> OnnxModel:
        """Return the model with some of its graphs replaced; the others are not opened again."""
        other = object.__new__(OnnxModel)
        other._sessions = {**self._sessions, **{graph: _session(model) for graph, model in graphs.items()}}
        return other

    def encode_image(self, pixels: FloatArray) -> ImageArrays:
        """Encode pixels [B, 1, S, S]."""
        names = ["features", "global", "boxes", "box_scores"]
        return ImageArrays(*self._sessions[Graph.IMAGE_ENCODER].run(names, {"pixels": pixels}))

    def encode_regions(self, features: FloatArray, boxes: FloatArray) -> FloatArray:
        """Encode boxes [B, R, 4] of a feature map to [B, R, D]."""
        session = self._sessions[Graph.REGION_ENCODER]
        regions = session.run(["regions"], {"features": features, "boxes": boxes})[0]
        return np.asarray(regions, dtype=np.float32)

    def encode_text(self, token_ids: TokenArray, mask: TokenArray) -> TextArrays:
        """Encode token ids [B, T] with their mask."""
        session = self._sessions[Graph.TEXT_ENCODER]
        return TextArrays(*session.run(["words", "text"], {"token_ids": token_ids, "mask": mask}))


def _session(graph: Path | onnx.ModelProto) -> onnxruntime.InferenceSession:
    source = str(graph) if isinstance(graph, Path) else graph.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(source, sess_options=options, providers=["CPUExecutionProvider"])
