import pytest

from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.filters import Filters, date_named, view_named
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.findings.names import finding_named
from edge_retrieve.runtime.preprocess.types import View


def test_what_people_type_is_understood():
    assert date_named("2024-01-31") == date_named(" 20240131 ") == "20240131"
    assert view_named("pa") is View.PA
    assert finding_named(" Pleural-EFFUSION") is Finding.PLEURAL_EFFUSION


@pytest.mark.parametrize("text", ["", "2024-02-30", "31.01.2024", "yesterday", "2024-1"])
def test_no_day_of_the_calendar_is_refused(text):
    with pytest.raises(QueryError, match=r"is no date.*2024-01-31"):
        date_named(text)


def test_names_that_do_not_exist_are_told_what_does():
    with pytest.raises(QueryError, match="Did you mean: pneumothorax"):
        finding_named("pneumothorx")
    with pytest.raises(QueryError, match="Did you mean: nodule, mass"):
        finding_named("qqqqq")
    with pytest.raises(QueryError, match="PA, AP, LATERAL"):
        view_named("oblique")


@pytest.mark.parametrize(
    ("wrong", "clue"),
    [
        ({"sexes": ("X",)}, "'X' is no sex"),
        ({"age_from": -1.0}, "no age in years"),
        ({"age_to": float("nan")}, "no age in years"),
        ({"age_from": 60.0, "age_to": 50.0}, "no age is from 60 to 50"),
        ({"date_from": "2024-01-31"}, "is no date"),
        ({"date_from": "20240131", "date_to": "20231231"}, "earlier date first"),
    ],
)
def test_what_no_study_can_meet_is_refused(wrong, clue):
    with pytest.raises(QueryError, match=clue):
        Filters(**wrong)


def test_filters_that_ask_for_nothing_are_false():
    assert not Filters()
    assert Filters(age_from=0.0)
    assert Filters(exclude_patients=("p",))
