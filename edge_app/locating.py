"""Where a phrase is on a stored study or an upload, as a page can show it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.grounding import boxes_of, findings_named, phrase_maps, regions_named
from edge_retrieve.runtime.grounding.report import SEEN_FROM, Ground
from edge_retrieve.runtime.reports import parse_report


@dataclass(frozen=True)
class Located:
    """Where a phrase is.

    Parameters
    ----------
    phrase : str
    regions : tuple of Region
        Where was looked: those asked for, else those that the phrase names.
    findings : tuple of Finding
        Those that the phrase states.
    values : float32 array of shape [rows, columns]
        0 to 1, the highest place 1, spread evenly over the image.
    peak : float
        Similarity of the highest place, 0 to 1.
    boxes : tuple of (Box, float)
        In the pixels of `width` and `height`, with the similarity of their best place; best first.
    width, height : int
        Pixels of the image as displayed.
    ground : Ground
        What the phrase is as a sentence of a report: one that denies is nowhere, whatever resembles it.
    """

    phrase: str
    regions: tuple[Region, ...]
    findings: tuple[Finding, ...]
    values: npt.NDArray[np.float32]
    peak: float
    boxes: tuple[tuple[Box, float], ...]
    width: int
    height: int
    ground: Ground


def locate(
    encoder: Encoder,
    encoding: ImageEncoding,
    phrase: str,
    regions: Sequence[Region],
    size: tuple[int, int],
) -> Located:
    """Find a phrase on an encoded image.

    Parameters
    ----------
    encoder : Encoder
        The one that made `encoding`.
    encoding : ImageEncoding
    phrase : str
    regions : sequence of Region
        Where to look; where the phrase says if there are none.
    size : (int, int)
        Width and height of the image as displayed; what was encoded may be smaller.
    """
    looked = tuple(dict.fromkeys(regions)) or regions_named(phrase)
    findings = findings_named(phrase)
    (found,) = phrase_maps(encoder, encoding, encoder.encode_texts([phrase]), [looked], [findings])
    width, height = size
    boxes = tuple((box, peak * found.peak) for box, peak in boxes_of(found.values, width, height))
    ground = _ground(phrase, findings, found.peak)
    return Located(phrase, looked, findings, found.values, found.peak, boxes, width, height, ground)


def _ground(phrase: str, findings: Sequence[Finding], peak: float) -> Ground:
    if findings:
        return Ground.SEEN if peak >= SEEN_FROM else Ground.NOT_SEEN
    speaks = any(sentence.mentions or sentence.regions for sentence in parse_report(phrase).sentences)
    return Ground.DENIED if speaks else Ground.NOT_VISUAL


def map_png(values: npt.NDArray[np.float32], width: int, height: int, side: int) -> bytes:
    """Return a map as a PNG to lay over its image: white, the more opaque the higher the value.

    Parameters
    ----------
    values : float32 array of shape [rows, columns]
        0 to 1.
    width, height : int
        The image's size, of which the picture has the proportions.
    side : int
        The picture's longer side, pixels.
    """
    scale = side / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    smooth = Image.fromarray(np.asarray(values, dtype=np.float32)).resize(size, Image.Resampling.BILINEAR)
    opacity = np.rint(np.clip(np.asarray(smooth), 0.0, 1.0) * 255.0).astype(np.uint8)
    picture = np.stack([np.full_like(opacity, 255), opacity], axis=-1)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()
