"""Which cases a query may find, in which order, and what it says of each."""

from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.bundle import Bundle, Fusion, FusionWeights
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Mismatch, MismatchKind, Modality
from edge_retrieve.runtime.query import Combine, Query
from edge_retrieve.runtime.retriever import Retriever

ZONE = Region.RIGHT_UPPER_LUNG_ZONE


def found(result):
    return [hit.study for hit in result.hits], [hit.score for hit in result.hits]


def test_an_image_that_is_in_the_store_finds_neither_itself_nor_its_patient(toy, retriever, tmp_path):
    again = toy.save(tmp_path / "again.png", 6, right_upper_lung_zone=0.05 + 0.9 * 6 / 11)
    result = retriever.query(Query(image=again, regions=(ZONE,), k=12))
    by_study = retriever.query_study("study-6", Query(regions=(ZONE,), k=12))
    assert found(result)[0] == found(by_study)[0]
    assert {"study-6", "study-7"}.isdisjoint(found(result)[0])
    assert (result.set_apart, by_study.set_apart) == (2, 2)
    same = retriever.query(Query(image=again, regions=(ZONE,), k=12, same_patient=True))
    assert "study-7" in found(same)[0]
    assert "study-6" not in found(same)[0]
    assert same.set_apart == 1


def test_pages_follow_each_other_and_end(retriever, bright):
    whole = retriever.query(Query(image=bright, regions=(ZONE,), k=12))
    pages = [retriever.query(Query(image=bright, regions=(ZONE,), k=5, offset=start)) for start in (0, 5, 10)]
    assert [hit for page in pages for hit in page.hits] == list(whole.hits)
    assert [page.more for page in pages] == [True, True, False]
    assert whole.more is False
    beyond = retriever.query(Query(image=bright, regions=(ZONE,), k=5, offset=50))
    assert (beyond.hits, beyond.more, beyond.abstained) == ((), False, False)


def test_no_hit_scores_less_than_asked(retriever, bright):
    scores = found(retriever.query(Query(image=bright, k=12)))[1]
    level = (scores[3] + scores[4]) / 2
    result = retriever.query(Query(image=bright, k=3, min_score=level))
    assert len(result.hits) == 3
    assert result.more is True
    assert len(retriever.query(Query(image=bright, k=12, min_score=level)).hits) == 4
    assert retriever.query(Query(image=bright, min_score=1.0)).hits == ()


def test_filters_leave_the_order_of_the_rest(retriever, bright):
    whole = found(retriever.query(Query(image=bright, regions=(ZONE,), k=12)))[0]
    nodules = Filters(findings=(Finding.NODULE,), exclude_patients=("p0",))
    kept = found(retriever.query(Query(image=bright, regions=(ZONE,), k=12, filters=nodules)))[0]
    assert kept == [name for name in whole if int(name[6:]) % 3 == 0 and int(name[6:]) > 1]
    nobody = Filters(date_from="20990101")
    assert retriever.query(Query(image=bright, filters=nobody)).hits == ()


def test_one_case_of_each_patient_is_the_best_one(retriever, bright):
    whole = retriever.query(Query(image=bright, regions=(ZONE,), k=12)).hits
    first = {}
    for hit in whole:
        first.setdefault(hit.patient, hit)
    one_each = retriever.query(Query(image=bright, regions=(ZONE,), k=12, one_per_patient=True)).hits
    assert list(one_each) == list(first.values())
    assert len(one_each) == 6


@pytest.mark.parametrize(("combine", "of_all"), [(Combine.ANY, max), (Combine.ALL, min)])
def test_the_best_or_the_worst_region_may_decide(retriever, bright, combine, of_all):
    result = retriever.query(Query(image=bright, regions=(Region.CARINA, ZONE), k=12, combine=combine))
    for hit in result.hits:
        assert hit.score == pytest.approx(of_all(match.score for match in hit.regions), abs=1e-6)
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)


