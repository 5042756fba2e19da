"""Sentences on an image as a presentation state: outlines where they were found, in the stored pixels."""

import io
from datetime import datetime

import numpy as np
import pydicom
import pytest

from edge_retrieve.edge_app.outputs.content import Origin
from edge_retrieve.edge_app.outputs.source import read_source
from edge_retrieve.runtime.anatomy import Box
from edge_retrieve.runtime.grounding.report import Ground, GroundedSentence, Grounding
from edge_retrieve.runtime.reports.types import Section

pytest.importorskip("highdicom")
from edge_retrieve.edge_app.outputs.presentation import grounding_state

ORIGIN = Origin("1.0", "toy", "ab" * 32, "", "", 0, synthetic=False)
MADE = datetime(2026, 1, 2, 3, 4, 5)


def sentence(text, *boxes):
    ground = Ground.SEEN if boxes else Ground.DENIED
    return GroundedSentence(
        text, Section.FINDINGS, ground, (), (), None, tuple((box, 0.9) for box in boxes), ()
    )


def state_of(path, *sentences):
    source = read_source(path)
    height, width = source.radiograph.pixels.shape
    output = grounding_state(source, Grounding(sentences, width, height), ORIGIN, MADE)
    return output, pydicom.dcmread(io.BytesIO(output.data))


def test_each_box_of_a_sentence_is_an_outline_with_its_words(xray, conformance_errors):
    first, second = Box(2, 3, 12, 9), Box(20, 4, 26, 15)
    output, state = state_of(
        xray(), sentence("Nodules on both sides.", first, second), sentence("No effusion.")
    )
    annotation = state.GraphicAnnotationSequence[0]
    drawn = [np.asarray(item.GraphicData).reshape(-1, 2) for item in annotation.GraphicObjectSequence]
    assert [tuple(map(float, (*each.min(0), *each.max(0)))) for each in drawn] == [
        first.as_tuple(),
        second.as_tuple(),
    ]
    words = [item.UnformattedTextValue for item in annotation.TextObjectSequence]
    assert words[1:] == ["Nodules on both sides."] * 2
    assert "PRELIMINARY" in words[0]
    errors, recognised_as = conformance_errors(output.data)
    assert errors == []
    assert recognised_as == "GrayscaleSoftcopyPresentationState"


def test_a_turned_image_is_outlined_where_it_is_stored(xray):
    box = Box(2, 3, 12, 9)
    path = xray(PatientOrientation=["L", "H"])  # upside down
    source = read_source(path)
    _, state = state_of(path, sentence("A nodule.", box))
    (graphic,) = state.GraphicAnnotationSequence[0].GraphicObjectSequence
    corners = np.asarray(graphic.GraphicData).reshape(-1, 2)
    stored = source.geometry.to_stored(box)
    assert stored != box
    np.testing.assert_allclose((*corners.min(0), *corners.max(0)), stored.as_tuple())


def test_other_words_are_another_object(xray):
    path, box = xray(), Box(2, 3, 12, 9)
    first, again, other = (
        state_of(path, sentence(text, box))[0] for text in ("A nodule.", "A nodule.", "A mass.")
    )
    assert first.data == again.data
    assert first.sop_instance != other.sop_instance
