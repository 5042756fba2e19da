"""``edge-retrieve query``: similar cases for an image, a text, or both."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    boxes_from,
    bundle_option,
    json_option,
    regions_from,
    setting_options,
    store_option,
)
from edge_retrieve.edge_app.wire import result_json
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.anatomy import Box, Region
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import PrecisionChoice, read_trust
from edge_retrieve.runtime.hits import Hit, RetrievalResult
from edge_retrieve.runtime.query import Query


@click.command()
@click.argument("image", required=False, type=click.Path(path_type=Path, dir_okay=False))
@store_option
@click.option("--text", metavar="T", help="Report text or a phrase.")
@click.option(
    "--region",
    "regions",
    metavar="NAME",
    multiple=True,
    callback=regions_from,
    help="A suspicious region; may be repeated.",
)
@click.option(
    "--box",
    "boxes",
    metavar="x1,y1,x2,y2",
    multiple=True,
    callback=boxes_from,
    help="A box on the image, in pixels as displayed; may be repeated.",
)
@click.option("-k", "k", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Cases wanted.")
@bundle_option
@setting_options(*MODEL_SETTINGS)
@json_option
def query(
    image: Path | None,
    store_path: Path,
    text: str | None,
    regions: tuple[Region, ...],
    boxes: tuple[Box, ...],
    k: int,
    bundle_path: Path | None,
    backend: str,
    precision: str,
    require_gpu: bool,
    engines: str,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Find the most similar cases of a store.

    Without a region or a box, whole images and reports are compared.
    """
    asked = Query(image=image, text=text, regions=regions, boxes=boxes, k=k)
    with Workspace(
        store_path,
        bundle_path,
        trust=read_trust(trusted_keys, allow_unsigned),
        backend=Backend(backend),
        require_gpu=require_gpu,
        engines=engines,
        precision=PrecisionChoice(precision),
    ) as workspace:
        result = workspace.retriever.query(asked)
    if as_json:
        print_json(result_json(result))
    else:
        print_result(result)


def print_result(result: RetrievalResult) -> None:
    """Print the hits as a table for people."""
    console = answers()
    where = ", ".join(region.value for region in result.regions) or "whole image"
    if not result.hits:
        console.print(f"No case found ({where}).")
        return
    if result.abstained:
        console.print(f"No sufficiently similar case ({where}). The nearest, which do not count as matches:")
    table = Table(title=f"Similar cases ({where})", title_justify="left", expand=False)
    table.add_column("#", justify="right")
    table.add_column("study", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("region")
    table.add_column("finding")
    table.add_column("sentence", ratio=1)
    for rank, hit in enumerate(result.hits, 1):
        table.add_row(str(rank), *_cells(hit))
    console.print(table)


def _cells(hit: Hit) -> tuple[str, str, str, str, str]:
    best = hit.regions[0] if hit.regions else None
    return (
        hit.study,
        f"{hit.score:.3f}",
        best.region.value if best and best.region else "whole image",
        best.finding.value if best and best.finding else "-",
        hit.sentences[0] if hit.sentences else "-",
    )
