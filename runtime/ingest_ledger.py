"""Which files an earlier ingest has dealt with, told without opening them."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from edge_retrieve.runtime.deid.deidentifier import Deidentifier
from edge_retrieve.runtime.errors import ConfigError, EdgeRetrieveError, StoreError
from edge_retrieve.runtime.report_sources import ReportSource
from edge_retrieve.runtime.store import Fate, ReadFile, Sight, Store

_SETTLED_NS = 2_000_000_000
"""A file may change again within its time stamp's tick (2 s on FAT) and look the same: such are not noted."""

_QUOTED = re.compile(r"'[^']*'")


class Ledger:
    """What a store knows of files; safe to share between threads.

    Parameters
    ----------
    store : Store
    source : ReportSource
        A file is read again where it says something else of it.
    deidentifier : Deidentifier, optional
        What cases pass: where it has another key, or comes or goes, files are read again.
    again : bool
        Know none of them, and note them anew.
    """

    def __init__(
        self,
        store: Store,
        source: ReportSource,
        deidentifier: Deidentifier | None = None,
        *,
        again: bool = False,
    ) -> None:
        self._store, self._source, self._again = store, source, again
        self._discreet = deidentifier is not None
        self._digest = _salted(store.store_id) if deidentifier is None else deidentifier.key.digest
        policy = "" if deidentifier is None else deidentifier.key.check
        of = f"{store.bundle_id} {policy}"
        # What this version cannot read a later one may.
        self._terms = {
            Fate.STORED: self._digest("terms", of),
            Fate.REJECTED: self._digest("terms", f"{of} {_version()}"),
        }
        self._whole = source.digest()

    def look(self, path: Path) -> Sight | None:
        """Return what can be seen of a file without opening it, None where that is not enough to tell by."""
        try:
            state = path.stat()
            entry = self._source.for_file(path)
        except (OSError, ConfigError):
            return None
        if time.time_ns() - state.st_mtime_ns < _SETTLED_NS:
            return None
        # What is said of its study is not known before it is opened: there anything new counts.
        said = f"{entry!r} {'' if entry is not None and entry.text else self._whole}"
        return Sight(
            self._digest("path", str(path.resolve())),
            state.st_size,
            state.st_mtime_ns,
            self._digest("said", said),
        )

    def find(self, sight: Sight) -> ReadFile | None:
        """Return what became of a file, None where it has to be read."""
        held = None if self._again else self._store.find_file(sight.path)
        if held is None or (held.sight.size, held.sight.mtime_ns) != (sight.size, sight.mtime_ns):
            return None
        if held.fate is Fate.DELETED:
            return held
        return held if (held.sight.said, held.terms) == (sight.said, self._terms[held.fate]) else None

    def stored(self, sight: Sight, study: str, reason: str, *, spoke: bool) -> ReadFile:
        """Return the note of a file whose image a study holds."""
        return ReadFile(
            sight,
            self._terms[Fate.STORED],
            Fate.STORED,
            reason,
            study,
            spoke,
        )

    def rejected(self, sight: Sight, path: Path, error: EdgeRetrieveError) -> ReadFile | None:
        """Return the note of a file that cannot be used; None where the fault lies elsewhere."""
        if error.where != str(path):
            return None
        reason = str(type(error)(error.what, remedy=error.remedy))
        if self._discreet:
            # What is quoted may be of the file's header, and files are named after patients.
            reason = _QUOTED.sub("...", reason)
            if path.name in reason or str(path.parent) in reason:
                return None
        return ReadFile(
            sight,
            self._terms[Fate.REJECTED],
            Fate.REJECTED,
            reason,
        )

    def keep(self, files: list[ReadFile]) -> None:
        """Note files that brought nothing new into the store, where it can be written."""
        # Without, the next run reads them once more; what was said of them is true all the same.
        with suppress(StoreError):
            self._store.add([], [], files)


def _salted(salt: str) -> Callable[[str, str], bytes]:
    """Return a digest of texts, another one for each purpose and store."""

    def digest(purpose: str, text: str) -> bytes:
        return hashlib.sha256(f"{salt}:{purpose}:{text}".encode("utf-8", "surrogateescape")).digest()

    return digest


def _version() -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("edge-retrieve")
    return ""
