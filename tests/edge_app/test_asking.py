import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_retrieve.edge_app.asking import read_question
from edge_retrieve.edge_app.forms import form_document
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.errors import QueryError
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
