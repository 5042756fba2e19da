"""How fast a region is searched on this machine: ours and what users could take instead, in one run.

Methods take turns query by query, in an order drawn anew, each with its files opened as a starting process
finds them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_retrieve.edge_app.bench.method import Method
from edge_retrieve.edge_app.bench.methods import METHODS
from edge_retrieve.edge_app.bench.opening import Opening, measure_opening
from edge_retrieve.edge_app.bench.own_indexes import Ours
from edge_retrieve.edge_app.bench.synthetic_rows import K, Question, draw_questions, make_rows

FOUR = 4  # regions of a query in several
_BATCH = 256
_ROUNDS = 60  # of batches: fewer leave a median that differs by a fifth from run to run
_THREADS = 2


@dataclass(frozen=True)
class SearchRow:
    """One method's figures at one size.

    Parameters
    ----------
    method : str
    studies : int
        A region; every region has as many rows.
    p50_ms, p99_ms : float
        Of a query in one region, one thread.
    recall, cross : float
        Share of the exact 10 nearest that is found: query from the region, from another region.
    build_s : float
        All regions, on the disk.
    disk_mb, anonymous_mb, mapped_mb : float
        Files; resident memory of a process that only opened them and asked all queries, the interpreter
        and the method's library included.
    first_answer_s : float
        From opening to the first answer there, libraries being loaded; ours verifies checksums.
    four_p50_ms : float or None
        Of a query in four regions, the union of their answers; ours only.
    batch_per_s : float or None
        Queries a second, 256 of a region at once on two threads, where the method can.
    """

    method: str
    studies: int
    p50_ms: float
    p99_ms: float
    recall: float
    cross: float
    build_s: float
    disk_mb: float
    anonymous_mb: float
    mapped_mb: float
    first_answer_s: float
    four_p50_ms: float | None = None
    batch_per_s: float | None = None


@dataclass(frozen=True)
class _Built:
    method: Method
    build_s: float
    opening: Opening


def measure(
    studies: int,
    *,
    regions: int = 29,
    dim: int = 128,
    queries: int = 400,
    seed: int = 0,
    methods: Sequence[str] = (),
    advance: Callable[..., None] | None = None,
) -> tuple[list[SearchRow], list[str]]:
    """Build every method and ask all of them the same.

    Parameters
    ----------
    studies, regions, dim, queries, seed : int
    methods : sequence of str
        Parts of names; all that are installed where empty.
    advance : callable, optional
        Called with steps done, their number, and what comes next.

    Returns
    -------
    rows : list of SearchRow
    left_out : list of str
        Methods that are not installed, with the reason.
    """
    wanted = [m for m in METHODS if not methods or any(part in m.name for part in methods)]
    left_out: list[str] = []
    questions = draw_questions(studies, regions, dim, queries, seed)
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-bench-") as name:
        built: list[_Built] = []
        for number, method in enumerate(wanted):
            if advance:
                advance(number, len(wanted) + 1, f"building {method.name}")
            folder = Path(name) / str(number)
            folder.mkdir()
            try:
                held = method(folder, studies, regions, dim)
            except (ImportError, AttributeError) as error:
                left_out.append(f"{method.name} ({error})")
                continue
            build_s = _build(held, seed)
            opening = measure_opening(held, questions)
            built.append(_Built(method(folder, studies, regions, dim), build_s, opening))
            del held
        if advance:
            advance(len(wanted), len(wanted) + 1, "asking")
        rows = _ask(built, questions)
    if advance:
        advance(len(wanted) + 1, len(wanted) + 1, "done")
    return rows, left_out


def _build(method: Method, seed: int) -> float:
    seconds = 0.0
    for region in range(method.regions):
        rows = make_rows(region, method.studies, method.dim, seed)
        start = time.perf_counter()
        method.add(region, rows)
        seconds += time.perf_counter() - start
    start = time.perf_counter()
    method.finish()
    return seconds + time.perf_counter() - start


def _ask(built: list[_Built], questions: list[Question]) -> list[SearchRow]:
    times: dict[str, list[float]] = {each.method.name: [] for each in built}
    found: dict[tuple[str, bool], list[float]] = {
        (name, cross): [] for name in times for cross in (False, True)
    }
    for each in built:
        each.method.open()
        for question in questions:  # once to have all in memory
            each.method.search(question.region, question.query, K)
    turns = np.random.default_rng(0)
    for question in questions:
        # In an order drawn anew: who comes after a method that fills the caches, or whose threads still run,
        # is the slower for it.
        for place in turns.permutation(len(built)):
            each = built[place]
            start = time.perf_counter()
            answer = each.method.search(question.region, question.query, K)
            times[each.method.name].append(time.perf_counter() - start)
            share = len(question.exact & set(answer.tolist())) / K
            found[each.method.name, question.cross].append(share)
    batches = _batches([each.method for each in built], questions)
    rows = []
    for each in built:
        name, method = each.method.name, each.method
        rows.append(
            SearchRow(
                method=name,
                studies=method.studies,
                p50_ms=1e3 * float(np.percentile(times[name], 50)),
                p99_ms=1e3 * float(np.percentile(times[name], 99)),
                recall=float(np.mean(found[name, False])),
                cross=float(np.mean(found[name, True])) if found[name, True] else 1.0,
                build_s=each.build_s,
                disk_mb=method.disk_bytes() / 1e6,
                anonymous_mb=each.opening.anonymous / 1e6,
                mapped_mb=each.opening.mapped / 1e6,
                first_answer_s=each.opening.first_answer_s,
                four_p50_ms=_four(method, questions) if isinstance(method, Ours) else None,
                batch_per_s=batches.get(name),
            )
        )
    return rows


def _four(method: Method, questions: list[Question]) -> float:
    times = []
    for question in questions[:100]:
        start = time.perf_counter()
        regions = [(question.region + step) % method.regions for step in range(FOUR)]
        np.unique(np.concatenate([method.search(region, question.query, K) for region in regions]))
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def _batches(methods: list[Method], questions: list[Question]) -> dict[str, float]:
    """Return queries a second of methods that take turns: the median of many rounds."""
    queries = np.stack([questions[number % len(questions)].query for number in range(_BATCH)])
    rates: dict[str, list[float]] = {}
    turns = np.random.default_rng(1)
    for number in range(_ROUNDS):
        region = questions[number % len(questions)].region
        for place in turns.permutation(len(methods)):
            method = methods[place]
            start = time.perf_counter()
            if method.search_batch(region, queries, K, _THREADS):
                rates.setdefault(method.name, []).append(_BATCH / (time.perf_counter() - start))
    return {name: float(np.median(each)) for name, each in rates.items()}
