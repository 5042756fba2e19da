"""Phrase maps against windows encoded one by one and weights computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.grounding import (
    EDGE,
    GRID,
    WINDOWS,
    phrase_maps,
    region_weights,
    regions_named,
    similarity_maps,
)

WIDTH, HEIGHT = 160, 90
REGION, OTHER = Region.RIGHT_UPPER_LUNG_ZONE, Region.LEFT_LOWER_LUNG_ZONE


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def encoding(encoder):
    return encoder.encode_image(np.random.default_rng(0).random((HEIGHT, WIDTH), dtype=np.float32))


@pytest.fixture(scope="module")
def phrases(encoder):
    return encoder.encode_texts(["nodule", "pleural effusion"])


def centre(row: int, column: int) -> tuple[float, float]:
    return (column + 0.5) / GRID * WIDTH, (row + 0.5) / GRID * HEIGHT


def test_each_cell_is_the_mean_of_the_windows_around_its_centre(encoder, encoding, phrases) -> None:
    maps = similarity_maps(encoder, encoding, phrases)
    assert maps.shape == (2, GRID, GRID)
    for row, column in ((0, 0), (5, 17), (23, 11)):
        x, y = centre(row, column)
        halves = [window * WIDTH / 2 for window in WINDOWS]
        boxes = [Box(x - half, y - half, x + half, y + half) for half in halves]
        expected = np.mean([phrases @ encoder.encode_boxes(encoding, [box])[0] for box in boxes], axis=0)
        np.testing.assert_allclose(maps[:, row, column], expected, atol=1e-5)


def test_a_region_weighs_inside_its_box_and_falls_off_at_its_edge(encoding) -> None:
    box = encoding.boxes[REGION.position]
    weights = region_weights(encoding, [REGION])
    for row in range(GRID):
        for column in range(GRID):
            x, y = centre(row, column)
            edge = EDGE * WIDTH
            expected = 1.0
            for inside in (x - box.x1, box.x2 - x, y - box.y1, box.y2 - y):
                expected *= 1 / (1 + np.exp(-inside / edge))
            assert weights[row, column] == pytest.approx(expected, abs=1e-6)


def test_several_regions_count_with_their_mean_and_none_with_everything(encoding) -> None:
    both = region_weights(encoding, [REGION, OTHER])
    each = [region_weights(encoding, [region]) for region in (REGION, OTHER)]
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-6)
    assert (region_weights(encoding, []) == 1).all()


def test_a_phrase_map_is_the_weighted_positive_similarity_of_full_height(encoder, encoding, phrases) -> None:
    regions = [[REGION], []]
    raw = np.maximum(similarity_maps(encoder, encoding, phrases), 0)
    found = phrase_maps(encoder, encoding, phrases, regions)
    for similar, about, phrase_map in zip(raw, regions, found, strict=True):
        weighted = similar * region_weights(encoding, about)
        assert phrase_map.peak == pytest.approx(weighted.max(), abs=1e-5)
        np.testing.assert_allclose(phrase_map.values * phrase_map.peak, weighted, atol=1e-3)
        if phrase_map.peak > 0:
            assert phrase_map.values.max() == pytest.approx(1.0)


def test_nothing_alike_is_an_empty_map(encoder, encoding) -> None:
    window = encoder.encode_boxes(encoding, [Box(0, 0, WIDTH, HEIGHT)])
    (found,) = phrase_maps(encoder, encoding, -window, [[REGION]])
    assert found.peak == 0
    assert not found.values.any()


@pytest.mark.parametrize(
    ("phrase", "regions"),
    [
        ("Nodule in the right upper lung zone.", (Region.RIGHT_UPPER_LUNG_ZONE,)),
        ("No pleural effusion. Mass in the left mid lung zone.", (Region.LEFT_MID_LUNG_ZONE,)),
        ("The cardiac silhouette is normal.", (Region.CARDIAC_SILHOUETTE,)),
        ("As before.", ()),
    ],
)
def test_a_phrase_names_the_regions_of_its_findings(phrase, regions) -> None:
    assert regions_named(phrase) == regions
