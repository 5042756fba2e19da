"""``edge-retrieve demo``: see it work on synthetic X-rays."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, progress_bar, say
from edge_retrieve.edge_app.cli.query import print_result
from edge_retrieve.edge_app.settings import ServerSettings
from edge_retrieve.edge_app.wire import result_shape
from edge_retrieve.edge_app.workspace import Workspace
from edge_retrieve.runtime.query import Query

_HITS = 5


@click.command()
@click.option(
    "--dir",
    "folder",
    metavar="D",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("edge-retrieve-demo"),
    show_default=True,
    help="Where the archive and the store are kept; used again by the next run.",
)
@click.option(
    "--studies",
    metavar="N",
    type=click.IntRange(10),
    default=400,
    show_default=True,
    help="Studies to render.",
)
@click.option(
    "--port",
    metavar="P",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port of the page; 0 takes a free one.",
)
@click.option("--no-serve", is_flag=True, help="End with an example query instead of the page.")
def demo(folder: Path, studies: int, port: int, no_serve: bool) -> None:
    """Render a synthetic archive, read it into a store, and serve the page."""
    from edge_retrieve.edge_app import demo as work

    where = work.DemoFolder(folder, studies)
    say(f"Demonstration with {studies} synthetic studies in {folder}. No real patient is in it.")
    work.prepare(where, progress_bar)
    with Workspace(where.store) as workspace:
        if not no_serve:
            from edge_retrieve.edge_app.serve import serve

            def announce(address: str) -> None:
                say(f"X-rays to open on the page: {where.new_cases}")
                say(f"Open {address} (Ctrl-C ends).")

            serve(workspace, ServerSettings(port=port), announce, say)
            return
        example = work.choose_example(workspace.store, where.new_cases)
        command = [
            "edge-retrieve", "query", str(example.image), "--store", str(where.store),
            "--region", example.region.value, "-k", str(_HITS),
        ]  # fmt: skip
        console = answers()
        console.print(
            f"Example: {example.image.name} is of a patient the archive has never seen. "
            f"Its report states {example.finding.value} in the {example.region.value}.",
            soft_wrap=True,
        )
        console.print(f"$ {shlex.join(command)}", soft_wrap=True)
        print_result(
            result_shape(
                workspace.retriever.query(Query(image=example.image, regions=(example.region,), k=_HITS))
            )
        )
