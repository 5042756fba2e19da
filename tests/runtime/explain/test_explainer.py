from dataclasses import replace

import numpy as np
import pytest

from edge_retrieve.runtime.anatomy import REGIONS, Box, Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.errors import QueryError, UnknownStudyError
from edge_retrieve.runtime.explain.base_rates import ArchiveRates
from edge_retrieve.runtime.explain.counterfactual import (
    Alteration,
    StoredPicture,
    altered,
    control,
    counterfactuals,
    each_change,
)
from edge_retrieve.runtime.explain.explainer import Explainer
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever
from edge_retrieve.runtime.store import Store
from edge_retrieve.runtime.stored_picture import read_preview

ZONE, LOWER = Region.RIGHT_UPPER_LUNG_ZONE, Region.LEFT_LOWER_LUNG_ZONE


@pytest.fixture
def explainer(archive, encoder, retriever):
    return Explainer(archive, encoder, retriever)


def test_base_rates_are_counts_of_reports(archive):
    rates = ArchiveRates(archive).current()
    assert rates.reports == 12
    assert rates.rate(Finding.NODULE, ZONE) == pytest.approx(4 / 12)
    assert rates.rate(Finding.MASS, LOWER) == pytest.approx(4 / 12)
    assert rates.rate(Finding.MASS, ZONE) == 0
    assert rates.rate(Finding.MASS, None) == pytest.approx(4 / 12)
    assert set(rates.rare(0.34)) == {Finding.NODULE, Finding.MASS}
    assert rates.rare(0.3) == ()


def test_base_rates_follow_the_store(toy, encoder, tmp_path):
    toy.save(tmp_path / "in" / "a.png", 1, "Large mass in the left lower lung zone.")
    with Store.open(tmp_path / "s", bundle=toy.bundle, create=True) as store:
        rates = ArchiveRates(store)
        assert rates.current().reports == 0
        assert rates.current().rate(Finding.MASS, LOWER) == 0
        ingest(store, encoder, [tmp_path / "in"])
        assert rates.current().rate(Finding.MASS, LOWER) == 1


def test_the_neighbours_of_a_region_are_the_hits_of_a_query_for_it(explainer, retriever, bright):
    query = Query(image=bright, regions=(ZONE,))
    evidence = explainer.explain(query)
    (place,) = evidence.places
    hits = retriever.query(query).hits
    assert [each.study for each in place.neighbours] == [hit.study for hit in hits]
    assert [each.score for each in place.neighbours] == [hit.score for hit in hits]
    for each, hit in zip(place.neighbours, hits, strict=True):
        nodule = hit.regions[0].finding is Finding.NODULE
        assert (Finding.NODULE in each.stated) == nodule
        assert each.sentences == hit.sentences
    assert place.box is not None
    assert evidence.result.hits == hits
    # The toy's scores are not calibrated.
    assert not evidence.calibrated


def test_a_known_answer_is_not_asked_for_again(explainer, retriever, bright, monkeypatch):
    query = Query(image=bright, regions=(ZONE,))
    encoding, radiograph = retriever.encode_file(query)
    result = retriever.query(query, encoding=encoding, radiograph=radiograph)
    monkeypatch.setattr(Retriever, "query", None)
    evidence = explainer.explain(query, encoding=encoding, radiograph=radiograph, result=result)
    assert evidence.result is result


def test_two_regions_have_neighbours_each_of_their_own(explainer, retriever, bright):
    evidence = explainer.explain(Query(image=bright, regions=(ZONE, LOWER)))
    assert [place.region for place in evidence.places] == [ZONE, LOWER]
    for place in evidence.places:
        alone = retriever.query(Query(image=bright, regions=(place.region,))).hits
        assert [each.study for each in place.neighbours] == [hit.study for hit in alone]


def test_a_drawn_box_is_evidence_of_the_region_it_falls_into(explainer, toy, bright):
    box = toy.region_box(ZONE)
    evidence = explainer.explain(Query(image=bright, boxes=(box,)))
    assert [(place.region, place.drawn) for place in evidence.places] == [(ZONE, box)]


def test_without_a_region_every_one_is_looked_at(explainer, bright):
    evidence = explainer.explain(Query(image=bright))
    assert evidence.survey
    assert [place.region for place in evidence.places] == list(REGIONS)


def test_a_text_is_explained_where_it_says(explainer):
    placed = explainer.explain(Query(text="Nodule in the right upper lung zone."))
    assert [place.region for place in placed.places] == [ZONE]
    assert not placed.survey
    whole = explainer.explain(Query(text="Nodule."))
    assert [place.region for place in whole.places] == [None]
    assert whole.places[0].vote(Finding.MASS) is not None


def test_a_stored_study_is_no_evidence_for_itself(explainer, archive):
    evidence = explainer.explain_study("study-3", Query(regions=(ZONE,)))
    assert evidence.study == "study-3"
    own = {study for study in evidence.cases() if archive.study(study).patient == "p1"}
    assert own == set()
    with pytest.raises(UnknownStudyError):
        explainer.explain_study("nobody")


def test_an_empty_query_is_refused(explainer):
    with pytest.raises(QueryError, match="Give an image"):
        explainer.explain(Query())


def test_images_and_reports_are_asked_apart(explainer, retriever, bright):
    query = Query(image=bright, regions=(ZONE,))
    (place,) = explainer.explain(query, compare_sides=True).places
    from edge_retrieve.runtime.hits import Modality

    sides = [
        {hit.study for hit in retriever.query(replace(query, sides=(side,), k=5)).hits} for side in Modality
    ]
    assert place.sides.shared == len(sides[0] & sides[1])
    assert place.sides.compared == min(map(len, sides))


