"""A PyTorch model as evaluation wants one: objectives are compared without exporting any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from edge_retrieve.runtime.anatomy import Box, boxes_to_array
from edge_retrieve.runtime.encoder import FloatArray, ImageEncoding, PreparedImage, finding_probabilities
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.model import RraVl
from edge_retrieve.train.tokenizer import tokenize

_IMAGE_BATCH = 8
_TEXT_BATCH = 64


class TorchEncoder:
    """Encodes with a model in memory, as `runtime.encoder.Encoder` does with a bundle.

    Parameters
    ----------
    model : RraVl
        Put into evaluation mode.
    tokenizer : Tokenizer
    name : str
        Stands for the bundle's identifier; embeddings of two names never meet.
    """

    def __init__(self, model: RraVl, tokenizer: Tokenizer, *, name: str = "torch") -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._name = name
        self._device = next(model.parameters()).device

    @property
    def bundle_id(self) -> str:
        """The name given."""
        return self._name

    @property
    def image_size(self) -> int:
        """Side of the model's square, pixels."""
        return self._model.config.image_size

    @property
    def embedding_dim(self) -> int:
        """Length of an embedding."""
        return self._model.config.embedding_dim

    @torch.no_grad()
    def encode_prepared(self, images: Sequence[PreparedImage]) -> list[ImageEncoding]:
        """Encode images already brought to the model's square."""
        encodings: list[ImageEncoding] = []
        for start in range(0, len(images), _IMAGE_BATCH):
            encodings += self._encode_batch(images[start : start + _IMAGE_BATCH])
        return encodings

    def _encode_batch(self, images: Sequence[PreparedImage]) -> list[ImageEncoding]:
        pixels = torch.from_numpy(np.stack([image.pixels for image in images])).float().to(self._device)
        out = self._model.encode_image(pixels)
        regions = _array(self._model.encode_regions(out.features.float(), out.boxes.float()))
        features, whole = _array(out.features), _array(out.global_embedding)
        boxes, scores = _array(out.boxes), _array(out.box_logits.sigmoid())
        return [
            ImageEncoding(
                features=features[n : n + 1],
                global_embedding=whole[n],
                boxes=tuple(
                    image.letterbox.to_source(Box(*(float(edge) * self.image_size for edge in box))).clipped(
                        image.width, image.height
                    )
                    for box in boxes[n]
                ),
                box_scores=scores[n],
                regions=regions[n],
                letterbox=image.letterbox,
                width=image.width,
                height=image.height,
                findings=finding_probabilities(features[n], [finding.value for finding in Finding]),
            )
            for n, image in enumerate(images)
        ]

    @torch.no_grad()
    def encode_boxes(self, encoding: ImageEncoding, boxes: Sequence[Box]) -> FloatArray:
        """Return unit embeddings [R, D] of boxes in source pixels."""
        if not boxes:
            return np.zeros((0, self.embedding_dim), np.float32)
        inside = boxes_to_array([encoding.letterbox.to_model(box) for box in boxes]) / self.image_size
        features = torch.from_numpy(encoding.features).to(self._device)
        placed = torch.from_numpy(inside.astype(np.float32))[None].to(self._device)
        return np.asarray(_array(self._model.encode_regions(features, placed))[0])

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """Return unit embeddings [B, D] of texts; longer ones than the model reads are cut."""
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        result = np.zeros((len(texts), self.embedding_dim), np.float32)
        for start in range(0, len(order), _TEXT_BATCH):
            chosen = order[start : start + _TEXT_BATCH]
            ids, mask = tokenize(
                self._tokenizer, [texts[n] for n in chosen], self._model.config.max_text_tokens
            )
            encoded = self._model.encode_text(
                torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device)
            )
            result[chosen] = _array(encoded.text)
        return result


def _array(values: Tensor) -> FloatArray:
    return np.asarray(values.float().cpu().numpy(), dtype=np.float32)
