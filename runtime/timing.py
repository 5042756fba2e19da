"""How long things take when they take turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """What one case took.

    Parameters
    ----------
    p50_ms, p99_ms : float
        Median and 99th percentile of the clock; of few runs the second is near the slowest.
    cpu_ms : float
        Median of the processor time of all threads of this process. Where other programs run, it can still
        be compared when the clock no longer can.
    runs : int
    """

    p50_ms: float
    p99_ms: float
    cpu_ms: float
    runs: int


def take_turns(
    cases: Mapping[str, Callable[[], object]],
    runs: int,
    *,
    warm_up: int = 2,
    seed: int = 0,
    before: Mapping[str, Callable[[], object]] | None = None,
    advance: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, Timing]:
    """Time several cases in one interleaved run.

    Each round runs every case once, in an order drawn anew: no case always meets the caches, or the
    clock rate, that the same other one left behind.

    Parameters
    ----------
    cases : mapping of str to callable
    runs : int
        Rounds that count.
    warm_up : int
        Rounds before them that do not: the first allocates, the second finds the memory.
    seed : int
        Of the orders.
    before : mapping of str to callable, optional
        What comes before a case in use and is not timed with it, by the case's name.
    advance : callable, optional
        Told after each round how many are done, and of how many.

    Returns
    -------
    dict of str to Timing
        In the order of `cases`.
    """
    order = np.random.default_rng(seed)
    names = list(cases)
    clock: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(warm_up + runs):
        for position in order.permutation(len(names)):
            name = names[position]
            if before and name in before:
                before[name]()
            began, busy = time.perf_counter(), time.process_time()
            cases[name]()
            ended, worked = time.perf_counter(), time.process_time()
            if turn >= warm_up:
                clock[name].append(1e3 * (ended - began))
                cpu[name].append(1e3 * (worked - busy))
        advance(turn + 1, warm_up + runs)
    return {
        name: Timing(
            p50_ms=round(float(np.percentile(clock[name], 50)), 4),
            p99_ms=round(float(np.percentile(clock[name], 99)), 4),
            cpu_ms=round(float(np.percentile(cpu[name], 50)), 4),
            runs=runs,
        )
        for name in names
    }
