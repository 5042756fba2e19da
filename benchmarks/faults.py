"""What becomes of a store when the plug is pulled, files are damaged, or the disk is full.

    python benchmarks/faults.py [--kills 200] [--corruptions 500] [--disks 50] [--seed 0] [--minutes M]
        [--tiny] [--json] [--out FILE]

Embeddings are made up (synthetic), 16 numbers each: what is tested is the store, not the model. A kill is
``kill -9`` at a random point of an ingest with appends, changed reports, deletions, merges and backups going
on; afterwards the store is opened, every study compared with what went in, and answers with exact search.
A corruption is random damage to one file. A full disk is a small file system in memory, which takes the
right to mount one. ``--minutes`` ends each campaign early and says how far it came. Exits with 1 where
anything was lost, half there, answered wrong without a word, or crashed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from fault_campaigns.campaign import Budget
from fault_campaigns.corruptions import CorruptionReport, corruption_campaign
from fault_campaigns.full_disks import DiskReport, disk_campaign
from fault_campaigns.kills import KillReport, kill_campaign


@dataclass(frozen=True)
class Result:
    """What all campaigns came to, and where."""

    date: str
    machine: str
    load: float
    seed: int
    seconds: float
    kills: KillReport
    corruptions: CorruptionReport
    disks: DiskReport

    @property
    def faults(self) -> tuple[str, ...]:
        """All that must not be."""
        return self.kills.faults + self.corruptions.faults + self.disks.faults


def main() -> None:
    options = _parse()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", dir=options.dir) as name:
        folder = Path(name)
        budgets = [
            Budget(what, most, options.minutes * 60)
            for what, most in (
                ("kills", options.kills),
                ("corruptions", options.corruptions),
                ("full disks", options.disks),
            )
        ]
        result = Result(
            datetime.now(timezone.utc).isoformat(timespec="seconds"),
            f"{os.cpu_count()} CPUs, {platform.platform()}, Python {platform.python_version()}",
            round(os.getloadavg()[0], 1),
            options.seed,
            0.0,
            kill_campaign(folder, budgets[0], options.seed),
            corruption_campaign(folder, budgets[1], options.seed),
            disk_campaign(folder, budgets[2], options.seed),
        )
    result = replace(result, seconds=round(time.monotonic() - start, 1))
    document = json.dumps({"synthetic": True, **asdict(result)}, indent=2)
    if options.out:
        options.out.write_text(document + "\n", encoding="utf-8")
    if options.json:
        print(document)
    else:
        _print(result)
    sys.exit(1 if result.faults else 0)


def _print(result: Result) -> None:
    kills, damage, disks = result.kills, result.corruptions, result.disks
    print(
        f"{kills.kills} kills, {kills.amid_transaction} amid a transaction; {kills.transactions} transactions"
        f" and {kills.backups} backups acknowledged: {len(kills.faults)} faults"
    )
    print(
        f"{damage.corruptions} corruptions: {damage.right} answered right, {damage.refused} refused,"
        f" {len(damage.faults)} faults"
    )
    print(
        f"{disks.disks} full disks: {disks.refused} times said so; {disks.transactions} transactions"
        f" acknowledged: {len(disks.faults)} faults {disks.skipped}"
    )
    for fault in result.faults:
        print(f"  {fault}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int)
    parser.add_argument("--corruptions", type=int)
    parser.add_argument("--disks", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="most that each campaign takes")
    parser.add_argument("--tiny", action="store_true", help="a short form: seconds")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--dir", type=Path, help="where the stores are made (default: the temporary folder)")
    options = parser.parse_args()
    sizes = (3, 12, 2) if options.tiny else (200, 500, 50)
    for name, size in zip(("kills", "corruptions", "disks"), sizes, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, size)
    return options


if __name__ == "__main__":
    main()
