"""Region boxes for data sets that have none: those a bundle's localizer finds.

Regions are pooled from boxes, and a localizer learns from boxes. Where nobody drew any, a model trained
from scratch would pool its regions from boxes that never improve; the shipped localizer, trained on
phantoms, stands in as a teacher.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import boxes_to_array
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.train.datasets.decoded import DecodedCache

SURE = 0.5
"""Least box score that counts where a bundle's manifest names no threshold."""


class BoxFinder:
    """Finds the boxes of decoded images, each image once.

    Parameters
    ----------
    cache : DecodedCache
        Whose images are searched; it keeps the boxes found.
    encoder : callable
        Opens the bundle with the localizer; called when the first image needs it.
    """

    def __init__(self, cache: DecodedCache, encoder: Callable[[], Encoder]) -> None:
        self._cache, self._open = cache, encoder

    @cached_property
    def _encoder(self) -> Encoder:
        return self._open()

    def find(self, row: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the boxes of an image of the cache.

        Returns
        -------
        boxes : float32 array of shape [29, 4]
            Fractions of the square; zeros where the localizer is not sure.
        known : bool array of shape [29]

        Raises
        ------
        BackendError
            The engine fails.
        """
        found = self._cache.boxes_of(row, self._encoder.bundle_id)
        if found is None:
            encoding = self._encoder.encode_image(self._cache.read(row).astype(np.float32) / np.float32(255))
            boxes = boxes_to_array(encoding.boxes) / np.float32(self._cache.size)
            found = np.column_stack([boxes, encoding.box_scores]).astype(np.float32)
            self._cache.keep_boxes(row, self._encoder.bundle_id, found)
        boxes = np.clip(found[:, :4], 0.0, 1.0)
        sure = self._encoder.bundle.manifest.thresholds.get("box_score_flag", SURE)
        known = (found[:, 4] >= sure) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return np.where(known[:, None], boxes, np.float32(0.0)), known
