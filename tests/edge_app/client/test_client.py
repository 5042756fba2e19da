"""The typed client against a real server, and against peers that are none."""

import io
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.edge_app.client import Client, RefusedError, UnreachableError
from edge_retrieve.edge_app.client.shaping import ShapeError, shaped
from edge_retrieve.edge_app.shapes import Answer, Match, StudyPage
from edge_retrieve.runtime.errors import ConfigError, UnreadableFileError

ZONE = "right upper lung zone"


@pytest.fixture
def asking(served):
    with Client(served.address) as client:
        client.wait_until_ready()
        yield client


@pytest.fixture
def names(asking):
    return [line.study for line in asking.studies(order="stored").studies]


def test_the_archive_and_its_worklist(asking):
    assert (asking.archive().studies, len(asking.regions().regions)) == (6, 29)
    page = asking.studies(search="nodule", limit=3)
    assert (page.total, len(page.studies)) == (4, 3)
    assert asking.study(page.studies[0].study).findings == ["nodule"]


def test_pictures_come_as_arrays_and_as_png(asking, names, toy):
    values = asking.pixels(names[0])
    assert np.array_equal(values, toy.picture(0, right_upper_lung_zone=0.95))
    assert asking.pixel_facts(names[0]).maximum == values.max()
    picture = Image.open(io.BytesIO(asking.image(names[0], level=100, window=50, invert=True, side=32)))
    assert picture.size == (32, 32)


def test_an_image_is_sent_and_asked_about(asking, query_image):
    upload = asking.encode(query_image)
    assert (upload.file_name, upload.width, len(upload.boxes)) == ("query.png", 64, 29)
    assert asking.upload(upload.upload) == upload
    assert asking.pixels(upload).shape == (64, 64)
    answer = asking.query({"upload": upload.upload, "regions": [ZONE], "k": 3})
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]
    assert answer.hits[0].regions[0].region == ZONE
    assert len(asking.ground(upload, "small nodule").values) == 24


def test_feedback_and_reads(asking):
    query = {"text": "nodule", "k": 2}
    read = asking.begin_read(query, "a nodule", findings=["nodule"], sure=0.5)
    answer = asking.reveal(read.read)
    given = asking.give_feedback(answer.query_id, answer.hits[0].study, "up", "good")
    assert asking.feedback(query_id=answer.query_id).feedback == [given]
    ended = asking.end_read(read.read, "still a nodule")
    assert (ended.final.impression, ended.revealed.studies) == (
        "still a nodule",
        [h.study for h in answer.hits],
    )
    assert asking.reads().reads[0] == ended


def test_evidence_and_drafts_come_as_shapes(asking, query_image):
    query = {"upload": asking.encode(query_image).upload, "regions": [ZONE]}
    told = asking.explain(query)
    (place,) = told.evidence.places
    assert (place.region, place.votes[0].finding) == (ZONE, "nodule")
    assert set(place.votes[0].for_) <= {each.study for each in place.neighbours}
    assert [hit.study for hit in told.evidence.result.hits] == [each.study for each in place.neighbours]
    heard = []
    drafted = asking.draft(query, on_text=heard.append)
    assert (drafted.text, heard) == (told.draft.text, [])  # no language model: the template's, at once
    assert drafted.query_id == told.draft.query_id != drafted.draft
    asked = {"name": "Reader^Rita", "organization": "General Hospital"}
    kept = asking.accept(drafted.draft, "Nothing seen.", **asked)
    assert (kept.report, kept.drafted, kept.edited) == ("Nothing seen.", drafted.text.strip(), True)
    assert asking.accepted().accepted == [kept]
    with pytest.raises(RefusedError, match="the draft is no longer kept"):
        asking.accept("made up", "Nothing seen.", **asked)


def test_altered_images_are_asked_about(asking, names):
    query = {"study": names[0], "regions": [ZONE]}
    both = asking.alterations(query).changes
    assert [change.alteration for change in both] == ["blanked", "mirrored"]
    assert asking.alterations(query, regions=[ZONE], alterations=["mirrored"]).changes == [both[1]]
    assert {each.study for each in both[0].place.neighbours} >= set(both[0].come)


class Streaming(BaseHTTPRequestHandler):
    """A server whose language model writes in pieces; what it says last is as the address asks for."""

    last = b""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for piece in (
            b'event: text\ndata: {"text": "A "}\n\n',
            b": waiting\n\n",
            b'event: text\r\ndata:{"text": "b"}\r\n\r\n',
        ):
            self.wfile.write(piece)
        self.wfile.write(self.last)

    def log_message(self, *_):
        pass


@pytest.fixture
def streaming():
    """Return a function that starts such a server and gives its address."""
    running = []

    def start(last):
        server = HTTPServer(("127.0.0.1", 0), type("Told", (Streaming,), {"last": last}))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_a_model_writes_is_heard_as_it_comes(streaming):
    lists = {"sentences": [], "cases": [], "dropped": [], "notes": []}
    names = {"status": "PRELIMINARY", "writer": "m", "prompt": None, "draft": "d1", "query_id": "q1"}
    draft = {**lists, **names, "text": "FINDINGS: A b."}
    heard = []
    with Client(streaming(f"event: draft\ndata: {json.dumps(draft)}\n\n".encode())) as client:
        assert client.draft({"text": "a"}, on_text=heard.append).text == "FINDINGS: A b."
    assert heard == ["A ", "b"]