def test_a_rare_finding_is_shown_though_outvoted(toy, encoder, tmp_path):
    """Sixty cases, one of them with a mass, which nothing looks like."""
    for n in range(60):
        said = "Mass in the right upper lung zone." if n == 59 else "No mass."
        level = 0.9 if n == 59 else 0.2
        toy.save(tmp_path / "in" / f"c{n}.png", n, said, right_upper_lung_zone=level)
    query = toy.save(tmp_path / "q.png", 99, right_upper_lung_zone=0.2)
    with Store.open(tmp_path / "s", bundle=toy.bundle, create=True) as store:
        ingest(store, encoder, [tmp_path / "in"])
        assert store.count() == 60
        (mass,) = store.studies(search="mass in the right")
        explainer = Explainer(store, encoder, Retriever(store, encoder))
        (place,) = explainer.explain(Query(image=query, regions=(ZONE,)), rare=True).places
    assert place.vote(Finding.MASS) is None
    assert [(finding, case.study) for finding, case in place.rare] == [(Finding.MASS, mass.study)]


def test_a_blank_box_is_black_and_nothing_else_changes():
    pixels = np.random.default_rng(0).uniform(0.1, 1, (10, 20)).astype(np.float32)
    blank = altered(pixels, Box(6.5, 3, 12.2, 7), Alteration.BLANKED)
    assert not blank[3:7, 6:13].any()
    outside = np.ones_like(pixels, dtype=bool)
    outside[3:7, 6:13] = False
    assert (blank[outside] == pixels[outside]).all()
    for nowhere in (Box(0, 0, 0, 0), Box(30, 3, 40, 5), Box(4, 4, 4, 8)):
        assert (altered(pixels, nowhere, Alteration.BLANKED) == pixels).all()
    assert (altered(pixels, Box(0, 0, 1, 1), Alteration.MIRRORED) == pixels[:, ::-1]).all()


def test_a_counterfactual_says_which_cases_change(toy, archive, retriever, explainer, bright):
    query = Query(image=bright, regions=(ZONE,), k=10)
    with Encoder(toy.bundle, Backend.CPU, threads=1) as encoder:
        _, radiograph = retriever.encode_file(query)
        evidence = explainer.explain(query)
        changes = counterfactuals(explainer, encoder, query, radiograph, evidence)
        pixels = altered(radiograph.pixels, evidence.places[0].box, Alteration.BLANKED)
        again = retriever.query(query, encoding=encoder.encode_image(pixels), radiograph=radiograph)
    assert [change.kind for change in changes] == list(Alteration)
    before = {each.study for each in evidence.places[0].neighbours}
    assert set(changes[0].come) == {hit.study for hit in again.hits} - before
    with pytest.raises(QueryError, match="only an image"):
        counterfactuals(explainer, encoder, Query(text="nodule"), radiograph, evidence)


def test_a_stored_picture_is_altered_as_its_file_is(toy, archive, encoder, explainer):
    """Of the same pixels, asked by study and by file: the same cases."""
    study = "study-6"
    record = archive.study(study)
    pixels = read_preview(archive.preview(study))
    picture = StoredPicture(study, pixels, record.images[0].width, record.images[0].height)
    query = Query(regions=(ZONE,), k=10)
    before = control(explainer, encoder, query, picture)
    (blank,) = each_change(explainer, encoder, query, picture, before, (Alteration.BLANKED,))
    encoding = encoder.encode_image(altered(pixels, before.places[0].box, Alteration.BLANKED))
    expected = explainer.explain_study(study, query, encoding=encoding).places[0]
    assert blank.place == expected
    assert blank.place != before.places[0]
    assert study not in [each.study for each in blank.place.neighbours]
    twice = np.repeat(np.repeat(pixels, 2, 0), 2, 1)
    larger = StoredPicture(study, twice, picture.width, picture.height)
    (same,) = each_change(explainer, encoder, query, larger, before, (Alteration.BLANKED,))
    assert (same.lost, same.come) == (blank.lost, blank.come)


def test_a_drawn_box_is_altered_itself(toy, archive, encoder, explainer, retriever, bright):
    zone = toy.region_box(ZONE)
    drawn = Box(zone.x1 + 2, zone.y1 + 2, zone.x2 - 2, zone.y2 - 2)
    query = Query(image=bright, boxes=(drawn,), k=10)
    encoding, radiograph = retriever.encode_file(query)
    evidence = explainer.explain(query, encoding=encoding, radiograph=radiograph)
    assert evidence.places[0].drawn == drawn
    change = next(each_change(explainer, encoder, query, radiograph, evidence))
    pixels = altered(radiograph.pixels, drawn, Alteration.BLANKED)
    again = retriever.query(query, encoding=encoder.encode_image(pixels), radiograph=radiograph)
    assert [each.study for each in change.place.neighbours] == [hit.study for hit in again.hits][:10]


def test_only_the_regions_that_are_wanted_are_altered(encoder, explainer, retriever, bright):
    query = Query(image=bright)
    encoding, radiograph = retriever.encode_file(query)
    evidence = explainer.explain(query, encoding=encoding, radiograph=radiograph)
    kinds = (Alteration.BLANKED,)
    changes = each_change(explainer, encoder, query, radiograph, evidence, kinds, (LOWER,))
    assert [change.region for change in changes] == [LOWER]
