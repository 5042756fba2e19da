"""A node's figures for Prometheus. None of them holds an identifier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_retrieve.edge_app.dicom_node.node import DicomNode

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 1800)


class NodeFigures(Collector):
    """Collects a node's status when it is asked, and how long objects took to be searchable.

    Register it with a registry of prometheus_client.
    """

    def __init__(self) -> None:
        self._node: DicomNode | None = None
        # In a registry of its own, so that one call collects all that is a node's.
        self._registry = CollectorRegistry()
        self._searchable = Histogram(
            "edge_retrieve_dicom_searchable_seconds",
            "How long after its arrival queries found an image.",
            buckets=_SECONDS,
            registry=self._registry,
        )

    def searchable(self, seconds: float) -> None:
        """Note how long after its arrival queries found an image."""
        self._searchable.observe(seconds)

    def watch(self, node: DicomNode) -> None:
        """Tell of this node from now on."""
        self._node = node

    def collect(self) -> Iterator[Metric]:
        """Return the figures of this moment."""
        if self._node is None:
            return
        yield from self._registry.collect()
        with suppress(OSError):  # the folder cannot be read: no figures rather than no answer
            yield from self._status(self._node)

    def _status(self, node: DicomNode) -> Iterator[Metric]:
        status = node.status
        for name, help_, value in (
            ("waiting", "Objects acknowledged and not stored yet.", status.spool.waiting),
            ("oldest_seconds", "How long the oldest of them has waited.", status.spool.oldest_s),
            ("quarantined", "Objects that cannot be stored.", status.spool.quarantined),
            ("waiting_reports", "Reports whose image has not come yet.", status.spool.waiting_reports),
            ("free_bytes", "Free space for received objects.", status.spool.free_bytes),
            ("failing", "1 while objects have to be tried again.", int(bool(status.work.failing))),
            ("associations", "Associations open now.", status.scp.associations if status.scp else 0),
        ):
            yield GaugeMetricFamily(f"edge_retrieve_dicom_{name}", help_, value=value)
        scp = status.scp
        for name, help_, value in (
            ("stored", "Images stored.", status.work.stored),
            ("unchanged", "Images that the store had already.", status.work.unchanged),
            ("reports", "Reports taken in.", status.work.reports),
            ("set_aside", "Objects moved to quarantine.", status.work.set_aside),
            ("received", "C-STORE requests answered with success.", scp.received if scp else 0),
            ("refused", "C-STORE requests refused.", scp.refused if scp else 0),
            ("rejected", "Associations rejected.", scp.rejected if scp else 0),
        ):
            yield CounterMetricFamily(f"edge_retrieve_dicom_{name}", help_, value=value)
