"""Who is logged in accepts under that name, and what one has accepted is nobody else's."""

import pytest

QUERY = {"text": "nodule", "regions": ["right upper lung zone"]}
PERSON = {"name": "Reader^Rita", "organization": "General Hospital"}


@pytest.fixture
def drafted(as_user):
    client = as_user("rita")
    return client, client.post("/api/explain", json=QUERY).json()["draft"]["draft"]


def accept(client, draft):
    return client.post("/api/drafts/accept", json={"draft": draft, "report": "Clear.", **PERSON})


def test_a_draft_is_accepted_under_the_log_in(drafted):
    client, draft = drafted
    answer = accept(client, draft)
    assert answer.status_code == 201, answer.text
    assert answer.json()["login"] == "rita"
    assert answer.json() in client.get("/api/drafts/accepted").json()["accepted"]


def test_neither_a_draft_nor_an_acceptance_is_anybody_elses(drafted, as_user):
    client, draft = drafted
    acceptance = accept(client, draft).json()["acceptance"]
    other = as_user("otto")
    assert accept(other, draft).status_code == 404
    assert other.get("/api/drafts/accepted").json() == {"total": 0, "accepted": []}
    asked = {"query": QUERY, "acceptance": acceptance}
    assert other.post("/api/results/sr", json=asked).status_code == 404
