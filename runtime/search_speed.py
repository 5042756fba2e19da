"""How fast a region is searched on this machine: ours and what users could take instead, in one run.

The vectors are synthetic and clustered by region and finding. All rows of a region share a direction (a
cone); findings lie around it, some common and most rare; rows scatter around their finding, with less
variance from one direction to the next. A query is a stored row, moved a little: from the region asked for
("recall"), or from another one ("cross"), as a text asking images does. Methods take turns query by query.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.partition import Partition, Segment, build_segment
from edge_retrieve.runtime.index.switch_points import SwitchPoints
from edge_retrieve.runtime.search_peers import METHODS, Method, Ours, UsearchPerRegion, memory_bytes
from edge_retrieve.runtime.store import Vectors

FloatArray = npt.NDArray[np.float32]

K = 10
FINDINGS = 40
FOUR = 4  # regions of a query in several


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
        Files; resident memory that the method added while it was built and asked.
    four_p50_ms : float or None
        Of a query in four regions, the union of their answers; ours only.
    batch_per_s : float or None
        Queries a second, 256 of a region at once on two threads; ours and usearch per region.
    first_answer_s : float or None
        From opening to the first answer, checksums included; ours only.
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
    four_p50_ms: float | None = None
    batch_per_s: float | None = None
    first_answer_s: float | None = None


def make_rows(region: int, studies: int, dim: int, seed: int) -> FloatArray:
    """Return a region's rows, shape [studies, dim], of unit length; the same for the same arguments."""
    shared = np.random.default_rng(seed)
    cone = shared.normal(size=dim)
    random = np.random.default_rng((seed, region))
    scale = np.arange(1, dim + 1) ** -0.5
    turn = np.linalg.qr(random.normal(size=(dim, dim)))[0].astype(np.float32)
    centre = (cone / np.linalg.norm(cone) + 0.5 * random.normal(size=dim) / np.sqrt(dim)).astype(np.float32)
    findings = (random.normal(size=(FINDINGS, dim)) * scale).astype(np.float32)
    share = 1.0 / np.arange(1, FINDINGS + 1)
    which = random.choice(FINDINGS, studies, p=share / share.sum())
    rows = findings[which]
    rows += 0.6 * random.standard_normal((studies, dim), dtype=np.float32) * scale.astype(np.float32)
    rows = centre * np.float32(2.0) + rows @ turn * np.float32(1.0 / np.sqrt(np.square(scale).sum()))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class _Question:
    region: int
    query: FloatArray
    exact: frozenset[int]
    cross: bool


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
    left_out = []
    with tempfile.TemporaryDirectory(prefix="edge-retrieve-bench-") as name:
        built: dict[str, Method] = {}
        build_s: dict[str, float] = {}
        memory: dict[str, tuple[int, int]] = {}
        for number, method in enumerate(wanted):
            if advance:
                advance(number, len(wanted) + 1, f"building {method.name}")
            before = memory_bytes()
            try:
                held = method(Path(name) / str(number), studies, regions, dim)
            except (ImportError, AttributeError) as error:
                left_out.append(f"{method.name} ({error})")
                continue
            build_s[method.name] = 0.0
            for region in range(regions):
                rows = make_rows(region, studies, dim, seed)
                start = time.perf_counter()
                held.add(region, rows)
                build_s[method.name] += time.perf_counter() - start
            start = time.perf_counter()
            held.finish()
            build_s[method.name] += time.perf_counter() - start
            del rows
            memory[method.name] = before
            built[method.name] = held
            after = memory_bytes()
            memory[method.name] = (after[0] - before[0], after[1] - before[1])
        if advance:
            advance(len(wanted), len(wanted) + 1, "asking")
        questions = _questions(studies, regions, dim, queries, seed)
        rows_out = _ask(built, questions, studies, build_s, memory)
    if advance:
        advance(len(wanted) + 1, len(wanted) + 1, "done")
    return rows_out, left_out


def _questions(studies: int, regions: int, dim: int, queries: int, seed: int) -> list[_Question]:
    """Draw queries region by region, so that no more than one region is in memory."""
    random = np.random.default_rng((seed, 10**6))
    moved = []
    for number in range(queries):
        source = number % regions
        cross = number // regions % 2 == 1 and regions > 1
        target = int((source + random.integers(1, regions)) % regions) if cross else source
        moved.append((source, target, cross, int(random.integers(0, studies))))
    asked: dict[int, tuple[FloatArray, bool]] = {}
    for region in range(regions):
        rows = make_rows(region, studies, dim, seed)
        for number, (source, _, cross, study) in enumerate(moved):
            if source == region:
                query = rows[study] + 0.3 / np.sqrt(dim) * random.normal(size=dim)
                asked[number] = (query / np.linalg.norm(query)).astype(np.float32), cross
    questions: list[_Question] = []
    for region in range(regions):
        rows = make_rows(region, studies, dim, seed)
        for number, (_, target, _, _) in enumerate(moved):
            if target == region:
                query, cross = asked[number]
                best = np.argpartition(rows @ query, -K)[-K:]
                questions.append(_Question(region, query, frozenset(best.tolist()), cross))
    order = random.permutation(len(questions))
    return [questions[number] for number in order]


