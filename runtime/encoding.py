"""What encoding takes and gives: an image in the model's square, and what the model makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.preprocess.letterbox import Letterbox

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PreparedImage:
    """An image brought to the model's square; all that encoding needs of it.

    Parameters
    ----------
    pixels : float32 array of shape [1, S, S]
    letterbox : Letterbox
        Maps boxes between the source image and the square.
    width, height : int
        Of the source image, pixels.
    """

    pixels: FloatArray
    letterbox: Letterbox
    width: int
    height: int


@dataclass(frozen=True)
class ImageEncoding:
    """What the model makes of one image.

    Parameters
    ----------
    features : float32 array of shape [1, C, h, w]
        The feature map; `Encoder.encode_boxes` probes it again for any box.
    global_embedding : float32 array of shape [D]
        Of unit length.
    boxes : tuple of Box
        Where the model sees the 29 regions, in source pixels, clipped to the image.
    box_scores : float32 array of shape [29]
        How sure the model is of each box, 0 to 1.
    regions : float32 array of shape [29, D]
        One embedding of unit length per region.
    letterbox : Letterbox
    width, height : int
        Of the source image, pixels.
    findings : mapping of Finding to float32 array of shape [h, w]
        Probability of a finding in each cell of the feature map; empty where the model does not tell.
    """

    features: FloatArray
    global_embedding: FloatArray
    boxes: tuple[Box, ...]
    box_scores: FloatArray
    regions: FloatArray
    letterbox: Letterbox
    width: int
    height: int
    findings: Mapping[Finding, FloatArray] = field(default_factory=dict)


def finding_probabilities(features: FloatArray, channels: Sequence[str]) -> dict[Finding, FloatArray]:
    """Return the probability of each finding in each cell from the odds in a feature map's last channels.

    Parameters
    ----------
    features : float32 array of shape [C, h, w]
    channels : sequence of str
        `Manifest.finding_channels`; a finding that this release does not know is left out.

    Returns
    -------
    dict of Finding to float32 array of shape [h, w]
    """
    known = {finding.value: finding for finding in Finding}
    odds = features[len(features) - len(channels) :]
    return {
        known[name]: np.asarray(each / (1.0 + each), dtype=np.float32)
        for name, each in zip(channels, odds, strict=True)
        if name in known
    }
