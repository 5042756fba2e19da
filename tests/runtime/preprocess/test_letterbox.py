"""The resize between an image and the model, and boxes both ways."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.preprocess import Letterbox, letterbox, render_png

sides = st.integers(1, 5000)
edges = st.floats(-100, 6000)


@given(sides, sides, st.integers(1, 1024), edges, edges, edges, edges)
def test_boxes_go_both_ways(width, height, size, x1, y1, x2, y2) -> None:
    transform = Letterbox.fit(width, height, size)
    box = Box(x1, y1, x2, y2)
    there_and_back = transform.to_source(transform.to_model(box)).as_tuple()
    back_and_there = transform.to_model(transform.to_source(box)).as_tuple()
    tolerance = 1e-12 * 6000 * max(width, height)  # rounding grows where a side shrinks to one pixel
    np.testing.assert_allclose(there_and_back, box.as_tuple(), rtol=1e-9, atol=tolerance)
    np.testing.assert_allclose(back_and_there, box.as_tuple(), rtol=1e-9, atol=tolerance)


@given(sides, sides, st.integers(1, 1024))
def test_the_image_fills_its_place(width, height, size) -> None:
    transform = Letterbox.fit(width, height, size)
    whole = transform.to_model(Box(0, 0, width, height))
    assert (whole.x1, whole.y1) == (transform.left, transform.top)
    np.testing.assert_allclose(
        (whole.x2, whole.y2), (transform.left + transform.width, transform.top + transform.height)
    )
    assert max(transform.width, transform.height) == size
    assert abs((size - transform.width) - 2 * transform.left) <= 1
    assert abs((size - transform.height) - 2 * transform.top) <= 1


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (1000, 811), (64, 64), (120, 333)])
@pytest.mark.parametrize("size", [64, 128, 224])
def test_a_bright_square_lands_where_its_box_says(shape, size) -> None:
    height, width = shape
    box = Box(int(width * 0.2), int(height * 0.3), int(width * 0.6), int(height * 0.7))
    pixels = np.zeros(shape, dtype=np.float32)
    pixels[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = 1
    square, transform = letterbox(pixels, size)
    mapped = transform.to_model(box)
    assert square.shape == (1, size, size)
    assert square.dtype == np.float32
    bright = square[0].astype(float)
    assert bright.sum() == pytest.approx(mapped.area, rel=0.02)
    rows, columns = bright.sum(axis=1), bright.sum(axis=0)
    centre_y = ((np.arange(size) + 0.5) * rows).sum() / rows.sum()
    centre_x = ((np.arange(size) + 0.5) * columns).sum() / columns.sum()
    assert centre_x == pytest.approx((mapped.x1 + mapped.x2) / 2, abs=0.1)
    assert centre_y == pytest.approx((mapped.y1 + mapped.y2) / 2, abs=0.1)
    inside = bright[int(mapped.y1) + 2 : int(mapped.y2) - 2, int(mapped.x1) + 2 : int(mapped.x2) - 2]
    assert inside.min() > 0.99


def test_outside_the_image_is_black_and_inside_is_not() -> None:
    square, transform = letterbox(np.ones((50, 100), dtype=np.float32), 64)
    assert (transform.top, transform.height) == (16, 32)
    assert not square[0, :16].any()
    assert not square[0, 48:].any()
    np.testing.assert_allclose(square[0, 16:48], 1, atol=1e-6)


def test_reduction_keeps_the_mean_and_smooths_a_checkerboard() -> None:
    rng = np.random.default_rng(1)
    noise = rng.random((512, 512), dtype=np.float32)
    small, _ = letterbox(noise, 64)
    assert float(small.mean()) == pytest.approx(float(noise.mean()), abs=0.003)
    board = np.indices((512, 512)).sum(axis=0) % 2
    grey, _ = letterbox(board.astype(np.float32), 100)
    np.testing.assert_allclose(grey[0, 2:-2, 2:-2], 0.5, atol=0.03)


def test_the_same_size_is_the_same_pixels() -> None:
    pixels = np.random.default_rng(2).random((64, 64), dtype=np.float32)
    square, transform = letterbox(pixels, 64)
    np.testing.assert_array_equal(square[0], pixels)
    assert transform.to_model(Box(1, 2, 3, 4)) == Box(1, 2, 3, 4)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        letterbox(np.zeros((3, 4, 5), dtype=np.float32), 8)
    with pytest.raises(ValueError, match="square of 0"):
        letterbox(np.zeros((4, 5), dtype=np.float32), 0)
    with pytest.raises(ValueError, match="render"):
        render_png(np.zeros((4, 5), dtype=np.float32), 0)


@pytest.mark.parametrize(("max_side", "expected"), [(50, (50, 25)), (100, (100, 50)), (400, (100, 50))])
def test_a_preview_is_scaled_down_never_up(max_side, expected) -> None:
    pixels = np.linspace(0, 1, 5000, dtype=np.float32).reshape(50, 100)
    with Image.open(io.BytesIO(render_png(pixels, max_side))) as image:
        assert image.format == "PNG"
        assert image.mode == "L"
        assert image.size == expected
        shown = np.asarray(image).astype(float) / 255
    if expected == (100, 50):
        np.testing.assert_allclose(shown, pixels, atol=0.5 / 255 + 1e-6)
