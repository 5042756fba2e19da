"""How sure hits are, against curves read by hand; what a level makes of it; bundles without curves."""

from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import Bundle, FusionWeights, ScoreCalibration, ScoreCurve, Sides
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.query import Combine, Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store

ZONE, CARINA = Region.RIGHT_UPPER_LUNG_ZONE, Region.CARINA
REPORT = "There is a nodule in the right upper lung zone."
# A height of its own for every kind of query, so that the wrong curve would show.
SLOPES = {
    (asked, searched, conditioned): 0.3 + 0.05 * n + (0.02 if conditioned else 0.0)
    for n, (asked, searched) in enumerate((asked, searched) for asked in Sides for searched in Sides)
    for conditioned in (True, False)
}


def curves(slopes=SLOPES):
    return ScoreCalibration(
        "isotonic",
        "made up",
        0.2,
        10,
        tuple(ScoreCurve(*kind, 100, (-1.0, 1.0), (0.0, slope)) for kind, slope in slopes.items()),
    )


@pytest.fixture(scope="module")
def encoder(toy):
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def archive(toy, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    for n in range(6):
        toy.save(folder / "in" / f"c{n}.png", n, REPORT, right_upper_lung_zone=0.1 + 0.15 * n)
    with Store.open(folder / "store", bundle=toy.bundle, create=True) as store:
        assert not ingest(store, encoder, [folder / "in"]).rejected
        yield store


class Calibrated:
    """The encoder with other words in its manifest."""

    def __init__(self, encoder, **words):
        manifest = replace(encoder.bundle.manifest, **words)
        self.bundle = Bundle(encoder.bundle.path, manifest, encoder.bundle_id)
        self.bundle_id = encoder.bundle_id
        self.encode_image, self.encode_texts = encoder.encode_image, encoder.encode_texts


@pytest.fixture
def make(archive, encoder):
    def make(calibration, level=0.5, **words):
        return Retriever(
            archive, Calibrated(encoder, score_calibration=calibration, **words), abstain_below=level
        )

    return make


@pytest.fixture
def bright(toy, tmp_path):
    return toy.save(tmp_path / "query.png", 99, right_upper_lung_zone=0.6)


def by_hand(score, asked, searched, conditioned):
    return SLOPES[asked, searched, conditioned] * (score + 1) / 2


@pytest.mark.parametrize("region", [ZONE, None])
@pytest.mark.parametrize(
    ("searched", "sides"),
    [
        (Sides.BOTH, tuple(Modality)),
        (Sides.IMAGE, (Modality.IMAGE,)),
        (Sides.TEXT, (Modality.TEXT,)),
    ],
)
@pytest.mark.parametrize(
    ("asked", "image", "text"),
    [(Sides.IMAGE, True, None), (Sides.TEXT, False, "nodule"), (Sides.BOTH, True, "nodule")],
)
def test_every_kind_of_query_has_its_own_curve(make, bright, asked, image, text, searched, sides, region):
    query = Query(
        image=bright if image else None, text=text, regions=(region,) if region else (), sides=sides
    )
    result = make(curves()).query(query)
    assert result.calibrated
    assert len(result.hits) == 6
    for hit in result.hits:
        expected = by_hand(hit.score, asked, searched, region is not None)
        assert hit.probability == pytest.approx(expected, abs=1e-6)
        assert [match.probability for match in hit.regions] == [pytest.approx(expected, abs=1e-6)]


@pytest.mark.parametrize(
    ("combine", "together"),
    [(Combine.WEIGHTED, lambda p: (3 * p[0] + p[1]) / 4), (Combine.ANY, max), (Combine.ALL, min)],
)
def test_several_regions_are_combined_as_their_scores_are(make, bright, combine, together):
    weights = (3.0, 1.0) if combine is Combine.WEIGHTED else ()
    query = Query(
        image=bright,
        regions=(ZONE, CARINA),
        combine=combine,
        weights=weights,
        sides=(Modality.IMAGE,),
    )
    for hit in make(curves()).query(query).hits:
        sure = {match.region: match.probability for match in hit.regions}
        for match in hit.regions:
            expected = by_hand(match.score, Sides.IMAGE, Sides.IMAGE, True)
            assert match.probability == pytest.approx(expected, abs=1e-6)
        assert hit.probability == pytest.approx(together([sure[ZONE], sure[CARINA]]), abs=1e-6)


def test_where_a_case_has_nothing_there_is_no_sign_of_the_finding(make, bright):
    # No report speaks of the carina: half of what is asked for cannot be found.
    query = Query(image=bright, regions=(ZONE, CARINA), sides=(Modality.TEXT,))
    for hit in make(curves()).query(query).hits:
        (match,) = hit.regions
        assert match.region is ZONE
        assert hit.probability == pytest.approx(match.probability / 2, abs=1e-6)


def test_it_abstains_where_no_hit_reaches_the_level_also_on_a_later_page(make, bright):
    query = Query(image=bright, k=2)
    best = make(curves()).query(query).hits[0].probability
    for page in (query, replace(query, offset=4)):
        above, below = (make(curves(), best + step).query(page) for step in (0.01, -0.01))
        assert (above.abstained, below.abstained) == (True, False)
        assert above.abstain_below == pytest.approx(best + 0.01)
        assert above.hits == below.hits
        assert len(above.hits) == 2
    last = make(curves(), best - 0.01).query(replace(query, offset=4))
    assert all(hit.probability < best for hit in last.hits)


def test_a_threshold_leaves_the_certainty_of_what_it_keeps(make, bright):
    query = Query(image=bright, regions=(ZONE,), k=6, sides=(Modality.IMAGE,))
    every = make(curves()).query(query).hits
    few = make(curves()).query(replace(query, min_score=(every[2].score + every[3].score) / 2))
    assert len(few.hits) == 3
    assert [hit.probability for hit in few.hits] == [hit.probability for hit in every[:3]]


@pytest.mark.parametrize(
    "query",
    [
        Query(text="nodule"),  # the bundle has no curve for texts
        Query(text="nodule", regions=(ZONE,)),
    ],
)
def test_a_query_without_a_curve_is_answered_without_probabilities(make, query):
    known = {kind: slope for kind, slope in SLOPES.items() if kind[0] is not Sides.TEXT}
    result = make(curves(known), 1.0).query(query)
    assert result.hits
    assert not result.calibrated
    assert not result.abstained
    assert result.abstain_below is None
    assert {hit.probability for hit in result.hits} == {None}
    assert {match.probability for hit in result.hits for match in hit.regions} == {None}


def test_a_bundle_without_curves_keeps_to_its_own_level_of_scores(make, bright):
    query = Query(image=bright)
    top = make(None).query(query).hits[0].score
    strict, lenient = (
        make(None, 0.99, thresholds={"abstain_below": top + step}).query(query) for step in (0.01, -0.01)
    )
    assert (strict.abstained, lenient.abstained) == (True, False)
    assert strict.abstain_below == pytest.approx(top + 0.01)
    assert not strict.calibrated


def test_scores_of_other_weights_are_not_those_of_the_curves(make, bright):
    other = FusionWeights(1.0, 0.0, 0.0, 0.0)
    assert not make(curves()).query(Query(image=bright, fusion=other)).calibrated
    equal = FusionWeights(0.25, 0.25, 0.25, 0.25)
    assert make(curves()).query(Query(image=bright, fusion=equal)).calibrated


def test_a_stored_study_asks_with_what_it_has(make):
    retriever = make(curves())
    for asked_with, asked in (
        ((Modality.IMAGE,), Sides.IMAGE),
        ((Modality.TEXT,), Sides.TEXT),
        (tuple(Modality), Sides.BOTH),
    ):
        study = retriever.query(Query(text="nodule")).hits[0].study
        for hit in retriever.query_study(study, asked_with=asked_with).hits:
            assert hit.probability == pytest.approx(by_hand(hit.score, asked, Sides.BOTH, False), abs=1e-6)


def test_an_empty_answer_abstains(toy, encoder, tmp_path):
    with Store.open(tmp_path / "empty", bundle=toy.bundle, create=True) as store:
        result = Retriever(store, Calibrated(encoder, score_calibration=curves())).query(Query(text="nodule"))
    assert (result.hits, result.abstained) == ((), True)


def test_a_level_that_is_no_probability_is_refused(make):
    with pytest.raises(QueryError, match="no probability"):
        make(curves(), np.inf)
