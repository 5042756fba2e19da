"""Many clients at once, in short; benchmarks/load.py is the full form."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from edge_retrieve.edge_app.bench.load import MIX, run_load
from edge_retrieve.edge_app.client import Client

SECONDS, CLIENTS = 5, 32


def fresh(chance):
    """A picture that nobody has seen."""
    noise = np.random.default_rng(chance.getrandbits(63))
    stream = io.BytesIO()
    Image.fromarray(noise.integers(0, 256, (64, 64)).astype(np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


@pytest.mark.slow
def test_many_clients_are_all_answered_and_nothing_acknowledged_is_lost(served, archive):
    with Client(served.address) as client:
        before = client.archive().studies
        names = [line.study for line in client.studies().studies]
        images = sorted(archive.glob("*.png"))
        load = run_load(served.address, names, images, clients=CLIENTS, seconds=SECONDS, fresh=fresh)
        assert load.failures() == []
        # An upload may be pushed out by others' before it is asked about; nothing else is refused.
        refused = [each for each in load.requests if each.status not in (200, 404)]
        assert refused == []
        assert sum(each.status == 404 for each in load.requests) < 0.2 * len(load.requests)
        assert len(load.requests) > 2 * CLIENTS
        assert set(load.kinds()) == set(MIX)
        until = time.monotonic() + 60
        states = {"queued"}
        while states & {"queued", "running"} and time.monotonic() < until:
            time.sleep(0.1)
            found = [client.job(job) for job in load.ingests]
            states = {job.state for job in found}
        assert states <= {"done"}, [job.problem for job in found]
        stored = sum(int(job.result["accepted"]) + int(job.result["flagged"]) for job in found)
        assert stored == len(load.ingests) > 0
        assert client.archive().studies == before + stored
        # What was acknowledged is found by a query.
        newest = client.studies(limit=1).studies[0].study
        assert client.query({"study": newest, "k": 1}).hits
