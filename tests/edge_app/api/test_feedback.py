"""Verdicts on hits, kept beside the store."""

import sqlite3

import pytest

ZONE = "right upper lung zone"
QUERY = {"text": "nodule", "regions": [ZONE], "k": 4}


@pytest.fixture
def asked(own):
    return own.post("/api/query", json=QUERY).json()


def give(client, asked, **given):
    body = {"query_id": asked["query_id"], "study": asked["hits"][0]["study"], "verdict": "up", **given}
    return client.post("/api/feedback", json=body)


def kept(client, **wanted):
    return client.get("/api/feedback", params=wanted).json()


def test_nothing_is_kept_before_the_first_verdict(own):
    assert kept(own) == {"total": 0, "feedback": []}
    assert not (own.workspace.store.path / "feedback.sqlite").exists()


def test_a_verdict_is_kept_with_what_was_asked(own, asked):
    given = give(own, asked, note="same pattern").json()
    (line,) = kept(own, query_id=asked["query_id"])["feedback"]
    assert line == given
    assert (line["verdict"], line["note"], line["study"]) == ("up", "same pattern", asked["hits"][0]["study"])
    assert (line["query"]["text"], line["query"]["regions"]) == ("nodule", [ZONE])


def test_the_last_verdict_counts_and_none_takes_it_back(own, asked):
    give(own, asked)
    give(own, asked, verdict="down")
    assert [line["verdict"] for line in kept(own)["feedback"]] == ["down"]
    assert give(own, asked, verdict="none").status_code == 200
    assert kept(own)["total"] == 0


def test_verdicts_outlive_the_server(make_own):
    first = make_own()
    asked = first.post("/api/query", json=QUERY).json()
    give(first, asked)
    second = make_own()
    again = second.post("/api/query", json={**QUERY, "k": 2, "offset": 1}).json()
    # The same question has the same name, whichever page of the answer is looked at.
    assert again["query_id"] == asked["query_id"]
    assert kept(second, query_id=again["query_id"])["total"] == 1
    third = make_own()
    assert give(third, asked, verdict="down").status_code == 200


def test_the_same_image_sent_twice_is_the_same_question(own, send, query_image):
    names = []
    for _ in range(2):
        upload = send(own, query_image.read_bytes(), "query.png")["upload"]
        names.append(own.post("/api/query", json={"upload": upload, "regions": [ZONE]}).json()["query_id"])
    assert names[0] == names[1]
    assert own.post("/api/query", json={"upload": upload}).json()["query_id"] != names[0]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"query_id": "0" * 24}, 404),
        ({"study": "nobody"}, 404),
        ({"verdict": "perhaps"}, 422),
        ({"verdict": None}, 422),
        ({"note": "x" * 2001}, 422),
        ({"note": 5}, 422),
        ({"who": "me"}, 422),
    ],
)
def test_what_is_no_verdict_is_refused(own, asked, given, status):
    assert give(own, asked, **given).status_code == status
    assert kept(own)["total"] == 0


def test_pages_come_newest_first(own, asked):
    for hit in asked["hits"][:3]:
        give(own, asked, study=hit["study"])
    wanted = [hit["study"] for hit in reversed(asked["hits"][:3])]
    assert [line["study"] for line in kept(own)["feedback"]] == wanted
    page = kept(own, limit=1, offset=1)
    assert (page["total"], page["feedback"][0]["study"]) == (3, wanted[1])
    assert kept(own, study=wanted[0])["total"] == 1


def test_a_damaged_file_is_named(own, asked):
    path = own.workspace.store.path / "feedback.sqlite"
    path.write_bytes(b"not a database" * 100)
    answer = own.get("/api/feedback")
    assert answer.status_code == 500
    assert "feedback.sqlite" in answer.json()["where"]


def test_a_newer_file_is_left_alone(own, asked):
    give(own, asked)
    with sqlite3.connect(own.workspace.store.path / "feedback.sqlite") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    assert "Use the newer edge-retrieve" in own.get("/api/feedback").json()["remedy"]


def test_the_file_is_its_owners(own, asked):
    give(own, asked)
    path = own.workspace.store.path / "feedback.sqlite"
    assert path.stat().st_mode & 0o077 == 0


def test_what_leaves_the_store_leaves_the_feedback(own, asked, studies, run):
    gone, stays = asked["hits"][0]["study"], asked["hits"][1]["study"]
    give(own, asked, note="of the deleted")
    give(own, asked, study=stays)
    with_it = own.post("/api/query", json={"study": gone, "k": 2}).json()
    give(own, with_it, study=stays, note="asked with the deleted")
    reads = [
        own.post("/api/reads", json={"query": query, "impression": words}).json()["read"]
        for query, words in (({"study": gone}, "of the deleted"), (QUERY, "of nobody"))
    ]
    for read in reads:
        own.post(f"/api/reads/{read}/reveal")
    done = run("store", "delete", gone, "--store", own.workspace.store.path, "--yes")
    assert done.exit_code == 0, done.output
    assert [line["study"] for line in kept(own)["feedback"]] == [stays]
    assert [own.get(f"/api/reads/{read}").status_code for read in reads] == [404, 200]
    assert gone not in own.get(f"/api/reads/{reads[1]}").json()["revealed"]["studies"]
    held = (own.workspace.store.path / "feedback.sqlite").read_bytes()
    assert gone.encode() not in held
    assert b"of the deleted" not in held
