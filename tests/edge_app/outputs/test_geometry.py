"""Boxes of the display in stored pixels, against the display itself."""

import itertools

import numpy as np
import pytest

from edge_retrieve.edge_app.outputs.geometry import geometry_of
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.preprocess.orientation import upright

DIRECTIONS = [("", ""), *itertools.permutations("LRAPHF", 2)]


@pytest.mark.parametrize(("row", "column"), DIRECTIONS)
def test_a_box_on_the_display_is_the_same_patch_of_the_stored_image(row, column):
    stored = np.zeros((30, 20), np.uint8)
    stored[4:9, 11:17] = 1
    shown, _ = upright(stored, row, column)
    ys, xs = np.nonzero(shown)
    box = Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
    geometry = geometry_of(20, 30, shown.shape[1], shown.shape[0], row, column)
    assert geometry.to_stored(box).as_tuple() == pytest.approx((11, 4, 17, 9))


@pytest.mark.parametrize(("row", "column"), [("L", "F"), ("R", "F"), ("F", "L"), ("H", "R"), ("R", "H")])
def test_rotation_and_flip_make_the_display_of_the_stored_image(row, column):
    stored = np.arange(12).reshape(3, 4)
    shown, _ = upright(stored, row, column)
    geometry = geometry_of(4, 3, shown.shape[1], shown.shape[0], row, column)
    turned = np.rot90(stored, -(geometry.rotation // 90))
    np.testing.assert_array_equal(turned[:, ::-1] if geometry.mirrored else turned, shown)
    first, last = geometry.displayed_corners()
    assert stored[first[1] - 1, first[0] - 1] == shown[0, 0]
    assert stored[last[1] - 1, last[0] - 1] == shown[-1, -1]


def test_pixels_that_were_stretched_shrink_again():
    geometry = geometry_of(100, 50, 100, 100, "R", "F")  # pixels twice as high as wide, mirrored
    assert geometry.to_stored(Box(10, 20, 30, 60)).as_tuple() == pytest.approx((70, 10, 90, 30))
    assert geometry.aspect == 2.0
    assert geometry_of(50, 100, 100, 100, "F", "L").aspect == 0.5
    assert geometry_of(50, 100, 100, 50, "F", "L").aspect == 1.0


def test_what_reaches_beyond_the_image_is_cut():
    geometry = geometry_of(100, 80, 100, 80, "L", "F")
    assert geometry.to_stored(Box(-5, 70, 20, 200)).as_tuple() == pytest.approx((0, 70, 20, 80))
    assert geometry.to_stored_point(-5.0, 500.0) == (0.0, 80.0)
