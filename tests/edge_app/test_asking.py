import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_retrieve.edge_app.asking import read_question
from edge_retrieve.edge_app.forms import form_document
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.bundle import FusionWeights
from edge_retrieve.runtime.errors import QueryError
from edge_retrieve.runtime.filters import Filters
from edge_retrieve.runtime.findings import Finding
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.preprocess.types import View
from edge_retrieve.runtime.query import Query


def test_a_full_request_is_read():
    question = read_question(
        {
            "study": "s1",
            "text": "nodule",
            "regions": ["Right Lung", "svc"],
            "boxes": [[1, 2, 3.5, 4]],
            "k": 3,
        },
        10,
    )
    assert question.study == "s1"
    assert question.query == Query(
        text="nodule", regions=(Region.RIGHT_LUNG, Region.SVC), boxes=(Box(1, 2, 3.5, 4),), k=3
    )


@pytest.mark.parametrize(
    ("document", "clue"),
    [
        ([], "JSON object"),
        ({"regoins": []}, "regoins"),
        ({"regions": "right lung"}, "no list"),
        ({"regions": ["rihgt lung"]}, "right lung"),
        ({"boxes": [[1, 2, 3]]}, "x1, y1, x2, y2"),
        ({"boxes": [[1, 2, 3, math.nan]]}, "no box"),
        ({"boxes": [[1, 2, 3, True]]}, "no box"),
        ({"boxes": ["1,2,3,4"]}, "no box"),
        ({"boxes": [[1, 2, 10**400, 4]]}, "no box"),
        ({"text": "half \ud800 a letter"}, "not valid Unicode"),
        ({"regions": ["\udfff"]}, "not valid Unicode"),
        ({"\ud800": 1}, "not valid Unicode"),
        ({"text": "a", "filters": {"exclude_patients": ["\udc80"]}}, "not valid Unicode"),
        ({"k": 0}, "1 to 10"),
        ({"k": 11}, "1 to 10"),
        ({"k": 2.5}, "1 to 10"),
        ({"k": True}, "1 to 10"),
        ({"text": 7}, "no text"),
        ({"text": "x" * 20_001}, "longer"),
        ({"study": "a", "upload": "b"}, "one image"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(document, clue):
    with pytest.raises(QueryError, match=clue):
        read_question(document, 10)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["study", "upload", "text", "regions", "boxes", "k", "x"]), inner, max_size=4
            )
        ),
    )
)
def test_no_request_makes_it_fail_otherwise(document):
    try:
        question = read_question(document, 10)
    except QueryError:
        return
    assert 1 <= question.query.k <= 10


def test_a_form_repeats_fields_or_holds_json_lists():
    expected = {"regions": ["right lung", "svc"], "boxes": [[1.0, 2.0, 3.0, 4.0]], "k": 4, "text": "nodule"}
    repeated = [
        ("regions[]", "right lung"),
        ("region", "svc"),
        ("box", "1,2,3,4"),
        ("k", "4"),
        ("text", "nodule"),
    ]
    listed = [
        ("regions", '["right lung", "svc"]'),
        ("boxes", "[[1, 2, 3, 4]]"),
        ("k", "4"),
        ("text", "nodule"),
    ]
    assert form_document(repeated) == expected
    assert form_document(listed) == expected


@pytest.mark.parametrize("field", [("boxes", "[1, 2"), ("boxes", "a,b,c,d"), ("k", "many"), ("k", "²")])
def test_a_wrong_form_field_is_a_query_error(field):
    with pytest.raises(QueryError):
        read_question(form_document([field]), 10)


