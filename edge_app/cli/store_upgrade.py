"""``edge-retrieve store upgrade``: a store of an earlier version, with a copy to go back to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.edge_app.cli.options import json_option, store_option
from edge_retrieve.edge_app.copies import copy_companions
from edge_retrieve.runtime.upgrade import upgrade as run


@click.command()
@store_option
@click.option(
    "--backup",
    required=True,
    metavar="DEST",
    type=click.Path(path_type=Path, file_okay=False),
    help="New folder for a copy of the store as it is, to go back to.",
)
@json_option
def upgrade(store_path: Path, backup: Path, as_json: bool) -> None:
    """Copy a store of an earlier version, then bring it to this version and verify it.

    End the server first. The version that wrote the store restores the copy, and so does this one.
    """
    done = run(store_path, backup, progress_bar)
    if done.backup is not None:
        copy_companions(store_path, backup)
    if as_json:
        print_json({**asdict(done), "path": backup if done.backup else None})
    elif done.backup is None:
        answers().print(f"Nothing to do: the store has schema {done.after} already, and no copy was made.")
    else:
        answers().print(
            f"{done.studies} studies brought from schema {done.before} to {done.after}; as it was: {backup}",
            soft_wrap=True,
        )
        say(f"To go back, with the version before: edge-retrieve store restore {backup} --store NEW")
