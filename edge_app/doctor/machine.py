"""The machine: what is installed, its disk, its memory, its clock, its GPU."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_retrieve.edge_app.doctor.check import Check, failed, failed_by, ok, sizes, warning
from edge_retrieve.runtime.backends.gpu import find_gpu
from edge_retrieve.runtime.errors import BackendError
from edge_retrieve.runtime.index import kernel

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

# SQLite needs room for its log even to delete; below this a write fails soon.
LEAST_FREE = 256 << 20
MOST_GROWTH = 10  # an archive that cannot grow by a tenth will be full without much notice
# A server with the demo bundle holds about 0.4 GiB; reading a large radiograph takes as much again.
LEAST_MEMORY, ENOUGH_MEMORY = 512 << 20, 1 << 30
# The first release: a clock before it was reset, as that of a board whose battery is empty.
EARLIEST = datetime(2026, 1, 1)
LATEST_YEAR = 2100


def installation() -> Check:
    """Say what is installed, and whether the compiled scan is part of it."""
    try:
        release = version("edge-retrieve")
    except PackageNotFoundError:  # run from a tree that was never installed
        release = "of unknown version"
    python = ".".join(map(str, sys.version_info[:3]))
    what = f"edge-retrieve {release}, Python {python}, {platform.system()} {platform.machine()}"
    if kernel.available():
        return ok("installation", what)
    return warning(
        "installation",
        f"{what}; the compiled scan of the index is missing, searches are slower",
        "Install a wheel that was built where there is a C compiler",
    )


def disk(folder: Path, studies: int, held: int, *, usage: shutil._ntuple_diskusage | None = None) -> Check:
    """Compare the free space with what the store holds and how it grows.

    Parameters
    ----------
    folder : Path
        The store's, which exists.
    studies : int
    held : int
        Size of all its files, bytes.
    usage : named tuple, optional
        As `shutil.disk_usage` returns; asked of the system where None.
    """
    free = (usage or shutil.disk_usage(folder)).free
    what = f"{sizes(free)} free, the store holds {sizes(held)}"
    each = held / studies if studies else 0
    more = int(free / each) if each else 0
    if more:
        what += f": room for about {more:,} more studies"
    if free < LEAST_FREE:
        return failed("disk", what, "Free some space, or move the store to a larger disk")
    if free < held:
        return warning(
            "disk",
            f"{what}; an upgrade, a backup on this disk and an erasure each need room for a second copy",
            "Free some space, or move the store to a larger disk before the next of these",
        )
    if studies and more * MOST_GROWTH < studies:
        return warning("disk", f"{what}, less than a tenth of what it has", "Plan for a larger disk")
    return ok("disk", what)


def memory(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> Check:
    """Say how much memory may be used, here or within the limit of the container or service."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        total, available = (int(lines[key].split()[0]) << 10 for key in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return ok("memory", "this system does not tell how much there is")
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current")
    what = f"{sizes(available)} of {sizes(total)} available"
    if limit is not None and used is not None and limit - used < available:
        available = max(0, limit - used)
        what = f"{sizes(available)} available within the limit of {sizes(limit)} that is set for this service"
    if available < LEAST_MEMORY:
        return failed("memory", what, "End other programs, or give the machine or the service more memory")
    if available < ENOUGH_MEMORY:
        return warning("memory", what, "Large radiographs may not fit: end other programs or add memory")
    return ok("memory", what)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such limit, or the word 'max'
        return None


def clock(newest_study: str = "", last_write: float = 0.0, now: datetime | None = None) -> Check:
    """Compare the clock with what it must be later than.

    Parameters
    ----------
    newest_study : str
        Latest study date of the archive, ``YYYYMMDD``; empty where there is none.
    last_write : float
        When the store was written last, seconds since 1970; 0 where it was not.
    now : datetime, optional
        The system's local time where None.
    """
    now = now or datetime.now()
    shown = f"{now:%Y-%m-%d %H:%M} {time.strftime('%Z')}".rstrip()
    set_it = "Set the clock (timedatectl set-time), and have the hospital's NTP server keep it"
    if not EARLIEST <= now < datetime(LATEST_YEAR, 1, 1):
        return failed("clock", f"it is set to {shown}, which cannot be", set_it)
    if datetime.fromtimestamp(last_write) > now + timedelta(minutes=5):
        written = datetime.fromtimestamp(last_write)
        return failed(
            "clock", f"it is set to {shown}, but the store was written at {written:%Y-%m-%d %H:%M}", set_it
        )
    try:
        newest = datetime.strptime(newest_study, "%Y%m%d") if newest_study else None
    except ValueError:
        newest = None
    # A day of grace: the sender may live in another time zone.
    if newest is not None and newest > now + timedelta(days=1):
        return warning(
            "clock",
            f"it is set to {shown}, but the newest study is of {newest:%Y-%m-%d}",
            f"{set_it}; or a modality's clock is wrong",
        )
    return ok("clock", shown)


def gpu(require: bool = False) -> Check:
    """Say which GPU there is; without one, whether that matters."""
    try:
        found = find_gpu()
    except BackendError as error:
        if require:
            return failed_by("GPU", error)
        return ok("GPU", f"none is used: {error.what}")
    return ok("GPU", f"{found.name}, compute capability {found.capability_text}")