EVERYTHING = {
    "text": "nodule",
    "regions": [{"region": "Right Lung", "weight": 2}, "svc"],
    "boxes": [{"box": [1, 2, 3, 4], "weight": 0.5}],
    "combine": "weighted",
    "sides": ["text"],
    "fusion": {"image_to_text": 1, "text_to_text": 3},
    "filters": {
        "findings": ["Pleural effusion"],
        "sexes": ["f"],
        "age_from": 40,
        "age_to": 60.5,
        "date_from": "2024-01-31",
        "date_to": "20241231",
        "views": ["pa"],
        "exclude_patients": ["p1"],
    },
    "same_patient": True,
    "one_per_patient": True,
    "k": 3,
    "offset": 6,
    "min_score": 0.25,
}
FILTERED = Query(
    text="nodule",
    regions=(Region.RIGHT_LUNG, Region.SVC),
    boxes=(Box(1, 2, 3, 4),),
    weights=(2.0, 1.0, 0.5),
    sides=(Modality.TEXT,),
    fusion=FusionWeights(0, 1, 0, 3),
    filters=Filters(
        findings=(Finding.PLEURAL_EFFUSION,),
        sexes=("F",),
        age_from=40,
        age_to=60.5,
        date_from="20240131",
        date_to="20241231",
        views=(View.PA,),
        exclude_patients=("p1",),
    ),
    same_patient=True,
    one_per_patient=True,
    k=3,
    offset=6,
    min_score=0.25,
)


def test_everything_that_can_be_asked_is_read():
    assert read_question(EVERYTHING, 10).query == FILTERED


def test_a_form_asks_the_same():
    fields = [
        ("text", "nodule"),
        ("regions", '[{"region": "right lung", "weight": 2}, "svc"]'),
        ("boxes", '{"box": [1, 2, 3, 4], "weight": 0.5}'),
        ("side", "text"),
        ("fusion", '{"image_to_text": 1, "text_to_text": 3}'),
        ("finding", "pleural effusion"),
        ("sexes[]", "F"),
        ("age_from", "40"),
        ("age_to", "60.5"),
        ("date_from", "2024-01-31"),
        ("date_to", "2024-12-31"),
        ("view", "PA"),
        ("exclude_patient", "p1"),
        ("same_patient", "true"),
        ("one_per_patient", "True"),
        ("k", "3"),
        ("offset", "6"),
        ("min_score", "0.25"),
    ]
    assert read_question(form_document(fields), 10).query == FILTERED


@pytest.mark.parametrize(
    ("document", "clue"),
    [
        ({"combine": "most"}, "weighted, any, all"),
        ({"sides": ["sound"]}, "image, text"),
        ({"sides": "text"}, "no list"),
        ({"fusion": {"image_to_image": -1}}, "make no mean"),
        ({"fusion": {"image": 1}}, "unknown entries image"),
        ({"fusion": [1, 1, 1, 1]}, "JSON object"),
        ({"filters": {"age": 4}}, "unknown entries age"),
        ({"filters": {"findings": ["nodul"]}}, "Did you mean: nodule"),
        ({"filters": {"findings": [7]}}, "no text"),
        ({"filters": {"date_from": "soon"}}, "no date"),
        ({"filters": {"date_from": 20240131}}, "no text"),
        ({"filters": {"age_from": "old"}}, "no number"),
        ({"filters": {"age_from": 10**400}}, "no number"),
        ({"filters": {"sexes": ["x"]}}, "is no sex"),
        ({"filters": {"views": ["side"]}}, "PA, AP"),
        ({"offset": -1}, "0 to 10000"),
        ({"min_score": math.nan}, "finite"),
        ({"same_patient": 1}, "neither true nor false"),
        ({"regions": [{"region": "svc", "wait": 1}]}, "unknown entries wait"),
        ({"regions": [{"region": "svc", "weight": 0}]}, "not above zero"),
        ({"regions": [{"region": "svc", "weight": 2}], "combine": "any"}, "weights mean nothing"),
    ],
)
def test_a_wrong_wish_says_what_is_wrong(document, clue):
    with pytest.raises(QueryError, match=clue):
        read_question(document, 10)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from([*EVERYTHING, *EVERYTHING["filters"], "side", "box[]"]), st.text()))
)
def test_no_form_makes_it_fail_otherwise(fields):
    try:
        read_question(form_document(fields), 10)
    except QueryError:
        return


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(EVERYTHING)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["region", "weight", "box", "findings", "age_from", "views"]), inner),
))  # fmt: skip
def test_no_value_makes_it_fail_otherwise(name, value):
    try:
        read_question({**EVERYTHING, name: value}, 10)
    except QueryError:
        return