def test_regions_may_count_differently(retriever, bright):
    query = Query(image=bright, regions=(Region.CARINA, ZONE), weights=(1.0, 3.0), k=12)
    for hit in retriever.query(query).hits:
        by_region = {match.region: match.score for match in hit.regions}
        wanted = (by_region[Region.CARINA] + 3 * by_region[ZONE]) / 4
        assert hit.score == pytest.approx(wanted, abs=1e-6)


def test_two_boxes_in_one_region_are_both_asked(toy, retriever, bright):
    zone = toy.region_box(ZONE)
    middle = (zone.x1 + zone.x2) / 2
    left, right = Box(zone.x1, zone.y1, middle, zone.y2), Box(middle, zone.y1, zone.x2, zone.y2)
    both = retriever.query(Query(image=bright, boxes=(left, right), k=12))
    alone = [retriever.query(Query(image=bright, boxes=(box,), k=12)) for box in (left, right)]
    scores = [{hit.study: hit.score for hit in result.hits} for result in alone]
    for hit in both.hits:
        assert {match.drawn for match in hit.regions} == {left, right}
        assert hit.score == pytest.approx(np.mean([known[hit.study] for known in scores]), abs=1e-5)


def test_a_hit_tells_image_and_text_apart_and_fusion_weighs_them(retriever, bright):
    weights = FusionWeights(0.8, 0.2, 0.0, 0.0)
    query = Query(image=bright, regions=(ZONE,), k=12, fusion=weights)
    result = retriever.query(query)
    assert result.weights == weights
    for hit in result.hits:
        (match,) = hit.regions
        assert match.image_score is not None
        if match.text_score is not None:
            assert hit.score == pytest.approx(0.8 * match.image_score + 0.2 * match.text_score, abs=1e-6)
    spoken = {hit.study for hit in result.hits if hit.regions[0].text_score is not None}
    assert spoken == {"study-0", "study-3", "study-6", "study-9"}
    images = retriever.query(replace(query, fusion=None, sides=(Modality.IMAGE,)))
    assert found(retriever.query(replace(query, fusion=FusionWeights(1, 0, 0, 0)))) == found(images)
    with pytest.raises(QueryError, match="nothing that this query asks counts"):
        retriever.query(replace(query, fusion=FusionWeights(0, 0, 1, 1)))


def test_the_bundles_weights_are_used_and_stated(toy, archive, encoder, bright):
    class Tuned:
        """The encoder with fusion weights in its manifest."""

        def __init__(self):
            fusion = Fusion(FusionWeights(3, 1, 1, 1), FusionWeights(1, 2, 1, 1), "made up")
            manifest = replace(toy.bundle.manifest, fusion=fusion)
            self.bundle = Bundle(toy.bundle.path, manifest, toy.bundle.bundle_id)
            self.bundle_id = toy.bundle.bundle_id
            self.encode_image = encoder.encode_image

    tuned, plain = Retriever(archive, Tuned()), Retriever(archive, encoder)
    for regions, weights in (((ZONE,), FusionWeights(3, 1, 1, 1)), ((), FusionWeights(1, 2, 1, 1))):
        query = Query(image=bright, regions=regions, k=12)
        assert tuned.query(query).weights == weights
        assert found(tuned.query(query)) == found(plain.query(replace(query, fusion=weights)))


def test_what_lies_on_the_other_side_is_named(retriever):
    hits = retriever.query(Query(text="Large mass.", regions=(Region.RIGHT_LOWER_LUNG_ZONE,), k=12)).hits
    named = {hit.study: hit.regions[0].mismatch for hit in hits}
    other_side = Mismatch(MismatchKind.OTHER_SIDE, Finding.MASS, Region.LEFT_LOWER_LUNG_ZONE)
    assert {name for name, mismatch in named.items() if mismatch == other_side} == {
        "study-1", "study-4", "study-7", "study-10"
    }  # fmt: skip
