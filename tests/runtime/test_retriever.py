from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.runtime.anatomy import Box, Laterality, Region
from edge_retrieve.runtime.anatomy.names import region_named
from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.errors import QueryError, StoreError, UnreadableFileError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store

ZONE = Region.RIGHT_UPPER_LUNG_ZONE


def expected(toy, reports, picture, region, *, text=None, sides=tuple(Modality)):
    """Score of every study by the documented rule, from pictures and reports alone."""
    place = region and toy.region_box(region)
    asked = [toy.box(picture, place) if region else toy.whole(picture)] if picture is not None else []
    asked += [toy.text(text)] if text else []
    vector = np.mean(asked, axis=0)
    images, texts = {}, {}
    archive = [toy.picture(n, right_upper_lung_zone=0.05 + 0.9 * n / 11) for n in range(12)]
    if region:  # half of what the region usually looks like is taken off, as if 50 blank cases were there too
        vector = vector - 0.5 * np.sum([toy.box(stored, place) for stored in archive], axis=0) / (12 + 50)
    for n, stored in enumerate(archive):
        images[n] = (toy.box(stored, place) if region else toy.whole(stored)) @ vector
        if region is None:
            texts[n] = toy.text(reports[n % 3]) @ vector
        elif region is ZONE and n % 3 == 0:
            texts[n] = toy.text("There is a small nodule in the right upper lung zone.") @ vector
    mean = np.mean(list(texts.values())) if texts else 0
    parts = []
    if Modality.IMAGE in sides:
        parts.append(images)
    if Modality.TEXT in sides and texts:
        parts.append({n: texts.get(n, mean) for n in range(12)})
    scores = {f"study-{n}": np.mean([part[n] for part in parts]) for n in range(12)}
    return sorted(scores.items(), key=lambda item: -item[1])


def found(result):
    return [hit.study for hit in result.hits], [hit.score for hit in result.hits]


def compare(result, wanted):
    studies, scores = found(result)
    assert studies == [study for study, _ in wanted[: len(studies)]]
    np.testing.assert_allclose(scores, [score for _, score in wanted[: len(scores)]], atol=1e-4)


def test_an_image_in_a_region_finds_equal_brightness_there(reports, toy, retriever, bright):
    result = retriever.query(Query(image=bright, regions=(ZONE,), k=4, sides=(Modality.IMAGE,)))
    picture = toy.picture(99, right_upper_lung_zone=0.6)
    compare(result, expected(toy, reports, picture, ZONE, sides=(Modality.IMAGE,)))
    assert result.hits[0].study == "study-7"  # 0.05 + 0.9 * 7 / 11 = 0.62
    assert result.regions == (ZONE,)
    assert result.query_boxes == ((ZONE, toy.region_box(ZONE)),)
    assert result.abstained is False


@pytest.mark.parametrize("region", [None, ZONE])
@pytest.mark.parametrize("text", [None, "nodule"])
@pytest.mark.parametrize("with_image", [True, False])
def test_scores_equal_the_documented_rule(reports, toy, retriever, bright, region, text, with_image):
    if text is None and not with_image:
        return
    query = Query(image=bright if with_image else None, text=text, regions=(region,) if region else (), k=12)
    picture = toy.picture(99, right_upper_lung_zone=0.6) if with_image else None
    compare(retriever.query(query), expected(toy, reports, picture, region, text=text))


def test_only_what_a_text_says_of_the_region_is_asked_for(toy, retriever):
    long = "Large mass in the left lower lung zone. There is a small nodule in the right upper lung zone."
    part = "There is a small nodule in the right upper lung zone."
    whole = retriever.query(Query(text=long, regions=(ZONE,)))
    assert found(whole) == found(retriever.query(Query(text=part, regions=(ZONE,))))
    assert whole.query_boxes == ()


