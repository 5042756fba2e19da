"""Phrase maps against windows encoded one by one and weights computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder, finding_probabilities
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.grounding import (
    EDGE,
    GRID,
    WINDOWS,
    findings_named,
    phrase_maps,
    region_weights,
    regions_named,
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


def similarity(encoder, encoding, phrases, row: int, column: int) -> np.ndarray:
    """Return the mean cosine of a place's windows with each phrase, from windows encoded one by one."""
    x, y = centre(row, column)
    halves = [window * WIDTH / 2 for window in WINDOWS]
    boxes = [Box(x - half, y - half, x + half, y + half) for half in halves]
    return np.mean([phrases @ encoder.encode_boxes(encoding, [box])[0] for box in boxes], axis=0)


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
    places = [(row, column) for row in range(GRID) for column in range(GRID)]
    raw = np.array([similarity(encoder, encoding, phrases, *place) for place in places])
    found = phrase_maps(encoder, encoding, phrases, regions)
    for similar, about, phrase_map in zip(raw.T, regions, found, strict=True):
        assert phrase_map.values.shape == (GRID, GRID)
        weighted = np.maximum(similar, 0).reshape(GRID, GRID) * region_weights(encoding, about)
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


def test_odds_of_the_last_channels_become_probabilities() -> None:
    features = np.exp(np.random.default_rng(1).standard_normal((5, 3, 4))).astype(np.float32)
    found = finding_probabilities(features, ["nodule", "not known here", "rib fracture"])
    assert set(found) == {Finding.NODULE, Finding.RIB_FRACTURE}
    np.testing.assert_allclose(found[Finding.NODULE], 1 / (1 + np.exp(-np.log(features[2]))), rtol=1e-5)
    np.testing.assert_allclose(found[Finding.RIB_FRACTURE], features[4] / (1 + features[4]), rtol=1e-5)
    assert finding_probabilities(features, []) == {}


def test_a_phrase_that_states_a_finding_is_where_the_finding_is_seen(encoder, encoding, phrases) -> None:
    side = encoding.features.shape[-1]
    cells = np.zeros((side, side), dtype=np.float32)
    cells[side // 2 - 1, side // 4] = 0.8
    seen = replace(encoding, findings={Finding.NODULE: cells, Finding.MASS: np.zeros_like(cells)})
    stated = [[Finding.MASS, Finding.NODULE], [Finding.PLEURAL_EFFUSION]]
    found, compared = phrase_maps(encoder, seen, phrases, [[], []], stated)
    row, column = np.unravel_index(found.values.argmax(), found.values.shape)
    x, y = centre(int(row), int(column))
    # The image is letterboxed: bars above and below, none beside it.
    assert x / WIDTH == pytest.approx((side // 4 + 0.5) / side, abs=1 / GRID)
    bar = (WIDTH - HEIGHT) / 2
    assert (y + bar) / WIDTH == pytest.approx((side // 2 - 0.5) / side, abs=1 / GRID)
    assert 0.3 < found.peak <= 0.8
    # A finding that the model does not tell is compared as any phrase.
    (whole,) = phrase_maps(encoder, encoding, phrases[1:], [[]])
    np.testing.assert_allclose(compared.values, whole.values, atol=1e-6)


def test_values_between_cells_are_interpolated(encoder, encoding, phrases) -> None:
    side = encoding.features.shape[-1]
    slope = np.tile(np.arange(side, dtype=np.float32)[:, None] / side, (1, side))
    seen = replace(encoding, findings={Finding.NODULE: slope})
    (found,) = phrase_maps(encoder, seen, phrases[:1], [[]], [[Finding.NODULE]])
    bar = (WIDTH - HEIGHT) / 2
    for row in range(GRID):
        position = (centre(row, 0)[1] + bar) / WIDTH * side - 0.5
        expected = np.interp(position, np.arange(side), slope[:, 0]) / found.peak
        np.testing.assert_allclose(found.values[row], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("phrase", "findings"),
    [
        ("Nodule in the right upper lobe.", {Finding.NODULE}),
        ("No pleural effusion.", set()),
        ("Possible left rib fracture, no pneumothorax.", {Finding.RIB_FRACTURE}),
    ],
)
def test_a_phrase_names_the_findings_it_does_not_deny(phrase: str, findings: set[Finding]) -> None:
    assert set(findings_named(phrase)) == findings
