"""How long a whole query takes, a DICOM file in and ranked hits out, and where the time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_retrieve.runtime.anatomy import REGIONS, Region
from edge_retrieve.runtime.encoder import Encoder
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.query import Query
from edge_retrieve.runtime.retriever import Retriever

REGIONS_ASKED = (0, 1, 4)
"""Regions of the queries measured; none is a query by the whole image."""


@dataclass(frozen=True)
class QueryRow:
    """Queries in so many regions.

    Parameters
    ----------
    method : str
    regions : int
    p50_ms, p99_ms : float
        Of the whole query.
    decode_ms, encode_ms, search_ms : float
        Medians: from the file to display intensities, from these to embeddings, from these to hits.
    decode_encode_share : float
        Median of what decoding and encoding take of the whole.
    runs : int
    """

    method: str
    regions: int
    p50_ms: float
    p99_ms: float
    decode_ms: float
    encode_ms: float
    search_ms: float
    decode_encode_share: float
    runs: int


def measure_queries(
    retriever: Retriever,
    encoder: Encoder,
    files: Sequence[Path],
    runs: int,
    advance: Callable[..., None],
) -> list[QueryRow]:
    """Ask with files in turn, in no, one and four regions.

    Parameters
    ----------
    retriever : Retriever
    encoder : Encoder
        The retriever's.
    files : sequence of Path
    runs : int
        Rounds that count; one more goes before them.
    advance : callable
        Called with rounds done and their number.

    Raises
    ------
    PixelError, QueryError
        Where a file cannot be read or asked with.
    """
    taken: dict[int, list[tuple[float, float, float]]] = {count: [] for count in REGIONS_ASKED}
    _open_partitions(retriever, encoder, files[0])
    for number in range(-1, runs):
        path = files[number % len(files)]
        for count in REGIONS_ASKED:
            regions = tuple(REGIONS[(number + step) % len(REGIONS)] for step in range(count))
            stages = _ask(retriever, encoder, path, regions)
            if number >= 0:
                taken[count].append(stages)
        advance(number + 1, runs)
    rows = []
    for count, each in taken.items():
        stages_ms = 1e3 * np.asarray(each)
        whole = stages_ms.sum(axis=1)
        decode, encode, search = np.median(stages_ms, axis=0).tolist()
        rows.append(
            QueryRow(
                method=f"edge-retrieve, {count or 'no'} region{'' if count == 1 else 's'}",
                regions=count,
                p50_ms=float(np.median(whole)),
                p99_ms=float(np.percentile(whole, 99)),
                decode_ms=decode,
                encode_ms=encode,
                search_ms=search,
                decode_encode_share=float(np.median(1 - stages_ms[:, 2] / whole)),
                runs=len(each),
            )
        )
    return rows


def _open_partitions(retriever: Retriever, encoder: Encoder, path: Path) -> None:
    """Ask in every region once: what was just filled is brought into its form when first asked."""
    radiograph = load_radiograph(path)
    encoding = encoder.encode_image(radiograph.pixels)
    retriever.query(Query(image=path, regions=REGIONS), encoding=encoding, radiograph=radiograph)


def _ask(
    retriever: Retriever, encoder: Encoder, path: Path, regions: tuple[Region, ...]
) -> tuple[float, float, float]:
    start = time.perf_counter()
    radiograph = load_radiograph(path)
    decoded = time.perf_counter()
    encoding = encoder.encode_image(radiograph.pixels)
    encoded = time.perf_counter()
    retriever.query(Query(image=path, regions=regions), encoding=encoding, radiograph=radiograph)
    return decoded - start, encoded - decoded, time.perf_counter() - encoded
