"""A draft leaves after a person accepted it, with the words that he accepted, and both are kept."""

import sqlite3
import time

import pytest

from edge_retrieve.edge_app.audit.verify import read_trail
from edge_retrieve.edge_app.feedback.database import FeedbackDatabase

ZONE = "right upper lung zone"
PERSON = {"name": "Reader^Rita", "organization": "General Hospital"}


@pytest.fixture
def query(own):
    study = own.get("/api/studies?order=stored").json()["studies"][0]["study"]
    return {"study": study, "regions": [ZONE]}


@pytest.fixture
def draft(own, query):
    return own.post("/api/explain", json=query).json()["draft"]


def accept(client, draft, **given):
    return client.post("/api/drafts/accept", json={"draft": draft, "report": "As seen.", **PERSON, **given})


def test_the_words_drafted_and_accepted_are_kept(own, draft, query):
    edited = draft["text"].strip() + "\n\nNo earlier image."
    answer = accept(own, draft["draft"], report=edited)
    assert answer.status_code == 201
    kept = answer.json()
    assert (kept["drafted"], kept["report"], kept["edited"]) == (draft["text"].strip(), edited, True)
    assert (kept["name"], kept["organization"], kept["login"]) == (*PERSON.values(), None)
    assert kept["writer"] == draft["writer"]
    assert kept["query"]["study"] == query["study"]
    assert kept["query_id"] == draft["query_id"] == own.post("/api/query", json=query).json()["query_id"]
    same = accept(own, draft["draft"], report=draft["text"].replace("\n", "\n ")).json()
    assert same["edited"] is False
    listed = own.get("/api/drafts/accepted").json()
    assert listed == {"total": 2, "accepted": [same, kept]}
    assert own.get("/api/drafts/accepted?limit=1&offset=1").json()["accepted"] == [kept]


def test_a_streamed_draft_is_accepted_too(own, query):
    text = own.post("/api/draft", json=query).text
    name = text.split('"draft": "', 1)[1].split('"', 1)[0]
    assert accept(own, name).status_code == 201


def test_nothing_was_accepted_before(own):
    assert own.get("/api/drafts/accepted").json() == {"total": 0, "accepted": []}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"draft": "none-such"}, 404),
        ({"report": " \n"}, 422),
        ({"report": ""}, 422),
        ({"report": "a\x00b"}, 422),
        ({"report": "x" * 20_001}, 422),
        ({"name": ""}, 422),
        ({"name": "   "}, 422),
        ({"organization": "a\\b"}, 422),
        ({"more": 1}, 422),
    ],
)
def test_what_nobody_can_answer_for_is_refused_and_not_kept(own, draft, given, status):
    answer = own.post(
        "/api/drafts/accept", json={"draft": draft["draft"], "report": "As seen.", **PERSON, **given}
    )
    assert answer.status_code == status
    assert answer.json()["what"]
    assert own.get("/api/drafts/accepted").json()["total"] == 0


def test_a_programs_token_accepts_nothing(own, draft):
    body = {"draft": draft["draft"], "report": "As seen.", **PERSON}
    answer = own.post("/api/drafts/accept", json=body, headers={"authorization": "Bearer x"})
    assert answer.status_code in (401, 403)
    assert own.get("/api/drafts/accepted").json()["total"] == 0


def test_an_acceptance_is_audited_with_what_it_cites(own, draft, query):
    accept(own, draft["draft"])
    found, end = [], time.monotonic() + 10
    while not found and time.monotonic() < end:  # events wait for each other for half a second
        time.sleep(0.05)
        events = [entry.event for entry in read_trail(own.workspace.site.audit)]
        found = [event for event in events if event.action.value == "accept draft"]
    assert [event.outcome.value for event in found] == ["done"]
    assert len(found[0].subjects) == len({query["study"], *draft["cases"]})


def test_feedback_of_an_earlier_version_is_kept_and_goes_on(own, draft, query):
    hit = own.post("/api/query", json=query).json()
    given = {"query_id": hit["query_id"], "study": hit["hits"][0]["study"], "verdict": "up"}
    assert own.post("/api/feedback", json=given).status_code == 200
    with sqlite3.connect(own.workspace.store.path / "feedback.sqlite") as raw:
        raw.execute("DROP TABLE acceptances")
        raw.execute("PRAGMA user_version = 1")
    raw.close()
    assert own.get("/api/feedback").json()["total"] == 1
    assert accept(own, draft["draft"]).status_code == 201
    assert own.get("/api/feedback").json()["total"] == 1
    with FeedbackDatabase(own.workspace.store.path).reading() as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
