"""What one query sees of an index."""

from __future__ import annotations

from typing import Protocol

from edge_retrieve.runtime.anatomy import Region
from edge_retrieve.runtime.hits import Modality
from edge_retrieve.runtime.index.index import Index
from edge_retrieve.runtime.index.keys import PartitionKey
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.store import Watermark


class Partitions(Protocol):
    """Partitions to search, and the studies to leave out of what they say."""

    def partition(self, modality: Modality, region: Region | None) -> Partition:
        """Return a partition."""
        ...

    def deleted(self) -> frozenset[int]:
        """Return the numbers of the studies deleted since the partitions were brought up to date."""
        ...


class IndexView:
    """The partitions of an index as of one moment: the store is asked once how far it has come.

    Parameters
    ----------
    index : Index
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._watermarks: dict[Modality, Watermark] = {}
        self._held: dict[PartitionKey, Partition] = {}

    def partition(self, modality: Modality, region: Region | None) -> Partition:
        """Return a partition, the same each time."""
        key = PartitionKey(modality, region)
        held = self._held.get(key)
        if held is None:
            if modality not in self._watermarks:
                self._watermarks[modality] = self._index.watermark(modality)
            held = self._held[key] = self._index.partition(modality, region, self._watermarks[modality])
        return held

    def deleted(self) -> frozenset[int]:
        """Return the numbers of the studies deleted since the partitions were brought up to date."""
        return self._index.deleted()