def test_hits_say_why(reports, retriever, toy):
    (hit, *_) = retriever.query(Query(text=reports[0], regions=(ZONE,))).hits
    (match,) = hit.regions
    assert (match.region, match.finding, match.laterality) == (ZONE, Finding.NODULE, Laterality.RIGHT)
    assert match.box == toy.region_box(ZONE)
    assert match.score == pytest.approx(hit.score)
    assert hit.sentences == ("There is a small nodule in the right upper lung zone.",)
    (unconditioned, *_) = retriever.query(Query(text=reports[0])).hits
    (match,) = unconditioned.regions
    assert (match.region, match.box, match.finding) == (None, None, Finding.NODULE)
    assert match.laterality is Laterality.RIGHT
    # Abnormal sentences come first, whatever the order written.
    assert unconditioned.sentences == (
        "There is a small nodule in the right upper lung zone.",
        "The heart size is normal.",
    )


def test_several_regions_are_averaged_and_the_best_match_comes_first(retriever, bright):
    regions = (Region.CARINA, ZONE)
    both = retriever.query(Query(image=bright, regions=regions, k=12))
    assert both.regions == regions
    for hit in both.hits:
        assert [match.score for match in hit.regions] == sorted((m.score for m in hit.regions), reverse=True)
        assert hit.score == pytest.approx(np.mean([match.score for match in hit.regions]))


def test_a_drawn_box_asks_with_its_own_content_in_the_region_it_falls_into(toy, retriever, bright):
    zone = toy.region_box(ZONE)
    drawn = Box(zone.x1 + 2, zone.y1 + 2, zone.x2 - 1, zone.y2 - 1)
    result = retriever.query(Query(image=bright, boxes=(drawn,), k=3, sides=(Modality.IMAGE,)))
    assert result.regions == (ZONE,)
    assert result.hits[0].study == "study-7"
    # The content decides, not the region's own box: half of this one lies in the dark neighbour.
    wide = Box(zone.x1, zone.y1, zone.x2 + 6, zone.y2)
    other = retriever.query(Query(image=bright, boxes=(wide,), k=3, sides=(Modality.IMAGE,)))
    assert other.regions == (ZONE,)
    assert other.hits[0].study != "study-7"


def test_a_small_box_goes_to_the_smallest_region_that_holds_it(toy, archive, encoder, bright):
    retriever = Retriever(archive, encoder)
    encoding = encoder.encode_image(toy.picture(99, right_upper_lung_zone=0.6).astype(np.float32) / 255)
    boxes = list(encoding.boxes)
    boxes[Region.RIGHT_LUNG.position] = Box(0, 0, 32, 64)
    boxes[ZONE.position] = Box(0, 0, 32, 20)
    boxes[Region.TRACHEA.position] = Box(9, 9, 13, 13)  # overlaps a corner only
    encoding = replace(encoding, boxes=tuple(boxes))
    query = Query(boxes=(Box(2, 2, 10, 10),))
    assert retriever.query(query, encoding=encoding).regions == (ZONE,)


def test_a_stored_study_finds_others_but_neither_itself_nor_its_patient(reports, toy, retriever):
    result = retriever.query_study("study-6", Query(regions=(ZONE,), k=12, sides=(Modality.IMAGE,)))
    picture = toy.picture(6, right_upper_lung_zone=0.05 + 0.9 * 6 / 11)
    wanted = expected(toy, reports, picture, ZONE, sides=(Modality.IMAGE,))
    compare(result, [pair for pair in wanted if pair[0] not in {"study-6", "study-7"}])
    assert len(result.hits) == 10
    assert result.query_boxes == ((ZONE, toy.region_box(ZONE)),)
    same = retriever.query_study("study-6", Query(regions=(ZONE,), k=12, same_patient=True))
    assert "study-7" in found(same)[0]
    assert "study-6" not in found(same)[0]


def test_a_stored_study_may_ask_with_its_report_or_with_a_drawn_box(reports, toy, retriever):
    report = retriever.query_study("study-0", Query(regions=(ZONE,)), asked_with=(Modality.TEXT,))
    part = "There is a small nodule in the right upper lung zone."
    others = [
        study
        for study, _ in expected(toy, reports, None, ZONE, text=part)
        if study not in {"study-0", "study-1"}
    ]
    assert found(report)[0] == others[:10]
    zone = toy.region_box(ZONE)
    drawn = retriever.query_study("study-6", Query(boxes=(zone,), sides=(Modality.IMAGE,)))
    named = retriever.query_study("study-6", Query(regions=(ZONE,), sides=(Modality.IMAGE,)))
    assert found(drawn)[0] == found(named)[0]
    np.testing.assert_allclose(found(drawn)[1], found(named)[1], atol=1e-4)


