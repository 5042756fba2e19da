"""The model in PyTorch, behind the face that its graphs have too."""

from __future__ import annotations

import numpy as np
import torch

from edge_retrieve.export.models import FloatArray, ImageArrays, TextArrays, TokenArray
from edge_retrieve.train.model import RraVl


class TorchModel:
    """The model in PyTorch, float32: what every form is held against.

    Parameters
    ----------
    model : RraVl
        In evaluation mode.
    """

    def __init__(self, model: RraVl) -> None:
        self._model = model

    def encode_image(self, pixels: FloatArray) -> ImageArrays:
        """Encode pixels [B, 1, S, S]."""
        with torch.no_grad():
            image = self._model.encode_image(torch.from_numpy(pixels))
            parts = (image.features, image.global_embedding, image.boxes, image.box_logits.sigmoid())
        return ImageArrays(*(part.numpy() for part in parts))

    def encode_regions(self, features: FloatArray, boxes: FloatArray) -> FloatArray:
        """Encode boxes [B, R, 4] of a feature map to [B, R, D]."""
        with torch.no_grad():
            regions = self._model.encode_regions(torch.from_numpy(features), torch.from_numpy(boxes))
        return np.asarray(regions.numpy(), dtype=np.float32)

    def encode_text(self, token_ids: TokenArray, mask: TokenArray) -> TextArrays:
        """Encode token ids [B, T] with their mask."""
        with torch.no_grad():
            encoded = self._model.encode_text(torch.from_numpy(token_ids), torch.from_numpy(mask))
        return TextArrays(encoded.words.numpy(), encoded.text.numpy())
