"""``edge-retrieve query``: similar cases for an image, a text, or both."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from edge_retrieve.edge_app.cli.console import answers, print_json
from edge_retrieve.edge_app.cli.opening import open_workspace, split_settings
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    maybe_store_option,
    server_option,
    setting_options,
    token_option,
)
from edge_retrieve.edge_app.cli.query_options import query_from, query_options
from edge_retrieve.edge_app.cli.remote import open_client, require_one
from edge_retrieve.edge_app.client.questions import document_of
from edge_retrieve.edge_app.shapes import AnswerFacts, HitShape, Match, Result
from edge_retrieve.edge_app.wire import result_shape
from edge_retrieve.runtime.query import Query


@click.command()
@click.argument("image", required=False, type=click.Path(path_type=Path, dir_okay=False))
@maybe_store_option
@server_option
@token_option
@query_options
@bundle_option
@setting_options("abstain_below", *MODEL_SETTINGS)
@json_option
def query(
    image: Path | None,
    store_path: Path | None,
    server: str | None,
    token_file: Path | None,
    bundle_path: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find the most similar cases of a store, or of a server's.

    Without a region or a box, whole images and reports are compared. Cases of the query's own patient are set
    apart where the patient is known.
    """
    require_one(store_path, server, token_file)
    settings, asked = split_settings(options)
    question = query_from(image, **asked)
    if server is not None:
        show(_ask(server, token_file, question), as_json)
        return
    assert store_path is not None  # as required above
    with open_workspace(store_path, bundle_path, settings) as workspace:
        result = workspace.retriever.query(question)
    show(result_shape(result), as_json)


def _ask(server: str, token_file: Path | None, question: Query) -> Result:
    """Have a server answer; of its answer what an answer of this machine holds."""
    with open_client(server, token_file) as client:
        upload = None if question.image is None else client.encode(question.image).upload
        answer = client.query(document_of(question, upload=upload))
    facts = {each.name: getattr(answer, each.name) for each in fields(AnswerFacts)}
    names = [each.name for each in fields(HitShape)]
    hits = [HitShape(**{name: getattr(hit, name) for name in names}) for hit in answer.hits]
    return Result(**facts, hits=hits)


def show(result: Result, as_json: bool) -> None:
    """Print an answer, as JSON or for people."""
    if as_json:
        print_json(asdict(result))
    else:
        print_result(result)


def print_result(result: Result) -> None:
    """Print the hits as a table for people."""
    console = answers()
    where = ", ".join(result.regions) or "whole image"
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


def _table(result: Result, where: str) -> Table:
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


def _cells(hit: HitShape, calibrated: bool) -> tuple[str, ...]:
    best = hit.regions[0] if hit.regions else None
    return (
        hit.study,
        *([f"{hit.probability:.0%}"] if calibrated and hit.probability is not None else []),
        f"{hit.score:.3f}",
        best.region if best and best.region else "whole image",
        _finding(best) if best else "-",
        hit.sentences[0] if hit.sentences else "-",
    )


def _finding(match: Match) -> str:
    """Return what the report states there, and what it states otherwise than asked."""
    here = match.finding or "-"
    found = match.mismatch
    if found is None:
        return here
    where = f" in {found.region}" if found.region else ""
    return f"{here} ({found.kind}: {found.finding}{where})"
