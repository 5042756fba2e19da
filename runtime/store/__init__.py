"""The case store: studies, images, reports, findings, boxes and every embedding, in SQLite."""

from edge_retrieve.runtime.store.backup import Backup, restore_backup, write_backup
from edge_retrieve.runtime.store.embeddings import Vectors, Watermark
from edge_retrieve.runtime.store.ledger import Fate, ReadFile, Sight
from edge_retrieve.runtime.store.opening import schema_version
from edge_retrieve.runtime.store.pictures import StoredPicture
from edge_retrieve.runtime.store.records import (
    KnownImage,
    NewEncoding,
    NewImage,
    NewReport,
    StoredImage,
    StoreStats,
    StudyRecord,
    StudySummary,
)
from edge_retrieve.runtime.store.schema import SCHEMA_VERSION
from edge_retrieve.runtime.store.store import Store
from edge_retrieve.runtime.store.worklist import Order, Worklist

__all__ = [
    "SCHEMA_VERSION",
    "Backup",
    "Fate",
    "KnownImage",
    "NewEncoding",
    "NewImage",
    "NewReport",
    "Order",
    "ReadFile",
    "Sight",
    "Store",
    "StoreStats",
    "StoredImage",
    "StoredPicture",
    "StudyRecord",
    "StudySummary",
    "Vectors",
    "Watermark",
    "Worklist",
    "restore_backup",
    "schema_version",
    "write_backup",
]
