"""The command line: ``edge-retrieve``. Thin: each module reads options, calls one room, prints."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import click

from edge_retrieve.edge_app.cli.group import SafeGroup
from edge_retrieve.edge_app.cli.lazy import LazyCommands

# Each command, and the module that has it (`module:name` where it is called otherwise there).
COMMANDS = {
    "demo": "demo",
    "serve": "serve",
    "dicom": "dicom",
    "ingest": "ingest",
    "query": "query",
    "studies": "studies",
    "results": "results",
    "case": "case",
    "explain": "explain",
    "ground": "ground",
    "store": "store",
    "user": "user",
    "audit": "audit",
    "phantom": "phantom",
    "dataset": "dataset",
    "train": "train",
    "train-report": "train:train_report",
    "compare": "compare",
    "eval": "evaluate",
    "export": "export",
    "bundle": "bundle",
    "bench": "bench",
    "warmup": "warmup",
    "doctor": "doctor",
    "deploy": "deploy",
}


def _version() -> str:
    try:
        return version("edge-retrieve")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "unknown"


@click.group(cls=SafeGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="edge-retrieve")
def main() -> None:
    """Find earlier chest X-ray cases with the same finding in the same anatomical region, offline.

    Not a medical device. For research only.
    """


main.commands = LazyCommands(COMMANDS)

__all__ = ["main"]
