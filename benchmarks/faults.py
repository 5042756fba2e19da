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
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fault_campaigns.campaign import Budget
from fault_campaigns.corruptions import CorruptionReport, corruption_campaign
from fault_campaigns.full_disks import DiskReport, disk_campaign
from fault_campaigns.kills import KillReport, kill_campaign
from recording import Circumstances, hand_over, take_out


@dataclass(frozen=True)
class Result:
    """What all campaigns came to."""

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
    here = Circumstances.now()
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
            options.seed,
            0.0,
            kill_campaign(folder, budgets[0], options.seed),
            corruption_campaign(folder, budgets[1], options.seed),
            disk_campaign(folder, budgets[2], options.seed),
        )
    result = replace(result, seconds=round(time.monotonic() - start, 1))
    hand_over(here, {"synthetic": True, **asdict(result)}, options, _told(result))
    sys.exit(1 if result.faults else 0)


def _told(result: Result) -> str:
    kills, damage, disks = result.kills, result.corruptions, result.disks
    lines = [
        f"{kills.kills} kills, {kills.amid_transaction} amid a transaction; {kills.transactions} transactions"
        f" and {kills.backups} backups acknowledged: {len(kills.faults)} faults",
        f"{damage.corruptions} corruptions: {damage.right} answered right, {damage.refused} refused,"
        f" {len(damage.faults)} faults",
        f"{disks.disks} full disks: {disks.refused} times said so; {disks.transactions} transactions"
        f" acknowledged: {len(disks.faults)} faults {disks.skipped}",
    ]
    return "\n".join([*lines, *(f"  {fault}" for fault in result.faults)])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int)
    parser.add_argument("--corruptions", type=int)
    parser.add_argument("--disks", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="most that each campaign takes")
    parser.add_argument("--tiny", action="store_true", help="a short form: seconds")
    take_out(parser)
    parser.add_argument("--dir", type=Path, help="where the stores are made (default: the temporary folder)")
    options = parser.parse_args()
    sizes = (3, 12, 2) if options.tiny else (200, 500, 50)
    for name, size in zip(("kills", "corruptions", "disks"), sizes, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, size)
    return options


if __name__ == "__main__":
    main()
