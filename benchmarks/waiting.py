"""How long a query takes while studies are ingested beside it, in a thread or in another process.

    python benchmarks/waiting.py [--studies 2000] [--seconds 60] [--tiny] [--json] [--out FILE]

Embeddings are made up (synthetic), 16 numbers each. A query ranks one region, by image and by text, and
reads its ten cases. The ingest commits sixteen studies at a time without a pause and writes the index anew
every tenth time. Idle, thread and process take turns, so that a busy machine slows all of them alike.
``waited`` is the time in which the asking thread was blocked: the clock, less the time it ran, less the time
it could have run and other programs did (Linux tells). Whoever waits for Python's interpreter lock is
blocked, and on a busy machine its holder may be waiting for a processor.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fault_campaigns.archive import DIM, Archive, made_bundle
from fault_campaigns.processes import Child, Say
from recording import Circumstances, hand_over, take_out

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.probe import Probe
from edge_retrieve.runtime.search import search
from edge_retrieve.runtime.store import Store

BOUND_MS = 50.0
_ROUNDS = 5
_BATCH = 16
_MERGE_EVERY = 10


@dataclass(frozen=True)
class Row:
    """Queries beside one kind of ingest; ``over_bound``: those that waited longer than 50 ms."""

    beside: str
    queries: int
    p50_ms: float
    p99_ms: float
    waited_p50_ms: float
    waited_p99_ms: float
    waited_max_ms: float
    over_bound: int
    studies_added: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of measuring in all")
    parser.add_argument("--tiny", action="store_true")
    take_out(parser)
    options = parser.parse_args()
    if options.tiny:
        options.studies, options.seconds = 100, 3.0
    here = Circumstances.now()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder) / "store", options.studies, options.seconds)
    told = []
    for row in rows:
        waited = f"p50 {row.waited_p50_ms:.2f}, p99 {row.waited_p99_ms:.2f}, most {row.waited_max_ms:.2f} ms"
        told.append(
            f"beside {row.beside}: {row.queries} queries, p50 {row.p50_ms:.2f}, p99 {row.p99_ms:.2f} ms;"
            f" waited {waited}, {row.over_bound} over {BOUND_MS:.0f} ms; {row.studies_added} studies added"
        )
    figures: dict[str, object] = {
        "synthetic": True,
        "studies": options.studies,
        "rows": [asdict(row) for row in rows],
    }
    hand_over(here, figures, options, "\n".join(told))


def measure(path: Path, studies: int, seconds: float) -> list[Row]:
    """Fill a store and ask it, in turns, beside nothing, a thread and a process that ingest."""
    archive = Archive(0)
    with Store.open(path, bundle=made_bundle(), create=True) as store:
        for start in range(0, studies, 200):
            _add(store, archive, range(start, min(studies, start + 200)))
        Index(store).refresh()
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    added: dict[str, int] = defaultdict(int)
    for _ in range(_ROUNDS):
        for beside in ("nothing", "a thread", "a process"):
            with _opened(path, beside) as (store, ingesting):
                before = store.count()
                index = Index(store)
                _ask(store, index, 0)  # opens the partitions
                end = time.monotonic() + seconds / _ROUNDS / 3
                if ingesting is not None:
                    ingesting.start()
                number = 0
                while time.monotonic() < end:
                    number += 1
                    wall, ran = time.perf_counter(), _ran_or_ready_s()
                    _ask(store, index, number)
                    times[beside].append((time.perf_counter() - wall, _ran_or_ready_s() - ran))
                if ingesting is not None:
                    ingesting.stop()
                index.wait_for_merges()
                added[beside] += store.count() - before
    return [_row(beside, np.asarray(each) * 1000, added[beside]) for beside, each in times.items()]


def _row(beside: str, times: npt.NDArray[np.float64], added: int) -> Row:
    wall, waited = times[:, 0], times[:, 0] - times[:, 1]
    figures = [np.percentile(wall, 50), np.percentile(wall, 99)]
    figures += [np.percentile(waited, 50), np.percentile(waited, 99), waited.max()]
    rounded = [round(float(figure), 3) for figure in figures]
    return Row(beside, len(times), *rounded, int((waited > BOUND_MS).sum()), added)


def _ran_or_ready_s() -> float:
    """Return how long this thread ran, or waited for a processor, so far."""
    try:
        ran, ready, _ = Path("/proc/thread-self/schedstat").read_text().split()
    except (OSError, ValueError):
        return time.thread_time()
    return (int(ran) + int(ready)) / 1e9


def _ask(store: Store, index: Index, number: int) -> None:
    vector = np.random.default_rng(number).normal(size=DIM).astype(np.float32)
    probe = Probe(Region.RIGHT_UPPER_LUNG_ZONE, vector / np.linalg.norm(vector))
    store.numbered(search(index, [probe], 10).studies.tolist())


def _add(store: Store, archive: Archive, numbers: range) -> None:
    store.add([archive.image(n) for n in numbers], [archive.report(n, 0) for n in numbers])


class _Ingest:
    """Adds studies until it is stopped, in a thread or a process."""

    def __init__(self, path: Path, store: Store | None) -> None:
        self._path, self._store = path, store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._child = None if store is not None else Child(self._work_apart)

    def start(self) -> None:
        if self._child is None:
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._child is None:
            self._thread.join()
        else:
            self._child.kill()
            self._child.wait(60.0)

    def _work_apart(self, say: Say) -> None:
        with Store.open(self._path, bundle=made_bundle()) as self._store:
            self._work()

    def _work(self) -> None:
        assert self._store is not None
        first = self._store.count()
        batch = 0
        while not self._stop.is_set():
            _add(self._store, Archive(0), range(first, first + _BATCH))
            first, batch = first + _BATCH, batch + 1
            if batch % _MERGE_EVERY == 0:
                Index(self._store).refresh()


@contextmanager
def _opened(path: Path, beside: str) -> Iterator[tuple[Store, _Ingest | None]]:
    # A process is forked before this one opens anything.
    ingest = _Ingest(path, None) if beside == "a process" else None
    with Store.open(path, bundle=made_bundle()) as store:
        yield store, _Ingest(path, store) if beside == "a thread" else ingest


if __name__ == "__main__":
    main()
