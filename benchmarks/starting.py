"""How long from `edge-retrieve serve` to an answer of 200 at /readyz, and what the server holds then.

    python benchmarks/starting.py [--studies 10000] [--runs 7] [--store D] [--tiny] [--json] [--out FILE]

The store is made up: cases whose embeddings scatter around those of a few rendered phantoms (synthetic),
with the demo bundle. `cpu_s` is the processor time the server took, which other programs on the machine
change little; `first` and `second` are the first query for a region, which maps and verifies its index
files, and the one after.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from recording import Circumstances, hand_over, take_out

from edge_retrieve.edge_app.bench.phantom_archive import fill_store, render_phantoms
from edge_retrieve.runtime.bundle import load_bundle
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.store import Store

BOUND_S = 3.0
_QUERY = json.dumps(
    {"text": "Consolidation in the right lower lung zone.", "regions": ["right lower lung zone"]}
)
_TICKS = os.sysconf("SC_CLK_TCK")
_SOURCES = 8  # phantoms that the cases scatter around
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Start:
    """One start: seconds until it listens and until it is ready, memory in MiB, queries in milliseconds."""

    listening_s: float
    ready_s: float
    cpu_s: float
    resident_mib: float
    first_ms: float
    second_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--store", type=Path, help="one that is there already, of the demo bundle")
    parser.add_argument("--tiny", action="store_true", help="does it run at all?")
    take_out(parser)
    asked = parser.parse_args()
    studies, runs = (60, 2) if asked.tiny else (asked.studies, asked.runs)
    here = Circumstances.now()
    with tempfile.TemporaryDirectory() as folder:
        store = asked.store or make_store(Path(folder), studies)
        starts = [start(store) for _ in range(runs)]
    medians = {
        name: round(statistics.median(getattr(each, name) for each in starts), 3)
        for name in asdict(starts[0])
    }
    slowest = max(each.ready_s for each in starts)
    figures: dict[str, object] = {
        "synthetic": True,
        "studies": studies if asked.store is None else None,
        "median": medians,
        "slowest_ready_s": slowest,
        "runs": [asdict(each) for each in starts],
    }
    told = [f"{name:14}{value:10.3f}" for name, value in medians.items()]
    told.append(f"slowest start {slowest:.2f} s of {runs}, asked for: under {BOUND_S:g} s")
    hand_over(here, figures, asked, "\n".join(told))


def make_store(folder: Path, studies: int) -> Path:
    """Make a store of so many made-up cases."""
    files = render_phantoms(folder / "phantoms", _SOURCES, 512, 7, lambda *_, **__: None)
    bundle = load_bundle()
    with Store.open(folder / "store", bundle=bundle, create=True) as store, Encoder(bundle) as encoder:
        fill_store(store, encoder, files, studies, lambda *_: None)
        Index(store).refresh()
    return folder / "store"


def start(store: Path) -> Start:
    """Start a server, wait until it is ready, ask it twice, and end it."""
    command = [sys.executable, "-c", "from edge_retrieve.edge_app.cli import main; main()"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "serve", "--store", str(store), "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                break
        else:
            raise SystemExit("the server ended")
        port = int(found[1])
        listening = time.perf_counter() - began
        while ask(port, "GET", "/readyz") != 200:
            if time.perf_counter() - began > _PATIENCE_S:
                raise SystemExit("the server is not ready")
            time.sleep(0.005)
        ready = time.perf_counter() - began
        cpu, resident = used(process.pid)
        first, second = timed(port), timed(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
    return Start(listening, ready, cpu, resident, first, second)


def ask(port: int, method: str, path: str, body: str | None = None) -> int:
    """Return the status of an answer, read whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def timed(port: int) -> float:
    """Return how long a query takes, milliseconds."""
    began = time.perf_counter()
    status = ask(port, "POST", "/api/query", _QUERY)
    if status != 200:
        raise SystemExit(f"a query was answered with {status}")
    return 1000 * (time.perf_counter() - began)


def used(process: int) -> tuple[float, float]:
    """Return a process's processor time so far, seconds, and the memory it holds, MiB (Linux, proc(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    (resident,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(resident) / 1024


if __name__ == "__main__":
    main()
