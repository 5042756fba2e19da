"""Figures for Prometheus. None of them holds an identifier."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_HITS = (0, 1, 2, 5, 10, 20, 50, 100)
_SCORES = tuple(round(0.05 * n, 2) for n in range(-4, 21))
_SHARES = tuple(round(0.1 * n, 1) for n in range(1, 11))


class Stage(str, Enum):
    """What is timed apart."""

    DECODE = "decode"
    ENCODE = "encode"
    SEARCH = "search"
    RENDER = "render"
    GROUND = "ground"


class Metrics:
    """The figures of one server.

    Parameters
    ----------
    studies : callable
        Counts the studies of the store.
    waiting : callable
        Counts the requests that wait for their turn.
    jobs : callable
        Counts jobs by state.
    """

    def __init__(
        self,
        *,
        studies: Callable[[], int],
        waiting: Callable[[], int],
        jobs: Callable[[], Mapping[str, int]],
    ) -> None:
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "edge_retrieve_stage_seconds",
            "How long the stages of answering took.",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        for stage in Stage:  # shown as none before the first
            self._stages.labels(stage.value)
        self._requests = Histogram(
            "edge_retrieve_request_seconds",
            "How long requests took, by the form of their address.",
            ["method", "address", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._hits = Histogram(
            "edge_retrieve_hits", "Hits per query.", buckets=_HITS, registry=self._registry
        )
        self._abstentions = Counter(
            "edge_retrieve_abstentions",
            "Queries without a sufficiently similar case.",
            registry=self._registry,
        )
        self._best = Histogram(
            "edge_retrieve_best_score", "Score of the best hit.", buckets=_SCORES, registry=self._registry
        )
        self._confidence = Histogram(
            "edge_retrieve_region_confidence",
            "How sure the model is of the regions of query images.",
            buckets=_SHARES,
            registry=self._registry,
        )
        Gauge(
            "edge_retrieve_waiting", "Requests that wait for their turn.", registry=self._registry
        ).set_function(waiting)
        self._studies = Gauge("edge_retrieve_studies", "Studies in the store.", registry=self._registry)
        self._studies.set_function(studies)
        self._registry.register(_Jobs(jobs))

    def count_studies(self, studies: Callable[[], int]) -> None:
        """Count the store's studies with another function from now on."""
        self._studies.set_function(studies)

    def add(self, collector: Collector) -> None:
        """Tell of another room's figures, too."""
        self._registry.register(collector)

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Time a stage; one that fails counts, too."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages.labels(stage.value).observe(time.perf_counter() - start)

    def request(self, method: str, address: str, status: int, seconds: float) -> None:
        """Note a request; `address` is its form (``/api/studies/{study}``), never the address itself."""
        self._requests.labels(method, address, str(status)).observe(seconds)

    def answer(self, scores: Sequence[float], abstained: bool) -> None:
        """Note the answer to a query: the scores of its hits, best first."""
        self._hits.observe(len(scores))
        if scores:
            self._best.observe(scores[0])
        if abstained:
            self._abstentions.inc()

    def confidences(self, scores: Sequence[float]) -> None:
        """Note how sure the model is of a query image's regions."""
        for score in scores:
            self._confidence.observe(score)

    def text(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._registry)


class _Jobs:
    """Counts jobs when asked."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    def collect(self) -> Iterator[Metric]:
        """Return the figure for each state."""
        family = GaugeMetricFamily("edge_retrieve_jobs", "Jobs by state.", labels=["state"])
        for state, number in self._count().items():
            family.add_metric([state], number)
        yield family
