"""A stored picture that is smaller than its image: what is drawn on the one lies on the other."""

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.stored_picture import read_preview, scaled

ZONE = Region.RIGHT_UPPER_LUNG_ZONE


def test_a_box_goes_there_and_back():
    box = Box(10, 20, 50, 100)
    assert scaled(box, 0.5, 0.25) == Box(5, 5, 25, 25)
    assert scaled(scaled(box, 0.5, 0.25), 2, 4) == box


def test_a_drawn_box_is_told_in_pixels_of_the_image(toy, archive, encoder, retriever):
    """The encoding is of a picture half as wide and high; box and answer are in the image's own pixels."""
    zone = toy.region_box(ZONE)
    pixels = read_preview(archive.preview("study-6"))
    half = np.ascontiguousarray(pixels[::2, ::2])
    query = Query(boxes=(zone,), k=5)
    result = retriever.query_study("study-6", query, encoding=encoder.encode_image(half))
    drawn = {match.drawn for hit in result.hits for match in hit.regions}
    assert len(drawn) == 1
    assert drawn.pop().as_tuple() == pytest.approx(zone.as_tuple())
    assert ZONE in result.regions
    whole = retriever.query_study("study-6", query, encoding=encoder.encode_image(pixels))
    assert [hit.study for hit in whole.hits] == [
        hit.study for hit in retriever.query_study("study-6", query).hits
    ]
