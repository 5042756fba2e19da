"""``edge-retrieve dataset``: data sets to train on or to evaluate with."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.group import WORK_FAILED, named_extras
from edge_retrieve.edge_app.cli.options import json_option


@click.group("dataset")
def dataset() -> None:
    """Look at public data sets and at a site's own folder."""


@dataset.command()
@click.argument("source", metavar="SOURCE")
@click.argument("root", metavar="ROOT", type=click.Path(path_type=Path))
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the images where they are another download (MIMIC-CXR-JPG).",
)
@click.option(
    "--reports",
    metavar="CSV|DIR",
    type=click.Path(path_type=Path),
    help="Table or folder of the reports where they are another download.",
)
@json_option
def check(source: str, root: Path, images: Path | None, reports: Path | None, as_json: bool) -> None:
    """Count what is on disk of a data set and name what is missing.

    Exits with 1 where an image or a table is missing.
    """
    with named_extras("train"):
        from edge_retrieve.train.config import Source
        from edge_retrieve.train.datasets.check import check_data_set
        from edge_retrieve.train.datasets.records import Roots

    known = [member.value for member in Source if member is not Source.PHANTOM]
    if source not in known:
        raise click.BadParameter(f"'{source}' is none of {', '.join(known)}", param_hint="SOURCE")
    with progress_bar("Reading") as advance:
        found = check_data_set(Source(source), Roots(root, images, reports), advance)
    if as_json:
        print_json(found.to_json())
    else:
        console = answers()
        for name, value in found.to_json().items():
            if name == "splits":
                value = ", ".join(f"{split} {count}" for split, count in value.items()) or "none"
            if name == "missing":
                continue
            console.print(f"{name.replace('_', ' ')}: {value}", soft_wrap=True)
        for path in found.missing:
            console.print(f"missing: {path}", soft_wrap=True)
        if found.missing_images > len(found.missing):
            console.print(f"... and {found.missing_images - len(found.missing)} more.")
    if found.missing_images or not found.images:
        sys.exit(WORK_FAILED)
