"""A report on an image, sentence by sentence: what is looked for, where it is put, what is nowhere."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.grounding import GRID, PhraseMap, boxes_of
from edge_retrieve.runtime.grounding import report as report_module
from edge_retrieve.runtime.grounding.overlay import correspondences, overlay_png, pair_png
from edge_retrieve.runtime.grounding.report import SEEN_FROM, Ground, attribute, ground_text

SIDE = 64
ZONE, LOWER = Region.RIGHT_UPPER_LUNG_ZONE, Region.LEFT_LOWER_LUNG_ZONE


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def pixels(toy):
    return (toy.picture(0).astype(np.float32) / 255).clip(0, 1)


@pytest.fixture
def encoding(encoder, pixels, toy):
    """An image whose nodule is in the right upper zone for sure, and whose mass is nowhere."""
    found = encoder.encode_image(pixels)
    height, width = found.features.shape[-2:]
    nodule = np.zeros((height, width), np.float32)
    row, column = divmod(ZONE.position, width)
    nodule[row, column] = 0.9
    return replace(found, findings={Finding.NODULE: nodule, Finding.MASS: np.full_like(nodule, 0.01)})


REPORT = """INDICATION: Nodule, follow-up.

FINDINGS: There is a nodule in the right upper lung zone. Mass in the left lower lung zone.
No pleural effusion. The heart is normal. Comparison is made with the older image.

IMPRESSION: Nodule."""


def test_only_what_is_stated_is_looked_for(encoder, encoding):
    grounding = ground_text(encoder, encoding, REPORT)
    grounds = {sentence.text: sentence.ground for sentence in grounding.sentences}
    assert grounds == {
        "Nodule, follow-up.": Ground.NOT_VISUAL,
        "There is a nodule in the right upper lung zone.": Ground.SEEN,
        "Mass in the left lower lung zone.": Ground.NOT_SEEN,
        "No pleural effusion.": Ground.DENIED,
        "The heart is normal.": Ground.DENIED,
        "Comparison is made with the older image.": Ground.NOT_VISUAL,
        "Nodule.": Ground.SEEN,
    }
    for sentence in grounding.sentences:
        assert bool(sentence.boxes) == (sentence.ground is Ground.SEEN)
        assert bool(sentence.attribution) == (sentence.ground is Ground.SEEN)
        assert (sentence.map is not None) == (sentence.ground in (Ground.SEEN, Ground.NOT_SEEN))


def test_a_sentence_is_put_where_its_finding_is_and_to_its_region(encoder, encoding, toy):
    sentence = ground_text(encoder, encoding, REPORT).sentences[1]
    (box, value) = sentence.boxes[0]
    assert box.iou(toy.region_box(ZONE)) > 0.3
    assert SEEN_FROM <= value <= 0.9
    assert sentence.findings == (Finding.NODULE,)
    assert sentence.regions == (ZONE,)
    first = sentence.attribution[0]
    assert (first.region, first.named) == (ZONE, True)
    assert 0.5 < first.share <= 1
    # The impression names no region; its finding is found there all the same.
    impression = ground_text(encoder, encoding, REPORT).sentences[-1]
    assert (impression.attribution[0].region, impression.attribution[0].named) == (ZONE, False)


def test_the_texts_are_encoded_at_once_and_the_image_not_again(encoder, encoding, monkeypatch):
    asked = []
    plain = encoder.encode_texts
    monkeypatch.setattr(encoder, "encode_texts", lambda texts: asked.append(list(texts)) or plain(texts))
    monkeypatch.setattr(encoder, "encode_image", None)
    ground_text(encoder, encoding, REPORT)
    assert [len(texts) for texts in asked] == [3]
    asked.clear()
    assert ground_text(encoder, encoding, "No nodule.").seen == ()
    assert asked == []


def test_attribution_is_the_share_of_the_map_inside_a_box(encoding):
    values = np.random.default_rng(0).random((GRID, GRID)).astype(np.float32)
    found = attribute(PhraseMap(values, 1.0), encoding, [LOWER])
    shares = {}
    for region, box in zip(REGIONS, encoding.boxes, strict=True):
        total = 0.0
        for row in range(GRID):
            for column in range(GRID):
                x, y = (column + 0.5) / GRID * encoding.width, (row + 0.5) / GRID * encoding.height
                if box.x1 <= x < box.x2 and box.y1 <= y < box.y2:
                    total += values[row, column]
        shares[region] = total / values.sum()
    for each in found:
        assert each.share == pytest.approx(shares[each.region], rel=1e-4)
    empty = PhraseMap(np.zeros((GRID, GRID), np.float32), 0.0)
    assert attribute(empty, encoding, []) == ()


def test_boxes_are_around_connected_places():
    values = np.zeros((6, 12), np.float32)
    values[1:3, 1:4] = 0.6
    values[4, 8] = 1.0
    values[5, 9] = 0.7  # touches by a corner only
    found = boxes_of(values, 24, 12)
    assert found == [
        (Box(16, 8, 18, 10), 1.0),
        (Box(18, 10, 20, 12), pytest.approx(0.7)),
        (Box(2, 2, 8, 6), pytest.approx(0.6)),
    ]
    assert boxes_of(values, 24, 12, level=0.65)[-1][1] == pytest.approx(0.7)
    assert boxes_of(np.zeros((2, 2), np.float32), 4, 4) == []


def test_the_overlay_tints_where_the_map_is_and_frames_the_boxes(encoder, encoding, pixels):
    grounding = ground_text(encoder, encoding, "Nodule in the right upper lung zone.")
    picture = np.asarray(Image.open(io.BytesIO(overlay_png(pixels, grounding))), dtype=np.int64)
    grey = np.rint(pixels * 255)[..., None]
    changed = (np.abs(picture - grey) > 1).any(axis=2)
    box = grounding.seen[0].boxes[0][0]
    assert changed[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)].mean() > 0.5
    # Far away from the map and from the words nothing changes.
    assert not changed[SIDE // 2 :, SIDE // 2 :].any()
    plain = ground_text(encoder, encoding, "No nodule.")
    picture = np.asarray(Image.open(io.BytesIO(overlay_png(pixels, plain))), dtype=np.int64)
    assert np.abs(picture - grey).max() <= 1


def test_a_pair_has_each_region_framed_on_both(pixels):
    first = [Box(4, 4, 20, 20)] * len(REGIONS)
    second = [Box(30, 30, 50, 50)] * len(REGIONS)
    (pair,) = correspondences([ZONE], first, second)
    assert (pair.region, pair.first, pair.second) == (ZONE, first[0], second[0])
    assert correspondences([ZONE], first, ()) == ()
    picture = np.asarray(Image.open(io.BytesIO(pair_png(pixels, pixels, [pair]))))
    assert picture.shape == (SIDE, 2 * SIDE, 3)
    assert picture[12, 4].tolist() == picture[40, SIDE + 30].tolist() == [230, 159, 0]


def test_the_level_is_between_what_is_seen_and_what_is_not(encoder, encoding, monkeypatch):
    monkeypatch.setattr(report_module, "SEEN_FROM", 0.0)
    found = ground_text(encoder, encoding, "Mass in the left lower lung zone.").sentences[0]
    assert found.ground is Ground.SEEN
    assert found.boxes
