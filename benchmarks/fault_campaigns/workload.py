"""An ingest as it goes: batches, changed reports, deletions, merges, and a backup now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_retrieve.runtime.erasure import rebuild
from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.store import Store, write_backup
from fault_campaigns.archive import NO_REPORT, Archive
from fault_campaigns.looking import GONE, Known

Tell = Callable[[str, dict[int, int]], None]

MERGE_EVERY = 3  # batches
DELETE_EVERY = 7
BACKUP_EVERY = 4


def run(
    store: Store, archive: Archive, known: Known, seed: int, backups: Path, tell: Tell, most: int
) -> None:
    """Change a store batch by batch; say what before each transaction, and that it is done after.

    Parameters
    ----------
    store : Store
    archive : Archive
    known : Known
        What it holds.
    seed : int
    backups : Path
        An existing folder for copies.
    tell : callable
        Called with ``begin`` and the versions a transaction will make, and with ``done``.
    most : int
        Batches.
    """
    random = np.random.default_rng(seed)
    versions = dict(known.certain)
    for batch in range(most):
        first = max(versions, default=-1) + 1
        change: dict[int, int] = {}
        for number in range(first, first + int(random.integers(1, 5))):
            change[number] = int(random.integers(NO_REPORT, 2))
        present = [n for n, version in versions.items() if version != GONE]
        if present and random.random() < 0.5:
            changed = int(random.choice(present))
            change[changed] = versions[changed] + 1
        tell("begin", change)
        store.add(
            [archive.image(n) for n in change if n >= first],
            [archive.report(n, version) for n, version in change.items() if version != NO_REPORT],
            [archive.file(n, version) for n, version in change.items()],
        )
        tell("done", change)
        versions |= change
        if batch % DELETE_EVERY == DELETE_EVERY - 1:
            gone = {int(random.choice([n for n, version in versions.items() if version != GONE])): GONE}
            tell("begin", gone)
            store.delete([archive.name(n) for n in gone])
            tell("done", gone)
            versions |= gone
            if random.random() < 0.5:
                rebuild(store, Index(store))
        copying = None
        if batch % BACKUP_EVERY == BACKUP_EVERY - 1:
            copying = threading.Thread(target=_backup, args=(store.path, backups / f"{seed}-{batch}"))
            copying.start()
        if batch % MERGE_EVERY == MERGE_EVERY - 1:
            Index(store).refresh()
        if copying is not None:
            copying.join()


def _backup(store: Path, destination: Path) -> None:
    try:
        write_backup(store, destination)
    except EdgeRetrieveError:
        # On a full disk there is no copy, and none is claimed.
        assert not destination.exists()