@pytest.mark.parametrize(
    ("last", "error", "says"),
    [
        (b'event: error\ndata: {"detail": "the model is not at home"}\n\n', RefusedError, "not at home"),
        (b"", ShapeError, "draft"),
        (b"event: draft\ndata: {}\n\n", ShapeError, "KeptDraft"),
        (b"event: draft\ndata: nonsense\n\n", ShapeError, "answer"),
    ],
)
def test_a_stream_without_a_draft_is_told(streaming, last, error, says):
    with Client(streaming(last)) as client, pytest.raises(error, match=says):
        client.draft({"text": "a"})


def test_a_server_of_an_earlier_version_is_named(asking, monkeypatch):
    monkeypatch.setattr("edge_retrieve.edge_app.client.explaining._ALTERATIONS", "/api/of-the-future")
    with pytest.raises(RefusedError, match="of an earlier version") as caught:
        asking.alterations({"text": "nodule"})
    assert caught.value.status == 404


def test_jobs_are_begun_and_waited_for(asking):
    job = asking.begin_job("rebuild")
    assert asking.wait_for(job.job).state == "done"
    assert asking.jobs().jobs[0].job == job.job
    assert asking.cancel_job(job.job).state == "done"


def test_a_refusal_says_what_the_server_says(asking, tmp_path):
    with pytest.raises(RefusedError, match="there is no region 'left elbow'") as caught:
        asking.query({"text": "nodule", "regions": ["left elbow"]})
    assert caught.value.status == 422
    with pytest.raises(RefusedError) as caught:
        asking.study("a study/with spaces?and#more")
    assert (caught.value.status, "a study/with spaces?and#more" in str(caught.value)) == (404, True)
    with pytest.raises(UnreadableFileError, match=r"nothing\.dcm"):
        asking.encode(tmp_path / "nothing.dcm")
    (tmp_path / 'o"d\r\nd.txt').write_bytes(b"no image")
    with pytest.raises(RefusedError, match="neither DICOM, PNG nor JPEG"):
        asking.encode(tmp_path / 'o"d\r\nd.txt')


def test_a_connection_that_was_closed_is_opened_again(asking):
    asking.archive()
    asking._connection._open.sock.shutdown(socket.SHUT_RDWR)
    assert asking.archive().studies == 6


def test_no_proxy_of_the_environment_is_used(served, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Client(served.address) as client:
        assert client.archive().studies == 6


def test_nobody_there_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with (
            pytest.raises(UnreachableError, match="edge-retrieve serve"),
            Client(f"http://127.0.0.1:{port}") as client,
        ):
            client.archive()


@pytest.mark.parametrize(
    "address",
    ["", "localhost:8080", "ftp://a", "http://", "http://a:0", "http://a:x", "http://a/?b=1", "http://u:p@a"],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigError, match="--server"):
        Client(address)


def test_a_token_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="token"):
        Client("http://127.0.0.1", token="a\r\nx: y")


@pytest.fixture
def other_server():
    """A server that is not ours: it answers everything with a page, and notes what it was sent."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("authorization")))
            body = b"<html>not here</html>"
            self.send_response(404 if "gone" in self.path else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_program_at_the_address_is_named(other_server):
    address, seen = other_server
    with Client(f"{address}/xray/", token="T0ken") as client:
        with pytest.raises(RefusedError, match="answered 404"):
            client.study("gone")
        with pytest.raises(ShapeError, match="not of the form"):
            client.archive()
    assert seen[0] == ("/xray/api/studies/gone", "Bearer T0ken")


def test_an_answer_of_another_version_is_named_or_read():
    line = {"study": "a", "patient": "b", "accession": "", "date": "", "sex": "F", "age": 61, "view": "PA",
            "flags": [], "findings": [], "has_report": True}  # fmt: skip
    page = {"total": 1, "offset": 0, "studies": [{**line, "new entry": 5}], "more": {}}
    found = shaped(StudyPage, page)
    assert (found.studies[0].age, type(found.studies[0].age)) == (61.0, float)
    for broken in ({**line, "age": "old"}, {k: v for k, v in line.items() if k != "sex"}, "a", None):
        with pytest.raises(ShapeError):
            shaped(StudyPage, {**page, "studies": [broken]})


def test_every_kind_of_entry_is_read_back(served):
    """What the server sends and the client reads is the same, entry by entry."""
    with Client(served.address) as client:
        answer = client.query({"text": "nodule", "regions": [ZONE], "k": 2})
        raw = client._connection.ask("GET", "/api/studies", {"limit": 2}).body
        assert isinstance(answer, Answer)
        assert isinstance(answer.hits[0].regions[0], Match)
        assert isinstance(answer.hits[0].regions[0].box, tuple)
        assert json.loads(raw)["studies"][0]["study"] == client.studies(limit=2).studies[0].study
