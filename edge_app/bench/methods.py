"""All methods that `bench search` knows, ours first."""

from edge_retrieve.edge_app.bench.method import Method
from edge_retrieve.edge_app.bench.other_indexes import FaissSelector, HnswlibFilter, LanceDb, SqliteVec
from edge_retrieve.edge_app.bench.own_indexes import NumpyScan, Ours, UsearchPerRegion

METHODS: tuple[type[Method], ...] = (
    Ours,
    UsearchPerRegion,
    NumpyScan,
    FaissSelector,
    HnswlibFilter,
    SqliteVec,
    LanceDb,
)
