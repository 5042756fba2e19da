"""Many clients at once: queries of all kinds, pictures, lists, uploads and their ingest."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_retrieve.edge_app.client.connection import (
    Connection,
    RefusedError,
    Reply,
    form_body,
    json_body,
    segment,
)
from edge_retrieve.edge_app.client.shaping import decoded, shaped
from edge_retrieve.edge_app.shapes.jobs import JobShape
from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.errors import EdgeRetrieveError

# What a reading room does, and how often of about a hundred requests.
MIX = {
    "query study": 30,
    "query text": 22,
    "query upload": 12,
    "list": 10,
    "picture": 12,
    "pixels": 3,
    "ground": 3,
    "upload": 6,
    "ingest": 2,
    "job": 4,
}
_TEXTS = (
    "Consolidation in the right lower lung zone.",
    "Left pleural effusion.",
    "A nodule.",
    "Clear lungs.",
)


@dataclass(frozen=True)
class Request:
    """What became of one request.

    Parameters
    ----------
    kind : str
        What was asked.
    at : float
        When it was sent, seconds since the load began.
    seconds : float
    status : int
        200 for whatever was answered; 0 where nobody did.
    what : str
        What was wrong, empty where nothing.
    """

    kind: str
    at: float
    seconds: float
    status: int
    what: str


@dataclass
class Load:
    """All that the clients did.

    Parameters
    ----------
    requests : list of Request
    ingests : list of str
        Jobs that were begun.
    ended : dict of str to JobShape
        Those that were seen to end; a server forgets them at length.
    """

    requests: list[Request] = field(default_factory=list)
    ingests: list[str] = field(default_factory=list)
    ended: dict[str, JobShape] = field(default_factory=dict)

    def failures(self) -> list[Request]:
        """Return what a server must not answer: failures of its own, and silence."""
        return [each for each in self.requests if each.status == 0 or each.status >= 500]

    def percentile_ms(self, share: float, kind: str | None = None) -> float:
        """Return a percentile of how long requests took, milliseconds; of one kind, or of all."""
        taken = [each.seconds for each in self.requests if kind in (None, each.kind)]
        return round(float(np.percentile(taken, share)) * 1000, 1) if taken else 0.0

    def kinds(self) -> list[str]:
        """Return the kinds that there are."""
        return sorted({each.kind for each in self.requests})


def run_load(
    address: str,
    studies: Sequence[str],
    images: Sequence[Path],
    *,
    clients: int,
    seconds: float,
    seed: int = 0,
    fresh: Callable[[random.Random], bytes] | None = None,
) -> Load:
    """Have clients ask a server, each its next request as soon as its last is answered.

    Parameters
    ----------
    address : str
    studies : sequence of str
        Stored studies to ask about.
    images : sequence of Path
        Files to send.
    clients : int
        How many at once.
    seconds : float
    seed : int
    fresh : callable, optional
        Makes an image file that was never sent before, for ingests; without it `images` are ingested.
    """
    load, lock, start = Load(), threading.Lock(), time.monotonic()

    def work(number: int) -> None:
        one = _Client(address, studies, images, random.Random(1000 * seed + number), fresh)
        try:
            while time.monotonic() - start < seconds:
                begun = time.monotonic()
                kind, status, what = one.ask()
                request = Request(kind, begun - start, time.monotonic() - begun, status, what)
                with lock:
                    load.requests.append(request)
        finally:
            one.connection.close()
            with lock:
                load.ingests += one.jobs
                load.ended |= one.ended

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


class _Client:
    """One client, with an upload of its own."""

    def __init__(
        self,
        address: str,
        studies: Sequence[str],
        images: Sequence[Path],
        chance: random.Random,
        fresh: Callable[[random.Random], bytes] | None,
    ) -> None:
        self.connection = Connection(address)
        self.jobs: list[str] = []
        self.ended: dict[str, JobShape] = {}
        self._studies, self._images, self._chance, self._fresh = studies, images, chance, fresh
        self._upload = ""

    def ask(self) -> tuple[str, int, str]:
        """Send a request by chance; return what was asked, the status, and what was wrong."""
        (kind,) = self._chance.choices(list(MIX), list(MIX.values()))
        if kind == "query upload" and not self._upload:
            kind = "upload"
        if kind == "job" and len(self.ended) == len(self.jobs):
            kind = "list"
        try:
            self._send(kind)
        except RefusedError as refused:
            if refused.status == 404:
                self._upload = ""  # pushed out by others' uploads
            return kind, refused.status, str(refused)
        except EdgeRetrieveError as error:
            return kind, 0, str(error)
        return kind, 200, ""

    def _send(self, kind: str) -> None:
        chance, region = self._chance, self._chance.choice(REGIONS).value
        study = chance.choice(self._studies)
        if kind == "query study":
            self._post("/api/query", {"study": study, "regions": [region], "k": 10})
        elif kind == "query text":
            self._post("/api/query", {"text": chance.choice(_TEXTS), "regions": [region], "k": 10})
        elif kind == "query upload":
            self._post("/api/query", {"upload": self._upload, "regions": [region], "k": 10})
        elif kind == "list":
            words = chance.choice(("", "effusion", "nodule left"))
            self.connection.ask("GET", "/api/studies", {"search": words, "limit": 50})
        elif kind == "picture":
            address = f"/api/studies/{segment(study)}/image.png"
            self.connection.ask("GET", address, {"side": chance.choice((128, 256))})
        elif kind == "pixels":
            self.connection.ask("GET", f"/api/studies/{segment(study)}/pixels")
        elif kind == "ground":
            self._post("/api/ground", {"study": study, "phrase": chance.choice(_TEXTS)})
        elif kind == "job":
            job = next(job for job in self.jobs if job not in self.ended)
            found = shaped(JobShape, decoded(self.connection.ask("GET", f"/api/jobs/{segment(job)}")))
            if found.ended is not None:
                self.ended[job] = found
        elif kind == "upload":
            self._upload = self._encode(chance.choice(self._images).read_bytes())
        else:
            self._ingest()

    def _ingest(self) -> None:
        image = self._fresh(self._chance) if self._fresh else self._chance.choice(self._images).read_bytes()
        begun = self._post("/api/jobs", {"kind": "ingest", "upload": self._encode(image)})
        self.jobs.append(str(json.loads(begun.body)["job"]))

    def _encode(self, image: bytes) -> str:
        sent = self.connection.ask("POST", "/api/encode", body=form_body(image, "chest.png"))
        return str(json.loads(sent.body)["upload"])

    def _post(self, path: str, document: object) -> Reply:
        return self.connection.ask("POST", path, body=json_body(document))
