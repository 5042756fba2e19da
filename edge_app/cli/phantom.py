"""``edge-retrieve phantom``: a synthetic archive with its truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar
from edge_retrieve.edge_app.cli.options import json_option


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path, file_okay=False))
@click.option("--studies", metavar="N", type=click.IntRange(1), required=True, help="Studies to render.")
@click.option(
    "--seed", metavar="S", type=click.IntRange(0), required=True, help="Equal seeds give equal archives."
)
@json_option
def phantom(out: Path, studies: int, seed: int, as_json: bool) -> None:
    """Write an archive of synthetic chest X-rays: DICOM, reports and truth."""
    from edge_retrieve.train.phantom.archive import write_archive

    with progress_bar("Rendering phantoms") as progress:
        summary = write_archive(out, studies, seed, progress=progress)
    if as_json:
        print_json({"synthetic": True, **asdict(summary)})
    else:
        answers().print(f"{studies} synthetic studies written to {out}.", soft_wrap=True)
