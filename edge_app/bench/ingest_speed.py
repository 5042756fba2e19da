"""How fast files are taken into a store, and where the time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.ingest import ingest
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.store import Store


@dataclass(frozen=True)
class IngestRow:
    """One ingest.

    Parameters
    ----------
    method : str
    studies : int
    studies_per_s : float
        Clock, the index included.
    p50_ms : float
        Of a study: 1,000 over the rate.
    decode_ms, prepare_ms, encode_images_ms, encode_texts_ms, commit_ms, index_ms : float
        A study. Decoding was timed alone, on the same files; where stages overlap, their sum is more than
        the whole.
    """

    method: str
    studies: int
    studies_per_s: float
    p50_ms: float
    decode_ms: float
    prepare_ms: float
    encode_images_ms: float
    encode_texts_ms: float
    commit_ms: float
    index_ms: float


class _Timed:
    """Stands for an object and keeps the time that some of its methods take."""

    def __init__(self, target: Any, names: Sequence[str]) -> None:
        self._target, self._names = target, frozenset(names)
        self.seconds = dict.fromkeys(names, 0.0)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name not in self._names:
            return found

        def timed(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return found(*args, **options)
            finally:
                self.seconds[name] += time.perf_counter() - start

        return timed


def measure_ingest(
    store: Store, encoder: Encoder, files: Sequence[Path], advance: Callable[..., None]
) -> IngestRow:
    """Take files into an empty store.

    Parameters
    ----------
    store : Store
    encoder : Encoder
    files : sequence of Path
        One study each, a report beside it.
    advance : callable
        Called as `ingest` calls its `progress`.
    """
    start = time.perf_counter()
    for path in files:
        load_radiograph(path)
    decode_s = time.perf_counter() - start
    timed_encoder = _Timed(encoder, ("prepare", "encode_prepared", "encode_texts"))
    timed_store = _Timed(store, ("add",))
    index_from: list[float] = []

    def progress(done: int, total: int, what: str) -> None:
        if what.startswith("index") and not index_from:
            index_from.append(time.perf_counter())
        advance(done, total, what)

    start = time.perf_counter()
    ingest(cast(Store, timed_store), cast(Encoder, timed_encoder), list(files), progress=progress)
    end = time.perf_counter()
    each_ms = 1e3 / len(files)
    return IngestRow(
        method="edge-retrieve",
        studies=len(files),
        studies_per_s=len(files) / (end - start),
        p50_ms=each_ms * (end - start),
        decode_ms=each_ms * decode_s,
        prepare_ms=each_ms * timed_encoder.seconds["prepare"],
        encode_images_ms=each_ms * timed_encoder.seconds["encode_prepared"],
        encode_texts_ms=each_ms * timed_encoder.seconds["encode_texts"],
        commit_ms=each_ms * timed_store.seconds["add"],
        index_ms=each_ms * (end - index_from[0] if index_from else 0.0),
    )
