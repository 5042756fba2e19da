"""What is said of an X-ray: which cases count, which places, who answers for it."""

from datetime import datetime

import pytest

from edge_retrieve.edge_app.outputs.content import acceptance_by, content_of
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Hit, RegionMatch, RetrievalResult

NOW = datetime(2026, 1, 2, 3, 4, 5)


def test_only_cases_that_are_similar_enough_are_evidence(content_with, box):
    content = content_with(box, level=0.7)
    assert [(case.rank, case.probability) for case in content.cases] == [(1, 0.81)]
    (place,) = content.places
    assert (place.finding, place.stating, place.cases) == (Finding.PLEURAL_EFFUSION, 1, 1)
    assert content.outcome == "1 similar case in the archive"


def test_scores_count_where_nothing_is_calibrated(content_with, box):
    content = content_with(box, level=0.85, calibrated=False)
    assert [case.score for case in content.cases] == [0.9]


def test_where_it_abstained_nothing_is_said_of_cases(content_with, box):
    content = content_with(box, abstained=True)
    assert content.cases == ()
    assert content.outcome == "No sufficiently similar case in the archive"
    (place,) = content.places
    assert (place.finding, place.cases, place.probability) == (None, 0, None)
    assert place.label == "right lower lung zone"


def test_a_persons_box_stands_for_the_region_it_falls_into(content_with, box):
    drawn = Box(1.0, 2.0, 30.0, 40.0)
    for abstained in (False, True):
        (place,) = content_with(box, drawn=drawn, abstained=abstained).places
        assert (place.box, place.drawn, place.regions) == (drawn, True, (Region.RIGHT_LOWER_LUNG_ZONE,))


def test_an_empty_archive_has_no_cases(known):
    content = content_of(RetrievalResult((), (), (), False), known.origin, names=known.names, made=NOW)
    assert content.outcome == "No case found in the archive"
    assert content.places == ()


def test_a_person_accepts_with_both_names():
    accepted = acceptance_by(" Doe^Jane ", "Test hospital", NOW)
    assert (accepted.observer, accepted.organization, accepted.at) == ("Doe^Jane", "Test hospital", NOW)
    assert acceptance_by(None, None, NOW) is None


@pytest.mark.parametrize(
    ("observer", "organization", "what"),
    [
        ("Doe^Jane", None, "organization is missing"),
        (None, "Test hospital", "name of who accepts the result is missing"),
        ("Doe^Jane", "  ", "organization is missing"),
        ("Doe\\Jane", "Test hospital", "backslash"),
        ("Doe^Jane", "T" * 65, "longer than 64"),
        ("Doe\nJane", "Test hospital", "line break"),
    ],
)
def test_a_name_that_cannot_stand_in_an_object_is_refused(observer, organization, what):
    with pytest.raises(QueryError, match=what):
        acceptance_by(observer, organization, NOW)


@pytest.mark.parametrize("report", ["x" * 20_001, "bell \x07", "page\x0cbreak"])
def test_a_report_that_cannot_stand_in_an_object_is_refused(report):
    with pytest.raises(QueryError, match="report is longer"):
        acceptance_by("Doe^Jane", "Test hospital", NOW, report)


def test_a_report_leaves_only_with_the_name_of_who_accepts_it():
    with pytest.raises(QueryError, match="name of who accepts the result is missing"):
        acceptance_by(None, None, NOW, "No acute finding.")
    accepted = acceptance_by("Doe^Jane", "Test hospital", NOW, "FINDINGS: clear.\nIMPRESSION: normal.\n")
    assert accepted.report == "FINDINGS: clear.\nIMPRESSION: normal."


def test_a_box_that_falls_into_two_regions_is_one_place(known):
    box, other = Box(0.0, 0.0, 9.0, 9.0), Region.RIGHT_LUNG
    matches = tuple(
        RegionMatch(region, 0.9, None, Finding.OPACITY, None, drawn=box, probability=sure)
        for region, sure in ((known.zone, 0.6), (other, 0.7))
    )
    hits = (Hit("a", "p", 0.9, matches, (), 0.65), Hit("b", "q", 0.8, matches[:1], (), 0.6))
    seen = ((other, Box(0.0, 0.0, 50.0, 50.0)), (known.zone, Box(1.0, 1.0, 20.0, 20.0)))
    result = RetrievalResult(hits, (other, known.zone), seen, False, calibrated=True)
    (place,) = content_of(result, known.origin, names=known.names, drawn=[box], made=NOW).places
    assert place.regions == (other, known.zone)
    assert (place.finding, place.stating, place.cases, place.probability) == (Finding.OPACITY, 2, 2, 0.7)
    assert place.name == "right lung, right lower lung zone"
