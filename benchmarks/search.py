"""Region-conditioned search: our partitions against an exact scan and against one index filtered afterwards.

Vectors are synthetic: every study has one unit vector per region, drawn around one of a few hundred centres
that the region's studies share. "recall" is the share of the exact 10 nearest that is found when the query
comes from the region asked for; "cross" when it comes from another one, as a text asking images does.

    python benchmarks/search.py [--studies 400 20000] [--regions 29] [--dim 256] [--tiny] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_retrieve.runtime.anatomy import REGIONS
from edge_retrieve.runtime.index.files import empty_vectors
from edge_retrieve.runtime.index.partition import Partition, Segment, build_graph
from edge_retrieve.runtime.store import Vectors

FloatArray = npt.NDArray[np.float32]
Search = Callable[[int, FloatArray], npt.NDArray[np.int64]]

K = 10
CENTRES = 300


@dataclass(frozen=True)
class Row:
    """One line of the result."""

    method: str
    studies: int
    p50_ms: float
    p99_ms: float
    recall: float
    cross: float
    build_s: float


def make_vectors(random: np.random.Generator, regions: int, studies: int, dim: int) -> FloatArray:
    """Return unit vectors of shape [regions, studies, dim]."""
    vectors = np.empty((regions, studies, dim), np.float32)
    shared = random.normal(size=(CENTRES, dim))
    for region in range(regions):
        centres = shared + random.normal(size=(CENTRES, dim))
        rows = centres[random.integers(0, CENTRES, studies)] + 1.5 * random.normal(size=(studies, dim))
        vectors[region] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


def near(random: np.random.Generator, row: FloatArray) -> FloatArray:
    """Return a unit vector close to a stored one."""
    moved = row + 0.5 / np.sqrt(len(row)) * random.normal(size=row.shape)
    return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)


def ours(vectors: FloatArray) -> Search:
    """Our partitions, one a region."""
    studies = np.arange(vectors.shape[1], dtype=np.int64)
    tail = Segment(empty_vectors(vectors.shape[2]), None)
    partitions = [
        Partition(Segment(Vectors(studies, studies, rows), build_graph(rows)), tail, 0, 0) for rows in vectors
    ]
    return lambda region, query: partitions[region].search(query, K)[0]


def exact(vectors: FloatArray) -> Search:
    """One matrix-vector product and a partial sort, in NumPy."""

    def search(region: int, query: FloatArray) -> npt.NDArray[np.int64]:
        scores = vectors[region] @ query
        best = np.argpartition(scores, -K)[-K:] if len(scores) > K else np.arange(len(scores))
        return np.asarray(best[np.argsort(-scores[best])], dtype=np.int64)

    return search


def filtered(vectors: FloatArray) -> Search:
    """All regions in one usearch index; hits of other regions are dropped afterwards."""
    from usearch.index import Index

    regions, studies, dim = vectors.shape
    fetch = min(K * regions, regions * studies)  # holds K rows of the region if all are alike
    index: Any = Index(ndim=dim, metric="ip", dtype="bf16", expansion_search=fetch)
    index.add(np.arange(regions * studies, dtype=np.uint64), vectors.reshape(-1, dim))

    def search(region: int, query: FloatArray) -> npt.NDArray[np.int64]:
        found = index.search(query, fetch, threads=1)
        keys = np.asarray(found.keys[: len(found)], dtype=np.int64)
        return keys[keys // studies == region][:K] % studies

    return search


METHODS: dict[str, Callable[[FloatArray], Search]] = {
    "edge-retrieve partitions": ours,
    "numpy exact scan": exact,
    "usearch, one index, filtered after": filtered,
}


def measure(regions: int, studies: int, dim: int, queries: int, seed: int) -> list[Row]:
    """Time every method on the same queries, taking turns so that all meet the same load."""
    random = np.random.default_rng(seed)
    vectors = make_vectors(random, regions, studies, dim)
    built: dict[str, Search] = {}
    build_s: dict[str, float] = {}
    for name, make in METHODS.items():
        start = time.perf_counter()
        built[name] = make(vectors)
        build_s[name] = time.perf_counter() - start
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    hits: dict[tuple[str, bool], list[float]] = {
        (name, cross): [] for name in METHODS for cross in (False, True)
    }
    truth = exact(vectors)
    for number in range(queries):
        region, source = random.integers(0, regions, 2)
        cross = number % 2 == 1 and source != region
        query = near(random, vectors[source if cross else region, random.integers(0, studies)])
        wanted = set(truth(region, query).tolist())
        for name, search in built.items():
            start = time.perf_counter()
            found = search(region, query)
            times[name].append(time.perf_counter() - start)
            hits[name, cross].append(len(wanted & set(found.tolist())) / len(wanted))
    return [
        Row(
            method=name,
            studies=studies,
            p50_ms=round(1e3 * float(np.percentile(times[name], 50)), 4),
            p99_ms=round(1e3 * float(np.percentile(times[name], 99)), 4),
            recall=round(float(np.mean(hits[name, False])), 4),
            cross=round(float(np.mean(hits[name, True])), 4) if hits[name, True] else float("nan"),
            build_s=round(build_s[name], 2),
        )
        for name in METHODS
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--studies", type=int, nargs="+", default=[400, 2000, 20000])
    parser.add_argument("--regions", type=int, default=len(REGIONS))
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="a few seconds: does it run at all?")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    sizes, dim, queries = ([200], 64, 40) if asked.tiny else (asked.studies, asked.dim, asked.queries)
    rows = [row for studies in sizes for row in measure(asked.regions, studies, dim, queries, asked.seed)]
    if asked.json:
        print(json.dumps({"dim": dim, "k": K, "rows": [asdict(row) for row in rows]}))
        return
    print(
        f"{'method':36} {'studies':>8} {'p50 ms':>8} {'p99 ms':>8} {'recall':>7} {'cross':>7} {'build s':>8}"
    )
    for row in rows:
        print(
            f"{row.method:36} {row.studies:8} {row.p50_ms:8.3f} {row.p99_ms:8.3f}"
            f" {row.recall:7.3f} {row.cross:7.3f} {row.build_s:8.2f}"
        )


if __name__ == "__main__":
    main()
