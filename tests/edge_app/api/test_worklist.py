"""The worklist over HTTP."""

import pytest


def names(client, **asked):
    answer = client.get("/api/studies", params=asked)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return [line["study"] for line in found["studies"]], found["total"]


def test_the_newest_come_first_and_the_undated_by_arrival(client, studies):
    assert names(client) == (list(reversed(studies)), 6)


def test_pages_fit_together(client, studies):
    pages = [names(client, limit=2, offset=start)[0] for start in (0, 2, 4)]
    assert [name for page in pages for name in page] == list(reversed(studies))


def test_words_of_the_report_narrow(client):
    assert names(client, search="nod upper")[1] == 4
    assert names(client, search="nod upper clear")[1] == 0


def test_a_patient_is_found_by_a_part_of_the_name(client):
    patient = client.get("/api/studies").json()["studies"][2]["patient"]
    assert names(client, patient=patient[3:12])[1] == 1
    assert names(client, patient="%")[1] == 0


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"date_from": "31.1.2024"}, "date_from"),
        ({"date_from": "2024-02-30"}, "date"),
        ({"date_to": "20240131"}, "date_to"),
        ({"order": "random"}, "order"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"offset": -1}, "offset"),
        ({"search": "x" * 201}, "search"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(client, asked, where):
    answer = client.get("/api/studies", params=asked)
    assert answer.status_code == 422
    assert (answer.json()["where"], bool(answer.json()["remedy"])) == (where, True)


@pytest.mark.parametrize(
    "search", ['"', "AND", "NEAR(", "*", "a:b", "\x00", "'; DROP TABLE studies; --", "%_"]
)
def test_no_word_is_an_operator(client, search):
    assert names(client, search=search)[1] == 0
