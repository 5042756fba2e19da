"""Whether a server stands 32 clients at once: no failure, even times, memory that does not grow.

    python benchmarks/load.py [--seconds 300] [--clients 32] [--studies 2000] [--store D] [--tiny] [--json]
        [--out FILE]

The archive is rendered phantoms (synthetic) with the demo bundle, the server a process of its own, and the
clients a third party on the same machine, which takes its part of the processor. Each client sends its next
request as soon as its last is answered: queries by study, text and upload, lists, pictures, grey values,
phrases, uploads, and ingests of images never seen before. Exits with 1 where a request failed, an ingest
that was acknowledged is missing, or a bound is missed: p99 at most 4 times p50 over all requests, and
memory of the last minute at most 1.05 times that of the second one.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from recording import Circumstances, hand_over, take_out

from edge_retrieve.edge_app.bench.load import Load, run_load
from edge_retrieve.edge_app.client import Client
from edge_retrieve.edge_app.demo import DemoFolder, prepare
from edge_retrieve.runtime.preprocess import load_radiograph, render_png
from edge_retrieve.runtime.preprocess.types import FloatImage

BOUND_P99, BOUND_MEMORY = 4.0, 1.05
_PORT_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Memory:
    """What the server held, MiB of anonymous memory.

    Medians of the second minute (of a short load: of its second fifth) and of the last, and the highest.
    """

    second: float
    last: float
    highest: float

    @property
    def growth(self) -> float:
        """How much the last is of the second."""
        return round(self.last / self.second, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--dir", type=Path, help="keep the archive here, for the next time")
    parser.add_argument("--tiny", action="store_true", help="does it run at all?")
    take_out(parser)
    asked = parser.parse_args()
    if asked.tiny:
        asked.seconds, asked.clients, asked.studies = 5.0, 8, 40
    here = Circumstances.now()
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = DemoFolder(asked.dir or Path(name), asked.studies)
        folder.path.mkdir(parents=True, exist_ok=True)
        prepare(folder, _quiet)
        # A copy: what is ingested is no phantom of the demonstration.
        store = Path(name) / "served"
        shutil.copytree(folder.store, store)
        with _server(store) as (address, process):
            document = measure(address, process, folder, asked.clients, asked.seconds)
    document["bounds_hold"] = asked.tiny or (
        document["p99_over_p50"] <= BOUND_P99 and document["memory"]["growth"] <= BOUND_MEMORY
    )
    hand_over(here, document, asked, _table(document))
    if document["failures"] or document["lost"] or not document["bounds_hold"]:
        sys.exit(1)


def measure(address: str, process: int, folder: DemoFolder, clients: int, seconds: float) -> dict:
    images = sorted(folder.new_cases.rglob("*.dcm"))
    with Client(address) as client:
        client.wait_until_ready()
        before = client.archive().studies
        names = [line.study for line in client.studies(limit=500).studies]
        samples: list[tuple[float, float]] = []
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process, samples, ended))
        watcher.start()
        fresh = partial(_fresh, [load_radiograph(image).pixels for image in images])
        load = run_load(address, names, images, clients=clients, seconds=seconds, fresh=fresh)
        ended.set()
        watcher.join()
        results = [load.ended.get(job) or client.wait_for(job) for job in load.ingests]
        stored = sum(
            int(job.result["accepted"]) + int(job.result["flagged"]) for job in results if job.result
        )
        rejected = sum(int(job.result["rejected"]) for job in results if job.result)
        lost = len(load.ingests) - rejected - min(stored, client.archive().studies - before)
    return _document(load, _memory(samples, seconds), clients, seconds, lost) | {"rejected": rejected}


def _document(load: Load, memory: Memory, clients: int, seconds: float, lost: int) -> dict:
    p50, p99 = load.percentile_ms(50), load.percentile_ms(99)
    return {
        "synthetic": True,
        "clients": clients,
        "seconds": seconds,
        "requests": len(load.requests),
        "per_second": round(len(load.requests) / seconds, 1),
        "failures": [vars(each) for each in load.failures()[:10]],
        "pushed_out": sum(each.status == 404 for each in load.requests),
        "otherwise_refused": sum(each.status not in (0, 200, 404) for each in load.requests),
        "ingests": len(load.ingests),
        "lost": lost,
        "p50_ms": p50,
        "p99_ms": p99,
        "p99_over_p50": round(p99 / p50, 2),
        "kinds": {
            kind: {"p50_ms": load.percentile_ms(50, kind), "p99_ms": load.percentile_ms(99, kind)}
            for kind in load.kinds()
        },
        "memory": {**vars(memory), "growth": memory.growth},
    }


def _fresh(phantoms: Sequence[FloatImage], chance: random.Random) -> bytes:
    """Return a picture that was never sent before: a phantom under noise of its own, as PNG."""
    phantom = chance.choice(phantoms)
    noise = np.random.default_rng(chance.getrandbits(63)).normal(scale=0.02, size=phantom.shape)
    return render_png((phantom + noise).astype(np.float32), max(phantom.shape))


def _watch(process: int, samples: list[tuple[float, float]], ended: threading.Event) -> None:
    start = time.monotonic()
    while not ended.wait(1.0):
        samples.append((time.monotonic() - start, _held_mib(process)))


def _held_mib(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _memory(samples: list[tuple[float, float]], seconds: float) -> Memory:
    part = min(60.0, seconds / 5)
    second = [held for at, held in samples if part <= at < 2 * part] or [held for _, held in samples]
    last = [held for at, held in samples if at >= seconds - part] or second
    return Memory(
        round(statistics.median(second), 1),
        round(statistics.median(last), 1),
        round(max(held for _, held in samples), 1),
    )


@contextlib.contextmanager
def _server(store: Path) -> Iterator[tuple[str, int]]:
    """Run ``edge-retrieve serve`` on a free port; yields its address and process number."""
    command = [str(Path(sys.executable).with_name("edge-retrieve")), "serve"]
    process = subprocess.Popen(
        [*command, "--store", str(store), "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        until = time.monotonic() + _PORT_PATIENCE_S
        for line in process.stderr:
            if line.startswith("Open "):
                yield line.split()[1].rstrip("/"), process.pid
                break
            assert time.monotonic() < until, "the server has not started"
        else:
            raise RuntimeError("the server ended before it began")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


@contextlib.contextmanager
def _quiet(_: str) -> Iterator:
    yield lambda *_, **__: None


def _table(document: dict) -> str:
    lines = [
        f"{document['clients']} clients, {document['seconds']:.0f} s, {document['requests']} requests "
        f"({document['per_second']} a second), {len(document['failures'])} failures",
        f"p50 {document['p50_ms']} ms, p99 {document['p99_ms']} ms: {document['p99_over_p50']} times",
        f"memory: second {document['memory']['second']} MiB, last {document['memory']['last']} MiB: "
        f"{document['memory']['growth']} times",
        f"{document['ingests']} ingests acknowledged, {document['lost']} lost",
    ]
    lines += [
        f"  {kind}: p50 {times['p50_ms']} ms, p99 {times['p99_ms']} ms"
        for kind, times in document["kinds"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
