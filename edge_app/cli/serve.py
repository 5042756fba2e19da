"""``edge-retrieve serve``: the web page and its HTTP interface."""

from __future__ import annotations

from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import say
from edge_retrieve.edge_app.cli.opening import open_workspace
from edge_retrieve.edge_app.cli.options import bundle_option, setting_options, store_option
from edge_retrieve.edge_app.settings import ServerSettings, Value


@click.command()
@store_option
@bundle_option
@setting_options()
def serve(store_path: Path, bundle_path: Path | None, **options: Value) -> None:
    """Serve the reading page of a store."""
    from edge_retrieve.edge_app.serve import serve as run

    settings = ServerSettings.from_options(options)
    with open_workspace(store_path, bundle_path, settings) as workspace:
        for sentence in workspace.encoder.resolution.sentences():
            say(sentence)
        studies, engine = workspace.store.count(), workspace.encoder.engine

        def announce(address: str) -> None:
            say(f"{studies} studies, model {workspace.bundle.manifest.model_id} on {engine}.")
            say(f"Open {address} (Ctrl-C ends).")

        run(workspace, settings, announce, say)
    say("Ended.")
