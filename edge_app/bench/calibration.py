"""From how many rows on which form of a partition answers fastest on this machine."""

from __future__ import annotations

import time

import numpy as np

from edge_retrieve.edge_app.bench.synthetic_rows import FloatArray, K, make_rows
from edge_retrieve.runtime.index import kernel
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.index.segment import Segment, build_segment
from edge_retrieve.runtime.index.switch_points import SwitchPoints
from edge_retrieve.runtime.store import Vectors


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