def _ask(
    built: dict[str, Method],
    questions: list[_Question],
    studies: int,
    build_s: dict[str, float],
    memory: dict[str, tuple[int, int]],
) -> list[SearchRow]:
    times: dict[str, list[float]] = {name: [] for name in built}
    found: dict[tuple[str, bool], list[float]] = {
        (name, cross): [] for name in built for cross in (False, True)
    }
    first: dict[str, float] = {}
    for name, method in built.items():
        before = memory_bytes()
        for question in questions:  # once to have all in memory, and to open what is opened when first asked
            start = time.perf_counter()
            method.search(question.region, question.query, K)
            first.setdefault(name, time.perf_counter() - start)
        after = memory_bytes()
        memory[name] = (memory[name][0] + after[0] - before[0], memory[name][1] + after[1] - before[1])
    for question in questions:
        for name, method in built.items():
            start = time.perf_counter()
            answer = method.search(question.region, question.query, K)
            times[name].append(time.perf_counter() - start)
            found[name, question.cross].append(len(question.exact & set(answer.tolist())) / K)
    rows = []
    for name, method in built.items():
        ours = isinstance(method, Ours)
        rows.append(
            SearchRow(
                method=name,
                studies=studies,
                p50_ms=1e3 * float(np.percentile(times[name], 50)),
                p99_ms=1e3 * float(np.percentile(times[name], 99)),
                recall=float(np.mean(found[name, False])),
                cross=float(np.mean(found[name, True])) if found[name, True] else 1.0,
                build_s=build_s[name],
                disk_mb=method.disk_bytes() / 1e6,
                anonymous_mb=max(0, memory[name][0]) / 1e6,
                mapped_mb=max(0, memory[name][1]) / 1e6,
                four_p50_ms=_four(method, questions) if ours else None,
                batch_per_s=_batch(method, questions)
                if ours or isinstance(method, UsearchPerRegion)
                else None,
                first_answer_s=first[name] if ours else None,
            )
        )
    return rows


def _four(method: Method, questions: list[_Question]) -> float:
    times = []
    for question in questions[:100]:
        start = time.perf_counter()
        regions = [(question.region + step) % method.regions for step in range(FOUR)]
        np.unique(np.concatenate([method.search(region, question.query, K) for region in regions]))
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def _batch(method: Method, questions: list[_Question]) -> float:
    """Return queries a second: 256 queries of one region on two threads, the median of five rounds."""
    queries = np.stack([questions[number % len(questions)].query for number in range(256)])
    rates = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(5):
            region = questions[number % len(questions)].region
            start = time.perf_counter()
            if isinstance(method, UsearchPerRegion):
                method.indexes[region].search(queries, K, threads=2)
            elif isinstance(method, Ours):
                list(pool.map(method.partition(region).search_all, (queries[:128], queries[128:]), (K, K)))
            rates.append(len(queries) / (time.perf_counter() - start))
    return float(np.median(rates))


def calibrate(dim: int, *, most: int = 400_000, seed: int = 0) -> SwitchPoints:
    """Measure on this machine from how many rows on which form answers fastest.

    Parameters
    ----------
    dim : int
    most : int
        Largest number of rows tried; building a graph of them takes about a minute for each 100,000.
    seed : int
    """
    rows = make_rows(0, most, dim, seed)
    sizes = [size for size in (256, 512, 1024, 2048, 4096, 8192, 32_768, 131_072, 400_000) if size <= most]
    far = 10**9
    codes_from = graph_from = far
    for size in sizes:
        numbers = np.arange(size, dtype=np.int64)
        vectors = Vectors(numbers, numbers, np.ascontiguousarray(rows[:size]))
        plain = _median_s(build_segment(vectors, SwitchPoints(far, far)), rows)
        scan = plain
        if kernel.available():
            scan = _median_s(build_segment(vectors, SwitchPoints(1, far)), rows)
            if scan < plain:
                codes_from = min(codes_from, size)
        if size >= 32_768 and graph_from == far:
            graph = _median_s(build_segment(vectors, SwitchPoints(1, 1)), rows)
            graph_from = size if graph < min(plain, scan) else far
    defaults = SwitchPoints()
    return SwitchPoints(
        codes_from if codes_from < far else defaults.codes,
        graph_from if graph_from < far else max(most, defaults.graph),
    )


def _median_s(segment: Segment, rows: FloatArray) -> float:
    none = Segment(Vectors(np.zeros(0, np.int64), np.zeros(0, np.int64), rows[:0]))
    partition = Partition(segment, none, 0, 0)
    times = []
    for number in range(60):
        start = time.perf_counter()
        partition.search(rows[number * 7 % len(segment.vectors.rows)], K)
        times.append(time.perf_counter() - start)
    return float(np.median(times[10:]))
