"""Commit before reveal: the impression is on disk before the hits are shown."""

import json
import sqlite3

import pytest

QUERY = {"text": "nodule", "regions": ["right upper lung zone"], "k": 3}


def begin(client, **given):
    body = {"query": QUERY, "impression": "a nodule, right upper zone", **given}
    return client.post("/api/reads", json=body)


@pytest.fixture
def read(own):
    return begin(own, findings=["Nodule"], sure=0.8).json()


def test_the_impression_is_on_disk_before_any_hit_is_shown(own, read):
    assert "hits" not in read
    assert (read["revealed"], read["final"], read["asked_before"]) == (None, None, False)
    with sqlite3.connect(own.workspace.store.path / "feedback.sqlite") as raw:
        ((held,),) = raw.execute("SELECT impression FROM reads").fetchall()
    raw.close()
    assert json.loads(held) == {"impression": read["impression"], "findings": ["nodule"], "sure": 0.8}


def test_the_reveal_is_the_answer_and_is_kept(own, read):
    shown = own.post(f"/api/reads/{read['read']}/reveal").json()
    plain = own.post("/api/query", json=QUERY).json()
    assert [hit["study"] for hit in shown["hits"]] == [hit["study"] for hit in plain["hits"]]
    assert shown["query_id"] == plain["query_id"] == read["query_id"]
    revealed = own.get(f"/api/reads/{read['read']}").json()["revealed"]
    assert revealed["studies"] == [hit["study"] for hit in shown["hits"]]
    assert revealed["abstained"] is shown["abstained"]


def test_only_the_first_reveal_is_kept(own, read):
    address = f"/api/reads/{read['read']}"
    own.post(f"{address}/reveal")
    first = own.get(address).json()["revealed"]
    own.workspace.store.delete([first["studies"][0]])
    assert own.post(f"{address}/reveal").json()["hits"][0]["study"] != first["studies"][0]
    assert own.get(address).json()["revealed"] == first


def test_the_impression_after_comes_after_and_once(own, read):
    address = f"/api/reads/{read['read']}"
    after = {"impression": "sure of it", "findings": ["nodule"], "sure": 1}
    early = own.post(f"{address}/final", json=after)
    assert (early.status_code, early.json()["remedy"]) == (409, "Reveal them first")
    own.post(f"{address}/reveal")
    ended = own.post(f"{address}/final", json=after)
    assert ended.status_code == 201
    assert {name: ended.json()["final"][name] for name in after} == after
    assert own.post(f"{address}/final", json={"impression": "no"}).status_code == 409
    assert own.get(address).json()["final"]["impression"] == "sure of it"
    assert own.get(address).json()["impression"] == read["impression"]


def test_hits_that_had_been_seen_before_are_told(own):
    own.post("/api/query", json=QUERY)
    assert begin(own).json()["asked_before"] is True


def test_reads_are_listed_newest_first_and_outlive_the_server(make_own):
    names = [begin(make_own()).json()["read"] for _ in range(2)]
    listed = make_own().get("/api/reads").json()
    assert (listed["total"], [each["read"] for each in listed["reads"]]) == (2, names[::-1])


def test_a_read_of_an_upload_that_is_gone_says_so(make_own, send, query_image):
    first = make_own()
    upload = send(first, query_image.read_bytes(), "query.png")["upload"]
    read = begin(first, query={"upload": upload}).json()["read"]
    answer = make_own().post(f"/api/reads/{read}/reveal")
    assert (answer.status_code, answer.json()["remedy"]) == (404, "Open the file again")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"impression": ""}, 422),
        ({"impression": None}, 422),
        ({"findings": ["a broken heart"]}, 422),
        ({"sure": 1.5}, 422),
        ({"sure": "high"}, 422),
        ({"query": {"k": 0}}, 422),
        ({"query": {"upload": "nothing"}}, 404),
        ({"query": "nodule"}, 422),
        ({"more": 1}, 422),
    ],
)
def test_what_is_no_impression_is_refused(own, given, status):
    assert begin(own, **given).status_code == status
    assert own.get("/api/reads").json()["total"] == 0


@pytest.mark.parametrize("address", ["", "/reveal", "/final"])
def test_an_unknown_read_is_not_found(own, address):
    body = {"json": {"impression": "x"}} if address == "/final" else {}
    answer = own.request("POST" if address else "GET", f"/api/reads/nothing{address}", **body)
    assert answer.status_code == 404
