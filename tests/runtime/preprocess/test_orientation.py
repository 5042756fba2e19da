"""Patient's right on the image's left, head up, square pixels."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.runtime.preprocess import Flag, load_radiograph

WINDOW = {"WindowCenter": "2048", "WindowWidth": "4096"}


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (["L", "F"], lambda a: a),
        (["R", "F"], np.fliplr),
        (["L", "H"], np.flipud),
        (["R", "H"], lambda a: np.rot90(a, 2)),
        # The head is on the right: a quarter turn anticlockwise brings it up.
        (["H", "L"], lambda a: np.rot90(a, 1)),
        (["F", "R"], lambda a: np.rot90(a, -1)),
        (["F", "L"], lambda a: a.T),
        (["LF", "FR"], lambda a: a),
        (["A", "F"], lambda a: a),
        (["P", "H"], np.flipud),
        (["L", "P"], lambda a: a),
        (["X", "Y"], lambda a: a),
    ],
)
def test_patient_orientation(chest, dicom, write, orientation, turn) -> None:
    plain = load_radiograph(write(dicom(chest(), **WINDOW))).pixels
    got = load_radiograph(write(dicom(chest(), PatientOrientation=orientation, **WINDOW)))
    expected = turn(plain)
    np.testing.assert_array_equal(got.pixels, expected)
    turned = expected.shape != plain.shape or not np.array_equal(expected, plain)
    assert (Flag.REORIENTED in got.flags) is turned
    assert any(step.startswith(f"orientation {orientation[0][0]}") for step in got.applied) is turned


@pytest.mark.parametrize(
    ("cosines", "turn"),
    [
        (["1", "0", "0", "0", "0", "-1"], lambda a: a),
        (["-1", "0", "0", "0", "0", "-1"], np.fliplr),
        (["1", "0", "0", "0", "1", "0"], lambda a: a),  # axial: the default of converters, says nothing
    ],
)
def test_image_orientation(chest, dicom, write, cosines, turn) -> None:
    plain = load_radiograph(write(dicom(chest(), **WINDOW))).pixels
    got = load_radiograph(write(dicom(chest(), ImageOrientationPatient=cosines, **WINDOW)))
    np.testing.assert_array_equal(got.pixels, turn(plain))


@pytest.mark.parametrize(
    ("keyword", "pair", "shape"),
    [
        ("PixelSpacing", ["0.2", "0.2"], (96, 80)),
        ("PixelSpacing", ["0.2", "0.2005"], (96, 80)),
        ("PixelSpacing", ["0.4", "0.2"], (192, 80)),
        ("ImagerPixelSpacing", ["0.1", "0.15"], (96, 120)),
        ("PixelAspectRatio", ["3", "2"], (144, 80)),
        ("PixelSpacing", ["0", "0.2"], (96, 80)),
    ],
)
def test_pixels_become_square(chest, dicom, write, keyword, pair, shape) -> None:
    got = load_radiograph(write(dicom(chest(), **{keyword: pair}, **WINDOW)))
    assert got.pixels.shape == shape
    assert any(step.startswith("aspect") for step in got.applied) is (shape != (96, 80))


def test_an_absurd_aspect_is_ignored_and_named(chest, dicom, write) -> None:
    got = load_radiograph(write(dicom(chest(), PixelSpacing=["0.01", "10"], **WINDOW)))
    assert got.pixels.shape == (96, 80)
    assert Flag.HEADER_IGNORED in got.flags
