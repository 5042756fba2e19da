"""Evidence to put into words, and a server of OpenAI's kind that answers as it is told."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.explain.llm.endpoint import Endpoint
from edge_retrieve.runtime.findings import Finding

SAID = {
    Finding.NODULE: "Nodule in the right upper lung zone.",
    Finding.PNEUMOTHORAX: "Left apical pneumothorax.",
    Finding.CARDIOMEGALY: "The heart is enlarged.",
    Finding.PLEURAL_EFFUSION: "Small left pleural effusion.",
}


@pytest.fixture
def found(make):
    """A nodule, a pneumothorax and a large heart for sure, an effusion perhaps, and three clear regions."""

    def voted(region, finding, count, prefix):
        near = [
            make.neighbour(n, finding, study=f"{prefix}{n}", sentences=[SAID[finding]])
            for n in range(1, count + 1)
        ]
        rest = [make.neighbour(n, study=f"{prefix}{n}") for n in range(count + 1, 11)]
        return make.place(region, [*near, *rest])

    clear = [make.neighbour(n, study=f"c{n}", probability=0.1) for n in range(1, 11)]
    return make.evidence(
        voted(Region.RIGHT_UPPER_LUNG_ZONE, Finding.NODULE, 9, "n"),
        voted(Region.LEFT_APICAL_ZONE, Finding.PNEUMOTHORAX, 9, "p"),
        voted(Region.LEFT_LUNG, Finding.PNEUMOTHORAX, 9, "p"),
        voted(Region.CARDIAC_SILHOUETTE, Finding.CARDIOMEGALY, 9, "h"),
        voted(Region.LEFT_COSTOPHRENIC_ANGLE, Finding.PLEURAL_EFFUSION, 4, "e"),
        *(
            make.place(region, clear)
            for region in (
                Region.RIGHT_LOWER_LUNG_ZONE,
                Region.LEFT_LOWER_LUNG_ZONE,
                Region.LEFT_UPPER_LUNG_ZONE,
                Region.RIGHT_APICAL_ZONE,
                Region.RIGHT_COSTOPHRENIC_ANGLE,
                Region.SPINE,
            )
        ),
    )


class Served:
    """A language model that says what it is told to say, in pieces, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.answer = ""
        self.how = "stream"
        self.say = None  # a model that answers questions, in place of `answer`
        self.gone = threading.Event()

    def serve(self, handler):
        length = int(handler.headers["Content-Length"])
        self.asked.append(json.loads(handler.rfile.read(length)))
        if self.how == "refuse":
            return self.send(handler, 500, "text/plain", b"no")
        if self.how == "redirect":
            handler.send_response(307)
            handler.send_header("Location", "http://example.org/")
            handler.end_headers()
            return None
        if self.how == "no schemas" and "response_format" in self.asked[-1]:
            return self.send(handler, 400, "application/json", b'{"error": "unknown field"}')
        if self.how == "whole":
            body = json.dumps({"choices": [{"message": {"content": self.answer}}]}).encode()
            return self.send(handler, 200, "application/json", body)
        if self.how == "other form":
            return self.send(handler, 200, "application/json", b'{"text": "hello"}')
        if self.how == "silent":
            self.gone.wait(20)
            return None
        if self.say is not None:
            self.answer = self.say(self.asked[-1])
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        try:
            if self.how == "other events":
                handler.wfile.write(b"data: {broken\n\n")
                return None
            if self.how == "endless":
                while not self.gone.is_set():
                    self.piece(handler, "nodule " * 200)
            if self.how == "one endless line":
                while not self.gone.is_set():
                    handler.wfile.write(b"data: " + b"x" * 65536)
            pieces = [self.answer[n : n + 7] for n in range(0, len(self.answer), 7)]
            for n, piece in enumerate(pieces):
                if self.how == "cut" and n == len(pieces) // 2:
                    return None
                if self.how == "slow" and self.gone.wait(0.2):
                    return None
                self.piece(handler, piece)
            handler.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass  # whoever asked has gone
        return None

    def piece(self, handler, text):
        event = {"choices": [{"delta": {"content": text}}]}
        handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        handler.wfile.flush()

    def send(self, handler, status, kind, body):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def served():
    model = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            model.serve(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    model.endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "made up", timeout_s=10)
    yield model
    model.gone.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def seconds():
    """Return how long the test has run."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
