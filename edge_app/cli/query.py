"""``edge-retrieve query``: similar cases for an image, a text, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    setting_options,
    store_option,
)
from edge_retrieve.edge_app.cli.query_options import query_from, query_options
from edge_retrieve.edge_app.wire import result_json
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.backends import Backend
from edge_retrieve.runtime.bundle import PrecisionChoice, read_trust
from edge_retrieve.runtime.hits import Hit, RegionMatch, RetrievalResult


@click.command()
@click.argument("image", required=False, type=click.Path(path_type=Path, dir_okay=False))
@store_option
@query_options
@bundle_option
@setting_options("abstain_below", *MODEL_SETTINGS)
@json_option
def query(
    image: Path | None,
    store_path: Path,
    bundle_path: Path | None,
    abstain_below: float,
    backend: str,
    precision: str,
    require_gpu: bool,
    engines: str,
    trusted_keys: str,
    allow_unsigned: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Find the most similar cases of a store.

    Without a region or a box, whole images and reports are compared. Cases of the query's own patient are set
    apart where the patient is known.
    """
    question = query_from(image, **asked)
    with Workspace(
        store_path,
        bundle_path,
        trust=read_trust(trusted_keys, allow_unsigned),
        backend=Backend(backend),
        require_gpu=require_gpu,
        engines=engines,
        abstain_below=abstain_below,
        precision=PrecisionChoice(precision),
    ) as workspace:
        result = workspace.retriever.query(question)
    if as_json:
        print_json(result_json(result))
    else:
        print_result(result)


def print_result(result: RetrievalResult) -> None:
    """Print the hits as a table for people."""
    console = answers()
    where = ", ".join(region.value for region in result.regions) or "whole image"
    if not result.hits:
        console.print(f"No {'further ' if result.offset else ''}case found ({where}).")
    else:
        if result.abstained:
            console.print(
                f"No sufficiently similar case ({where}). The nearest, which do not count as matches:"
            )
        console.print(_table(result, where))
        if not result.calibrated:
            console.print(
                "The scores are not calibrated: how sure they make is not known for such a query and bundle."
            )
    if result.more:
        console.print(f"More cases follow: --offset {result.offset + len(result.hits)}")
    if result.set_apart:
        console.print(f"Set apart as the query's own or its patient's: {result.set_apart}")


def _table(result: RetrievalResult, where: str) -> Table:
    table = Table(title=f"Similar cases ({where})", title_justify="left", expand=False)
    table.add_column("#", justify="right")
    table.add_column("study", overflow="fold")
    if result.calibrated:
        table.add_column("sure", justify="right")
    table.add_column("score", justify="right")
    table.add_column("region")
    table.add_column("finding")
    table.add_column("sentence", ratio=1)
    for rank, hit in enumerate(result.hits, result.offset + 1):
        table.add_row(str(rank), *_cells(hit, result.calibrated))
    return table


def _cells(hit: Hit, calibrated: bool) -> tuple[str, ...]:
    best = hit.regions[0] if hit.regions else None
    return (
        hit.study,
        *([f"{hit.probability:.0%}"] if calibrated and hit.probability is not None else []),
        f"{hit.score:.3f}",
        best.region.value if best and best.region else "whole image",
        _finding(best) if best else "-",
        hit.sentences[0] if hit.sentences else "-",
    )


def _finding(match: RegionMatch) -> str:
    """Return what the report states there, and what it states otherwise than asked."""
    here = match.finding.value if match.finding else "-"
    found = match.mismatch
    if found is None:
        return here
    where = f" in {found.region.value}" if found.region else ""
    return f"{here} ({found.kind.value}: {found.finding.value}{where})"
