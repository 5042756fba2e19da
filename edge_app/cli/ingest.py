"""``edge-retrieve ingest``: images and their reports into a store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from edge_retrieve.edge_app.audit.commands import audited
from edge_retrieve.edge_app.audit.events import Action
from edge_retrieve.edge_app.cli.console import answers, print_json, progress_bar, say
from edge_retrieve.edge_app.cli.group import WORK_FAILED
from edge_retrieve.edge_app.cli.opening import open_workspace, split_settings
from edge_retrieve.edge_app.cli.options import (
    MODEL_SETTINGS,
    bundle_option,
    json_option,
    setting_options,
    store_option,
)
from edge_retrieve.edge_app.labels import label_after_ingest
from edge_retrieve.edge_app.privacy import prepare_ingest
from edge_retrieve.runtime.ingest import IngestSummary, Outcome
from edge_retrieve.runtime.ingest import ingest as run

_SHOWN = 50  # files


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@store_option
@click.option(
    "--reports",
    metavar="CSV|DIR",
    type=click.Path(path_type=Path),
    help="A table or a folder of reports; a text file beside an image is found without.",
)
@click.option(
    "--again",
    is_flag=True,
    help="Read every file, also those an earlier run has dealt with, and bring deleted studies in again.",
)
@bundle_option
@setting_options(*MODEL_SETTINGS, "site", "keep_identities")
@json_option
def ingest(
    paths: tuple[Path, ...],
    store_path: Path,
    reports: Path | None,
    again: bool,
    bundle_path: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Add images (files or folders) to a store, which is made where there is none.

    What tells of persons is taken out first: identifiers become pseudonyms, dates move, reports lose names
    and numbers, text in pictures is covered. Images that are there already are left alone; a file that an
    earlier run has dealt with is not even opened, unless it or its report has changed. Exits with 1 where a
    file was rejected; the others are kept.
    """
    settings, _ = split_settings(options)
    with (
        open_workspace(store_path, bundle_path, settings, create=True) as workspace,
        audited(workspace.site, Action.INGEST),
        progress_bar("Ingesting") as progress,
    ):
        was_empty = workspace.store.count() == 0
        deidentifier = prepare_ingest(
            workspace.store, workspace.site, paths, keep_identities=settings.keep_identities
        )
        summary = run(
            workspace.store,
            workspace.encoder,
            paths,
            reports=reports,
            progress=progress,
            deidentifier=deidentifier,
            again=again,
        )
        label_after_ingest(store_path, paths, was_empty=was_empty)
    if as_json:
        print_json(summary_json(summary))
    else:
        print_summary(summary)
    if not summary.files:
        say("Nothing to ingest: no DICOM, PNG or JPEG file was found there.")
    if summary.rejected or not summary.files:
        sys.exit(WORK_FAILED)


def summary_json(summary: IngestSummary) -> dict[str, Any]:
    """Return what became of every file."""
    return {
        "accepted": summary.accepted,
        "flagged": summary.flagged,
        "rejected": summary.rejected,
        "unchanged": summary.unchanged,
        "files": [
            {"path": str(file.path), "outcome": file.outcome.value, "reason": file.reason}
            for file in summary.files
        ],
    }


def print_summary(summary: IngestSummary) -> None:
    """Print the counts, and every file that needs a look."""
    console = answers()
    remarkable = [file for file in summary.files if file.reason]
    # What was lost first; the rest is cut, for a large archive would scroll it away.
    remarkable.sort(key=lambda file: file.outcome is not Outcome.REJECTED)
    for file in remarkable[:_SHOWN]:
        # Most reasons of a rejection begin with the path already.
        told = file.reason if file.reason.startswith(str(file.path)) else f"{file.path}: {file.reason}"
        console.print(f"{file.outcome.value}: {told}", soft_wrap=True)
    if len(remarkable) > _SHOWN:
        console.print(f"... and {len(remarkable) - _SHOWN} more; --json tells of all.")
    console.print(
        f"{summary.accepted} accepted, {summary.flagged} flagged, {summary.rejected} rejected, "
        f"{summary.unchanged} unchanged."
    )
