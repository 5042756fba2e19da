"""Connected shapes against OpenCV's."""

import cv2
import numpy as np
import pytest

from edge_retrieve.runtime.deid.shapes import find_shapes


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (40, 33)])
def test_shapes_are_those_of_opencv(share, size):
    rng = np.random.default_rng(round(100 * share) + size[0])
    mask = rng.random(size) < share
    values = rng.integers(0, 256, size, dtype=np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    expected = sorted(
        (x, y, x + w, y + h, area, int(values[labels == n].max()))
        for n, (x, y, w, h, area) in enumerate(stats.tolist())
        if n
    )
    found = find_shapes(mask, values)
    arrays = (found.x1, found.y1, found.x2, found.y2, found.area, found.peak)
    assert sorted(zip(*(array.tolist() for array in arrays), strict=True)) == expected
    assert len(found.x1) == count - 1
