from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_retrieve.runtime.aims import Aim, aims_of
from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.query import Combine, Query

ZONE, CARINA = Region.RIGHT_UPPER_LUNG_ZONE, Region.CARINA


def seen(**boxes):
    """An image of 100 x 100 pixels with only some regions on it; the others are empty."""
    named = {name.replace("_", " "): box for name, box in boxes.items()}
    found = tuple(Box(*named.get(region.value, (0, 0, 0, 0))) for region in REGIONS)
    return SimpleNamespace(width=100, height=100, boxes=found)


LUNG_AND_ZONE = seen(right_lung=(0, 0, 40, 80), right_upper_lung_zone=(0, 0, 40, 30), carina=(45, 30, 55, 40))


def test_named_regions_and_nothing_at_all():
    assert aims_of(Query(text="x"), None) == (Aim(None),)
    assert aims_of(Query(regions=(ZONE, CARINA, ZONE)), None) == (Aim(ZONE), Aim(CARINA))
    weighted = Query(regions=(ZONE, CARINA), weights=(2.0, 0.5))
    assert aims_of(weighted, None) == (Aim(ZONE, 2.0), Aim(CARINA, 0.5))


def test_every_drawn_box_is_looked_at_by_itself():
    first, second = Box(2, 2, 20, 20), Box(22, 4, 38, 28)
    aims = aims_of(Query(boxes=(first, second), weights=(1.0, 3.0)), LUNG_AND_ZONE)
    assert aims == (Aim(ZONE, 1.0, first), Aim(ZONE, 3.0, second))


def test_a_box_stands_in_for_its_region_where_that_is_named_too():
    box = Box(2, 2, 20, 20)
    aims = aims_of(Query(regions=(ZONE, CARINA), boxes=(box,)), LUNG_AND_ZONE)
    assert aims == (Aim(CARINA), Aim(ZONE, 1.0, box))


def test_regions_that_hold_a_box_about_equally_share_its_weight():
    twin = seen(mediastinum=(10, 10, 50, 50), cardiac_silhouette=(10, 10, 50, 55))
    box = Box(12, 12, 48, 48)
    aims = aims_of(Query(boxes=(box,), weights=(3.0,)), twin)
    assert {aim.region for aim in aims} == {Region.MEDIASTINUM, Region.CARDIAC_SILHOUETTE}
    assert [aim.weight for aim in aims] == [1.5, 1.5]
    assert {aim.box for aim in aims} == {box}


@pytest.mark.parametrize("far", [100.5, 1e9, 1e308])
def test_of_a_box_that_overhangs_the_image_only_what_is_on_it_counts(far):
    drawn, on_it = Box(-far, -far, 20, 20), Box(0, 0, 20, 20)
    assert aims_of(Query(boxes=(drawn,)), LUNG_AND_ZONE) == (Aim(ZONE, 1.0, on_it),)
    whole = Box(-far, -far, far, far)
    assert {aim.box for aim in aims_of(Query(boxes=(whole,)), LUNG_AND_ZONE)} == {Box(0, 0, 100, 100)}


edge = st.floats(0, 99)  # so that a pixel more still reaches into the image


@given(st.tuples(edge, edge, edge, edge))
def test_the_region_of_a_box_is_the_best_overlapping_of_those_that_hold_half_of_it(edges):
    x1, x2 = sorted((edges[0], edges[2]))
    y1, y2 = sorted((edges[1], edges[3]))
    box, random = Box(x1, y1, x2 + 1, y2 + 1), np.random.default_rng(int(x1 * y2))
    corners = random.uniform(0, 60, (len(REGIONS), 2))
    sizes = random.uniform(5, 40, (len(REGIONS), 2))
    boxes = tuple(Box(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True))
    image = SimpleNamespace(width=100, height=100, boxes=boxes)
    inside = box.clipped(100, 100)
    shares = [inside.intersect(region).area / inside.area for region in boxes]
    overlaps = [inside.iou(region) for region in boxes]
    holding = [n for n, share in enumerate(shares) if share >= 0.5]
    among = holding or [n for n, overlap in enumerate(overlaps) if overlap > 0]
    if not among:
        with pytest.raises(QueryError, match="none of the regions"):
            aims_of(Query(boxes=(box,)), image)
        return
    best = max(overlaps[n] for n in among)
    aims = aims_of(Query(boxes=(box,)), image)
    assert {aim.region for aim in aims} == {REGIONS[n] for n in among if overlaps[n] >= 0.8 * best}
    assert sum(aim.weight for aim in aims) == pytest.approx(1)


@pytest.mark.parametrize(
    ("query", "clue"),
    [
        ({"offset": -1}, "the offset is -1"),
        ({"regions": (ZONE,), "weights": (1.0, 2.0)}, "2 weights for 1 regions and boxes"),
        ({"regions": (ZONE,), "weights": (0.0,)}, "not above zero"),
        ({"regions": (ZONE,), "weights": (float("inf"),)}, "not above zero"),
        ({"regions": (ZONE,), "weights": (2.0,), "combine": Combine.ALL}, "weights mean nothing"),
        ({"min_score": float("nan")}, "the least score is nan"),
        ({"min_score": 7}, "the least score is 7"),
    ],
)
def test_a_query_that_contradicts_itself_is_refused(query, clue):
    with pytest.raises(QueryError, match=clue):
        Query(text="x", **query).check()
