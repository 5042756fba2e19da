"""Evidence and drafts over HTTP, the language model's words as they come."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest

from edge_retrieve.edge_app.api.explain import _events, gathered
from edge_retrieve.edge_app.api.query import make_ready
from edge_retrieve.runtime.explain.draft import PRELIMINARY

ZONE = "right upper lung zone"
ANSWER = json.dumps(
    {
        "sentences": [
            {
                "section": section,
                "text": "A nodule is seen in the right upper lung zone.",
                "cases": [1],
                "boxes": [],
            }
            for section in ("findings", "impression")
        ]
    }
)


@pytest.fixture
def upload(client, send, query_image):
    return send(client, query_image.read_bytes(), "query.png")["upload"]


@pytest.fixture
def model():
    """A language model that says ANSWER in two pieces, and waits between them where told to."""

    class Model(ThreadingHTTPServer):
        daemon_threads = True
        go_on = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for piece in (ANSWER[:40], ANSWER[40:]):
                    event = {"choices": [{"delta": {"content": piece}}]}
                    self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                    self.wfile.flush()
                    self.server.go_on.wait(10)
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                pass  # whoever asked has gone

        def log_message(self, *_):
            pass

    server = Model(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield server
    server.go_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


def events(text):
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_evidence_is_that_of_the_explainer(client, workspace, upload, query_image):
    answer = client.post("/api/explain", json={"upload": upload, "regions": [ZONE]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    (place,) = told["evidence"]["places"]
    assert place["region"] == ZONE
    assert [vote["finding"] for vote in place["votes"]] == ["nodule"]
    asked = client.post("/api/query", json={"upload": upload, "regions": [ZONE]}).json()
    assert [each["study"] for each in place["neighbours"]] == [hit["study"] for hit in asked["hits"]]
    assert told["draft"]["status"] == PRELIMINARY
    assert told["draft"]["writer"] == "template"


def test_a_study_and_a_text_can_be_explained(client, workspace):
    study = workspace.store.studies(limit=1)[0].study
    surveyed = client.post("/api/explain", json={"study": study}).json()["evidence"]
    assert surveyed["study"] == study
    assert len(surveyed["places"]) == 29
    said = client.post("/api/explain", json={"text": "Nodule in the right upper lung zone."}).json()
    assert [place["region"] for place in said["evidence"]["places"]] == [ZONE]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"study": "nobody"}, 404),
        ({"upload": "gone"}, 404),
        ({"regions": ["nose"], "text": "a"}, 422),
    ],
)
@pytest.mark.parametrize("address", ["/api/explain", "/api/draft"])
def test_what_cannot_be_explained_is_told(client, address, body, status):
    answer = client.post(address, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_without_a_language_model_the_templates_draft_comes_at_once(client, upload):
    answer = client.post("/api/draft", json={"upload": upload, "regions": [ZONE]})
    ((name, draft),) = events(answer.text)
    assert name == "draft"
    assert draft["writer"] == "template"
    assert draft["status"] == PRELIMINARY


def test_a_language_models_words_come_before_its_checked_draft(
    make_client, send, query_image, model, certain
):
    client = make_client(llm=model.url, llm_model="made up")
    model.go_on.set()
    upload = send(client, query_image.read_bytes(), "query.png")["upload"]
    answer = client.post("/api/draft", json={"upload": upload, "regions": [ZONE]})
    told = events(answer.text)
    assert [name for name, _ in told] == ["text", "text", "draft"]
    assert "".join(part["text"] for name, part in told if name == "text") == ANSWER
    draft = told[-1][1]
    assert draft["writer"] == "made up"
    assert draft["sentences"][0]["text"] == "A nodule is seen in the right upper lung zone."
    assert draft["dropped"] == []


@pytest.fixture
def certain(monkeypatch):
    """Let what four of six cases state count as present: the toy's votes have no probability."""
    from edge_retrieve.runtime.explain import checks, evidence

    for module in (evidence, checks):
        monkeypatch.setattr(module, "STATED_FROM", 0.0)
        monkeypatch.setattr(module, "POSSIBLE_FROM", 0.0)


def test_whoever_closes_the_connection_stops_the_model(make_client, send, query_image, model, certain):
    client = make_client(llm=model.url, llm_model="made up")
    use = client.app.state.services
    upload = send(client, query_image.read_bytes(), "query.png")["upload"]
    ready = make_ready(use, {"upload": upload, "regions": [ZONE]})
    evidence = gathered(use, ready)

    async def look_once():
        told = _events(use, ready, evidence, None)
        first = await anext(told)
        await told.aclose()
        return first

    first = anyio.run(look_once)
    assert events(first) == [("text", {"text": ANSWER[:40]})]
    # The model waits before its second piece; when it goes on, nobody is there.
    writer = next((each for each in threading.enumerate() if each.name == "draft"), None)
    if writer is not None:
        writer.join(5)
        assert not writer.is_alive()


def test_a_public_language_model_is_an_error_and_nothing_is_sent(make_client, send, query_image, certain):
    client = make_client(llm="http://8.8.8.8/v1", llm_model="m")
    upload = send(client, query_image.read_bytes(), "query.png")["upload"]
    answer = client.post("/api/draft", json={"upload": upload, "regions": [ZONE]})
    ((name, told),) = events(answer.text)
    assert name == "error"
    assert "outside of this house" in told["detail"]
