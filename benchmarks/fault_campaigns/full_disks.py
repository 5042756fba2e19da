"""A disk that becomes full at random points: a small file system of its own, with ever less room left."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_retrieve.runtime.erasure import rebuild
from edge_retrieve.runtime.errors import EdgeRetrieveError, StoreError
from edge_retrieve.runtime.index import Index
from edge_retrieve.runtime.store import Store
from fault_campaigns.archive import Archive, made_bundle
from fault_campaigns.campaign import Budget
from fault_campaigns.looking import Known, heard, look
from fault_campaigns.processes import Child, Say
from fault_campaigns.workload import run

_SIZE = 64 << 20
_MOST_FREE = 3 << 20
_LEAST_FREE = 4 << 10
_BATCHES = 40
_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class DiskReport:
    """What became of the stores.

    Parameters
    ----------
    disks : int
        Points at which the disk was made full; 0 where no file system could be mounted.
    refused : int
        Runs that ended with an error of ours that names the full disk.
    transactions : int
        Acknowledged in all.
    faults : tuple of str
    skipped : str
        Why nothing was done.
    """

    disks: int
    refused: int
    transactions: int
    faults: tuple[str, ...]
    skipped: str = ""


def disk_campaign(folder: Path, budget: Budget, seed: int) -> DiskReport:
    """Fill the disk, let the ingest run into it, make room again, look, and go on with the same store."""
    random = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    faults: list[str] = []
    try:
        with _small_disk(folder / "disk") as mounted:
            archive, known, store_path = Archive(seed), Known(), mounted / "store"
            for point in budget.spend():
                if point % 10 == 0:
                    known = Known()
                    shutil.rmtree(store_path, ignore_errors=True)
                    Store.open(store_path, bundle=made_bundle(), create=True).close()
                backups = mounted / "backups"
                shutil.rmtree(backups, ignore_errors=True)
                backups.mkdir()
                _fill(mounted / "ballast", int(random.integers(_LEAST_FREE, _MOST_FREE)))

                def work(say: Say, known: Known = known, point: int = point, backups: Path = backups) -> None:
                    _run_into_it(store_path, archive, known, seed + point, backups, say)

                said, status = Child(work).wait(_TIMEOUT_S)
                (mounted / "ballast").unlink()
                if status:
                    faults.append(f"disk {point}: the ingest ended with status {status}")
                told = [line for line in said if line[0] == "refused"]
                counts["refused"] += len(told)
                faults += [
                    f"disk {point}: {why}" for _, why in told if "full" not in why and "space" not in why
                ]
                known = heard(known, [line for line in said if line[0] != "refused"])
                counts["transactions"] += sum(line[0] == "done" for line in said)
                try:
                    with Store.open(store_path, bundle=made_bundle()) as store:
                        held, found = look(store, archive, known)
                        rebuild(store, Index(store))
                        found += look(store, archive, known)[1]
                except EdgeRetrieveError as error:
                    held, found = {}, [f"does not open: {error}"]
                faults += [f"disk {point}: {fault}" for fault in found]
                known = Known({**known.certain, **known.pending} if known.settled(held) else known.certain)
                counts["disks"] += 1
    except PermissionError as error:
        return DiskReport(0, 0, 0, (), str(error))
    return DiskReport(counts["disks"], counts["refused"], counts["transactions"], tuple(faults))


def _run_into_it(
    store_path: Path, archive: Archive, known: Known, seed: int, backups: Path, say: Say
) -> None:
    try:
        with Store.open(store_path, bundle=made_bundle()) as store:
            run(
                store,
                archive,
                known,
                seed,
                backups,
                lambda what, change: say([what, list(change.items())]),
                _BATCHES,
            )
            rebuild(store, Index(store))
    except StoreError as error:
        say(["refused", str(error)])


def _fill(path: Path, left: int) -> None:
    """Leave so many bytes of the disk free."""
    with path.open("wb") as stream:
        free = os.statvfs(path.parent).f_bavail * os.statvfs(path.parent).f_frsize
        os.posix_fallocate(stream.fileno(), 0, max(1, free - left))


@contextmanager
def _small_disk(path: Path) -> Iterator[Path]:
    """Mount a file system in memory.

    Raises
    ------
    PermissionError
        Where the system does not allow it.
    """
    path.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "faults", str(path)],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or str(error)
        raise PermissionError(f"no small file system can be mounted here: {why.strip()}") from error
    try:
        yield path
    finally:
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)
