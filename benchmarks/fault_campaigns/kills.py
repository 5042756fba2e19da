"""``kill -9`` at random points of an ingest with appends, deletions, merges and backups going on."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_retrieve.runtime.errors import EdgeRetrieveError
from edge_retrieve.runtime.store import Store, restore_backup
from fault_campaigns.archive import Archive, made_bundle
from fault_campaigns.campaign import Budget
from fault_campaigns.looking import Known, heard, look
from fault_campaigns.processes import Child, Say
from fault_campaigns.workload import run

_KILLS_PER_STORE = 10
# A kill comes so many lines of the ingest's progress (two a transaction) after its start, and so much later.
_MOST_LINES = 24
_LONGEST_S = 0.2
_BATCHES = 60
_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class KillReport:
    """What became of the stores.

    Parameters
    ----------
    kills : int
    amid_transaction : int
        Kills between the beginning of a transaction and its acknowledgement.
    transactions, studies : int
        Acknowledged in all; the studies the stores held at the end.
    backups : int
        Copies that were there after a kill, each restored and compared.
    faults : tuple of str
        Whatever was lost, half there, damaged or answered wrong.
    """

    kills: int
    amid_transaction: int
    transactions: int
    studies: int
    backups: int
    faults: tuple[str, ...]


def kill_campaign(folder: Path, budget: Budget, seed: int) -> KillReport:
    """Kill, look, go on with the same store, and start with a new one now and then."""
    random = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    faults: list[str] = []
    archive, known = Archive(seed), Known()
    store_path, backups = folder / "store", folder / "backups"
    for kill in budget.spend():
        if kill % _KILLS_PER_STORE == 0:
            counts["studies"] += len(known.certain)
            known = Known()
            for path in (store_path, backups):
                shutil.rmtree(path, ignore_errors=True)
        backups.mkdir(exist_ok=True)

        def work(say: Say, known: Known = known, kill: int = kill) -> None:
            with Store.open(store_path, bundle=made_bundle(), create=True) as store:
                run(
                    store,
                    archive,
                    known,
                    seed + kill,
                    backups,
                    lambda begun_or_done, change: say([begun_or_done, list(change.items())]),
                    _BATCHES,
                )

        child = Child(work)
        child.wait_for_lines(int(random.integers(0, _MOST_LINES)), _TIMEOUT_S)
        time.sleep(random.uniform(0, _LONGEST_S))
        child.kill()
        said, status = child.wait(_TIMEOUT_S)
        if status > 0:
            faults.append(f"kill {kill}: the ingest failed by itself")
        known = heard(known, said)
        counts["transactions"] += sum(what == "done" for what, _ in said)
        counts["amid"] += bool(known.pending)
        try:
            with Store.open(store_path, bundle=made_bundle(), create=True) as store:
                held, found = look(store, archive, known)
        except EdgeRetrieveError as error:
            held, found = {}, [f"does not open: {error}"]
        faults += [f"kill {kill}: {fault}" for fault in found]
        settled = known.settled(held)
        known = Known({**known.certain, **known.pending} if settled else known.certain)
        found, whole = _check_backups(backups, folder / "restored", archive)
        faults += [f"kill {kill}: {fault}" for fault in found]
        counts["backups"] += whole
        counts["kills"] += 1
    counts["studies"] += len(known.certain)
    named = (counts[name] for name in ("kills", "amid", "transactions", "studies", "backups"))
    return KillReport(*named, faults=tuple(faults))


def _check_backups(backups: Path, restored: Path, archive: Archive) -> tuple[list[str], int]:
    """Restore every copy that claims to be one, compare it, and clear the folder."""
    faults, whole = [], 0
    for path in sorted(backups.iterdir()):
        if not path.name.startswith("."):
            try:
                restore_backup(path, restored)
                with Store.open(restored, bundle=made_bundle()) as store:
                    # Which moment it is of is not known.
                    faults += [f"backup: {fault}" for fault in look(store, archive, None)[1]]
                whole += 1
            except EdgeRetrieveError as error:
                faults.append(f"backup: {error}")
            shutil.rmtree(restored, ignore_errors=True)
        shutil.rmtree(path)
    return faults, whole
