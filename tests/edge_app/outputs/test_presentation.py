"""The presentation state, shown by dcmtk as a viewer would and compared with our own display."""

import io
import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from edge_retrieve.edge_app.outputs.source import read_source
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.errors import OutputError

pytest.importorskip("highdicom")
from edge_retrieve.edge_app.outputs.presentation import presentation_state


@pytest.fixture
def shown(tmp_path):
    """Return a function that renders an image under a presentation state with dcmtk."""
    if shutil.which("dcmp2pgm") is None:
        pytest.skip("dcmp2pgm (Debian: dcmtk) is not installed")

    def render(image, state):
        path, picture = tmp_path / "state.dcm", tmp_path / "shown.pgm"
        path.write_bytes(state)
        subprocess.run(["dcmp2pgm", "-q", "-p", str(path), str(image), str(picture)], check=True)
        with Image.open(picture) as read:
            return np.asarray(read.convert("L"), dtype=np.float64) / 255.0

    return render


def outline(state):
    (graphic,) = state.GraphicAnnotationSequence[0].GraphicObjectSequence
    return np.asarray(graphic.GraphicData).reshape(-1, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"PatientOrientation": ["R", "F"]},
        {"PatientOrientation": ["L", "H"]},
        {"PatientOrientation": ["R", "H"]},
        {"PatientOrientation": ["F", "L"]},
        {"PatientOrientation": ["H", "R"]},
        {"PatientOrientation": ["F", "R"]},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"WindowCenter": None, "WindowWidth": None},
        {"WindowCenter": ["1000", "2000"], "WindowWidth": ["600", "900"]},
        {"RescaleSlope": "2", "RescaleIntercept": "-100", "WindowCenter": "4000"},
    ],
    ids=lambda changes: ",".join(f"{name}={value}" for name, value in changes.items()) or "plain",
)
def test_a_viewer_shows_what_was_shown_here(xray, content, shown, changes):
    path = xray(**changes)
    source = read_source(path)
    state = presentation_state(source, content)
    rendered = shown(path, state.data)
    ours = source.radiograph.pixels
    assert rendered.shape == ours.shape
    # Half a grey level of each: dcmtk rounds to 8 bits in its own way.
    np.testing.assert_allclose(rendered, ours, atol=1.5 / 255)


def table(entries, **more):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), 0, 12])
    item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("brightest", [4095, 1500])
def test_a_table_of_the_file_is_applied_as_it_was_here(
    xray, content, shown, photometric, brightest, conformance_errors
):
    curve = brightest * (np.arange(3800) / 3799) ** 2
    path = xray(
        PhotometricInterpretation=photometric,
        WindowCenter=None,
        WindowWidth=None,
        VOILUTSequence=[table(curve)],
    )
    source = read_source(path)
    state = presentation_state(source, content)
    np.testing.assert_allclose(shown(path, state.data), source.radiograph.pixels, atol=1.5 / 255)
    assert conformance_errors(state.data) == ([], "GrayscaleSoftcopyPresentationState")


def test_a_modality_table_is_applied_as_it_was_here(xray, content, shown, conformance_errors):
    root = 64 * np.sqrt(np.arange(4096))
    path = xray(ModalityLUTSequence=[table(root, ModalityLUTType="OD")], WindowCenter="2200")
    source = read_source(path)
    state = presentation_state(source, content)
    np.testing.assert_allclose(shown(path, state.data), source.radiograph.pixels, atol=1.5 / 255)
    assert conformance_errors(state.data) == ([], "GrayscaleSoftcopyPresentationState")


@pytest.mark.parametrize("orientation", [["L", "F"], ["R", "F"], ["F", "L"], ["H", "R"], ["R", "H"]])
def test_the_outline_encloses_the_same_pixels_as_on_the_display(xray, content_with, orientation):
    pixels = np.full((160, 128), 500, np.uint16)
    pixels[::2, ::3] = 900
    pixels[30:60, 80:100] = 3000  # what the reader sees
    source = read_source(xray(pixels, PatientOrientation=orientation))
    ys, xs = np.nonzero(source.radiograph.pixels > source.radiograph.pixels.max() - 0.01)
    box = Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
    state = pydicom.dcmread(io.BytesIO(presentation_state(source, content_with(box)).data))
    points = outline(state)
    np.testing.assert_allclose(points.min(axis=0), [80, 30])
    np.testing.assert_allclose(points.max(axis=0), [100, 60])


@pytest.mark.parametrize(
    ("changes", "ratio"),
    [
        ({}, 1.0),
        ({"ImagerPixelSpacing": ["0.2", "0.1"]}, 2.0),
        ({"PixelAspectRatio": ["3", "4"]}, 128 / 171),  # the display has whole columns
        ({"PixelAspectRatio": ["9", "1"]}, 1.0),  # beyond belief, and shown as square here
    ],
)
def test_pixels_have_the_shape_they_were_shown_in(xray, content, changes, ratio):
    state = pydicom.dcmread(io.BytesIO(presentation_state(read_source(xray(**changes)), content).data))
    (area,) = state.DisplayedAreaSelectionSequence
    vertical, horizontal = area.PresentationPixelAspectRatio
    assert int(vertical) / int(horizontal) == pytest.approx(ratio)


def test_labels_say_region_finding_and_that_nobody_has_verified_it(xray, content):
    state = pydicom.dcmread(io.BytesIO(presentation_state(read_source(xray()), content).data))
    texts = [each.UnformattedTextValue for each in state.GraphicAnnotationSequence[0].TextObjectSequence]
    assert any("PRELIMINARY" in text and "Not a medical device" in text for text in texts)
    assert "right lower lung zone: pleural effusion in 2 of 2 similar" in texts
    assert state.ContentDescription.startswith("PRELIMINARY")
    (series,) = state.ReferencedSeriesSequence
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.826.0.1.77.1.1.1"


def test_an_image_in_colour_is_refused(xray, content):
    grey = np.repeat((np.arange(160 * 128).reshape(160, 128, 1) % 256).astype(np.uint8), 3, axis=2)
    path = xray(
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="RGB",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelData=grey.tobytes(),
    )
    with pytest.raises(OutputError, match="colour"):
        presentation_state(read_source(path), content)


@pytest.mark.parametrize(
    "changes", [{}, {"PatientOrientation": ["F", "R"]}, {"ImagerPixelSpacing": ["0.2", "0.1"]}]
)
def test_dciodvfy_finds_no_error(xray, content, conformance_errors, changes):
    output = presentation_state(read_source(xray(**changes)), content)
    assert conformance_errors(output.data) == ([], "GrayscaleSoftcopyPresentationState")
