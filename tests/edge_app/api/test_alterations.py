"""What changes when a region is blanked or mirrored, over HTTP: on demand, and out of the way of queries."""

import threading
import time

import anyio
import pytest

from edge_retrieve.edge_app.turns import Turns
from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.explain.counterfactual import counterfactuals
from edge_retrieve.runtime.query import Query

ZONE, OTHER = "right upper lung zone", "left lower lung zone"


@pytest.fixture
def upload(client, send, query_image):
    return send(client, query_image.read_bytes(), "query.png")["upload"]


def asked(client, query, **more):
    answer = client.post("/api/alterations", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["changes"]


def test_an_uploads_changes_are_those_of_its_file(client, workspace, upload, query_image):
    changes = asked(client, {"upload": upload, "regions": [ZONE]})
    query = Query(image=query_image, regions=(Region(ZONE),))
    encoding, radiograph = workspace.retriever.encode_file(query)
    evidence = workspace.explainer.explain(query, encoding=encoding, radiograph=radiograph)
    expected = counterfactuals(workspace.explainer, workspace.encoder, query, radiograph, evidence)
    assert [change["alteration"] for change in changes] == ["blanked", "mirrored"]
    for change, same in zip(changes, expected, strict=True):
        assert (change["lost"], change["come"]) == (list(same.lost), list(same.come))
        assert [vote["for"] for vote in change["place"]["votes"]] == [
            [each.study for each in vote.supporters] for vote in same.place.votes
        ]


def test_a_studys_evidence_turns_with_its_region(client, studies):
    """A bright zone, in which nodules are reported: black, it is nearest to the dark ones."""
    (blank,) = asked(client, {"study": studies[0], "regions": [ZONE], "k": 1}, alterations=["blanked"])
    assert (blank["region"], blank["finding"]) == (ZONE, "nodule")
    nearest = blank["place"]["neighbours"][0]["study"]
    assert nearest in studies[4:]  # of the dark ones
    assert studies[0] not in [each["study"] for each in blank["place"]["neighbours"]]


def test_one_region_of_several_is_altered(client, studies):
    query = {"study": studies[0], "regions": [ZONE, OTHER]}
    assert {change["region"] for change in asked(client, query)} == {ZONE, OTHER}
    assert [change["region"] for change in asked(client, query, regions=[OTHER])] == [OTHER] * 2
    surveyed = asked(client, {"study": studies[0]}, regions=[OTHER], alterations=["mirrored"])
    assert [change["region"] for change in surveyed] == [OTHER]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"query": {"text": "nodule"}}, 422, "only an image can be altered"),
        ({"query": {"study": "nobody"}}, 404, "nobody"),
        ({"query": {"upload": "gone"}}, 404, "no longer kept"),
        ({"query": {"study": "x"}, "alterations": ["painted"]}, 422, "painted"),
        ({"query": {"study": "x"}, "regions": ["nose"]}, 422, "nose"),
        ({"query": {"study": "x"}, "more": 1}, 422, "more"),
        ({}, 422, "query"),
        ([], 422, "request body"),
    ],
)
def test_what_cannot_be_altered_is_told(client, body, status, says):
    answer = client.post("/api/alterations", json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]


def test_work_that_gives_way_waits_for_others_and_is_done_in_the_end(monkeypatch):
    order = []

    async def both():
        turns = Turns(1)
        going_on = threading.Event()

        def long():
            going_on.set()
            time.sleep(0.2)
            order.append("query")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turns.run, long)
            while not going_on.is_set():
                await anyio.sleep(0.01)
            tasks.start_soon(turns.give_way, lambda: order.append("alteration"))
        # What gives way holds no turn: a query that comes meanwhile begins at once.
        begun = threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turns.give_way, lambda: begun.wait(5) and order.append("ended"))
            await anyio.sleep(0.05)
            await turns.run(begun.set)
        assert not turns.busy

    anyio.run(both)
    assert order == ["query", "alteration", "ended"]


def test_work_that_gives_way_takes_a_turn_after_a_while(monkeypatch):
    monkeypatch.setattr("edge_retrieve.edge_app.turns._PATIENCE_SECONDS", 0.05)

    async def busy():
        turns, done = Turns(2), threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turns.run, lambda: done.wait(5))
            await anyio.sleep(0.02)
            await turns.give_way(done.set)

    start = time.monotonic()
    anyio.run(busy)
    assert time.monotonic() - start < 4


def test_whoever_goes_away_ends_it(client, studies, monkeypatch):
    """No further region is encoded once nobody waits for the answer."""
    from starlette.requests import Request

    encoded = []
    real = client.app.state.services.workspace.encoder.encode_image
    monkeypatch.setattr(
        client.app.state.services.workspace.encoder,
        "encode_image",
        lambda pixels: encoded.append(1) or real(pixels),
    )

    async def gone(_):
        return len(encoded) >= 2  # the picture as it is, and one alteration

    monkeypatch.setattr(Request, "is_disconnected", gone)
    client.app.state.services.encodings._latest._items.clear()
    changes = asked(client, {"study": studies[1], "regions": [ZONE, OTHER]})
    assert (len(encoded), len(changes)) == (2, 1)
