"""What stands before the figures in a file of figures: when, where, how busy, with what, by which command.

Every script of this folder takes ``--out FILE`` by it. The files that documents name are in
``benchmarks/results``; ``tests/test_results.py`` looks after them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

_PACKAGES = ("numpy", "onnxruntime", "openvino", "opencv-python-headless", "pydicom", "torch", "usearch")


@dataclass(frozen=True)
class Circumstances:
    """Of a measurement.

    Parameters
    ----------
    date : str
        Its beginning, UTC (ISO 8601).
    command : str
        As it was typed, in the root of the repository.
    commit : str
        Of the code, with a ``+`` where files had been changed since; empty where git does not know.
    machine : str
    load : float
        Average number of processes that ran or wanted to in the minute before: what other programs took.
    versions : dict of str to str
        Of Python and of the packages that compute.
    """

    date: str
    command: str
    commit: str
    machine: str
    load: float
    versions: dict[str, str]

    @classmethod
    def now(cls) -> Circumstances:
        """Return those of this moment: call it before anything is measured."""
        return cls(
            date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            command=shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
            commit=_commit(),
            machine=f"{os.cpu_count()} CPUs ({_processor()}), {platform.platform()}",
            load=round(os.getloadavg()[0], 1),
            versions={"python": platform.python_version(), **dict(_installed())},
        )


def take_out(parser: argparse.ArgumentParser) -> None:
    """Let a script take the options that `hand_over` reads."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, help="write it into this file")


def hand_over(
    circumstances: Circumstances, figures: dict[str, object], asked: argparse.Namespace, told: str
) -> None:
    """Write the figures where the options say, and print them: as JSON, or as a person reads them."""
    document = json.dumps({**asdict(circumstances), **figures}, indent=1)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(document + "\n", encoding="utf-8")
    print(document if asked.json else told)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _commit() -> str:
    root = Path(__file__).parents[2]
    command = [
        "git",
        "--no-optional-locks",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty=+",
        "--abbrev=7",
    ]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _installed() -> list[tuple[str, str]]:
    found = []
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found
