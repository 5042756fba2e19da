"""Bringing a store of an earlier version forward, with a copy to go back to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from edge_retrieve.runtime.errors import StoreError
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.store import SCHEMA_VERSION, Backup, Store, schema_version, write_backup

# Opens a progress bar for a phase; what it yields is called with the done, their total and perhaps a name.
ProgressBar = Callable[[str], AbstractContextManager[Callable[..., None]]]


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade did.

    Parameters
    ----------
    before, after : int
        Schema versions; equal where there was nothing to do.
    studies : int
    backup : Backup or None
        The copy of what was there; None where there was nothing to do.
    """

    before: int
    after: int
    studies: int
    backup: Backup | None


def upgrade(path: Path, backup: Path, progress_bar: ProgressBar) -> Upgrade:
    """Copy a store as it is, bring it to this version's schema, and verify it from end to end.

    Parameters
    ----------
    path : Path
        The store's folder. Nobody else may have it open: an earlier version would not understand it any more.
    backup : Path
        A folder that does not exist yet. The version that wrote the store can restore it.
    progress_bar : callable
        Opens a progress bar.

    Raises
    ------
    StoreError
        Where there is no store, it is of a newer version or damaged, or the copy cannot be written; the store
        is as it was then. Where it does not verify afterwards; the error names the copy.
    """
    before = schema_version(path)
    if before >= SCHEMA_VERSION:
        with Store.open(path) as store:  # says so where it is of a newer version
            return Upgrade(before, before, store.count(), None)
    with progress_bar("Copying the store as it is") as advance:
        written = write_backup(path, backup, advance)
    with Store.open(path) as store:
        damage = store.damage()
        if damage or store.count() != written.studies:
            reason = damage[0] if damage else "studies are missing"
            raise StoreError(
                f"after the upgrade the store does not verify: {reason}",
                where=str(path),
                remedy=f"Restore {backup} with the version that wrote the store, and report this",
            )
        with progress_bar("Bringing the index up to date") as advance:
            Index(store).refresh(advance)
        return Upgrade(before, SCHEMA_VERSION, store.count(), written)
