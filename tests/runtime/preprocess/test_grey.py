"""Grey values to window, and how they are shown, against loops that say it plainly."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from edge_retrieve.runtime.errors import UnreadableFileError
from edge_retrieve.runtime.preprocess import load_radiograph, render_png
from edge_retrieve.runtime.preprocess.grey import GreyImage, GreyKind, GreyScale, Window
from edge_retrieve.runtime.preprocess.render import grey_png, read_grey_png, show, shown_png


def by_hand(value: int, window: Window, invert: bool) -> int:
    share = min(1.0, max(0.0, (value - window.center) / window.width + 0.5))
    return math.floor(255.0 * ((1.0 - share) if invert else share) + 0.5)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("center", "width"), [(2047.5, 4095), (100, 1), (3000.25, 777.5), (-50, 300)])
def test_a_window_is_the_formula_of_the_interface(center, width, invert) -> None:
    values = np.random.default_rng(5).integers(0, 4096, (9, 13)).astype(np.uint16)
    window = Window("any", center, width)
    shown = show(values, window, invert=invert)
    assert shown.tolist() == [[by_hand(int(v), window, invert) for v in row] for row in values]


def test_a_window_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="shows nothing"):
        show(np.zeros((2, 2), np.uint16), Window("none", 5, 0))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 2000, "WindowWidth": 1500},
        {"WindowCenter": 900, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 2000, "WindowWidth": 1200, "VOILUTFunction": "SIGMOID"},
        {},
    ],
)
def test_the_first_window_shows_what_the_file_asks_for(chest, dicom, write, window, photometric) -> None:
    path = write(dicom(chest(), BitsStored=12, PhotometricInterpretation=photometric, **window))
    read = load_radiograph(path, grey=True)
    assert read.grey is not None
    assert read.grey.values.shape == read.pixels.shape
    shown = show(read.grey.values, read.grey.scale.windows[0]).astype(int)
    wanted = np.asarray(Image.open(io.BytesIO(render_png(read.pixels, 4096)))).astype(int)
    assert np.abs(shown - wanted).max() <= 1
    assert (shown == wanted).mean() > 0.8


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_what_the_window_clips_can_still_be_looked_at(chest, dicom, write, photometric) -> None:
    stored = chest()
    narrow = {"WindowCenter": 2000, "WindowWidth": 1001, "PhotometricInterpretation": photometric}
    read = load_radiograph(write(dicom(stored, BitsStored=12, **narrow)), grey=True)
    assert read.grey is not None
    assert read.grey.scale.kind is GreyKind.VALUES
    dark = (stored > 1000) & (stored < 1400)
    clipped = read.pixels[dark]
    assert set(clipped.tolist()) == ({1.0} if photometric == "MONOCHROME1" else {0.0})
    # Values that the file shows alike are apart, and in the order of density.
    values = read.grey.values[dark].astype(int)
    order = np.argsort(stored[dark], kind="stable")
    steps = np.diff(values[order]) * (-1 if photometric == "MONOCHROME1" else 1)
    assert len(set(values.tolist())) > 300
    assert (steps >= 0).all()


def test_every_window_of_the_file_is_offered_by_its_name(chest, dicom, write) -> None:
    windows = {
        "WindowCenter": [2000, 1000],
        "WindowWidth": [1001, 501],
        "WindowCenterWidthExplanation": ["LUNG", "BONE"],
    }
    scale = load_radiograph(write(dicom(chest(), BitsStored=12, **windows)), grey=True).grey.scale
    assert [window.name for window in scale.windows] == ["LUNG", "BONE", "full range"]
    assert scale.windows[0].width == pytest.approx(2 * scale.windows[1].width, rel=0.01)


def test_a_look_up_table_leaves_the_display_itself(chest, dicom, write) -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 12])
    item.add_new("LUTData", "US", [round(4095 * (n / 4095) ** 2) for n in range(4096)])
    read = load_radiograph(write(dicom(chest(), BitsStored=12, VOILUTSequence=[item])), grey=True)
    assert read.grey is not None
    assert (read.grey.scale.kind, read.grey.scale.top) == (GreyKind.DISPLAY, 4095)
    assert np.array_equal(read.grey.values, np.rint(read.pixels * 4095))


def test_grey_values_are_turned_as_the_image_is(chest, dicom, write) -> None:
    mirrored = {"PatientOrientation": ["R", "F"], "WindowCenter": 2048, "WindowWidth": 4096}
    stored = chest()
    read = load_radiograph(write(dicom(stored, BitsStored=12, **mirrored)), grey=True)
    assert read.grey is not None
    assert np.corrcoef(read.grey.values.ravel(), stored[:, ::-1].ravel())[0, 1] > 0.999


def test_grey_values_are_left_out_unless_asked_for(chest, dicom, write) -> None:
    assert load_radiograph(write(dicom(chest(), BitsStored=12))).grey is None


@pytest.mark.parametrize("levels", [256, 65536])
def test_a_plain_picture_is_shown_as_it_is_stored(tmp_path, levels) -> None:
    noise = np.random.default_rng(2).integers(0, levels, (80, 90))
    path = tmp_path / "picture.png"
    Image.fromarray(noise.astype(np.uint8 if levels == 256 else np.uint16)).save(path)
    read = load_radiograph(path, grey=True)
    assert read.grey is not None
    shown = show(read.grey.values, read.grey.scale.windows[0])
    assert np.abs(shown.astype(int) - noise * 255.0 / (levels - 1)).max() <= (0 if levels == 256 else 1)


@pytest.mark.parametrize("top", [255, 4095])
def test_the_picture_is_lossless(top) -> None:
    values = np.random.default_rng(8).integers(0, top + 1, (40, 30)).astype(np.uint16)
    image = GreyImage(values, GreyScale(GreyKind.VALUES, top, (Window("w", 50, 100),)))
    png = grey_png(image)
    assert Image.open(io.BytesIO(png)).mode == ("L" if top == 255 else "I;16")
    assert np.array_equal(read_grey_png(png, "here"), values)
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(shown_png(image)))), show(values, image.scale.windows[0])
    )


def test_a_smaller_picture_averages_and_keeps_its_scale() -> None:
    values = np.full((64, 32), 1000, np.uint16)
    values[:, 16:] = 3000
    scale = GreyScale(GreyKind.VALUES, 4095, (Window("w", 50, 100),))
    small = GreyImage(values, scale).reduced(16)
    assert small.values.shape == (16, 8)
    assert small.scale == scale
    assert set(small.values[:, 0].tolist()) == {1000}
    assert set(small.values[:, 7].tolist()) == {3000}
    assert GreyImage(values, scale).reduced(64).values is values


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_grey_png(b"\x89PNG\r\n\x1a\nnonsense", "case 7")
