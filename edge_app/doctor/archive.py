"""The archive: its folder, its store, its index. A cheap look; ``store check`` reads everything."""

from __future__ import annotations

import stat
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.edge_app.doctor.check import Check, failed, failed_by, ok, sizes, warning
from edge_retrieve.edge_app.labels import read_label
from edge_retrieve.runtime.bundle import Bundle
from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.index import FileState, Index
from edge_retrieve.runtime.store import SCHEMA_VERSION, Store, schema_version

_SAMPLE = 16  # studies read with their checksums
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SOUND = {FileState.CURRENT, FileState.BEHIND}


@dataclass(frozen=True)
class ArchiveFacts:
    """What other checks need to know of an archive.

    Parameters
    ----------
    studies : int
    bytes : int
        Of all files of the store's folder.
    newest_study : str
        Its date, ``YYYYMMDD``; empty where unknown.
    last_write : float
        When the database was written last, seconds since 1970; 0 where there is none.
    """

    studies: int = 0
    bytes: int = 0
    newest_study: str = ""
    last_write: float = 0.0


def archive(path: Path, bundle: Bundle | None) -> tuple[tuple[Check, ...], ArchiveFacts]:
    """Look at a store without changing it.

    Parameters
    ----------
    path : Path
        Its folder.
    bundle : Bundle, optional
        The one in use; None where it could not be opened.
    """
    facts = ArchiveFacts(bytes=_bytes(path), last_write=_last_write(path))
    try:
        schema = schema_version(path)
    except EdgeRetrieveError as error:
        return (failed_by("store", error),), facts
    if schema < SCHEMA_VERSION:
        old = warning(
            "store",
            f"it has schema {schema}; this version brings it to schema {SCHEMA_VERSION} when it is opened, "
            "and the version that wrote it cannot read it then",
            f"Run: edge-retrieve store upgrade --store {path} --backup DEST, which copies it first; or "
            "copy it with that version ('edge-retrieve store backup'). docs/admin-guide.md, Upgrade",
        )
        return (_folder(path), old), facts
    try:
        with Store.open(path) as store:
            facts = ArchiveFacts(store.count(), facts.bytes, store.newest_date(), facts.last_write)
            return (_folder(path), _store(store, bundle), _index(store)), facts
    except EdgeRetrieveError as error:
        return (_folder(path), failed_by("store", error)), facts


def _folder(path: Path) -> Check:
    """See that nobody else may read the folder."""
    mode = path.stat().st_mode
    if mode & _OTHERS:
        return warning(
            "folder",
            f"{path} has mode {stat.S_IMODE(mode):o}: other users of this machine may read patients' data",
            f"Run: chmod 700 {path}",
        )
    return ok("folder", f"{path} is its owner's alone")


def _store(store: Store, bundle: Bundle | None) -> Check:
    """Count what is there, and read some studies with their checksums."""
    stats = store.stats()
    label = read_label(store.path)
    what = f"{stats.studies:,} studies of {stats.patients:,} patients, {stats.indexed_images:,} images"
    if label.synthetic:
        what += ", synthetic"
    if bundle is not None and bundle.bundle_id != stats.bundle_id:
        return failed(
            "store",
            f"{what}; encoded with another bundle ({stats.model_id}, {stats.bundle_id[:12]}) than the one "
            "in use",
            "Name the store's --bundle, or run 'edge-retrieve store reencode' with this one",
        )
    damage = _damage(store, stats.studies)
    if damage:
        return failed(
            "store",
            f"{what}; of {min(_SAMPLE, stats.studies)} read, some are damaged",
            "Run 'edge-retrieve store check' to see all of it, then restore a backup",
            damage,
        )
    if stats.unerased:
        return warning(
            "store",
            f"{what}; {stats.unerased} deleted studies have left traces in the files",
            f"Run: edge-retrieve store rebuild --store {store.path}",
        )
    if not stats.studies:
        return warning("store", what, f"Run: edge-retrieve ingest IMAGES --store {store.path}")
    return ok("store", what)


def _damage(store: Store, studies: int) -> tuple[str, ...]:
    found = []
    for offset in sorted({n * studies // _SAMPLE for n in range(_SAMPLE)} if studies else ()):
        try:
            for summary in store.studies(limit=1, offset=offset):
                store.study(summary.study)
                store.preview(summary.study)
        except EdgeRetrieveError as error:
            found.append(error.what)
    return tuple(found)


def _index(store: Store) -> Check:
    """Compare the index files' sidecars and sizes with the store."""
    states = Counter(entry.state for entry in Index(store).check(contents=False))
    unsound = sum(count for state, count in states.items() if state not in _SOUND)
    told = [f"{count} partitions: {state.value}" for state, count in states.items()]
    if unsound:
        return warning(
            "index",
            f"{unsound} of {sum(states.values())} partitions will be built anew when first searched",
            f"Run: edge-retrieve store rebuild --store {store.path}",
            told,
        )
    return ok("index", f"{sum(states.values())} partitions, {sizes(_bytes(store.index_folder))}", told)


def _bytes(folder: Path) -> int:
    total = 0
    with suppress(OSError):
        for path in folder.rglob("*"):
            with suppress(OSError):  # exchanged for another meanwhile
                total += path.lstat().st_size if path.is_file() else 0
    return total


def _last_write(path: Path) -> float:
    with suppress(OSError):
        return (path / "store.sqlite").stat().st_mtime
    return 0.0
