"""Where on an image a phrase is.

A phrase that states findings is where the model sees those findings, cell by cell. For any other phrase,
and for models that do not tell findings apart, square windows of three sizes are probed on a grid over the
encoded image, as any drawn box would be; the mean cosine of a place's windows with the phrase is its
similarity. A phrase also says where to look: its map is weighted by the boxes that the model found for the
regions it names. The image tower runs once for any number of phrases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.encoder import ImageEncoding
from edge_retrieve.runtime.findings import Finding

FloatArray = npt.NDArray[np.float32]

GRID = 24
# Sides of the windows as fractions of the image's longer side. The middle one is about a third of a lung
# zone; a smaller one is sharper, a larger one steadier, and their mean is better than each.
WINDOWS = (0.06, 0.12, 0.20)
# Width of the border over which a region's weight falls from 0.73 to 0.27, fraction of the longer side.
EDGE = 0.01
# Places of less weight than this are not probed: nothing there could be shown.
_LEAST_WEIGHT = 1e-3


class BoxEncoder(Protocol):
    """Whatever embeds boxes of an encoded image; `Encoder` does."""

    def encode_boxes(self, encoding: ImageEncoding, boxes: Sequence[Box]) -> FloatArray:
        """Return unit embeddings of shape [R, D] of boxes in source pixels."""


@dataclass(frozen=True)
class PhraseMap:
    """Where a phrase is on an image.

    Parameters
    ----------
    values : float32 array of shape [24, 24]
        0 to 1, the highest place 1; all 0 where no place resembles the phrase. Cell (i, j) is centred at
        ``((j + 0.5) / 24 W, (i + 0.5) / 24 H)``.
    peak : float
        Similarity of the highest place before scaling, 0 to 1: how much the scaled map means.
    """

    values: FloatArray
    peak: float


def phrase_maps(
    encoder: BoxEncoder,
    encoding: ImageEncoding,
    phrases: FloatArray,
    regions: Sequence[Sequence[Region]],
    findings: Sequence[Sequence[Finding]] | None = None,
) -> list[PhraseMap]:
    """Return where phrases are, given the regions that each is about and the findings that it states.

    What a place shows of a phrase is the highest probability of its findings there, or its similarity, of
    which negative values count as none. It is multiplied by `region_weights` and divided by the highest
    value, so that one threshold means the same for a faint and for a plain finding.

    Parameters
    ----------
    encoder : BoxEncoder
        The one that made `encoding`.
    encoding : ImageEncoding
    phrases : float32 array of shape [T, D]
        Unit embeddings of the phrases.
    regions : T sequences of Region
        As the reader set them or as `regions_named` finds them; an empty one leaves the whole image open.
    findings : T sequences of Finding, optional
        As `findings_named` finds them; a phrase without any that the model tells apart is compared as a
        whole.
    """
    told = [
        [finding for finding in each if finding in encoding.findings]
        for each in (findings if findings is not None else [()] * len(regions))
    ]
    weights = np.stack([region_weights(encoding, each) for each in regions])
    similar = np.zeros_like(weights)
    whole = [n for n, each in enumerate(told) if not each]
    if whole:
        probed = np.asarray((weights[whole] > _LEAST_WEIGHT).any(axis=0))
        similar[whole] = np.maximum(_similarities(encoder, encoding, phrases[whole], probed), 0.0)
    for n, each in enumerate(told):
        if each:
            similar[n] = _on_grid(encoding, np.max([encoding.findings[finding] for finding in each], axis=0))
    similar *= weights
    peaks = similar.max(axis=(1, 2))
    scaled = similar / np.maximum(peaks, np.finfo(np.float32).tiny)[:, None, None]
    return [
        PhraseMap(values.astype(np.float32), float(peak)) for values, peak in zip(scaled, peaks, strict=True)
    ]


def region_weights(encoding: ImageEncoding, regions: Sequence[Region]) -> FloatArray:
    """Return how much each place counts for a phrase about regions.

    The mean over the regions of a soft-edged box each: where a phrase names a region and a part of it
    ("right apical pneumothorax": lung and apex), their overlap counts most.

    Parameters
    ----------
    encoding : ImageEncoding
    regions : sequence of Region

    Returns
    -------
    float32 array of shape [24, 24]
        0 to 1; all 1 where no region is given.
    """
    if not regions:
        return np.ones((GRID, GRID), dtype=np.float32)
    edge = EDGE * max(encoding.width, encoding.height)
    ys, xs = _centres(encoding)
    soft = [
        np.outer(
            _sigmoid((ys - box.y1) / edge) * _sigmoid((box.y2 - ys) / edge),
            _sigmoid((xs - box.x1) / edge) * _sigmoid((box.x2 - xs) / edge),
        )
        for box in (encoding.boxes[region.position] for region in regions)
    ]
    return np.asarray(np.mean(soft, axis=0), dtype=np.float32)


def _similarities(
    encoder: BoxEncoder, encoding: ImageEncoding, phrases: FloatArray, probed: npt.NDArray[np.bool_]
) -> FloatArray:
    """Return the mean cosines [T, 24, 24] of the places in `probed`, 0 elsewhere."""
    ys, xs = _centres(encoding)
    places = [(float(xs[j]), float(ys[i])) for i, j in zip(*np.nonzero(probed), strict=True)]
    longer = max(encoding.width, encoding.height)
    boxes = [
        Box(x - half, y - half, x + half, y + half)
        for half in (0.5 * window * longer for window in WINDOWS)
        for x, y in places
    ]
    cosines = phrases @ encoder.encode_boxes(encoding, boxes).T
    maps = np.zeros((len(phrases), GRID, GRID), dtype=np.float32)
    maps[:, probed] = cosines.reshape(len(phrases), len(WINDOWS), len(places)).mean(axis=1)
    return maps


def _on_grid(encoding: ImageEncoding, cells: FloatArray) -> FloatArray:
    """Return values [h, w] of the feature map's cells at the grid's places, bilinear, shape [24, 24]."""
    ys, xs = _centres(encoding)
    corner = encoding.letterbox.to_model(Box(float(xs[0]), float(ys[0]), float(xs[-1]), float(ys[-1])))
    height, width = cells.shape
    down = _between(np.linspace(corner.y1, corner.y2, GRID) / encoding.letterbox.size * height, height)
    across = _between(np.linspace(corner.x1, corner.x2, GRID) / encoding.letterbox.size * width, width)
    return np.asarray(down @ cells @ across.T, dtype=np.float32)


def _between(positions: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    """Return the weights [P, length] of cells for linear interpolation; cell c is centred at c + 0.5."""
    distance = np.clip(positions - 0.5, 0.0, length - 1.0)[:, None] - np.arange(length)
    return np.maximum(1.0 - np.abs(distance), 0.0)


def _centres(encoding: ImageEncoding) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    steps = (np.arange(GRID) + 0.5) / GRID
    return steps * encoding.height, steps * encoding.width


def _sigmoid(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -50.0, 50.0))))