def test_below_the_bundles_level_it_abstains(archive, encoder, toy, bright):
    class Strict:
        """The encoder with another threshold in its manifest."""

        def __init__(self, level):
            manifest = replace(toy.bundle.manifest, thresholds={"abstain_below": level})
            self.bundle = Bundle(toy.bundle.path, manifest, toy.bundle.bundle_id)
            self.bundle_id = toy.bundle.bundle_id
            self.encode_image = encoder.encode_image

    query = Query(image=bright, k=2)
    top = Retriever(archive, encoder).query(query).hits[0].score
    assert Retriever(archive, Strict(top + 0.01)).query(query).abstained is True
    assert Retriever(archive, Strict(top - 0.01)).query(query).abstained is False
    assert len(Retriever(archive, Strict(top + 0.01)).query(query).hits) == 2


def test_an_empty_archive_abstains(toy, encoder, store, bright):
    result = Retriever(store, encoder).query(Query(image=bright))
    assert (result.hits, result.abstained) == ((), True)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "the query is empty"),
        ({"text": "  "}, "the text is empty"),
        ({"text": "nodule", "k": 0}, "k is 0"),
        ({"text": "nodule", "boxes": (Box(0, 0, 8, 8),)}, "a box needs an image"),
        ({"text": "nodule", "regions": ("right lugn",)}, r"no region 'right lugn'.*Did you mean: right lung"),
        ({"image": True, "boxes": (Box(64, 0, 90, 8),)}, r"lies outside the image \(64 x 64 pixels\)"),
        ({"image": True, "boxes": (Box(8, 8, 8, 20),)}, "has no area"),
        ({"image": True, "boxes": (Box(float("nan"), 8, 9, 20),)}, "has no area"),
        ({"image": True, "boxes": (Box(50, 50, 60, 60),)}, "falls into none of the regions"),
    ],
)
def test_a_wrong_query_says_what_is_wrong(retriever, bright, query, message):
    if query.get("image"):
        query = {**query, "image": bright}
    with pytest.raises(QueryError, match=message):
        retriever.query(Query(**query))


def test_unreadable_images_and_unknown_studies_are_named(retriever, tmp_path):
    with pytest.raises(UnreadableFileError):
        retriever.query(Query(image=tmp_path / "nowhere.png"))
    with pytest.raises(StoreError, match="no study 'nobody'"):
        retriever.query_study("nobody")
    with pytest.raises(QueryError, match="no side of the archive"):
        retriever.query(Query(text="nodule", sides=()))


def test_a_store_of_another_bundle_is_refused(toy, encoder, tmp_path):
    other = replace(toy.bundle, bundle_id="f" * 64)
    with (
        Store.open(tmp_path / "other", bundle=other, create=True) as store,
        pytest.raises(StoreError, match="another bundle"),
    ):
        Retriever(store, encoder)


def test_a_larger_query_image_is_the_same_question(toy, retriever, bright, tmp_path):
    large = tmp_path / "large.png"
    with Image.open(bright) as image:
        image.resize((512, 512), Image.Resampling.NEAREST).save(large)
    small, big = (retriever.query(Query(image=path, regions=(ZONE,))) for path in (bright, large))
    # Scaling back blends the edges of neighbouring cells a little.
    assert found(small)[0][:3] == found(big)[0][:3]
    np.testing.assert_allclose(found(small)[1], found(big)[1], atol=0.03)
    box = big.query_boxes[0][1]
    assert box.as_tuple() == pytest.approx(tuple(8 * edge for edge in small.query_boxes[0][1].as_tuple()))


def test_region_names_are_forgiving_and_honest():
    assert region_named(" Right-Upper_lung ZONE ") is ZONE
    with pytest.raises(QueryError, match="Chest ImaGenome"):
        region_named("xyzzy")
