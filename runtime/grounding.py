"""Where on an image a phrase is: one similarity per place, from the region encoder alone.

A grid of square windows is probed on the encoded image, as any drawn box would be; the cosine of each
window with the phrase is the map. The image tower runs once for any number of phrases.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.encoder import Encoder, ImageEncoding

GRID = 24
# Side of a window as a fraction of the image's longer side: about a third of a lung zone, the smallest
# box the model has learned to describe.
WINDOW = 0.12


def similarity_maps(
    encoder: Encoder, encoding: ImageEncoding, phrases: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the similarity of every place of an image with phrases.

    Parameters
    ----------
    encoder : Encoder
        The one that made `encoding`.
    encoding : ImageEncoding
    phrases : float32 array of shape [T, D]
        Unit embeddings of the phrases.

    Returns
    -------
    float32 array of shape [T, 24, 24]
        Cosines, -1 to 1; cell (i, j) is the window centred at ``((j + 0.5) / 24 W, (i + 0.5) / 24 H)``.
    """
    half = 0.5 * WINDOW * max(encoding.width, encoding.height)
    ys = (np.arange(GRID) + 0.5) / GRID * encoding.height
    xs = (np.arange(GRID) + 0.5) / GRID * encoding.width
    boxes = [Box(float(x - half), float(y - half), float(x + half), float(y + half)) for y in ys for x in xs]
    windows = encoder.encode_boxes(encoding, boxes)
    return np.asarray((phrases @ windows.T).reshape(len(phrases), GRID, GRID), dtype=np.float32)
