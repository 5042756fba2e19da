"""From pixels and words to embeddings: the model's three graphs behind one object."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS, Box, boxes_to_array
from edge_retrieve.runtime.backends import Backend, Resolution, Runner, TakingTurns, open_graphs
from edge_retrieve.runtime.bundle import Bundle, Graph, PrecisionChoice
from edge_retrieve.runtime.encoding import FloatArray, ImageEncoding, PreparedImage, finding_probabilities
from edge_retrieve.runtime.errors import BackendError, QueryError
from edge_retrieve.runtime.preprocess.letterbox import letterbox
from edge_retrieve.runtime.preprocess.types import FloatImage
from edge_retrieve.runtime.tokenizer import TextTokenizer

_IMAGE_BATCH = 8
_TEXT_BATCH = 64
_UNIT_TOLERANCE = 1e-2


class Encoder:
    """The bundle's graphs, loaded. Use it as a context manager.

    Safe to share between threads: the graphs run for one caller at a time.

    Parameters
    ----------
    bundle : Bundle
    backend : Backend
    require_gpu : bool
        Fail rather than compute on the CPU.
    threads : int, optional
        CPU threads inside one operator; the engine's choice where None.
    engines : Path, optional
        Folder of the engines of TensorRT and TensorRT for RTX; the cache folder where None.
    precision : PrecisionChoice
        Which of the bundle's forms ONNX Runtime or OpenVINO runs.

    Raises
    ------
    BackendError
        Where the engine or a graph cannot be loaded.
    BundleError
        Where the tokenizer cannot be loaded, or the bundle has no form of that precision.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend = Backend.AUTO,
        require_gpu: bool = False,
        *,
        threads: int | None = None,
        engines: Path | None = None,
        precision: PrecisionChoice = PrecisionChoice.AUTO,
    ) -> None:
        self.bundle = bundle
        self._size = bundle.manifest.image_size
        self._tokenizer = TextTokenizer(bundle)
        self._graphs = open_graphs(
            bundle,
            backend,
            require_gpu=require_gpu,
            threads=threads,
            engines=engines,
            precision=precision,
        )
        turn = threading.Lock()
        self._image, self._region, self._text = (
            TakingTurns(self._graphs.runners[graph], turn)
            for graph in (Graph.IMAGE_ENCODER, Graph.REGION_ENCODER, Graph.TEXT_ENCODER)
        )

    @property
    def bundle_id(self) -> str:
        """The bundle's identifier; embeddings of different bundles must never meet."""
        return self.bundle.bundle_id

    @property
    def image_size(self) -> int:
        """Side of the model's square, pixels."""
        return self._size

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return self.bundle.manifest.embedding_dim

    @property
    def engine(self) -> str:
        """Name of the engine in use, for display."""
        return self._image.name.partition(":")[0]

    @property
    def resolution(self) -> Resolution:
        """The engine that was chosen, and why not the others."""
        return self._graphs.resolution

    def close(self) -> None:
        """Free the engines."""
        self._graphs.close()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def prepare(self, pixels: FloatImage) -> PreparedImage:
        """Bring an image of shape [H, W] (0 to 1) to the model's square."""
        square, mapping = letterbox(pixels, self._size)
        return PreparedImage(square, mapping, width=pixels.shape[1], height=pixels.shape[0])

    def encode_image(self, pixels: FloatImage) -> ImageEncoding:
        """Encode one image of shape [H, W], display intensity 0 to 1."""
        return self.encode_prepared([self.prepare(pixels)])[0]

    def encode_prepared(self, images: Sequence[PreparedImage]) -> list[ImageEncoding]:
        """Encode images already brought to the model's square.

        Raises
        ------
        BackendError
            Where the engine fails or returns what is not an embedding.
        """
        encodings: list[ImageEncoding] = []
        for start in range(0, len(images), _IMAGE_BATCH):
            encodings += self._encode_batch(images[start : start + _IMAGE_BATCH])
        return encodings

    def _encode_batch(self, images: Sequence[PreparedImage]) -> list[ImageEncoding]:
        pixels = np.stack([image.pixels for image in images]).astype(np.float32, copy=False)
        out = self._image.run({"pixels": pixels})
        count, dim = len(images), self.bundle.manifest.embedding_dim
        features = _output(out, "features", self._image)
        boxes = _output(out, "boxes", self._image, (count, len(REGIONS), 4))
        scores = _output(out, "box_scores", self._image, (count, len(REGIONS)))
        whole = _unit(_output(out, "global", self._image, (count, dim)), self._image)
        regions = self._encode_regions(features, boxes)
        encodings = []
        for n, image in enumerate(images):
            found = tuple(
                image.letterbox.to_source(Box(*(float(edge) * self._size for edge in box))).clipped(
                    image.width, image.height
                )
                for box in boxes[n]
            )
            encodings.append(
                ImageEncoding(
                    features=features[n : n + 1].copy(),
                    global_embedding=whole[n].copy(),
                    boxes=found,
                    box_scores=scores[n].copy(),
                    regions=regions[n].copy(),
                    letterbox=image.letterbox,
                    width=image.width,
                    height=image.height,
                    findings=finding_probabilities(features[n], self.bundle.manifest.finding_channels),
                )
            )
        return encodings

    def encode_boxes(self, encoding: ImageEncoding, boxes: Sequence[Box]) -> FloatArray:
        """Encode any boxes of an image that was encoded before.

        Parameters
        ----------
        encoding : ImageEncoding
        boxes : sequence of Box
            R boxes, source pixels.

        Returns
        -------
        float32 array of shape [R, D]
            Of unit length.
        """
        if not boxes:
            return np.zeros((0, self.bundle.manifest.embedding_dim), np.float32)
        inside = boxes_to_array([encoding.letterbox.to_model(box) for box in boxes]) / self._size
        regions = self._encode_regions(encoding.features, inside[np.newaxis].astype(np.float32))
        return regions.reshape(len(boxes), -1)

    def _encode_regions(self, features: FloatArray, boxes: FloatArray) -> FloatArray:
        out = self._region.run({"features": features, "boxes": boxes})
        shape = (*boxes.shape[:2], self.bundle.manifest.embedding_dim)
        return _unit(_output(out, "regions", self._region, shape), self._region)

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Encode texts; longer ones than the model reads are cut at its limit.

        Returns
        -------
        float32 array of shape [B, D]
            Of unit length.

        Raises
        ------
        QueryError
            Where a text is blank.
        BackendError
            Where the engine fails or returns what is not an embedding.
        """
        dim = self.bundle.manifest.embedding_dim
        if any(not text.strip() for text in texts):
            raise QueryError("a text is empty", remedy="Write a phrase, or leave the text out")
        # Texts of like length share a batch, so that little is computed on padding.
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        result = np.zeros((len(texts), dim), np.float32)
        for start in range(0, len(order), _TEXT_BATCH):
            chosen = order[start : start + _TEXT_BATCH]
            ids, mask = self._tokenizer([texts[n] for n in chosen])
            kinds = {spec.name: np.dtype(spec.dtype) for spec in self._text.inputs}
            out = self._text.run(
                {
                    "token_ids": ids.astype(kinds.get("token_ids", ids.dtype)),
                    "mask": mask.astype(kinds.get("mask", mask.dtype)),
                }
            )
            result[chosen] = _unit(_output(out, "text", self._text, (len(chosen), dim)), self._text)
        return result


def _output(
    outputs: dict[str, npt.NDArray[np.float32]],
    name: str,
    runner: Runner,
    shape: tuple[int, ...] | None = None,
) -> FloatArray:
    if name not in outputs:
        raise BackendError(
            f"the graph has no output '{name}' (it has {sorted(outputs)})",
            where=runner.name,
            remedy="Use a bundle whose graphs have the outputs of this version",
        )
    value = np.asarray(outputs[name], dtype=np.float32)
    if shape is not None and value.shape != shape:
        raise BackendError(
            f"output '{name}' has shape {value.shape}, the manifest promises {shape}",
            where=runner.name,
            remedy="Export the bundle again",
        )
    if not np.isfinite(value).all():
        raise BackendError(
            f"output '{name}' holds values that are not finite",
            where=runner.name,
            remedy="Try the backend cpu; if it persists the bundle is broken",
        )
    return value


def _unit(vectors: FloatArray, runner: Runner) -> FloatArray:
    """Return the vectors at exactly unit length; refuse what is far from it already."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if (np.abs(norms - 1.0) > _UNIT_TOLERANCE).any():
        raise BackendError(
            f"an embedding has length {float(norms.min()):.3g} to {float(norms.max()):.3g}, not 1",
            where=runner.name,
            remedy="Export the bundle again",
        )
    return np.asarray(vectors / norms, dtype=np.float32)


__all__ = ["Encoder", "FloatArray", "ImageEncoding", "PreparedImage", "finding_probabilities"]
