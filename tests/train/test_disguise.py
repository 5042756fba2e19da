"""Disguised phantoms: lungs go where the image goes, and nothing else is sure to stay."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge_retrieve.train.disguise import disguise

SIZE, CELLS = 160, 64


def chest() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A grey body with two dark lungs, and the lungs' masks."""
    pixels = np.full((SIZE, SIZE), 170, np.uint8)
    fine = np.zeros((2, SIZE, SIZE), np.uint8)
    for lung, x in zip(fine, (48, 112), strict=True):
        cv2.ellipse(lung, (x, 75), (24, 48), 0, 0, 360, 255, -1)
    pixels[fine.max(axis=0) > 0] = 40
    masks = [cv2.resize(lung, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for lung in fine]
    return pixels, np.stack(masks)


def test_a_disguise_is_an_image_with_lungs_and_the_same_from_the_same_seed() -> None:
    pixels, lungs = chest()
    image, moved = disguise(pixels, lungs, np.random.default_rng(3))
    assert image.shape == (SIZE, SIZE)
    assert moved.shape == (2, CELLS, CELLS)
    assert image.dtype == moved.dtype == np.float32
    assert 0 <= image.min() <= image.max() <= 1
    assert 0 <= moved.min() <= moved.max() <= 1
    again, _ = disguise(pixels, lungs, np.random.default_rng(3))
    np.testing.assert_array_equal(image, again)
    other, _ = disguise(pixels, lungs, np.random.default_rng(4))
    assert np.abs(image - other).mean() > 0.02


def test_lungs_go_where_the_image_goes() -> None:
    """In most disguises the edge of the moved mask is where the image changes most."""
    pixels, lungs = chest()
    agreed = []
    for seed in range(60):
        image, moved = disguise(pixels, lungs, np.random.default_rng(seed))
        mask = cv2.resize(moved.max(axis=0), (SIZE, SIZE)) > 0.5
        if not mask.any():
            continue
        ring = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        agreed.append(float(image[ring & ~mask].mean() - image[mask].mean()))
    # Lungs are darker than what is next to them, however they are covered, in nearly all.
    assert np.median(agreed) > 0.1
    assert np.mean(np.array(agreed) > 0) > 0.85


def test_right_stays_right() -> None:
    pixels, lungs = chest()
    for seed in range(20):
        _, moved = disguise(pixels, lungs, np.random.default_rng(seed))
        columns = [np.nonzero(lung > 0.5)[1] for lung in moved]
        if all(len(each) for each in columns):
            assert columns[0].mean() < columns[1].mean()


@pytest.mark.parametrize("shown", [0, 1])
def test_an_image_without_lungs_is_disguised_too(shown: int) -> None:
    pixels = np.full((SIZE, SIZE), 90, np.uint8)
    lungs = np.zeros((2, CELLS, CELLS), np.uint8)
    lungs[0, :shown, :shown] = 255
    image, moved = disguise(pixels, lungs, np.random.default_rng(1))
    assert np.isfinite(image).all()
    assert moved.max() <= 1
