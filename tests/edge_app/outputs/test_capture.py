"""The page: what is drawn on it, and that it is a fit secondary capture."""

import io
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from edge_retrieve.edge_app.outputs.page import HEIGHT, WIDTH, draw_page
from edge_retrieve.edge_app.outputs.source import read_source
from edge_retrieve.runtime.anatomy import Box

pytest.importorskip("highdicom")
from edge_retrieve.edge_app.outputs.capture import secondary_capture


def coloured(page):
    """Where a page is neither grey nor nearly so: the outlines."""
    return np.ptp(page.astype(int), axis=2) > 60


def test_the_x_ray_and_the_outline_are_where_they_belong(content_with, known):
    pixels = np.zeros(known.shape, np.float32)
    pixels[80:130, 20:60] = 1.0
    page = draw_page(pixels, content_with(Box(20.0, 80.0, 60.0, 130.0)))
    assert page.shape == (HEIGHT, WIDTH, 3)
    scale, left, top = 1000 / known.shape[0], 40, 110
    ys, xs = np.nonzero(coloured(page[:, : left + 800]))
    assert xs.min() == pytest.approx(left + 20 * scale, abs=4)
    assert xs.max() == pytest.approx(left + 60 * scale, abs=4)
    assert ys.max() == pytest.approx(top + 130 * scale, abs=4)
    inside = page[
        int(top + 90 * scale) : int(top + 120 * scale), int(left + 25 * scale) : int(left + 55 * scale)
    ]
    assert inside.min() > 250


def test_a_list_too_long_for_the_page_says_how_many_are_left_out(content_with, box, known):
    content, dark = content_with(box), np.zeros(known.shape, np.float32)
    many = replace(content, cases=tuple(replace(content.cases[0], rank=n) for n in range(1, 31)))
    more = replace(content, cases=tuple(replace(content.cases[0], rank=n) for n in range(1, 41)))
    shown, longer = draw_page(dark, many), draw_page(dark, more)
    # The same cases fit; only the counts, in the first and in the last line, differ.
    rows = np.flatnonzero((shown != longer).any(axis=(1, 2)))
    assert rows.min() < 150
    assert rows.max() > 1000
    assert not ((rows > 150) & (rows < 1000)).any()


def test_letters_the_font_lacks_are_drawn_as_plain_ones(content_with, box, known):
    content, dark = content_with(box), np.zeros(known.shape, np.float32)

    def page(archive):
        return draw_page(dark, replace(content, origin=replace(content.origin, archive=archive)))

    np.testing.assert_array_equal(page("Hôpital 東京"), page("Hopital ??"))


def test_it_is_filed_in_the_study_and_names_its_source(xray, content):
    image = pydicom.dcmread(io.BytesIO(secondary_capture(read_source(xray()), content).data))
    assert (image.StudyInstanceUID, image.PatientID) == ("1.2.826.0.1.77.1", "PID-77")
    assert image.pixel_array.shape == (HEIGHT, WIDTH, 3)
    (source,) = image.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == "1.2.826.0.1.77.1.1.1"
    assert image.ImageComments.startswith("PRELIMINARY")


@pytest.mark.parametrize(
    "changes", [{}, {"StudyDate": "", "StudyTime": "", "PatientName": "", "AccessionNumber": ""}]
)
def test_dciodvfy_finds_no_error(xray, content, conformance_errors, changes):
    output = secondary_capture(read_source(xray(**changes)), content)
    assert conformance_errors(output.data) == ([], "SCImage")
