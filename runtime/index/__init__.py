"""The search index: one partition per (image or text) x (29 regions and the whole), a cache of the store."""

from edge_retrieve.runtime.index.files import FileState
from edge_retrieve.runtime.index.index import Index, PartitionState
from edge_retrieve.runtime.index.keys import PartitionKey
from edge_retrieve.runtime.index.partition import Partition
from edge_retrieve.runtime.index.view import IndexView, Partitions

__all__ = ["FileState", "Index", "IndexView", "Partition", "PartitionKey", "PartitionState", "Partitions"]
