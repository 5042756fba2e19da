"""Reading and preparing image files ahead of the encoder: several at once, in order, never many of them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.encoder import Encoder, PreparedImage
from edge_retrieve.runtime.errors import ConfigError, PixelError
from edge_retrieve.runtime.ingest_ledger import Ledger
from edge_retrieve.runtime.preprocess import load_radiograph
from edge_retrieve.runtime.preprocess.grey import GreyScale
from edge_retrieve.runtime.preprocess.render import grey_png
from edge_retrieve.runtime.preprocess.types import Radiograph
from edge_retrieve.runtime.report_sources import NOTHING, ReportEntry, ReportSource
from edge_retrieve.runtime.store import ReadFile, Sight, Store

PREVIEW_SIDE = 1024
"""Longest side of the pictures kept in the store, pixels."""

# Whole X-rays are held by these alone, one each; what waits for its turn is small.
_WORKERS = min(4, os.cpu_count() or 1)
_AHEAD = 2 * _WORKERS


@dataclass(frozen=True)
class Loaded:
    """An image file, ready to be encoded.

    Parameters
    ----------
    path : Path
    radiograph : Radiograph
        Its pixels dropped: a batch of originals would fill the memory.
    entry : ReportEntry
    prepared : PreparedImage or None
        None where the store knew the image when the file was read.
    preview : bytes
        PNG of grey values; empty where `prepared` is None.
    scale : GreyScale or None
        What the grey values mean.
    source : str
        Where the store says the image comes from; empty where that might name somebody.
    sight : Sight, optional
        Of the file before it was read; None where it is not to be noted.
    """

    path: Path
    radiograph: Radiograph
    entry: ReportEntry
    prepared: PreparedImage | None
    preview: bytes
    scale: GreyScale | None = None
    source: str = ""
    sight: Sight | None = None


@dataclass(frozen=True)
class Unusable:
    """An image file, or a report beside it, that cannot be used.

    Parameters
    ----------
    path : Path
    reason : str
    note : ReadFile, optional
        What is noted of it for the next time.
    """

    path: Path
    reason: str
    note: ReadFile | None = None


@dataclass(frozen=True)
class Seen:
    """An image file that an earlier run has dealt with; it was not opened.

    Parameters
    ----------
    path : Path
    note : ReadFile
    """

    path: Path
    note: ReadFile


class Loader:
    """Loads files in threads of its own.

    Parameters
    ----------
    store : Store
        Asked which images it has.
    encoder : Encoder
        Prepares the others.
    source : ReportSource
    deidentifier : Deidentifier, optional
        What every case passes; without one, cases are stored as they are.
    ledger : Ledger, optional
        Tells which files need not be opened.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        source: ReportSource,
        deidentifier: Deidentifier | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._ledger = ledger
        self._deidentifier = deidentifier
        self._store = store
        self._encoder = encoder
        self._source = source

    def load_all(self, paths: Sequence[Path]) -> Iterator[Loaded | Seen | Unusable]:
        """Return what files hold in the order given, a few of them read ahead."""
        waiting: deque[Future[Loaded | Seen | Unusable]] = deque()
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="load") as pool:
            try:
                for path in paths:
                    waiting.append(pool.submit(self.load, path))
                    if len(waiting) > _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def load(self, path: Path, *, known_too: bool = False) -> Loaded | Seen | Unusable:
        """Read a file; with `known_too` it is prepared even where the store has the image."""
        ledger, sight = self._ledger, None
        if ledger is not None:
            # Before it is read: what is changed meanwhile is seen to have changed.
            sight = ledger.look(path)
            note = None if sight is None or known_too else ledger.find(sight)
            if note is not None:
                return Seen(path, note)
        try:
            entry = self._source.for_file(path)
            radiograph = load_radiograph(path, view=entry.view if entry else None, grey=True)
            if entry is None or not entry.text:
                # A file the sources know by its study alone: by then its view has been read already.
                entry = self._source.for_study(radiograph.study) or entry or NOTHING
            if self._deidentifier is not None:
                radiograph, entry = self._clean(self._deidentifier, path, radiograph, entry)
        except (PixelError, ConfigError) as error:
            rejected = None if ledger is None or sight is None else ledger.rejected(sight, path, error)
            return Unusable(path, str(error), rejected)
        small = replace(radiograph, pixels=radiograph.pixels[:0, :0].copy(), grey=None)
        if not known_too and self._store.find_image(radiograph.sop_instance, radiograph.pixels_sha256):
            return Loaded(path, small, entry, None, b"", source=self._source_of(path), sight=sight)
        prepared = self._encoder.prepare(radiograph.pixels)
        assert radiograph.grey is not None  # as asked for
        picture = radiograph.grey.reduced(PREVIEW_SIDE)
        return Loaded(
            path,
            small,
            entry,
            prepared,
            grey_png(picture),
            picture.scale,
            source=self._source_of(path),
            sight=sight,
        )

    def _clean(
        self, deidentifier: Deidentifier, path: Path, radiograph: Radiograph, entry: ReportEntry
    ) -> tuple[Radiograph, ReportEntry]:
        clean = deidentifier.case(path, radiograph, entry)
        if clean.entry.text:
            return clean.radiograph, clean.entry
        # A report that came before its image waits under the study's pseudonym.
        waiting = self._source.for_study(clean.radiograph.study)
        return clean.radiograph, replace(clean.entry, text=waiting.text) if waiting else clean.entry

    def _source_of(self, path: Path) -> str:
        # Folders and files are often named after patients.
        return "" if self._deidentifier is not None else str(path)
