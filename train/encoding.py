"""What the towers make of a batch: all that the losses look at.

Encoding stands apart from the losses so that a batch can be encoded in chunks, and embeddings gathered from
other processes, with no loss knowing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from edge_retrieve.train.batches import Batch
from edge_retrieve.train.model import RraVl

# The other view differs from the first as another exposure of the same patient would, and its boxes as
# another localizer's would.
_GAMMA_DEVIATION = 0.3
_NOISE_DEVIATION = 0.02
_BOX_DEVIATION = 0.05


class ImageSide(NamedTuple):
    """Images, encoded.

    Parameters
    ----------
    whole : Tensor of shape [B, D]
        Unit embeddings.
    regions : Tensor of shape [B, 29, D]
        Unit embeddings.
    boxes : Tensor of shape [B, 29, 4]
        As predicted, fractions.
    box_logits : Tensor of shape [B, 29]
    finding_logits : Tensor of shape [B, L, h, w]
        Findings cell by cell.
    region_logits : Tensor of shape [B, 29, L]
        Findings of each region.
    other_view : Tensor of shape [B, 29, D] or None
        The regions in a second view of each image.
    """

    whole: Tensor
    regions: Tensor
    boxes: Tensor
    box_logits: Tensor
    finding_logits: Tensor
    region_logits: Tensor
    other_view: Tensor | None


class LungSide(NamedTuple):
    """Disguised images, the lungs found in them: logits [B, 2, h, w]."""

    logits: Tensor


class TextSide(NamedTuple):
    """Texts, encoded: unit text embeddings [N, D] and, where asked for, unit word embeddings [N, T, D]."""

    text: Tensor
    words: Tensor | None


@dataclass(frozen=True)
class Encoded:
    """A batch, encoded; a side is None where no loss of the step reads it."""

    image: ImageSide | None
    lungs: LungSide | None
    report: TextSide | None
    region_text: TextSide | None


@dataclass(frozen=True)
class Needs:
    """What the losses of a step read."""

    image: bool
    lungs: bool
    report: bool
    region_text: bool
    other_view: bool


@dataclass(frozen=True)
class View:
    """A second view of a batch's images: pixels [B, 1, S, S] and boxes [B, 29, 4]."""

    pixels: Tensor
    boxes: Tensor


def draw_other_view(batch: Batch, generator: torch.Generator) -> View:
    """Return the batch's images at another exposure, with noise, and their boxes a little displaced.

    Parameters
    ----------
    batch : Batch
    generator : torch.Generator
        On the CPU, so that a seed gives the same view on every device.
    """
    device = batch.pixels.device
    gamma = torch.exp(_GAMMA_DEVIATION * torch.randn(len(batch.pixels), 1, 1, 1, generator=generator))
    noise = _NOISE_DEVIATION * torch.randn(batch.pixels.shape, generator=generator)
    moves = _BOX_DEVIATION * torch.randn(batch.boxes.shape, generator=generator)
    size = (batch.boxes[..., 2:] - batch.boxes[..., :2]).repeat(1, 1, 2)
    pixels = batch.pixels.clamp(1e-4, 1.0).pow(gamma.to(device)) + noise.to(device)
    return View(pixels.clamp(0.0, 1.0), (batch.boxes + moves.to(device) * size).clamp(0.0, 1.0))


def image_encoder(
    model: RraVl, batch: Batch, predicted: Tensor | None, other: View | None, *, bfloat16: bool
) -> Callable[[slice], ImageSide]:
    """Return the function that encodes a slice of a batch's images.

    Parameters
    ----------
    model : RraVl
    batch : Batch
    predicted : bool Tensor of shape [B] or None
        Images whose regions are pooled from the predicted boxes, as at query time.
    other : View, optional
    bfloat16 : bool
        Run the tower in bfloat16; regions stay in float32.
    """

    def encode(rows: slice) -> ImageSide:
        pixels = batch.pixels[rows].contiguous(memory_format=torch.channels_last)
        with _reduced(pixels, bfloat16):
            image = model.see(pixels)
        found = image.boxes.detach()
        boxes = _known_or(found, batch.boxes[rows], batch, rows)
        if predicted is not None:
            boxes = torch.where(predicted[rows, None, None], found, boxes)
        reading = model.read(image.features, boxes)
        again = None
        if other is not None:
            seen = other.pixels[rows].contiguous(memory_format=torch.channels_last)
            with _reduced(seen, bfloat16):
                features = model.see(seen).features
            again = model.encode_regions(features, _known_or(found, other.boxes[rows], batch, rows))
        return ImageSide(
            reading.global_embedding,
            reading.regions,
            image.boxes,
            image.box_logits,
            image.finding_logits.float(),
            reading.finding_logits,
            again,
        )

    return encode


def lung_encoder(model: RraVl, pixels: Tensor, *, bfloat16: bool) -> Callable[[slice], LungSide]:
    """Return the function that finds the lungs in a slice of disguised images.

    Parameters
    ----------
    model : RraVl
    pixels : Tensor of shape [B, 1, S, S]
    bfloat16 : bool
        Run the lung finder in bfloat16.
    """

    def encode(rows: slice) -> LungSide:
        seen = pixels[rows].contiguous(memory_format=torch.channels_last)
        with _reduced(seen, bfloat16):
            return LungSide(model.lungs(seen))

    return encode


def _known_or(found: Tensor, boxes: Tensor, batch: Batch, rows: slice) -> Tensor:
    """Return boxes [B, 29, 4], those found by the model where the data set has none."""
    if batch.has_boxes is None:
        return boxes
    return torch.where(batch.has_boxes[rows, :, None], boxes, found)


def text_encoder(
    model: RraVl, token_ids: Tensor, mask: Tensor, *, words: bool, bfloat16: bool
) -> Callable[[slice], TextSide]:
    """Return the function that encodes a slice of texts, token ids and mask of shape [N, T].

    Parameters
    ----------
    model : RraVl
    token_ids, mask : Tensor of shape [N, T]
    words : bool
        Keep the embeddings of single words too.
    bfloat16 : bool
        Run the tower in bfloat16.
    """

    def encode(rows: slice) -> TextSide:
        with _reduced(token_ids, bfloat16):
            text = model.encode_text(token_ids[rows], mask[rows])
        return TextSide(text.text, text.words if words else None)

    return encode


def _reduced(like: Tensor, bfloat16: bool) -> torch.autocast:
    return torch.autocast(like.device.type, torch.bfloat16, enabled=bfloat16)
